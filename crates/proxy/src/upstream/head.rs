//! The request as it goes to the upstream: head, and as much of the body as is here.

use route::ProxyRule;
use wire::{Body, Field, Framing, encode};

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::hops;
use crate::request::Routed;
use crate::upstream::upload::append_piece;

/// Why a request cannot be put to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// A value rendered from the request would break the head apart.
    Control,
    /// The upstream is spoken to in HTTP/1.0, which has no chunks, and the body's length is not known.
    Length,
}

impl Unfit {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Control => 400,
            Self::Length => 411,
        }
    }
}

/// Writes the request into `exchange.to_upstream`; `body` has then read what was here of the body. Tells whether the
/// body goes in chunks.
pub(crate) fn build(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    body: &mut Body,
) -> Result<bool, Unfit> {
    exchange.to_upstream.clear();
    request_line(connection, exchange, routed, rule)?;
    set_fields(connection, exchange, routed, rule)?;
    if rule.pass_headers {
        client_fields(connection, exchange, routed, rule);
    }
    if rule.replaces_body() {
        own_body(connection, exchange, routed, rule);
        return Ok(false);
    }
    append_body(connection, exchange, routed, rule, body)
}

fn request_line(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
) -> Result<(), Unfit> {
    let Exchange { request, to_upstream: out, path, maps, record, .. } = exchange;
    let facts = connection.facts(request, routed, path, record, Some(rule));
    match &rule.method {
        None => out.extend_from_slice(facts.method()),
        Some(text) => {
            text.render(&facts, &routed.site.maps, maps, out);
            if !encode::is_word(out) {
                return Err(Unfit::Control);
            }
        }
    }
    out.push(b' ');
    let from = out.len();
    let own = record.proxied.as_ref().and_then(|proxied| proxied.uri.as_ref());
    let target = facts.target();
    match own {
        Some(uri) => out.extend_from_slice(uri),
        None => rule.target(&target, out),
    }
    // A decoded path can hold anything; a space or a line end would start another request.
    let is_made = own.is_some() || rule.rewrites_target() || target.is_changed;
    if is_made && !encode::is_word(&out[from..]) {
        return Err(Unfit::Control);
    }
    out.extend_from_slice(if rule.http11 { b" HTTP/1.1\r\n" } else { b" HTTP/1.0\r\n" });
    Ok(())
}

fn set_fields(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
) -> Result<(), Unfit> {
    let Exchange { request, to_upstream: out, path, maps, record, asks_upgrade, asks_close, .. } = exchange;
    let facts = connection.facts(request, routed, path, record, Some(rule));
    for header in rule.set_headers.iter() {
        let start = out.len();
        out.extend_from_slice(&header.prefix);
        let value = out.len();
        header.value.render(&facts, &routed.site.maps, maps, out);
        if out.len() == value {
            out.truncate(start);
        } else if header.may_break_lines && encode::breaks_line(&out[value..]) {
            return Err(Unfit::Control);
        } else {
            *asks_upgrade |= header.is_upgrade && request.upgrade;
            *asks_close |= header.is_connection && closes(&out[value..]);
            out.extend_from_slice(b"\r\n");
        }
    }
    Ok(())
}

/// Whether a `Connection` says that no further request follows.
fn closes(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

fn client_fields(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, rule: &ProxyRule) {
    let Exchange { request, to_upstream: out, .. } = exchange;
    let head = connection.head_bytes();
    for field in &request.fields {
        if !passes(field, head, routed, rule) {
            continue;
        }
        match hops::left(request, head, field) {
            None => encode::copied_field(out, head, field),
            Some(left) => encode::field(out, field.name.of(head), left.to_string().as_bytes()),
        }
    }
}

fn passes(field: &Field, head: &[u8], routed: &Routed<'_>, rule: &ProxyRule) -> bool {
    routed.takes(field.kind) && !field.hop && !rule.replaces(field.name.of(head))
}

/// `proxy_set_body`, or nothing in place of the client's body.
fn own_body(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, rule: &ProxyRule) {
    let Exchange { request, to_upstream: out, key: own, path, maps, record, .. } = exchange;
    own.clear();
    if let Some(text) = &rule.set_body {
        let facts = connection.facts(request, routed, path, record, Some(rule));
        text.render(&facts, &routed.site.maps, maps, own);
        out.extend_from_slice(b"Content-Length: ");
        encode::decimal(out, own.len() as u64);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(own);
}

fn append_body(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    body: &mut Body,
) -> Result<bool, Unfit> {
    let Exchange { to_upstream: out, spool, .. } = exchange;
    let here = &connection.input.data()[connection.head_length..][..connection.body_length];
    let framing = match exchange.request.framing {
        Framing::Chunked if spool.is_used => whole(spool.length(), &spool.trailers, rule),
        Framing::Chunked if routed.body_is_here => measured(here, rule),
        Framing::Chunked if !rule.http11 => return Err(Unfit::Length),
        framing => framing,
    };
    match framing {
        Framing::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            encode::decimal(out, length);
            out.extend_from_slice(b"\r\n\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
        Framing::None | Framing::UntilClose => out.extend_from_slice(b"\r\n"),
    }
    let is_chunked = framing == Framing::Chunked;
    let mut at = 0;
    while at < here.len() && !spool.is_used {
        // What is here was read once already, so it is no error now.
        let Ok(piece) = body.next(&here[at..]) else { return Err(Unfit::Control) };
        if piece.consumed == 0 {
            break;
        }
        append_piece(out, &here[at..][piece.data], body, is_chunked);
        at += piece.consumed;
    }
    Ok(is_chunked)
}

/// How a body goes on that came in chunks and is known whole: by its length, as in nginx, for not every server takes
/// chunks; in chunks where trailers follow it.
fn whole(length: u64, trailers: &[u8], rule: &ProxyRule) -> Framing {
    if trailers.is_empty() || !rule.http11 { Framing::Length(length) } else { Framing::Chunked }
}

/// The same for a body that lies behind its head.
fn measured(chunked: &[u8], rule: &ProxyRule) -> Framing {
    let mut body = Body::new(Framing::Chunked);
    let (mut at, mut length) = (0, 0);
    while let Ok(piece) = body.next(&chunked[at..]) {
        at += piece.consumed;
        length += piece.data.len() as u64;
        if piece.consumed == 0 || body.ended() {
            break;
        }
    }
    whole(length, body.trailers(), rule)
}

/// Whether a request may be sent twice without harm (nginx: any method but POST, LOCK and PATCH).
pub(crate) fn is_idempotent(method: &[u8]) -> bool {
    !matches!(method, b"POST" | b"LOCK" | b"PATCH")
}
