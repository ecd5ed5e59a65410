//! `hash KEY` without `consistent`: the key's CRC-32 modulo the sum of weights, hashed anew past a server that cannot.

use crate::attempts::{Attempts, HashState};
use crate::group::Group;

/// Unable servers a key may hit before round robin takes over, as in nginx.
pub(crate) const MAX_MISSES: u32 = 20;

/// Room for the decimal digits of a `u32`.
const DIGITS: usize = 10;

/// The server that the key falls on; `None` when round robin has to decide.
pub(crate) fn pick(group: &Group, attempts: &mut Attempts, key: &[u8], now_ms: u64) -> Option<usize> {
    pick_by(group, attempts, HashState::default(), now_ms, |state| {
        state.position += memcached_hash(state.rehashes, key);
        state.rehashes += 1;
    })
}

/// The server at a place among the weights, or at the next place past one that cannot; `step` goes from place to place.
pub(crate) fn pick_by(
    group: &Group,
    attempts: &mut Attempts,
    start: HashState,
    now_ms: u64,
    step: impl Fn(&mut HashState),
) -> Option<usize> {
    let mut state = attempts.hash.unwrap_or(start);
    let mut picked = None;
    while picked.is_none() && state.misses <= MAX_MISSES {
        step(&mut state);
        let peer = peer_at_weight(group, state.position % group.total_weight);
        if group.may_pick(attempts, peer, now_ms) && group.peers()[peer].claim(now_ms) {
            picked = Some(peer);
        } else {
            state.misses += 1;
        }
    }
    attempts.hash = Some(state);
    picked
}

/// The primary server whose stretch of the total weight holds this number.
pub(crate) fn peer_at_weight(group: &Group, mut weight: usize) -> usize {
    for &peer in &group.primaries {
        let share = group.peers()[peer].settings().weight as usize;
        if weight < share {
            return peer;
        }
        weight -= share;
    }
    group.primaries[0]
}

/// 15 bits of the CRC-32 of the key, with the number of the try before it from the second on (Cache::Memcached's way).
fn memcached_hash(rehashes: u32, key: &[u8]) -> usize {
    let mut crc = crc32fast::Hasher::new();
    if rehashes > 0 {
        let mut digits = [0; DIGITS];
        crc.update(decimal(rehashes, &mut digits));
    }
    crc.update(key);
    (crc.finalize() >> 16 & 0x7fff) as usize
}

fn decimal(mut number: u32, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut start = DIGITS;
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || start == 0 {
            return &digits[start..];
        }
    }
}
