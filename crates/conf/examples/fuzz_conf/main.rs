//! Loads mutated configurations: `cargo run --release -p conf --example fuzz_conf -- 100000 1` (count and seed).
//! Repeatable: the same seed gives the same configurations. Ends with a panic, and the text, when a check fails.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example is a program of its own")]

mod checks;
mod make;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("two numbers: count and seed"));
    let count: u64 = arguments.next().unwrap_or(20_000);
    let seed = arguments.next().unwrap_or(1);
    let (accepted, bytes) = make::run(count, seed);
    println!("{count} configurations of {bytes} bytes, 0 panics ({accepted} without errors, seed {seed})");
}
