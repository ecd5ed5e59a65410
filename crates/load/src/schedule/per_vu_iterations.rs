//! `per-vu-iterations`: so many users, each doing so many iterations, within a time.

use super::looping::Next;

/// Iterations that each user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerVuIterations {
    /// How many users.
    pub users: u32,
    /// How many iterations each.
    pub iterations: u64,
    /// Within how long they begin.
    pub max_duration_ns: u64,
}

impl PerVuIterations {
    pub(super) fn next(&self, now_ns: u64, done: u64) -> Next {
        if done < self.iterations && now_ns < self.max_duration_ns { Next::Begin } else { Next::End }
    }
}
