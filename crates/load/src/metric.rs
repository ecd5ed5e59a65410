//! Metrics: the built-in ones, of which a line each says what it is, what it holds and where the summary shows it;
//! those that a script makes ([`Definitions`]); sub-metrics; and the [`Recorder`] of a thread, which takes the samples.

mod definitions;
mod groups;
pub mod id;
mod points;
mod recorder;
mod samples;
mod sink;
mod sub_metric;
mod tags;

pub use definitions::{Catalog, Definition, Definitions, MOST_METRICS, MetricError, MetricId};
pub use groups::{CheckCount, Groups};
pub use points::{Pairs, Point, PointSink};
pub use recorder::{IterationSample, Recorder, RequestSample, Who};
pub use samples::{Samples, Scope, Timings};
pub use sink::{Distribution, Sink};
pub use sub_metric::{BadName, MOST_SUB_METRICS, SubMetric, Tags};
pub use tags::{METADATA, SystemTag, SystemTags, TagsId};

/// How values of a metric are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sum.
    Counter,
    /// The latest value, with the least and the greatest.
    Gauge,
    /// The part of all values that are not zero.
    Rate,
    /// A distribution with percentiles.
    Trend,
}

impl Kind {
    /// As k6 writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Trend => "trend",
        }
    }
}

/// What the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers.
    Number,
    /// Durations.
    Time,
    /// Bytes.
    Data,
}

impl Unit {
    /// As k6 writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "default",
            Self::Time => "time",
            Self::Data => "data",
        }
    }
}

/// The block of the summary that a metric belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Checks, which stand above all blocks.
    Checks,
    /// A script's own.
    Custom,
    /// Requests.
    Http,
    /// Iterations and virtual users.
    Execution,
    /// Bytes.
    Network,
}

/// A built-in metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its name, k6's but for `start_delay` and `scheduled_duration`.
    pub name: &'static str,
    /// How it adds up.
    pub kind: Kind,
    /// What it holds.
    pub unit: Unit,
    /// Where it is shown.
    pub section: Section,
    /// Whether the compact summary shows it.
    pub compact: bool,
    /// Whether it is measured for each scenario, or only for the test as a whole.
    pub per_scenario: bool,
}

const fn builtin(name: &'static str, kind: Kind, unit: Unit, section: Section) -> Builtin {
    Builtin { name, kind, unit, section, compact: true, per_scenario: true }
}

const fn detail(name: &'static str, section: Section) -> Builtin {
    Builtin { compact: false, ..builtin(name, Kind::Trend, Unit::Time, section) }
}

const fn of_test(name: &'static str) -> Builtin {
    Builtin { per_scenario: false, ..builtin(name, Kind::Gauge, Unit::Number, Section::Execution) }
}

/// All of them, by name.
pub const BUILTINS: [Builtin; 20] = [
    builtin("checks", Kind::Rate, Unit::Number, Section::Checks),
    builtin("data_received", Kind::Counter, Unit::Data, Section::Network),
    builtin("data_sent", Kind::Counter, Unit::Data, Section::Network),
    builtin("dropped_iterations", Kind::Counter, Unit::Number, Section::Execution),
    // k6 never shows it on the terminal; exports have it.
    Builtin { compact: false, ..builtin("group_duration", Kind::Trend, Unit::Time, Section::Checks) },
    detail("http_req_blocked", Section::Http),
    detail("http_req_connecting", Section::Http),
    builtin("http_req_duration", Kind::Trend, Unit::Time, Section::Http),
    builtin("http_req_failed", Kind::Rate, Unit::Number, Section::Http),
    detail("http_req_receiving", Section::Http),
    detail("http_req_sending", Section::Http),
    detail("http_req_tls_handshaking", Section::Http),
    detail("http_req_waiting", Section::Http),
    builtin("http_reqs", Kind::Counter, Unit::Number, Section::Http),
    builtin("iteration_duration", Kind::Trend, Unit::Time, Section::Execution),
    builtin("iterations", Kind::Counter, Unit::Number, Section::Execution),
    detail("scheduled_duration", Section::Execution),
    detail("start_delay", Section::Execution),
    of_test("vus"),
    of_test("vus_max"),
];

/// The sub-metric that is always kept.
pub const EXPECTED: &str = "http_req_duration{expected_response:true}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_ids_are_places_in_it() {
        assert!(BUILTINS.is_sorted_by_key(|builtin| builtin.name));
        for (id, name) in id::NAMES {
            assert_eq!(BUILTINS[id.index()].name, name);
        }
        assert_eq!(id::NAMES.len(), BUILTINS.len());
    }
}
