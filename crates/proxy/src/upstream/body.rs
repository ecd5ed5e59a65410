//! A request's body before a server is picked: read whole, so that it can be sent again, unless
//! `proxy_request_buffering` is off. A small one stays behind its head, others go to the spool.

use std::io;

use net::buffer::BLOCK;
use net::event_loop;
use route::ProxyRule;
use wire::{Body, Framing};

use crate::downstream::{Downstream, has_no_body};
use crate::exchange::Exchange;
use crate::limits::SPOOL_PIECE;
use crate::request::Routed;
use crate::upstream::spool::Place;
use crate::upstream::upload::Upload;
use crate::upstream::{CLIENT_CLOSED, CLIENT_TIMED_OUT, CUT_OFF, head};

/// Why a request does not get as far as a server.
pub(crate) enum Unready {
    /// The client closed or took too long: the status that the log says.
    Closed(u16),
    /// To be answered with this status.
    Status(u16),
    /// The body cannot be kept: what failed on this machine.
    Here(String),
}

/// Reads the body, or what came of it, and writes the request as it goes to the upstream.
pub(crate) async fn prepare(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'_>,
    rule: &ProxyRule,
) -> Result<Upload, Unready> {
    if !routed.body_is_here {
        if exchange.request.expect_continue {
            invite(connection, routed).await?;
        }
        if rule.request_buffering || rule.replaces_body() {
            gather(connection, exchange, routed).await?;
            if !routed.body_is_here {
                // In a box: large bodies are rare, and an idle connection's task must not be larger for them.
                Box::pin(spool(connection, exchange, routed)).await?;
            }
        }
    }
    if routed.site.keeps.body {
        keep(connection, exchange, routed);
    }
    let mut body = Body::new(exchange.request.framing);
    let is_chunked =
        head::build(connection, exchange, routed, rule, &mut body).map_err(|unfit| Unready::Status(unfit.status()))?;
    let is_replaced = rule.replaces_body();
    if exchange.spool.is_used {
        return Ok(if is_replaced { Upload::nothing() } else { Upload::of_spool(is_chunked) });
    }
    let limit = routed.settings.client_max_body_size;
    let length = if connection.body_length == 0 { 0 } else { content_here(connection, exchange) };
    if limit > 0 && length > limit {
        return Err(Unready::Status(413));
    }
    exchange.record.request_bytes += connection.body_length as u64;
    if is_replaced {
        return Ok(Upload::nothing());
    }
    Ok(Upload::new(body, is_chunked, limit, length))
}

/// Reads a body that fits behind its head, all of it: 413 for one that does not.
pub(crate) async fn whole(
    connection: &mut Downstream,
    exchange: &Exchange,
    routed: &mut Routed<'_>,
) -> Result<Vec<u8>, Unready> {
    if !routed.body_is_here {
        if exchange.request.expect_continue {
            invite(connection, routed).await?;
        }
        gather(connection, exchange, routed).await?;
    }
    if !routed.body_is_here {
        return Err(Unready::Status(413));
    }
    Ok(content(connection, exchange))
}

/// Keeps the body for `$request_body`, where all of it is in memory.
fn keep(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>) {
    let mut content = Vec::new();
    if let Some(kept) = exchange.spool.in_memory().filter(|_| exchange.spool.is_used) {
        content.extend_from_slice(kept);
    } else if routed.body_is_here && !exchange.spool.is_used {
        content = self::content(connection, exchange);
    }
    exchange.record.lines.get_or_insert_default().body = content;
}

/// The content of a body that is here whole.
fn content(connection: &Downstream, exchange: &Exchange) -> Vec<u8> {
    let here = &connection.input.data()[connection.head_length..][..connection.body_length];
    let mut body = Body::new(exchange.request.framing);
    let (mut at, mut content) = (0, Vec::new());
    while let Ok(piece) = body.next(&here[at..])
        && piece.consumed > 0
    {
        content.extend_from_slice(&here[at..][piece.data]);
        at += piece.consumed;
    }
    content
}

/// How much content of the body lies behind the head.
fn content_here(connection: &Downstream, exchange: &Exchange) -> u64 {
    let here = &connection.input.data()[connection.head_length..][..connection.body_length];
    let mut body = Body::new(exchange.request.framing);
    let (mut at, mut length) = (0, 0);
    while let Ok(piece) = body.next(&here[at..]) {
        if piece.consumed == 0 {
            break;
        }
        at += piece.consumed;
        length += piece.data.len() as u64;
    }
    length
}

/// Tells a client that waits for it to go on (RFC 9110 10.1.1).
async fn invite(connection: &mut Downstream, routed: &Routed<'_>) -> Result<(), Unready> {
    let Downstream { channel, deadline, .. } = connection;
    deadline.set(routed.settings.send_timeout_ms);
    let mut written = 0;
    let sent = deadline.limit(|cx| channel.poll_continue(cx, &mut written));
    sent.await.map_err(|_| Unready::Closed(CLIENT_CLOSED))
}

/// Reads the body for as long as it fits behind its head.
async fn gather(connection: &mut Downstream, exchange: &Exchange, routed: &mut Routed<'_>) -> Result<(), Unready> {
    if has_no_body(&exchange.request) || !fits(connection, exchange) {
        return Ok(());
    }
    let mut body = Body::new(exchange.request.framing);
    connection.body_length = 0;
    while connection.input.len() < BLOCK {
        let Downstream { channel, deadline, input, .. } = connection;
        if input.reserve(BLOCK - input.len()).is_none() {
            return Ok(());
        }
        deadline.set(routed.settings.client_body_timeout_ms);
        came(deadline.limit(|cx| channel.poll_read(cx, input)).await)?;
        routed.body_is_here = connection.scan_body(&mut body).map_err(|_| Unready::Status(400))?;
        if routed.body_is_here {
            return Ok(());
        }
    }
    Ok(())
}

fn fits(connection: &Downstream, exchange: &Exchange) -> bool {
    match exchange.request.framing {
        Framing::Length(length) => length <= (BLOCK.saturating_sub(connection.head_length)) as u64,
        _ => connection.input.len() < BLOCK,
    }
}

/// Reads the body to its end into the spool.
async fn spool(connection: &mut Downstream, exchange: &mut Exchange, routed: &mut Routed<'_>) -> Result<(), Unready> {
    let settings = routed.settings;
    let mut body = Body::new(exchange.request.framing);
    exchange.spool.is_used = true;
    let here = &connection.input.data()[connection.head_length..][..connection.body_length];
    let mut read = here.len() as u64;
    take(here, &mut body, exchange, routed)?;
    let mut since_pause = 0;
    while !body.ended() {
        let Exchange { body: buffer, .. } = &mut *exchange;
        let Downstream { channel, deadline, .. } = &mut *connection;
        buffer.compact();
        deadline.set(settings.client_body_timeout_ms);
        since_pause += came(deadline.limit(|cx| channel.poll_read(cx, buffer)).await)?;
        let buffer = std::mem::take(buffer);
        let taken = take(buffer.data(), &mut body, exchange, routed);
        exchange.body = buffer;
        let taken = taken?;
        exchange.body.consume(taken);
        read += taken as u64;
        if since_pause >= SPOOL_PIECE {
            since_pause = 0;
            event_loop::yield_now().await;
        }
    }
    exchange.spool.trailers.extend_from_slice(body.trailers());
    exchange.record.request_bytes += read;
    exchange.body.release_if_empty();
    routed.body_is_here = true;
    Ok(())
}

/// Takes what these bytes have of the body into the spool; how many were used.
fn take(bytes: &[u8], body: &mut Body, exchange: &mut Exchange, routed: &Routed<'_>) -> Result<usize, Unready> {
    let settings = routed.settings;
    let place = Place { memory_max: settings.client_body_buffer_size, folder: &settings.client_body_temp_path };
    let mut at = 0;
    loop {
        let piece = body.next(&bytes[at..]).map_err(|_| Unready::Status(400))?;
        let content = &bytes[at..][piece.data];
        let limit = settings.client_max_body_size;
        if limit > 0 && exchange.spool.length() + content.len() as u64 > limit {
            return Err(Unready::Status(413));
        }
        exchange.spool.append(content, place).map_err(|error| {
            let folder = place.folder.display();
            Unready::Here(format!("cannot keep a request body in {folder} (client_body_temp_path): {error}"))
        })?;
        at += piece.consumed;
        if piece.consumed == 0 || body.ended() {
            return Ok(at);
        }
    }
}

/// What a read of a body came to.
fn came(read: io::Result<usize>) -> Result<usize, Unready> {
    match read {
        Ok(n) if n > 0 => Ok(n),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Unready::Closed(CLIENT_TIMED_OUT)),
        _ => Err(Unready::Closed(CUT_OFF)),
    }
}
