//! The end of a load test as data: every metric with its value and the verdicts on it. Whoever prints it knows more of
//! paper than of load.

use metrics::Trend;

use crate::failure::FailureCount;
use crate::live::Totals;
use crate::metric::{self, BUILTINS, Builtin, Kind, Section, Unit};
use crate::samples::Samples;
use crate::threshold::Threshold;

/// How a load test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// To its end, all thresholds met.
    Passed,
    /// To its end, a threshold crossed.
    Crossed,
    /// By [`crate::StopHandle::stop`].
    Interrupted,
}

/// A finished load test.
#[derive(Debug, Clone)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, from the first start's time to the last user's end.
    pub elapsed_ns: u64,
    /// Every metric that has samples or thresholds, by name.
    pub metrics: Vec<Metric>,
    /// What went wrong with requests, by k6's error code.
    pub failures: Vec<FailureCount>,
    /// Users that were at work when the test was cut off.
    pub interrupted: u64,
    /// Users made, or promised beforehand.
    pub users_max: u64,
}

/// One metric at the end.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Its name; a sub-metric's has its tags in braces.
    pub name: String,
    /// What its numbers are.
    pub unit: Unit,
    /// Where the summary shows it.
    pub section: Section,
    /// Whether the compact summary shows it.
    pub compact: bool,
    /// Whether the blocks of single scenarios have it too.
    pub per_scenario: bool,
    /// Its value.
    pub value: Value,
    /// Verdicts in the order in which the thresholds were given.
    pub verdicts: Vec<Verdict>,
}

/// The value of a metric.
#[derive(Debug, Clone)]
pub enum Value {
    /// A sum, also a second.
    Counter {
        /// The sum.
        count: u64,
        /// The sum divided by the test's seconds.
        per_s: f64,
    },
    /// The latest value.
    Gauge {
        /// The latest.
        value: u64,
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// So many of so many.
    Rate {
        /// Values that were not zero.
        hits: u64,
        /// All values.
        total: u64,
    },
    /// Durations.
    Trend(Trend),
}

/// A threshold and what came of it.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The expression as written.
    pub source: String,
    /// The aggregation's spelling.
    pub aggregation: String,
    /// What was measured: trends in milliseconds, rates from 0 to 1.
    pub measured: f64,
    /// Whether it is met.
    pub holds: bool,
}

impl Report {
    /// A metric by its name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// A counter by its name; 0 if it has no samples.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        match self.metric(name).map(|metric| &metric.value) {
            Some(Value::Counter { count, .. }) => *count,
            Some(Value::Rate { hits, .. }) => *hits,
            _ => 0,
        }
    }

    /// A trend by its name, if it has samples.
    #[must_use]
    pub fn trend(&self, name: &str) -> Option<&Trend> {
        match self.metric(name).map(|metric| &metric.value) {
            Some(Value::Trend(trend)) => Some(trend),
            _ => None,
        }
    }

    /// Names of the metrics of which a threshold is crossed.
    #[must_use]
    pub fn crossed(&self) -> Vec<&str> {
        self.metrics.iter().filter(|metric| metric.is_crossed()).map(|metric| metric.name.as_str()).collect()
    }
}

impl Metric {
    /// Whether one of its thresholds is crossed.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.verdicts.iter().any(|verdict| !verdict.holds)
    }
}

impl Value {
    /// The part of a rate that are hits, 0 when there are no values at all.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "k6 computes in floating point too")]
    pub fn part(&self) -> f64 {
        match self {
            Self::Rate { hits, total } if *total > 0 => *hits as f64 / *total as f64,
            _ => 0.0,
        }
    }

    /// Whether anything was measured.
    fn has_samples(&self) -> bool {
        match self {
            Self::Counter { count, .. } => *count > 0,
            Self::Gauge { .. } => true,
            Self::Rate { total, .. } => *total > 0,
            Self::Trend(trend) => trend.count() > 0,
        }
    }
}

/// All metrics at a moment, with verdicts.
pub(crate) fn metrics(totals: &Totals, samples: &Samples, elapsed_ns: u64, thresholds: &[Threshold]) -> Vec<Metric> {
    let names = BUILTINS.iter().flat_map(|builtin| {
        let subs = [metric::UNEXPECTED, metric::EXPECTED].into_iter().filter(|_| builtin.name == "http_req_duration");
        std::iter::once((builtin, builtin.name)).chain(subs.map(move |sub| (builtin, sub)))
    });
    names.filter_map(|(builtin, name)| one(builtin, name, totals, samples, elapsed_ns, thresholds)).collect()
}

fn one(
    builtin: &Builtin,
    name: &str,
    totals: &Totals,
    samples: &Samples,
    elapsed_ns: u64,
    thresholds: &[Threshold],
) -> Option<Metric> {
    let value = value(builtin, name, totals, samples, elapsed_ns);
    let of_this = thresholds.iter().filter(|threshold| threshold.metric == name);
    let verdicts: Vec<Verdict> = of_this.map(|threshold| verdict(threshold, value.as_ref(), builtin.kind)).collect();
    let always = builtin.section == Section::Network;
    let shown = value.as_ref().is_some_and(|value| always || value.has_samples());
    // The requests that were not answered as expected are a sub-metric only where a threshold asks for them.
    if verdicts.is_empty() && (!shown || name == metric::UNEXPECTED) {
        return None;
    }
    Some(Metric {
        name: name.to_owned(),
        unit: builtin.unit,
        section: builtin.section,
        compact: builtin.compact,
        per_scenario: builtin.per_scenario,
        value: value.unwrap_or_else(|| nothing(builtin.kind)),
        verdicts,
    })
}

fn verdict(threshold: &Threshold, value: Option<&Value>, kind: Kind) -> Verdict {
    let (measured, holds) = value.map_or_else(|| threshold.judge(&nothing(kind)), |value| threshold.judge(value));
    Verdict { source: threshold.source.clone(), aggregation: threshold.aggregation.name(), measured, holds }
}

fn nothing(kind: Kind) -> Value {
    match kind {
        Kind::Counter => Value::Counter { count: 0, per_s: 0.0 },
        Kind::Gauge => Value::Gauge { value: 0, min: 0, max: 0 },
        Kind::Rate => Value::Rate { hits: 0, total: 0 },
        Kind::Trend => Value::Trend(Trend::default()),
    }
}

fn value(builtin: &Builtin, name: &str, totals: &Totals, samples: &Samples, elapsed_ns: u64) -> Option<Value> {
    match builtin.kind {
        Kind::Counter => Some(counter(totals.counter(name), elapsed_ns)),
        Kind::Gauge => totals.gauge(name),
        Kind::Rate => Some(Value::Rate { hits: totals.failed, total: totals.requests }),
        Kind::Trend => Some(Value::Trend(samples.trend(name))),
    }
}

#[allow(clippy::cast_precision_loss, reason = "k6 computes in floating point too")]
fn counter(count: u64, elapsed_ns: u64) -> Value {
    let seconds = elapsed_ns as f64 / 1e9;
    Value::Counter { count, per_s: if seconds > 0.0 { count as f64 / seconds } else { 0.0 } }
}
