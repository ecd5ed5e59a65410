//! Random numbers for session ids and errors at random. Not for secrets: a stand-in has none.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A small generator (splitmix64), seeded differently in every process.
pub(super) struct Dice(Cell<u64>);

impl Dice {
    pub(super) fn new() -> Self {
        Self(Cell::new(RandomState::new().build_hasher().finish()))
    }

    /// The next 64 random bits.
    pub(super) fn bits(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True in `part` of the throws, 0 to 1.
    pub(super) fn hit(&self, part: f64) -> bool {
        part > 0.0 && ((self.bits() >> 11) as f64) < part * (1u64 << 53) as f64
    }

    /// `length` characters of the alphabet that Liberty's session ids use.
    pub(super) fn word(&self, length: usize) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..length).map(|_| char::from(ALPHABET[(self.bits() & 63) as usize])).collect()
    }
}
