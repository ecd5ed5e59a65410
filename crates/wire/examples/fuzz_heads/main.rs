//! Gives mutated messages to the parsers: `cargo run --release -p wire --example fuzz_heads -- 10000000 1` (count and
//! seed). Repeatable: the same seed gives the same messages. Ends with a panic, and the message, when a check fails.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example is a program of its own")]

mod checks;
mod heads;
mod mutate;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("two numbers: count and seed"));
    let count: u64 = arguments.next().unwrap_or(1_000_000);
    let seed = arguments.next().unwrap_or(1);
    let accepted = heads::run(count, seed);
    println!("{count} heads, 0 panics ({accepted} accepted, seed {seed})");
}
