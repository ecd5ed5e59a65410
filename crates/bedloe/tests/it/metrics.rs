//! What the balancer says of itself to other programs: `--admin` at a TCP address, `/metrics`, and Prometheus.

mod dashboard;
mod prometheus;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value as Json;

use crate::support::admin;
use crate::support::balancer::{Balancer, PATIENCE, Reserved, fails_with};
use crate::support::scripted::Scripted;

/// A balancer that answers at a TCP address too.
fn start(http: &str) -> (Balancer, SocketAddr) {
    start_with(http, &[])
}

/// The same with more words on the command line.
fn start_with(http: &str, words: &[&str]) -> (Balancer, SocketAddr) {
    let reserved = Reserved::new();
    let balancer = Balancer::start_with(http, &[&["--admin", &reserved.address.to_string()], words].concat());
    (balancer, reserved.address)
}

/// Status and body of an answer.
fn get(address: SocketAddr, path: &str, fields: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    let host = if fields.contains("Host:") { "" } else { "Host: localhost\r\n" };
    write!(stream, "GET {path} HTTP/1.1\r\n{host}{fields}Connection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().expect("a number")
}

const TWO: &str = "upstream app { zone app 64k; server ONE max_fails=1 fail_timeout=1h; server TWO; }
    server { listen LISTEN; status_zone site; location / { status_zone part; proxy_pass http://app; } }";

#[test]
fn counts_are_those_of_the_requests() {
    let (good, bad) = (Scripted::named("good"), Reserved::new());
    let http = TWO.replace("ONE", &bad.address.to_string()).replace("TWO", &good.address().to_string());
    let (balancer, admin) = start(&http);
    for _ in 0..4 {
        assert!(balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
    }
    let (status, text) = get(admin, "/metrics", "");
    assert_eq!(status, 200, "{text}");
    let of = |metric: &str, peer: SocketAddr| value(&text, &format!("{metric}{{upstream=\"app\",peer=\"{peer}\"}}"));
    assert_eq!(of("bedloe_upstream_peer_requests_total", good.address()) as u64, 4);
    assert_eq!(of("bedloe_upstream_peer_failures_total", bad.address) as u64, 1);
    assert_eq!(of("bedloe_upstream_peer_retries_total", bad.address) as u64, 1);
    let up = [of("bedloe_upstream_peer_up", good.address()), of("bedloe_upstream_peer_up", bad.address)];
    assert_eq!(up.map(|up| up as u64), [1, 0]);
    assert_eq!(of("bedloe_upstream_peer_response_time_seconds_count", good.address()) as u64, 4);
    assert_eq!(value(&text, "bedloe_request_duration_seconds_count") as u64, 4);
    assert_eq!(value(&text, "bedloe_responses_total{class=\"2xx\"}") as u64, 4);
    assert_eq!(value(&text, "bedloe_server_zone_requests_total{zone=\"site\"}") as u64, 4);
    assert_eq!(value(&text, "bedloe_location_zone_responses_total{zone=\"part\",class=\"2xx\"}") as u64, 4);
    let unavailable =
        format!("bedloe_upstream_peer_state{{upstream=\"app\",peer=\"{}\",state=\"unavailable\"}}", bad.address);
    assert_eq!(value(&text, &unavailable) as u64, 1);
    // The same figures, as JSON.
    let state: Json = serde_json::from_str(&get(admin, "/status", "").1).expect("JSON");
    assert_eq!(state["responses"]["2xx"], 4);
    assert_eq!(state["request_time"]["count"], 4);
    assert_eq!(state["upstreams"][0]["servers"][1]["response_time"]["count"], 4);
    assert_eq!(state["server_zones"][0]["responses"]["2xx"], 4);
}

#[test]
fn reloads_are_counted_the_refused_ones_too() {
    let (balancer, admin) = start("server { listen LISTEN; return 204; }");
    let mut events = admin::Events::open(&balancer.admin());
    balancer.rewrite("worker_processes 1;", "server { listen LISTEN; return 200; }");
    balancer.reload();
    assert_eq!(events.next("reload")["upstream"], "");
    let read = |series: &str| value(&get(admin, "/metrics", "").1, series) as u64;
    assert_eq!((read("bedloe_config_reloads_total"), read("bedloe_config_last_reload_successful")), (1, 1));
    balancer.rewrite("worker_processes 1;", "server { lisen LISTEN; }");
    balancer.signal(rustix::process::Signal::HUP);
    assert!(events.next("reload_refused")["why"].as_str().is_some_and(|why| why.contains("errors")));
    assert_eq!((read("bedloe_config_reloads_refused_total"), read("bedloe_config_last_reload_successful")), (1, 0));
    balancer.rewrite("worker_processes 1;", "server { listen LISTEN; return 204; }");
    balancer.reload();
    assert_eq!((read("bedloe_config_reloads_total"), read("bedloe_config_last_reload_successful")), (2, 1));
}

#[test]
fn an_address_of_this_host_is_for_this_host() {
    let (balancer, admin) = start("upstream app { zone app 64k; server 127.0.0.1:1; } server { listen LISTEN; }");
    for (fields, expected) in [
        ("Host: evil.test\r\n", 403),
        ("Host: localhost\r\nOrigin: http://evil.test\r\n", 403),
        ("Host: 127.0.0.1:80\r\n", 200),
    ] {
        assert_eq!(get(admin, "/status", fields).0, expected, "{fields}");
    }
    let (status, upstream) = get(admin, "/api/9/http/upstreams/app?fields=zone", "");
    assert_eq!((status, upstream.trim()), (200, "{\"zone\":\"app\"}"));
    assert_eq!(get(admin, "/api/10/", "").0, 404);
    assert_eq!(get(admin, "/nothing", "").0, 404);
    let post = "POST /api/9/http/upstreams/app/servers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\
                Connection: close\r\n\r\n";
    let mut stream = TcpStream::connect(admin).expect("somebody listens");
    stream.write_all(post.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    let (said, code) = fails_with(balancer.folder(), "server { listen LISTEN; }", &["--admin", "0.0.0.0:0"]);
    assert!(code == Some(2) && said.contains("can be reached from other hosts"), "{code:?} {said}");
    let (said, code) = fails_with(balancer.folder(), "server { listen LISTEN; }", &["--admin", &admin.to_string()]);
    assert!(code == Some(1), "{code:?} {said}");
}
