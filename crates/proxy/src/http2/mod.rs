//! HTTP/2 to clients: one connection, its streams, and when it ends.
//!
//! h2 speaks the protocol: frames, header compression, windows, the states of streams. Here is what it leaves to its
//! user: the socket, floods, time-outs, and the translation of each stream into a request as HTTP/1.1 has it, which
//! then takes the same way as any other. Everything runs in the connection's own task (see [`streams`]).
//!
//! Left out: server push and priorities, which RFC 9113 gave up; HTTP/2 to upstreams.

mod flood;
mod head;
mod piece;
mod request;
mod serve;
mod socket;
mod stream;
mod streams;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use conf::tree::LogLevel;
use h2::Reason;
use net::{Deadline, clock};

use crate::channel::Channel;
use crate::client::Client;
use crate::connection::head_limits;
use crate::downstream::Downstream;
use crate::limits::{
    HTTP2_CONNECTION_WINDOW, HTTP2_FAULTS, HTTP2_RESETS_KEPT, HTTP2_RESETS_KEPT_S, HTTP2_RESETS_PENDING, HTTP2_REST_MS,
    HTTP2_ROUNDS, HTTP2_SEND_BUFFER, HTTP2_STREAM_WINDOW_MAX, HTTP2_STREAM_WINDOW_MIN, HTTP2_STREAMS_MAX, LINGER_MS,
};
use crate::thread::Thread;
pub(crate) use flood::PREFACE;
use piece::Piece;
use serve::{Opened, serve};
use socket::{Gauge, Socket};
pub(crate) use stream::Stream;
use streams::Streams;

/// Serves an HTTP/2 connection until it ends. `down` is what it was before it was known to be one.
pub(crate) async fn run(down: Downstream) {
    let Downstream { thread, channel: Channel::Http1(stream), input, deadline, client, .. } = down else { return };
    let gauge = Rc::new(Gauge::default());
    let socket = Socket::new(stream, input, Rc::clone(&gauge));
    let site = Rc::clone(&client.site);
    let server = site.default_server(client.listener);
    deadline.set(server.client_header_timeout_ms);
    let mut handshake = builder(server, head_limits(&client).head).handshake::<_, Piece>(socket);
    let Ok(mut h2) = deadline.limit(|cx| Pin::new(&mut handshake).poll(cx).map_err(io::Error::other)).await else {
        return;
    };
    let mut streams = Streams::new(streams_max(server) as usize);
    let waker = streams.connection_waker();
    let keep_alive_ms = server.client_header_timeout_ms;
    drop(site);
    let mut session = Session {
        thread,
        client,
        gauge,
        deadline,
        waker,
        wait: Wait::Streams,
        keep_alive_ms,
        idle_until_ms: 0,
        shared: 0,
        sent: 0,
        is_leaving: false,
        is_closing: false,
    };
    let serve = |session: &Session, opened| serve(Rc::clone(&session.thread), session.client.clone(), opened);
    poll_fn(|cx| session.turn(cx, &mut h2, &mut streams, &serve)).await;
    drop(h2);
    // What is left of the streams sees that its client is gone, and says so in the log.
    poll_fn(|cx| {
        streams.begin_turn(cx);
        streams.poll_marked(|_| {});
        streams.end_turn();
        if streams.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn streams_max(server: &route::Server) -> u32 {
    server.http2_max_concurrent_streams.min(HTTP2_STREAMS_MAX)
}

fn builder(server: &route::Server, head_max: usize) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(streams_max(server))
        .initial_window_size(server.http2_body_preread_size.clamp(HTTP2_STREAM_WINDOW_MIN, HTTP2_STREAM_WINDOW_MAX))
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(head_max).unwrap_or(u32::MAX))
        .max_send_buffer_size(HTTP2_SEND_BUFFER)
        .max_pending_accept_reset_streams(HTTP2_RESETS_PENDING)
        .max_local_error_reset_streams(Some(HTTP2_FAULTS))
        .max_concurrent_reset_streams(HTTP2_RESETS_KEPT)
        .reset_stream_duration(Duration::from_secs(HTTP2_RESETS_KEPT_S));
    builder
}

type H2 = h2::server::Connection<Socket, Piece>;

/// What the connection as such waits for, with a time limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Streams are under way, and have their own limits.
    Streams,
    /// No stream is there, after so many requests.
    Idle(u64),
    /// The rest of this head or frame.
    Head(u64),
    /// The client takes nothing.
    Send,
    /// Its end is told; the client is given time to read it.
    Close,
}

/// One connection.
struct Session {
    thread: Rc<Thread>,
    client: Client,
    gauge: Rc<Gauge>,
    deadline: Deadline,
    /// Marks the connection in its streams.
    waker: Waker,
    wait: Wait,
    /// How long it may be idle: before the first request `client_header_timeout`, then `keepalive_timeout`.
    keep_alive_ms: u64,
    /// When an idle connection's time is over.
    idle_until_ms: u64,
    /// Streams beside the first one, as they are counted.
    shared: u64,
    /// Bytes that had gone to the client when [`Wait::Send`] was last looked at.
    sent: u64,
    /// A GOAWAY is out: streams that there are go on, no more are opened.
    is_leaving: bool,
    /// The last GOAWAY is out.
    is_closing: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.thread.counters.shared.sub(self.shared);
    }
}

impl Session {
    /// One turn of the connection's task; ready when the connection has ended.
    fn turn<F: Future<Output = Option<u64>>>(
        &mut self,
        cx: &mut Context<'_>,
        h2: &mut H2,
        streams: &mut Streams<F>,
        serve: &impl Fn(&Self, Opened) -> F,
    ) -> Poll<()> {
        streams.begin_turn(cx);
        let mut ended = Poll::Pending;
        for _ in 0..HTTP2_ROUNDS {
            let is_driven = streams.take_connection_mark();
            if is_driven {
                ended = self.drive(h2, streams, serve);
            }
            if ended.is_ready() {
                break;
            }
            let was_full = streams.is_full();
            let keep_alive_ms = &mut self.keep_alive_ms;
            let is_polled = streams.poll_marked(|ended| *keep_alive_ms = ended.unwrap_or(*keep_alive_ms));
            if was_full && !streams.is_full() {
                streams.mark_connection();
            }
            if is_driven || is_polled {
                continue;
            }
            ended = self.watch(cx, h2, streams);
            if ended.is_ready() || !streams.is_marked() {
                break;
            }
        }
        streams.end_turn();
        self.count(streams.len());
        ended
    }

    /// Counts the streams that share the connection.
    fn count(&mut self, streams: usize) {
        let shared = (streams as u64).saturating_sub(1);
        if shared != self.shared {
            self.thread.counters.shared.add(shared.wrapping_sub(self.shared));
            self.shared = shared;
        }
    }

    /// Has h2 read and write, and takes in new streams; ready when the connection has ended.
    fn drive<F: Future<Output = Option<u64>>>(
        &mut self,
        h2: &mut H2,
        streams: &mut Streams<F>,
        serve: &impl Fn(&Self, Opened) -> F,
    ) -> Poll<()> {
        let waker = self.waker.clone();
        let mut cx = Context::from_waker(&waker);
        let ended = loop {
            if streams.is_full() {
                break h2.poll_closed(&mut cx);
            }
            match h2.poll_accept(&mut cx) {
                // h2 gives out what it had read before the fault that ended the connection: nobody can be answered.
                Poll::Ready(Some(Ok(_))) if self.gauge.is_ending.get() => {}
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.client.requests += 1;
                    let (parts, body) = request.into_parts();
                    streams.push(serve(self, Opened { parts, body, respond }));
                }
                Poll::Ready(Some(Err(error))) => break Poll::Ready(Err(error)),
                Poll::Ready(None) => break Poll::Ready(Ok(())),
                Poll::Pending => break Poll::Pending,
            }
        };
        if let Poll::Ready(Err(error)) = &ended {
            self.log_error(error);
        }
        ended.map(drop)
    }

    /// Sees to what is no stream's business: floods, the end, time limits.
    fn watch<F: Future>(&mut self, cx: &mut Context<'_>, h2: &mut H2, streams: &mut Streams<F>) -> Poll<()> {
        if let Some(flood) = self.gauge.flood.get()
            && !self.is_closing
        {
            self.log(flood.text());
            self.close(h2, Reason::ENHANCE_YOUR_CALM);
            streams.mark_connection();
        }
        if !self.is_leaving && self.must_leave() {
            self.is_leaving = true;
            h2.graceful_shutdown();
            streams.mark_connection();
        }
        self.set_wait(h2, streams);
        if self.wait == Wait::Streams || self.deadline.poll_passed(cx).is_pending() {
            return Poll::Pending;
        }
        if self.is_resting() {
            streams.release_if_empty();
            self.deadline.set_idle(self.idle_until_ms.saturating_sub(clock::coarse_ms()));
            return self.deadline.poll_passed(cx);
        }
        match self.wait {
            Wait::Idle(_) | Wait::Head(_) if !self.is_closing => {
                self.close(h2, Reason::NO_ERROR);
                streams.mark_connection();
                self.set_wait(h2, streams);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Whether it was idle for so long that it should keep no more memory than it must, and its time is not over. A
    /// deadline of 0 is set by who wants it to end.
    fn is_resting(&self) -> bool {
        matches!(self.wait, Wait::Idle(_))
            && self.deadline.at_ms() != Some(0)
            && clock::coarse_ms() < self.idle_until_ms
    }

    fn set_wait<F: Future>(&mut self, h2: &H2, streams: &Streams<F>) {
        let is_idle = streams.is_empty() && !h2.has_streams();
        let wait = match () {
            () if self.is_closing || self.gauge.is_ending.get() => Wait::Close,
            () if self.gauge.is_stuck.get() => Wait::Send,
            () if let Some(begun) = self.gauge.in_between.get() => Wait::Head(begun),
            () if is_idle => Wait::Idle(self.client.requests),
            () => Wait::Streams,
        };
        let has_moved = wait == Wait::Send && self.sent != self.gauge.sent.get();
        if wait == self.wait && !has_moved {
            return;
        }
        self.wait = wait;
        self.sent = self.gauge.sent.get();
        let server = self.client.site.default_server(self.client.listener);
        self.deadline.set_busy();
        match wait {
            Wait::Streams => self.deadline.clear(),
            Wait::Idle(_) => {
                self.idle_until_ms = clock::coarse_ms().saturating_add(self.keep_alive_ms);
                self.deadline.set_idle(self.keep_alive_ms.min(HTTP2_REST_MS));
            }
            Wait::Head(_) => self.deadline.set(server.client_header_timeout_ms),
            Wait::Send => self.deadline.set(server.settings.send_timeout_ms),
            Wait::Close => self.deadline.set_idle(LINGER_MS),
        }
    }

    /// Whether no more streams are wanted: the process drains, the listener is gone, or the connection has carried its
    /// number of requests or is old.
    fn must_leave(&mut self) -> bool {
        self.client.follow(&self.thread.site.borrow());
        let settings = &self.client.site.default_server(self.client.listener).settings;
        self.thread.is_draining.get()
            || self.client.is_leaving
            || self.client.requests >= settings.keepalive_requests
            || clock::coarse_ms().saturating_sub(self.client.since_ms) >= settings.keepalive_time_ms
    }

    /// Tells the client that this is the end; what is under way fails.
    fn close(&mut self, h2: &mut H2, reason: Reason) {
        self.is_closing = true;
        h2.abrupt_shutdown(reason);
    }

    /// A fault of the client's that h2 found. That it closed or broke off is none.
    fn log_error(&self, error: &h2::Error) {
        if error.is_library() && error.is_go_away() {
            let fault = if error.reason() == Some(Reason::ENHANCE_YOUR_CALM) { "too much" } else { "invalid" };
            self.log(&format!("client sent {fault} HTTP/2 ({error}): connection closed"));
        }
    }

    fn log(&self, what: &str) {
        self.thread.log_client(LogLevel::Error, what, &self.client);
    }
}
