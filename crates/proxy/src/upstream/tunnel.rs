//! A connection that has changed its protocol (status 101): bytes both ways until both sides have ended, WebSocket for
//! one. What they mean is none of our business.
//!
//! While nothing moves it owns no buffer. A side that ends is told to the other one, which may go on: nginx ends both.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use net::{Buffer, Stream};
use route::{AnswerRule, ProxyRule};
use wire::{Known, encode};

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::limits::{HALF_CLOSED_MS, TUNNEL_READS};
use crate::request::Routed;
use crate::upstream::attempt::describe;
use crate::upstream::fields;
use crate::upstream::pool::Link;

/// How a tunnel ended.
pub(crate) enum End {
    /// Both sides ended, or the client broke off or took nothing.
    Done,
    /// The server broke off.
    Upstream(io::Error),
    /// Nothing came from either side for `proxy_read_timeout`, or the server took nothing for `proxy_send_timeout`.
    TimedOut,
}

impl End {
    /// For the log, in nginx's words.
    pub(crate) fn what(&self) -> Option<String> {
        const DOING: &str = "proxying upgraded connection";
        match self {
            Self::Done => None,
            Self::Upstream(error) => Some(describe("recv", error, DOING)),
            Self::TimedOut => Some(describe("recv", &io::ErrorKind::TimedOut.into(), DOING)),
        }
    }
}

/// Bytes on their way from one side to the other.
#[derive(Debug, Default)]
struct Way {
    /// The side they come from has ended.
    is_ended: bool,
    /// The side they go to was told so.
    is_told: bool,
    /// The side they go to takes no more at the moment.
    is_blocked: bool,
    moved: u64,
}

impl Way {
    /// The side they come from has ended and all is delivered.
    fn is_over(&self, buffer: &Buffer) -> bool {
        self.is_ended && !self.is_blocked && buffer.is_empty()
    }
}

/// What the tunnel wants done that takes a turn of its own.
enum Turn {
    /// Tell the server that the client has ended.
    EndUpstream,
    /// Tell the client that the server has ended.
    EndClient,
    Over(End),
}

/// Tells the client of the change and passes bytes both ways. The answer's head is at the front of the server's bytes.
pub(crate) async fn run(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    link: &mut Link,
    head_length: usize,
) -> End {
    build_head(connection, exchange, &rule.answer);
    exchange.record.head_bytes = exchange.to_client.len() as u64;
    if routed.site.keeps.sent {
        exchange.record.keep_sent(&exchange.to_client);
    }
    exchange.from_upstream.consume(head_length);
    // What came behind the head is counted when it goes on.
    let early = exchange.from_upstream.len() as u64;
    let before = exchange.record.attempts.last().map_or((0, 0), |attempt| (attempt.sent, attempt.received - early));
    take_early_bytes(connection, exchange);
    if send_head(connection, exchange, routed).await.is_err() {
        return End::Done;
    }
    let (mut up, mut down) = (Way::default(), Way::default());
    let patience = Patience {
        client_send_ms: routed.settings.send_timeout_ms,
        upstream_send_ms: rule.send_timeout_ms,
        read_ms: rule.read_timeout_ms,
    };
    loop {
        let turn = pass(connection, exchange, &patience, &mut link.stream, (&mut up, &mut down)).await;
        exchange.record.sent = exchange.record.head_bytes + down.moved;
        if let Some(attempt) = exchange.record.attempts.last_mut() {
            (attempt.sent, attempt.received) = (before.0 + up.moved, before.1 + down.moved);
        }
        match turn {
            Turn::Over(end) => return end,
            Turn::EndUpstream => {
                up.is_told = true;
                if let Err(error) = link.stream.shutdown().await {
                    return End::Upstream(error);
                }
            }
            Turn::EndClient => {
                down.is_told = true;
                if connection.channel.shutdown().await.is_err() {
                    return End::Done;
                }
            }
        }
    }
}

fn build_head(connection: &Downstream, exchange: &mut Exchange, rule: &AnswerRule) {
    let Exchange { response, to_client: out, from_upstream, record, .. } = exchange;
    record.status = response.status;
    out.clear();
    let head = from_upstream.data();
    fields::start(out, response.status, response, head, rule, &mut connection.thread.dates.borrow_mut());
    encode::field(out, b"Connection", b"upgrade");
    for field in &response.fields {
        if field.known == Known::Upgrade || fields::passes(field, head, rule) {
            encode::copied_field(out, head, field);
        }
    }
    out.extend_from_slice(encode::HEAD_END);
}

/// What the client sent behind its request is meant for the other protocol. Of the connection's own buffer the head
/// of the request stays, for the log, in no more room than it takes.
fn take_early_bytes(connection: &mut Downstream, exchange: &mut Exchange) {
    let early = &connection.input.data()[connection.head_length + connection.body_length..];
    // Behind a body that was streamed they are in its buffer already.
    if exchange.body.is_empty() && !early.is_empty() && exchange.body.reserve(early.len()).is_some() {
        exchange.body.append(early);
    }
    connection.input.keep_front(connection.head_length);
    connection.body_length = 0;
}

/// Sends the answer's head to the client.
async fn send_head(connection: &mut Downstream, exchange: &Exchange, routed: &Routed<'_>) -> io::Result<()> {
    let Downstream { channel, deadline, .. } = connection;
    let mut left = exchange.to_client.as_slice();
    deadline.set(routed.settings.send_timeout_ms);
    deadline
        .limit(|cx| {
            while !left.is_empty() {
                let n = ready!(channel.poll_write(cx, left, false))?;
                left = &left[n..];
            }
            channel.poll_flush(cx)
        })
        .await
}

/// Passes bytes until one side ends, or the tunnel does.
async fn pass(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    patience: &Patience,
    upstream: &mut Stream,
    (up, down): (&mut Way, &mut Way),
) -> Turn {
    let Downstream { channel, deadline, .. } = connection;
    let Exchange { from_upstream, body: from_client, .. } = exchange;
    let Some(client) = channel.as_stream() else { return Turn::Over(End::Done) };
    deadline.clear();
    poll_fn(|cx| {
        let before = (client.bytes_in(), up.moved, upstream.bytes_in(), down.moved);
        let moved = up.poll(cx, client, upstream, from_client).map_err(Broken::turned_round);
        if let Err(broken) = moved.and_then(|()| down.poll(cx, upstream, client, from_upstream)) {
            return Poll::Ready(Turn::Over(broken.end(up)));
        }
        match (up.is_over(from_client), down.is_over(from_upstream)) {
            (true, true) => return Poll::Ready(Turn::Over(End::Done)),
            (true, false) if !up.is_told => return Poll::Ready(Turn::EndUpstream),
            (false, true) if !down.is_told => return Poll::Ready(Turn::EndClient),
            _ => {}
        }
        if before != (client.bytes_in(), up.moved, upstream.bytes_in(), down.moved) || deadline.at_ms().is_none() {
            deadline.set(patience.now_ms(up, down));
        }
        ready!(deadline.poll_passed(cx));
        Poll::Ready(Turn::Over(if down.is_blocked { End::Done } else { End::TimedOut }))
    })
    .await
}

impl Way {
    /// Moves on as far as both sides allow, but lets others have their turn.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        buffer: &mut Buffer,
    ) -> Result<(), Broken> {
        for _ in 0..TUNNEL_READS {
            self.is_blocked = self.poll_drain(cx, to, buffer).map_err(Broken::To)?;
            if self.is_blocked || self.is_ended {
                return Ok(());
            }
            match from.poll_read(cx, buffer) {
                Poll::Pending => {
                    buffer.release_if_empty();
                    return Ok(());
                }
                Poll::Ready(Ok(0)) => {
                    buffer.release_if_empty();
                    self.is_ended = true;
                    return Ok(());
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(Broken::From(error)),
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Delivers what is in the buffer; whether that is more than the side takes at the moment.
    fn poll_drain(&mut self, cx: &mut Context<'_>, to: &mut Stream, buffer: &mut Buffer) -> io::Result<bool> {
        while !buffer.is_empty() {
            let Poll::Ready(n) = to.poll_write(cx, buffer.data())? else { return Ok(true) };
            buffer.consume(n);
            self.moved += n as u64;
        }
        Ok(to.poll_flush(cx)?.is_pending())
    }
}

/// How long a tunnel waits for what.
struct Patience {
    client_send_ms: u64,
    upstream_send_ms: u64,
    read_ms: u64,
}

impl Patience {
    fn now_ms(&self, up: &Way, down: &Way) -> u64 {
        match () {
            () if down.is_blocked => self.client_send_ms,
            () if up.is_blocked => self.upstream_send_ms,
            () if down.is_told => self.read_ms.min(HALF_CLOSED_MS),
            () => self.read_ms,
        }
    }
}

/// A side that broke off, seen from the way down: `From` is the server, `To` the client.
enum Broken {
    From(io::Error),
    To(io::Error),
}

impl Broken {
    /// The same seen from the way up.
    fn turned_round(self) -> Self {
        match self {
            Self::From(error) => Self::To(error),
            Self::To(error) => Self::From(error),
        }
    }

    /// A server that breaks off after it was told of the client's end has nothing more to say.
    fn end(self, up: &Way) -> End {
        match self {
            Self::From(error) if !up.is_told => End::Upstream(error),
            Self::From(_) | Self::To(_) => End::Done,
        }
    }
}
