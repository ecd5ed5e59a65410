//! Bodies of requests: where they end, and what must not be taken for one.

use super::run::play;
use super::script::{
    ANSWER, ANSWER_SEEN, Step, answers, forwarded, get, get_seen, gets, post, post_seen, refused, row, sees, sends,
};

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

#[test]
fn rfc_9112_6_1_transfer_encoding() {
    let chunked = |fields: &str| post(fields, "0\r\n\r\n");
    let seen = post_seen("Content-Length: 0\r\n", "");
    play(&[
        forwarded("9112 7: the coding's name in any letters", chunked("transfer-encoding: \t CHUNKed \t\r\n"), &seen),
        forwarded(
            "9112 6.1: a GET may have one",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            get_seen("Content-Length: 2\r\n") + "hi",
        ),
        forwarded(
            "9112 6.1: to a server of HTTP/1.0 goes a length",
            "POST /1.0/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\nT: 1\r\n\r\n",
            "POST /1.0/ HTTP/1.0\r\nHost: app\r\nContent-Length: 2\r\n\r\nhi",
        ),
        refused("9112 6.1: beside a length", chunked("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400),
        refused("9112 6.1: before a length", chunked("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400),
        refused(
            "9112 6.1: in HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        refused("9112 6.1: a coding that is not served", chunked("Transfer-Encoding: gzip\r\n"), 501),
        refused("9112 6.1: one under chunked", chunked("Transfer-Encoding: gzip, chunked\r\n"), 501),
        refused("9112 7: identity is none any more", chunked("Transfer-Encoding: identity\r\n"), 501),
        refused("9112 7: a name that only ends like it", chunked("Transfer-Encoding: xchunked\r\n"), 501),
        refused("9112 7: it has no parameters", chunked("Transfer-Encoding: chunked;q=1\r\n"), 501),
        refused("9112 7: nor quotes", chunked("Transfer-Encoding: \"chunked\"\r\n"), 501),
        refused("9112 6.3: chunked that is not last", chunked("Transfer-Encoding: chunked, gzip\r\n"), 400),
        refused("9112 6.1: chunked twice", chunked("Transfer-Encoding: chunked, chunked\r\n"), 400),
        refused(
            "9112 6.1: chunked in two fields",
            chunked("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            400,
        ),
        refused(
            "9112 6.1: two fields that differ",
            chunked("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
            400,
        ),
        refused("9112 6.1: an empty element behind it", chunked("Transfer-Encoding: chunked,\r\n"), 400),
        refused("9112 6.1: an empty one", chunked("Transfer-Encoding: \r\n"), 400),
        refused("9112 6.1: a control character before it", chunked("Transfer-Encoding: \x0bchunked\r\n"), 400),
        refused("9112 5.1: a space before its colon", chunked("Transfer-Encoding : chunked\r\n"), 400),
        refused("9112 5.1: a tab before its colon", chunked("Transfer-Encoding\t: chunked\r\n"), 400),
        refused("9112 5.2: a space before its name", chunked(" Transfer-Encoding: chunked\r\n"), 400),
    ]);
}

#[test]
fn rfc_9112_6_2_content_length() {
    let length = |fields: &str| post(fields, "abc");
    play(&[
        forwarded(
            "9112 6.2: so many bytes",
            length("Content-Length: 3\r\n"),
            post_seen("Content-Length: 3\r\n", "abc"),
        ),
        forwarded(
            "9112 6.2: a number with zeros before it is that number",
            length("Content-Length: 003\r\n"),
            post_seen("Content-Length: 3\r\n", "abc"),
        ),
        forwarded("9112 6.3: without a length there is no body", post("", ""), post_seen("", "")),
        forwarded(
            "9110 8.6: a length of nothing",
            post("Content-Length: 0\r\n", ""),
            post_seen("Content-Length: 0\r\n", ""),
        ),
        forwarded(
            "9110 9.3.1: the body of a GET",
            get("Content-Length: 2\r\n") + "hi",
            get_seen("Content-Length: 2\r\n") + "hi",
        ),
        refused("9112 6.3: two that differ", length("Content-Length: 3\r\nContent-Length: 4\r\n"), 400),
        refused("9112 6.3: two that are alike", length("Content-Length: 3\r\nContent-Length: 3\r\n"), 400),
        refused("9112 6.3: a list", length("Content-Length: 3, 3\r\n"), 400),
        refused("9112 6.3: an empty one", length("Content-Length: \r\n"), 400),
        refused("9112 6.3: a sign", length("Content-Length: +3\r\n"), 400),
        refused("9112 6.3: less than nothing", length("Content-Length: -3\r\n"), 400),
        refused("9112 6.3: another base", length("Content-Length: 0x3\r\n"), 400),
        refused("9112 6.3: two numbers", length("Content-Length: 3 3\r\n"), 400),
        refused("9112 6.3: a parameter", length("Content-Length: 3;\r\n"), 400),
        refused("9112 6.3: beyond 63 bits", length("Content-Length: 9223372036854775808\r\n"), 400),
        refused("9112 6.3: three beyond 64 bits", length("Content-Length: 18446744073709551619\r\n"), 400),
        row(
            "9110 15.5.14: in chunks too",
            [
                sends("POST /two/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                Step::Page(413),
            ],
        ),
        row(
            "9110 15.5.14: too much for the location",
            [sends("POST /two/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), Step::Page(413)],
        ),
    ]);
}

/// Chunk framing that two readers could read in two ways, by rule.
const BROKEN_CHUNKS: [(&str, &str); 25] = [
    ("9112 7.1: a line feed alone behind a size", "3\nabc\r\n0\r\n\r\n"),
    ("9112 7.1: a line feed alone behind content", "3\r\nabc\n0\r\n\r\n"),
    ("9112 7.1: a line feed alone behind the last size", "3\r\nabc\r\n0\n\r\n"),
    ("9112 7.1: a line feed alone at the end", "3\r\nabc\r\n0\r\n\n"),
    ("9112 7.1: more content than was said", "3\r\nabcd\r\n0\r\n\r\n"),
    ("9112 7.1: a bare CR behind a size", "3\rabc\r\n0\r\n\r\n"),
    ("9112 7.1: another base", "0x3\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1: less than nothing", "-3\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1: a sign", "+3\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1: a space before a size", " 3\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1: no digit", "g\r\n"),
    ("9112 7.1: no size", "\r\n0\r\n\r\n"),
    ("9112 7.1: words behind a size", "3 x\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1: a size beyond 63 bits", "8000000000000000\r\n"),
    ("9112 7.1: a size of 64 bits", "ffffffffffffffff\r\n"),
    ("9112 7.1: three beyond 64 bits", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1: more digits than 64 bits have", "00000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1.1: an extension without a size", ";a\r\n\r\n"),
    ("9112 7.1.1: a line feed alone behind an extension", "3;a\nabc\r\n0\r\n\r\n"),
    ("9112 7.1.1: a control character in an extension", "3;a=\x01\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1.1: NUL in an extension", "3;a\0\r\nabc\r\n0\r\n\r\n"),
    ("9112 7.1.2: a space before a trailer's colon", "0\r\nX : b\r\n\r\n"),
    ("9112 7.1.2: a line feed alone behind a trailer", "0\r\nX: b\n\r\n"),
    ("9112 7.1.2: a folded trailer", "0\r\n folded\r\n\r\n"),
    ("9112 7.1.2: a control character in a trailer", "0\r\nX: \x01\r\n\r\n"),
];

#[test]
fn rfc_9112_7_1_chunks() {
    let long_extension = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(600));
    let long_trailers = format!("0\r\nX: {}\r\n\r\n", "x".repeat(9_000));
    let many_trailers = format!("0\r\n{}\r\n", "X: 1\r\n".repeat(65));
    let seen = |chunks: &str| post_seen(CHUNKED, chunks);
    let chunks = |chunks: &str| post(CHUNKED, chunks);
    let mut rows = vec![
        forwarded(
            "9112 7.1: sizes in any letters, with zeros before them",
            chunks("00A\r\n0123456789\r\n0b\r\nabcdefghijk\r\n000\r\n\r\n"),
            post_seen("Content-Length: 21\r\n", "0123456789abcdefghijk"),
        ),
        forwarded(
            "9112 7.1: line ends in content are content",
            chunks("5\r\n\r\n0\r\n\r\n0\r\n\r\n"),
            post_seen("Content-Length: 5\r\n", "\r\n0\r\n"),
        ),
        forwarded(
            "9112 7.1.1: extensions are not looked at and end here",
            chunks("1;a\r\nx\r\n1 ; b=\"c;d\"\r\ny\r\n0;e\r\n\r\n"),
            post_seen("Content-Length: 2\r\n", "xy"),
        ),
        forwarded(
            "9112 7.1.1: nor with chunks that go on as such, for they have trailers",
            chunks("1;a\r\nx\r\n1 ; b=\"c;d\"\r\ny\r\n0;e\r\nT: 1\r\n\r\n"),
            seen("1\r\nx\r\n1\r\ny\r\n0\r\nT: 1\r\n\r\n"),
        ),
        forwarded(
            "9112 7.1.2: trailers go on",
            chunks("0\r\nX-Sum:  1 \r\nx-sum: 2\r\n\r\n"),
            seen("0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n"),
        ),
        forwarded(
            "9110 6.5.1: but none that frames, routes or authenticates",
            chunks("0\r\nContent-Length: 9\r\nHost: b\r\nCookie: x\r\nContent-Type: x\r\nX: 1\r\n\r\n"),
            seen("0\r\nX: 1\r\n\r\n"),
        ),
        forwarded(
            "9110 6.6.2: Trailer goes on",
            post("Trailer: X\r\nTransfer-Encoding: chunked\r\n", "0\r\nX: 1\r\n\r\n"),
            post_seen("Trailer: X\r\nTransfer-Encoding: chunked\r\n", "0\r\nX: 1\r\n\r\n"),
        ),
    ];
    for (rule, body) in BROKEN_CHUNKS.into_iter().chain([
        ("9112 7.1.1: an extension over its limit", long_extension.as_str()),
        ("9112 7.1.2: trailers over their limit", &long_trailers),
        ("9112 7.1.2: too many trailers", &many_trailers),
    ]) {
        rows.push(refused(rule, chunks(body), 400));
    }
    play(&rows);
}

#[test]
fn rfc_9112_8_requests_that_break_off() {
    play(&[
        row("9112 8: a head", [sends("GET / HTTP/1.1\r\nHost: a\r\n"), Step::Finishes, Step::Closes]),
        row("9112 8: a body by length", [sends(post("Content-Length: 5\r\n", "abc")), Step::Finishes, Step::Closes]),
        row("9112 8: a body in chunks", [sends(post(CHUNKED, "3\r\nabc\r\n")), Step::Finishes, Step::Closes]),
        row(
            "9112 8: before the last chunk's end",
            [sends(post(CHUNKED, "3\r\nabc\r\n0\r\n")), Step::Finishes, Step::Closes],
        ),
        row("9112 8: a trailer", [sends(post(CHUNKED, "0\r\nX: 1\r\n")), Step::Finishes, Step::Closes]),
        row(
            "9112 8: the next request is not of the body",
            [
                sends(post("Content-Length: 2\r\n", "hi") + &get("X: 1\r\n")),
                sees(post_seen("Content-Length: 2\r\n", "hi")),
                answers(ANSWER),
                gets(ANSWER_SEEN),
                sees(get_seen("X: 1\r\n")),
                answers(ANSWER),
                gets(ANSWER_SEEN),
            ],
        ),
    ]);
}
