//! Which fields of an upstream's answer go on to the client, and which of them command the balancer.

use route::{AnswerRule, Content};
use wire::{Field, Framing, Known, ResponseHead, date, encode};

use crate::dates::Dates;
use crate::exchange::Exchange;

/// Whether a field goes on. A field of framing never does: whoever writes a message frames it.
#[inline]
pub(crate) fn passes(field: &Field, head: &[u8], rule: &AnswerRule) -> bool {
    match field.known {
        _ if field.hop => false,
        Known::ContentLength => false,
        known if is_hidden_by_default(known) => rule.passes_more && !rule.hides(field.name.of(head)),
        _ => !rule.hides_more || !rule.hides(field.name.of(head)),
    }
}

fn is_hidden_by_default(known: Known) -> bool {
    matches!(known, Known::Date | Known::Server | Known::XPad) || is_command(known)
}

fn is_command(known: Known) -> bool {
    matches!(
        known,
        Known::XAccelBuffering
            | Known::XAccelCharset
            | Known::XAccelExpires
            | Known::XAccelLimitRate
            | Known::XAccelRedirect
    )
}

/// Appends what stands before an answer's own fields: the status line, and `Server` and `Date` unless the answer's are
/// passed on.
pub(crate) fn start(
    out: &mut Vec<u8>,
    status: u16,
    response: &ResponseHead,
    head: &[u8],
    rule: &AnswerRule,
    dates: &mut Dates,
) {
    encode::status_line(out, status);
    let fields = dates.fields();
    if !rule.passes_more {
        out.extend_from_slice(fields);
        return;
    }
    let is_theirs = |known| wire::find(&response.fields, known).is_some_and(|field| passes(field, head, rule));
    let end = memchr::memchr(b'\n', fields).map_or(0, |feed| feed + 1);
    for (known, line) in [(Known::Server, &fields[..end]), (Known::Date, &fields[end..])] {
        if !is_theirs(known) {
            out.extend_from_slice(line);
        }
    }
}

/// The address that an answer sends the request to (`X-Accel-Redirect`), where that is obeyed.
pub(crate) fn redirect<'a>(response: &ResponseHead, head: &'a [u8], rule: &AnswerRule) -> Option<&'a [u8]> {
    value(response, head, Known::XAccelRedirect).filter(|_| rule.redirects)
}

/// The rate that an answer is to be sent at (`X-Accel-Limit-Rate`), where that is obeyed; 0 is no limit.
pub(crate) fn rate(response: &ResponseHead, head: &[u8], rule: &AnswerRule) -> Option<u64> {
    let value = value(response, head, Known::XAccelLimitRate).filter(|_| rule.limits_rate)?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn value<'a>(response: &ResponseHead, head: &'a [u8], known: Known) -> Option<&'a [u8]> {
    if !response.seen.contains(known) {
        return None;
    }
    wire::find(&response.fields, known).map(|field| field.value.of(head))
}

/// Appends the lines that an answer with `X-Accel-Redirect` adds to the one that the client gets: nginx's choice.
pub(crate) fn keep(exchange: &mut Exchange, rule: &AnswerRule) {
    let Exchange { kept_fields: out, response, from_upstream, rewritten, .. } = exchange;
    let head = from_upstream.data();
    for (index, field) in response.fields.iter().enumerate() {
        let is_kept = matches!(
            field.known,
            Known::ContentType
                | Known::SetCookie
                | Known::ContentDisposition
                | Known::CacheControl
                | Known::Expires
                | Known::AcceptRanges
        );
        if !is_kept || !passes(field, head, rule) {
            continue;
        }
        match rewritten.iter().find(|(number, _)| *number == index) {
            None => encode::copied_field(out, head, field),
            Some((_, value)) => encode::field(out, field.name.of(head), value),
        }
    }
}

/// Appends the kept lines whose fields the answer has not got itself; cookies add up.
pub(crate) fn add_kept(out: &mut Vec<u8>, kept: &[u8], has: impl Fn(Known) -> bool) {
    for line in kept.split_inclusive(|byte| *byte == b'\n') {
        let known = Known::of(&line[..memchr::memchr(b':', line).unwrap_or(0)]);
        if known == Known::SetCookie || !has(known) {
            out.extend_from_slice(line);
        }
    }
}

/// Has a field of the answer, by its number, go on with another value. They stand in the order of the fields.
pub(crate) fn rewrite(exchange: &mut Exchange, index: usize, value: Vec<u8>) {
    let rewritten = &mut exchange.rewritten;
    let place = rewritten.partition_point(|(other, _)| *other < index);
    match rewritten.get_mut(place).filter(|(other, _)| *other == index) {
        Some((_, old)) => *old = value,
        None => rewritten.insert(place, (index, value)),
    }
}

/// The answer at hand as compressing sees it; one that is compressed already has no type.
pub(crate) fn content(exchange: &Exchange, status: u16) -> Content<'_> {
    let (response, head) = (&exchange.response, exchange.from_upstream.data());
    let of = |known| value(response, head, known);
    Content {
        status,
        media_type: of(Known::ContentType).filter(|_| of(Known::ContentEncoding).is_none()).unwrap_or_default(),
        length: match response.framing {
            Framing::Length(length) => Some(length),
            // What a HEAD would get as a GET.
            Framing::None => {
                let told = of(Known::ContentLength).and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
                Some(told.unwrap_or(0))
            }
            Framing::Chunked | Framing::UntilClose => None,
        },
        cache_control: of(Known::CacheControl).unwrap_or_default(),
        is_expired: of(Known::Expires).map(|expires| {
            let date = of(Known::Date).and_then(date::parse).unwrap_or(u64::MAX);
            date::parse(expires).is_none_or(|expires| expires < date)
        }),
        has_modified: of(Known::LastModified).is_some(),
        has_etag: of(Known::Etag).is_some(),
    }
}
