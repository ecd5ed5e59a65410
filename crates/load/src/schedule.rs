//! When iterations start, one file an executor. Where they arrive at a rate ([`Schedule`]), a pure function from the
//! number of a start to its time; where users go round ([`Looping`]), one from the time to what a user does next.
//!
//! Times are nanoseconds from the beginning of the scenario. Nothing here waits, counts users or knows of threads
//! beyond [`Share`], which deals the starts out.

pub mod constant_arrival_rate;
mod constant_vus;
mod looping;
mod per_vu_iterations;
pub mod ramping_arrival_rate;
mod ramping_vus;
mod segment;
mod shared_iterations;

pub use constant_arrival_rate::ConstantArrivalRate;
pub use constant_vus::ConstantVus;
pub use looping::{Looping, Next};
pub use per_vu_iterations::PerVuIterations;
pub use ramping_arrival_rate::{RampingArrivalRate, Stage};
pub use ramping_vus::RampingVus;
pub use segment::{BadSegment, Segment};
pub use shared_iterations::SharedIterations;

/// The longest scenario. It keeps the arithmetic of a ramp inside 128 bits.
pub const LONGEST_NS: u64 = 31 * 24 * 3600 * 1_000_000_000;
/// The highest rate a time unit, for the same reason.
pub const HIGHEST_RATE: u64 = 1_000_000;
/// The most starts a second: far above what one machine can send, low enough that dropping them all costs little.
pub const MOST_STARTS_PER_S: u64 = 1_000_000;

/// A schedule that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// No rate, or one out of range.
    #[error("the rate must be between 1 and {HIGHEST_RATE} a time unit, and at most {MOST_STARTS_PER_S} a second")]
    Rate,
    /// No time unit, or one out of range.
    #[error("the time unit must be more than 0s and at most 31 days")]
    TimeUnit,
    /// No duration, or one out of range.
    #[error("the duration must be at least 1s and at most 31 days")]
    Duration,
    /// More users than there can be.
    #[error("there can be at most {} users", crate::plan::MOST_USERS)]
    Users,
    /// No stage, or too many.
    #[error("there must be between 1 and {} stages", ramping_arrival_rate::MOST_STAGES)]
    Stages,
}

/// A schedule of starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// A constant rate.
    Constant(ConstantArrivalRate),
    /// A rate that changes from stage to stage.
    Ramping(RampingArrivalRate),
}

impl Schedule {
    /// When start `index` (from 0) is due; `None` when the schedule has no such start.
    #[must_use]
    pub fn start_ns(&self, index: u64) -> Option<u64> {
        match self {
            Self::Constant(schedule) => schedule.start_ns(index),
            Self::Ramping(schedule) => schedule.start_ns(index),
        }
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        match self {
            Self::Constant(schedule) => schedule.duration_ns(),
            Self::Ramping(schedule) => schedule.duration_ns(),
        }
    }

    /// Leaves the starts of other segments out.
    pub(crate) fn take_part(&mut self, segment: &Segment) {
        match self {
            Self::Constant(schedule) => schedule.take_part(segment),
            Self::Ramping(schedule) => schedule.take_part(segment),
        }
    }

    /// The rate at a moment, in starts a second.
    #[must_use]
    pub fn rate_per_s(&self, at_ns: u64) -> f64 {
        match self {
            Self::Constant(schedule) => schedule.rate_per_s(),
            Self::Ramping(schedule) => schedule.rate_per_s(at_ns),
        }
    }

    /// The highest rate that it reaches, in starts a second.
    #[must_use]
    pub fn peak_per_s(&self) -> f64 {
        match self {
            Self::Constant(schedule) => schedule.rate_per_s(),
            Self::Ramping(schedule) => schedule.peak_per_s(),
        }
    }
}

/// The starts of one thread of several: every `of`-th one, so that all threads together make exactly the schedule.
#[derive(Debug, Clone)]
pub struct Share<'a> {
    schedule: &'a Schedule,
    next: u64,
    of: u64,
}

impl<'a> Share<'a> {
    /// The share of thread `thread` (from 0) of `of`.
    #[must_use]
    pub fn new(schedule: &'a Schedule, thread: u64, of: u64) -> Self {
        Self { schedule, next: thread, of: of.max(1) }
    }
}

/// The number of a start, and when it is due.
impl Iterator for Share<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let number = self.next;
        let start_ns = self.schedule.start_ns(number)?;
        self.next += self.of;
        Some((number, start_ns))
    }
}

/// Whether a time unit is one that schedules can count in.
fn check_time_unit(time_unit_ns: u64) -> Result<(), Impossible> {
    if time_unit_ns == 0 || time_unit_ns > LONGEST_NS { Err(Impossible::TimeUnit) } else { Ok(()) }
}

/// Whether a rate is in range; 0 is left to the caller.
fn check_rate(rate: u64, time_unit_ns: u64) -> Result<(), Impossible> {
    let per_unit = u128::from(rate) * 1_000_000_000;
    let most = u128::from(MOST_STARTS_PER_S) * u128::from(time_unit_ns);
    if rate > HIGHEST_RATE || per_unit > most { Err(Impossible::Rate) } else { Ok(()) }
}

#[allow(clippy::cast_precision_loss, reason = "for display and sizing only")]
fn per_second(rate: f64, time_unit_ns: u64) -> f64 {
    rate * 1e9 / time_unit_ns as f64
}

#[cfg(test)]
mod tests;
