//! `constant-vus`: so many users, each beginning an iteration after the other for so long.

use super::looping::Next;

/// A constant number of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstantVus {
    /// How many.
    pub users: u32,
    /// For how long.
    pub duration_ns: u64,
}

impl ConstantVus {
    pub(super) fn next(&self, now_ns: u64) -> Next {
        if now_ns < self.duration_ns { Next::Begin } else { Next::End }
    }
}
