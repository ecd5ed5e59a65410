//! Gives mutated connections, cut into pieces, to the readers of heads and bodies:
//! `cargo run --release -p wire --example fuzz_streams -- 5000000 1` (count and seed). Repeatable: the same seed gives
//! the same bytes and pieces. Ends with a panic, and the bytes, when a check fails.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example is a program of its own")]

mod make;
#[path = "../fuzz_heads/mutate.rs"]
mod mutate;
mod plain;
mod streams;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("two numbers: count and seed"));
    let count: u64 = arguments.next().unwrap_or(1_000_000);
    let seed = arguments.next().unwrap_or(1);
    let accepted = make::run(count, seed);
    println!("{count} connections, 0 panics ({accepted} with whole messages, seed {seed})");
}
