//! A request's body before a server is picked: small ones are read whole, so that they can be sent again.

use net::buffer::BLOCK;
use route::ProxyRule;
use wire::{Body, Framing};

use crate::downstream::{Downstream, has_no_body};
use crate::exchange::Exchange;
use crate::request::Routed;
use crate::upstream::head;
use crate::upstream::upload::Upload;

/// Why a request does not get as far as a server.
pub(crate) enum Unready {
    /// The client closed.
    Gone,
    /// To be answered with this status.
    Status(u16),
}

/// Reads what there is room for of the body and writes the request as it goes to the upstream.
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
        gather(connection, exchange, routed).await?;
    }
    let mut body = Body::new(exchange.request.framing);
    head::build(connection, exchange, routed, rule, &mut body).map_err(|unfit| Unready::Status(unfit.status()))?;
    let is_chunked = exchange.request.framing == Framing::Chunked;
    let limit = routed.settings.client_max_body_size;
    let length = if connection.body_length == 0 { 0 } else { content_here(connection, exchange) };
    if limit > 0 && length > limit {
        return Err(Unready::Status(413));
    }
    exchange.record.request_bytes += connection.body_length as u64;
    Ok(Upload::new(body, is_chunked, limit, length))
}

/// Content of the body that lies behind the head.
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
    sent.await.map_err(|_| Unready::Gone)
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
        match deadline.limit(|cx| channel.poll_read(cx, input)).await {
            Ok(0) => return Err(Unready::Gone),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => return Err(Unready::Status(408)),
            Err(_) => return Err(Unready::Gone),
        }
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
