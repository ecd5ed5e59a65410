//! Literal requests: what is read out of them, and what is refused.

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
        ("$WSRA", "2", Known::Other, NameKind::Liberty),
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

#[test]
fn field_lines() {
    use Refusal::*;
    for line in ["X:", "X: \t ", "X:y:z", "X: \u{e9}", "X:\ty\tz\t", "!#$%&'*+.^_`|~: x"] {
        accepted(get("/", &format!("{line}\r\n")).as_bytes());
    }
    accepted(b"GET / HTTP/1.1\nHost: a\nX: y\n\n");
    accepted(b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\n");
    let cases: &[(&str, Refusal)] = &[
        ("X : y\r\n", SpaceBeforeColon),
        ("X\t: y\r\n", SpaceBeforeColon),
        ("X \r\n", SpaceBeforeColon),
        ("X: y\r\n z\r\n", Folded),
        ("X: y\r\n\tz\r\n", Folded),
        ("X:\r\n y\r\n", Folded),
        (" X: y\r\n", Folded),
        (": y\r\n", FieldName),
        ("X\r\n", FieldName),
        ("X y: z\r\n", FieldName),
        ("X(: z\r\n", FieldName),
        ("X\u{e9}: z\r\n", FieldName),
        ("X\0: z\r\n", FieldName),
        ("X: \0\r\n", FieldValue),
        ("X: y\x0bz\r\n", FieldValue),
        ("X:\x7f\r\n", FieldValue),
        ("X: y\rZ: z\r\n", BareCr),
        ("X: y\r\r\n", BareCr),
        ("X:\ry\r\n", BareCr),
        ("X\r: y\r\n", BareCr),
        ("\rX: y\r\n", BareCr),
    ];
    for &(line, refusal) in cases {
        refused(get("/", line).as_bytes(), refusal);
    }
}

#[test]
fn hosts() {
    use Refusal::*;
    let head = accepted(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!((head.host, head.host_name), (None, Span::default()));
    for (host, name) in [("a", "a"), ("a.b:80", "a.b"), ("A.:", "A"), ("[::1]:80", "[::1]"), ("a_b.:1", "a_b")] {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(text(accepted(bytes.as_bytes()).host_name, &bytes), name, "{host}");
    }
    for host in ["", " ", "a b", "a/b", "u@a", "a..b", "a:x", "[::1", "\u{e9}", "a,b:c"] {
        refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(), Host);
        refused(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes(), Host);
    }
    refused(b"GET / HTTP/1.1\r\n\r\n", HostMissing);
    refused(b"GET http://a/ HTTP/1.1\r\n\r\n", HostMissing);
    refused(get("/", "Host: a\r\n").as_bytes(), HostRepeated);
    refused(get("/", "host: b\r\n").as_bytes(), HostRepeated);
    refused(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", HostRepeated);
}

#[test]
fn targets_in_other_forms() {
    let cases = [
        ("GET", "http://b/c?d", "b", "/c?d"),
        ("GET", "HTTPS://b:8443/", "b:8443", "/"),
        ("GET", "http://b", "b", "/"),
        ("GET", "http://[::1]:80//c", "[::1]:80", "//c"),
        ("OPTIONS", "*", "a", "*"),
        ("OPTIONS", "/c", "a", "/c"),
        ("CONNECT", "b:443", "a", "b:443"),
    ];
    for (method, target, host, path) in cases {
        let bytes = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = accepted(bytes.as_bytes());
        assert_eq!((head.host.map(|host| text(host, &bytes)), text(head.path, &bytes)), (Some(host), path), "{target}");
        assert_eq!(text(head.target, &bytes), target);
    }
    for target in ["http:///c", "http://u@b/", "http://b:x/", "http://"] {
        refused(get(target, "").as_bytes(), Refusal::Host);
    }
    for target in ["http://b?c", "http://b#c", "http:/b", "http://b/c#d"] {
        refused(get(target, "").as_bytes(), Refusal::Target);
    }
}

#[test]
fn lengths() {
    use Refusal::*;
    let framing = |fields: &str| accepted(get("/", fields).as_bytes()).framing;
    assert_eq!(framing(""), Framing::None);
    assert_eq!(framing("Content-Length: 0\r\n"), Framing::Length(0));
    assert_eq!(framing("Content-Length: 0005\r\n"), Framing::Length(5));
    assert_eq!(framing("content-length:9223372036854775807\r\n"), Framing::Length(i64::MAX as u64));
    assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Framing::Chunked);
    for value in [
        "",
        "+5",
        "-5",
        "5,5",
        "5, 6",
        "5 5",
        "0x5",
        "5a",
        "5.",
        "\u{665}",
        "9223372036854775808",
        "18446744073709551621",
    ] {
        refused(get("/", &format!("Content-Length: {value}\r\n")).as_bytes(), ContentLength);
    }
}

#[test]
fn lengths_that_contradict_and_codings() {
    use Refusal::*;
    let cases = [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", ContentLengthRepeated),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", ContentLengthRepeated),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", BothLengths),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", BothLengths),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked, chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked, gzip\r\n", TransferEncoding),
        ("Transfer-Encoding: ,chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked,\r\n", TransferEncoding),
        ("Transfer-Encoding:\r\n", TransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", TransferCodingUnknown),
        ("Transfer-Encoding: gzip\r\n", TransferCodingUnknown),
        ("Transfer-Encoding: identity\r\n", TransferCodingUnknown),
        ("Transfer-Encoding: xchunked\r\n", TransferCodingUnknown),
        ("Transfer-Encoding: chunked;a=b\r\n", TransferCodingUnknown),
        ("Transfer-Encoding: \"chunked\"\r\n", TransferCodingUnknown),
    ];
    for (fields, refusal) in cases {
        refused(get("/", fields).as_bytes(), refusal);
    }
    refused(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", TransferEncodingHttp10);
    refused(get("/", "Transfer-Encoding: \x0bchunked\r\n").as_bytes(), FieldValue);
    refused(get("/", "Transfer-Encoding : chunked\r\n").as_bytes(), SpaceBeforeColon);
}

#[test]
fn persistence() {
    let cases = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "Connection: x ,close\t, y\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed, x-close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Proxy-Connection: keep-alive\r\n", false),
    ];
    for (version, fields, keep_alive) in cases {
        let head = accepted(format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n").as_bytes());
        assert_eq!(head.keep_alive, keep_alive, "{version} {fields}");
    }
}

#[test]
fn expectations_and_upgrades() {
    let length = "Content-Length: 1\r\n";
    let expects = |fields: String| accepted(get("/", &fields).as_bytes()).expect_continue;
    assert!(expects(format!("{length}Expect: 100-Continue\r\n")));
    assert!(expects("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n".to_owned()));
    assert!(!expects(format!("{length}Expect: 200-ok\r\n")), "nginx takes no notice of others either");
    assert!(!expects("Expect: 100-continue\r\n".to_owned()), "no body to wait for");
    let old = accepted(b"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
    assert!(!old.expect_continue);

    let upgrades = |fields: &str| accepted(get("/", fields).as_bytes()).upgrade;
    assert!(upgrades("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"));
    assert!(!upgrades("Connection: Upgrade\r\n"));
    assert!(!upgrades("Upgrade: websocket\r\n"));
    assert!(!accepted(b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").upgrade);
}

#[test]
fn fields_of_this_connection_only() {
    let bytes = get(
        "/",
        "Connection: close, X-Mine, x-forwarded-for, host, content-length, cookie\r\nKeep-Alive: 5\r\nTE: trailers\r\n\
         Trailer: x\r\nUpgrade: h2c\r\nProxy-Connection: close\r\nx-mine: 1\r\nX-MINE: 2\r\nX-Mine-2: 3\r\n\
         X-Forwarded-For: 1\r\nContent-Length: 1\r\nCookie: c\r\nAccept: x\r\n",
    );
    let head = accepted(bytes.as_bytes());
    let forwarded: Vec<_> = head.fields.iter().filter(|field| !field.hop).map(|f| text(f.name, &bytes)).collect();
    assert_eq!(forwarded, ["Host", "Trailer", "X-Mine-2", "X-Forwarded-For", "Content-Length", "Accept"]);
    let options = |count: usize| get("/", &format!("Connection: {}\r\n", vec!["x"; count].join(",")));
    accepted(options(32).as_bytes());
    refused(options(33).as_bytes(), Refusal::TooManyOptions);
}

#[test]
fn empty_lines_before_a_request() {
    for (before, expected) in [("\r\n", true), ("\n", true), ("\r\n\n\r\n\r\n", true), ("\r\n\r\n\r\n\r\n\r\n", false)]
    {
        let bytes = format!("{before}{}", get("/x", "X: y\r\n"));
        let mut head = RequestHead::new();
        let result = head.parse(bytes.as_bytes(), &Limits::default());
        assert_eq!(result.is_ok(), expected, "{before:?}");
        if expected {
            assert_eq!(result, Ok(Some(bytes.len())));
            assert_eq!((text(head.target, &bytes), text(head.fields[1].value, &bytes)), ("/x", "y"));
        }
    }
    refused(b"\rGET / HTTP/1.1\r\n\r\n", Refusal::BareCr);
    for bytes in [&b""[..], b"\r", b"\r\n", b"\r\n\r"] {
        assert_eq!(RequestHead::new().parse(bytes, &Limits::default()), Ok(None));
    }
}
