//! Figures of a trend that a summary shows: `avg`, `p(95)`.

use crate::metric::Distribution;
use crate::threshold::Aggregation;

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stat {
    /// What thresholds know too.
    Of(Aggregation),
    /// How many values there are.
    Count,
}

impl Stat {
    /// Those of k6 unless told otherwise.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        use Aggregation::{Avg, Max, Med, Min, Percentile};
        [Avg, Min, Med, Max, Percentile(90.0), Percentile(95.0)].map(Self::Of).to_vec()
    }

    /// Reads `avg`, `min`, `med`, `max`, `count` or `p(N)`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match (text.trim(), Aggregation::parse(text.trim())) {
            ("count", _) => Some(Self::Count),
            (_, Some(Aggregation::Rate | Aggregation::Value)) => None,
            (_, found) => found.map(Self::Of),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Of(aggregation) => aggregation.name(),
            Self::Count => "count".into(),
        }
    }

    /// Whether it is a number of values, whatever these are.
    #[must_use]
    pub fn is_count(self) -> bool {
        self == Self::Count
    }

    /// The figure; times in milliseconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn of(self, trend: &Distribution) -> f64 {
        match self {
            Self::Of(aggregation) => aggregation.of_trend(trend),
            Self::Count => trend.count() as f64,
        }
    }
}
