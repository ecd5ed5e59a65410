//! Configurations: the first byte says how much of the rest is another file that the main one may include.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/conf/examples/fuzz_conf/checks.rs"]
mod checks;

fuzz_target!(|input: &[u8]| {
    if let [split, bytes @ ..] = input {
        let (other, main) = bytes.split_at(usize::from(*split).min(bytes.len()));
        checks::check(main, other);
    }
});
