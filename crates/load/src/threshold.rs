//! Thresholds: `aggregation operator number` on one metric or sub-metric, as k6 writes them. Which metrics there are is
//! known once a script's init code has run, so names are checked on their own.

use crate::metric::{BadName, Definitions, Distribution, Kind, SubMetric};
use crate::report::Value;

/// A threshold that cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// Not `aggregation operator number`.
    #[error("threshold `{0}`: want an aggregation, an operator and a number, such as `p(95)<1000` or `rate<0.01`")]
    Syntax(String),
    /// No `metric=` before the expression.
    #[error("threshold `{0}`: want METRIC=EXPRESSION, such as `http_req_duration=p(95)<1000`")]
    Assignment(String),
    /// A metric that is not measured.
    #[error("threshold on {0}")]
    Metric(#[from] BadName),
    /// An aggregation that the metric does not have.
    #[error("threshold `{expression}`: `{metric}` has {allowed}")]
    Aggregation {
        /// The metric.
        metric: String,
        /// The expression.
        expression: String,
        /// What it has.
        allowed: &'static str,
    },
}

/// A condition that a metric has to meet.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The metric or sub-metric.
    pub metric: String,
    /// The expression as written.
    pub source: String,
    /// What is taken of the metric.
    pub aggregation: Aggregation,
    operator: Operator,
    bound: f64,
    /// Whether the test ends as soon as it is crossed.
    pub abort_on_fail: bool,
    /// How long it may be crossed at the beginning.
    pub delay_abort_ns: u64,
}

/// What is taken of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    /// The sum of a counter.
    Count,
    /// A counter a second, or the part of a rate.
    Rate,
    /// A gauge's latest value.
    Value,
    /// A trend's mean.
    Avg,
    /// A trend's least value.
    Min,
    /// A trend's greatest value.
    Max,
    /// A trend's median.
    Med,
    /// A percentile of a trend.
    Percentile(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// Longer spellings first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, Operator); 7] = [
    ("===", Operator::Equal),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Threshold {
    /// Reads an expression on a metric.
    pub fn parse(metric: &str, expression: &str) -> Result<Self, ThresholdError> {
        let syntax = || ThresholdError::Syntax(expression.to_owned());
        let (at, (text, operator)) = find_operator(expression).ok_or_else(syntax)?;
        let aggregation = Aggregation::parse(expression[..at].trim()).ok_or_else(syntax)?;
        let bound: f64 = expression[at + text.len()..].trim().parse().map_err(|_| syntax())?;
        if !bound.is_finite() {
            return Err(syntax());
        }
        let (metric, source) = (SubMetric::tidy(metric), expression.to_owned());
        Ok(Self { metric, source, aggregation, operator, bound, abort_on_fail: false, delay_abort_ns: 0 })
    }

    /// Whether there is such a metric with such an aggregation; gives the sub-metric that it needs.
    pub fn check(&self, metrics: &Definitions) -> Result<Option<SubMetric>, ThresholdError> {
        let (_, sub) = SubMetric::of(&self.metric, metrics)?;
        let (name, _) = SubMetric::parse(&self.metric)?;
        let kind = metrics.find(name).map_or(Kind::Trend, |(_, definition)| definition.kind);
        if !self.aggregation.suits(kind) {
            let (metric, expression) = (self.metric.clone(), self.source.clone());
            return Err(ThresholdError::Aggregation { metric, expression, allowed: allowed_for(kind) });
        }
        Ok(sub)
    }

    /// Reads `METRIC=EXPRESSION`; the metric may carry `{tag:value}`.
    pub fn parse_assignment(text: &str) -> Result<Self, ThresholdError> {
        let from = text.find('}').unwrap_or(0);
        let at = text[from..].find('=').map(|at| from + at);
        match at.map(|at| (text[..at].trim(), text[at + 1..].trim())) {
            Some((metric, expression)) if !metric.is_empty() && !metric.contains(['<', '>', '!']) => {
                Self::parse(metric, expression)
            }
            _ => Err(ThresholdError::Assignment(text.to_owned())),
        }
    }

    /// What the metric has where the threshold looks, and whether that is good enough.
    #[must_use]
    pub fn judge(&self, value: &Value) -> (f64, bool) {
        let measured = self.aggregation.of(value);
        // A rate of nothing is neither good nor bad: k6 lets it pass.
        let is_void = matches!(value, Value::Rate { total: 0, .. });
        (measured, is_void || self.operator.holds(measured, self.bound))
    }
}

impl Aggregation {
    /// Its spelling, as in `p(95)`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Count => "count".into(),
            Self::Rate => "rate".into(),
            Self::Value => "value".into(),
            Self::Avg => "avg".into(),
            Self::Min => "min".into(),
            Self::Max => "max".into(),
            Self::Med => "med".into(),
            Self::Percentile(percent) => format!("p({percent})"),
        }
    }

    /// Reads `avg` or `p(95)`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "count" => Aggregation::Count,
            "rate" => Aggregation::Rate,
            "value" => Aggregation::Value,
            "avg" => Aggregation::Avg,
            "min" => Aggregation::Min,
            "max" => Aggregation::Max,
            "med" => Aggregation::Med,
            _ => {
                let percent: f64 = text.strip_prefix("p(")?.strip_suffix(')')?.trim().parse().ok()?;
                Aggregation::Percentile(Some(percent).filter(|percent| (0.0..=100.0).contains(percent))?)
            }
        })
    }

    /// Takes it of a value: times in milliseconds, rates from 0 to 1; 0 where the value has no such thing.
    #[must_use]
    pub fn of(self, value: &Value) -> f64 {
        match (value, self) {
            (Value::Counter { count, .. }, Self::Count) => *count,
            (Value::Counter { per_s, .. }, Self::Rate) => *per_s,
            (Value::Gauge { value, .. }, Self::Value) => *value,
            (Value::Rate { .. }, Self::Rate) => value.part(),
            (Value::Trend(trend), _) => self.of_trend(trend),
            _ => 0.0,
        }
    }

    /// Takes it of a distribution.
    pub(crate) fn of_trend(self, trend: &Distribution) -> f64 {
        match self {
            Self::Avg => trend.avg(),
            Self::Min => trend.min(),
            Self::Max => trend.max(),
            Self::Med => trend.percentile(50.0),
            Self::Percentile(percent) => trend.percentile(percent),
            Self::Count | Self::Rate | Self::Value => 0.0,
        }
    }

    fn suits(self, kind: Kind) -> bool {
        match kind {
            Kind::Counter => matches!(self, Self::Count | Self::Rate),
            Kind::Gauge => self == Self::Value,
            Kind::Rate => self == Self::Rate,
            Kind::Trend => !matches!(self, Self::Count | Self::Rate | Self::Value),
        }
    }
}

impl Operator {
    #[allow(clippy::float_cmp, reason = "the user asked whether they are equal")]
    fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Less => measured < bound,
            Self::LessOrEqual => measured <= bound,
            Self::Greater => measured > bound,
            Self::GreaterOrEqual => measured >= bound,
            Self::Equal => measured == bound,
            Self::NotEqual => measured != bound,
        }
    }
}

fn find_operator(expression: &str) -> Option<(usize, (&'static str, Operator))> {
    let at = expression.find(['<', '>', '=', '!'])?;
    OPERATORS.iter().find(|(text, _)| expression[at..].starts_with(text)).map(|found| (at, *found))
}

fn allowed_for(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "`count` and `rate`",
        Kind::Gauge => "`value`",
        Kind::Rate => "`rate`",
        Kind::Trend => "`avg`, `min`, `max`, `med` and `p(N)`",
    }
}

#[cfg(test)]
mod tests;
