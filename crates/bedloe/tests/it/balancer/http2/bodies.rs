//! Bodies both ways: lengths, chunks, trailers, windows, what becomes of one that ends early.

use bytes::Bytes;

use super::before;
use crate::support::frames::{DATA, END_STREAM, Frames, HEADERS, RST_STREAM, frame, get, post};
use crate::support::http2::{Client, request, run, send_all, whole};
use crate::support::scripted::{Scripted, ok};

/// Some MiB: more than all buffers on the way together.
const LARGE: usize = 8 * 1024 * 1024;

#[test]
fn request_bodies() {
    let upstream = Scripted::start(|link, _| {
        let head = link.head()?;
        link.until(if head.contains("chunked") { "\r\n\r\n" } else { "END" })?;
        link.send(ok("done"))
    });
    let balancer = before(&[upstream.address()], "");
    run(async {
        let client = Client::to(balancer.address()).await;
        let mut counted = request("POST", "/counted");
        counted.headers_mut().insert("content-length", "8".parse().unwrap());
        assert_eq!(client.ask(counted, Some(&["hello", "END"])).await.unwrap().text(), "done");
        assert_eq!(client.ask(request("PUT", "/open"), Some(&["hello", "END"])).await.unwrap().text(), "done");
        let mut requests = client.requests.clone().ready().await.unwrap();
        let (answer, mut stream) = requests.send_request(request("POST", "/trailers"), false).unwrap();
        stream.send_data(Bytes::from_static(b"x"), false).unwrap();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        trailers.insert("content-length", "9".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
    });
    let all = upstream.all();
    assert!(all.contains("POST /counted HTTP/1.1\r\nHost: app\r\nContent-Length: 8\r\n\r\nhelloEND"), "{all}");
    assert!(all.contains("PUT /open HTTP/1.1\r\nHost: app\r\nContent-Length: 8\r\n\r\nhelloEND"), "{all}");
    assert!(
        all.ends_with("1\r\nx\r\n0\r\nx-sum: 1\r\n\r\n"),
        "trailers that would frame the message are dropped: {all}"
    );
}

#[test]
fn answer_bodies() {
    for (answer, body, trailer) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "hello", Some("1")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 2\r\n\r\n", "", Some("2")),
        ("HTTP/1.1 200 OK\r\n\r\nhello", "hello", None),
        ("HTTP/1.0 200 OK\r\n\r\n", "", None),
    ] {
        let upstream = Scripted::start(move |link, _| {
            link.head()?;
            link.send(answer)
        });
        let balancer = before(&[upstream.address()], "");
        let got = run(async { Client::to(balancer.address()).await.get("/").await });
        assert_eq!(got.text(), body, "{answer}");
        let trailers = got.trailers.unwrap_or_default();
        assert_eq!(trailers.get("x-t").and_then(|value| value.to_str().ok()), trailer, "{answer}");
        assert!(got.fields.get("transfer-encoding").is_none());
    }
}

#[test]
fn an_answer_that_is_cut_off_is_reset() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let upstream = Scripted::start(move |link, _| {
            link.head()?;
            link.send(answer)
        });
        let balancer = before(&[upstream.address()], "");
        let mut client = Frames::to(balancer.address());
        client.send(get(1, "/", &[]));
        let mut data = Vec::new();
        let end = loop {
            let frame = client.next_of(&[DATA, RST_STREAM]).expect("the connection goes on");
            match frame.kind {
                DATA => data.extend(frame.payload),
                _ => break frame.code(),
            }
            assert_eq!(frame.flags & END_STREAM, 0, "{answer}");
        };
        assert_eq!((&*data, end), (&b"hello"[..], 2), "{answer}");
        balancer.logged("error.log", "the answer is cut off");
    }
}

#[test]
fn large_bodies_both_ways() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.swallow(LARGE)?;
        link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"))?;
        link.send(vec![b'y'; LARGE])
    });
    let balancer = before(&[upstream.address()], "client_max_body_size 0;");
    run(async {
        let client = Client::to(balancer.address()).await;
        let mut requests = client.requests.clone().ready().await.unwrap();
        let mut request = request("POST", "/");
        request.headers_mut().insert("content-length", LARGE.to_string().parse().unwrap());
        let (answer, mut stream) = requests.send_request(request, false).unwrap();
        assert_eq!(send_all(&mut stream, LARGE).await, LARGE);
        let (body, _) = whole(answer.await.unwrap().into_body()).await.unwrap();
        assert!(body.len() == LARGE && body.iter().all(|byte| *byte == b'y'));
    });
    assert!(balancer.peak_memory_kib() < 10 * 1024, "{} KiB", balancer.peak_memory_kib());
}

#[test]
fn a_server_is_read_no_faster_than_its_client_reads() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 16 * LARGE))?;
        link.send(vec![b'y'; 16 * LARGE])
    });
    let balancer = before(&[upstream.address()], "");
    run(async {
        let client = Client::to(balancer.address()).await;
        let mut requests = client.requests.clone().ready().await.unwrap();
        let (slow, _) = requests.send_request(request("GET", "/slow"), true).unwrap();
        let slow = slow.await.unwrap();
        // The other streams of the connection have windows of their own.
        assert_eq!(slow.status(), 200);
        let mut body = slow.into_body();
        let mut taken = 0;
        while taken < LARGE {
            let piece = body.data().await.unwrap().unwrap();
            taken += piece.len();
            body.flow_control().release_capacity(piece.len()).unwrap();
        }
    });
    assert!(balancer.peak_memory_kib() < 10 * 1024, "{} KiB", balancer.peak_memory_kib());
    balancer.logged("access.log", "GET /slow");
}

#[test]
fn an_upstream_never_has_the_whole_of_a_body_that_goes_on() {
    let upstream = Scripted::start(|link, _| link.closed());
    for frames in [
        // More than announced, in one frame and in two; less; and none where there should be none.
        [post(1, "/", &[("content-length", "3")]), frame(DATA, END_STREAM, 1, b"abcd")].concat(),
        [post(1, "/", &[("content-length", "3")]), frame(DATA, 0, 1, b"abc"), frame(DATA, END_STREAM, 1, b"d")]
            .concat(),
        [post(1, "/", &[("content-length", "3")]), frame(DATA, END_STREAM, 1, b"ab")].concat(),
        [post(1, "/", &[("content-length", "0")]), frame(DATA, END_STREAM, 1, b"a")].concat(),
        [post(1, "/", &[("content-length", "9")]), frame(DATA, 0, 1, b"ab"), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])]
            .concat(),
    ] {
        let balancer = before(&[upstream.address()], "");
        let mut client = Frames::to(balancer.address());
        client.send(&frames);
        if !frames.ends_with(&[0, 0, 0, 8]) {
            let reset = client.next_of(&[HEADERS, RST_STREAM]).expect("the connection goes on");
            assert_eq!((reset.kind, reset.code()), (RST_STREAM, 1), "{frames:?}");
        }
    }
    let received = upstream.received();
    assert!(received.iter().all(|bytes| !bytes.ends_with("abc") && !bytes.contains("Length: 0")), "{received:?}");
}

#[test]
fn a_body_that_is_too_large_is_413_and_leaves_the_connection() {
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "client_max_body_size 10;");
    run(async {
        let client = Client::to(balancer.address()).await;
        let mut counted = request("POST", "/counted");
        counted.headers_mut().insert("content-length", "11".parse().unwrap());
        let mut requests = client.requests.clone().ready().await.unwrap();
        let (answer, _stream) = requests.send_request(counted, false).unwrap();
        assert_eq!(answer.await.unwrap().status(), 413);
        let (answer, mut stream) = requests.send_request(request("POST", "/open"), false).unwrap();
        stream.send_data(Bytes::from_static(b"hello world"), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 413);
        assert_eq!(client.get("/").await.text(), "hi");
    });
    assert!(!upstream.all().contains("POST"));
}

#[test]
fn a_slow_body_ends_at_its_time() {
    let upstream = Scripted::start(|link, _| link.closed());
    let balancer = before(&[upstream.address()], "client_body_timeout 300ms;");
    for fields in [&[("content-length", "10")][..], &[]] {
        let mut client = Frames::to(balancer.address());
        client.send([post(1, "/", fields), frame(DATA, 0, 1, b"abc")].concat());
        assert!(client.next_of(&[RST_STREAM]).is_some(), "{fields:?}");
        assert!(balancer.logged("access.log", " 408 ").contains("POST"));
    }
}

#[test]
fn a_reset_ends_the_request_at_the_server() {
    let upstream = Scripted::start(|link, _| link.closed());
    let balancer = before(&[upstream.address()], "");
    let mut client = Frames::to(balancer.address());
    client.send(get(1, "/waits", &[]));
    upstream.wait_for("GET /waits");
    client.send(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    balancer.logged("access.log", "\"GET /waits HTTP/2.0\" 499 ");
    client.send(get(3, "/too", &[]));
    upstream.wait_for("GET /too");
    drop(client);
    balancer.logged("access.log", "\"GET /too HTTP/2.0\" 499 ");
}
