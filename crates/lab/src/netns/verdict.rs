//! Which of the failures of a load a take-over explains, and which none does. Pure; times are milliseconds from the
//! start of the load.
//!
//! A take-over costs a client the connection that it has, once, and what it asks while nobody has the address. What was
//! sent again and again meanwhile is heard of late, for a sender doubles the time between its tries; and a connection
//! that is not used meanwhile breaks at its next use.

use serde::Serialize;

use super::journal::BACK_MS;
use super::probe::Probe;
use crate::injector;

/// How long after an upset the last of what was sent meanwhile fails: the last try but one was within the outage.
const HEARD_MS: u64 = 2 * BACK_MS;
/// Of a hundred probes so many may be late where nothing is amiss: the machine has other things to do as well.
const LATE_PERCENT: usize = 5;

/// When connections may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Upset {
    pub(super) at_ms: u64,
    /// The end of what breaks them.
    pub(super) until_ms: u64,
}

/// What no take-over explains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unexplained {
    /// Requests that failed while nothing was done to a balancer.
    pub outside: u64,
    /// Those that failed in take-overs beyond what these may cost.
    pub within: u64,
    /// Probes while nothing was done to a balancer.
    pub probes: usize,
    /// Those of them that were not answered.
    pub unanswered: usize,
}

impl Unexplained {
    /// `upsets` and `failed`, the failures until each moment, by time; `rate` is the load's, a second.
    pub(super) fn of(upsets: &[Upset], failed: &[(u64, u64)], probes: &[Probe], rate: u64) -> Self {
        let is_within = |at_ms: u64| {
            let holds = |upset: &Upset| (upset.at_ms..=upset.until_ms.saturating_add(HEARD_MS)).contains(&at_ms);
            upsets.iter().any(holds)
        };
        let mut own = Self::default();
        let (mut known, mut before) = (0, 0);
        // What may still fail for the last take-over: in its time, and for the connections that it broke.
        let (mut in_time, mut connections) = (0, 0);
        for (at_ms, count) in failed {
            let begun = upsets.iter().filter(|upset| upset.at_ms <= *at_ms).count();
            if begun > known {
                (in_time, connections) = (rate * BACK_MS / 1_000, u64::from(injector::users(rate)));
                known = begun;
            }
            let mut new = count.saturating_sub(before);
            before = *count;
            new -= taken(&mut connections, new);
            if is_within(*at_ms) {
                own.within += new - taken(&mut in_time, new);
            } else {
                own.outside += new;
            }
        }
        let outside = probes.iter().filter(|probe| !is_within(probe.at_ms) && !is_within(probe.end_ms));
        let answers: Vec<bool> = outside.map(|probe| probe.answered).collect();
        own.probes = answers.len();
        own.unanswered = answers.iter().filter(|answered| !**answered).count();
        own
    }

    /// What is worse than it may be.
    pub(super) fn complaints(&self) -> Vec<String> {
        let Self { outside, within, probes, unanswered } = self;
        let mut found = Vec::new();
        if *outside > 0 {
            found.push(format!("{outside} requests of the load failed while no balancer was gone: none may"));
        }
        if *within > 0 {
            found.push(format!("{within} more requests of the load failed in take-overs than {BACK_MS} ms explain"));
        }
        if unanswered * 100 > probes * LATE_PERCENT {
            found.push(format!("{unanswered} of {probes} probes were not answered while no balancer was gone"));
        }
        found
    }
}

/// Takes from what is left.
fn taken(left: &mut u64, wanted: u64) -> u64 {
    let taken = wanted.min(*left);
    *left -= taken;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upsets, failures until each moment, and how many no take-over explains: outside, and within.
    type Case<'a> = (&'a [Upset], &'a [(u64, u64)], (u64, u64));

    /// Users at 100 a second: 200, so 200 connections; 300 requests in 3 s.
    const RATE: u64 = 100;

    fn upset(at_ms: u64) -> Upset {
        Upset { at_ms, until_ms: at_ms }
    }

    #[test]
    fn a_load_may_fail_in_take_overs_alone_and_there_not_without_end() {
        let lossy = Upset { at_ms: 10_000, until_ms: 30_000 };
        let table: [Case<'_>; 11] = [
            (&[], &[], (0, 0)),
            (&[], &[(100, 1)], (1, 0)),
            // Before it, in it, after it.
            (&[upset(10_000)], &[(9_900, 2)], (2, 0)),
            (&[upset(10_000)], &[(10_200, 190)], (0, 0)),
            (&[upset(10_000)], &[(10_200, 200), (16_000, 500)], (0, 0)),
            (&[upset(10_000)], &[(10_200, 200), (16_000, 501)], (0, 1)),
            // Connections that broke and were not used: as many as there were, and no more.
            (&[upset(10_000)], &[(10_200, 190), (30_000, 200)], (0, 0)),
            (&[upset(10_000)], &[(10_200, 190), (30_000, 201)], (1, 0)),
            (&[upset(10_000), upset(40_000)], &[(10_200, 300), (40_200, 800)], (0, 0)),
            (&[upset(10_000), upset(11_000)], &[(17_000, 500), (17_200, 501)], (1, 0)),
            (&[lossy], &[(35_900, 500), (36_100, 501)], (1, 0)),
        ];
        for (upsets, failed, (outside, within)) in table {
            let own = Unexplained::of(upsets, failed, &[], RATE);
            assert_eq!((own.outside, own.within), (outside, within), "{upsets:?} {failed:?}");
            assert_eq!(own.complaints().is_empty(), outside + within == 0);
        }
    }

    #[test]
    fn an_address_that_does_not_answer_is_no_service_whoever_has_it() {
        let probes = |from_ms: u64, answered: bool| {
            (0..100).map(move |number| {
                let at_ms = from_ms + number * 50;
                Probe { at_ms, end_ms: at_ms + 5, answered }
            })
        };
        let said = |probes: Vec<Probe>| Unexplained::of(&[upset(10_000)], &[], &probes, RATE).complaints();
        assert_eq!(said(probes(0, true).chain(probes(10_000, false)).collect()), [""; 0]);
        let dead = said(probes(0, true).chain(probes(20_000, false)).collect());
        assert_eq!(dead, ["100 of 200 probes were not answered while no balancer was gone"]);
    }
}
