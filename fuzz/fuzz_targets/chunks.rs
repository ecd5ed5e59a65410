//! Chunked bodies, compared with a plain reader: the first two bytes say in what pieces they come, the rest are they.

#![no_main]
#![allow(dead_code, reason = "each target uses one of the checks")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wire/examples/fuzz_streams/plain.rs"]
mod plain;
#[path = "../../crates/wire/examples/fuzz_streams/streams.rs"]
mod streams;

fuzz_target!(|input: &[u8]| {
    if let Some((steps, bytes)) = input.split_at_checked(2) {
        streams::check_chunks(bytes, steps);
    }
});
