//! Tests of what checks ask, and of what passes.

use conf::span::Place;
use conf::tree::{BodyTest, HeaderTest as Header, HeaderValue, HealthCheck, Match as Block, Pattern, StatusTest};

use super::*;
use crate::testing::{config, proxy_settings, template};

fn check(set_headers: &[(&str, &str)]) -> HealthCheck {
    HealthCheck {
        upstream: 0,
        host: "app".to_owned(),
        tls: None,
        settings: proxy_settings(set_headers).into(),
        error_logs: Vec::new().into(),
        interval_ms: 5_000,
        jitter_ms: 0,
        fails: 1,
        passes: 1,
        uri: "/health/ready".to_owned(),
        port: None,
        is_mandatory: false,
        keepalive_ms: 60_000,
        timeout_ms: 5_000,
        matching: None,
        place: Place::default(),
    }
}

/// The rule of a check, by a `match` if there is one.
fn rule(check: HealthCheck, block: Option<Block>) -> CheckRule {
    let mut http = config(Vec::new(), Vec::new()).http;
    let check = HealthCheck { matching: block.is_some().then_some(0), ..check };
    http.matches.extend(block);
    CheckRule::compile(&check, &http, &Names::of(&http))
}

fn request(set_headers: &[(&str, &str)], keepalive_ms: u64) -> String {
    let mut out = Vec::new();
    rule(HealthCheck { keepalive_ms, ..check(set_headers) }, None).request(&Maps::default(), &mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[test]
fn a_request_has_the_fields_of_the_location_as_far_as_they_are_known() {
    let line = "GET /health/ready HTTP/1.1\r\n";
    assert_eq!(request(&[], 1), format!("{line}Host: app\r\n\r\n"));
    assert_eq!(request(&[("Host", "$host")], 1), format!("{line}Host: app\r\n\r\n"));
    assert_eq!(request(&[("Host", "a.test")], 0), format!("{line}Host: a.test\r\nConnection: close\r\n\r\n"));
    let fields = [
        ("X-Real-IP", "$remote_addr"),
        ("X-Port", "$proxy_port"),
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("X-Two", "a\nb"),
        ("Content-Length", "5"),
    ];
    assert_eq!(request(&fields, 1), format!("{line}Host: app\r\nX-Port: 80\r\n\r\n"));
}

const FIELDS: &[(&[u8], &[u8])] = &[(b"Content-Type", b"text/html"), (b"X-State", b"ok")];

fn wrong(block: Option<Block>, status: u16) -> Option<String> {
    let answer = Answer { status, fields: FIELDS, body: b"Welcome to bedloe" };
    rule(check(&[]), block).judge(&answer, &Maps::default()).err()
}

#[test]
fn by_default_the_status_decides() {
    for (status, passes) in [(199, false), (200, true), (302, true), (399, true), (400, false), (503, false)] {
        assert_eq!(wrong(None, status).is_none(), passes, "{status}");
    }
    assert_eq!(wrong(None, 503).as_deref(), Some("status 503"));
    assert_eq!(wrong(Some(Block::default()), 503), None, "a match without tests takes anything");
}

#[test]
fn statuses_are_ranges() {
    let of = |is_not, ranges: &[(u16, u16)]| Block {
        statuses: vec![StatusTest { is_not, ranges: ranges.to_vec() }],
        ..Block::default()
    };
    for (is_not, ranges, status, passes) in [
        (false, &[(200, 200)][..], 200, true),
        (false, &[(200, 200)], 204, false),
        (false, &[(301, 303), (307, 307)], 307, true),
        (true, &[(400, 599)], 503, false),
        (true, &[(400, 599)], 302, true),
    ] {
        assert_eq!(wrong(Some(of(is_not, ranges)), status).is_none(), passes, "{is_not} {ranges:?} {status}");
    }
}

fn pattern(source: &str) -> Pattern {
    Pattern { source: source.to_owned(), ignore_case: false, has_names: false }
}

#[test]
fn fields_are_there_or_not_or_of_a_value() {
    let text = |text: &str| HeaderValue::Text(text.to_owned());
    let like = |source: &str| HeaderValue::Pattern(pattern(source));
    for (name, is_not, value, expected) in [
        ("content-type", false, HeaderValue::Any, None),
        ("X-Gone", false, HeaderValue::Any, Some("the header X-Gone is missing")),
        ("X-Gone", true, HeaderValue::Any, None),
        ("X-State", true, HeaderValue::Any, Some("the header X-State is there")),
        ("Content-Type", false, text("text/html"), None),
        ("Content-Type", false, text("text"), Some("the header Content-Type is \"text/html\"")),
        ("Content-Type", true, text("text"), None),
        ("Content-Type", false, like("^text/"), None),
        ("Content-Type", true, like("^text/"), Some("the header Content-Type is \"text/html\"")),
        ("X-Gone", true, like("a"), None),
        ("X-Gone", false, text(""), Some("the header X-Gone is missing")),
    ] {
        let block =
            Block { headers: vec![Header { name: name.to_owned(), is_not, value: value.clone() }], ..Block::default() };
        assert_eq!(wrong(Some(block), 200).as_deref(), expected, "{name} {is_not} {value:?}");
    }
}

#[test]
fn bodies_match_and_variables_are_required() {
    for (is_not, source, passes) in [(false, "Welcome", true), (false, "^to", false), (true, "Error", true)] {
        let bodies = vec![BodyTest { is_not, pattern: pattern(source) }];
        assert_eq!(wrong(Some(Block { bodies, ..Block::default() }), 200).is_none(), passes, "{source}");
    }
    for (text, passes) in [
        ("$upstream_http_x_state", true),
        ("$upstream_http_x_gone", false),
        ("$upstream_status", true),
        ("0", false),
        ("$remote_addr", false),
    ] {
        let requires = vec![template("1"), template(text)];
        assert_eq!(wrong(Some(Block { requires, ..Block::default() }), 200).is_none(), passes, "{text}");
    }
}
