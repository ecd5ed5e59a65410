//! Literal answers: what is read out of them, and what an upstream may not send.

use crate::{Framing, Limits, Malformed, Refusal, ResponseHead, Version};

fn parse(bytes: &[u8], request_was_head: bool) -> Result<ResponseHead, Malformed> {
    let mut head = ResponseHead::new();
    let length = head.parse(bytes, request_was_head, &Limits::default())?;
    assert_eq!(length, Some(bytes.len()), "{}", bytes.escape_ascii());
    Ok(head)
}

#[track_caller]
fn accepted(bytes: &str) -> ResponseHead {
    parse(bytes.as_bytes(), false).unwrap_or_else(|malformed| panic!("{malformed}: {bytes}"))
}

#[track_caller]
fn refused(bytes: &[u8], malformed: Malformed) {
    assert_eq!(parse(bytes, false).err(), Some(malformed), "{}", bytes.escape_ascii());
}

#[test]
fn status_lines() {
    for (line, status, reason, version) in [
        ("HTTP/1.1 200 OK\r\n", 200, "OK", Version::Http11),
        ("HTTP/1.1 404 Not  Found \r\n", 404, "Not  Found ", Version::Http11),
        ("HTTP/1.0 299 \u{e9}t\u{e9}\r\n", 299, "\u{e9}t\u{e9}", Version::Http10),
        ("HTTP/1.1 200 \r\n", 200, "", Version::Http11),
        ("HTTP/1.1 200\r\n", 200, "", Version::Http11),
        ("HTTP/1.1 200\n", 200, "", Version::Http11),
        ("HTTP/1.1 999 x\n", 999, "x", Version::Http11),
    ] {
        let bytes = format!("{line}Content-Length: 0\r\n\r\n");
        let head = accepted(&bytes);
        assert_eq!((head.status, head.version), (status, version));
        assert_eq!(head.reason.of(bytes.as_bytes()), reason.as_bytes());
    }
    for line in [
        "",
        "\r\n",
        " HTTP/1.1 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 abc",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
        "200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1",
        "HTTP/1.1 200\r",
        "\x15\x03\x01",
    ] {
        let bytes = format!("{line}\r\nContent-Length: 0\r\n\r\n");
        refused(bytes.as_bytes(), Malformed::StatusLine);
    }
}

#[test]
fn framing_and_persistence() {
    use Framing::*;
    let cases = [
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\n", false, Length(5), true),
        ("HTTP/1.1 200 OK", "Content-Length: 0\r\n", false, Length(0), true),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n", false, Chunked, true),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nConnection: close\r\n", false, Length(5), false),
        ("HTTP/1.1 200 OK", "", false, UntilClose, false),
        ("HTTP/1.1 200 OK", "Connection: keep-alive\r\n", false, UntilClose, false),
        ("HTTP/1.0 200 OK", "Content-Length: 5\r\n", false, Length(5), false),
        ("HTTP/1.0 200 OK", "Content-Length: 5\r\nConnection: keep-alive\r\n", false, Length(5), true),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\n", true, None, true),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n", true, None, true),
        ("HTTP/1.1 200 OK", "", true, None, true),
        ("HTTP/1.1 304 Not Modified", "Content-Length: 5\r\n", false, None, true),
        ("HTTP/1.1 204 No Content", "", false, None, true),
        ("HTTP/1.1 204 No Content", "Content-Length: 0\r\n", false, None, true),
        ("HTTP/1.1 204 No Content", "Content-Length: 5\r\n", false, None, false),
        ("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked\r\n", false, None, false),
        ("HTTP/1.1 100 Continue", "", false, None, true),
        ("HTTP/1.1 103 Early Hints", "Link: x\r\n", false, None, true),
        ("HTTP/1.1 101 Switching Protocols", "Connection: upgrade\r\nUpgrade: websocket\r\n", false, None, false),
    ];
    for (line, fields, request_was_head, framing, keep_alive) in cases {
        let bytes = format!("{line}\r\n{fields}\r\n");
        let head = parse(bytes.as_bytes(), request_was_head).expect("a good answer");
        assert_eq!((head.framing, head.keep_alive), (framing, keep_alive), "{bytes}");
        assert_eq!(head.upgrade, head.status == 101);
        assert_eq!(head.is_interim(), matches!(head.status, 100 | 103));
    }
}

#[test]
fn what_an_upstream_may_not_send() {
    use Refusal::*;
    let cases = [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", ContentLengthRepeated),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", ContentLengthRepeated),
        ("Content-Length: 5,5\r\n", ContentLength),
        ("Content-Length: -1\r\n", ContentLength),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", BothLengths),
        ("Transfer-Encoding: gzip, chunked\r\n", TransferCodingUnknown),
        ("Transfer-Encoding: chunked, gzip\r\n", TransferEncoding),
        ("X : y\r\n", SpaceBeforeColon),
        ("X: y\r\n z\r\n", Folded),
        ("X: y\rz\r\n", BareCr),
        ("X: \0\r\n", FieldValue),
        ("nonsense\r\n", FieldName),
    ];
    for (fields, refusal) in cases {
        refused(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes(), Malformed::Head(refusal));
    }
    refused(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Malformed::Head(TransferEncodingHttp10));
}

#[test]
fn limits() {
    let limits = Limits { head: 64, line: 32, fields: 2 };
    let parse = |bytes: &str| ResponseHead::new().parse(bytes.as_bytes(), false, &limits);
    let head = |refusal| Err(Malformed::Head(refusal));
    assert_eq!(parse("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n"), Ok(Some(31)));
    assert_eq!(parse("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nE: f\r\n\r\n"), head(Refusal::TooManyFields));
    let long = "x".repeat(30);
    assert_eq!(parse(&format!("HTTP/1.1 200 {long}")), Err(Malformed::StatusLineTooLong));
    assert_eq!(parse(&format!("HTTP/1.1 200 OK\r\nA: {long}")), head(Refusal::FieldTooLong));
    let half = "x".repeat(24);
    assert_eq!(parse(&format!("HTTP/1.1 200 OK\r\nA: {half}\r\nB: {half}\r\n\r\n")), head(Refusal::HeadTooLarge));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(500));
    assert_eq!(ResponseHead::new().parse(many.as_bytes(), false, &Limits::default()), Ok(Some(many.len())));
}
