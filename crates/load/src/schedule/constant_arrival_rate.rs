//! `constant-arrival-rate`: so many starts a time unit, evenly spaced, the first at 0.

use super::{Impossible, LONGEST_NS, Segment, check_rate, check_time_unit, per_second};

/// A constant rate of starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstantArrivalRate {
    /// Starts a time unit; at least 1.
    rate: u64,
    time_unit_ns: u64,
    duration_ns: u64,
    segment: Segment,
}

impl ConstantArrivalRate {
    /// `rate` starts a time unit for a duration of at least a second.
    pub fn new(rate: u64, time_unit_ns: u64, duration_ns: u64) -> Result<Self, Impossible> {
        check_time_unit(time_unit_ns)?;
        check_rate(rate, time_unit_ns)?;
        if rate == 0 {
            return Err(Impossible::Rate);
        }
        if !(1_000_000_000..=LONGEST_NS).contains(&duration_ns) {
            return Err(Impossible::Duration);
        }
        Ok(Self { rate, time_unit_ns, duration_ns, segment: Segment::default() })
    }

    /// When start `index` (from 0) is due: a multiple of the exact period, so that nothing drifts.
    #[must_use]
    pub fn start_ns(&self, index: u64) -> Option<u64> {
        let exact = u128::from(self.segment.nth(index)) * u128::from(self.time_unit_ns) / u128::from(self.rate);
        u64::try_from(exact).ok().filter(|ns| *ns < self.duration_ns)
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.duration_ns
    }

    /// The rate in starts a second.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "rates are below 2^20")]
    pub fn rate_per_s(&self) -> f64 {
        per_second(self.rate as f64, self.time_unit_ns) * self.segment.part()
    }

    /// Leaves the starts of other segments out.
    pub(super) fn take_part(&mut self, segment: &Segment) {
        self.segment = segment.clone();
    }
}
