//! One client connection: TLS handshake, heads one after the other, keep-alive, the end.
//!
//! ```text
//! handshake -> idle -> head -> request -> idle ... -> linger -> closed
//! ```
//! While idle it owns no buffer and no exchange; its one deadline moves with what it waits for.

use std::io;
use std::rc::Rc;
use std::task::Poll;

use conf::tree::LingeringClose;
use net::{Stream, clock};
use wire::{Limits, Refusal, RequestHead};

use crate::accept::Open;
use crate::channel::Channel;
use crate::client::{Client, ClientTls};
use crate::downstream::{After, Downstream};
use crate::exchange::Exchange;
use crate::http2::{self, PREFACE};
use crate::limits::{LINGER_BYTES, LINGER_READS, REQUEST_HEAD_MAX};
use crate::proxy_protocol;
use crate::request::{self, Routed};
use crate::thread::{Reading, Thread, Writing};
use crate::zones;

/// A client's connection: what it carries is known after the handshake.
pub(crate) struct Connection {
    down: Downstream,
}

/// What waiting for a head came to.
enum Head {
    Whole,
    Refused(Refusal),
    /// The client took too long.
    TimedOut,
    /// The client closed, or the connection broke.
    Gone,
}

impl Connection {
    pub(crate) fn new(thread: Rc<Thread>, stream: Stream, client: Client) -> Self {
        Self { down: Downstream::new(thread, Channel::Http1(stream), client) }
    }

    /// Serves the connection until it ends; `open` is dropped then. No `async fn`: that would hold the connection
    /// twice, as an argument and as what the argument becomes, and so make each idle one larger.
    #[allow(clippy::manual_async_fn, reason = "see above")]
    pub(crate) fn run(mut self, open: Open) -> impl Future<Output = ()> {
        async move {
            if self.hear_proxy().await.is_err() || self.handshake().await.is_err() {
                return;
            }
            if self.speaks_http2().await {
                // In a box, for an HTTP/1.1 connection must not be larger for it.
                return Box::pin(http2::run(self.down)).await;
            }
            self.serve().await;
            drop(open);
        }
    }

    /// Serves requests one after the other.
    async fn serve(&mut self) {
        let mut after = After::KeepAlive;
        let mut wait_ms = self.first_wait_ms();
        while after == After::KeepAlive {
            let is_pipelined = !self.down.input.is_empty() && self.down.client.requests > 0;
            if !self.has_bytes(wait_ms).await {
                break;
            }
            let mut exchange = self.down.thread.take_exchange();
            exchange.record.is_pipelined = is_pipelined;
            after = self.next_request(&mut exchange).await;
            wait_ms = self.down.keep_alive_ms;
            self.down.thread.give_exchange(exchange);
        }
        if self.down.resets {
            self.down.channel.reset_on_drop();
        } else if after == After::Linger && self.down.lingering.close != LingeringClose::Off {
            self.linger().await;
        }
    }

    /// Reads a proxy's word, where it comes before all else.
    async fn hear_proxy(&mut self) -> io::Result<()> {
        let client = &self.down.client;
        if !client.site.snapshot.router.listeners()[client.listener].proxy_protocol {
            return Ok(());
        }
        let wait_ms = self.first_wait_ms();
        // In a box, for a connection without it must not be larger for it.
        Box::pin(proxy_protocol::read(&mut self.down, wait_ms)).await
    }

    /// Makes the TLS handshake. A client that speaks plain HTTP is noted, for an answer that tells it so.
    async fn handshake(&mut self) -> io::Result<()> {
        let wait_ms = self.first_wait_ms();
        let Downstream { channel: Channel::Http1(stream), input, deadline, client, .. } = &mut self.down else {
            return Ok(());
        };
        if !stream.is_tls() {
            return Ok(());
        }
        deadline.set_idle(wait_ms);
        let shaken = deadline.limit(|cx| {
            let polled = stream.poll_handshake(cx);
            if stream.bytes_in() > 0 {
                deadline.set_busy();
            }
            polled
        });
        let shaken = shaken.await;
        match shaken {
            Ok(()) => {
                let tls = client.site.snapshot.tls[client.listener].as_ref();
                let session = stream.session();
                let is_resumed = session.is_some_and(net::tls::Session::is_resumed);
                client.tls = session.map(|session| Rc::new(ClientTls::of(session, tls)));
                zones::count_handshake(&self.down, Ok(is_resumed));
            }
            Err(error) if is_plain_http(&error) => {
                stream.give_up_tls(input);
                client.lacks_tls = true;
            }
            Err(error) => {
                zones::count_handshake(&self.down, Err(&error));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether HTTP/2 was agreed on by ALPN, or begins without TLS where `http2` is written. As nginx does, a client
    /// without TLS that sends anything else is spoken to in HTTP/1.1.
    async fn speaks_http2(&mut self) -> bool {
        if let Channel::Http1(stream) = &self.down.channel
            && stream.is_tls()
        {
            return stream.session().and_then(net::tls::Session::alpn) == Some(b"h2");
        }
        let client = &self.down.client;
        if client.lacks_tls || !client.site.snapshot.router.listeners()[client.listener].http2 {
            return false;
        }
        let wait_ms = self.first_wait_ms();
        let Downstream { channel, input, deadline, .. } = &mut self.down;
        deadline.set_idle(wait_ms);
        while input.len() < PREFACE.len() && PREFACE.starts_with(input.data()) {
            match deadline.limit(|cx| channel.poll_read(cx, input)).await {
                Ok(n) if n > 0 => deadline.set_busy(),
                // It is for whoever reads on to see that the client is gone.
                _ => return false,
            }
        }
        input.data().starts_with(PREFACE)
    }

    fn first_wait_ms(&self) -> u64 {
        first_server_timeout_ms(&self.down.client)
    }

    /// Waits while the connection is idle; false when it ends. It owns no memory meanwhile.
    async fn has_bytes(&mut self, wait_ms: u64) -> bool {
        if !self.down.input.is_empty() {
            return true;
        }
        let Downstream { channel, input, deadline, .. } = &mut self.down;
        deadline.set_idle(wait_ms);
        let read = deadline.limit(|cx| {
            let read = channel.poll_read(cx, input);
            if read.is_pending() {
                input.release_if_empty();
            }
            read
        });
        let has_bytes = matches!(read.await, Ok(n) if n > 0);
        deadline.set_busy();
        has_bytes
    }

    async fn next_request(&mut self, exchange: &mut Exchange) -> After {
        exchange.record.start();
        match self.head(exchange).await {
            Head::TimedOut => self.give_up(exchange, 408, "client timed out (110: Connection timed out)"),
            Head::Gone => self.give_up(exchange, 400, "client prematurely closed connection"),
            Head::Refused(refusal) => {
                self.down.client.requests += 1;
                self.down.thread.counters.requests.add(1);
                let after = request::refuse(&mut self.down, exchange, refusal.why(), refusal.status()).await;
                self.down.input.clear();
                after
            }
            Head::Whole => {
                self.down.client.requests += 1;
                self.down.thread.counters.requests.add(1);
                let writing = Writing::new(&self.down.thread);
                let after = request::serve(&mut self.down, exchange).await;
                drop(writing);
                self.down.input.consume(self.down.head_length + self.down.body_length);
                // Behind a body that was streamed, the next request's bytes lie in the body's buffer.
                if self.down.input.is_empty() {
                    std::mem::swap(&mut self.down.input, &mut exchange.body);
                }
                self.down.input.release_if_empty();
                self.down.head_length = 0;
                self.down.body_length = 0;
                after
            }
        }
    }

    /// Reads until a whole head is at the front of the input.
    async fn head(&mut self, exchange: &mut Exchange) -> Head {
        let limits = head_limits(&self.down.client);
        let Downstream { thread, channel, input, deadline, client, .. } = &mut self.down;
        deadline.set(first_server_timeout_ms(client));
        let mut reading = None;
        loop {
            match exchange.request.parse(input.data(), &limits) {
                Ok(Some(length)) => {
                    self.down.head_length = length;
                    exchange.record.request_bytes = length as u64;
                    return Head::Whole;
                }
                Ok(None) => {}
                Err(refusal) => return Head::Refused(refusal),
            }
            reading.get_or_insert_with(|| Reading::new(thread));
            if input.reserve(1).is_none() {
                return Head::Refused(Refusal::HeadTooLarge);
            }
            match deadline.limit(|cx| channel.poll_read(cx, input)).await {
                Ok(n) if n > 0 => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Head::TimedOut,
                _ => return Head::Gone,
            }
        }
    }

    /// Ends with a client that has sent part of a head. As in nginx it gets no answer, and a line in the log.
    fn give_up(&mut self, exchange: &mut Exchange, status: u16, what: &str) -> After {
        let site = Rc::clone(&self.down.client.site);
        let server = site.default_server(self.down.client.listener);
        let routed = Routed::new(&site, server);
        self.down.client.requests += 1;
        self.down.thread.counters.requests.add(1);
        exchange.request = RequestHead::new();
        exchange.record.status = status;
        self.down.head_length = self.down.input.len();
        self.down.log_info(exchange, &routed, &format!("{what} while reading client request headers"));
        self.down.log_access(exchange, &routed);
        if status == 408 { self.down.cut_off(&routed) } else { After::Drop }
    }

    /// Gives the client time to read the answer: closing with unread bytes would reset the connection.
    async fn linger(&mut self) {
        let Downstream { channel, input, deadline, lingering, .. } = &mut self.down;
        let end_ms = clock::coarse_ms().saturating_add(lingering.time_ms);
        let mut left = LINGER_BYTES;
        deadline.set_idle(lingering.timeout_ms);
        {
            let mut shutdown = std::pin::pin!(channel.shutdown());
            if deadline.limit(|cx| shutdown.as_mut().poll(cx)).await.is_err() {
                return;
            }
        }
        for reads in 1.. {
            input.clear();
            if reads % LINGER_READS == 0 {
                net::event_loop::yield_now().await;
            }
            deadline.set_at(end_ms.min(clock::coarse_ms().saturating_add(lingering.timeout_ms)));
            let read = deadline.limit(|cx| match channel.poll_read(cx, input) {
                Poll::Pending => {
                    input.release_if_empty();
                    Poll::Pending
                }
                ready => ready,
            });
            match read.await {
                Ok(n) if n > 0 && left > n as u64 => left -= n as u64,
                _ => return,
            }
        }
    }
}

fn is_plain_http(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<net::tls::PlainHttp>())
}

/// How large a head may be, of the listener's default server: no name is known yet.
pub(crate) fn head_limits(client: &Client) -> Limits {
    let server = client.site.default_server(client.listener);
    let most = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX).min(REQUEST_HEAD_MAX);
    Limits { head: most(server.header_max), line: most(server.header_line_max), ..Limits::default() }
}

/// `client_header_timeout` of the listener's default server: no name is known yet.
fn first_server_timeout_ms(client: &Client) -> u64 {
    client.site.default_server(client.listener).client_header_timeout_ms
}

#[cfg(test)]
mod tests;
