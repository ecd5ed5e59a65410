//! Tests of what is sent to upstreams.

use super::*;
use crate::map::{Maps, Scratch};
use crate::testing::{Table, proxy_pass, proxy_settings, settings};

fn rule(host: &str, uri: Option<&str>, location: &str, set_headers: &[(&str, &str)]) -> ProxyRule {
    let pass = ProxyPass { settings: proxy_settings(set_headers).into(), ..proxy_pass(host, uri) };
    ProxyRule::compile(&pass, location, &settings(), &Names::default())
}

#[test]
fn targets_are_passed_on_or_have_their_prefix_replaced() {
    let table = [
        (None, "/app/", "/app/%61?x=%20", "/app/a", "x=%20", "/app/%61?x=%20"),
        (None, "/", "/a?", "/a", "", "/a?"),
        (Some("/"), "/app/", "/app/x", "/app/x", "", "/x"),
        (Some("/api/"), "/app/", "/app/x/y", "/app/x/y", "q=1", "/api/x/y?q=1"),
        (Some("/api"), "/app/", "/app/x", "/app/x", "", "/apix"),
        (Some("/"), "/app", "/app/x", "/app/x", "", "//x"),
        (Some("/health/ready"), "/lb-health", "/lb-health", "/lb-health", "", "/health/ready"),
        (Some("/b/"), "/a/", "/a/%20%25%3f%c3%a9", "/a/ %?é", "", "/b/%20%25%3F%C3%A9"),
        (Some("/b/"), "/a/", "/a/%7bx%7d", "/a/{x}", "", "/b/%7Bx%7D"),
        (Some("/b/"), "/a/", "/a/{x}?%20", "/a/{x}", "%20", "/b/{x}?%20"),
    ];
    for (uri, location, raw, path, args, expected) in table {
        let mut out = Vec::new();
        let (raw, path, args) = (raw.as_bytes(), path.as_bytes(), args.as_bytes());
        let target = Target { raw, is_changed: false, path, args, is_of_location: true, is_internal: false };
        rule("app", uri, location, &[]).target(&target, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{uri:?} {}", String::from_utf8_lossy(raw));
    }
}

#[test]
fn of_a_path_that_was_changed_nothing_is_replaced_but_by_the_location() {
    let changed = Target {
        raw: b"/client",
        is_changed: true,
        path: b"/z/a b",
        args: b"x",
        is_of_location: false,
        is_internal: true,
    };
    for (uri, is_of_location, expected) in [
        (None, false, "/z/a%20b?x"),
        (None, true, "/z/a%20b?x"),
        (Some("/base/"), false, "/z/a%20b?x"),
        (Some("/base/"), true, "/base/a%20b?x"),
    ] {
        let mut out = Vec::new();
        rule("app", uri, "/z/", &[]).target(&Target { is_of_location, ..changed }, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{uri:?} {is_of_location}");
    }
}

#[test]
fn fields_that_are_set_or_of_the_connection_are_not_passed_on() {
    let rule = rule("app", None, "/", &[("X-Real-IP", "$remote_addr"), ("Upgrade", "$http_upgrade")]);
    let replaced = [
        "host",
        "HOST",
        "Connection",
        "x-real-ip",
        "X-REAL-IP",
        "TE",
        "Keep-Alive",
        "Expect",
        "upgrade",
        "Content-Length",
        "transfer-encoding",
    ];
    for name in replaced {
        assert!(rule.replaces(name.as_bytes()), "{name}");
    }
    for name in ["Accept", "Cookie", "X-Forwarded-For", "X-Real-IQ", "", "Content-Type", "Authorization"] {
        assert!(!rule.replaces(name.as_bytes()), "{name}");
    }
    assert!(!rule.replaces(&[b'x'; 100]));
}

#[test]
fn host_is_set_unless_it_is_set_otherwise() {
    let values = |rule: &ProxyRule| -> Vec<String> {
        let render = |header: &SetHeader| {
            let mut out = header.name().to_vec();
            out.extend_from_slice(b": ");
            let facts = Table(&[("proxy_host", "app"), ("host", "a.example")]);
            header.value.render(&facts, &Maps::default(), &mut Scratch::default(), &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        rule.set_headers.iter().map(render).collect()
    };
    assert_eq!(values(&rule("app", None, "/", &[])), ["Host: app"]);
    assert_eq!(values(&rule("app", None, "/", &[("X", "1")])), ["Host: app", "X: 1"]);
    assert_eq!(values(&rule("app", None, "/", &[("Connection", ""), ("HOST", "$host")])), ["HOST: a.example"]);
    assert_eq!(values(&rule("app", None, "/", &[("Content-Length", "5"), ("Host", "")])), [""; 0]);
}

#[test]
fn the_authority_has_a_host_and_a_port() {
    let table = [
        ("liberty_app", "liberty_app", "80"),
        ("10.0.0.1:9080", "10.0.0.1:9080", "9080"),
        ("10.0.0.1:80", "10.0.0.1", "80"),
        ("[::1]", "[::1]", "80"),
        ("[::1]:8080", "[::1]:8080", "8080"),
    ];
    for (written, host, port) in table {
        let rule = rule(written, None, "/", &[]);
        assert_eq!((rule.proxy_host.as_str(), rule.proxy_port.as_str()), (host, port), "{written}");
    }
}
