//! `proxy_next_upstream`: which failures go to the next server, which requests, how often and for how long.

use std::net::{Ipv4Addr, SocketAddr};

use crate::support::balancer::{Balancer, Reserved};
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";

/// Reads a request and closes.
fn closing() -> Scripted {
    Scripted::start(|link, _| link.head().map(|_| ()))
}

/// Reads a request and never answers.
fn silent() -> Scripted {
    Scripted::start(|link, _| link.closed())
}

fn unwilling() -> Scripted {
    Scripted::answering("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy")
}

/// The answer when the first server is `first` and the second one answers well; and what came to the second.
fn answer(first: SocketAddr, location: &str, request: &str) -> (String, String) {
    let second = Scripted::named("second");
    let balancer = Balancer::before_with(&[first, second.address()], "", location);
    (balancer.ask(request), second.all())
}

fn goes_on(first: SocketAddr, location: &str, request: &str) {
    let (answer, seen) = answer(first, location, request);
    assert!(answer.ends_with("\r\n\r\nsecond"), "{location}: {answer}");
    let body = request.split_once("\r\n\r\n").map_or("", |parts| parts.1);
    assert!(seen.ends_with(&format!("\r\n\r\n{body}")), "{seen}");
}

fn ends_with(first: SocketAddr, location: &str, request: &str, status: u16) {
    let (answer, seen) = answer(first, location, request);
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{location}: {answer}");
    assert_eq!(seen, "", "{location}");
}

#[test]
fn a_refused_connection_goes_on_for_every_method() {
    for request in [GET, POST] {
        goes_on(Reserved::new().address, "", request);
        ends_with(Reserved::new().address, "proxy_next_upstream off;", request, 502);
    }
}

#[test]
fn a_large_post_goes_on_after_a_refused_connection() {
    let body = "x".repeat(300_000);
    let second = Scripted::start(move |link, _| {
        link.head()?;
        link.swallow(300_000)?;
        link.send(ok("second"))
    });
    let balancer = Balancer::before(&[Reserved::new().address, second.address()]);
    let mut client = balancer.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n{body}"));
    assert_eq!(client.reply().body, "second");
}

#[test]
fn a_broken_connection_goes_on_unless_the_request_must_not_be_repeated() {
    let first = closing();
    goes_on(first.address(), "", GET);
    goes_on(first.address(), "proxy_next_upstream error non_idempotent;", POST);
    ends_with(first.address(), "", POST, 502);
    ends_with(first.address(), "proxy_next_upstream timeout;", GET, 502);
    assert_eq!(first.all().matches("POST").count(), 2);
}

#[test]
fn an_idempotent_request_with_its_body_goes_on() {
    let first = Scripted::start(|link, _| link.until("body").map(|_| ()));
    goes_on(first.address(), "", &POST.replace("POST", "PUT"));
}

#[test]
fn a_body_that_only_one_server_has_seen_does_not_go_on() {
    let first = Scripted::start(|link, _| {
        link.head()?;
        link.swallow(200_000)
    });
    let second = Scripted::named("second");
    let balancer = Balancer::before_with(&[first.address(), second.address()], "", "proxy_request_buffering off;");
    let body = "x".repeat(200_000);
    let request = format!("PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n{body}");
    let answer = balancer.ask(request);
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(second.all(), "");
}

#[test]
fn a_silent_server_is_a_timeout() {
    let first = silent();
    let location = |rule| format!("proxy_read_timeout 200ms; proxy_next_upstream {rule};");
    goes_on(first.address(), &location("error timeout"), GET);
    ends_with(first.address(), &location("error"), GET, 504);
    ends_with(first.address(), &location("off"), GET, 504);
    ends_with(first.address(), &location("error timeout"), POST, 504);
    goes_on(first.address(), &location("timeout non_idempotent"), POST);
}

#[test]
fn a_server_that_does_not_accept_is_a_timeout() {
    let full = Full::new();
    goes_on(full.address, "proxy_connect_timeout 200ms;", POST);
    ends_with(full.address, "proxy_connect_timeout 200ms; proxy_next_upstream error;", GET, 504);
}

#[test]
fn statuses_go_on_if_they_are_named() {
    let first = unwilling();
    goes_on(first.address(), "proxy_next_upstream http_503;", GET);
    goes_on(first.address(), "proxy_next_upstream http_503 non_idempotent;", POST);
    ends_with(first.address(), "", GET, 503);
    ends_with(first.address(), "proxy_next_upstream http_502;", GET, 503);
    ends_with(first.address(), "proxy_next_upstream http_503;", POST, 503);
}

#[test]
fn the_last_server_s_own_answer_is_passed_on() {
    let (first, second) = (unwilling(), unwilling());
    let servers = [first.address(), second.address()];
    let balancer = Balancer::before_with(&servers, "", "proxy_next_upstream http_503;");
    let answer = balancer.ask(GET);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nbusy"), "{answer}");
    assert!(answer.contains("\r\nRetry-After: 7\r\n"), "{answer}");
    assert_eq!((first.received().len(), second.received().len()), (1, 1));
}

#[test]
fn a_broken_answer_goes_on_if_it_is_named() {
    let first = Scripted::answering("what?\r\n\r\n");
    goes_on(first.address(), "proxy_next_upstream invalid_header;", GET);
    ends_with(first.address(), "proxy_next_upstream error timeout;", GET, 502);
}

#[test]
fn tries_are_counted() {
    let servers: Vec<_> = (0..4).map(|_| closing()).collect();
    let addresses: Vec<_> = servers.iter().map(Scripted::address).collect();
    for (location, tries) in [("proxy_next_upstream_tries 2;", 2), ("proxy_next_upstream_tries 0;", 4)] {
        let before: usize = servers.iter().map(|server| server.received().len()).sum();
        let balancer = Balancer::before_with(&addresses, "", location);
        assert!(balancer.ask(GET).starts_with("HTTP/1.1 502 "));
        let after: usize = servers.iter().map(|server| server.received().len()).sum();
        assert_eq!(after - before, tries, "{location}");
    }
}

#[test]
fn time_for_tries_is_limited() {
    let (first, second) = (silent(), Scripted::named("second"));
    let location = "proxy_read_timeout 400ms; proxy_next_upstream_timeout 200ms;";
    let balancer = Balancer::before_with(&[first.address(), second.address()], "", location);
    let answer = balancer.ask(GET);
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert_eq!(second.all(), "");
}

/// A server whose queue of connections is full: a new one is neither accepted nor refused.
struct Full {
    address: SocketAddr,
    _listener: std::os::fd::OwnedFd,
    _queued: Vec<std::net::TcpStream>,
}

impl Full {
    fn new() -> Self {
        use rustix::net::{AddressFamily, SocketFlags, SocketType};
        let listener = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .expect("a socket");
        rustix::net::bind(&listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        rustix::net::listen(&listener, 0).expect("it listens");
        let address = rustix::net::getsockname(&listener).expect("an address").try_into().expect("an IPv4 address");
        let mut queued = Vec::new();
        let wait = std::time::Duration::from_millis(200);
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, wait) {
            queued.push(stream);
            assert!(queued.len() < 64, "the queue does not fill");
        }
        Self { address, _listener: listener, _queued: queued }
    }
}
