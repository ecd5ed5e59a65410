//! Requests that HTTP/2 forbids, or that could be read in two ways as HTTP/1.1: by literal frames, refused before
//! anything is forwarded.

use super::before;
use crate::support::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, RST_STREAM, block, frame, get, start,
};
use crate::support::scripted::Scripted;

/// How a request is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// By an answer.
    Status(u16),
    /// By a reset of its stream.
    Stream,
    /// With the connection.
    Connection,
}

/// Sends each on a connection of its own.
fn check(cases: &[(&str, Vec<u8>, Refused)]) {
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "");
    let mut wrong = Vec::new();
    for (name, bytes, expected) in cases {
        let mut client = Frames::to(balancer.address());
        client.send(bytes);
        let first = client.next_of(&[HEADERS, RST_STREAM, GOAWAY]);
        let got = match first {
            Some(frame) if frame.kind == HEADERS => Refused::Status(frame.status().expect("a status with a number")),
            Some(frame) if frame.kind == RST_STREAM => Refused::Stream,
            _ => Refused::Connection,
        };
        if got != *expected {
            wrong.push(format!("{name}: {got:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(upstream.all(), "", "nothing is forwarded");
    let mut client = Frames::to(balancer.address());
    client.send(get(1, "/", &[]));
    assert_eq!(client.next_of(&[HEADERS]).expect("an answer").status(), Some(200), "the balancer serves on");
}

fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields))
}

#[test]
fn fields_of_one_connection() {
    let case = |name: &'static str, value: &str| (name, get(1, "/", &[(name, value)]), Refused::Stream);
    check(&[
        case("connection", "close"),
        case("keep-alive", "timeout=5"),
        case("proxy-connection", "close"),
        case("transfer-encoding", "chunked"),
        case("upgrade", "h2c"),
        case("te", "gzip"),
        case("te", "trailers, gzip"),
    ]);
}

#[test]
fn names_and_values() {
    check(&[
        ("capitals", get(1, "/", &[("X-Upper", "1")]), Refused::Connection),
        ("an empty name", get(1, "/", &[("", "1")]), Refused::Connection),
        ("a space", get(1, "/", &[("x y", "1")]), Refused::Connection),
        ("a colon", get(1, "/", &[("x:y", "1")]), Refused::Connection),
        ("a line end in a name", get(1, "/", &[("x\r\ny", "1")]), Refused::Connection),
        ("a line end", get(1, "/", &[("x", "1\r\ny: 2")]), Refused::Connection),
        ("a line feed", get(1, "/", &[("x", "1\ny: 2")]), Refused::Connection),
        ("a carriage return", get(1, "/", &[("x", "1\ry")]), Refused::Connection),
        ("a zero byte", get(1, "/", &[("x", "1\0y")]), Refused::Connection),
        ("a space before", get(1, "/", &[("x", " 1")]), Refused::Status(400)),
        ("a tab behind", get(1, "/", &[("x", "1\t")]), Refused::Status(400)),
    ]);
}

#[test]
fn paths() {
    check(&[
        ("none", headers(&[(":method", "GET"), (":scheme", "http"), (":authority", "a")]), Refused::Stream),
        ("empty", get(1, "", &[]), Refused::Stream),
        ("no slash", get(1, "x", &[]), Refused::Stream),
        ("another host", get(1, "http://b/", &[]), Refused::Stream),
        ("an asterisk for GET", get(1, "*", &[]), Refused::Status(400)),
        ("a space", get(1, "/a b", &[]), Refused::Stream),
        ("a request behind it", get(1, "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /", &[]), Refused::Stream),
        ("a line feed", get(1, "/a\nb", &[]), Refused::Stream),
        ("a control character", get(1, "/a\x01b", &[]), Refused::Stream),
        ("a delete", get(1, "/a\x7fb", &[]), Refused::Stream),
        ("beyond the root", get(1, "/../x", &[]), Refused::Status(400)),
    ]);
}

#[test]
fn hosts() {
    let with = |authority: &str, host: &[(&str, &str)]| {
        let start = [(":method", "GET"), (":scheme", "http"), (":authority", authority), (":path", "/")];
        headers(&[&start[..], host].concat())
    };
    let without = |host: &[(&str, &str)]| {
        headers(&[&[(":method", "GET"), (":scheme", "http"), (":path", "/")][..], host].concat())
    };
    check(&[
        ("none", without(&[]), Refused::Status(400)),
        ("two that differ", with("a", &[("host", "b")]), Refused::Status(400)),
        ("two by name", with("a", &[("host", "a"), ("host", "a")]), Refused::Status(400)),
        ("a path in it", without(&[("host", "a/b")]), Refused::Status(400)),
        ("a user in it", with("u@a", &[]), Refused::Status(400)),
        ("a space in it", with("a b", &[]), Refused::Stream),
        ("a line end in it", with("a\r\nx: y", &[]), Refused::Stream),
    ]);
}

#[test]
fn pseudo_fields() {
    let all = start("GET", "/");
    check(&[
        ("no method", headers(&all[1..]), Refused::Stream),
        ("no scheme", headers(&[all[0], all[2], all[3]]), Refused::Stream),
        ("two methods", headers(&[&all[..], &[all[0]]].concat()), Refused::Stream),
        ("two paths", headers(&[&all[..], &[all[3]]].concat()), Refused::Stream),
        ("unknown", headers(&[&all[..], &[(":x", "y")]].concat()), Refused::Connection),
        ("a status", headers(&[&all[..], &[(":status", "200")]].concat()), Refused::Stream),
        ("late", headers(&[&[("x", "y")], &all[..]].concat()), Refused::Stream),
        ("a method that is none", headers(&[&[(":method", "G T")], &all[1..]].concat()), Refused::Connection),
        ("a protocol", headers(&[&all[..], &[(":protocol", "websocket")]].concat()), Refused::Stream),
    ]);
}

#[test]
fn lengths() {
    let post =
        |fields: &[(&str, &str)]| frame(HEADERS, END_HEADERS, 1, &block(&[&start("POST", "/")[..], fields].concat()));
    check(&[
        ("none", post(&[("content-length", "")]), Refused::Status(400)),
        ("no number", post(&[("content-length", "x")]), Refused::Stream),
        ("a sign", post(&[("content-length", "+5")]), Refused::Stream),
        ("a list", post(&[("content-length", "5, 5")]), Refused::Stream),
        ("two", post(&[("content-length", "5"), ("content-length", "6")]), Refused::Stream),
        ("without a body", get(1, "/", &[("content-length", "5")]), Refused::Stream),
    ]);
}

#[test]
fn large_heads() {
    let long = "x".repeat(9_000);
    let many: Vec<(String, &str)> = (0..1_100).map(|n| (format!("x-{n}"), "")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let upstream = Scripted::named("hi");
    let balancer = before(&[upstream.address()], "");
    for (name, bytes, status) in [
        ("a field", get(1, "/", &[("x", &long)]), 400),
        ("a path", get(1, &format!("/{long}"), &[]), 414),
        ("all of it", split(&[("a", &long[..8_000]); 5]), 431),
        ("the number of fields", split(&many), 431),
    ] {
        let mut client = Frames::to(balancer.address());
        client.send(bytes);
        let head = client.next_of(&[HEADERS, GOAWAY]).expect("an answer");
        assert_eq!(head.kind, HEADERS, "{name}");
        // HPACK has no number for 414 and 431: the access log tells.
        if let Some(told) = head.status() {
            assert_eq!(told, status, "{name}");
        }
        if status == 414 {
            balancer.logged("access.log", " 414 ");
        }
    }
    assert_eq!(upstream.all(), "");
}

/// HEADERS and CONTINUATION, for a block longer than a frame.
fn split(fields: &[(&str, &str)]) -> Vec<u8> {
    let block = block(&[&start("GET", "/")[..], fields].concat());
    let mut frames = frame(HEADERS, END_STREAM, 1, b"");
    for piece in block.chunks(16_000) {
        frames.extend(frame(CONTINUATION, 0, 1, piece));
    }
    [frames, frame(CONTINUATION, END_HEADERS, 1, b"")].concat()
}
