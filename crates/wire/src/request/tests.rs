use crate::{Framing, Known, Limits, NameKind, Refusal, RequestHead, Span, Version};

/// A request whose target, and whose fields after `Host: a`, are the ones given.
fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[track_caller]
fn accepted(bytes: &[u8]) -> RequestHead {
    let mut head = RequestHead::new();
    match head.parse(bytes, &Limits::default()) {
        Ok(Some(length)) => assert_eq!(length, bytes.len()),
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
    head
}

#[track_caller]
fn refused(bytes: &[u8], refusal: Refusal) {
    let result = RequestHead::new().parse(bytes, &Limits::default());
    assert_eq!(result, Err(refusal), "{}", bytes.escape_ascii());
}

fn text(span: Span, bytes: &str) -> &str {
    std::str::from_utf8(span.of(bytes.as_bytes())).expect("spans of a text")
}

#[test]
fn a_usual_request() {
    let bytes = "POST /a/b?c=d HTTP/1.1\r\nHost: example.com:8443\r\nUser-Agent:x  \r\nX_Y:\t1\r\n$WSRA: 2\r\n\
        Content-Length: 5\r\nCookie: a=b\r\n\r\nhello";
    let mut head = RequestHead::new();
    assert_eq!(head.parse(bytes.as_bytes(), &Limits::default()), Ok(Some(bytes.len() - 5)));
    assert_eq!(text(head.method, bytes), "POST");
    assert_eq!(text(head.target, bytes), "/a/b?c=d");
    assert_eq!(head.path, head.target);
    assert_eq!((head.version, head.framing), (Version::Http11, Framing::Length(5)));
    assert_eq!(head.host.map(|host| text(host, bytes)), Some("example.com:8443"));
    assert!(head.keep_alive && !head.expect_continue && !head.upgrade);
    let fields: Vec<_> =
        head.fields.iter().map(|f| (text(f.name, bytes), text(f.value, bytes), f.known, f.kind)).collect();
    let expected = [
        ("Host", "example.com:8443", Known::Host, NameKind::Plain),
        ("User-Agent", "x", Known::UserAgent, NameKind::Plain),
        ("X_Y", "1", Known::Other, NameKind::Underscore),
        ("$WSRA", "2", Known::Other, NameKind::Unusual),
        ("Content-Length", "5", Known::ContentLength, NameKind::Plain),
        ("Cookie", "a=b", Known::Cookie, NameKind::Plain),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn request_lines() {
    use Refusal::*;
    for target in ["/", "/%00?%0d", "/a//b/../c", "/a|b{}\\^`\"<>", "/\u{e9}", "//x"] {
        accepted(get(target, "").as_bytes());
    }
    let cases: &[(&[u8], Refusal)] = &[
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Version),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Method),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Method),
        (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Method),
        (b"GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n", Method),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Method),
        (b"GET /\r\n\r\n", RequestLine),
        (b"GET / \r\nHost: a\r\n\r\n", RequestLine),
        (b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", RequestLine),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", Version),
        (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", Version),
        (b"GET / HTTP/1\r\nHost: a\r\n\r\n", Version),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", VersionNotSupported),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", VersionNotSupported),
        (b"GET / HTTP/3\r\nHost: a\r\n\r\n", VersionNotSupported),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VersionNotSupported),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", BareCr),
        (b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", BareCr),
        (b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", BareCr),
    ];
    for &(bytes, refusal) in cases {
        refused(bytes, refusal);
    }
}
