//! The summary against pages as k6 1.8.1 printed them.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test values are small")]

use load::metric::{Definition, Definitions, Distribution};
use metrics::Trend;

use super::*;

fn metric(name: &str, value: Value, verdicts: Vec<Verdict>) -> Metric {
    let parent = name.split('{').next().unwrap_or(name);
    let (_, definition) = Definitions::default().find(parent).expect("a built-in metric");
    let Definition { unit, section, compact, .. } = definition;
    Metric { name: name.into(), unit, section, compact, value, verdicts }
}

fn verdict(source: &str, aggregation: &str, measured: f64, holds: bool) -> Verdict {
    Verdict { source: source.into(), aggregation: aggregation.into(), measured, holds }
}

fn trend(values_ms: &[f64]) -> Value {
    let mut trend = Trend::default();
    for ms in values_ms {
        trend.record((ms * 1e6).round() as u64);
    }
    Value::Trend(Distribution::Times(trend))
}

fn counter(count: u32, per_s: f64) -> Value {
    Value::Counter { count: f64::from(count), per_s }
}

fn gauge(value: u32, min: u32, max: u32) -> Value {
    Value::Gauge { value: f64::from(value), min: f64::from(min), max: f64::from(max) }
}

fn compact() -> Style {
    Style::new(Mode::Compact, false)
}

fn report(metrics: Vec<Metric>) -> Report {
    let outcome = load::Outcome::Passed;
    Report {
        steps: Vec::new(),
        outcome,
        elapsed_ns: 4_001_000_000,
        setup_ns: 0,
        metrics,
        scopes: Vec::new(),
        checks: Vec::new(),
        groups: Vec::new(),
        failures: Vec::new(),
        interrupted: 0,
        users_max: 12,
        setup_data: None,
        is_aborted: false,
    }
}

/// Eight of twelve users came through, each after 2.5 s.
fn slow() -> Report {
    report(vec![
        metric("data_received", counter(320, 80.0), vec![]),
        metric("data_sent", counter(1110, 277.0), vec![]),
        metric("dropped_iterations", counter(16, 3.998_537), vec![]),
        metric("http_req_duration", trend(&[2500.4; 8]), vec![]),
        metric("http_req_duration{expected_response:true}", trend(&[2500.4; 8]), vec![]),
        metric("http_req_failed", Value::Rate { hits: 0, total: 8 }, vec![]),
        metric("http_reqs", counter(8, 1.999_269), vec![]),
        metric("iteration_duration", trend(&[2501.4; 8]), vec![]),
        metric("iterations", counter(8, 1.999_269), vec![]),
        metric("start_delay", trend(&[0.1; 8]), vec![]),
        metric("vus", gauge(7, 6, 12), vec![]),
        metric("vus_max", gauge(12, 6, 12), vec![]),
    ])
}

#[test]
fn a_page_as_k6_prints_it() {
    let expected = "  █ TOTAL RESULTS \n
    HTTP
    http_req_duration..............: avg=2.5s min=2.5s med=2.5s max=2.5s p(90)=2.5s p(95)=2.5s
      { expected_response:true }...: avg=2.5s min=2.5s med=2.5s max=2.5s p(90)=2.5s p(95)=2.5s
    http_req_failed................: 0.00%  0 out of 8
    http_reqs......................: 8      1.999269/s

    EXECUTION
    dropped_iterations.............: 16     3.998537/s
    iteration_duration.............: avg=2.5s min=2.5s med=2.5s max=2.5s p(90)=2.5s p(95)=2.5s
    iterations.....................: 8      1.999269/s
    vus............................: 7      min=6      max=12
    vus_max........................: 12     min=6      max=12

    NETWORK
    data_received..................: 320 B  80 B/s
    data_sent......................: 1.1 kB 277 B/s
";
    assert_eq!(render(&slow(), &compact()), expected);
    assert_eq!(render(&slow(), &Style::new(Mode::Disabled, false)), "");
    assert!(render(&slow(), &Style::new(Mode::Full, false)).contains("\n    start_delay..."));
}

#[test]
fn thresholds_come_first_and_sub_metrics_nest_below_their_parent() {
    let durations = trend(&[0.34]);
    let of_all = vec![verdict("p(95)<1000", "p(95)", 0.424_28, true), verdict("avg<0.001", "avg", 0.341_549, false)];
    let page = report(vec![
        metric("data_sent", counter(1600, 777.0), vec![verdict("rate<1000", "rate", 777.4, true)]),
        metric("http_req_duration", durations.clone(), of_all),
        metric("http_req_duration{expected_response:true}", durations, vec![verdict("max<500", "max", 2.99, true)]),
        metric("http_req_failed", Value::Rate { hits: 0, total: 250 }, vec![verdict("rate<0.01", "rate", 0.0, true)]),
        metric("iterations", counter(250, 49.987_052), vec![verdict("rate>1", "rate", 49.987_052, true)]),
    ]);
    let expected = "  █ THRESHOLDS \n
    data_sent
    ✓ 'rate<1000' rate=777 B/s

    http_req_duration
    ✓ 'p(95)<1000' p(95)=424.28µs
    ✗ 'avg<0.001' avg=341.54µs

      {expected_response:true}
      ✓ 'max<500' max=2.99ms

    http_req_failed
    ✓ 'rate<0.01' rate=0.00%

    iterations
    ✓ 'rate>1' rate=49.987052/s


  █ TOTAL RESULTS \n
";
    assert!(render(&page, &compact()).starts_with(expected), "{}", render(&page, &compact()));
}

#[test]
fn a_sub_metric_alone_has_its_whole_name() {
    let verdicts = vec![verdict("max<500", "max", 1.36, true)];
    let page = report(vec![metric("http_req_duration{expected_response:true}", trend(&[1.36]), verdicts)]);
    let text = render(&page, &compact());
    assert!(text.contains("\n    http_req_duration{expected_response:true}\n    ✓ 'max<500' max=1.36ms\n"), "{text}");
}

#[test]
fn the_last_of_several_texts_keeps_its_room() {
    let page = report(vec![
        metric("data_sent", counter(74, 7.398_450_885_719_125), vec![]),
        metric("vus", gauge(0, 0, 1), vec![]),
        metric("vus_max", gauge(12, 12, 12), vec![]),
    ]);
    let text = render(&page, &compact());
    assert!(text.contains("    vus.........: 0    min=0                 max=1 \n"), "{text}");
    assert!(text.contains("    data_sent...: 74 B 7.398450885719125 B/s\n"), "{text}");
}

#[test]
fn colours_are_k6s() {
    let text = render(&slow(), &Style::new(Mode::Compact, true));
    for line in [
        "  █ \u{1b}[1mTOTAL RESULTS\u{1b}[0m \n",
        "    \u{1b}[1mHTTP\u{1b}[0m\n",
        "    http_reqs\u{1b}[2;37m......................:\u{1b}[0m ",
        " \u{1b}[36m8\u{1b}[0m      \u{1b}[2;36m1.999269/s\u{1b}[0m\n",
    ] {
        assert!(text.contains(line), "{line:?}");
    }
}

fn check(scenario: &str, group: &str, name: &str, passes: u64, fails: u64) -> CheckCount {
    CheckCount { scenario: scenario.into(), group: group.into(), name: name.into(), passes, fails }
}

/// As k6 1.8.1 printed it, but for the rates.
#[test]
fn checks_stand_above_the_blocks_and_scopes_follow_in_full() {
    let mut page = report(vec![metric("iterations", counter(12, 6.3), vec![])]);
    page.elapsed_ns = 2_000_000_000;
    page.checks = vec![
        check("b", "", "top", 4, 3),
        check("a", "::G1", "is 200", 6, 0),
        check("a", "::G1::inner", "deep", 6, 0),
        check("b", "", "other", 1, 0),
        check("c", "", "top", 0, 1),
    ];
    page.groups = vec!["::G1::inner".into(), "::G1".into()];
    let scope = |scenario: &str, group: &str| load::ScopeReport {
        scenario: scenario.into(),
        group: group.into(),
        metrics: vec![metric("iterations", counter(6, 3.15), vec![])],
    };
    page.scopes = vec![scope("a", ""), scope("a", "::G1"), scope("a", "::G1::inner"), scope("b", "")];
    let expected = "  █ TOTAL RESULTS \n
    checks_total.......: 21     10.5/s
    checks_succeeded...: 80.95% 17 out of 21
    checks_failed......: 19.04% 4 out of 21

    ✗ top
      ↳  50% — ✓ 4 / ✗ 4
    ✓ other
    ✓ is 200
    ✓ deep

    EXECUTION
    iterations...: 12 6.3/s
";
    assert_eq!(render(&page, &compact()), expected);
    let full = render(&page, &Style::new(Mode::Full, false));
    let expected = "

  █ SCENARIO: a \n
    checks_total.......: 12      6/s
    checks_succeeded...: 100.00% 12 out of 12
    checks_failed......: 0.00%   0 out of 12

    ✓ is 200
    ✓ deep

    EXECUTION
    iterations...: 6 3.15/s

    ↳ GROUP: G1 \n
      checks_total.......: 6       3/s
      checks_succeeded...: 100.00% 6 out of 6
      checks_failed......: 0.00%   0 out of 6

      ✓ is 200

      EXECUTION
      iterations...: 6 3.15/s

      ↳ GROUP: inner \n
        checks_total.......: 6       3/s
";
    assert!(full.contains(expected), "{full}");
    let failed = "    ✗ top\n      ↳  57% — ✓ 4 / ✗ 3\n";
    assert!(full.split("SCENARIO: b").nth(1).is_some_and(|rest| rest.contains(failed)), "{full}");
}

#[test]
fn figures_and_units_of_trends_are_chosen() {
    let page = report(vec![metric("http_req_duration", trend(&[100.0, 200.0]), vec![])]);
    let stats = ["avg", "p(99.9)", "count"].iter().filter_map(|text| Stat::parse(text)).collect();
    let style = Style { stats, time_unit: Some(TimeUnit::S), ..compact() };
    let text = render(&page, &style);
    assert!(text.contains("http_req_duration...: avg=0.15s p(99.9)=0.19s count=2\n"), "{text}");
}
