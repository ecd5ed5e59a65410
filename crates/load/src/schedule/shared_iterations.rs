//! `shared-iterations`: so many iterations, done by whoever of so many users is free, within a time.

use super::looping::Next;

/// Iterations that all users share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedIterations {
    /// How many users.
    pub users: u32,
    /// How many iterations in all.
    pub iterations: u64,
    /// Within how long they begin.
    pub max_duration_ns: u64,
}

impl SharedIterations {
    pub(super) fn next(&self, now_ns: u64, take: impl FnOnce() -> bool) -> Next {
        if now_ns < self.max_duration_ns && take() { Next::Begin } else { Next::End }
    }
}
