//! Chunked bodies: the first byte of the input says where it is split, the rest is the message.

#![no_main]
#![allow(dead_code, reason = "each target uses one of the checks")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wire/examples/fuzz_heads/checks.rs"]
mod checks;

fuzz_target!(|input: &[u8]| {
    if let [split, message @ ..] = input {
        checks::check_chunks(message, usize::from(*split).min(message.len()));
    }
});
