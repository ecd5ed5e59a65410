//! `ramping-arrival-rate`: the rate moves in straight lines from stage to stage, and the n-th start (from 1) is due
//! when the area under that curve reaches n.
//!
//! All of it is integers: with a rate going from a to b within d nanoseconds and a time unit of u nanoseconds, the
//! area at t is (2 d a t + (b - a) t^2) / (2 d u). Areas below are therefore kept times 2 u, where they are whole at
//! the end of each stage, and nothing is lost however many starts there are.

use super::{Impossible, LONGEST_NS, Segment, check_rate, check_time_unit, per_second};

/// More stages than a person writes; a bound for what a generated command line can ask for.
pub const MOST_STAGES: usize = 1000;

/// A stage as the user gives it: the rate to reach, and the time that takes. A stage of 0 is a jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Starts a time unit at the end of the stage.
    pub target: u64,
    /// How long the stage lasts.
    pub duration_ns: u64,
}

/// A rate of starts that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampingArrivalRate {
    time_unit_ns: u64,
    /// Stages that take time, in order.
    lines: Vec<Line>,
    duration_ns: u64,
    start_rate: u64,
    end_rate: u64,
    segment: Segment,
}

/// One straight piece of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    begin_ns: u64,
    duration_ns: u64,
    from: u64,
    to: u64,
    /// 2 u times the area under the curve before this piece, and with it.
    area_before: u128,
    area_after: u128,
}

impl RampingArrivalRate {
    /// A curve from `start_rate` through the targets of `stages`.
    pub fn new(start_rate: u64, time_unit_ns: u64, stages: &[Stage]) -> Result<Self, Impossible> {
        check_time_unit(time_unit_ns)?;
        check_rate(start_rate, time_unit_ns)?;
        if stages.is_empty() || stages.len() > MOST_STAGES {
            return Err(Impossible::Stages);
        }
        let (lines, end_rate, segment) = (Vec::new(), start_rate, Segment::default());
        let mut made = Self { time_unit_ns, lines, duration_ns: 0, start_rate, end_rate, segment };
        for stage in stages {
            check_rate(stage.target, time_unit_ns)?;
            made.add(*stage)?;
        }
        if made.duration_ns < 1_000_000_000 {
            return Err(Impossible::Duration);
        }
        if made.lines.iter().all(|line| line.from == 0 && line.to == 0) {
            return Err(Impossible::Rate);
        }
        Ok(made)
    }

    /// When start `index` (from 0) is due.
    #[must_use]
    pub fn start_ns(&self, index: u64) -> Option<u64> {
        let wanted = (u128::from(self.segment.nth(index)) + 1) * 2 * u128::from(self.time_unit_ns);
        let at = self.lines.partition_point(|line| line.area_after < wanted);
        let line = self.lines.get(at)?;
        Some(line.begin_ns + line.reaches(wanted - line.area_before))
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.duration_ns
    }

    /// How many stages take time.
    #[must_use]
    pub fn stages(&self) -> usize {
        self.lines.len()
    }

    /// The rate at a moment, in starts a second.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "for display only")]
    pub fn rate_per_s(&self, at_ns: u64) -> f64 {
        let at = self.lines.partition_point(|line| line.begin_ns + line.duration_ns <= at_ns);
        let rate = self.lines.get(at).map_or(self.end_rate as f64, |line| {
            let part = (at_ns.saturating_sub(line.begin_ns)) as f64 / line.duration_ns as f64;
            line.from as f64 + (line.to as f64 - line.from as f64) * part
        });
        per_second(rate, self.time_unit_ns) * self.segment.part()
    }

    /// The highest rate, in starts a second.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "rates are below 2^20")]
    pub fn peak_per_s(&self) -> f64 {
        let peak = self.lines.iter().map(|line| line.from.max(line.to)).max().unwrap_or(self.start_rate);
        per_second(peak as f64, self.time_unit_ns) * self.segment.part()
    }

    /// Leaves the starts of other segments out.
    pub(super) fn take_part(&mut self, segment: &Segment) {
        self.segment = segment.clone();
    }

    fn add(&mut self, stage: Stage) -> Result<(), Impossible> {
        let begin_ns = self.duration_ns;
        self.duration_ns = begin_ns.checked_add(stage.duration_ns).ok_or(Impossible::Duration)?;
        if self.duration_ns > LONGEST_NS {
            return Err(Impossible::Duration);
        }
        if stage.duration_ns > 0 {
            let area_before = self.lines.last().map_or(0, |line| line.area_after);
            let own = u128::from(self.end_rate + stage.target) * u128::from(stage.duration_ns);
            self.lines.push(Line {
                begin_ns,
                duration_ns: stage.duration_ns,
                from: self.end_rate,
                to: stage.target,
                area_before,
                area_after: area_before + own,
            });
        }
        self.end_rate = stage.target;
        Ok(())
    }
}

impl Line {
    /// The last nanosecond of this piece at which its area, times 2 u, is at most `wanted`.
    fn reaches(&self, wanted: u128) -> u64 {
        if self.from == self.to {
            let ns = wanted / (2 * u128::from(self.from.max(1)));
            return u64::try_from(ns).map_or(self.duration_ns, |ns| ns.min(self.duration_ns));
        }
        let bound = i128::try_from(wanted).expect("LONGEST_NS and HIGHEST_RATE keep areas below 2^74")
            * i128::from(self.duration_ns);
        let guess = self.guess(wanted);
        // The guess is a few nanoseconds off at the most, so the steps around it stay few; they double all the same.
        let (mut low, mut high) = (guess, guess + 1);
        let mut step = 1;
        while low > 0 && self.area_times_duration(low) > bound {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 1;
        while high <= self.duration_ns && self.area_times_duration(high) <= bound {
            high += step;
            step *= 2;
        }
        high = high.min(self.duration_ns + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.area_times_duration(middle) <= bound { low = middle } else { high = middle }
        }
        low
    }

    /// 2 d a t + (b - a) t^2: below 2^125 with the limits of this module.
    fn area_times_duration(&self, t: u64) -> i128 {
        let (from, to) = (i128::from(self.from), i128::from(self.to));
        let (t, d) = (i128::from(t), i128::from(self.duration_ns));
        (2 * d * from + (to - from) * t) * t
    }

    /// Where floating point puts it: the root of (b - a) t^2 + 2 d a t - d w = 0, in the form that cancels least.
    #[allow(clippy::cast_precision_loss, reason = "a guess, made exact by the caller")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the stage")]
    fn guess(&self, wanted: u128) -> u64 {
        let (a, b) = (self.from as f64, self.to as f64);
        let (d, w) = (self.duration_ns as f64, wanted as f64);
        let inner = (a * a + (b - a) * w / d).max(0.0);
        let t = w / (a + inner.sqrt());
        if t.is_finite() { t.clamp(0.0, d) as u64 } else { 0 }
    }
}
