//! Clients that mean harm, or are many: the balancer serves on, and nothing of them is left.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use crate::support::admin;
use crate::support::balancer::{Balancer, pause};
use crate::support::raw::Raw;
use crate::support::scripted::Scripted;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// The balancer serves, and soon has no connection but none.
fn assert_well(balancer: &Balancer) {
    assert!(balancer.ask(GET_CLOSE).ends_with("hi"));
    while admin::status(&balancer.admin())["connections"] != 0 {
        pause();
    }
    let status = admin::status(&balancer.admin());
    assert_eq!(status["upstreams"][0]["servers"][0]["in_flight"], 0, "{status}");
}

/// Bytes that look random and are the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        // Knuth's linear congruential generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

#[test]
fn garbage() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before(&[upstream.address()]);
    let mut noise = Noise(1);
    for _ in 0..200 {
        let mut client = balancer.connect();
        let bytes: Vec<u8> = (0..noise.next(3_000)).map(|_| noise.next(256) as u8).collect();
        client.try_send(bytes);
        client.finish();
        assert!(!client.rest().contains(" 200 "));
    }
    assert_well(&balancer);
}

#[test]
fn requests_with_bytes_changed() {
    let upstream = Scripted::named("hi");
    let balancer =
        Balancer::before_with(&[upstream.address()], "", "proxy_read_timeout 300ms; keepalive_timeout 300ms;");
    let whole = b"POST /a/../b?c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n\
        3\r\nabc\r\n0\r\nT: 1\r\n\r\n";
    let mut noise = Noise(2);
    for _ in 0..400 {
        let mut bytes = whole.to_vec();
        for _ in 0..=noise.next(3) {
            let at = noise.next(bytes.len());
            match noise.next(3) {
                0 => bytes[at] = noise.next(256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n \t:;,\0"[noise.next(8)]),
            }
        }
        let mut client = balancer.connect();
        client.try_send(bytes);
        client.finish();
        client.rest();
    }
    assert_well(&balancer);
}

#[test]
fn connections_that_say_nothing_or_half_of_something() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before(&[upstream.address()]);
    let mut held: Vec<Raw> = (0..200).map(|_| balancer.connect()).collect();
    for (n, client) in held.iter_mut().enumerate() {
        client.send(&GET.as_bytes()[..n % GET.len()]);
    }
    assert!(balancer.ask(GET_CLOSE).ends_with("hi"));
    // Each may still finish its request, at its own pace.
    for (n, client) in held.iter_mut().enumerate() {
        client.send(&GET.as_bytes()[n % GET.len()..]);
    }
    for client in &mut held {
        assert_eq!(client.reply().body, "hi");
    }
    drop(held);
    assert_well(&balancer);
}

#[test]
fn thousands_of_short_connections() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before(&[upstream.address()]);
    let address = balancer.address();
    let threads = [0, 1].map(|kind| {
        thread::spawn(move || {
            for n in 0..1_500 {
                let mut stream = TcpStream::connect(address).expect("a connection");
                if (n + kind) % 2 == 0 {
                    // Closed with the answer unread: a reset.
                    let _ = stream.write_all(GET.as_bytes());
                }
            }
        })
    });
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert_well(&balancer);
}

#[test]
fn a_pipeline_whose_answers_nobody_reads() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before_with(&[upstream.address()], "", "keepalive_requests 100000;");
    let mut client = balancer.connect();
    let (requests, address) = (20_000, balancer.address());
    let mut writer = client.another_handle();
    let sender = thread::spawn(move || writer.write_all(GET.repeat(requests).as_bytes()));
    // The balancer stops reading when its answers are not taken; others are served meanwhile.
    for _ in 0..20 {
        let mut other = Raw::to(address);
        other.send(GET_CLOSE);
        assert!(other.rest().ends_with("hi"));
    }
    for n in 0..requests {
        assert_eq!(client.reply().body, "hi", "{n}");
    }
    sender.join().expect("no panic").expect("all requests are taken");
    drop(client);
    assert!(balancer.peak_memory_kib() < 16 * 1024, "{} KiB", balancer.peak_memory_kib());
    assert_well(&balancer);
}

#[test]
fn a_head_byte_by_byte() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    for byte in GET_CLOSE.as_bytes() {
        client.send([*byte]);
    }
    assert!(client.rest().ends_with("hi"));
    assert_well(&balancer);
}

#[test]
fn a_slow_head_ends_at_its_time() {
    let balancer = Balancer::start("server { listen LISTEN; client_header_timeout 300ms; return 204; }");
    let mut client = balancer.connect();
    client.send("GET / HT");
    assert_eq!(client.rest(), "");
    let mut client = balancer.connect();
    assert_eq!(client.rest(), "", "one that says nothing too");
    client.try_send("G");
}

#[test]
fn a_slow_body_ends_at_its_time() {
    let upstream = Scripted::start(|link, _| link.closed());
    for buffering in ["on", "off"] {
        let location = format!("client_body_timeout 300ms; proxy_request_buffering {buffering};");
        let balancer = Balancer::before_with(&[upstream.address()], "", &location);
        for (n, fields, body) in [
            (1, "Content-Length: 10", "abc"),
            (2, "Content-Length: 100000", "abc"),
            (3, "Transfer-Encoding: chunked", "3\r\nab"),
        ] {
            // As in nginx, the log tells of it, and the client of nothing.
            assert_eq!(balancer.ask(format!("POST /{n} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}")), "");
            balancer.logged("access.log", &format!("\"POST /{n} HTTP/1.1\" 408 0 "));
        }
    }
}
