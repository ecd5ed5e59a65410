//! Thresholds: what parses, what does not, and what they say.
#![allow(clippy::unwrap_used, reason = "tests")]

use metrics::Trend;

use super::*;
use crate::metric::Distribution;

#[test]
fn expressions_are_judged() {
    let mut trend = Trend::default();
    for ms in [10, 20, 30, 40] {
        trend.record(ms * 1_000_000);
    }
    let trend = Value::Trend(Distribution::Times(trend));
    let counter = Value::Counter { count: 20.0, per_s: 2.5 };
    let rate = Value::Rate { hits: 1, total: 4 };
    let gauge = Value::Gauge { value: 3.0, min: 0.0, max: 9.0 };
    for (metric, expression, value, measured, holds) in [
        ("http_req_duration", "p(95)<1000", &trend, 38.5, true),
        ("http_req_duration", " p(90) <= 36.9 ", &trend, 37.0, false),
        ("http_req_duration", "med==25", &trend, 25.0, true),
        ("http_req_duration", "avg===25", &trend, 25.0, true),
        ("http_req_duration", "min>=10", &trend, 10.0, true),
        ("http_req_duration{expected_response:true}", "max!=40", &trend, 40.0, false),
        ("http_reqs", "count>20", &counter, 20.0, false),
        ("iterations", "rate>2", &counter, 2.5, true),
        ("http_req_failed", "rate<0.01", &rate, 0.25, false),
        ("vus", "value>1e0", &gauge, 3.0, true),
    ] {
        let threshold = Threshold::parse(metric, expression).unwrap();
        let (got, verdict) = threshold.judge(value);
        assert!((got - measured).abs() < 1e-9, "{expression}: {got}");
        assert_eq!(verdict, holds, "{expression}");
    }
}

#[test]
fn without_samples_a_rate_passes_and_the_rest_is_zero() {
    let judged = |metric, expression, value: Value| Threshold::parse(metric, expression).unwrap().judge(&value).1;
    assert!(judged("http_req_failed", "rate>0.5", Value::Rate { hits: 0, total: 0 }));
    assert!(!judged("http_reqs", "count>0", Value::Counter { count: 0.0, per_s: 0.0 }));
    assert!(!judged("http_req_duration", "avg>0", Value::Trend(Distribution::Times(Trend::default()))));
}

#[test]
fn what_cannot_be_judged_is_refused() {
    for expression in ["", "p(95)", "<5", "p(95)<", "p(101)<1", "p95<1", "avg=5", "avg<ten", "avg<inf", "avg<5 ms"] {
        let error = Threshold::parse("http_req_duration", expression).unwrap_err();
        assert_eq!(error, ThresholdError::Syntax(expression.into()), "{expression}");
    }
    let check = |metric, expression| Threshold::parse(metric, expression).unwrap().check(&Definitions::default());
    for (metric, expression) in [
        ("http_reqs", "avg<1"),
        ("vus", "rate<1"),
        ("http_req_failed", "count<1"),
        ("start_delay", "rate<1"),
        ("http_reqs{status:200}", "avg<1"),
    ] {
        let error = check(metric, expression).unwrap_err();
        assert!(matches!(error, ThresholdError::Aggregation { .. }), "{metric}");
    }
    assert!(matches!(check("nothing", "avg<1"), Err(ThresholdError::Metric(BadName::Unknown(_)))));
    assert!(matches!(check("http_req_duration{", "avg<1"), Err(ThresholdError::Metric(BadName::Syntax(_)))));
    assert_eq!(check("http_req_duration{status:200}", "avg<1").unwrap().unwrap().tags.len(), 1);
    assert_eq!(check("http_req_duration", "avg<1"), Ok(None));
}

#[test]
fn assignments_split_at_the_first_equals_sign_after_the_tags() {
    let threshold = Threshold::parse_assignment("http_req_duration{expected_response:true}=p(95)<=1000").unwrap();
    assert_eq!(threshold.metric, "http_req_duration{expected_response:true}");
    assert_eq!(threshold.source, "p(95)<=1000");
    assert_eq!(Threshold::parse_assignment("http_reqs=count==5").unwrap().source, "count==5");
    for text in ["p(95)<1000", "=p(95)<1", "p(95)<=1000"] {
        assert!(matches!(Threshold::parse_assignment(text), Err(ThresholdError::Assignment(_))), "{text}");
    }
}
