//! The built-in metrics: one line each says what it is, what it holds and where the summary shows it.

/// How values of a metric are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sum.
    Counter,
    /// The latest value, with the least and the greatest.
    Gauge,
    /// The part of all values that are not zero.
    Rate,
    /// Durations with percentiles.
    Trend,
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

/// The block of the summary that a metric belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
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
pub const BUILTINS: [Builtin; 18] = [
    builtin("data_received", Kind::Counter, Unit::Data, Section::Network),
    builtin("data_sent", Kind::Counter, Unit::Data, Section::Network),
    builtin("dropped_iterations", Kind::Counter, Unit::Number, Section::Execution),
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

/// The sub-metrics that are kept: the requests that were answered as expected, and the others.
pub const EXPECTED: &str = "http_req_duration{expected_response:true}";
/// See [`EXPECTED`].
pub const UNEXPECTED: &str = "http_req_duration{expected_response:false}";

/// Finds a metric, or the parent of a sub-metric, by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Builtin> {
    let parent = if name == EXPECTED || name == UNEXPECTED { "http_req_duration" } else { name };
    BUILTINS.iter().find(|builtin| builtin.name == parent)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted_and_sub_metrics_are_found() {
        assert!(super::BUILTINS.is_sorted_by_key(|builtin| builtin.name));
        assert_eq!(super::find(super::EXPECTED), super::find("http_req_duration"));
        assert_eq!(super::find("http_req_duration{status:200}"), None);
    }
}
