//! `random [two [METHOD]]`: a server by chance and weight; of two, the one with less to do.
//!
//! The chance comes in as the seed of the request's [`Attempts`].

use crate::attempts::{Attempts, HashState};
use crate::group::Group;
use crate::hash::{MAX_MISSES, peer_at_weight};
use crate::load::Load;

/// A server by chance; `None` when round robin has to decide.
pub(crate) fn pick(group: &Group, two: bool, attempts: &mut Attempts, now_ms: u64) -> Option<usize> {
    let mut state = attempts.hash.unwrap_or_default();
    let mut picked = None;
    while picked.is_none() && state.misses <= MAX_MISSES {
        let peer = if two { draw_two(group, attempts, &mut state, now_ms) } else { draw(group, attempts) };
        match peer {
            Some(peer) if group.may_pick(attempts, peer, now_ms) && group.peers()[peer].claim(now_ms) => {
                picked = Some(peer);
            }
            _ => state.misses += 1,
        }
    }
    attempts.hash = Some(state);
    picked
}

fn draw(group: &Group, attempts: &mut Attempts) -> Option<usize> {
    let number = usize::try_from(attempts.next_random() >> 1).unwrap_or_default();
    Some(peer_at_weight(group, number % group.total_weight))
}

/// Two different servers that may be tried, and of them the one with less to do; the second, where it is the same.
fn draw_two(group: &Group, attempts: &mut Attempts, state: &mut HashState, now_ms: u64) -> Option<usize> {
    let mut first: Option<usize> = None;
    while state.misses <= MAX_MISSES {
        let peer = draw(group, attempts)?;
        if first == Some(peer) || !group.may_pick(attempts, peer, now_ms) {
            state.misses += 1;
            continue;
        }
        let Some(other) = first else {
            first = Some(peer);
            continue;
        };
        let is_busier = Load::of(group, peer, now_ms).cmp(Load::of(group, other, now_ms)).is_gt();
        return Some(if is_busier { other } else { peer });
    }
    None
}
