//! One stream's request, from its head to the end of its answer.

use std::rc::Rc;

use h2::RecvStream;
use h2::server::SendResponse;
use http::request::Parts;
use net::event_loop;

use crate::channel::Channel;
use crate::client::Client;
use crate::downstream::{After, Downstream};
use crate::exchange::Exchange;
use crate::http2::piece::Piece;
use crate::http2::request::{self as head, Content};
use crate::http2::stream::Stream;
use crate::request;
use crate::thread::{Thread, Writing};

/// A stream as it was opened.
pub(super) struct Opened {
    pub(super) parts: Parts,
    pub(super) body: RecvStream,
    pub(super) respond: SendResponse<Piece>,
}

/// Serves a stream's request; returns for how long the connection may be idle after it, if it got as far as a server.
pub(super) async fn serve(thread: Rc<Thread>, client: Client, opened: Opened) -> Option<u64> {
    thread.counters.requests.add(1);
    let _writing = Writing::new(&thread);
    let Opened { parts, body, respond } = opened;
    let mut exchange = thread.take_exchange();
    exchange.record.start();
    let has_ended = body.is_end_stream();
    let channel = Channel::Http2(Box::new(Stream::new(body, respond)));
    let deadline = thread.take_deadline();
    let mut down = Downstream::with_deadline(Rc::clone(&thread), channel, deadline, client);
    let read = head::read(&mut down, &mut exchange, &parts, has_ended);
    drop(parts);
    let after = match read {
        Ok(content) => served(&mut down, &mut exchange, content).await,
        Err(unfit) => request::refuse(&mut down, &mut exchange, unfit.why(), unfit.status()).await,
    };
    if let Channel::Http2(stream) = &mut down.channel
        && (after == After::Drop || !stream.is_body_read())
    {
        // The connection sends what there is: a reset throws away what waits to be sent, and some clients forget an
        // answer that comes in one piece with the reset which tells them to send no more of their request (curl 7).
        event_loop::yield_now().await;
        if after == After::Drop {
            stream.give_up();
        }
    }
    thread.give_exchange(exchange);
    thread.give_deadline(down.deadline);
    read.ok().map(|_| down.keep_alive_ms)
}

async fn served(down: &mut Downstream, exchange: &mut Exchange, content: Content) -> After {
    let Downstream { channel: Channel::Http2(stream), deadline, client, .. } = down else { return After::Drop };
    if content == Content::Counted(0) {
        // Nothing is forwarded before it is sure that nothing comes: to the upstream the request would be whole.
        deadline.set(client.site.default_server(client.listener).settings.client_body_timeout_ms);
        if deadline.limit(|cx| stream.poll_nothing(cx)).await.is_err() {
            return After::Drop;
        }
    } else {
        stream.expect(content);
    }
    request::serve(down, exchange).await
}
