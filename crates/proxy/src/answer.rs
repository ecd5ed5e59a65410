//! Answers that the balancer gives by itself: `return`, and small pages for statuses.

use std::io;
use std::task::Poll;

use route::{Content, Recoder, Return, Text};
use wire::{Known, encode};

use crate::channel::Channel;
use crate::client_cert;
use crate::dates::Dates;
use crate::downstream::{After, Downstream};
use crate::dress;
use crate::error_page::TO_HTTPS;
use crate::exchange::Exchange;
use crate::files;
use crate::gzip::{self, Coding, Encoder};
use crate::pace::Pace;
use crate::request::{Routed, Served};
use crate::upstream;

/// Appends the status line and the fields that every answer has.
pub(crate) fn start_head(out: &mut Vec<u8>, status: u16, dates: &mut Dates) {
    encode::status_line(out, status);
    out.extend_from_slice(dates.fields());
}

/// Appends `Connection`, and `Keep-Alive` where the configuration asks for it, and ends the head.
pub(crate) fn end_head(out: &mut Vec<u8>, keep_alive: bool, keep_alive_header_s: Option<u64>) {
    let persistence: &[u8] = if keep_alive { b"Connection: keep-alive\r\n" } else { b"Connection: close\r\n" };
    out.extend_from_slice(persistence);
    if let Some(seconds) = keep_alive_header_s.filter(|_| keep_alive) {
        out.extend_from_slice(b"Keep-Alive: timeout=");
        encode::decimal(out, seconds);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Answers with a small page that names the status.
pub(crate) async fn page(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    status: u16,
) -> After {
    exchange.request.keep_alive &= !closes(status);
    if status == TO_HTTPS {
        let body = b"This port speaks HTTPS: use https:// in the address.\n";
        return send(connection, exchange, routed, &Answer { media_type: b"text/plain", ..Answer::new(400, body) })
            .await;
    }
    let mut body = Vec::new();
    if let Some(why) = about_certificate(status) {
        append_page(&mut body, 400);
        let rule = body.len() - RULE.len();
        body.splice(rule..rule, format!("<p>{why}\n").into_bytes());
        return send(connection, exchange, routed, &Answer::new(400, &body)).await;
    }
    append_page(&mut body, status);
    send(connection, exchange, routed, &Answer::new(status, &body)).await
}

/// What a client is told whose certificate keeps it out; nginx's own statuses are not for its eyes.
fn about_certificate(status: u16) -> Option<&'static str> {
    match status {
        client_cert::BAD => Some("The client's certificate was not accepted."),
        client_cert::MISSING => Some("A client's certificate is wanted here, and none was sent."),
        _ => None,
    }
}

/// Answers as a `return` says.
pub(crate) async fn returned(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    returns: &Return,
) -> Served {
    // As in nginx, no text changes what this one means.
    let text = returns.text.as_ref().filter(|_| returns.status != 444);
    let Some(template) = text else {
        return match returns.status {
            status @ 300.. => Served::Status(status),
            status => Served::Done(plain(connection, exchange, routed, status, b"").await),
        };
    };
    // The text may say it.
    exchange.record.status = exchange.record.detour.status_of(returns.status);
    let mut rendered = Vec::new();
    render(connection, exchange, routed, template, &mut rendered);
    Served::Done(match returns.status {
        status @ (301 | 302 | 303 | 307 | 308) => redirect(connection, exchange, routed, status, rendered).await,
        status => plain(connection, exchange, routed, status, &rendered).await,
    })
}

async fn plain(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    status: u16,
    text: &[u8],
) -> After {
    let status = exchange.record.detour.status_of(status);
    let media_type = files::media_type(&routed.settings.files, &exchange.path);
    send(connection, exchange, routed, &Answer { media_type, ..Answer::new(status, text) }).await
}

/// Sends the client to another address.
pub(crate) async fn redirect(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    status: u16,
    address: Vec<u8>,
) -> After {
    // `$uri` and captures can hold anything after decoding.
    if encode::breaks_line(&address) {
        return page(connection, exchange, routed, 400).await;
    }
    let location = absolute(connection, exchange, routed, address);
    let mut body = Vec::new();
    append_page(&mut body, status);
    let answer = Answer { location: Some(&location), ..Answer::new(status, &body) };
    send(connection, exchange, routed, &answer).await
}

/// A text's value for this request.
pub(crate) fn render(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    text: &Text,
    out: &mut Vec<u8>,
) {
    let Exchange { request, path, maps, record, .. } = exchange;
    let facts = connection.facts(request, routed, path, record, None);
    text.render(&facts, &routed.site.maps, maps, out);
}

/// An address that starts with a slash gets scheme, host and port before it (`absolute_redirect on`).
pub(crate) fn absolute(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    location: Vec<u8>,
) -> Vec<u8> {
    let redirects = &routed.settings.redirects;
    if location.first() != Some(&b'/') || !redirects.are_absolute {
        return location;
    }
    let mut out = connection.client.scheme().as_bytes().to_vec();
    out.extend_from_slice(b"://");
    let Exchange { request, path, record, .. } = exchange;
    let facts = connection.facts(request, routed, path, record, None);
    let host = if redirects.have_server_name { route::Fact::ServerName } else { route::Fact::Host };
    route::Facts::append(&facts, &host, &mut out);
    let port = connection.client.local.port();
    if redirects.have_port && port != 0 && port != if connection.client.is_tls { 443 } else { 80 } {
        out.push(b':');
        encode::decimal(&mut out, u64::from(port));
    }
    out.extend_from_slice(&location);
    out
}

/// Appends the fields that the configuration adds to an answer (`add_header`).
pub(crate) fn add_fields(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    status: u16,
    out: &mut Vec<u8>,
) {
    if routed.site.keeps.sent {
        exchange.record.keep_sent(out);
    }
    for header in routed.finish.headers(status) {
        let start = out.len();
        out.extend_from_slice(&header.prefix);
        let value = out.len();
        render(connection, exchange, routed, &header.value, out);
        // A value that would end the line is worth nothing; `$uri` and captures can hold anything after decoding.
        if out.len() == value || encode::breaks_line(&out[value..]) {
            out.truncate(start);
        } else {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// What ends every page.
const RULE: &[u8] = b"<hr>bedloe\n";

fn append_page(body: &mut Vec<u8>, status: u16) {
    let mut title = Vec::new();
    encode::decimal(&mut title, u64::from(status));
    if !encode::reason(status).is_empty() {
        title.push(b' ');
        title.extend_from_slice(encode::reason(status).as_bytes());
    }
    for part in [b"<!doctype html>\n<title>" as &[u8], &title, b"</title>\n<h1>", &title, b"</h1>\n", RULE] {
        body.extend_from_slice(part);
    }
}

/// An answer that bedloe gives by itself.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// The body, or as much of it as is at hand.
    pub(crate) body: &'a [u8],
    /// Bytes of the whole body, before it is compressed.
    pub(crate) length: u64,
    pub(crate) coding: Coding,
    /// `Content-Type`; none where it is empty.
    pub(crate) media_type: &'a [u8],
    pub(crate) location: Option<&'a [u8]>,
    /// When the content was modified, in seconds since 1970.
    pub(crate) modified: Option<u64>,
    /// More fields, as lines.
    pub(crate) fields: &'a [u8],
}

impl<'a> Answer<'a> {
    /// A page of this body.
    pub(crate) fn new(status: u16, body: &'a [u8]) -> Self {
        Self {
            status,
            body,
            length: body.len() as u64,
            coding: Coding::Plain,
            media_type: b"text/html",
            location: None,
            modified: None,
            fields: b"",
        }
    }
}

/// Sends an answer whose body is at hand.
pub(crate) async fn send(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    answer: &Answer<'_>,
) -> After {
    let keep_alive = prepare(connection, exchange, routed, answer);
    match write(connection, exchange, routed).await {
        Ok(()) if keep_alive => After::KeepAlive,
        Ok(()) => After::Linger,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => connection.cut_off(routed),
        Err(_) => After::Drop,
    }
}

/// Puts it into `exchange.to_client`; whether the connection goes on after it.
fn prepare(connection: &mut Downstream, exchange: &mut Exchange, routed: &Routed<'_>, answer: &Answer<'_>) -> bool {
    let mut keep_alive = connection.may_keep_alive(exchange, routed);
    let has_type = !has_type(kept_fields(&exchange.kept_fields, answer));
    let converted = converted(connection, exchange, routed, answer).filter(|_| has_type);
    let answer = &match &converted {
        Some(body) => Answer { body, length: body.len() as u64, ..*answer },
        None => Answer { ..*answer },
    };
    let coding = gzip::judge(connection, exchange, routed, || Content {
        status: answer.status,
        media_type: if has_type { answer.media_type } else { b"" },
        length: Some(answer.length),
        ..Content::default()
    });
    if let Some(rule) = routed.finish.gzip.as_ref().filter(|_| coding == Coding::Gzip) {
        let is_chunked = gzip::is_chunked(connection, exchange, routed);
        keep_alive &= !gzip::ends_by_close(connection, exchange, routed, coding);
        let mut body = Vec::new();
        let mut encoder = Encoder::new(rule.level, is_chunked);
        encoder.append(answer.body, Some(b""), &mut body);
        exchange.record.gzip = Some(encoder.totals());
        build(connection, exchange, routed, &Answer { body: &body, coding, ..*answer }, keep_alive);
    } else {
        build(connection, exchange, routed, &Answer { coding, ..*answer }, keep_alive);
    }
    keep_alive
}

/// The body in another charset, where the configuration asks for that.
fn converted(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    answer: &Answer<'_>,
) -> Option<Vec<u8>> {
    let recoding = dress::recoding(connection, exchange, routed, (answer.status, answer.media_type))?;
    let mut body = Vec::new();
    Recoder::new(recoding).append(answer.body, true, &mut body);
    Some(body)
}

/// Errors after which nginx closes the connection: the request could not be understood, or was not read whole. An
/// answer that only says such a status (`return 400 text`) is none.
pub(crate) fn closes(status: u16) -> bool {
    matches!(status, 400 | 495 | 496 | 497 | 413 | 414 | 500 | 501 | 505)
}

/// Puts head and body, as far as that is at hand, into `exchange.to_client`; over HTTP/2 the head goes at once.
pub(crate) fn build(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    answer: &Answer<'_>,
    keep_alive: bool,
) {
    let mut out = std::mem::take(&mut exchange.to_client);
    let out = &mut out;
    out.clear();
    start_head(out, answer.status, &mut connection.thread.dates.borrow_mut());
    let has_body = !matches!(answer.status, 204 | 304);
    let dress = if routed.finish.dresses { dress::of_own(connection, exchange, routed, answer) } else { Vec::new() };
    let kept = kept_fields(&exchange.kept_fields, answer);
    let is_replaced = |known| !dress.is_empty() && matches!(known, Known::Expires | Known::CacheControl);
    upstream::fields::add_kept(out, kept, is_replaced);
    if has_body {
        if !answer.media_type.is_empty() && !has_type(kept) {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(answer.media_type);
            dress::append_charset(connection, exchange, routed, (answer.status, answer.media_type), out);
            out.extend_from_slice(b"\r\n");
        }
        if !answer.coding.is_recoded() {
            out.extend_from_slice(b"Content-Length: ");
            encode::decimal(out, answer.length);
            out.extend_from_slice(b"\r\n");
        } else if gzip::is_chunked(connection, exchange, routed) {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        gzip::append_fields(routed, answer.coding, out);
    }
    out.extend_from_slice(answer.fields);
    out.extend_from_slice(&dress);
    if let Some(location) = answer.location {
        encode::field(out, b"Location", location);
    }
    exchange.record.status = answer.status;
    add_fields(connection, exchange, routed, answer.status, out);
    let is_head = exchange.request.method.of(connection.head_bytes()) == b"HEAD";
    let body = if has_body && !is_head { answer.body } else { b"" };
    exchange.record.sent = 0;
    if routed.site.keeps.sent && connection.channel.is_http2() {
        exchange.record.keep_sent(out);
    }
    if let Channel::Http2(stream) = &mut connection.channel {
        let is_all = body.is_empty() && (answer.length == 0 || is_head || !has_body);
        exchange.record.head_bytes = stream.send_head(answer.status, out, is_all);
        exchange.record.sent = exchange.record.head_bytes;
        out.clear();
    } else {
        end_head(out, keep_alive, routed.settings.keepalive_header_s);
        exchange.record.head_bytes = out.len() as u64;
        if routed.site.keeps.sent {
            exchange.record.keep_sent(out);
        }
    }
    out.extend_from_slice(body);
    exchange.to_client = std::mem::take(out);
    if routed.finish.limit_rate.is_some() || exchange.record.limit_rate.is_some() {
        exchange.pace = pace(connection, exchange, routed);
    }
}

/// The pace that the configuration asks for.
fn pace(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> Option<Box<Pace>> {
    let mut size = |text: &Option<Text>| {
        let mut value = Vec::new();
        render(connection, exchange, routed, text.as_ref()?, &mut value);
        Some(conf::table::rate_of(&value))
    };
    let (rate, after) = (size(&routed.finish.limit_rate), size(&routed.finish.limit_rate_after));
    let rate = exchange.record.limit_rate.or(rate).filter(|rate| *rate > 0)?;
    Some(Box::new(Pace::new(rate, after.unwrap_or(0)))).filter(|_| !exchange.record.detour.is_subrequest)
}

/// What an answer with `X-Accel-Redirect`, or one that an error page took the place of, adds to this one; nothing where
/// this one is another error.
fn kept_fields<'a>(kept: &'a [u8], answer: &Answer<'_>) -> &'a [u8] {
    if answer.status < 400 || matches!(answer.status, 401 | 416) { kept } else { b"" }
}

fn has_type(kept: &[u8]) -> bool {
    let name = b"content-type:";
    kept.split(|byte| *byte == b'\n').any(|line| line.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name)))
}

pub(crate) async fn write(connection: &mut Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> io::Result<()> {
    write_some(connection, exchange, routed, true).await?;
    let Downstream { channel, deadline, .. } = connection;
    deadline.limit(|cx| channel.poll_flush(cx)).await
}

/// Writes what is in `exchange.to_client`; `is_last` when the answer ends with it.
pub(crate) async fn write_some(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    is_last: bool,
) -> io::Result<()> {
    let Downstream { channel, deadline, .. } = connection;
    let Exchange { to_client, pace, record, .. } = &mut *exchange;
    let mut written = 0;
    deadline.set(routed.settings.send_timeout_ms);
    deadline
        .limit(|cx| {
            while written < to_client.len() {
                let mut rest = &to_client[written..];
                if let Some(pace) = pace {
                    // A client that is served slowly on purpose is not slow itself.
                    deadline.clear();
                    let room = std::task::ready!(pace.poll_room(cx, record.sent + written as u64, rest.len()));
                    rest = &rest[..room];
                    deadline.set(routed.settings.send_timeout_ms);
                }
                let is_end = is_last && written + rest.len() == to_client.len();
                let n = std::task::ready!(channel.poll_write(cx, rest, is_end))?;
                written += n;
                deadline.set(routed.settings.send_timeout_ms);
            }
            Poll::Ready(Ok(()))
        })
        .await?;
    exchange.record.sent += written as u64;
    Ok(())
}
