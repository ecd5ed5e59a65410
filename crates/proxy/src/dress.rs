//! What the configuration makes of an answer's head, whoever answers: how long it holds (`expires`), its charset.

use conf::tree::Expires;
use wire::{Known, encode};

use crate::answer::{self, Answer};
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::request::Routed;
use crate::upstream;

/// nginx's words for an answer that holds as long as can be said.
const MAX: &[u8] = b"Expires: Thu, 31 Dec 2037 23:55:55 GMT\r\nCache-Control: max-age=315360000\r\n";
const EPOCH: &[u8] = b"Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\nCache-Control: no-cache\r\n";

/// The lines that a server's answer gets, `Expires` and `Cache-Control` in place of its own; its type with a charset is
/// put among what is rewritten.
pub(crate) fn of_answer(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> Vec<u8> {
    let status = exchange.record.detour.status_of(exchange.response.status);
    let value = |exchange: &Exchange, known| {
        let fields = &exchange.response.fields;
        let index = fields.iter().position(|field| field.known == known)?;
        Some((index, fields[index].value.of(exchange.from_upstream.data()).to_vec()))
    };
    if routed.site.keeps.sent {
        // What is said of the answer may depend on what it is.
        exchange.record.keep_sent(exchange.from_upstream.data());
    }
    let modified = value(exchange, Known::LastModified).and_then(|(_, text)| wire::date::parse(&text));
    let mut lines = Vec::new();
    append_expires(connection, exchange, routed, (status, modified), &mut lines);
    if let Some((index, media_type)) = value(exchange, Known::ContentType)
        && routed.finish.charset.is_some()
    {
        let mut new = media_type.clone();
        append_charset(connection, exchange, routed, (status, &media_type), &mut new);
        upstream::fields::rewrite(exchange, index, new);
    }
    lines
}

/// The lines that an answer of bedloe's own gets: `Expires` and `Cache-Control`.
pub(crate) fn of_own(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    answer: &Answer<'_>,
) -> Vec<u8> {
    if routed.site.keeps.sent {
        // What is said of the answer may depend on what it is.
        let mut lines = Vec::new();
        encode::field(&mut lines, b"Content-Type", answer.media_type);
        exchange.record.keep_sent(&lines);
    }
    let mut lines = Vec::new();
    append_expires(connection, exchange, routed, (answer.status, answer.modified), &mut lines);
    lines
}

/// Appends `Expires` and `Cache-Control` where the configuration says so. `modified` is when the
/// content was, in seconds since 1970.
fn append_expires(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    (status, modified): (u16, Option<u64>),
    out: &mut Vec<u8>,
) {
    let Some(rule) = &routed.finish.expires else { return };
    if !route::is_success(status) {
        return;
    }
    let expires = match rule {
        route::Expires::Fixed(fixed) => *fixed,
        route::Expires::Text(text, since_modified) => {
            let mut value = Vec::new();
            answer::render(connection, exchange, routed, text, &mut value);
            let text = std::str::from_utf8(&value).unwrap_or_default();
            Expires::parse(text, *since_modified).unwrap_or(Expires::Off)
        }
    };
    let mut dates = connection.thread.dates.borrow_mut();
    let now = (dates.unix_ms() / 1000).cast_signed();
    let (at, age) = match expires {
        Expires::Off => return,
        Expires::Epoch => {
            out.extend_from_slice(EPOCH);
            return;
        }
        Expires::Max => {
            out.extend_from_slice(MAX);
            return;
        }
        Expires::Daily(second) => {
            let at = dates.next(second).unwrap_or(now);
            (at, at - now)
        }
        Expires::Modified(time) if modified.is_some() && time != 0 => {
            let at = modified.unwrap_or(0).cast_signed().saturating_add(time);
            // As in nginx, what was over before it was modified is over.
            (at, if time < 0 { -1 } else { at - now })
        }
        Expires::Access(time) | Expires::Modified(time) => (now.saturating_add(time), time),
    };
    append(at, age, out);
}

fn append(at: i64, age: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Expires: ");
    encode::date(out, u64::try_from(at).unwrap_or(0));
    match u64::try_from(age) {
        Ok(age) => {
            out.extend_from_slice(b"\r\nCache-Control: max-age=");
            encode::decimal(out, age);
            out.extend_from_slice(b"\r\n");
        }
        Err(_) => out.extend_from_slice(b"\r\nCache-Control: no-cache\r\n"),
    }
}

/// Appends `; charset=NAME` to a type that stands at the end of `out`, where the configuration says so.
pub(crate) fn append_charset(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    (status, media_type): (u16, &[u8]),
    out: &mut Vec<u8>,
) {
    let Some(charset) = &routed.finish.charset else { return };
    // As in nginx, not where a browser would take it for that of the next page.
    if matches!(status, 301 | 302) || has_charset(media_type) || !charset.is_for(media_type) {
        return;
    }
    let start = out.len();
    out.extend_from_slice(b"; charset=");
    let name = out.len();
    answer::render(connection, exchange, routed, &charset.name, out);
    if out.len() == name || &out[name..] == b"off" || encode::breaks_line(&out[name..]) {
        out.truncate(start);
    }
}

fn has_charset(media_type: &[u8]) -> bool {
    let mut parameters = media_type.split(|byte| *byte == b';').skip(1);
    parameters.any(|parameter| {
        parameter.trim_ascii_start().get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"charset="))
    })
}
