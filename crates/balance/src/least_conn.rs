//! `least_conn`: the server with the fewest requests in flight for its weight; among equals it is their turn.

use crate::attempts::Attempts;
use crate::group::Group;
use crate::round_robin::{FINE, Weights};

/// The server that has least to do, among the primary servers, then among the backups.
pub(crate) fn pick(group: &Group, weights: &mut Weights, attempts: &mut Attempts, now_ms: u64) -> Option<usize> {
    weights.in_turn(group, attempts, |weights, among, attempts| {
        weights.claim(group, now_ms, |weights| least(group, weights, among, attempts, now_ms))
    })
}

/// As in nginx, weights take turns only where several servers have as little to do.
fn least(group: &Group, weights: &mut Weights, among: &[usize], attempts: &Attempts, now_ms: u64) -> Option<usize> {
    let open = || among.iter().copied().filter(|peer| group.may_pick(attempts, *peer, now_ms));
    let mut best: Option<Load> = None;
    let mut is_shared = false;
    for load in open().map(|peer| Load::of(group, peer, now_ms)) {
        match best.map(|best| load.cmp(best)) {
            None | Some(std::cmp::Ordering::Less) => (best, is_shared) = (Some(load), false),
            Some(std::cmp::Ordering::Equal) => is_shared = true,
            Some(std::cmp::Ordering::Greater) => {}
        }
    }
    let best = best?;
    if !is_shared {
        return Some(best.peer);
    }
    // Another thread may have changed every count meanwhile: then it is the best one's turn.
    weights
        .next(group, now_ms, open().filter(|peer| Load::of(group, *peer, now_ms).cmp(best).is_eq()))
        .or(Some(best.peer))
}

/// What a server has in flight, to be compared by its weight.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) peer: usize,
    in_flight: u32,
    weight: i64,
}

impl Load {
    pub(crate) fn of(group: &Group, peer: usize, now_ms: u64) -> Self {
        let server = &group.peers()[peer];
        let weight = server.eased(i64::from(server.settings().weight) * FINE, now_ms);
        Self { peer, in_flight: server.in_flight(), weight }
    }

    /// Less is better.
    pub(crate) fn cmp(self, other: Self) -> std::cmp::Ordering {
        let of = |in_flight: u32, weight: i64| i128::from(in_flight) * i128::from(weight);
        of(self.in_flight, other.weight).cmp(&of(other.in_flight, self.weight))
    }
}
