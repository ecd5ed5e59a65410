//! Where the samples of one metric add up.

use metrics::{Numbers, Trend};

use super::{Kind, Unit};

/// The samples of one metric so far.
#[derive(Debug, Clone)]
pub enum Sink {
    /// A sum.
    Counter {
        /// The sum.
        sum: f64,
        /// Whether there was any sample.
        used: bool,
    },
    /// The latest value, the least and the greatest; `None` before the first.
    Gauge(Option<Gauge>),
    /// Values that were not zero, of all.
    Rate {
        /// Not zero.
        hits: u64,
        /// All.
        total: u64,
    },
    /// A distribution.
    Trend(Distribution),
}

/// A value that changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauge {
    /// The latest.
    pub value: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// When the latest was seen.
    pub at_ns: u64,
}

/// Many values, of which percentiles are wanted.
#[derive(Debug, Clone)]
pub enum Distribution {
    /// Times that the injector measures.
    Times(Trend),
    /// Whatever a script adds.
    Numbers(Numbers),
}

impl Sink {
    /// An empty one; `is_builtin` times are nanoseconds of the clock.
    #[must_use]
    pub fn new(kind: Kind, unit: Unit, is_builtin: bool) -> Self {
        match kind {
            Kind::Counter => Self::Counter { sum: 0.0, used: false },
            Kind::Gauge => Self::Gauge(None),
            Kind::Rate => Self::Rate { hits: 0, total: 0 },
            Kind::Trend if is_builtin && unit == Unit::Time => Self::Trend(Distribution::Times(Trend::default())),
            Kind::Trend => Self::Trend(Distribution::Numbers(Numbers::default())),
        }
    }

    /// Adds a sample; times are in milliseconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "negative times count as none")]
    pub(crate) fn add(&mut self, value: f64, now_ns: u64) {
        match self {
            Self::Counter { sum, used } => {
                *sum += value;
                *used = true;
            }
            Self::Gauge(gauge) => {
                let (min, max) = gauge.map_or((value, value), |seen| (seen.min.min(value), seen.max.max(value)));
                *gauge = Some(Gauge { value, min, max, at_ns: now_ns });
            }
            Self::Rate { hits, total } => {
                *hits += u64::from(value != 0.0);
                *total += 1;
            }
            Self::Trend(Distribution::Times(trend)) => trend.record((value * 1e6).round() as u64),
            Self::Trend(Distribution::Numbers(numbers)) => numbers.record(value),
        }
    }

    /// Adds a time as the clock gives it.
    #[inline]
    #[allow(clippy::cast_precision_loss, reason = "durations stay far below 2^53 ns")]
    pub(crate) fn add_ns(&mut self, ns: u64) {
        match self {
            Self::Trend(Distribution::Times(trend)) => trend.record(ns),
            other => other.add(ns as f64 / 1e6, 0),
        }
    }

    /// Adds the samples of another of the same metric.
    pub(crate) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Counter { sum, used }, Self::Counter { sum: theirs, used: theirs_used }) => {
                *sum += theirs;
                *used |= theirs_used;
            }
            (Self::Gauge(gauge), Self::Gauge(Some(theirs))) => {
                *gauge = Some(gauge.map_or(*theirs, |mine| mine.with(*theirs)));
            }
            (Self::Rate { hits, total }, Self::Rate { hits: more_hits, total: more }) => {
                *hits += more_hits;
                *total += more;
            }
            (Self::Trend(mine), Self::Trend(theirs)) => mine.merge(theirs),
            _ => {}
        }
    }

    /// Forgets all samples, keeping the memory.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Counter { sum, used } => (*sum, *used) = (0.0, false),
            Self::Gauge(gauge) => *gauge = None,
            Self::Rate { hits, total } => (*hits, *total) = (0, 0),
            Self::Trend(Distribution::Times(trend)) => trend.clear(),
            Self::Trend(Distribution::Numbers(numbers)) => numbers.clear(),
        }
    }

    /// Whether there was no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Counter { used, .. } => !used,
            Self::Gauge(gauge) => gauge.is_none(),
            Self::Rate { total, .. } => *total == 0,
            Self::Trend(distribution) => distribution.count() == 0,
        }
    }
}

impl Gauge {
    fn with(self, other: Self) -> Self {
        let latest = if other.at_ns >= self.at_ns { other } else { self };
        Self { min: self.min.min(other.min), max: self.max.max(other.max), ..latest }
    }
}

/// Figures of times are in milliseconds.
#[allow(clippy::cast_precision_loss, reason = "durations stay far below 2^53 ns")]
impl Distribution {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Times(trend) => trend.count(),
            Self::Numbers(numbers) => numbers.count(),
        }
    }

    /// The sum.
    #[must_use]
    pub fn sum(&self) -> f64 {
        match self {
            Self::Times(trend) => trend.sum_ns() as f64 / 1e6,
            Self::Numbers(numbers) => numbers.sum(),
        }
    }

    /// The mean.
    #[must_use]
    pub fn avg(&self) -> f64 {
        match self {
            Self::Times(trend) => trend.mean_ns() / 1e6,
            Self::Numbers(numbers) => numbers.mean(),
        }
    }

    /// The least value.
    #[must_use]
    pub fn min(&self) -> f64 {
        match self {
            Self::Times(trend) => trend.min_ns() as f64 / 1e6,
            Self::Numbers(numbers) => numbers.min(),
        }
    }

    /// The greatest value.
    #[must_use]
    pub fn max(&self) -> f64 {
        match self {
            Self::Times(trend) => trend.max_ns() as f64 / 1e6,
            Self::Numbers(numbers) => numbers.max(),
        }
    }

    /// A percentile.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> f64 {
        match self {
            Self::Times(trend) => trend.percentile_ns(percent) / 1e6,
            Self::Numbers(numbers) => numbers.percentile(percent),
        }
    }

    /// Adds all values of another.
    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Times(mine), Self::Times(theirs)) => mine.merge(theirs),
            (Self::Numbers(mine), Self::Numbers(theirs)) => mine.merge(theirs),
            _ => {}
        }
    }
}
