//! One attempt: a connection to the server, the request sent, the answer's head read; then the relaying.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use balance::{Exchange as Known, Failure};
use net::{Deadline, clock, dial, tls};
use route::ProxyRule;
use wire::Limits;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::facts::{Attempt, Tried};
use crate::limits::{ANSWER_HEAD_MAX, INTERIM_ANSWERS, WATCH_AFTER_MS};
use crate::lines;
use crate::request::Routed;
use crate::site::Held;
use crate::upstream::course::{Course, idle_limit_ms};
use crate::upstream::head::is_idempotent;
use crate::upstream::pool::Link;
use crate::upstream::relay::{Relay, RelayError};
use crate::upstream::upload::{Upload, UploadError};
use crate::upstream::way::{Unmade, Way};
use crate::upstream::{CLIENT_CLOSED, CLIENT_TIMED_OUT, CUT_OFF};

/// A server has answered; the answer's head is at the front of `exchange.from_upstream`.
pub(crate) struct Answered {
    pub(crate) link: Box<Link>,
    pub(crate) head_length: usize,
    pub(crate) known: Known,
}

/// Why there is no answer.
pub(crate) enum Stop {
    /// The client went away, or took too long to send its request's body: the status that the log says.
    Closed(u16),
    /// The client's request turned out to be at fault: the status.
    Client(u16),
    /// Something failed on this machine: what.
    Here(String),
    /// The server, or the way to it, failed.
    Failed(Failed),
}

/// A failed attempt.
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) known: Known,
    /// It failed for want of something on this machine: no fault of the server's.
    pub(crate) is_local: bool,
    /// For the log: what failed, and where.
    pub(crate) what: String,
}

/// Sends the request to the server and reads the head of its answer.
pub(crate) async fn attempt(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    held: &Held<'_>,
    upload: &mut Upload,
) -> Result<Answered, Stop> {
    let detour = &exchange.record.detour;
    let idempotent =
        detour.is_get || detour.is_subrequest || is_idempotent(exchange.request.method.of(connection.head_bytes()));
    exchange.record.begin_attempt(Tried::Server(held.endpoint().clone()));
    exchange.from_upstream.clear();
    upload.rewind();
    let way = Way::of(connection, exchange, routed, rule, held.endpoint());
    exchange.record.upstream_is_tls = way.is_tls();
    let fresh = exchange.course.as_ref().is_some_and(Course::wants_fresh);
    let pooled = if fresh { None } else { take_pooled(held, &way, idempotent) };
    let known = Known {
        reused: pooled.is_some(),
        anything_written: false,
        any_answer_byte: false,
        idempotent,
        replayable: !upload.has_begun,
        fresh_retry_done: fresh,
    };
    let link = match pooled {
        Some(link) => link,
        // In a box: while a server is waited for, nothing of it must make the task larger.
        None => Box::pin(connect(connection, exchange, rule, held, way, known)).await?,
    };
    note(exchange, |attempt, now_ms| attempt.connected_ms = Some(now_ms));
    let mut turn = Turn { watches_client: !rule.ignore_client_abort, ..Turn::new(link, known, held) };
    let run = turn.run(connection, exchange, routed, rule, upload).await;
    note(exchange, |attempt, _| (attempt.sent, attempt.received) = (turn.written as u64 + upload.sent, turn.received));
    let head_length = run?;
    if routed.site.keeps.upstream {
        let Exchange { record, from_upstream, .. } = &mut *exchange;
        lines::keep(&mut record.lines.get_or_insert_default().upstream, &from_upstream.data()[..head_length]);
    }
    let status = exchange.response.status;
    note(exchange, |attempt, now_ms| {
        (attempt.head_ms, attempt.status) = (Some(now_ms), status);
        held.answered(status, attempt.started_ms);
    });
    let known = Known { anything_written: turn.written > 0, ..turn.known };
    Ok(Answered { link: turn.link, head_length, known })
}

/// A kept connection; one that must not fail only if it was in use a moment ago.
fn take_pooled(held: &Held<'_>, way: &Way, idempotent: bool) -> Option<Box<Link>> {
    held.upstream.pool.borrow_mut().take(held.peer, way, idle_limit_ms(idempotent), clock::coarse_ms())
}

async fn connect(
    connection: &Downstream,
    exchange: &Exchange,
    rule: &ProxyRule,
    held: &Held<'_>,
    way: Way,
    known: Known,
) -> Result<Box<Link>, Stop> {
    connection.deadline.set(rule.connect_timeout_ms);
    let mut is_left = false;
    let made = {
        let mut making = std::pin::pin!(way.connect(held.endpoint(), rule.socket_keepalive));
        let limited = connection.deadline.limit(|cx| {
            let made = making.as_mut().poll(cx).map(Ok);
            is_left = made.is_pending() && held.is_unhealthy() && leaves(exchange, rule, held, known);
            if is_left { Poll::Ready(Err(io::ErrorKind::Interrupted.into())) } else { made }
        });
        limited.await.unwrap_or_else(|error| Err(Unmade::Connect(error)))
    };
    if is_left {
        let what = format!("{UNHEALTHY} while connecting to upstream");
        return Err(Stop::Failed(Failed { failure: Failure::Unhealthy, known, is_local: false, what }));
    }
    if let Some(detail) = held.detail().filter(|_| way.is_tls()) {
        match &made {
            Ok(stream) => detail.tls.count(Ok(stream.session().is_some_and(tls::Session::is_resumed))),
            Err(Unmade::Handshake(error)) => detail.tls.count(Err(error)),
            Err(Unmade::Connect(_)) => {}
        }
    }
    let (error, what) = match made {
        Ok(stream) => return Ok(Box::new(Link::by(way, stream, clock::coarse_ms()))),
        Err(Unmade::Connect(error)) if dial::is_local_fault(&error) => {
            let what = describe("connect", &error, "making a socket: this host is out of it");
            (error, what)
        }
        Err(Unmade::Connect(error)) => {
            let what = describe("connect", &error, "connecting to upstream");
            (error, what)
        }
        Err(Unmade::Handshake(error)) => {
            let what = describe("SSL_do_handshake", &error, "SSL handshaking to upstream");
            (error, what)
        }
    };
    let (timed_out, is_local) = (error.kind() == io::ErrorKind::TimedOut, dial::is_local_fault(&error));
    Err(Stop::Failed(Failed { failure: Failure::Connect { timed_out }, known, is_local, what }))
}

/// What the log says of a server that a request does not wait for any longer.
const UNHEALTHY: &str = "health checks have found the server unhealthy";

/// Whether a request that waits for a server goes to another one, now that checks have found this one not well.
#[cold]
fn leaves(exchange: &Exchange, rule: &ProxyRule, held: &Held<'_>, known: Known) -> bool {
    let (group, now_ms) = (&held.upstream.shared.group, clock::coarse_ms());
    let budget = held.upstream.shared.budget.as_ref();
    let leaves = match &exchange.course {
        Some(course) => course.leaves(known, budget, now_ms),
        None => Course::first(rule, group, exchange.begun_ms).leaves(known, budget, now_ms),
    };
    leaves && group.has_another(&exchange.attempts, now_ms)
}

/// The request on its way to a server, and the head of the answer on its way back.
struct Turn<'a> {
    link: Box<Link>,
    held: &'a Held<'a>,
    known: Known,
    /// How much of `exchange.to_upstream` is written.
    written: usize,
    /// How much has come.
    received: u64,
    interims: u32,
    /// Whether the client's socket is read to see it close. Not once bytes of a next request have come.
    watches_client: bool,
    /// It has lasted long enough for the client to be watched: most answers come before that.
    is_long: bool,
    give_up_ms: u64,
    /// Writing failed; an answer may have come all the same (a server that refuses a body).
    send_error: Option<io::Error>,
}

impl Stop {
    /// The status that variables give an attempt; 0 where the server is not at fault.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Failed(Failed { failure, .. }) => match failure {
                Failure::Connect { timed_out } | Failure::Send { timed_out } | Failure::Receive { timed_out } => {
                    if *timed_out {
                        504
                    } else {
                        502
                    }
                }
                Failure::InvalidHeader => 502,
                Failure::Unhealthy => 504,
                Failure::Status(status) => *status,
            },
            Self::Closed(_) | Self::Client(_) | Self::Here(_) => 0,
        }
    }
}

impl<'a> Turn<'a> {
    fn new(link: Box<Link>, known: Known, held: &'a Held<'a>) -> Self {
        Self {
            link,
            held,
            known,
            written: 0,
            received: 0,
            interims: 0,
            watches_client: true,
            is_long: false,
            give_up_ms: 0,
            send_error: None,
        }
    }

    async fn run(
        &mut self,
        connection: &mut Downstream,
        exchange: &mut Exchange,
        routed: &Routed<'_>,
        rule: &ProxyRule,
        upload: &mut Upload,
    ) -> Result<usize, Stop> {
        let limits = answer_limits(rule.buffer_size);
        self.wait(&connection.deadline, rule.send_timeout_ms);
        poll_fn(|cx| {
            let before = self.progress(exchange);
            let result = self.poll(cx, connection, exchange, upload, &limits);
            if result.is_ready() {
                return result;
            }
            if self.progress(exchange) != before {
                self.wait(&connection.deadline, self.patience_ms(exchange, routed, rule, upload));
            }
            if self.held.is_unhealthy() && self.is_left(exchange, rule, upload) {
                let what = format!("{UNHEALTHY} while reading response header from upstream");
                return Poll::Ready(Err(self.failed(Failure::Unhealthy, upload, what)));
            }
            ready!(connection.deadline.poll_passed(cx));
            if self.is_long || clock::coarse_ms() >= self.give_up_ms {
                return Poll::Ready(Err(self.timed_out(exchange, upload)));
            }
            self.is_long = true;
            connection.deadline.set_at(self.give_up_ms);
            // The watch begins, and the deadline wakes at its new time, with one more turn.
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Sets the time by which something has to move, and before that the time from which the client is watched.
    fn wait(&mut self, deadline: &Deadline, patience_ms: u64) {
        let now_ms = clock::coarse_ms();
        self.give_up_ms = now_ms.saturating_add(patience_ms);
        let long_ms = if self.is_long { u64::MAX } else { now_ms + WATCH_AFTER_MS };
        deadline.set_at(self.give_up_ms.min(long_ms));
    }

    /// Changes whenever something moved.
    fn progress(&self, exchange: &Exchange) -> (usize, u64, u64, usize) {
        let stream = &self.link.stream;
        (self.written, stream.bytes_in(), stream.bytes_out(), exchange.body.len())
    }

    fn is_sent(&self, exchange: &Exchange, upload: &Upload) -> bool {
        self.written == exchange.to_upstream.len() && upload.is_done
    }

    fn patience_ms(&self, exchange: &Exchange, routed: &Routed<'_>, rule: &ProxyRule, upload: &Upload) -> u64 {
        match () {
            () if upload.waits_for_client && !upload.is_done => routed.settings.client_body_timeout_ms,
            () if self.is_sent(exchange, upload) => rule.read_timeout_ms,
            () => rule.send_timeout_ms,
        }
    }

    fn timed_out(&self, exchange: &Exchange, upload: &Upload) -> Stop {
        if upload.waits_for_client && !upload.is_done {
            return Stop::Closed(CLIENT_TIMED_OUT);
        }
        if self.is_sent(exchange, upload) {
            let what = "upstream timed out (110: Connection timed out) while reading response header from upstream";
            return self.failed(Failure::Receive { timed_out: true }, upload, what.to_owned());
        }
        let what = "upstream timed out (110: Connection timed out) while sending request to upstream";
        self.failed(Failure::Send { timed_out: true }, upload, what.to_owned())
    }

    fn failed(&self, failure: Failure, upload: &Upload, what: String) -> Stop {
        Stop::Failed(Failed { failure, known: self.known(upload), is_local: false, what })
    }

    fn known(&self, upload: &Upload) -> Known {
        Known {
            anything_written: self.link.stream.bytes_out() > 0 && self.written > 0,
            replayable: !upload.has_begun,
            ..self.known
        }
    }

    /// Whether the request goes to another server than this one, which is not well. Where it cannot, it waits on: the
    /// server may be slow only.
    #[cold]
    fn is_left(&self, exchange: &Exchange, rule: &ProxyRule, upload: &Upload) -> bool {
        !self.known.any_answer_byte && leaves(exchange, rule, self.held, self.known(upload))
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Downstream,
        exchange: &mut Exchange,
        upload: &mut Upload,
        limits: &Limits,
    ) -> Poll<Result<usize, Stop>> {
        if let Some((error, was_begun)) = self.link.stream.take_unsent() {
            self.written = if was_begun { self.written } else { 0 };
            self.send_error = Some(error);
        }
        if self.send_error.is_none() {
            self.poll_send(cx, connection, exchange, upload)?;
        }
        if let Poll::Ready(head) = self.poll_head(cx, connection, exchange, upload, limits) {
            return Poll::Ready(head);
        }
        if let Some(error) = self.send_error.take() {
            let what = describe("send", &error, "sending request to upstream");
            return Poll::Ready(Err(self.failed(Failure::Send { timed_out: false }, upload, what)));
        }
        let watches = self.is_long || connection.channel.is_http2();
        if watches && upload.is_taken() && may_watch(exchange) && self.is_client_gone(cx, connection) {
            return Poll::Ready(Err(Stop::Closed(CLIENT_CLOSED)));
        }
        Poll::Pending
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Downstream,
        exchange: &mut Exchange,
        upload: &mut Upload,
    ) -> Result<(), Stop> {
        // A request that is whole goes with those of the turn's other tasks.
        if self.written == 0 && upload.is_done && self.link.stream.write_later(&exchange.to_upstream) {
            self.written = exchange.to_upstream.len();
        }
        while self.written < exchange.to_upstream.len() {
            match self.link.stream.poll_write(cx, &exchange.to_upstream[self.written..]) {
                Poll::Ready(Ok(n)) => self.written += n,
                Poll::Ready(Err(error)) => {
                    self.send_error = Some(error);
                    return Ok(());
                }
                Poll::Pending => return Ok(()),
            }
        }
        match upload.poll(cx, &mut connection.channel, &mut exchange.body, &exchange.spool, &mut self.link.stream) {
            Poll::Ready(Err(UploadError::ClientGone)) => Err(Stop::Closed(CUT_OFF)),
            Poll::Ready(Err(UploadError::Malformed)) => Err(Stop::Client(400)),
            Poll::Ready(Err(UploadError::TooLarge)) => Err(Stop::Client(413)),
            Poll::Ready(Err(UploadError::Spool(error))) => {
                Err(Stop::Here(format!("cannot read a kept request body: {error}")))
            }
            Poll::Ready(Err(UploadError::Upstream(error))) => {
                self.send_error = Some(error);
                Ok(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        connection: &Downstream,
        exchange: &mut Exchange,
        upload: &Upload,
        limits: &Limits,
    ) -> Poll<Result<usize, Stop>> {
        loop {
            if !exchange.from_upstream.is_empty() && exchange.from_upstream.reserve(1).is_none() {
                let what = "upstream sent too big header while reading response header from upstream".to_owned();
                return Poll::Ready(Err(self.failed(Failure::InvalidHeader, upload, what)));
            }
            match ready!(self.link.stream.poll_read(cx, &mut exchange.from_upstream)) {
                Ok(n) if n > 0 => {
                    self.known.any_answer_byte = true;
                    self.received += n as u64;
                }
                Ok(_) => {
                    let what = "upstream prematurely closed connection while reading response header from upstream";
                    let failure = Failure::Receive { timed_out: false };
                    return Poll::Ready(Err(self.failed(failure, upload, what.to_owned())));
                }
                Err(error) => {
                    let what = describe("recv", &error, "reading response header from upstream");
                    return Poll::Ready(Err(self.failed(Failure::Receive { timed_out: false }, upload, what)));
                }
            }
            if let Some(length) = self.parse(connection, exchange, upload, limits)? {
                return Poll::Ready(Ok(length));
            }
        }
    }

    /// The length of the answer's head, when it is whole. Interim answers are skipped.
    fn parse(
        &mut self,
        connection: &Downstream,
        exchange: &mut Exchange,
        upload: &Upload,
        limits: &Limits,
    ) -> Result<Option<usize>, Stop> {
        let asks_head = exchange.request.method.of(connection.head_bytes()) == b"HEAD";
        let is_head = asks_head && !exchange.record.detour.is_subrequest || exchange.to_upstream.starts_with(b"HEAD ");
        loop {
            let Exchange { response, from_upstream, .. } = exchange;
            let invalid = match response.parse(from_upstream.data(), is_head, limits) {
                Ok(None) => return Ok(None),
                Ok(Some(length)) if response.is_interim() && self.interims < INTERIM_ANSWERS => {
                    self.interims += 1;
                    from_upstream.consume(length);
                    continue;
                }
                Ok(Some(length)) if response.status >= 200 => return Ok(Some(length)),
                Ok(Some(length)) if response.upgrade && exchange.asks_upgrade && self.is_sent(exchange, upload) => {
                    return Ok(Some(length));
                }
                Ok(Some(_)) if exchange.response.upgrade => "a change of protocol that was not asked for",
                Ok(Some(_)) => "too many interim answers",
                Err(malformed) => malformed.why(),
            };
            let what = format!("upstream sent invalid header while reading response header from upstream: {invalid}");
            return Err(self.failed(Failure::InvalidHeader, upload, what));
        }
    }

    /// Whether the client closed while it waits. Bytes of its next request are kept, and end the watch.
    fn is_client_gone(&mut self, cx: &mut Context<'_>, connection: &mut Downstream) -> bool {
        let Downstream { channel, input, .. } = connection;
        self.watches_client && channel.is_gone(cx, input, &mut self.watches_client)
    }
}

/// What the head of an answer may not exceed: `proxy_buffer_size` raises it, up to what a buffer holds.
fn answer_limits(buffer_size: u64) -> Limits {
    let usual = Limits::default();
    let raised = usize::try_from(buffer_size).unwrap_or(usize::MAX).min(ANSWER_HEAD_MAX);
    Limits { head: usual.head.max(raised), line: usual.line.max(raised), ..usual }
}

/// Passes the answer on, and the rest of the request too if the server answered before it had it all.
pub(crate) async fn relay(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    link: &mut Link,
    relay: &mut Relay,
    upload: &mut Upload,
) -> Result<(), RelayError> {
    let mut watches_client = !rule.ignore_client_abort;
    connection.deadline.set(routed.settings.send_timeout_ms);
    poll_fn(|cx| {
        let Downstream { channel, input, deadline, .. } = &mut *connection;
        let before = (relay.sent, link.stream.bytes_in(), link.stream.bytes_out());
        // An upload that fails now is no failure of the answer: the connections are just not used again.
        if !upload.is_done {
            let _ = upload.poll(cx, channel, &mut exchange.body, &exchange.spool, &mut link.stream);
        }
        let relayed = relay.poll(cx, channel, &mut link.stream, exchange);
        if relayed.is_ready() {
            return relayed;
        }
        let is_waiting = upload.is_taken() && may_watch(exchange) && !relay.waits_for_client && watches_client;
        if is_waiting && channel.is_gone(cx, input, &mut watches_client) {
            return Poll::Ready(Err(RelayError::Client));
        }
        if before != (relay.sent, link.stream.bytes_in(), link.stream.bytes_out()) || deadline.at_ms().is_none() {
            let patience_ms =
                if relay.waits_for_client { routed.settings.send_timeout_ms } else { rule.read_timeout_ms };
            // A client that is served slowly on purpose is not slow itself.
            if relay.is_paced() { deadline.clear() } else { deadline.set(patience_ms) }
        }
        ready!(deadline.poll_passed(cx));
        let late = RelayError::Upstream(io::ErrorKind::TimedOut.into());
        Poll::Ready(Err(if relay.waits_for_client { RelayError::ClientTimedOut } else { late }))
    })
    .await
}

/// Bytes of the next request that came behind a streamed body lie in the body's buffer: what the watch would read comes
/// after them, and must stay in the socket until they are used.
pub(super) fn may_watch(exchange: &Exchange) -> bool {
    exchange.body.is_empty()
}

/// A failed system call in the words that nginx's users look for in their logs.
pub(crate) fn describe(call: &str, error: &io::Error, doing: &str) -> String {
    match error.raw_os_error() {
        Some(code) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            format!("{call}() failed ({code}: {text}) while {doing}")
        }
        None if error.kind() == io::ErrorKind::TimedOut => {
            format!("upstream timed out (110: Connection timed out) while {doing}")
        }
        None => format!("{call}() failed ({error}) while {doing}"),
    }
}

fn note(exchange: &mut Exchange, change: impl FnOnce(&mut Attempt, u64)) {
    if let Some(attempt) = exchange.record.attempts.last_mut() {
        change(attempt, clock::coarse_ms());
        attempt.ended_ms = clock::coarse_ms();
    }
}
