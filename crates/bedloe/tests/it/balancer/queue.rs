//! `queue`: requests that wait until a server may be tried.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use crate::support::admin;
use crate::support::balancer::{Balancer, wait_until};
use crate::support::raw::Raw;
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A server that answers a request when it is told to, with what it was asked for.
fn holding() -> (Scripted, Sender<()>) {
    let (go, wait) = channel();
    let wait = Arc::new(Mutex::new(wait));
    let server = Scripted::start(move |link, _| {
        loop {
            let head = link.head()?;
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            if head.contains("Content-Length: 4\r\n") {
                link.until("body")?;
            }
            let _ = wait.lock().map(|wait| wait.recv());
            link.send(ok(&target))?;
        }
    });
    (server, go)
}

fn before(server: &Scripted, queue: &str) -> Balancer {
    Balancer::before_with(&[], &format!("server {} max_conns=1; {queue}", server.address()), "")
}

/// Sends a request, and waits until it is under way.
fn begin(balancer: &Balancer, request: &str) -> Raw {
    let requests = || admin::status(&balancer.admin())["requests"].as_u64().expect("a number");
    let before = requests();
    let mut client = balancer.connect();
    client.send(request);
    wait_until("a request", || requests() > before);
    client
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn requests_wait_in_the_order_of_their_coming() {
    let (server, go) = holding();
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; server {} max_conns=1; queue 3; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} location /api/ {{ api; }} }}",
        server.address()
    ));
    let mut first = begin(&balancer, &get("/1"));
    let mut second = begin(&balancer, &get("/2"));
    let mut third = begin(&balancer, "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    let mut fourth = begin(&balancer, &get("/4"));
    assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "), "the queue is full");
    assert!(balancer.logged("error.log", "upstream queue is full").contains("upstream: \"http://app/\""));
    let counts = "GET /api/9/http/upstreams/app?fields=queue HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let counts = balancer.ask(counts);
    assert!(counts.ends_with(r#"{"queue":{"size":3,"max_size":3,"overflows":1}}"#), "{counts}");
    for (client, target) in [(&mut first, "/1"), (&mut second, "/2"), (&mut third, "/3"), (&mut fourth, "/4")] {
        server.wait_for(&format!("{target} HTTP/1.1"));
        go.send(()).expect("it waits");
        assert_eq!(client.reply().body, target);
    }
    let all = server.all();
    let targets = all.lines().filter_map(|line| line.split(' ').nth(1)).filter(|word| word.starts_with('/'));
    let order: Vec<&str> = targets.collect();
    assert_eq!(order, ["/1", "/2", "/3", "/4"]);
}

#[test]
fn who_has_waited_long_enough_gets_a_502() {
    let (server, go) = holding();
    let balancer = before(&server, "queue 3 timeout=300ms;");
    let mut first = begin(&balancer, &get("/1"));
    assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "));
    balancer.logged("error.log", "upstream queue timed out while connecting to upstream");
    go.send(()).expect("it waits");
    assert_eq!(first.reply().body, "/1");
}

#[test]
fn who_goes_away_leaves_his_place() {
    let (server, go) = holding();
    let balancer = before(&server, "queue 1;");
    let mut first = begin(&balancer, &get("/1"));
    drop(begin(&balancer, &get("/gone")));
    let line = balancer.logged("access.log", "/gone");
    assert!(line.contains("\"GET /gone HTTP/1.1\" 499 0 "), "{line}");
    let mut second = begin(&balancer, &get("/2"));
    go.send(()).expect("it waits");
    assert_eq!(first.reply().body, "/1");
    go.send(()).expect("it waits");
    assert_eq!(second.reply().body, "/2");
    assert!(!server.all().contains("/gone"));
}

#[test]
fn a_request_waits_for_the_first_check() {
    let (checked, go) = holding();
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; server {}; queue 5; }}
         health_check_timeout 1m;
         server {{ listen LISTEN;
             location / {{ proxy_pass http://app; health_check uri=/up interval=1h mandatory; }}
         }}",
        checked.address()
    ));
    let mut client = begin(&balancer, &get("/1"));
    checked.wait_for("/up ");
    assert!(!checked.all().contains("GET /1 "));
    (0..2).for_each(|_| go.send(()).expect("it waits"));
    assert_eq!(client.reply().body, "/1");
}

#[test]
fn without_a_server_that_could_come_back_nobody_waits() {
    let down = "server 127.0.0.1:1 down; queue 5;";
    let balancer = Balancer::before_with(&[], &format!("{down} server 127.0.0.1:2 down;"), "");
    assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "));
}
