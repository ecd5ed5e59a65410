//! Clients that send what costs us more than them: each is cut off and logged, and others are served meanwhile.

use super::before;
use crate::support::admin;
use crate::support::balancer::{Balancer, pause, proxying};
use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, GOAWAY, HEADERS, PING, PRIORITY,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, get, post, start,
};
use crate::support::http2::{Client, run};
use crate::support::scripted::Scripted;

/// Sends `piece`, for the n-th time, until the balancer closes; the code of its GOAWAY, if that arrived.
fn flood(balancer: &Balancer, most: u32, piece: impl Fn(u32) -> Vec<u8>) -> Option<u32> {
    let mut client = Frames::to(balancer.address());
    let mut writer = client.raw.another_handle();
    let pieces: Vec<Vec<u8>> = (0..most).map(piece).collect();
    let sender = std::thread::spawn(move || {
        for chunk in pieces.chunks(100) {
            if std::io::Write::write_all(&mut writer, &chunk.concat()).is_err() {
                return;
            }
        }
    });
    let goaway = client.next_of(&[GOAWAY]).map(|goaway| goaway.code());
    while client.next().is_some() {}
    drop(client);
    sender.join().expect("no panic");
    goaway
}

/// Others are served, and soon there is no connection left and no request at the server.
fn assert_well(balancer: &Balancer) {
    run(async { assert_eq!(Client::to(balancer.address()).await.get("/").await.text(), "hi") });
    while admin::status(&balancer.admin())["connections"] != 0 {
        pause();
    }
    let status = admin::status(&balancer.admin());
    assert_eq!(status["upstreams"][0]["servers"][0]["in_flight"], 0, "{status}");
    assert!(balancer.peak_memory_kib() < 32 * 1024, "{} KiB", balancer.peak_memory_kib());
}

#[test]
fn frames_that_are_no_message() {
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "");
    for (piece, text) in [
        (frame(PING, 0, 0, &[7; 8]), "too many HTTP/2 PING frames"),
        (frame(SETTINGS, 0, 0, &[]), "too many HTTP/2 SETTINGS frames"),
        (frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9].repeat(100)), "too many HTTP/2 SETTINGS frames"),
        (frame(PRIORITY, 0, 5, &[0, 0, 0, 0, 1]), "too many HTTP/2 frames beside requests"),
        (frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]), "too many HTTP/2 frames beside requests"),
        (frame(0xbe, 0, 0, &[]), "too many HTTP/2 frames beside requests"),
    ] {
        let code = flood(&balancer, 200_000, |_| piece.clone());
        assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{text}: {code:?}");
        balancer.logged("error.log", text);
    }
    assert_well(&balancer);
}

#[test]
fn streams_that_are_reset_as_soon_as_they_are_opened() {
    let upstream = Scripted::start(|link, _| link.closed());
    let balancer = before(&[upstream.address()], "");
    let code = flood(&balancer, 50_000, |n| {
        let stream = 2 * n + 1;
        [get(stream, "/reset", &[]), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    balancer.logged("error.log", "connection closed");
    while admin::status(&balancer.admin())["connections"] != 0 {
        pause();
    }
    let sent = upstream.all().matches("GET /reset").count();
    // Those whose reset comes in a later read than they.
    assert!(sent <= 20, "{sent} requests got as far as a server");
}

#[test]
fn faults_that_each_cost_a_reset() {
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "");
    let code = flood(&balancer, 50_000, |n| get(2 * n + 1, "/", &[("te", "gzip")]));
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    balancer.logged("error.log", "connection closed");
    assert_well(&balancer);
}

#[test]
fn more_streams_than_were_offered() {
    let upstream = Scripted::start(|link, _| link.closed());
    let balancer = before(&[upstream.address()], "");
    let code = flood(&balancer, 50_000, |n| get(2 * n + 1, "/many", &[]));
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    balancer.logged("error.log", "connection closed");
    let sent = upstream.all().matches("GET /many").count();
    assert!(sent <= 128, "{sent} requests at a time");
}

#[test]
fn requests_that_come_with_the_fault_that_ends_the_connection() {
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "");
    let mut client = Frames::to(balancer.address());
    let requests = (0..10).flat_map(|n| get(2 * n + 1, "/late", &[]));
    // DATA for the connection itself: RFC 9113, section 6.1.
    client.send(requests.chain(frame(DATA, 0, 0, b"x")).collect::<Vec<u8>>());
    assert!(client.next_of(&[GOAWAY]).is_some());
    while client.next().is_some() {}
    drop(client);
    assert_well(&balancer);
    assert_eq!(upstream.all().matches("GET /late").count(), 0, "nobody could have been answered");
}

#[test]
fn heads_without_an_end() {
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "");
    let head = frame(HEADERS, END_STREAM, 1, &block(&start("GET", "/")));
    for piece in [vec![], block(&[("x", "y")]), block(&[("x", &"y".repeat(16_000))])] {
        let code = flood(&balancer, 20_000, |n| {
            let more = frame(CONTINUATION, 0, 1, &piece);
            if n == 0 { [head.clone(), more].concat() } else { more }
        });
        assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    }
    // A name that stands in the table is a byte on the wire and 4 KiB in the list, each time.
    let long = "z".repeat(4_000);
    let mut bomb = vec![0x40];
    bomb.extend(&block(&[("x", &long)])[1..]);
    let first = frame(HEADERS, END_STREAM | END_HEADERS, 1, &[block(&start("GET", "/")), bomb].concat());
    let code = flood(&balancer, 100, |n| match n {
        0 => first.clone(),
        _ => frame(
            HEADERS,
            END_STREAM | END_HEADERS,
            2 * n + 1,
            &[block(&start("GET", "/")), vec![0xbe; 10_000]].concat(),
        ),
    });
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    assert_well(&balancer);
}

#[test]
fn data_that_brings_nothing() {
    let upstream = Scripted::start(|link, _| link.closed());
    let balancer = before(&[upstream.address()], "");
    for piece in [frame(DATA, 0, 1, b""), frame(DATA, 8, 1, &[1, 0])] {
        let code =
            flood(
                &balancer,
                200_000,
                |n| {
                    if n == 0 { [post(1, "/", &[]), piece.clone()].concat() } else { piece.clone() }
                },
            );
        assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    }
    balancer.logged("error.log", "connection closed");
}

#[test]
fn a_window_that_stays_shut() {
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "send_timeout 300ms;");
    // SETTINGS_INITIAL_WINDOW_SIZE 0: no answer's body can be sent.
    let mut client = Frames::with_settings(balancer.address(), &[(4, 0)]);
    for n in 0..100 {
        client.send(get(2 * n + 1, "/", &[]));
    }
    let mut resets = 0;
    while resets < 100 {
        let frame = client.next_of(&[RST_STREAM, DATA]).expect("the connection stays");
        assert_eq!(frame.kind, RST_STREAM);
        resets += 1;
    }
    drop(client);
    assert_well(&balancer);
}

#[test]
fn answers_that_nobody_reads() {
    let body = "y".repeat(1024 * 1024);
    let upstream = Scripted::answering(crate::support::scripted::ok(&body));
    let http = proxying(&[upstream.address()], "", "");
    let balancer = Balancer::start(&http.replace("listen LISTEN;", "listen LISTEN http2; send_timeout 300ms;"));
    // The largest windows there can be, and then the client reads nothing.
    let mut client = Frames::with_settings(balancer.address(), &[(4, 0x7fff_ffff)]);
    client.send(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0, 0]));
    for n in 0..100 {
        client.send(get(2 * n + 1, "/", &[]));
    }
    while admin::status(&balancer.admin())["connections"] != 0 {
        pause();
    }
    assert!(balancer.peak_memory_kib() < 32 * 1024, "{} KiB", balancer.peak_memory_kib());
}
