//! The client's side of one request: what came of it, and the way back to whoever sent it.
//!
//! An HTTP/1.1 connection has one for all of its requests, one after the other. What belongs to the protocol is behind
//! [`Channel`]: nothing here knows how a message looks on the wire.

use std::rc::Rc;

use conf::tree::{Lingering, LingeringClose, LogLevel};
use net::{Buffer, Deadline};
use route::ProxyRule;
use wire::{Body, BodyError, Framing, RequestHead};

use crate::channel::Channel;
use crate::client::Client;
use crate::exchange::Exchange;
use crate::facts::{Record, RequestFacts};
use crate::limits::LINGER_MS;
use crate::log::{Failed, Rendered, error_line, write_access, write_errors};
use crate::request::Routed;
use crate::thread::Thread;

/// The client's side of a request.
pub(crate) struct Downstream {
    pub(crate) thread: Rc<Thread>,
    pub(crate) channel: Channel,
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
    /// How the connection is closed after the request last served.
    pub(crate) lingering: Lingering,
    /// The client took too long, and `reset_timedout_connection` is on.
    pub(crate) resets: bool,
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

impl Downstream {
    pub(crate) fn new(thread: Rc<Thread>, channel: Channel, client: Client) -> Self {
        Self::with_deadline(thread, channel, Deadline::new(), client)
    }

    pub(crate) fn with_deadline(thread: Rc<Thread>, channel: Channel, deadline: Deadline, client: Client) -> Self {
        Self {
            thread,
            channel,
            input: Buffer::new(),
            deadline,
            client,
            head_length: 0,
            body_length: 0,
            keep_alive_ms: 0,
            lingering: Lingering { close: LingeringClose::On, time_ms: LINGER_MS, timeout_ms: LINGER_MS },
            resets: false,
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
            thread: &self.thread,
            request,
            head: self.head_bytes(),
            path,
            routed,
            rule: rule.or(routed.rule),
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
            && exchange.record.started_ms.saturating_sub(self.client.since_ms) < routed.settings.keepalive_time_ms
            && !self.thread.is_draining.get()
            && !self.client.is_leaving
    }

    /// The end of a client's connection that took too long, or is not to be answered.
    pub(crate) fn cut_off(&mut self, routed: &Routed<'_>) -> After {
        self.resets = routed.settings.reset_timedout_connection;
        After::Drop
    }

    /// Writes the request's line to the access logs.
    pub(crate) fn log_access(&mut self, exchange: &mut Exchange, routed: &Routed<'_>) {
        for &number in &routed.settings.access_logs {
            let Some(target) = routed.site.snapshot.access_log(number) else { continue };
            let Exchange { request, path, record, key, maps, .. } = exchange;
            let facts = self.facts(request, routed, path, record, None);
            let mut texts = Rendered { maps: &routed.site.maps, scratch: maps, value: key };
            write_access(&target, &facts, &mut texts, &self.thread.dates, &mut self.thread.logs.borrow_mut());
        }
    }

    /// Writes a failure to the error log.
    pub(crate) fn log_failure(&self, exchange: &Exchange, routed: &Routed<'_>, what: &str, upstream: Option<&str>) {
        self.log(LogLevel::Error, exchange, routed, what, upstream);
    }

    /// Writes to the error log what is no failure of ours, such as a client that falls silent.
    pub(crate) fn log_info(&self, exchange: &Exchange, routed: &Routed<'_>, what: &str) {
        self.log(LogLevel::Info, exchange, routed, what, None);
    }

    /// Writes to the error log at some level.
    pub(crate) fn log_at(&self, level: LogLevel, exchange: &Exchange, routed: &Routed<'_>, what: &str) {
        self.log(level, exchange, routed, what, None);
    }

    fn log(&self, level: LogLevel, exchange: &Exchange, routed: &Routed<'_>, what: &str, upstream: Option<&str>) {
        let targets = &routed.settings.error_logs;
        if targets.iter().all(|target| level > target.level) {
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
            subrequest: if exchange.record.detour.is_subrequest { &exchange.path[..] } else { b"" },
            upstream,
            upstream_is_tls: exchange.record.upstream_is_tls,
            upstream_target: exchange.to_upstream.split(|byte| *byte == b' ').nth(1).unwrap_or_default(),
            host: exchange.request.host.map_or(b"", |host| host.of(self.head_bytes())),
        };
        let writer = |to: &_| routed.site.snapshot.error_log(to);
        let (dates, logs) = (&mut *self.thread.dates.borrow_mut(), &mut *self.thread.logs.borrow_mut());
        write_errors(targets, level, (dates, logs), writer, |time, out| error_line(time, &failed, out));
    }
}

/// Whether a request has no body at all.
pub(crate) fn has_no_body(request: &RequestHead) -> bool {
    matches!(request.framing, Framing::None | Framing::Length(0))
}
