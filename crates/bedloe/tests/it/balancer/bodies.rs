//! Bodies in both directions: chunks, trailers, streaming in constant memory, `client_max_body_size`.

use crate::support::balancer::Balancer;
use crate::support::scripted::{Scripted, ok};

const MIB: usize = 1024 * 1024;
/// More than all buffers of both sides together.
const LARGE: usize = 200 * MIB;
/// What the balancer may take for it, at most.
const MEMORY_KIB: u64 = 16 * 1024;

#[test]
fn a_chunked_request_goes_on_with_its_trailers_and_without_its_extensions() {
    let upstream = Scripted::start(|link, _| {
        link.until("0\r\nT: 1\r\n\r\n")?;
        link.send(ok("hi"))
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3;x=y\r\nabc\r\n");
    client.send("02\r\nde\r\n0\r\nT:  1 \r\nContent-Length: 7\r\nHost: b\r\n$WSRA: 1\r\n\r\n");
    assert_eq!(client.reply().body, "hi");
    let head = "POST / HTTP/1.1\r\nHost: app\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(upstream.all(), format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"));
}

#[test]
fn a_chunked_answer_goes_on_with_its_trailers() {
    let upstream = Scripted::answering(
        "HTTP/1.1 200 OK\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    );
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let reply = client.reply();
        assert_eq!(reply.field("trailer"), Some("T"));
        assert_eq!(reply.body, "3\r\nabc\r\n0\r\nT: 1\r\n\r\n");
    }
    assert_eq!(upstream.received().len(), 1, "the connection is kept");
}

#[test]
fn bodies_over_the_limit_by_length_and_by_chunks() {
    let upstream = Scripted::start(|link, _| link.closed());
    let location = "client_max_body_size 30k; proxy_request_buffering off;";
    let balancer = Balancer::before_with(&[upstream.address()], "", location);
    let by_length = balancer.ask("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 30721\r\n\r\n");
    assert!(by_length.starts_with("HTTP/1.1 413 "), "{by_length}");
    assert_eq!(upstream.all(), "");
    let mut client = balancer.connect();
    client.send("POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    client.try_send(chunk.repeat(31));
    let by_chunks = client.rest();
    assert!(by_chunks.starts_with("HTTP/1.1 413 "), "{by_chunks}");
    assert!(!upstream.all().contains("\r\n0\r\n"), "an unfinished body must not look finished");
    balancer.logged("access.log", "\"POST /2 HTTP/1.1\" 413 ");
    balancer.logged("error.log", "too large body");
}

#[test]
fn a_client_that_sends_all_before_it_reads_learns_that_it_was_too_much() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 20 * MIB));
    let piece = vec![b'x'; MIB];
    for _ in 0..20 {
        client.send(&piece);
    }
    assert_eq!(client.reply().status(), 413);
    assert_eq!(upstream.all(), "");
}

#[test]
fn the_limit_is_a_mebibyte_unless_said_otherwise() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.swallow(MIB)?;
        link.send(ok("hi"))
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MIB}\r\n\r\n"));
    client.send(vec![b'x'; MIB]);
    assert_eq!(client.reply().body, "hi");
    let answer = balancer.ask(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", MIB + 1));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn a_large_request_is_streamed_or_kept_in_constant_memory() {
    for buffering in ["on", "off"] {
        large_request(&format!("client_max_body_size 0; proxy_request_buffering {buffering};"));
    }
}

fn large_request(location: &str) {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.swallow(LARGE)?;
        link.send(ok("got it"))
    });
    let balancer = Balancer::before_with(&[upstream.address()], "", location);
    let mut client = balancer.connect();
    client.send(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n"));
    let piece = vec![b'x'; MIB];
    for _ in 0..LARGE / MIB {
        client.send(&piece);
    }
    assert_eq!(client.reply().body, "got it");
    assert!(balancer.peak_memory_kib() < MEMORY_KIB, "{} KiB", balancer.peak_memory_kib());
}

#[test]
fn a_large_answer_waits_for_a_slow_reader_in_constant_memory() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"))?;
        let piece = vec![b'x'; MIB];
        (0..LARGE / MIB).try_for_each(|_| link.send(&piece))
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    // Nothing is read for as long as it takes to serve others; all that comes meanwhile stays with the server.
    for _ in 0..20 {
        let mut other = balancer.connect();
        other.send("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(other.bytes(1), b"H");
    }
    for _ in 0..LARGE / MIB {
        client.bytes(MIB);
    }
    assert!(balancer.peak_memory_kib() < MEMORY_KIB, "{} KiB", balancer.peak_memory_kib());
}

#[test]
fn an_early_answer_to_an_upload_reaches_the_client() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")?;
        link.closed()
    });
    let location = "client_max_body_size 0; proxy_request_buffering off;";
    let balancer = Balancer::before_with(&[upstream.address()], "", location);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.status(), reply.body.as_str()), (403, "no"));
    assert_eq!(reply.field("connection"), Some("close"));
}
