//! What a row of the tables is made of: steps on either side of the balancer, and short words for the usual ones.

use std::fmt;

/// A rule and what goes over the wire when it is kept.
#[derive(Debug)]
pub(crate) struct Row {
    /// The section of the RFC, and the rule in a few words.
    pub(crate) rule: &'static str,
    pub(crate) steps: Vec<Step>,
}

/// One step. What a side sees is compared byte by byte, without the lines of `Date`.
#[derive(Clone)]
pub(crate) enum Step {
    /// The client sends this.
    Sends(Vec<u8>),
    /// The client will send no more.
    Finishes,
    /// The next connection to the upstream brings this and, until the upstream answers, nothing else.
    Sees(Vec<u8>),
    /// The upstream sends this.
    Answers(Vec<u8>),
    /// The upstream closes the connection.
    Hangs,
    /// The upstream sees its connection closed.
    Dropped,
    /// The client gets this.
    Gets(Vec<u8>),
    /// The client gets a page of this status, and no word more: the balancer closes.
    Page(u16),
    /// The client gets a page of this status, and the connection goes on.
    PageAndGoesOn(u16),
    /// The connection is closed without another byte for the client.
    Closes,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, bytes) = match self {
            Self::Sends(bytes) => ("the client sends", bytes),
            Self::Sees(bytes) => ("the upstream sees", bytes),
            Self::Answers(bytes) => ("the upstream answers", bytes),
            Self::Gets(bytes) => ("the client gets", bytes),
            Self::Finishes => return f.write_str("the client will send no more"),
            Self::Hangs => return f.write_str("the upstream closes"),
            Self::Dropped => return f.write_str("the upstream sees the close"),
            Self::Page(status) => return write!(f, "the client gets a page {status} and the close"),
            Self::PageAndGoesOn(status) => return write!(f, "the client gets a page {status}"),
            Self::Closes => return f.write_str("the client sees the close"),
        };
        write!(f, "{step} {}", bytes.escape_ascii())
    }
}

/// What the upstream answers where a row is about the request, and what the client gets of it.
pub(crate) const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
pub(crate) const ANSWER_SEEN: &str =
    "HTTP/1.1 200 OK\r\nServer: bedloe\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi";
pub(crate) const ANSWER_SEEN_LAST: &str =
    "HTTP/1.1 200 OK\r\nServer: bedloe\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
/// What the client sends where a row is about the answer, and what the upstream sees of it.
pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
pub(crate) const GET_SEEN: &str = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";
/// Follows what must be refused: it must not be served.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

pub(crate) fn row(rule: &'static str, steps: impl Into<Vec<Step>>) -> Row {
    Row { rule, steps: steps.into() }
}

pub(crate) fn sends(bytes: impl AsRef<[u8]>) -> Step {
    Step::Sends(bytes.as_ref().to_vec())
}

pub(crate) fn sees(bytes: impl AsRef<[u8]>) -> Step {
    Step::Sees(bytes.as_ref().to_vec())
}

pub(crate) fn answers(bytes: impl AsRef<[u8]>) -> Step {
    Step::Answers(bytes.as_ref().to_vec())
}

pub(crate) fn gets(bytes: impl AsRef<[u8]>) -> Step {
    Step::Gets(bytes.as_ref().to_vec())
}

/// The request is refused with this status, its connection closed, and what follows it on the connection not served.
pub(crate) fn refused(rule: &'static str, request: impl AsRef<[u8]>, status: u16) -> Row {
    row(rule, [sends([request.as_ref(), SMUGGLED.as_bytes()].concat()), Step::Page(status)])
}

/// The upstream sees the request like this, and the connection goes on.
pub(crate) fn forwarded(rule: &'static str, request: impl AsRef<[u8]>, seen: impl AsRef<[u8]>) -> Row {
    row(rule, [sends(request), sees(seen), answers(ANSWER), gets(ANSWER_SEEN)])
}

/// The same for a request after which the connection is closed.
pub(crate) fn forwarded_last(rule: &'static str, request: impl AsRef<[u8]>, seen: impl AsRef<[u8]>) -> Row {
    row(rule, [sends(request), sees(seen), answers(ANSWER), gets(ANSWER_SEEN_LAST), Step::Closes])
}

/// The client, after a GET, gets the answer like this, and its connection goes on.
pub(crate) fn passed(rule: &'static str, answer: impl AsRef<[u8]>, got: impl AsRef<[u8]>) -> Row {
    row(rule, [sends(GET), sees(GET_SEEN), answers(answer), gets(got)])
}

/// The same for an answer that its connection's end ends.
pub(crate) fn passed_to_its_end(rule: &'static str, answer: impl AsRef<[u8]>, got: impl AsRef<[u8]>) -> Row {
    row(rule, [sends(GET), sees(GET_SEEN), answers(answer), Step::Hangs, gets(got)])
}

/// The answer cannot be believed: the client gets a 502 and nothing of it, and the upstream's connection is closed.
pub(crate) fn disbelieved(rule: &'static str, answer: impl AsRef<[u8]>) -> Row {
    row(rule, [sends(GET), sees(GET_SEEN), answers(answer), Step::PageAndGoesOn(502), Step::Dropped])
}

/// The answer breaks off: the client gets this much of it, unfinished, and the close.
pub(crate) fn cut_off(rule: &'static str, answer: impl AsRef<[u8]>, got: impl AsRef<[u8]>) -> Row {
    row(rule, [sends(GET), sees(GET_SEEN), answers(answer), Step::Hangs, gets(got), Step::Closes])
}

/// A GET with these fields.
pub(crate) fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// What the upstream sees of a GET with these fields.
pub(crate) fn get_seen(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: app\r\n{fields}\r\n")
}

/// A POST with these fields and this behind its head.
pub(crate) fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

/// What the upstream sees of such a POST.
pub(crate) fn post_seen(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: app\r\n{fields}\r\n{body}")
}

/// An upstream's answer of status 200.
pub(crate) fn ok(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}")
}

/// What the client gets of such an answer, on a connection that goes on.
pub(crate) fn ok_seen(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nServer: bedloe\r\n{fields}Connection: keep-alive\r\n\r\n{body}")
}
