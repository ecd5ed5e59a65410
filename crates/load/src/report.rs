//! The end of a load test as data: every metric with its value and the verdicts on it. Whoever prints it knows more of
//! paper than of load.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::failure::FailureCount;
use crate::metric::{BUILTINS, Catalog, CheckCount, Definition, Distribution, Kind, MetricId, Samples, Section, Sink};
use crate::metric::{Unit, id};
use crate::series::Step;
use crate::threshold::Threshold;

/// How a load test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// To its end, all thresholds met.
    Passed,
    /// To its end, a threshold crossed; or cut off by one that asks for it.
    Crossed,
    /// By [`crate::StopHandle::stop`].
    Interrupted,
    /// By an exception in a script's `setup` or `teardown`.
    ScriptFailed,
    /// By a script's `test.abort`.
    Aborted,
    /// To its end, but a script has called `test.fail`.
    Failed,
    /// Before it began, for `setup` took too long.
    SetupTimedOut,
    /// To its end, but for `teardown`, which took too long.
    TeardownTimedOut,
}

/// A finished load test.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether a threshold has ended it early.
    pub is_aborted: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, from the first start's time to the last user's end.
    pub elapsed_ns: u64,
    /// How much of that was a script's setup: steps begin behind it.
    pub setup_ns: u64,
    /// What it did step by step; a step is a second, of a long test several.
    pub steps: Vec<Step>,
    /// Every metric that has samples or thresholds, by name.
    pub metrics: Vec<Metric>,
    /// What the full summary shows beside the whole: scenarios, and groups of them.
    pub scopes: Vec<ScopeReport>,
    /// Checks in the order in which they were first made.
    pub checks: Vec<CheckCount>,
    /// Paths of groups in the order in which they were first left.
    pub groups: Vec<Box<str>>,
    /// What went wrong with requests, by k6's error code.
    pub failures: Vec<FailureCount>,
    /// Users that were at work when the test was cut off.
    pub interrupted: u64,
    /// Users made, or promised beforehand.
    pub users_max: u64,
    /// What a script's `setup` has returned, as JSON.
    pub setup_data: Option<Arc<str>>,
}

/// A scenario, or a group in one.
#[derive(Debug, Clone)]
pub struct ScopeReport {
    /// The scenario; empty in setup and teardown.
    pub scenario: String,
    /// The group's path; empty for the whole scenario.
    pub group: String,
    /// Its metrics.
    pub metrics: Vec<Metric>,
}

/// Takes all metrics as they stand, each second of a test and at its end; it must not wait.
#[derive(Clone)]
pub struct MetricsSink(pub Arc<dyn Fn(Vec<Metric>) + Send + Sync>);

impl fmt::Debug for MetricsSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsSink").finish_non_exhaustive()
    }
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
        count: f64,
        /// The sum divided by the test's seconds.
        per_s: f64,
    },
    /// The latest value.
    Gauge {
        /// The latest.
        value: f64,
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// So many of so many.
    Rate {
        /// Values that were not zero.
        hits: u64,
        /// All values.
        total: u64,
    },
    /// A distribution; times in milliseconds.
    Trend(Distribution),
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
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole and below 2^53")]
    pub fn count(&self, name: &str) -> u64 {
        match self.metric(name).map(|metric| &metric.value) {
            Some(Value::Counter { count, .. }) => *count as u64,
            Some(Value::Rate { hits, .. }) => *hits,
            _ => 0,
        }
    }

    /// A trend by its name, if it has samples.
    #[must_use]
    pub fn trend(&self, name: &str) -> Option<&Distribution> {
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
    /// What a sink holds, `elapsed_ns` after the test's beginning.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "k6 computes in floating point too")]
    pub fn of(sink: &Sink, elapsed_ns: u64) -> Self {
        match sink {
            Sink::Counter { sum, .. } => {
                let seconds = elapsed_ns as f64 / 1e9;
                Self::Counter { count: *sum, per_s: if seconds > 0.0 { sum / seconds } else { 0.0 } }
            }
            Sink::Gauge(gauge) => {
                let (value, min, max) = gauge.map_or((0.0, 0.0, 0.0), |gauge| (gauge.value, gauge.min, gauge.max));
                Self::Gauge { value, min, max }
            }
            Sink::Rate { hits, total } => Self::Rate { hits: *hits, total: *total },
            Sink::Trend(distribution) => Self::Trend(distribution.clone()),
        }
    }

    /// The part of a rate that are hits, 0 when there are no values at all.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "k6 computes in floating point too")]
    pub fn part(&self) -> f64 {
        match self {
            Self::Rate { hits, total } if *total > 0 => *hits as f64 / *total as f64,
            _ => 0.0,
        }
    }

    /// What kind of metric it is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Counter { .. } => Kind::Counter,
            Self::Gauge { .. } => Kind::Gauge,
            Self::Rate { .. } => Kind::Rate,
            Self::Trend(_) => Kind::Trend,
        }
    }
}

/// All that was measured at a moment, in the terms of a report.
pub(crate) struct Measured<'a> {
    pub(crate) samples: &'a Samples,
    pub(crate) catalog: &'a Catalog,
    pub(crate) thresholds: &'a [Threshold],
    pub(crate) elapsed_ns: u64,
}

impl Measured<'_> {
    /// All metrics by name, each followed by its sub-metrics, with verdicts.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let definitions = self.catalog.definitions.all();
        let mut metrics = Vec::new();
        for (at, definition) in by_name(&definitions) {
            let sink = self.samples.metric(id_of(at));
            metrics.extend(self.one(&definition.name, at, definition, sink));
            let mut subs: Vec<usize> = (0..self.catalog.subs.len()).collect();
            subs.retain(|sub| self.catalog.subs[*sub].parent.index() == at);
            subs.sort_by_cached_key(|sub| in_order(&self.catalog.subs[*sub].name));
            for sub in subs {
                metrics.extend(self.one(&self.catalog.subs[sub].name, at, definition, self.samples.sub(sub)));
            }
        }
        metrics
    }

    /// The parts of the test that the full summary shows.
    pub(crate) fn scopes(&self) -> Vec<ScopeReport> {
        let definitions = self.catalog.definitions.all();
        let report = |sinks: &BTreeMap<MetricId, Sink>| {
            let mut metrics = Vec::new();
            for (at, definition) in by_name(&definitions) {
                let sink = sinks.get(&id_of(at)).filter(|sink| !sink.is_empty());
                metrics.extend(sink.map(|sink| self.plain(&definition.name, definition, sink)));
            }
            metrics
        };
        let scopes = self.samples.scopes().iter();
        let scope = |(scope, sinks): (&crate::metric::Scope, &BTreeMap<MetricId, Sink>)| ScopeReport {
            scenario: scope.scenario.to_string(),
            group: scope.group.to_string(),
            metrics: report(sinks),
        };
        scopes.map(scope).collect()
    }

    fn one(&self, name: &str, at: usize, definition: &Definition, sink: Option<&Sink>) -> Option<Metric> {
        let empty = Sink::new(definition.kind, definition.unit, at < BUILTINS.len());
        let sink = sink.unwrap_or(&empty);
        let mut metric = self.plain(name, definition, sink);
        let of_this = self.thresholds.iter().filter(|threshold| threshold.metric == name);
        metric.verdicts = of_this.map(|threshold| verdict(threshold, &metric.value)).collect();
        let always = [id::DATA_SENT, id::DATA_RECEIVED].map(MetricId::index).contains(&at);
        (always || !sink.is_empty() || !metric.verdicts.is_empty()).then_some(metric)
    }

    fn plain(&self, name: &str, definition: &Definition, sink: &Sink) -> Metric {
        Metric {
            name: name.to_owned(),
            unit: definition.unit,
            section: definition.section,
            compact: definition.compact,
            value: Value::of(sink, self.elapsed_ns),
            verdicts: Vec::new(),
        }
    }
}

fn by_name(definitions: &[Definition]) -> Vec<(usize, &Definition)> {
    let mut all: Vec<(usize, &Definition)> = definitions.iter().enumerate().collect();
    all.sort_by_cached_key(|(_, definition)| in_order(&definition.name));
    all
}

/// Names stand in the order of their letters, whatever their case.
fn in_order(name: &str) -> (String, String) {
    (name.to_lowercase(), name.to_owned())
}

fn id_of(at: usize) -> MetricId {
    MetricId::builtin(u32::try_from(at).expect("MOST_METRICS bounds it"))
}

fn verdict(threshold: &Threshold, value: &Value) -> Verdict {
    let (measured, holds) = threshold.judge(value);
    Verdict { source: threshold.source.clone(), aggregation: threshold.aggregation.name(), measured, holds }
}
