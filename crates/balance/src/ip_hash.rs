//! `ip_hash`: the client's address, of IPv4 the first three bytes, hashed as nginx hashes it.

use crate::attempts::{Attempts, HashState};
use crate::group::Group;
use crate::hash::pick_by;

/// Where nginx's hash starts, what it multiplies by, and the prime that it keeps it under.
const START: usize = 89;
const FACTOR: usize = 113;
const MODULUS: usize = 6271;

/// The server that the address falls on; `None` when round robin has to decide. `key` is 3 or 16 bytes of an address;
/// three zeros stand for a client without one.
pub(crate) fn pick(group: &Group, attempts: &mut Attempts, key: &[u8], now_ms: u64) -> Option<usize> {
    let start = HashState { position: START, ..HashState::default() };
    pick_by(group, attempts, start, now_ms, |state| {
        state.position = key.iter().fold(state.position, |hash, byte| (hash * FACTOR + usize::from(*byte)) % MODULUS);
    })
}
