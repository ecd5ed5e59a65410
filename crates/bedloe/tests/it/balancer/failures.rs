//! Servers that fail, come back, stand by or are full; clients that go away; what the logs and the admin socket say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;

use crate::support::admin::{self, Events};
use crate::support::balancer::{Balancer, Reserved, pause, proxying};
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn body(balancer: &Balancer) -> String {
    let answer = balancer.ask(GET);
    answer.split_once("\r\n\r\n").expect("an answer").1.to_owned()
}

#[test]
fn a_failing_server_goes_down_and_comes_back_with_events() {
    let is_well = Arc::new(AtomicBool::new(false));
    let first = Scripted::start({
        let is_well = Arc::clone(&is_well);
        move |link, _| {
            link.head()?;
            if is_well.load(Relaxed) { link.send(ok("first")) } else { Ok(()) }
        }
    });
    let second = Scripted::named("second");
    let upstream = format!("server {} max_fails=2 fail_timeout=2s; server {};", first.address(), second.address());
    let balancer = Balancer::before_with(&[], &upstream, "");
    let mut events = Events::open(&balancer.admin());
    for _ in 0..8 {
        assert_eq!(body(&balancer), "second");
    }
    assert_eq!(first.received().len(), 2, "two failures, then no request more");
    let down = events.next("down");
    assert_eq!((&down["upstream"], &down["server"]), (&"app".into(), &first.address().to_string().into()), "{down}");
    assert!(down["why"].as_str().is_some_and(|why| why.contains("prematurely closed")), "{down}");
    let mut retries = 0;
    while retries < 2 {
        retries += events.next("retries")["count"].as_u64().expect("a number");
    }
    assert_eq!(retries, 2);
    let server = admin::server(&balancer.admin(), 0);
    assert_eq!((&server["state"], &server["failures"]), (&"unavailable".into(), &2.into()), "{server}");
    is_well.store(true, Relaxed);
    while body(&balancer) != "first" {
        pause();
    }
    assert_eq!(events.next("up")["server"], first.address().to_string());
    let server = admin::server(&balancer.admin(), 0);
    assert_eq!((&server["state"], &server["in_flight"]), (&"up".into(), &0.into()), "{server}");
}

#[test]
fn a_backup_serves_when_the_others_are_down_and_a_down_server_never() {
    let (backup, down) = (Scripted::named("backup"), Scripted::named("down"));
    let upstream = format!("server {} down; server {} backup;", down.address(), backup.address());
    let well = Scripted::named("well");
    let balancer = Balancer::before_with(&[well.address()], &upstream, "");
    assert_eq!((0..4).map(|_| body(&balancer)).collect::<Vec<_>>(), ["well"; 4]);
    let balancer = Balancer::before_with(&[Reserved::new().address], &upstream, "");
    assert_eq!((0..4).map(|_| body(&balancer)).collect::<Vec<_>>(), ["backup"; 4]);
    assert_eq!(down.all(), "");
    assert_eq!(admin::server(&balancer.admin(), 1)["state"], "down");
}

#[test]
fn a_server_gets_no_more_connections_than_it_may() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Scripted::start(move |link, index| {
        link.head()?;
        if index == 0 {
            let _ = wait.lock().map(|wait| wait.recv());
        }
        link.send(ok("hi"))
    });
    let balancer = Balancer::before_with(&[], &format!("server {} max_conns=1;", upstream.address()), "");
    let mut first = balancer.connect();
    first.send(GET);
    upstream.wait_for("GET");
    assert_eq!(admin::server(&balancer.admin(), 0)["in_flight"], 1);
    assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "), "it is full");
    go.send(()).expect("it waits");
    assert_eq!(first.reply().body, "hi");
    assert_eq!(body(&balancer), "hi", "it is free again");
}

#[test]
fn no_server_left_is_a_502() {
    let balancer = Balancer::before_with(&[], &format!("server {} max_fails=1;", Reserved::new().address), "");
    let second = format!("server {} down;", Reserved::new().address);
    for _ in 0..2 {
        assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "));
    }
    let balancer = Balancer::before_with(&[Reserved::new().address, Reserved::new().address], &second, "");
    for _ in 0..3 {
        assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "));
    }
    let line = balancer.logged("error.log", "no live upstreams");
    assert!(line.contains(" while connecting to upstream"), "{line}");
}

#[test]
fn a_client_that_goes_away_is_a_499_and_its_upstream_connection_is_closed() {
    let (closed, seen) = mpsc::channel();
    let closed = std::sync::Mutex::new(closed);
    let upstream = Scripted::start(move |link, _| {
        link.head()?;
        link.closed()?;
        let _ = closed.lock().map(|closed| closed.send(()));
        Ok(())
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_for("/gone");
    drop(client);
    seen.recv_timeout(crate::support::balancer::PATIENCE).expect("the upstream's connection is closed");
    let line = balancer.logged("access.log", "/gone");
    assert!(line.contains("\"GET /gone HTTP/1.1\" 499 0 \"-\" \"-\""), "{line}");
    let server = admin::server(&balancer.admin(), 0);
    assert_eq!((&server["in_flight"], &server["failures"]), (&0.into(), &0.into()), "{server}");
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_an_answer_closes_the_upstream_s_connection() {
    let (closed, seen) = mpsc::channel();
    let closed = std::sync::Mutex::new(closed);
    let upstream = Scripted::start(move |link, _| {
        link.head()?;
        link.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")?;
        link.closed()?;
        let _ = closed.lock().map(|closed| closed.send(()));
        Ok(())
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    assert_eq!(client.bytes(3), b"abc");
    drop(client);
    seen.recv_timeout(crate::support::balancer::PATIENCE).expect("the upstream's connection is closed");
}

#[test]
fn the_access_log_has_nginx_s_layout() {
    let upstream = Scripted::named("hello");
    let balancer = Balancer::before(&[upstream.address()]);
    let fields = "Referer: http://r/\r\nUser-Agent: a\"b\\c\x1b".replace('\x1b', "\t");
    balancer.ask(format!("GET /x?y HTTP/1.1\r\nHost: a\r\n{fields}\r\nConnection: close\r\n\r\n"));
    let line = balancer.logged("access.log", "/x?y");
    let (start, rest) = line.split_once('[').expect("a time");
    let (time, rest) = rest.split_once(']').expect("a time");
    assert_eq!(start, "127.0.0.1 - - ");
    assert_eq!(rest, " \"GET /x?y HTTP/1.1\" 200 5 \"http://r/\" \"a\\x22b\\x5Cc\"");
    // 22/Nov/2026:23:52:06 +0000
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert!(shape.starts_with("99/") && shape[6..].starts_with("/9999:99:99:99 "), "{time}");
    assert_eq!(time.len(), "22/Nov/2026:23:52:06 +0000".len());
}

#[test]
fn a_refused_request_is_logged_without_forging_a_line() {
    let balancer = Balancer::before(&[Reserved::new().address]);
    balancer.ask("GET /\x1b[31m\"x HTTP/1.1\r\nHost: a\r\n\r\n");
    let line = balancer.logged("access.log", "\" 400 ");
    assert!(line.contains("\"GET /\\x1B[31m\\x22x HTTP/1.1\" 400 "), "{line}");
    let line = balancer.logged("error.log", "client sent invalid request");
    assert!(line.contains(", client: 127.0.0.1, "), "{line}");
}

#[test]
fn the_error_log_has_nginx_s_layout() {
    let closed = Reserved::new().address;
    let balancer = Balancer::before(&[closed]);
    balancer.ask("GET /x?y HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    let line = balancer.logged("error.log", "Connection refused");
    let (time, rest) = line.split_once(" [error] ").expect("a level");
    assert_eq!(time.len(), "2026/11/22 23:52:06".len(), "{line}");
    let (process, rest) = rest.split_once("#0: *1 ").expect("a process and a connection");
    assert!(process.parse::<u32>().is_ok(), "{line}");
    let expected = format!(
        "connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, \
         request: \"GET /x?y HTTP/1.1\", upstream: \"http://{closed}/x?y\", host: \"a.example\""
    );
    assert_eq!(rest.replace(", server: ,", ","), expected);
}

/// Sets how many descriptors the balancer may have: those that it has are not taken away.
fn limit_descriptors(pid: i32, current: u64) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let limit = Rlimit { current: Some(current), maximum: Some(10_000) };
    prlimit(Pid::from_raw(pid), Resource::Nofile, limit).expect("a limit");
}

#[test]
fn a_want_of_descriptors_is_no_fault_of_the_servers() {
    // It closes each connection: none is kept, so each request needs a descriptor.
    let server = Scripted::answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nwell");
    let address = server.address();
    let upstream = format!("server {address} max_fails=1 fail_timeout=30s; server {address} backup;");
    // Only of its own user may this process change the limits.
    let folder = tempfile::tempdir().expect("a folder");
    let balancer = Balancer::start_in(folder, "worker_processes 1; user root;", &proxying(&[], &upstream, ""));
    assert_eq!(body(&balancer), "well");
    let status = admin::status(&balancer.admin());
    let pid = i32::try_from(status["pid"].as_i64().expect("a pid")).expect("a pid");
    let mut client = balancer.connect();
    while admin::status(&balancer.admin())["accepted"] != 2 {
        pause();
    }
    limit_descriptors(pid, 0);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(client.rest().starts_with("HTTP/1.1 500 "));
    balancer.logged("error.log", "Too many open files");
    limit_descriptors(pid, 10_000);
    assert_eq!(body(&balancer), "well", "the server is still taken for well");
}
