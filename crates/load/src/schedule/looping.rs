//! What the executors whose users go round on their own have in common: whether a user begins another iteration now,
//! and when one that is under way is cut off.

use super::{ConstantVus, PerVuIterations, RampingVus, Segment, SharedIterations};

/// What a user that is not at work does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Begins an iteration.
    Begin,
    /// Waits until this time.
    Wait(u64),
    /// Is done.
    End,
}

/// Users that begin an iteration as soon as the last one is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looping {
    /// `constant-vus`.
    ConstantVus(ConstantVus),
    /// `ramping-vus`.
    RampingVus(RampingVus),
    /// `shared-iterations`.
    SharedIterations(SharedIterations),
    /// `per-vu-iterations`.
    PerVuIterations(PerVuIterations),
}

impl Looping {
    /// What user `user` (from 0) does at `now_ns`, after `done` iterations of its own. `take` gets it one of the
    /// iterations that all users share, if any is left.
    #[must_use]
    pub fn next(&self, user: u32, now_ns: u64, done: u64, take: impl FnOnce() -> bool) -> Next {
        match self {
            Self::ConstantVus(executor) => executor.next(now_ns),
            Self::RampingVus(executor) => executor.next(user, now_ns),
            Self::SharedIterations(executor) => executor.next(now_ns, take),
            Self::PerVuIterations(executor) => executor.next(now_ns, done),
        }
    }

    /// When an iteration that user `user` has under way at `now_ns` is cut off at the latest.
    #[must_use]
    pub fn cut_off_ns(&self, user: u32, now_ns: u64, graceful_stop_ns: u64) -> u64 {
        match self {
            Self::RampingVus(executor) => executor.cut_off_ns(user, now_ns, graceful_stop_ns),
            _ => self.duration_ns().saturating_add(graceful_stop_ns),
        }
    }

    /// How long iterations are begun at the most.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        match self {
            Self::ConstantVus(executor) => executor.duration_ns,
            Self::RampingVus(executor) => executor.duration_ns(),
            Self::SharedIterations(executor) => executor.max_duration_ns,
            Self::PerVuIterations(executor) => executor.max_duration_ns,
        }
    }

    /// The most users there are.
    #[must_use]
    pub fn users(&self) -> u32 {
        match self {
            Self::ConstantVus(executor) => executor.users,
            Self::RampingVus(executor) => executor.peak(),
            Self::SharedIterations(executor) => executor.users,
            Self::PerVuIterations(executor) => executor.users,
        }
    }

    /// Leaves the users and iterations of other segments out.
    pub(crate) fn take_part(&mut self, segment: &Segment) {
        let part = |users: u32| u32::try_from(segment.count(u64::from(users))).unwrap_or(users);
        match self {
            Self::ConstantVus(executor) => executor.users = part(executor.users),
            Self::RampingVus(executor) => executor.take_part(segment),
            Self::SharedIterations(executor) => {
                executor.users = part(executor.users);
                executor.iterations = segment.count(executor.iterations);
            }
            Self::PerVuIterations(executor) => executor.users = part(executor.users),
        }
    }

    /// Iterations there are in all, where their number is given.
    #[must_use]
    pub fn iterations(&self) -> Option<u64> {
        match self {
            Self::ConstantVus(_) | Self::RampingVus(_) => None,
            Self::SharedIterations(executor) => Some(executor.iterations),
            Self::PerVuIterations(executor) => Some(executor.iterations.saturating_mul(u64::from(executor.users))),
        }
    }
}
