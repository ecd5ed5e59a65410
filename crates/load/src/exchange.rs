//! One request and its answer over a user's own connections, with the time that each part took.
//!
//! Nothing is ever sent twice. A kept connection that the server has closed meanwhile is replaced before anything is
//! written; from the first byte on, whatever is not a whole answer is a failure.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use net::clock::now_ns;
use net::{Buffer, Deadline, Stream};
use wire::{Body, Known, Limits, ResponseHead, Version};

use crate::failure::Failure;
use crate::http2::Session;
use crate::metric::{Recorder, TagsId, Timings, Who};
use crate::origin::{Origin, Way};

/// Interim answers (1xx) before the real one; nobody sends more, a broken server might without end.
const MOST_INTERIM: usize = 8;
/// Statuses that are no failure: k6's default.
const EXPECTED: std::ops::RangeInclusive<u16> = 200..=399;
/// Idle connections of one user: k6's limit over all hosts.
const MOST_KEPT: usize = 100;
/// The largest body that is kept for a script: one that is larger comes from a server without end.
pub(crate) const LARGEST_BODY: usize = 256 << 20;

thread_local! {
    /// What requests under way read with; as many as there were at a time.
    static LANES: RefCell<Vec<Lane>> = const { RefCell::new(Vec::new()) };
}

/// A request as it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Head and body.
    pub(crate) bytes: &'a [u8],
    pub(crate) origin: &'a Arc<Origin>,
    pub(crate) timeout_ms: u64,
    /// Whether the connection may serve another request.
    pub(crate) reuse: bool,
    /// Whether it is a HEAD, whose answer has no body.
    pub(crate) is_head: bool,
    /// Whether anybody looks at the answer.
    pub(crate) keeps_answer: bool,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) timings: Timings,
    /// Of the answer; 0 if it was not whole.
    pub(crate) status: u16,
    pub(crate) failure: Option<Failure>,
    pub(crate) ended_ns: u64,
    /// What was spoken.
    pub(crate) version: Version,
    /// Where anybody looks at it.
    pub(crate) answer: Option<Answer>,
}

impl Exchange {
    /// A request that cannot be sent at all.
    pub(crate) fn unsent(failure: Failure) -> Self {
        let (timings, version) = (Timings::default(), Version::default());
        Self { timings, status: 0, failure: Some(failure), ended_ns: now_ns(), version, answer: None }
    }
}

/// An answer that is kept.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Status line and fields, with the empty line at their end.
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) version: Version,
    pub(crate) remote: Option<SocketAddr>,
    /// The version of TLS, as k6 writes it.
    pub(crate) tls: &'static str,
    /// The cipher suite, as k6 writes it.
    pub(crate) suite: &'static str,
    pub(crate) sets_cookies: bool,
    pub(crate) is_encoded: bool,
}

/// One user's side of HTTP: connections that are kept from one request to the next.
#[derive(Debug)]
pub(crate) struct Client {
    kept: RefCell<Vec<Connection>>,
    /// Those that carry many requests at a time.
    sessions: RefCell<Vec<Rc<Session>>>,
    recorder: Rc<Recorder>,
    account: Cell<(TagsId, Who)>,
}

/// What one request under way reads with.
#[derive(Debug, Default)]
struct Lane {
    deadline: Deadline,
    head: ResponseHead,
}

/// A connection whose bytes are counted as they go, and when it is dropped in the middle.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) origin: Arc<Origin>,
    pub(crate) remote: SocketAddr,
    pub(crate) stream: Stream,
    pub(crate) buffer: Buffer,
    recorder: Rc<Recorder>,
    /// Where bytes are counted.
    pub(crate) account: (TagsId, Who),
    counted_in: u64,
    counted_out: u64,
}

/// The clock as it stood when a part was over.
#[derive(Debug)]
pub(crate) struct Lap {
    pub(crate) timings: Timings,
    last_ns: u64,
    pub(crate) part: Part,
    version: Version,
}

/// What a request is at; where it fails, the time since the last reading of the clock belongs to this.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Getting a connection, which is not part of `http_req_duration`.
    Connecting,
    Sending,
    Waiting,
    Receiving,
}

impl Client {
    pub(crate) fn new(recorder: Rc<Recorder>) -> Self {
        Self {
            kept: RefCell::default(),
            sessions: RefCell::default(),
            recorder,
            account: Cell::new((TagsId::NONE, Who::default())),
        }
    }

    /// Whose bytes go over the connections from here on.
    pub(crate) fn account(&self, tags: TagsId, who: Who) {
        self.account.set((tags, who));
    }

    /// Closes the connections that nobody uses.
    pub(crate) fn close(&self) {
        self.kept.borrow_mut().clear();
        self.sessions.borrow_mut().clear();
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) async fn exchange(&self, message: &Message<'_>, began_ns: u64) -> Exchange {
        let mut lap =
            Lap { timings: Timings::default(), last_ns: began_ns, part: Part::Connecting, version: Version::Http11 };
        let mut lane = LANES.with_borrow_mut(Vec::pop).unwrap_or_default();
        lane.deadline.set(message.timeout_ms);
        let mut answer = message.keeps_answer.then(Answer::default);
        let result = self.attempt(message, &mut lane, &mut lap, &mut answer).await;
        lane.deadline.clear();
        LANES.with_borrow_mut(|lanes| lanes.push(lane));
        let (status, failure) = match result {
            Ok(status) if EXPECTED.contains(&status) => (status, None),
            Ok(status) => (status, Some(Failure::status(status))),
            Err(failure) => {
                lap.cut_off();
                (0, Some(failure))
            }
        };
        Exchange { timings: lap.timings, status, failure, ended_ns: lap.last_ns, version: lap.version, answer }
    }

    async fn attempt(
        &self,
        message: &Message<'_>,
        lane: &mut Lane,
        lap: &mut Lap,
        answer: &mut Option<Answer>,
    ) -> Result<u16, Failure> {
        if let Some(session) = self.session(message.origin)
            && let Some(send) = session.ready(&lane.deadline).await?
        {
            lap.timings.blocked = lap.split();
            return self.over(&session, send, message, &lane.deadline, lap, answer).await;
        }
        let mut connection = match self.take_kept(message.origin) {
            Some(connection) => connection,
            None => {
                let connection = self.connect(message.origin, &lane.deadline, lap).await?;
                if connection.stream.session().is_some_and(|session| session.alpn() == Some(b"h2")) {
                    let session = self.multiplex(connection, message.reuse, &lane.deadline).await?;
                    let send = session.ready(&lane.deadline).await?;
                    let send = send.ok_or_else(|| Failure::other("the server has closed the connection at once"))?;
                    return self.over(&session, send, message, &lane.deadline, lap, answer).await;
                }
                connection
            }
        };
        connection.account = self.account.get();
        if let Some(answer) = answer {
            answer.remote = Some(connection.remote);
            (answer.tls, answer.suite) = connection.tls();
        }
        connection.send(message.bytes, &lane.deadline, lap).await?;
        lane.read_head(&mut connection, message.is_head, lap, answer).await?;
        let body = Body::new(lane.head.framing);
        connection.read_body(body, &lane.deadline, lap, answer.as_mut().map(|answer| &mut answer.body)).await?;
        let fit = lane.head.keep_alive && connection.buffer.is_empty();
        if fit && message.reuse && self.kept.borrow().len() < MOST_KEPT {
            connection.buffer.release_if_empty();
            self.kept.borrow_mut().push(connection);
        }
        Ok(lane.head.status)
    }

    /// A connection that takes another request, where the server has chosen HTTP/2.
    fn session(&self, origin: &Arc<Origin>) -> Option<Rc<Session>> {
        let sessions = self.sessions.borrow();
        sessions.iter().rfind(|session| Arc::ptr_eq(&session.origin, origin)).map(Rc::clone)
    }

    /// Sends a request over such a connection. The future is boxed: that of a request over HTTP/1.1 stays small.
    async fn over(
        &self,
        session: &Rc<Session>,
        send: h2::client::SendRequest<bytes::Bytes>,
        message: &Message<'_>,
        deadline: &Deadline,
        lap: &mut Lap,
        answer: &mut Option<Answer>,
    ) -> Result<u16, Failure> {
        lap.version = Version::Http2;
        session.account(self.account.get());
        Box::pin(session.exchange(send, message, deadline, lap, answer)).await
    }

    /// Makes a connection one of HTTP/2. Where another request was first, its connection is taken, as Go does.
    async fn multiplex(
        &self,
        connection: Connection,
        reuse: bool,
        deadline: &Deadline,
    ) -> Result<Rc<Session>, Failure> {
        if let Some(first) = self.session(&connection.origin).filter(|_| reuse)
            && matches!(first.ready(deadline).await, Ok(Some(_)))
        {
            return Ok(first);
        }
        let session = Rc::new(Session::open(connection, deadline).await?);
        let mut sessions = self.sessions.borrow_mut();
        // One that took no more was not found fit.
        sessions.retain(|known| !Arc::ptr_eq(&known.origin, &session.origin));
        if reuse {
            sessions.push(Rc::clone(&session));
        }
        Ok(session)
    }

    /// A kept connection, unless something happened on it while it was idle. No syscall where nothing arrived.
    fn take_kept(&self, origin: &Arc<Origin>) -> Option<Connection> {
        let mut kept = self.kept.borrow_mut();
        loop {
            let at = kept.iter().rposition(|connection| Arc::ptr_eq(&connection.origin, origin))?;
            let mut connection = kept.swap_remove(at);
            if connection.stream.is_quiet() {
                return Some(connection);
            }
        }
    }

    async fn connect(&self, origin: &Arc<Origin>, deadline: &Deadline, lap: &mut Lap) -> Result<Connection, Failure> {
        let address = tokio::select! {
            address = origin.address() => address?,
            () = deadline.passed() => return Err(Failure::timeout()),
        };
        let looking_up = if matches!(origin.way, Way::Name(_)) { lap.split() } else { 0 };
        let dialled = tokio::select! {
            dialled = net::dial::dial(address) => dialled,
            () = deadline.passed() => return Err(Failure::timeout()),
        };
        let tcp = dialled.map_err(|error| Failure::dial(&error))?;
        lap.timings.connecting = lap.split();
        let stream = match &origin.tls {
            None => Stream::plain(tcp),
            Some((config, name)) => {
                Stream::tls_client(tcp, Arc::clone(config), name.clone()).map_err(|error| Failure::tls(&error))?
            }
        };
        let mut connection = Connection {
            origin: Arc::clone(origin),
            remote: address,
            stream,
            buffer: Buffer::new(),
            recorder: Rc::clone(&self.recorder),
            account: self.account.get(),
            counted_in: 0,
            counted_out: 0,
        };
        if origin.tls.is_some() {
            let handshake = deadline.limit(|cx| connection.stream.poll_handshake(cx)).await;
            handshake.map_err(|error| Failure::tls(&error))?;
            lap.timings.tls_handshaking = lap.split();
        }
        lap.timings.blocked = looking_up + lap.timings.connecting + lap.timings.tls_handshaking;
        Ok(connection)
    }
}

impl Lane {
    async fn read_head(
        &mut self,
        connection: &mut Connection,
        is_head: bool,
        lap: &mut Lap,
        answer: &mut Option<Answer>,
    ) -> Result<(), Failure> {
        let mut interim = 0;
        self.head.clear();
        connection.read(&self.deadline).await?;
        lap.timings.waiting = lap.split();
        lap.part = Part::Receiving;
        loop {
            match self.head.parse(connection.buffer.data(), is_head, &Limits::default()) {
                Ok(Some(length)) => {
                    if let Some(answer) = answer.as_mut().filter(|_| !self.head.is_interim()) {
                        answer.head.extend_from_slice(&connection.buffer.data()[..length]);
                        answer.version = self.head.version;
                        let has = |known| self.head.fields.iter().any(|field| field.known == known);
                        (answer.sets_cookies, answer.is_encoded) = (has(Known::SetCookie), has(Known::ContentEncoding));
                    }
                    connection.buffer.consume(length);
                }
                Ok(None) => {
                    connection.read(&self.deadline).await?;
                    continue;
                }
                Err(malformed) => return Err(Failure::other(malformed.why())),
            }
            if !self.head.is_interim() {
                break;
            }
            interim += 1;
            if interim > MOST_INTERIM {
                return Err(Failure::other("too many interim answers"));
            }
        }
        if self.head.upgrade { Err(Failure::other("the server changed the protocol")) } else { Ok(()) }
    }
}

/// As k6 writes it.
fn tls_name(version: &'static str) -> &'static str {
    match version {
        "TLSv1.2" => "tls1.2",
        "TLSv1.3" => "tls1.3",
        other => other,
    }
}

/// The same.
fn suite_name(suite: &'static str) -> &'static str {
    match suite {
        "ECDHE-ECDSA-AES256-GCM-SHA384" => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256" => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305" => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
        "ECDHE-RSA-AES256-GCM-SHA384" => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256" => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-CHACHA20-POLY1305" => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
        other => other,
    }
}

impl Connection {
    /// Version and cipher suite of TLS, as k6 writes them.
    pub(crate) fn tls(&self) -> (&'static str, &'static str) {
        let session = self.stream.session();
        let protocol = session.and_then(net::tls::Session::protocol).map_or("", tls_name);
        (protocol, session.and_then(net::tls::Session::cipher).map_or("", suite_name))
    }

    async fn send(&mut self, mut bytes: &[u8], deadline: &Deadline, lap: &mut Lap) -> Result<(), Failure> {
        lap.part = Part::Sending;
        let stream = &mut self.stream;
        let sent = deadline.limit(|cx| {
            while !bytes.is_empty() {
                match stream.poll_write(cx, bytes) {
                    Poll::Ready(Ok(n)) => bytes = &bytes[n..],
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            stream.poll_flush(cx)
        });
        sent.await.map_err(|error| Failure::io(&error))?;
        lap.timings.sending = lap.split();
        lap.part = Part::Waiting;
        Ok(())
    }

    /// Reads the body to its end, and keeps it where somebody wants it.
    async fn read_body(
        &mut self,
        mut body: Body,
        deadline: &Deadline,
        lap: &mut Lap,
        mut into: Option<&mut Vec<u8>>,
    ) -> Result<(), Failure> {
        let broken = |error: wire::BodyError| Failure::other(&error.to_string());
        while !body.ended() {
            let piece = body.next(self.buffer.data()).map_err(broken)?;
            if let Some(into) = into.as_deref_mut() {
                if into.len() + piece.data.len() > LARGEST_BODY {
                    return Err(Failure::other("the body of the answer is larger than 256 MiB"));
                }
                into.extend_from_slice(&self.buffer.data()[piece.data.clone()]);
            }
            self.buffer.consume(piece.consumed);
            if piece.ended || body.ended() {
                break;
            }
            if piece.consumed == 0 && !self.fill(deadline).await? {
                body.end_of_stream().map_err(broken)?;
                break;
            }
        }
        self.count();
        lap.timings.receiving = lap.split();
        Ok(())
    }

    /// Reads more, which must come.
    async fn read(&mut self, deadline: &Deadline) -> Result<(), Failure> {
        if self.fill(deadline).await? { Ok(()) } else { Err(Failure::io(&std::io::ErrorKind::UnexpectedEof.into())) }
    }

    /// Reads more; `false` at the end of the stream.
    async fn fill(&mut self, deadline: &Deadline) -> Result<bool, Failure> {
        if self.buffer.reserve(1).is_none() {
            return Err(Failure::other("the head of the answer is too large"));
        }
        let (stream, buffer) = (&mut self.stream, &mut self.buffer);
        let read = deadline.limit(|cx| poll_read(stream, cx, buffer)).await;
        read.map(|n| n > 0).map_err(|error| Failure::io(&error))
    }

    /// Adds what went over the socket since the last time.
    pub(crate) fn count(&mut self) {
        let (sent, received) = (self.stream.bytes_out() - self.counted_out, self.stream.bytes_in() - self.counted_in);
        self.counted_out += sent;
        self.counted_in += received;
        if sent + received > 0 {
            let (tags, who) = self.account;
            self.recorder.data(sent, received, tags, who);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.count();
    }
}

impl Lap {
    /// The time since the last call. Four readings a request: their differences are what is measured.
    pub(crate) fn split(&mut self) -> u64 {
        let now = now_ns();
        let taken = now.saturating_sub(self.last_ns);
        self.last_ns = now;
        taken
    }

    /// The request failed: the time that it spent waiting or receiving until then counts as such, as in k6. A
    /// connection that never came about took no time of the request.
    fn cut_off(&mut self) {
        let taken = self.split();
        match self.part {
            Part::Connecting => {}
            Part::Sending => self.timings.sending = taken,
            Part::Waiting => self.timings.waiting = taken,
            Part::Receiving => self.timings.receiving = taken,
        }
    }
}

/// A user that waits for an answer owns no buffer: with thousands of them waiting that is what counts.
fn poll_read(stream: &mut Stream, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<std::io::Result<usize>> {
    let polled = stream.poll_read(cx, buffer);
    if polled.is_pending() {
        buffer.release_if_empty();
    }
    polled
}
