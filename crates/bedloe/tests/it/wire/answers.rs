//! Answers: what the client gets of an upstream's lines, fields and bodies, and which it never gets.

use super::run::play;
use super::script::{
    GET, GET_SEEN, Row, Step, answers, cut_off, disbelieved, gets, ok, ok_seen, passed, passed_to_its_end, row, sees,
    sends,
};

const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD_SEEN: &str = "HEAD / HTTP/1.1\r\nHost: app\r\n\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const TWO: &str = "Content-Length: 2\r\n";

/// The client, after a HEAD, gets this.
fn passed_for_head(rule: &'static str, answer: impl AsRef<[u8]>, got: impl AsRef<[u8]>) -> Row {
    row(rule, [sends(HEAD), sees(HEAD_SEEN), answers(answer), gets(got)])
}

#[test]
fn rfc_9112_4_status_lines() {
    let two = |line: &str| format!("{line}\r\nContent-Length: 2\r\n\r\nhi");
    let seen =
        |line: &str| format!("{line}\r\nServer: bedloe\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi");
    play(&[
        passed(
            "9112 4: the reason is the status's own",
            two("HTTP/1.1 404 Gone fishing"),
            seen("HTTP/1.1 404 Not Found"),
        ),
        passed("9112 4: the reason may be empty", two("HTTP/1.1 200 "), seen("HTTP/1.1 200 OK")),
        passed("9112 4: or missing with its space", two("HTTP/1.1 200"), seen("HTTP/1.1 200 OK")),
        passed("9110 15: a status that nobody knows", two("HTTP/1.1 299 x"), seen("HTTP/1.1 299 ")),
        passed("9110 15: a status beyond the classes", two("HTTP/1.1 999 x"), seen("HTTP/1.1 999 ")),
        passed(
            "9110 6.2: an answer of HTTP/1.0 goes on as the balancer's own version",
            two("HTTP/1.0 200 OK"),
            seen("HTTP/1.1 200 OK"),
        ),
        passed(
            "9112 2.2: lines that end with a line feed alone",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
            seen("HTTP/1.1 200 OK"),
        ),
        disbelieved("9112 4: a status of two digits", two("HTTP/1.1 20 OK")),
        disbelieved("9112 4: a status of four digits", two("HTTP/1.1 2000 OK")),
        disbelieved("9112 4: a status below the classes", two("HTTP/1.1 099 x")),
        disbelieved("9112 4: a status with a sign", two("HTTP/1.1 +20 OK")),
        disbelieved("9112 4: two spaces before the status", two("HTTP/1.1  200 OK")),
        disbelieved("9112 4: no status", two("HTTP/1.1 OK")),
        disbelieved("9112 4: a control character in the reason", two("HTTP/1.1 200 O\x01K")),
        disbelieved("9112 4: a bare CR in the reason", two("HTTP/1.1 200 O\rK")),
        disbelieved("9112 2.3: another major version", two("HTTP/2 200 OK")),
        disbelieved("9112 2.3: another protocol", two("ICY 200 OK")),
        disbelieved("9112 2.3: no head at all", "hello\r\n\r\n"),
        disbelieved("9112 2.3: frames of HTTP/2", "\0\0\x12\x04\0\0\0\0\0"),
        disbelieved("9112 2.2: an empty line before it", format!("\r\n{}", two("HTTP/1.1 200 OK"))),
    ]);
}

#[test]
fn rfc_9112_5_fields() {
    let fields = |fields: &str| ok(&format!("{fields}{TWO}"), "hi");
    let seen = |fields: &str| ok_seen(&format!("{fields}{TWO}"), "hi");
    play(&[
        passed(
            "9110 5.3: fields of one name stay in their order",
            fields("Set-Cookie: a=1\r\nX: 1\r\nset-cookie: b=2\r\n"),
            seen("Set-Cookie: a=1\r\nX: 1\r\nset-cookie: b=2\r\n"),
        ),
        passed(
            "9112 5: white space behind a value does not go on",
            fields("X: \t a \t\r\nY:b\r\nZ:\r\n"),
            seen("X: \t a\r\nY:b\r\nZ:\r\n"),
        ),
        passed(
            "9110 5.5: letters beyond ASCII are opaque",
            b"HTTP/1.1 200 OK\r\nX: \xc3\xa9\xff\r\nContent-Length: 2\r\n\r\nhi",
            [
                b"HTTP/1.1 200 OK\r\nServer: bedloe\r\nX: \xc3\xa9\xff\r\n".as_slice(),
                b"Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
            ]
            .concat(),
        ),
        passed(
            "9110 7.6.1: Connection ends here, and what it names",
            fields("Connection: X, keep-alive\r\nX: 1\r\nY: 2\r\n"),
            seen("Y: 2\r\n"),
        ),
        passed(
            "9110 7.6.1: Keep-Alive and Proxy-Connection end here unnamed",
            fields("Keep-Alive: timeout=5\r\nProxy-Connection: x\r\n"),
            seen(""),
        ),
        passed("9110 7.8: Upgrade ends here unnamed", fields("Upgrade: h2c\r\n"), seen("")),
        passed("9110 7.6.3: Via goes on", fields("Via: 1.1 p.example\r\n"), seen("Via: 1.1 p.example\r\n")),
        passed(
            "9110 7.7: what is said of caching and content goes on",
            fields("Cache-Control: no-transform\r\nContent-Encoding: gzip\r\nAge: 1\r\nWarning: 1\r\n"),
            seen("Cache-Control: no-transform\r\nContent-Encoding: gzip\r\nAge: 1\r\nWarning: 1\r\n"),
        ),
        passed(
            "9110 11.7: a proxy's challenge goes on",
            fields("Proxy-Authenticate: Basic\r\nWWW-Authenticate: Basic\r\n"),
            seen("Proxy-Authenticate: Basic\r\nWWW-Authenticate: Basic\r\n"),
        ),
        passed(
            "9110 10.2.4, 6.6.1: Server and Date are the balancer's",
            fields("Server: x\r\nDate: never\r\n"),
            seen(""),
        ),
        disbelieved("9112 5.1: a space before the colon", fields("X : 1\r\n")),
        disbelieved("9112 5.1: no colon", fields("no colon\r\n")),
        disbelieved("9110 5.6.2: a name that is no token", fields("X@: b\r\n")),
        disbelieved("9112 5.2: a folded field", fields("X: 1\r\n 2\r\n")),
        disbelieved("9110 5.5: NUL in a value", fields("X: \0\r\n")),
        disbelieved("9110 5.5: a control character in a value", fields("X: \x01\r\n")),
        disbelieved("9112 2.2: a bare CR in a value", fields("X: a\rY: b\r\n")),
        disbelieved("9110 5.4: a field over its limit", fields(&format!("X: {}\r\n", "x".repeat(100_000)))),
        disbelieved("9110 5.4: too many fields", fields(&"X: 1\r\n".repeat(1_001))),
    ]);
}

#[test]
fn rfc_9112_6_lengths() {
    play(&[
        passed("9112 6.2: so many bytes", ok(TWO, "hi"), ok_seen(TWO, "hi")),
        passed(
            "9112 6.2: what comes behind them is nobody's",
            ok(TWO, "hiHTTP/1.1 200 OK\r\n\r\nevil"),
            ok_seen(TWO, "hi"),
        ),
        passed_to_its_end(
            "9112 6.3: without a length up to the connection's end, passed on in chunks",
            ok("", "hi"),
            ok_seen(CHUNKED, "2\r\nhi\r\n0\r\n\r\n"),
        ),
        passed_to_its_end(
            "9112 6.3: of HTTP/1.0 too",
            "HTTP/1.0 200 OK\r\n\r\nhi",
            ok_seen(CHUNKED, "2\r\nhi\r\n0\r\n\r\n"),
        ),
        disbelieved(
            "9112 6.1: Transfer-Encoding beside a length",
            ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "3\r\nbad\r\n0\r\n\r\n"),
        ),
        disbelieved("9112 6.1: a coding that is not served", ok("Transfer-Encoding: gzip\r\n", "bad")),
        disbelieved("9112 6.1: one under chunked", ok("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
        disbelieved("9112 6.1: chunked that is not last", ok("Transfer-Encoding: chunked, gzip\r\n", "bad")),
        disbelieved(
            "9112 6.1: Transfer-Encoding in HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n",
        ),
        disbelieved("9112 6.3: two lengths that differ", ok("Content-Length: 3\r\nContent-Length: 30\r\n", "bad")),
        disbelieved("9112 6.3: two lengths that are alike", ok("Content-Length: 3\r\nContent-Length: 3\r\n", "bad")),
        disbelieved("9112 6.3: a list of lengths", ok("Content-Length: 3, 3\r\n", "bad")),
        disbelieved("9112 6.3: less than nothing", ok("Content-Length: -1\r\n", "bad")),
        disbelieved("9112 6.3: no number", ok("Content-Length: x\r\n", "bad")),
        disbelieved("9112 6.3: beyond 63 bits", ok("Content-Length: 9223372036854775808\r\n", "bad")),
        cut_off(
            "9112 8: fewer bytes than said",
            ok("Content-Length: 5\r\n", "abc"),
            ok_seen("Content-Length: 5\r\n", "abc"),
        ),
        row(
            "9112 8: a head that breaks off",
            [sends(GET), sees(GET_SEEN), answers("HTTP/1.1 200 OK\r\nX: 1\r\n"), Step::Hangs, Step::PageAndGoesOn(502)],
        ),
        row("9112 8: no answer at all", [sends(GET), sees(GET_SEEN), Step::Hangs, Step::PageAndGoesOn(502)]),
    ]);
}

#[test]
fn rfc_9112_7_1_chunks() {
    let chunks = |chunks: &str| ok(CHUNKED, chunks);
    let seen = |chunks: &str| ok_seen(CHUNKED, chunks);
    play(&[
        passed(
            "9112 7.1: sizes in any letters, extensions end here",
            chunks("00A;x=y\r\n0123456789\r\n000;x\r\n\r\n"),
            seen("a\r\n0123456789\r\n0\r\n\r\n"),
        ),
        passed(
            "9112 7: the coding's name in any letters",
            ok("transfer-encoding: CHUNKED\r\n", "0\r\n\r\n"),
            seen("0\r\n\r\n"),
        ),
        passed(
            "9112 7.1.2: trailers go on",
            ok("Trailer: T\r\nTransfer-Encoding: chunked\r\n", "0\r\nT:  1 \r\n\r\n"),
            ok_seen("Trailer: T\r\nTransfer-Encoding: chunked\r\n", "0\r\nT: 1\r\n\r\n"),
        ),
        passed(
            "9110 6.5.1: but none that frames, or is needed before the body",
            chunks("0\r\nContent-Length: 9\r\nSet-Cookie: a\r\nLocation: /\r\nT: 1\r\n\r\n"),
            seen("0\r\nT: 1\r\n\r\n"),
        ),
        passed(
            "9112 6.3: what comes behind them is nobody's",
            chunks("0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil"),
            seen("0\r\n\r\n"),
        ),
        row(
            "9112 6.1: a client of HTTP/1.0 gets plain content up to the close",
            [
                sends("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                sees(GET_SEEN),
                answers(chunks("1\r\nh\r\n1\r\ni\r\n0\r\nT: 1\r\n\r\n")),
                gets("HTTP/1.1 200 OK\r\nServer: bedloe\r\nConnection: close\r\n\r\nhi"),
                Step::Closes,
            ],
        ),
        cut_off("9112 8: without the last chunk", chunks("2\r\nhi\r\n"), seen("2\r\nhi\r\n")),
        cut_off("9112 8: without the end of the last chunk", chunks("2\r\nhi\r\n0\r\n"), seen("2\r\nhi\r\n")),
        cut_off("9112 8: in the trailers", chunks("2\r\nhi\r\n0\r\nT: 1\r\n"), seen("2\r\nhi\r\n")),
    ]);
}

#[test]
fn rfc_9110_answers_without_content() {
    let no_content = |fields: &str| format!("HTTP/1.1 204 No Content\r\n{fields}\r\n");
    let no_content_seen = "HTTP/1.1 204 No Content\r\nServer: bedloe\r\nConnection: keep-alive\r\n\r\n";
    let not_modified = |fields: &str| format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n");
    let not_modified_seen =
        |fields: &str| format!("HTTP/1.1 304 Not Modified\r\nServer: bedloe\r\n{fields}Connection: keep-alive\r\n\r\n");
    play(&[
        passed("9110 15.3.5: 204 has none", no_content(""), no_content_seen),
        passed("9110 8.6: 204 has no length", no_content(TWO), no_content_seen),
        passed("9112 6.1: 204 has no coding", no_content(CHUNKED) + "0\r\n\r\n", no_content_seen),
        passed("9112 6.3: what comes behind a 204 is nobody's", no_content("") + "evil", no_content_seen),
        passed(
            "9110 15.4.5: 304 has none, and says of the content what it would be",
            not_modified("ETag: \"1\"\r\nVary: x\r\nContent-Length: 9\r\n"),
            not_modified_seen("ETag: \"1\"\r\nVary: x\r\nContent-Length: 9\r\n"),
        ),
        passed("9112 6.3: a coding in a 304 is no body", not_modified(CHUNKED), not_modified_seen("")),
        passed("9112 6.3: what comes behind a 304 is nobody's", not_modified("") + "evil", not_modified_seen("")),
        passed(
            "9110 15.3.6: a 205 ends as it says",
            "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 205 Reset Content\r\nServer: bedloe\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
        ),
        passed_for_head(
            "9110 9.3.2: HEAD has none, and its length goes on",
            ok("Content-Length: 5\r\n", ""),
            ok_seen("Content-Length: 5\r\n", ""),
        ),
        passed_for_head("9110 9.3.2: HEAD without a length", ok("", ""), ok_seen("", "")),
        passed_for_head("9112 6.3: a coding in an answer to HEAD is no body", ok(CHUNKED, ""), ok_seen("", "")),
        passed_for_head(
            "9112 6.3: what comes behind an answer to HEAD is nobody's",
            ok("Content-Length: 4\r\n", "evil"),
            ok_seen("Content-Length: 4\r\n", ""),
        ),
        passed_for_head(
            "9110 9.3.2: a failure's page for HEAD",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nServer: bedloe\r\nContent-Length: 9\r\nConnection: keep-alive\r\n\r\n",
        ),
    ]);
}

#[test]
fn rfc_9110_15_2_interim_answers() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    play(&[
        passed(
            "9110 15.2.1: 100 is for the balancer",
            format!("HTTP/1.1 100 Continue\r\n\r\n{}", ok(TWO, "hi")),
            ok_seen(TWO, "hi"),
        ),
        passed(
            "9110 15.2: others end here, as with nginx where early_hints is not set",
            format!("{early}{early}{}", ok(TWO, "hi")),
            ok_seen(TWO, "hi"),
        ),
        passed(
            "9110 15.2: one with a length has no body",
            format!("HTTP/1.1 102 x\r\nContent-Length: 4\r\n\r\n{}", ok(TWO, "hi")),
            ok_seen(TWO, "hi"),
        ),
        disbelieved(
            "9110 15.2.2: 101 that nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nbad",
        ),
        disbelieved("9110 15.2: without an end", early.repeat(100) + &ok(TWO, "hi")),
        row(
            "9110 15.2: interim answers and then nothing",
            [sends(GET), sees(GET_SEEN), answers(early), Step::Hangs, Step::PageAndGoesOn(502)],
        ),
    ]);
}
