//! A seeded simulation of requests over servers that die, hang, answer late, refuse, and close idle connections: the
//! choice of servers, the retry rule and the pool together, in virtual time.
//!
//! Each seed makes its own servers, rule, pool and fate. A failure names its seed; `BEDLOE_SEED=N` replays that one
//! alone, and `BEDLOE_SEEDS=N` runs so many. Sockets and the balancer's own tasks are not here: what this drives are
//! [`Course`](super::course::Course), [`Pool`](super::pool::Pool) and the crate `balance`, as the data plane does.
#![allow(clippy::disallowed_methods, reason = "a test may be told by its environment what to replay")]

mod budget;
mod checks;
mod make;
mod random;
mod request;
mod servers;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::{Tally, World};

const SEEDS: u64 = 1_000;

#[test]
fn every_request_ends_as_the_rules_say() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let replayed: Option<u64> = number("BEDLOE_SEED");
    let seeds = replayed.map_or(0..number("BEDLOE_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let mut tally = Tally::default();
    for seed in seeds {
        let run = catch_unwind(AssertUnwindSafe(|| World::new(seed).run()));
        tally.add(&run.unwrap_or_else(|_| panic!("seed {seed} failed: BEDLOE_SEED={seed} runs it alone")));
    }
    // A simulation in which nothing happens would prove nothing.
    assert!(replayed.is_some() || tally.shows_everything(), "{tally:?}");
}
