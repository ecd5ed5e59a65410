//! One client connection: TLS handshake, heads one after the other, keep-alive, the end.
//!
//! ```text
//! handshake -> idle -> head -> request -> idle ... -> linger -> closed
//! ```
//! While idle it owns no buffer and no exchange; its one deadline moves with what it waits for.

use std::io;
use std::rc::Rc;
use std::task::Poll;

use conf::tree::LogLevel;
use net::{Buffer, Deadline, Stream, clock};
use route::ProxyRule;
use wire::{Body, BodyError, Framing, Limits, Refusal, RequestHead};

use crate::answer;
use crate::client::Client;
use crate::exchange::Exchange;
use crate::facts::{Record, RequestFacts};
use crate::limits::{LINGER_BYTES, LINGER_MS};
use crate::log::{Failed, combined, error_line};
use crate::request::{self, Routed};
use crate::site::Site;
use crate::thread::Thread;

/// A client's connection.
pub(crate) struct Connection {
    pub(crate) thread: Rc<Thread>,
    pub(crate) stream: Stream,
    /// What came from the client: a request's head stays at the front until its answer is given.
    pub(crate) input: Buffer,
    pub(crate) deadline: Deadline,
    pub(crate) client: Client,
    /// Length of the head at the front of the input.
    pub(crate) head_length: usize,
    /// How much of the input behind the head belongs to the request's body.
    pub(crate) body_length: usize,
    /// How long the connection may be idle after the request last served.
    pub(crate) keep_alive_ms: u64,
}

/// What becomes of the connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The next request may come.
    KeepAlive,
    /// The answer is out; the client is given time to read it before the connection goes.
    Linger,
    /// The connection goes at once.
    Drop,
}

/// What waiting for a head came to.
enum Head {
    Whole,
    Refused(Refusal),
    /// The client closed, or took too long, or the connection broke.
    Gone,
}

impl Connection {
    pub(crate) fn new(thread: Rc<Thread>, stream: Stream, client: Client) -> Self {
        Self {
            thread,
            stream,
            input: Buffer::new(),
            deadline: Deadline::new(),
            client,
            head_length: 0,
            body_length: 0,
            keep_alive_ms: 0,
        }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn run(mut self) {
        match self.handshake().await {
            Ok(()) => {}
            Err(error) if is_plain_http(&error) => self.stream.give_up_tls(&mut self.input),
            Err(_) => return,
        }
        let mut after = After::KeepAlive;
        let mut wait_ms = self.first_wait_ms();
        while after == After::KeepAlive && self.has_bytes(wait_ms).await {
            let mut exchange = self.thread.take_exchange();
            after = self.next_request(&mut exchange).await;
            wait_ms = self.keep_alive_ms;
            self.thread.give_exchange(exchange);
        }
        if after == After::Linger {
            self.linger().await;
        }
    }

    /// Facts for variables.
    pub(crate) fn facts<'a>(
        &'a self,
        request: &'a RequestHead,
        routed: &'a Routed<'a>,
        path: &'a [u8],
        record: &'a Record,
        rule: Option<&'a ProxyRule>,
    ) -> RequestFacts<'a> {
        RequestFacts {
            client: &self.client,
            dates: &self.thread.dates,
            random: &self.thread.random,
            request,
            head: self.head_bytes(),
            path,
            routed,
            rule,
            record,
        }
    }

    /// The bytes of the request's head.
    pub(crate) fn head_bytes(&self) -> &[u8] {
        &self.input.data()[..self.head_length]
    }

    /// Reads on in the body behind the head, as far as it is here; whether that is to its end. `body` is where the last
    /// call left it.
    pub(crate) fn scan_body(&mut self, body: &mut Body) -> Result<bool, BodyError> {
        while !body.ended() {
            let piece = body.next(&self.input.data()[self.head_length + self.body_length..])?;
            if piece.consumed == 0 {
                return Ok(false);
            }
            self.body_length += piece.consumed;
        }
        Ok(true)
    }

    /// Whether the connection may go on after this request.
    pub(crate) fn may_keep_alive(&self, exchange: &Exchange, routed: &Routed<'_>) -> bool {
        exchange.request.keep_alive
            && routed.body_is_here
            && routed.settings.keepalive_timeout_ms > 0
            && self.client.requests < routed.settings.keepalive_requests
            && !self.thread.is_draining.get()
    }

    /// Writes the request's line to the access logs.
    pub(crate) fn log_access(&mut self, exchange: &mut Exchange, routed: &Routed<'_>) {
        for path in &routed.settings.access_log {
            let Some(log) = routed.site.snapshot.access_log(path) else { continue };
            let Exchange { request, path, record, key, .. } = exchange;
            let facts = self.facts(request, routed, path, record, None);
            let mut logs = self.thread.logs.borrow_mut();
            combined(&facts, logs.lines(log), key);
            logs.written(log);
        }
    }

    /// Writes a failure to the error log.
    pub(crate) fn log_failure(&self, exchange: &Exchange, routed: &Routed<'_>, what: &str, upstream: Option<&str>) {
        let target = &routed.settings.error_log;
        let level = LogLevel::Error;
        if level > target.level {
            return;
        }
        let facts = self.facts(&exchange.request, routed, &exchange.path, &exchange.record, None);
        let failed = Failed {
            level,
            what,
            connection: self.client.number,
            client: self.client.remote_text(),
            server: &routed.server.name,
            request: facts.request_line(),
            upstream,
            upstream_target: exchange.to_upstream.split(|byte| *byte == b' ').nth(1).unwrap_or_default(),
            host: exchange.request.host.map_or(b"", |host| host.of(self.head_bytes())),
        };
        let log = routed.site.snapshot.error_log(&target.to);
        let mut logs = self.thread.logs.borrow_mut();
        error_line(self.thread.dates.borrow_mut().error(), &failed, logs.lines(log));
        logs.written(log);
    }

    async fn handshake(&mut self) -> io::Result<()> {
        let Self { stream, deadline, client, .. } = self;
        if stream.is_tls() {
            deadline.set(first_server_timeout_ms(&self.thread.site.borrow(), client.listener));
            deadline.limit(|cx| stream.poll_handshake(cx)).await?;
            client.tls_protocol = stream.session().and_then(net::tls::Session::protocol);
        }
        Ok(())
    }

    fn first_wait_ms(&self) -> u64 {
        first_server_timeout_ms(&self.thread.site.borrow(), self.client.listener)
    }

    /// Waits while the connection is idle; false when it ends. It owns no memory meanwhile.
    async fn has_bytes(&mut self, wait_ms: u64) -> bool {
        if !self.input.is_empty() {
            return true;
        }
        let Self { stream, input, deadline, .. } = self;
        deadline.set(wait_ms);
        let read = deadline.limit(|cx| {
            let read = stream.poll_read(cx, input);
            if read.is_pending() {
                input.release_if_empty();
            }
            read
        });
        matches!(read.await, Ok(n) if n > 0)
    }

    async fn next_request(&mut self, exchange: &mut Exchange) -> After {
        exchange.record.started_ms = clock::coarse_ms();
        match self.head(exchange).await {
            Head::Gone => After::Drop,
            Head::Refused(refusal) => self.refuse(exchange, refusal).await,
            Head::Whole => {
                self.client.requests += 1;
                self.thread.counters.requests.add(1);
                let after = request::serve(self, exchange).await;
                self.input.consume(self.head_length + self.body_length);
                // Behind a body that was streamed, the next request's bytes lie in the body's buffer.
                if self.input.is_empty() {
                    std::mem::swap(&mut self.input, &mut exchange.body);
                }
                self.input.release_if_empty();
                self.head_length = 0;
                self.body_length = 0;
                after
            }
        }
    }

    /// Reads until a whole head is at the front of the input.
    async fn head(&mut self, exchange: &mut Exchange) -> Head {
        let limits = Limits::default();
        let Self { stream, input, deadline, .. } = self;
        deadline.set(first_server_timeout_ms(&self.thread.site.borrow(), self.client.listener));
        loop {
            match exchange.request.parse(input.data(), &limits) {
                Ok(Some(length)) => {
                    self.head_length = length;
                    exchange.record.request_bytes = length as u64;
                    return Head::Whole;
                }
                Ok(None) => {}
                Err(refusal) => return Head::Refused(refusal),
            }
            if input.reserve(1).is_none() {
                return Head::Refused(Refusal::HeadTooLarge);
            }
            match deadline.limit(|cx| stream.poll_read(cx, input)).await {
                Ok(n) if n > 0 => {}
                _ => return Head::Gone,
            }
        }
    }

    /// Answers a request that is none, and has the connection closed.
    async fn refuse(&mut self, exchange: &mut Exchange, refusal: Refusal) -> After {
        let site = Rc::clone(&self.thread.site.borrow());
        let router = &site.snapshot.router;
        let server = &router.servers()[router.listeners()[self.client.listener].default];
        let routed = Routed { site: &site, server, settings: &server.settings, body_is_here: false };
        self.thread.counters.requests.add(1);
        self.client.requests += 1;
        // The spans of an unfinished head point nowhere: only its first line is shown.
        exchange.request = RequestHead::new();
        self.head_length = self.input.data().iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let what = format!("client sent invalid request: {}", refusal.why());
        self.log_failure(exchange, &routed, &what, None);
        exchange.request.keep_alive = false;
        let after = answer::page(self, exchange, &routed, refusal.status()).await;
        self.log_access(exchange, &routed);
        self.input.clear();
        after
    }

    /// Gives the client time to read the answer: closing with unread bytes would reset the connection.
    async fn linger(mut self) {
        let Self { stream, input, deadline, .. } = &mut self;
        deadline.set(LINGER_MS);
        let mut left = LINGER_BYTES;
        {
            let mut shutdown = std::pin::pin!(stream.shutdown());
            if deadline.limit(|cx| shutdown.as_mut().poll(cx)).await.is_err() {
                return;
            }
        }
        while left > 0 {
            input.clear();
            let read = deadline.limit(|cx| match stream.poll_read(cx, input) {
                Poll::Pending => {
                    input.release_if_empty();
                    Poll::Pending
                }
                ready => ready,
            });
            match read.await {
                Ok(n) if n > 0 => left = left.saturating_sub(n as u64),
                _ => return,
            }
        }
    }
}

/// Whether a request has no body at all.
pub(crate) fn has_no_body(request: &RequestHead) -> bool {
    matches!(request.framing, Framing::None | Framing::Length(0))
}

fn is_plain_http(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<net::tls::PlainHttp>())
}

/// `client_header_timeout` of a listener's default server: no name is known yet.
fn first_server_timeout_ms(site: &Site, listener: usize) -> u64 {
    let router = &site.snapshot.router;
    router.servers()[router.listeners()[listener].default].client_header_timeout_ms
}

#[cfg(test)]
mod tests;
