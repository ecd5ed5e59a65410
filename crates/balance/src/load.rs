//! What a server has to do, for its weight: requests in flight, or these times how long each is going to take.

use std::cmp::Ordering;

use crate::group::Group;
use crate::latency::Measure;
use crate::peer::Peer;
use crate::round_robin::FINE;

/// Times are read a millisecond at a time: below this they say nothing, and requests in flight alone count.
const LEAST_MS: f64 = 0.1;
/// What each request counts for that is in flight at a server of which nothing is known: the first one finds out, and
/// others go elsewhere meanwhile.
const UNKNOWN_MS: f64 = 1e9;

/// A server with what it has to do.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) peer: usize,
    /// For each unit of its weight. Of equal fractions the quotients are equal.
    cost: f64,
}

impl Load {
    pub(crate) fn of(group: &Group, peer: usize, now_ms: u64) -> Self {
        let server = &group.peers()[peer];
        let weight = server.eased(i64::from(server.settings().weight) * FINE, now_ms);
        let work = match group.measure() {
            None => f64::from(server.in_flight()),
            Some(measure) => timed(server, measure, now_ms),
        };
        Self { peer, cost: work / weight as f64 }
    }

    /// Less is better.
    pub(crate) fn cmp(self, other: Self) -> Ordering {
        self.cost.total_cmp(&other.cost)
    }
}

/// How long a request would take, and those that are there already.
fn timed(server: &Peer, measure: Measure, now_ms: u64) -> f64 {
    let in_flight = f64::from(server.in_flight());
    match server.expected_ms(measure, now_ms) {
        Some(ms) => ms.max(LEAST_MS) * (in_flight + 1.0),
        None => UNKNOWN_MS * in_flight,
    }
}
