//! Which metrics there are: the built-in ones, then those that the script's init code makes, under ids that are the
//! same in all threads; and what of them a test looks at.

use std::sync::{Arc, Mutex, PoisonError};

use super::points::PointSink;
use super::sub_metric::SubMetric;
use super::tags::SystemTags;
use super::{BUILTINS, Kind, Section, Unit};

/// Metrics of one test: a script that makes more makes them in a loop by mistake.
pub const MOST_METRICS: usize = 10_000;
/// The longest name of a metric, as in k6.
const LONGEST_NAME: usize = 128;

/// A metric's number, the same in all threads of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricId(u32);

impl MetricId {
    pub(crate) const fn builtin(at: u32) -> Self {
        Self(at)
    }

    /// Its place among all metrics.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: Arc<str>,
    /// How it adds up.
    pub kind: Kind,
    /// What its numbers are.
    pub unit: Unit,
    /// Where the summary shows it.
    pub section: Section,
    /// Whether the compact summary shows it.
    pub compact: bool,
}

/// A metric that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum MetricError {
    #[error(
        "Invalid metric name: '{0}'. Must begin with a letter or `_`, with 2 to {LONGEST_NAME} of [a-zA-Z0-9_] in all"
    )]
    Name(String),
    #[error("metric '{name}' already exists but with type {kind}, instead of {wanted}")]
    Kind { name: String, kind: &'static str, wanted: &'static str },
    #[error("metric '{name}' already exists but with a value type {unit}, instead of {wanted}")]
    Unit { name: String, unit: &'static str, wanted: &'static str },
    #[error("a test has at most {MOST_METRICS} metrics: is `{0}` made in a loop?")]
    TooMany(String),
}

/// All metrics of a test. Locked in init code only; threads keep what they have looked up.
#[derive(Debug)]
pub struct Definitions(Mutex<Vec<Definition>>);

impl Default for Definitions {
    fn default() -> Self {
        let all = BUILTINS.iter().map(|builtin| Definition {
            name: builtin.name.into(),
            kind: builtin.kind,
            unit: builtin.unit,
            section: builtin.section,
            compact: builtin.compact,
        });
        Self(Mutex::new(all.collect()))
    }
}

impl Definitions {
    /// Finds or makes a metric; the same name must be of the same kind.
    pub fn declare(&self, name: &str, kind: Kind, is_time: bool) -> Result<MetricId, MetricError> {
        if !is_name(name) {
            return Err(MetricError::Name(name.to_owned()));
        }
        let unit = if is_time { Unit::Time } else { Unit::Number };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.iter().position(|each| &*each.name == name) {
            return same(&all[at], kind, unit).map(|()| number(at));
        }
        if all.len() >= MOST_METRICS {
            return Err(MetricError::TooMany(name.to_owned()));
        }
        all.push(Definition { name: name.into(), kind, unit, section: Section::Custom, compact: true });
        Ok(number(all.len() - 1))
    }

    /// All metrics as of now, each at the place of its id.
    #[must_use]
    pub fn all(&self) -> Vec<Definition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A metric by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(MetricId, Definition)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|each| &*each.name == name)?;
        Some((number(at), all[at].clone()))
    }
}

/// What a test measures: its metrics, and which of their tags matter.
#[derive(Debug, Default)]
pub struct Catalog {
    /// All metrics.
    pub definitions: Arc<Definitions>,
    /// The parts of metrics that are counted on their own.
    pub subs: Vec<SubMetric>,
    /// Tags of every sample, by name.
    pub tags: Vec<(String, String)>,
    /// Tags that requests get.
    pub system_tags: SystemTags,
    /// Whether every tag is kept, because samples are written somewhere.
    pub keeps_all_tags: bool,
    /// Where samples go one by one.
    pub points: Option<PointSink>,
    /// Whether each group and scenario is counted on its own, for the full summary.
    pub keeps_scopes: bool,
}

fn number(at: usize) -> MetricId {
    MetricId(u32::try_from(at).expect("MOST_METRICS bounds it"))
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    first && rest && (2..=LONGEST_NAME).contains(&name.len())
}

fn same(found: &Definition, kind: Kind, unit: Unit) -> Result<(), MetricError> {
    let name = found.name.to_string();
    if found.kind != kind {
        return Err(MetricError::Kind { name, kind: found.kind.name(), wanted: kind.name() });
    }
    if found.unit != unit {
        return Err(MetricError::Unit { name, unit: found.unit.name(), wanted: unit.name() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_name_is_one_metric() {
        let metrics = Definitions::default();
        let id = metrics.declare("my_trend", Kind::Trend, true).unwrap();
        assert_eq!(metrics.declare("my_trend", Kind::Trend, true), Ok(id));
        assert_eq!(metrics.find("my_trend").unwrap().0, id);
        assert!(matches!(metrics.declare("my_trend", Kind::Rate, true), Err(MetricError::Kind { .. })));
        assert!(matches!(metrics.declare("my_trend", Kind::Trend, false), Err(MetricError::Unit { .. })));
        assert!(matches!(metrics.declare("http_reqs", Kind::Trend, false), Err(MetricError::Kind { .. })));
    }

    #[test]
    fn names_are_k6s() {
        let metrics = Definitions::default();
        for name in ["", "a", "1a", "a b", "ä_metric", "a-b", &"x".repeat(129)] {
            assert!(matches!(metrics.declare(name, Kind::Counter, false), Err(MetricError::Name(_))), "{name}");
        }
        for name in ["ab", "_a", "A1_"] {
            assert!(metrics.declare(name, Kind::Counter, false).is_ok(), "{name}");
        }
    }
}
