//! What one request remembers between its attempts: the peers it has been to, and where its hash stands.

/// Peers whose bits fit without allocation; larger groups allocate when such a peer is tried.
const INLINE_PEERS: usize = 128;

/// One request's attempts. Keep one a connection and [`reset`](Attempts::reset) it for each request.
#[derive(Debug, Clone, Default)]
pub struct Attempts {
    tried: u128,
    more_tried: Vec<u64>,
    /// No primary server was left: from here on it is round robin among the backups.
    pub(crate) on_backups: bool,
    /// The servers that are looked at are those that the request belongs to.
    pub(crate) is_bound: bool,
    /// There is none but those that are ejected.
    pub(crate) takes_ejected: bool,
    /// Where the hash stands; `None` before the first attempt.
    pub(crate) hash: Option<HashState>,
    /// Where the chance of `random` comes from.
    seed: u64,
}

/// The state of a hashed request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HashState {
    /// Plain: the sum of all hashes so far. Consistent: the index of a point, modulo their number. By address: the
    /// hash.
    pub(crate) position: usize,
    /// Plain: how often the key was hashed.
    pub(crate) rehashes: u32,
    /// Servers that were found unable; beyond a limit round robin takes over.
    pub(crate) misses: u32,
}

impl Attempts {
    /// Forgets everything; keeps memory.
    pub fn reset(&mut self) {
        self.tried = 0;
        self.more_tried.clear();
        self.on_backups = false;
        self.hash = None;
    }

    /// Looks for a server from the start, but for those that it has been to: it has waited for one.
    pub fn look_again(&mut self) {
        self.on_backups = false;
        self.hash = None;
    }

    /// Whether this request has been to that peer.
    pub fn has_tried(&self, peer: usize) -> bool {
        match peer.checked_sub(INLINE_PEERS) {
            None => self.tried & (1 << peer) != 0,
            Some(rest) => self.more_tried.get(rest / 64).is_some_and(|word| word & (1 << (rest % 64)) != 0),
        }
    }

    /// Gives it the chance that `random` draws from; the other methods need none.
    pub fn seed(&mut self, random: u64) {
        self.seed = random;
    }

    /// The next number of the sequence that the seed begins (splitmix64).
    pub(crate) fn next_random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn mark_tried(&mut self, peer: usize) {
        let Some(rest) = peer.checked_sub(INLINE_PEERS) else {
            self.tried |= 1 << peer;
            return;
        };
        if self.more_tried.len() <= rest / 64 {
            self.more_tried.resize(rest / 64 + 1, 0);
        }
        self.more_tried[rest / 64] |= 1 << (rest % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_remembered_until_reset() {
        let mut attempts = Attempts::default();
        for peer in [0, 5, 127, 128, 191, 192, 5_000] {
            assert!(!attempts.has_tried(peer), "{peer}");
            attempts.mark_tried(peer);
            assert!(attempts.has_tried(peer), "{peer}");
            assert!(!attempts.has_tried(peer + 1), "{peer}");
        }
        attempts.reset();
        assert!((0..5_001).all(|peer| !attempts.has_tried(peer)));
    }
}
