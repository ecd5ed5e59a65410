//! An answer up to the end of its connection: the first byte says whether it is one to HEAD, the next two in what
//! pieces it comes, the rest are it.

#![no_main]
#![allow(dead_code, reason = "each target uses one of the checks")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wire/examples/fuzz_streams/plain.rs"]
mod plain;
#[path = "../../crates/wire/examples/fuzz_streams/streams.rs"]
mod streams;

fuzz_target!(|input: &[u8]| {
    if let [is_head, first, second, bytes @ ..] = input {
        streams::check_answer(bytes, is_head % 8 == 0, &[*first, *second]);
    }
});
