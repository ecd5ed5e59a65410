//! Answers of an upstream that are broken, contradict themselves or say too much: the request fails or is cut off, and
//! no byte of one reaches another client.

use std::sync::{Mutex, mpsc};

use crate::support::balancer::Balancer;
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// The second connection answers well.
fn once(answer: impl AsRef<[u8]>) -> Scripted {
    let answer = answer.as_ref().to_vec();
    Scripted::start(move |link, index| {
        loop {
            link.head()?;
            link.send(if index == 0 { answer.clone() } else { ok("good").into_bytes() })?;
        }
    })
}

#[test]
fn bodies_that_break_off_are_cut_off() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n",
    ];
    for answer in answers {
        let upstream = Scripted::start(move |link, _| {
            link.head()?;
            link.send(answer)
        });
        let balancer = Balancer::before(&[upstream.address()]);
        let mut client = balancer.connect();
        client.send(GET.repeat(2));
        let got = client.rest();
        assert!(!got.ends_with("0\r\n\r\n"), "{answer:?} looks finished: {got:?}");
        assert_eq!(got.matches("HTTP/1.1 ").count(), 1, "{answer:?} got {got:?}");
        balancer.logged("error.log", "the answer is cut off");
    }
}

#[test]
fn broken_chunks_are_a_502_or_cut_off_once_an_answer_has_begun() {
    for chunks in ["3\nabc\r\n", "zz\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3;\x01\r\nabc\r\n", "ffffffffffffffffff\r\n"] {
        let upstream = once(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
        let balancer = Balancer::before(&[upstream.address()]);
        let mut client = balancer.connect();
        client.send(GET);
        assert_eq!(client.reply().status(), 502, "{chunks:?}");
        balancer.logged("error.log", "upstream sent a broken body");
        // The client's connection goes on, the server's does not.
        client.send(GET);
        assert_eq!(client.reply().body, "good", "{chunks:?}");
        assert_eq!(upstream.received().len(), 2, "{chunks:?}");
        let (go, wait) = mpsc::channel();
        let wait = Mutex::new(wait);
        let upstream = Scripted::start(move |link, _| {
            link.head()?;
            link.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            let _ = wait.lock().map(|wait| wait.recv());
            link.send(chunks)?;
            link.closed()
        });
        let balancer = Balancer::before(&[upstream.address()]);
        let mut client = balancer.connect();
        client.send(GET.repeat(2));
        client.head();
        go.send(()).expect("the server waits");
        let got = client.rest();
        assert!(!got.contains("0\r\n\r\n"), "{chunks:?} got {got:?}");
        balancer.logged("error.log", "the answer is cut off");
    }
}

#[test]
fn bytes_behind_an_answer_never_reach_another_request() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let answers = [
        ok("fine") + evil,
        ok("fine") + "x",
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n{evil}"),
        format!("HTTP/1.1 204 No Content\r\n\r\n{evil}"),
        format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 43\r\n\r\n{evil}"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{evil}"),
    ];
    for answer in answers {
        let upstream = once(&answer);
        let balancer = Balancer::before(&[upstream.address()]);
        let mut client = balancer.connect();
        client.send(GET.repeat(2));
        client.reply();
        assert_eq!(client.reply().body, "good", "{answer:?}");
        assert!(balancer.ask(GET_CLOSE).ends_with("good"), "{answer:?}");
        assert_eq!(upstream.received()[0].matches("GET").count(), 1, "{answer:?}");
    }
}

#[test]
fn a_body_behind_a_head_answer_never_reaches_another_request() {
    let upstream = once(ok("evil"));
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send(format!("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n{GET}"));
    assert!(client.head().contains("Content-Length: 4\r\n"));
    assert_eq!(client.reply().body, "good");
}

#[test]
fn bytes_that_come_while_a_connection_is_idle_never_reach_another_request() {
    let upstream = Scripted::start(|link, index| {
        link.head()?;
        link.send(ok("good"))?;
        if index == 0 {
            // What the next request waits for: it comes over a connection of its own.
            link.send(ok("evil"))?;
        }
        link.closed()
    });
    let balancer = Balancer::before(&[upstream.address()]);
    for _ in 0..2 {
        assert!(balancer.ask(GET_CLOSE).ends_with("good"));
        balancer.logged("access.log", "200");
    }
}

#[test]
fn a_connection_that_says_close_is_not_used_again() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngood")?;
        link.closed()
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send(GET.repeat(2));
    for _ in 0..2 {
        let reply = client.reply();
        assert_eq!((reply.body.as_str(), reply.field("connection")), ("good", Some("keep-alive")));
    }
    assert_eq!(upstream.received().len(), 2);
}

#[test]
fn an_answer_with_odd_but_valid_parts_passes() {
    let upstream = Scripted::answering("HTTP/1.1 299\r\nX:\r\nY: \t a \t\r\ncontent-length:2\r\nZ: \u{e9}\r\n\r\nhi");
    let balancer = Balancer::before(&[upstream.address()]);
    let answer = balancer.ask(GET_CLOSE);
    assert!(answer.starts_with("HTTP/1.1 299"), "{answer:?}");
    assert!(answer.ends_with("\r\nZ: \u{e9}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"), "{answer:?}");
}

#[test]
fn the_head_of_an_answer_may_be_as_large_as_proxy_buffer_size_says() {
    let field = "x".repeat(40_000);
    let upstream = Scripted::answering(format!("HTTP/1.1 200 OK\r\nX: {field}\r\nContent-Length: 2\r\n\r\nhi"));
    for (location, status) in
        [("", 502), ("proxy_buffer_size 4k;", 502), ("proxy_buffer_size 128k; proxy_buffers 4 128k;", 200)]
    {
        let balancer = Balancer::before_with(&[upstream.address()], "", location);
        let answer = balancer.ask("GET / HTTP/1.0\r\n\r\n");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{location}");
        assert_eq!(answer.contains(&field), status == 200, "{location}");
    }
}
