//! What the configuration makes of an answer's head, whoever answers: how long it holds (`expires`), its charset.

use std::sync::Arc;

use conf::tree::Expires;
use route::{Recoding, Text};
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
    let Some(change) = change(connection, exchange, routed, (status, media_type)) else { return };
    if change.is_possible(routed) {
        // The name that it has, if any, is another one.
        if let Some(start) = charset_at(media_type) {
            out.truncate(out.len() - media_type.len() + start);
        }
        out.extend_from_slice(b"; charset=");
        out.extend_from_slice(&change.to);
    }
}

/// What becomes of an answer's charset.
struct Change {
    /// What it comes in, where that is known.
    from: Option<Vec<u8>>,
    to: Vec<u8>,
}

impl Change {
    fn is_same(&self) -> bool {
        self.from.as_ref().is_none_or(|from| from.eq_ignore_ascii_case(&self.to))
    }

    fn is_possible(&self, routed: &Routed<'_>) -> bool {
        self.is_same() || self.recoding(routed).is_some()
    }

    fn recoding(&self, routed: &Routed<'_>) -> Option<Arc<Recoding>> {
        routed.site.snapshot.router.recodings().find(self.from.as_ref()?, &self.to).cloned()
    }
}

/// What the configuration makes of the charset of an answer of this type, if anything.
fn change(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    (status, media_type): (u16, &[u8]),
) -> Option<Change> {
    let charset = routed.finish.charset.as_ref()?;
    let own = charset_at(media_type).map(|at| charset_of(&media_type[at..]));
    // As in nginx, not where a browser would take it for that of the next page.
    let is_meant = if own.is_some() { charset.overrides } else { charset.is_for(media_type) };
    if matches!(status, 301 | 302) || !is_meant {
        return None;
    }
    let mut text = |text: &Text| {
        let mut value = Vec::new();
        answer::render(connection, exchange, routed, text, &mut value);
        Some(value).filter(|value| !value.is_empty() && value != b"off" && !encode::breaks_line(value))
    };
    let to = text(&charset.name)?;
    let from = own.map(<[u8]>::to_vec).or_else(|| text(charset.source.as_ref()?));
    Some(Change { from, to })
}

/// What an answer of this type is converted by, if it is.
pub(crate) fn recoding(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    content: (u16, &[u8]),
) -> Option<Arc<Recoding>> {
    routed.finish.charset.as_ref().filter(|charset| charset.source.is_some() || charset.overrides)?;
    let change = change(connection, exchange, routed, content).filter(|change| !change.is_same())?;
    let recoding = change.recoding(routed);
    if recoding.is_none() {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (from, to) = (name(change.from.as_deref().unwrap_or_default()), name(&change.to));
        let what = format!("no \"charset_map\" between the charsets \"{from}\" and \"{to}\"");
        connection.log_failure(exchange, routed, &what, None);
    }
    recoding
}

/// Where the parameter begins that names a charset.
fn charset_at(media_type: &[u8]) -> Option<usize> {
    let mut at = 0;
    media_type.split(|byte| *byte == b';').find_map(|part| {
        let start = at;
        at += part.len() + 1;
        let names = part.trim_ascii_start().get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"charset="));
        (names && start > 0).then(|| start - 1)
    })
}

/// The name in such a parameter.
fn charset_of(parameter: &[u8]) -> &[u8] {
    let value = parameter.splitn(2, |byte| *byte == b'=').nth(1).unwrap_or_default();
    let value = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}
