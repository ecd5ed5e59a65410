//! `outlier_ejection`: servers that stand out get no requests for a while, on all threads and over a reload.

use std::time::Duration;

use crate::support::admin::{self, Events};
use crate::support::balancer::{Balancer, wait_until};
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const MAIN: &str = "worker_processes 2; error_log FOLDER/warn.log warn;";

/// Answers each request after a while.
fn well(name: &'static str, after: Duration) -> Scripted {
    Scripted::start(move |link, _| {
        loop {
            link.head()?;
            std::thread::park_timeout(after);
            link.send(ok(name))?;
        }
    })
}

/// Breaks off each answer.
fn cutting() -> Scripted {
    Scripted::start(|link, _| {
        link.head()?;
        link.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbad")
    })
}

fn site(servers: &[&Scripted], more: &str) -> String {
    let servers: String = servers.iter().map(|server| format!("server {}; ", server.address())).collect();
    format!(
        "upstream app {{ zone app 64k; {servers} {more} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} location /api/ {{ api; }} }}"
    )
}

fn start(http: &str) -> Balancer {
    Balancer::start_in(tempfile::tempdir().expect("a folder"), MAIN, http)
}

fn states(balancer: &Balancer) -> Vec<String> {
    let status = admin::status(&balancer.admin());
    let servers = status["upstreams"][0]["servers"].as_array().expect("servers").clone();
    servers.iter().map(|server| server["state"].as_str().expect("a state").to_owned()).collect()
}

/// Sends requests until servers are in these states.
fn ask_until(balancer: &Balancer, expected: &[&str]) {
    wait_until("servers to be ejected or back", || {
        balancer.ask(GET);
        states(balancer) == expected
    });
}

#[test]
fn a_server_that_breaks_answers_off_is_ejected_and_a_reload_does_not_bring_it_back() {
    let (bad, good) = (cutting(), [well("good", Duration::ZERO), well("good", Duration::ZERO)]);
    let servers = [&bad, &good[0], &good[1]];
    let rule = "outlier_ejection latency=off min_requests=3 interval=1s time=1h max_time=1h;";
    let balancer = start(&site(&servers, rule));
    let mut events = Events::open(&balancer.admin());
    ask_until(&balancer, &["unavailable", "up", "up"]);
    let down = events.next("down");
    assert_eq!(down["server"], bad.address().to_string());
    let why = down["why"].as_str().expect("a reason");
    assert!(why.starts_with("ejected for 3600 s: ") && why.contains(" requests failed in 1 s, 0 of "), "{why}");
    let line = balancer.logged("warn.log", "is ejected for 3600 s");
    let peer = format!("[warn] {}#0: peer {} in upstream \"app\"", balancer.worker(), bad.address());
    assert!(line.contains(&peer), "{line}");
    balancer.rewrite(MAIN, &site(&servers, &format!("keepalive 5; {rule}")));
    balancer.reload();
    let before = bad.received().len();
    assert!((0..20).all(|_| balancer.ask(GET).ends_with("good")));
    assert_eq!(bad.received().len(), before);
    let shown = balancer.ask("GET /api/9/http/upstreams/app HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    assert!(shown.contains("\"state\":\"unavail\"") && shown.contains("\"unavail\":1"), "{shown}");
    // Without the directive it serves again.
    balancer.rewrite(MAIN, &site(&servers, ""));
    balancer.reload();
    ask_until(&balancer, &["up", "up", "up"]);
}

#[test]
fn a_server_that_answers_with_errors_comes_back_after_its_time() {
    let bad = Scripted::answering("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad");
    let good = well("good", Duration::ZERO);
    let balancer = start(&site(&[&bad, &good], "outlier_ejection min_requests=3 interval=1s time=1s max_time=1s;"));
    let mut events = Events::open(&balancer.admin());
    ask_until(&balancer, &["unavailable", "up"]);
    ask_until(&balancer, &["up", "up"]);
    assert_eq!(events.next("up")["why"], "no longer ejected");
    balancer.logged("warn.log", "is no longer ejected");
    ask_until(&balancer, &["unavailable", "up"]);
}

#[test]
fn a_server_that_is_late_is_ejected_and_serves_where_there_is_no_other() {
    let late = well("late", Duration::from_millis(150));
    // Answers once a connection, so that it is gone when it ends.
    let good = Scripted::start(|link, _| {
        link.head()?;
        link.send(ok("good"))
    });
    let rule = "outlier_ejection errors=off min_requests=3 interval=1s time=1h max_time=1h;";
    let balancer = start(&site(&[&late, &good], rule));
    let mut events = Events::open(&balancer.admin());
    ask_until(&balancer, &["unavailable", "up"]);
    let why = events.next("down")["why"].as_str().expect("a reason").to_owned();
    assert!(why.contains(": answers took ") && why.contains(" ms at the others"), "{why}");
    assert!((0..5).all(|_| balancer.ask(GET).ends_with("good")));
    drop(good);
    let answer = balancer.ask(GET);
    assert!(answer.ends_with("late"), "{answer}");
}
