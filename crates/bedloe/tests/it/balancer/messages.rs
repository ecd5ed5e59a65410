//! Requests as HTTP/1.0 and 1.1 have them: pipelining, keep-alive, HEAD, Expect, and the answers' fields byte by byte.

use std::sync::mpsc;

use crate::support::balancer::{Balancer, proxying};
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_request_and_its_answer_byte_by_byte() {
    let upstream = Scripted::answering("HTTP/1.1 200 Fine\r\nServer: Liberty\r\nX: 1\r\nContent-Length: 2\r\n\r\nhi");
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send("GET /a?b=c HTTP/1.1\r\nHost: A.example:81\r\nAccept: x/y\r\n\r\n");
    let reply = client.reply();
    let expected = "HTTP/1.1 200 OK\r\nServer: bedloe\r\nX: 1\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n";
    assert_eq!((reply.head.as_str(), reply.body.as_str()), (expected, "hi"));
    assert_eq!(upstream.all(), "GET /a?b=c HTTP/1.1\r\nHost: app\r\nAccept: x/y\r\n\r\n");
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let upstream = Scripted::start(|link, _| {
        loop {
            let head = link.head()?;
            link.send(ok(head.split(' ').nth(1).unwrap_or_default()))?;
        }
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    let requests: String = (0..500).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(requests);
    for n in 0..500 {
        assert_eq!(client.reply().body, format!("/{n}"));
    }
}

#[test]
fn a_request_behind_a_streamed_body_is_kept_whole() {
    let (go, wait) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Scripted::start(move |link, _| {
        loop {
            if link.head()?.starts_with("POST") {
                link.until("END")?;
                let _ = wait.lock().map(|wait| wait.recv());
                link.send(ok("posted"))?;
            } else {
                link.send(ok("got"))?;
            }
        }
    });
    let balancer = Balancer::before_with(&[upstream.address()], "", "proxy_request_buffering off;");
    let mut client = balancer.connect();
    let body = "x".repeat(60_000) + "END";
    // The next request comes in two pieces: one right behind the body, one while the server is still at work.
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
    upstream.wait_for("\r\n\r\n");
    client.send(format!("{body}GET /1 HTTP/1.1\r\nX: "));
    upstream.wait_for("END");
    client.send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    go.send(()).expect("the server waits");
    assert_eq!(client.reply().body, "posted");
    assert_eq!(client.reply().body, "got");
    let seen = upstream.all();
    let last = seen.rsplit("END").next();
    assert_eq!(last, Some("GET /1 HTTP/1.1\r\nHost: app\r\nX: GET /smuggled HTTP/1.1\r\n\r\n"));
}

#[test]
fn http_1_0_clients() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before(&[upstream.address()]);
    let closed = "HTTP/1.1 200 OK\r\nServer: bedloe\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    assert_eq!(balancer.ask("GET / HTTP/1.0\r\n\r\n"), closed);
    let mut client = balancer.connect();
    for _ in 0..3 {
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(client.reply().field("connection"), Some("keep-alive"));
    }
    // A HTTP/1.0 request goes on as 1.1 over the kept connection, without what was said of the client's own.
    let request = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";
    assert_eq!(upstream.received(), [request.repeat(4)]);
}

#[test]
fn keepalive_requests_and_timeout() {
    let upstream = Scripted::named("hi");
    let http = proxying(&[upstream.address()], "", "keepalive_requests 3; keepalive_timeout 60s 40s;");
    let balancer = Balancer::start(&http);
    let mut client = balancer.connect();
    for connection in ["keep-alive", "keep-alive", "close"] {
        client.send(GET);
        let reply = client.reply();
        assert_eq!(reply.field("connection"), Some(connection));
        assert_eq!(reply.field("keep-alive"), (connection == "keep-alive").then_some("timeout=40"));
    }
    assert_eq!(client.rest(), "");
    let balancer = Balancer::start(&proxying(&[upstream.address()], "", "keepalive_timeout 0;"));
    assert!(balancer.ask(GET).contains("Connection: close"));
    let balancer = Balancer::start(&proxying(&[upstream.address()], "", "keepalive_timeout 200ms;"));
    assert!(balancer.ask(GET).contains("Connection: keep-alive"), "and then it is closed");
}

#[test]
fn a_head_answer_has_no_body() {
    let upstream = Scripted::start(|link, _| {
        for answer in ["Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "\r\n"] {
            link.head()?;
            link.send(format!("HTTP/1.1 200 OK\r\n{answer}"))?;
        }
        link.closed()
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send("HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
    assert_eq!(
        client.head(),
        "HTTP/1.1 200 OK\r\nServer: bedloe\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"
    );
    for _ in 0..2 {
        assert_eq!(client.head(), "HTTP/1.1 200 OK\r\nServer: bedloe\r\nConnection: keep-alive\r\n\r\n");
    }
    assert_eq!(upstream.received(), ["HEAD /1 HTTP/1.1\r\nHost: app\r\n\r\n".repeat(3)]);
}

#[test]
fn a_get_sent_on_as_head_leaves_the_connection_whole() {
    let upstream = Scripted::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    let balancer = Balancer::before_with(&[upstream.address()], "", "proxy_method HEAD;");
    let mut client = balancer.connect();
    for _ in 0..2 {
        client.send(GET);
        let reply = client.reply();
        assert_eq!((reply.status(), reply.body.as_str()), (200, ""));
    }
    assert_eq!(upstream.all(), "HEAD / HTTP/1.1\r\nHost: app\r\n\r\n".repeat(2));
}
