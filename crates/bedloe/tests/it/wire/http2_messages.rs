//! RFC 9113 8: requests and answers in frames, what the upstream sees of them, and which never get there.

use super::http2::{Got, Move, PROTOCOL_ERROR, Row, play};
use super::script::{ANSWER, GET_SEEN};
use crate::support::frames::{CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, block, frame, get, post, start};

pub(super) fn row(rule: &'static str, moves: impl Into<Vec<Move>>) -> Row {
    Row { rule, moves: moves.into() }
}

pub(super) fn sends(frames: Vec<u8>) -> Move {
    Move::Sends(frames)
}

/// The upstream sees a GET of `/` without fields.
pub(super) fn seen() -> Move {
    Move::Sees(GET_SEEN.into())
}

pub(super) fn gets(got: Got) -> Move {
    Move::Gets(got)
}

pub(super) fn reset(stream: u32, code: u32) -> Got {
    Got::Reset(stream, code)
}

/// The frames have a GET of `/` on stream 1, which is served.
pub(super) fn answered(rule: &'static str, frames: Vec<u8>) -> Row {
    forwarded(rule, frames, GET_SEEN)
}

/// The upstream sees the request of stream 1 like this, and the client gets its answer.
fn forwarded(rule: &'static str, frames: Vec<u8>, seen: &str) -> Row {
    passed(rule, frames, seen, ANSWER, [Got::Head(1, 200, false), Got::Data(1, b"hi".to_vec(), true)])
}

/// The client gets this of the upstream's answer.
fn passed(rule: &'static str, frames: Vec<u8>, seen: &str, answer: &str, got: impl IntoIterator<Item = Got>) -> Row {
    let mut moves = vec![Move::Sends(frames), Move::Sees(seen.into()), Move::Answers(answer.into())];
    moves.extend(got.into_iter().map(Move::Gets));
    row(rule, moves)
}

/// The connection ends with this code.
pub(super) fn closed(rule: &'static str, frames: Vec<u8>, code: u32) -> Row {
    row(rule, [Move::Sends(frames), Move::Gets(Got::GoAway(code))])
}

/// Stream 1 is reset, and nothing of its request goes on.
fn refused(rule: &'static str, frames: Vec<u8>) -> Row {
    row(rule, [Move::Sends(frames), Move::Gets(reset(1, PROTOCOL_ERROR))])
}

/// The client gets a page of this status on stream 1, and nothing of the request goes on.
fn page(rule: &'static str, frames: Vec<u8>, status: u16) -> Row {
    row(rule, [Move::Sends(frames), Move::Page(status)])
}

/// HEADERS on stream 1 that end it.
fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields))
}

/// A GET with this field.
fn with(name: &str, value: &str) -> Vec<u8> {
    get(1, "/", &[(name, value)])
}

/// A POST of stream 1 with these fields and what comes behind its HEADERS.
fn posted(fields: &[(&str, &str)], more: &[Vec<u8>]) -> Vec<u8> {
    [&post(1, "/", fields)[..], &more.concat()].concat()
}

fn data(bytes: &str, flags: u8) -> Vec<u8> {
    frame(DATA, flags, 1, bytes.as_bytes())
}

#[test]
fn rfc_9113_8_1_requests() {
    let trailers = |fields: &[(&str, &str)], flags: u8| frame(HEADERS, END_HEADERS | flags, 1, &block(fields));
    let post_seen = "POST / HTTP/1.1\r\nHost: app\r\n";
    let two = [("content-length", "2")];
    play(&[
        forwarded(
            "8.1: content with a length",
            posted(&two, &[data("h", 0), data("i", END_STREAM)]),
            &format!("{post_seen}Content-Length: 2\r\n\r\nhi"),
        ),
        forwarded(
            "8.1: content without one",
            posted(&[], &[data("hi", END_STREAM)]),
            &format!("{post_seen}Content-Length: 2\r\n\r\nhi"),
        ),
        forwarded(
            "8.1: no content by an empty frame",
            posted(&[], &[data("", END_STREAM)]),
            &format!("{post_seen}Content-Length: 0\r\n\r\n"),
        ),
        forwarded(
            "8.1: trailers",
            posted(&[], &[data("hi", 0), trailers(&[("x-sum", "1")], END_STREAM)]),
            &format!("{post_seen}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n"),
        ),
        forwarded(
            "9110 6.5.1: but none that frames or routes",
            posted(
                &[],
                &[data("hi", 0), trailers(&[("host", "b"), ("content-length", "9"), ("x-sum", "1")], END_STREAM)],
            ),
            &format!("{post_seen}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n"),
        ),
        refused(
            "8.1: trailers that do not end the stream",
            posted(&[], &[data("hi", 0), trailers(&[("x-sum", "1")], 0)]),
        ),
        // Malformed; but h2 drops them without a word, and what is left is in order.
        forwarded(
            "8.3: pseudo-fields among trailers do not go on",
            posted(&[], &[data("hi", 0), trailers(&[(":path", "/x")], END_STREAM)]),
            &format!("{post_seen}Content-Length: 2\r\n\r\nhi"),
        ),
        refused("8.1.1: more content than its length", posted(&two, &[data("hi!", END_STREAM)])),
        refused("8.1.1: more content in another frame", posted(&two, &[data("hi", 0), data("!", END_STREAM)])),
        refused("8.1.1: less content than its length", posted(&two, &[data("h", END_STREAM)])),
        refused(
            "8.1.1: less content before trailers",
            posted(&two, &[data("h", 0), trailers(&[("x-sum", "1")], END_STREAM)]),
        ),
        refused("8.1.1: none at all", get(1, "/", &two)),
        refused(
            "8.1.1: two lengths",
            posted(&[("content-length", "2"), ("content-length", "3")], &[data("hi", END_STREAM)]),
        ),
        page("8.1.1: an empty length", with("content-length", ""), 400),
        refused("8.1.1: a length that is no number", posted(&[("content-length", "x")], &[data("hi", END_STREAM)])),
        refused("8.1.1: a length with a sign", posted(&[("content-length", "+2")], &[data("hi", END_STREAM)])),
        refused("8.1.1: a list of lengths", posted(&[("content-length", "2, 2")], &[data("hi", END_STREAM)])),
    ]);
}

#[test]
fn rfc_9113_8_1_answers() {
    let head = [&start("HEAD", "/")[..], &[]].concat();
    let answer =
        |rule: &'static str, answer: &str, got: Vec<Got>| passed(rule, get(1, "/", &[]), GET_SEEN, answer, got);
    let mut until_close =
        answer("8.1: content up to the connection's end ends the stream", "HTTP/1.1 200 OK\r\n\r\nhi", vec![]);
    until_close.moves.extend([
        gets(Got::Head(1, 200, false)),
        gets(Got::Data(1, b"hi".to_vec(), false)),
        Move::Hangs,
        gets(Got::Data(1, vec![], true)),
    ]);
    play(&[
        answer(
            "8.1: an answer without content ends with its head",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            vec![Got::Head(1, 200, true)],
        ),
        answer(
            "8.1: a status that HPACK has no number for",
            "HTTP/1.1 299 x\r\nContent-Length: 0\r\n\r\n",
            vec![Got::Head(1, 299, true)],
        ),
        answer(
            "8.1: chunks are frames",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            vec![Got::Head(1, 200, false), Got::Data(1, b"hi".to_vec(), true)],
        ),
        answer(
            "8.1: trailers end the stream",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n",
            vec![Got::Head(1, 200, false), Got::Data(1, b"hi".to_vec(), false), Got::Trailers(1)],
        ),
        answer(
            "8.1: interim answers end here",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            vec![Got::Head(1, 204, true)],
        ),
        answer(
            "8.1: 304 has no content",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            vec![Got::Head(1, 304, true)],
        ),
        passed(
            "8.1: nor has an answer to HEAD",
            headers(&head),
            "HEAD / HTTP/1.1\r\nHost: app\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
            vec![Got::Head(1, 200, true)],
        ),
        until_close,
    ]);
}

#[test]
fn rfc_9113_8_1_answers_that_are_broken() {
    let cut = |rule: &'static str, text: &str| {
        let mut row = passed(rule, get(1, "/", &[]), GET_SEEN, text, []);
        row.moves.extend([
            Move::Hangs,
            gets(Got::Head(1, 200, false)),
            gets(Got::Data(1, b"hi".to_vec(), false)),
            gets(reset(1, 2)),
        ]);
        row
    };
    play(&[
        cut("8.1: a length that is not reached is no end", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi"),
        cut(
            "8.1: chunks without the last are no end",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        ),
        row(
            "8.1: an answer that cannot be believed is a 502",
            [
                sends(get(1, "/", &[])),
                seen(),
                Move::Answers("HTTP/1.1 200 OK\r\nX : 1\r\n\r\n".into()),
                Move::Page(502),
            ],
        ),
        row(
            "8.6: nor is a change of the protocol",
            [
                sends(get(1, "/", &[])),
                seen(),
                Move::Answers("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n".into()),
                Move::Page(502),
            ],
        ),
    ]);
}

#[test]
fn rfc_9113_8_2_fields() {
    let seen = |fields: &str| format!("GET / HTTP/1.1\r\nHost: app\r\n{fields}\r\n");
    play(&[
        forwarded(
            "8.2: fields go on in their order",
            get(1, "/", &[("x", "1"), ("y", "2"), ("x", "3")]),
            &seen("x: 1\r\nx: 3\r\ny: 2\r\n"),
        ),
        forwarded("8.2.2: TE of trailers ends here", with("te", "trailers"), &seen("")),
        forwarded(
            "8.2.3: crumbs of a cookie are one",
            get(1, "/", &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]),
            &seen("x: y\r\ncookie: a=1; b=2\r\n"),
        ),
        closed("8.2.1: capitals in a name", with("X-Upper", "1"), PROTOCOL_ERROR),
        closed("8.2.1: no name", with("", "1"), PROTOCOL_ERROR),
        closed("8.2.1: a space in a name", with("x y", "1"), PROTOCOL_ERROR),
        closed("8.2.1: a colon in a name", with("x:y", "1"), PROTOCOL_ERROR),
        closed("8.2.1: a line end in a name", with("x\r\ny", "1"), PROTOCOL_ERROR),
        closed("8.2.1: a line end in a value", with("x", "1\r\ny: 2"), PROTOCOL_ERROR),
        closed("8.2.1: a line feed in a value", with("x", "1\ny: 2"), PROTOCOL_ERROR),
        closed("8.2.1: a carriage return in a value", with("x", "1\ry"), PROTOCOL_ERROR),
        closed("8.2.1: NUL in a value", with("x", "1\0y"), PROTOCOL_ERROR),
        page("8.2.1: a space before a value", with("x", " 1"), 400),
        page("8.2.1: a tab behind a value", with("x", "1\t"), 400),
        refused("8.2.2: Connection", with("connection", "close")),
        refused("8.2.2: Keep-Alive", with("keep-alive", "timeout=5")),
        refused("8.2.2: Proxy-Connection", with("proxy-connection", "close")),
        refused("8.2.2: Transfer-Encoding", with("transfer-encoding", "chunked")),
        refused("8.2.2: Upgrade", with("upgrade", "h2c")),
        refused("8.2.2: TE of a coding", with("te", "gzip")),
        refused("8.2.2: TE of trailers and a coding", with("te", "trailers, gzip")),
    ]);
}

#[test]
fn rfc_9113_8_3_pseudo_fields() {
    let all = start("GET", "/");
    let [method, scheme, authority, path] = all;
    let other = |method: (&'static str, &'static str), path: (&'static str, &'static str)| {
        headers(&[method, scheme, authority, path])
    };
    play(&[
        forwarded("8.3.1: in any order", headers(&[path, authority, scheme, method]), GET_SEEN),
        forwarded(
            "8.3.1: a path and query go on as they came",
            get(1, "/a/./b//%41?c=%zz&/../d", &[]),
            "GET /a/./b//%41?c=%zz&/../d HTTP/1.1\r\nHost: app\r\n\r\n",
        ),
        forwarded(
            "8.3.1: the asterisk of OPTIONS",
            other((":method", "OPTIONS"), (":path", "*")),
            "OPTIONS * HTTP/1.1\r\nHost: app\r\n\r\n",
        ),
        closed("8.3: one that nobody knows", headers(&[&all[..], &[(":x", "y")]].concat()), PROTOCOL_ERROR),
        refused("8.3: one of answers", headers(&[&all[..], &[(":status", "200")]].concat())),
        refused("8.3: behind a field", headers(&[&[("x", "y")], &all[..]].concat())),
        refused("8.3: twice", headers(&[&all[..], &[path]].concat())),
        refused("8.3.1: no method", headers(&[scheme, authority, path])),
        refused("8.3.1: no scheme", headers(&[method, authority, path])),
        refused("8.3.1: no path", headers(&[method, scheme, authority])),
        refused("8.3.1: an empty path", get(1, "", &[])),
        refused("8.3.1: a path without its slash", get(1, "x", &[])),
        refused("8.3.1: a target with a host for a path", get(1, "http://b/", &[])),
        refused("8.3.1: a space in a path", get(1, "/a b", &[])),
        refused("8.3.1: a request in a path", get(1, "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /", &[])),
        refused("8.3.1: a line feed in a path", get(1, "/a\nb", &[])),
        refused("8.3.1: a control character in a path", get(1, "/a\x01b", &[])),
        refused("8.3.1: DEL in a path", get(1, "/a\x7fb", &[])),
        page("8.3.1: the asterisk of another method", get(1, "*", &[]), 400),
        page("8.3.1: a path that leads above its root", get(1, "/../x", &[]), 400),
        closed(
            "8.3.1: a method that is no token",
            headers(&[(":method", "G T"), scheme, authority, path]),
            PROTOCOL_ERROR,
        ),
    ]);
}

#[test]
fn rfc_9113_8_3_1_authorities() {
    let host_of = |authority: &[(&str, &str)]| {
        headers(&[&[(":method", "GET"), (":scheme", "http"), (":path", "/host/")][..], authority].concat())
    };
    let seen = |host: &str| format!("GET /host/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    play(&[
        forwarded("8.3.1: the authority is the host", host_of(&[(":authority", "B.example:81")]), &seen("b.example")),
        forwarded("8.3.1: Host where there is none", host_of(&[("host", "b.example")]), &seen("b.example")),
        forwarded("8.3.1: Host that says the same", host_of(&[(":authority", "b"), ("host", "B")]), &seen("b")),
        page("8.3.1: Host that says something else", host_of(&[(":authority", "a"), ("host", "b")]), 400),
        page("8.3.1: neither", host_of(&[]), 400),
        page("8.3.1: two Hosts", host_of(&[(":authority", "a"), ("host", "a"), ("host", "a")]), 400),
        page("8.3.1: a user", host_of(&[(":authority", "u@a")]), 400),
        page("8.3.1: a path in Host", host_of(&[("host", "a/b")]), 400),
        refused("8.3.1: a space", host_of(&[(":authority", "a b")])),
        refused("8.3.1: a line end", host_of(&[(":authority", "a\r\nx: y")])),
    ]);
}

#[test]
fn rfc_9113_8_5_connect() {
    let connect = |more: &[(&str, &str)]| {
        frame(HEADERS, END_HEADERS, 1, &block(&[&[(":method", "CONNECT"), (":authority", "a:80")], more].concat()))
    };
    play(&[
        row("8.5: a tunnel is not served", [sends(connect(&[])), Move::Page(405), gets(reset(1, 0))]),
        refused("8.5: CONNECT with scheme and path", connect(&[(":scheme", "http"), (":path", "/")])),
        refused(
            "8441 4: nor is a protocol",
            headers(&[&start("CONNECT", "/")[..], &[(":protocol", "websocket")]].concat()),
        ),
        page("9110 9.3.8: TRACE is not served", headers(&start("TRACE", "/")), 405),
        row(
            "8.1: content that is too much is not waited for",
            [sends(post(1, "/two/", &[("content-length", "3")])), Move::Page(413), gets(reset(1, 0))],
        ),
    ]);
}

#[test]
fn rfc_9113_10_5_1_large_heads() {
    let (long, many) = ("x".repeat(9_000), vec![("x", ""); 1_100]);
    let path = format!("/{long}");
    play(&[
        page("10.5.1: a field over its limit", with("x", &long), 400),
        page("10.5.1: a path over its limit", get(1, &path, &[]), 414),
        row(
            "10.5.1: fields over their limit together",
            [sends(in_pieces(&[("a", &long[..8_000]); 5])), gets(Got::Head(1, 431, true))],
        ),
        row("10.5.1: too many fields", [sends(in_pieces(&many)), gets(Got::Head(1, 431, true))]),
    ]);
}

/// HEADERS and CONTINUATION of a GET with these fields, in blocks longer than a frame.
fn in_pieces(fields: &[(&str, &str)]) -> Vec<u8> {
    let block = block(&[&start("GET", "/")[..], fields].concat());
    let pieces = block.chunks(16_000).map(|piece| frame(CONTINUATION, 0, 1, piece));
    let start = frame(HEADERS, END_STREAM, 1, b"");
    [start, pieces.flatten().collect(), frame(CONTINUATION, END_HEADERS, 1, b"")].concat()
}
