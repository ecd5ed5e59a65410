//! A report as the JSON that k6 writes for `--summary-export`; the names of its keys are k6's.

use serde_json::{Map, Value as Json, json};

use crate::metric::Unit;
use crate::report::{Metric, Report, Value, Verdict};

/// The document. A threshold's `true` means that it was crossed.
#[must_use]
pub fn summary(report: &Report) -> Json {
    let metrics: Map<String, Json> = report.metrics.iter().map(|metric| (metric.name.clone(), one(metric))).collect();
    json!({
        "metrics": metrics,
        // The root group: its id is the MD5 digest of its empty path.
        "root_group": { "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e", "groups": {}, "checks": {} },
    })
}

fn one(metric: &Metric) -> Json {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Json| fields.insert(name.to_owned(), value);
    match &metric.value {
        Value::Counter { count, per_s } => {
            put("count", json!(count));
            put("rate", json!(per_s));
        }
        Value::Gauge { value, min, max } => {
            put("value", json!(value));
            put("min", json!(min));
            put("max", json!(max));
        }
        value @ Value::Rate { hits, total } => {
            put("passes", json!(hits));
            put("fails", json!(total - hits));
            put("value", json!(value.part()));
        }
        Value::Trend(trend) => {
            debug_assert_eq!(metric.unit, Unit::Time, "built-in trends are times");
            put("avg", ms(trend.mean_ns()));
            put("min", ms(whole(trend.min_ns())));
            put("med", ms(trend.percentile_ns(50.0)));
            put("max", ms(whole(trend.max_ns())));
            put("p(90)", ms(trend.percentile_ns(90.0)));
            put("p(95)", ms(trend.percentile_ns(95.0)));
        }
    }
    if !metric.verdicts.is_empty() {
        put("thresholds", thresholds(&metric.verdicts));
    }
    Json::Object(fields)
}

fn thresholds(verdicts: &[Verdict]) -> Json {
    verdicts.iter().map(|verdict| (verdict.source.clone(), json!(!verdict.holds))).collect::<Map<_, _>>().into()
}

fn ms(ns: f64) -> Json {
    json!(ns / 1e6)
}

#[allow(clippy::cast_precision_loss, reason = "durations stay far below 2^53 ns")]
fn whole(ns: u64) -> f64 {
    ns as f64
}
