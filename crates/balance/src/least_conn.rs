//! `least_conn` and `least_time`: the server with the fewest requests in flight for its weight, or the one that will
//! have answered them first; among equals it is their turn.

use crate::attempts::Attempts;
use crate::group::Group;
use crate::load::Load;
use crate::round_robin::Weights;

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
