//! A request that came over HTTP/2, written as an HTTP/1.1 head.
//!
//! Routing, variables, header rules, logs and the upstream all read the one form of a request that `wire` has checked,
//! so the rules that HTTP/1.1 has hold here without being written twice. What HTTP/2 adds (RFC 9113 8.2 and 8.3) is
//! checked while it is written. h2 has refused before: fields of one connection, `TE` other than `trailers`, names in
//! capital letters, control characters, pseudo-fields that are unknown, repeated, missing or late.

use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use wire::{Refusal, Version};

use crate::connection::head_limits;
use crate::downstream::Downstream;
use crate::exchange::Exchange;

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// What HTTP/1.1 refuses too.
    Head(Refusal),
    /// `:authority` and `Host` name two hosts.
    TwoHosts,
    /// `:path` is no path.
    Path,
    /// White space at an end of a value.
    Space,
}

impl Unfit {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Head(refusal) => refusal.status(),
            Self::TwoHosts | Self::Path | Self::Space => 400,
        }
    }

    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Head(refusal) => refusal.why(),
            Self::TwoHosts => "the values of :authority and Host differ",
            Self::Path => ":path does not start with a slash",
            Self::Space => "white space at the start or end of a field's value",
        }
    }
}

/// How the body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// There is none.
    None,
    /// So much is announced.
    Counted(u64),
    /// It ends when the stream does.
    Open,
}

/// Puts the head into the downstream's input and reads it into `exchange.request`.
pub(super) fn read(
    down: &mut Downstream,
    exchange: &mut Exchange,
    parts: &Parts,
    has_ended: bool,
) -> Result<Content, Unfit> {
    let content = content(&parts.headers, has_ended);
    let head = &mut exchange.to_upstream;
    head.clear();
    let written = write(parts, content, head);
    // Also of a head that is refused the log shows the first line.
    let Some(room) = down.input.reserve(head.len()) else { return Err(Unfit::Head(Refusal::HeadTooLarge)) };
    room[..head.len()].copy_from_slice(head);
    down.input.filled(head.len());
    let read = written.and_then(|()| parse(down, exchange));
    name_version(down);
    let length = read?;
    down.head_length = length;
    exchange.request.version = Version::Http2;
    exchange.record.request_bytes = length as u64;
    Ok(content)
}

fn parse(down: &Downstream, exchange: &mut Exchange) -> Result<usize, Unfit> {
    match exchange.request.parse(down.input.data(), &head_limits(&down.client)) {
        Ok(Some(length)) => Ok(length),
        // It was written whole; a line end within it would be a control character, which h2 refuses.
        Ok(None) => Err(Unfit::Head(Refusal::RequestLine)),
        Err(refusal) => Err(Unfit::Head(refusal)),
    }
}

/// `wire` reads HTTP/1 only; for variables and logs the request line says what it was.
fn name_version(down: &mut Downstream) {
    let name = Version::Http2.as_str().as_bytes();
    let head = down.input.data_mut();
    let end = memchr::memchr(b'\r', head).unwrap_or(0);
    if let Some(word) = end.checked_sub(name.len()).and_then(|from| head.get_mut(from..end)) {
        word.copy_from_slice(name);
    }
}

/// h2 has checked that a length is a number, and that all of several are the same.
fn content(headers: &HeaderMap, has_ended: bool) -> Content {
    if has_ended {
        return Content::None;
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.map_or(Content::Open, Content::Counted)
}

/// Writes as much of the head as there is to it, and says what is wrong with it.
fn write(parts: &Parts, content: Content, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let target = target(parts);
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if !target.starts_with('/')
        && parts.method != Method::CONNECT
        && !(parts.method == Method::OPTIONS && target == "*")
    {
        return Err(Unfit::Path);
    }
    write_host(parts, out)?;
    let mut cookies = 0;
    for (name, value) in &parts.headers {
        let value = value.as_bytes();
        if is_padded(value) {
            return Err(Unfit::Space);
        }
        if name == COOKIE {
            cookies += 1;
        } else if name != HOST && name != CONTENT_LENGTH {
            line(out, name.as_str(), value);
        }
    }
    if cookies > 0 {
        write_cookies(&parts.headers, out);
    }
    match (content, parts.headers.get(CONTENT_LENGTH)) {
        (_, Some(length)) => line(out, "content-length", length.as_bytes()),
        (Content::Open, None) => line(out, "transfer-encoding", b"chunked"),
        _ => {}
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn target(parts: &Parts) -> &str {
    match parts.uri.path_and_query() {
        Some(path) => path.as_str(),
        None => parts.uri.authority().map_or("", |authority| authority.as_str()),
    }
}

/// One `Host`, from `:authority` or from the field of that name (RFC 9113 8.3.1); none is left to `wire` to refuse.
fn write_host(parts: &Parts, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut fields = parts.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Unfit::Head(Refusal::HostRepeated));
    }
    match (authority, field) {
        (Some(authority), Some(field)) if !authority.eq_ignore_ascii_case(field) => Err(Unfit::TwoHosts),
        (Some(host), _) | (None, Some(host)) => {
            line(out, "host", host);
            Ok(())
        }
        (None, None) => Ok(()),
    }
}

/// One line of all cookies: HTTP/2 lets a client send them crumb by crumb (RFC 9113 8.2.3).
fn write_cookies(headers: &HeaderMap, out: &mut Vec<u8>) {
    out.extend_from_slice(b"cookie: ");
    for (n, crumb) in headers.get_all(COOKIE).iter().enumerate() {
        if n > 0 {
            out.extend_from_slice(b"; ");
        }
        out.extend_from_slice(crumb.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 9113 8.2.1.
fn is_padded(value: &[u8]) -> bool {
    matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t'])
}

/// h2's names and values hold no line end.
fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(uri: &str, fields: &[(&str, &str)], content: Content) -> Result<String, Unfit> {
        let mut request = http::Request::builder().method("GET").uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut out = Vec::new();
        write(&request.body(()).unwrap().into_parts().0, content, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn heads() {
        let none = Content::None;
        for (uri, fields, content, expected) in [
            ("https://a/x?y", &[][..], none, "GET /x?y HTTP/1.1\r\nhost: a\r\n\r\n"),
            ("/x", &[("host", "b")], none, "GET /x HTTP/1.1\r\nhost: b\r\n\r\n"),
            ("https://A/", &[("host", "a")], none, "GET / HTTP/1.1\r\nhost: A\r\n\r\n"),
            (
                "https://a/",
                &[("cookie", "b=1"), ("x", "y"), ("cookie", "c=2")],
                none,
                "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\ncookie: b=1; c=2\r\n\r\n",
            ),
            ("https://a/", &[], Content::Open, "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"),
            (
                "https://a/",
                &[("content-length", "5"), ("content-length", "5")],
                Content::Counted(5),
                "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n",
            ),
        ] {
            assert_eq!(written(uri, fields, content).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn refusals() {
        for (uri, fields, expected) in [
            ("https://a/", &[("host", "b")][..], Unfit::TwoHosts),
            ("https://a/", &[("host", "a"), ("host", "a")], Unfit::Head(Refusal::HostRepeated)),
            ("*", &[], Unfit::Path),
            ("https://a/", &[("x", " y")], Unfit::Space),
            ("https://a/", &[("x", "y\t")], Unfit::Space),
        ] {
            assert_eq!(written(uri, fields, Content::None), Err(expected), "{uri} {fields:?}");
        }
    }
}
