//! When a connection ends: the process drains, its number of requests or its time is over, its client stops half-way.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::before;
use crate::support::balancer::Balancer;
use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, block, frame, get,
    start,
};
use crate::support::scripted::{Scripted, ok};

const ACK: u8 = 1;

/// A server that answers when it is told to.
fn patient() -> (Scripted, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let upstream = Scripted::start(move |link, _| {
        loop {
            link.head()?;
            let _ = wait.lock().map(|wait| wait.recv());
            link.send(ok("hi"))?;
        }
    });
    (upstream, go)
}

/// The GOAWAY that announces the end, then the PING that is to find out what is under way.
fn expect_announcement(client: &mut Frames) -> Vec<u8> {
    let goaway = client.next_of(&[GOAWAY, RST_STREAM]).expect("the connection goes on");
    assert_eq!((goaway.kind, goaway.last_stream(), goaway.code()), (GOAWAY, 0x7fff_ffff, 0));
    client.next_of(&[PING]).expect("a question").payload
}

#[test]
fn quit_announces_the_end_and_finishes_what_is_in_flight() {
    let (upstream, go) = patient();
    let mut balancer = before(&[upstream.address()], "");
    let (mut busy, mut idle) = (Frames::to(balancer.address()), Frames::to(balancer.address()));
    busy.send(get(1, "/one", &[]));
    upstream.wait_for("GET /one");
    idle.next_of(&[SETTINGS]).expect("it speaks HTTP/2");
    balancer.signal(Signal::QUIT);
    for client in [&mut busy, &mut idle] {
        let question = expect_announcement(client);
        if client.raw.another_handle().peer_addr().is_ok() {
            client.send(frame(PING, ACK, 0, &question));
        }
    }
    let last = idle.next_of(&[GOAWAY]).expect("its end");
    assert_eq!((last.last_stream(), last.code()), (0, 0));
    assert_eq!(idle.next(), None);
    go.send(()).expect("it waits");
    assert_eq!(busy.next_of(&[HEADERS]).unwrap().status(), Some(200));
    let data = busy.next_of(&[DATA]).unwrap();
    assert_eq!((&*data.payload, data.flags & END_STREAM), (&b"hi"[..], END_STREAM));
    while busy.next().is_some() {}
    drop((busy, idle));
    assert_eq!(balancer.wait().code(), Some(0));
    assert!(balancer.log("access.log").contains("\"GET /one HTTP/2.0\" 200 2 "));
}

#[test]
fn a_request_that_crosses_the_announcement_is_served() {
    let upstream = Scripted::named("hi");
    let mut balancer = before(&[upstream.address()], "");
    let mut client = Frames::to(balancer.address());
    client.next_of(&[SETTINGS]).expect("it speaks HTTP/2");
    balancer.signal(Signal::QUIT);
    let question = expect_announcement(&mut client);
    client.send([get(1, "/late", &[]), frame(PING, ACK, 0, &question)].concat());
    assert_eq!(client.next_of(&[HEADERS]).unwrap().status(), Some(200));
    while client.next().is_some() {}
    drop(client);
    assert_eq!(balancer.wait().code(), Some(0));
}

#[test]
fn the_last_of_its_number_of_requests() {
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "");
    drop(balancer);
    let balancer = Balancer::start("server { listen LISTEN http2; keepalive_requests 3; return 204; }");
    let mut client = Frames::to(balancer.address());
    for n in 0..3 {
        client.send(get(2 * n + 1, "/", &[]));
        assert_eq!(client.next_of(&[HEADERS]).unwrap().status(), Some(204), "{n}");
    }
    let question = expect_announcement(&mut client);
    client.send(frame(PING, ACK, 0, &question));
    assert_eq!(client.next_of(&[GOAWAY]).unwrap().last_stream(), 5);
    assert_eq!(client.next(), None);
}

#[test]
fn idle_ones_end_at_their_time() {
    let balancer = Balancer::start(
        "server { listen LISTEN http2; keepalive_timeout 300ms; keepalive_requests 1000000; return 204; }",
    );
    let mut client = Frames::to(balancer.address());
    client.send(get(1, "/", &[]));
    assert_eq!(client.next_of(&[HEADERS]).unwrap().status(), Some(204));
    // Each request, however short, begins the time anew.
    let (began, mut stream) = (Instant::now(), 1);
    while began.elapsed() < Duration::from_millis(900) {
        stream += 2;
        client.send(get(stream, "/", &[]));
        assert_eq!(client.next_of(&[HEADERS, GOAWAY]).and_then(|head| head.status()), Some(204));
    }
    let goaway = client.next_of(&[GOAWAY]).expect("its end");
    assert_eq!((goaway.last_stream(), goaway.code()), (stream, 0));
    assert_eq!(client.next(), None);
}

#[test]
fn a_slow_start_or_head_ends_at_its_time() {
    let balancer = Balancer::start(
        "server { listen LISTEN http2; client_header_timeout 300ms; keepalive_timeout 60s; return 204; }",
    );
    let mut half = balancer.connect();
    half.send(&PREFACE[..10]);
    assert_eq!(half.rest(), "");
    let mut silent = Frames::to(balancer.address());
    assert!(silent.next_of(&[GOAWAY]).is_some(), "before its first request");
    let head = frame(HEADERS, END_STREAM | END_HEADERS, 3, &block(&start("GET", "/")));
    for cut in [&head[..4], &head[..9], &head[..20], &frame(HEADERS, END_STREAM, 3, &block(&start("GET", "/")))] {
        let mut client = Frames::to(balancer.address());
        client.send(get(1, "/", &[]));
        assert_eq!(client.next_of(&[HEADERS]).unwrap().status(), Some(204));
        client.send(cut);
        assert!(client.next_of(&[GOAWAY]).is_some(), "{cut:?}");
        assert_eq!(client.next(), None);
    }
}
