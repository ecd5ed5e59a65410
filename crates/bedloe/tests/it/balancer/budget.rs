//! `retry_budget`: how many requests go to another server when servers fail, on all threads and over a reload.

use serde_json::Value;

use crate::support::balancer::Balancer;
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const REQUESTS: usize = 30;

/// Reads a request and closes.
fn closing() -> Scripted {
    Scripted::start(|link, _| link.head().map(|_| ()))
}

fn site(servers: &[&Scripted], budget: &str, location: &str) -> String {
    let servers: String = servers.iter().map(|server| format!("server {} max_fails=0; ", server.address())).collect();
    format!(
        "upstream app {{ zone app 64k; {servers} {budget} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; {location} }} location /api/ {{ api; }} }}"
    )
}

fn attempts(servers: &[&Scripted]) -> usize {
    servers.iter().map(|server| server.received().iter().filter(|bytes| !bytes.is_empty()).count()).sum()
}

fn shown(balancer: &Balancer) -> Value {
    let request = "GET /api/9/http/upstreams/app HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let answer = balancer.ask(request);
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    serde_json::from_str::<Value>(body).expect("JSON")["retry_budget"].clone()
}

#[test]
fn where_all_fail_few_requests_are_tried_again() {
    let servers = [&closing(), &closing(), &closing()];
    let main = "worker_processes 3;";
    let http = site(&servers, "retry_budget 10% min=2;", "");
    let balancer = Balancer::start_in(tempfile::tempdir().expect("a folder"), main, &http);
    for _ in 0..REQUESTS {
        assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "));
    }
    let most = REQUESTS + REQUESTS / 10 + 2;
    assert!((REQUESTS + 1..=most).contains(&attempts(&servers)), "{} attempts", attempts(&servers));
    let line = balancer.logged("error.log", "retry_budget 10% min=2 is used up");
    assert!(line.contains("[error]") && line.contains("upstream: \"http://127.0.0.1:"), "{line}");
    // What was spent stays spent.
    balancer.rewrite(main, &site(&servers, "retry_budget 10% min=1;", ""));
    balancer.reload();
    for _ in 0..REQUESTS {
        assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "));
    }
    let most = 2 * REQUESTS + 2 * REQUESTS / 10 + 2;
    assert!(attempts(&servers) <= most, "{} attempts", attempts(&servers));
    let shown = shown(&balancer);
    let denied = shown["denied"].as_u64().expect("a number");
    assert!(denied > REQUESTS as u64, "{shown}");
}

#[test]
fn an_answer_that_is_not_tried_again_is_passed_on() {
    let busy = || Scripted::answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy");
    let servers = [&busy(), &busy()];
    let balancer = Balancer::start(&site(&servers, "retry_budget 1% min=0;", "proxy_next_upstream http_503;"));
    let answer = balancer.ask(GET);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("busy"), "{answer}");
    assert_eq!(attempts(&servers), 1);
    balancer.logged("error.log", "upstream answered 503, and no other server is tried: retry_budget 1% min=0");
}

#[test]
fn a_kept_connection_that_was_closed_costs_nothing() {
    // Answers the first request on a connection, and closes under the second.
    let server = Scripted::start(|link, _| {
        link.head()?;
        link.send(ok("well"))?;
        link.head().map(|_| ())
    });
    let balancer = Balancer::start(&site(&[&server], "retry_budget 1% min=0;", ""));
    let mut client = balancer.connect();
    for _ in 0..4 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.reply().body, "well");
    }
}
