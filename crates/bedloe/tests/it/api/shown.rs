//! Every object and field of version 9 for what bedloe serves, with its type; errors as they are documented; counts
//! that are set back.

use serde_json::Value as Json;

use super::{Api, BY_SOCKET, ask};
use crate::support::balancer::{Balancer, wait_until};
use crate::support::scripted::Scripted;

/// Fields with their types.
type Fields = &'static [(&'static str, &'static str)];

const NUMBER: &str = "number";
const TEXT: &str = "string";
const SWITCH: &str = "boolean";
const LIST: &str = "array";
const OBJECT: &str = "object";

const TLS: &[(&str, &str)] = &[
    ("handshakes", NUMBER),
    ("handshakes_failed", NUMBER),
    ("session_reuses", NUMBER),
    ("no_common_protocol", NUMBER),
    ("no_common_cipher", NUMBER),
    ("handshake_timeout", NUMBER),
    ("peer_rejected_cert", NUMBER),
    ("verify_failures.no_cert", NUMBER),
    ("verify_failures.expired_cert", NUMBER),
    ("verify_failures.revoked_cert", NUMBER),
    ("verify_failures.hostname_mismatch", NUMBER),
    ("verify_failures.other", NUMBER),
];

const RESPONSES: &[(&str, &str)] = &[
    ("responses.1xx", NUMBER),
    ("responses.2xx", NUMBER),
    ("responses.3xx", NUMBER),
    ("responses.4xx", NUMBER),
    ("responses.5xx", NUMBER),
    ("responses.codes.200", NUMBER),
    ("responses.total", NUMBER),
];

/// Paths with the fields of the objects there.
const OBJECTS: &[(&str, &[Fields])] = &[
    (
        "nginx",
        &[&[
            ("version", TEXT),
            ("build", TEXT),
            ("address", TEXT),
            ("generation", NUMBER),
            ("load_timestamp", TEXT),
            ("timestamp", TEXT),
            ("pid", NUMBER),
            ("ppid", NUMBER),
        ]],
    ),
    ("processes", &[&[("respawned", NUMBER)]]),
    ("connections", &[&[("accepted", NUMBER), ("dropped", NUMBER), ("active", NUMBER), ("idle", NUMBER)]]),
    ("ssl", &[TLS]),
    ("http/requests", &[&[("total", NUMBER), ("current", NUMBER)]]),
    ("http/server_zones/site", &[&[("ssl", OBJECT), ("processing", NUMBER)], ZONE, RESPONSES]),
    ("http/location_zones/part", &[ZONE, RESPONSES]),
    ("http/upstreams/app", &[&[("peers", LIST), ("keepalive", NUMBER), ("zombies", NUMBER), ("zone", TEXT)]]),
    (
        "workers/0",
        &[&[
            ("id", NUMBER),
            ("pid", NUMBER),
            ("connections.accepted", NUMBER),
            ("connections.dropped", NUMBER),
            ("connections.active", NUMBER),
            ("connections.idle", NUMBER),
            ("http.requests.total", NUMBER),
            ("http.requests.current", NUMBER),
        ]],
    ),
    (
        "http/upstreams/app/servers/0",
        &[&[
            ("id", NUMBER),
            ("server", TEXT),
            ("weight", NUMBER),
            ("max_conns", NUMBER),
            ("max_fails", NUMBER),
            ("fail_timeout", TEXT),
            ("slow_start", TEXT),
            ("route", TEXT),
            ("backup", SWITCH),
            ("down", SWITCH),
            ("drain", SWITCH),
        ]],
    ),
];

const ZONE: &[(&str, &str)] =
    &[("requests", NUMBER), ("responses", OBJECT), ("discarded", NUMBER), ("received", NUMBER), ("sent", NUMBER)];

const PEER: &[(&str, &str)] = &[
    ("id", NUMBER),
    ("server", TEXT),
    ("name", TEXT),
    ("backup", SWITCH),
    ("weight", NUMBER),
    ("state", TEXT),
    ("active", NUMBER),
    ("max_conns", NUMBER),
    ("requests", NUMBER),
    ("header_time", NUMBER),
    ("response_time", NUMBER),
    ("responses", OBJECT),
    ("sent", NUMBER),
    ("received", NUMBER),
    ("fails", NUMBER),
    ("unavail", NUMBER),
    ("health_checks.checks", NUMBER),
    ("health_checks.fails", NUMBER),
    ("health_checks.unhealthy", NUMBER),
    ("downtime", NUMBER),
    ("selected", TEXT),
];

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => SWITCH,
        Json::Number(_) => NUMBER,
        Json::String(_) => TEXT,
        Json::Array(_) => LIST,
        Json::Object(_) => OBJECT,
    }
}

/// Whether an object has these fields, and at its top no others.
fn has_fields(path: &str, object: &Json, fields: &[Fields]) {
    for (field, expected) in fields.iter().copied().flatten() {
        let value = field.split('.').fold(object, |value, name| &value[name]);
        assert_eq!(kind(value), *expected, "{path}: {field} in {object}");
    }
    for name in object.as_object().expect("an object").keys() {
        let is_known = |(field, _): &(&str, &str)| field.split('.').next() == Some(name);
        assert!(fields.iter().copied().flatten().any(is_known), "{path}: {name} is not documented");
    }
}

fn site(upstream: &Scripted) -> String {
    format!(
        "upstream app {{ zone memory 64k; server {} max_conns=100; }}
         upstream static {{ server 127.0.0.1:1; }}
         server {{ listen LISTEN; status_zone site;
             location / {{ proxy_pass http://app; status_zone part; 
                 location /none {{ status_zone off; proxy_pass http://app; }} }} }}
         {BY_SOCKET}",
        upstream.address()
    )
}

fn get(balancer: &Balancer, path: &str) -> String {
    balancer.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
}

#[test]
fn every_object_has_its_fields() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::start(&site(&upstream));
    let api = Api::of(&balancer);
    (0..3).for_each(|_| assert!(get(&balancer, "/").ends_with("hi")));
    // The last of them is counted when it is out.
    wait_until("three requests", || api.get("http/server_zones/site")["requests"] == 3);
    for (path, fields) in OBJECTS {
        has_fields(path, &api.get(path), fields);
    }
    let peer = api.peer(0);
    has_fields("peer", &peer, &[PEER]);
    has_fields("peer", &peer["responses"], &[&[("codes.200", NUMBER), ("total", NUMBER)], &CLASSES]);
    assert_eq!(
        (&peer["requests"], &peer["responses"]["codes"]["200"], &peer["state"]),
        (&3.into(), &3.into(), &"up".into())
    );
    assert_eq!(peer["responses"]["total"], 3);
    assert!(peer["sent"].as_u64() > Some(50) && peer["received"].as_u64() > Some(50), "{peer}");
    let zone = api.get("http/location_zones/part");
    assert_eq!((&zone["requests"], &zone["responses"]["2xx"], &zone["discarded"]), (&3.into(), &3.into(), &0.into()));
    assert!(zone["sent"].as_u64() > Some(100) && zone["received"].as_u64() > Some(100), "{zone}");
    let date = peer["selected"].as_str().expect("a date");
    assert!(date.len() == 24 && date.ends_with('Z'), "{date}");
    assert_eq!(api.get("nginx")["pid"], balancer.worker());
    assert_eq!(api.get("nginx")["ppid"], balancer.pid());
    balancer.reload();
    wait_until("a reload", || api.get("nginx")["generation"] == 1);
    assert_eq!(api.get("http/server_zones/site")["requests"], 3, "counts go on");
    assert_eq!(api.peer(0)["requests"], 3);
}

const CLASSES: [(&str, &str); 5] =
    [("1xx", NUMBER), ("2xx", NUMBER), ("3xx", NUMBER), ("4xx", NUMBER), ("5xx", NUMBER)];

#[test]
fn lists_name_what_there_is_and_fields_choose() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::start(&site(&upstream));
    let api = Api::of(&balancer);
    let socket = balancer.path("api.sock");
    let versions: Vec<u64> = (1..=9).collect();
    assert_eq!(ask(&socket, "GET", "/api/", ""), (200, versions.into()));
    for version in 1..=9 {
        let (status, nginx) = ask(&socket, "GET", &format!("/api/{version}/nginx?fields=version,nothing"), "");
        assert_eq!((status, nginx.to_string()), (200, r#"{"version":"1.29.8"}"#.to_owned()));
    }
    let endpoints = ["nginx", "processes", "connections", "slabs", "http", "resolvers", "ssl", "workers"];
    assert_eq!(api.get(""), serde_json::json!(endpoints));
    for endpoint in endpoints {
        api.get(endpoint);
        api.get(&format!("{endpoint}/"));
    }
    for endpoint in api.get("http").as_array().expect("a list") {
        api.get(&format!("http/{}", endpoint.as_str().expect("a name")));
    }
    for (path, expected) in [
        ("http/server_zones?fields=", r#"["site"]"#),
        ("http/location_zones?fields=", r#"["part"]"#),
        ("http/upstreams?fields=", r#"["app"]"#),
        ("http/upstreams?fields=zone", r#"{"app":{"zone":"memory"}}"#),
        ("http/upstreams/app?fields=zone,keepalive", r#"{"keepalive":0,"zone":"memory"}"#),
        ("http/caches", "{}"),
        ("http/keyvals", "{}"),
        ("slabs", "{}"),
        ("resolvers", "{}"),
    ] {
        assert_eq!(api.get(path).to_string(), expected, "{path}");
    }
    assert_eq!(api.get("http/upstreams/app/servers").as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_not_there_is_answered_as_documented() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::start(&site(&upstream));
    let api = Api::of(&balancer);
    let table = [
        ("GET", "nothing", 404, "PathNotFound"),
        ("GET", "stream/upstreams", 404, "PathNotFound"),
        ("GET", "nginx/more", 404, "PathNotFound"),
        ("GET", "http/nothing", 404, "PathNotFound"),
        ("GET", "http/server_zones/x", 404, "ServerZoneNotFound"),
        ("GET", "http/location_zones/x", 404, "LocationZoneNotFound"),
        ("GET", "http/caches/x", 404, "CacheNotFound"),
        ("GET", "http/limit_reqs/x", 404, "LimitReqNotFound"),
        ("GET", "http/limit_conns/x", 404, "LimitConnNotFound"),
        ("GET", "http/keyvals/x", 404, "KeyvalNotFound"),
        ("GET", "slabs/x", 404, "SlabNotFound"),
        ("GET", "http/upstreams/x", 404, "UpstreamNotFound"),
        ("GET", "http/upstreams/static", 400, "UpstreamStatic"),
        ("GET", "http/upstreams/static/servers", 400, "UpstreamStatic"),
        ("GET", "http/upstreams/app/servers/x", 400, "UpstreamBadServerId"),
        ("GET", "http/upstreams/app/servers/-1", 400, "UpstreamBadServerId"),
        ("GET", "http/upstreams/app/servers/9", 404, "UpstreamServerNotFound"),
        ("GET", "http/upstreams/app/servers/0/x", 404, "PathNotFound"),
        ("PUT", "nginx", 405, "MethodDisabled"),
        ("POST", "nginx", 405, "MethodDisabled"),
        ("DELETE", "nginx", 405, "MethodDisabled"),
        ("DELETE", "nothing", 404, "PathNotFound"),
        ("DELETE", "http/server_zones/x", 404, "ServerZoneNotFound"),
        ("DELETE", "http/upstreams/x", 404, "UpstreamNotFound"),
        ("POST", "http/upstreams/x/servers", 404, "UpstreamNotFound"),
        ("PATCH", "http/upstreams/app/servers", 405, "MethodDisabled"),
        ("POST", "http/upstreams/app/servers/0", 405, "MethodDisabled"),
    ];
    for (method, path, status, code) in table {
        assert_eq!(api.fault(method, path, "{}"), (status, code.to_owned()), "{method} {path}");
    }
    for path in ["/api/0/nginx", "/api/10/nginx", "/api/x/", "/api/9x"] {
        let (status, json) = ask(&balancer.path("api.sock"), "GET", path, "");
        assert_eq!((status, &json["error"]["code"]), (404, &"UnknownVersion".into()), "{path}");
        assert_eq!(json["error"]["text"], "unknown version");
        assert_eq!(json["request_id"].as_str().map(str::len), Some(32), "{json}");
        assert_eq!(json["href"], "https://nginx.org/en/docs/http/ngx_http_api_module.html");
    }
    assert_eq!(ask(&balancer.path("api.sock"), "OPTIONS", "/api/9/nginx", "").0, 204);
}

#[test]
fn counts_are_set_back() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::start(&site(&upstream));
    let api = Api::of(&balancer);
    (0..3).for_each(|_| assert!(get(&balancer, "/").ends_with("hi")));
    assert!(get(&balancer, "/none").ends_with("hi"));
    wait_until("four requests", || api.get("http/server_zones/site")["requests"] == 4);
    assert_eq!(api.get("http/location_zones/part")["requests"], 3, "off counts none");
    for (path, field) in [
        ("http/server_zones/site", "requests"),
        ("http/location_zones/part", "sent"),
        ("connections", "accepted"),
        ("http/requests", "total"),
    ] {
        let before = api.get(path)[field].as_u64().expect("a number");
        assert!(before >= 3, "{path}: {before}");
        assert_eq!(api.ask("DELETE", path, ""), (204, Json::Null), "{path}");
        assert!(api.get(path)[field].as_u64() <= Some(2), "{path}: those of the interface itself");
    }
    assert_eq!(api.ask("DELETE", "http/upstreams/app", "").0, 204);
    let peer = api.peer(0);
    assert_eq!((&peer["requests"], &peer["responses"]["total"], &peer["sent"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(api.ask("DELETE", "ssl", "").0, 204);
    assert_eq!(api.ask("DELETE", "processes", "").0, 204);
    assert!(get(&balancer, "/").ends_with("hi"));
    wait_until("one request", || api.peer(0)["requests"] == 1);
}

#[test]
fn failures_of_a_server_are_shown() {
    let upstream = Scripted::named("hi");
    let gone = crate::support::balancer::Reserved::new();
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; server {} fail_timeout=1s; server {} backup; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }} {BY_SOCKET}",
        gone.address,
        upstream.address()
    ));
    let api = Api::of(&balancer);
    assert!(get(&balancer, "/").ends_with("hi"));
    wait_until("a failure", || api.peer(0)["state"] == "unavail");
    let peer = api.peer(0);
    assert_eq!((&peer["fails"], &peer["unavail"], &peer["active"]), (&1.into(), &1.into(), &0.into()));
    assert!(peer["downstart"].is_string(), "{peer}");
    wait_until("time to pass", || api.peer(0)["downtime"].as_u64() > Some(0));
    assert_eq!((&api.peer(1)["backup"], &api.peer(1)["responses"]["2xx"]), (&true.into(), &1.into()));
}

#[test]
fn counts_of_checks_are_shown_and_set_back() {
    let upstream = Scripted::answering("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; server {}; server 127.0.0.1:1 down; queue 3; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; health_check; }} }} {BY_SOCKET}",
        upstream.address()
    ));
    let api = Api::of(&balancer);
    wait_until("a check", || api.peer(0)["state"] == "unhealthy");
    let peer = api.peer(0);
    let checks = &peer["health_checks"];
    assert_eq!((&checks["unhealthy"], &checks["last_passed"]), (&1.into(), &false.into()), "{peer}");
    assert!(checks["checks"].as_u64() > Some(0) && checks["fails"] == checks["checks"], "{peer}");
    assert!(peer["downstart"].is_string(), "{peer}");
    let queue = serde_json::json!({"size": 0, "max_size": 3, "overflows": 0});
    assert_eq!(api.get("http/upstreams/app?fields=queue"), serde_json::json!({ "queue": queue }));
    assert_eq!(api.ask("DELETE", "http/upstreams/app", "").0, 204);
    assert_eq!(api.peer(0)["health_checks"]["unhealthy"], 0);
    assert_eq!(api.peer(0)["state"], "unhealthy", "what is known of it stays");
}

#[test]
fn what_limits_have_done_is_shown_and_set_back() {
    let balancer = Balancer::start(&format!(
        "limit_req_zone $uri zone=rate:1m rate=1r/m; limit_req_zone $uri zone=dry:1m rate=1r/m;
         limit_conn_zone $uri zone=conn:1m; limit_conn_zone $uri zone=unused:1m;
         server {{ listen LISTEN; limit_conn conn 1;
             location / {{ limit_req zone=rate; try_files /none =404; }}
             location /dry {{ limit_req zone=dry; limit_req_dry_run on; try_files /none =404; }} }} {BY_SOCKET}"
    ));
    let api = Api::of(&balancer);
    let statuses = |path: &str| get(&balancer, path)[9..12].to_owned();
    assert_eq!(["/a", "/a", "/b", "/dry", "/dry"].map(statuses), ["404", "503", "404", "404", "404"]);
    let rates = serde_json::json!({
        "rate": {"passed": 2, "delayed": 0, "rejected": 1, "delayed_dry_run": 0, "rejected_dry_run": 0},
        "dry": {"passed": 1, "delayed": 0, "rejected": 0, "delayed_dry_run": 0, "rejected_dry_run": 1},
    });
    assert_eq!(api.get("http/limit_reqs"), rates);
    let conns = serde_json::json!({
        "conn": {"passed": 4, "rejected": 0, "rejected_dry_run": 0},
        "unused": {"passed": 0, "rejected": 0, "rejected_dry_run": 0},
    });
    assert_eq!(api.get("http/limit_conns"), conns);
    balancer.reload();
    assert_eq!(api.get("http/limit_reqs/rate"), rates["rate"], "counts go on");
    assert_eq!(api.ask("DELETE", "http/limit_reqs/rate", "").0, 204);
    assert_eq!(api.ask("DELETE", "http/limit_conns/conn", "").0, 204);
    assert_eq!(api.get("http/limit_reqs/rate?fields=rejected"), serde_json::json!({"rejected": 0}));
    assert_eq!(api.get("http/limit_conns/conn?fields=passed"), serde_json::json!({"passed": 0}));
}
