//! The page and the JSON say the same, what comes from outside is escaped, and what is remembered is bounded.

use proxy::{LastCheck, ServerStatus, UpstreamStatus};
use serde_json::Value;

use super::*;

fn status(seconds: u64) -> Status {
    let server = |address: &str, requests| ServerStatus {
        name: "<b>&".into(),
        address: address.into(),
        state: "up",
        why: "<script>alert(1)</script>".into(),
        last_check: Some(LastCheck {
            at_ms: 500,
            took_ms: 1.25,
            uri: "/health?<b>".into(),
            passed: false,
            status: Some(503),
            wrong: "status 503: \"<script>\" is DOWN".into(),
        }),
        requests,
        ..ServerStatus::default()
    };
    let servers = vec![server("10.0.0.1:80", seconds * 30), server("10.0.0.2:80", seconds * 10)];
    Status {
        uptime_ms: seconds * 1_000,
        requests: seconds * 40,
        connections: 7,
        upstreams: vec![UpstreamStatus { name: "app".into(), servers, ..UpstreamStatus::default() }],
        ..Status::default()
    }
}

fn look(dashboard: &Dashboard, status: Status, now_ms: u64) {
    dashboard.look(status, now_ms, now_ms);
}

/// What stands in the page for each place of the JSON.
fn shown(page: &str) -> Vec<(String, String)> {
    let spans = page.split("<span data-figure=\"").skip(1);
    let read = |span: &str| {
        let (pointer, rest) = span.split_once("\">").expect("a place");
        (format!("/{pointer}"), rest.split_once("</span>").expect("an end").0.to_owned())
    };
    spans.map(read).collect()
}

#[test]
fn the_page_says_what_the_json_says() {
    let dashboard = Dashboard::new(None);
    for seconds in 1..30 {
        look(&dashboard, status(seconds), seconds * 1_000);
    }
    let json = serde_json::to_value(dashboard.figures()).expect("JSON");
    assert_eq!(json["now"]["requests_per_s"], 40.0);
    assert_eq!(json["upstreams"][0]["servers"][0]["share_percent"], 75.0);
    let mut count = 0;
    for view in View::ALL {
        for (pointer, text) in shown(&dashboard.page(view, 30_000)) {
            let said = match json.pointer(&pointer).unwrap_or_else(|| panic!("{pointer} is not in the JSON")) {
                Value::Null => "-".to_owned(),
                value => value.as_f64().expect("a number").to_string(),
            };
            assert_eq!(text, said, "{pointer}");
            count += 1;
        }
    }
    assert!(count > 30, "{count} numbers");
}

#[test]
fn a_clock_that_is_set_changes_no_rate_and_no_chart() {
    let (steady, set) = (Dashboard::new(None), Dashboard::new(None));
    for seconds in 1..20 {
        look(&steady, status(seconds), seconds * 1_000);
        let unix_ms = if seconds < 15 { 9_000_000 } else { 2_000_000 } + seconds * 1_000;
        set.look(status(seconds), seconds * 1_000, unix_ms);
    }
    assert_eq!(steady.charts(View::Overview, 20_000), set.charts(View::Overview, 20_000));
    let json = serde_json::to_value(set.figures()).expect("JSON");
    assert_eq!((json["now"]["requests_per_s"].as_f64(), json["at_ms"].as_u64()), (Some(40.0), Some(2_019_000)));
}

#[test]
fn an_address_that_is_there_twice_has_its_own_numbers_twice() {
    let dashboard = Dashboard::new(None);
    let twice = |seconds| {
        let mut status = status(seconds);
        status.upstreams[0].servers.iter_mut().for_each(|server| server.address = "10.0.0.1:80".into());
        status
    };
    (1..5).for_each(|seconds| look(&dashboard, twice(seconds), seconds * 1_000));
    let json = serde_json::to_value(dashboard.figures()).expect("JSON");
    let shares = ["/upstreams/0/servers/0", "/upstreams/0/servers/1"].map(|at| json.pointer(at).expect("a server"));
    assert_eq!(shares.map(|server| server["share_percent"].as_f64()), [Some(75.0), Some(25.0)]);
}

#[test]
fn however_many_look_an_event_is_made_once_a_second() {
    let dashboard = Dashboard::new(None);
    look(&dashboard, status(1), 1_000);
    let first = dashboard.live_for_all(View::Overview, 1_000);
    look(&dashboard, status(2), 1_500);
    assert_eq!(first.as_ptr(), dashboard.live_for_all(View::Overview, 1_999).as_ptr());
    assert_ne!(first, dashboard.live_for_all(View::Upstreams, 1_999));
    assert_ne!(first, dashboard.live_for_all(View::Overview, 2_000));
}

#[test]
fn what_comes_from_outside_is_escaped() {
    let dashboard = Dashboard::new(None);
    look(&dashboard, status(1), 1_000);
    let (at_ms, evil) = (1, "<img src=x onerror=alert(1)>".to_owned());
    let (upstream, server, why) = (evil.clone(), evil.clone(), evil);
    dashboard.happened(Event { at_ms, event: "down", upstream, server, why, count: 1 });
    for view in View::ALL {
        let page = dashboard.page(view, 2_000);
        assert!(!page.contains("<script>") && !page.contains("<img") && !page.contains("<b>"), "{page}");
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let dashboard = Dashboard::new(None);
    for seconds in 1..2_000 {
        look(&dashboard, status(seconds), seconds * 1_000);
        let (upstream, server, why) = (String::new(), String::new(), String::new());
        dashboard.happened(Event { at_ms: seconds, event: "reload", upstream, server, why, count: 1 });
    }
    let figures = dashboard.figures();
    assert_eq!((figures.events.len(), figures.events[0].at_ms), (200, 1_999));
    assert!(dashboard.page(View::Overview, 2_000_000).len() < 400_000);
}

#[test]
fn however_long_requests_are_repeated_other_events_stay() {
    let dashboard = Dashboard::new(None);
    let event = |event, at_ms, count| {
        let (upstream, server, why) = ("app".to_owned(), "app:80".to_owned(), String::new());
        dashboard.happened(Event { at_ms, event, upstream, server, why, count });
    };
    event("down", 1, 1);
    (1..500).for_each(|count| event("retries", 2, count));
    event("retries", 3, 7);
    let events = dashboard.figures().events;
    let seen: Vec<_> = events.iter().map(|event| (event.event, event.at_ms, event.count)).collect();
    assert_eq!(seen, [("retries", 3, 7), ("retries", 2, 499), ("down", 1, 1)]);
}

#[test]
fn an_event_alone_says_when_to_ask_for_the_next() {
    let (kind, live) = Dashboard::new(None).answer(b"file=live&view=events", 1);
    assert!(kind == LIVE_TYPE && live.starts_with("retry: ") && live.ends_with("\n\n"), "{live}");
}
