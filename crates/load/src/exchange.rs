//! One request and its answer over a user's own connection, with the time that each part took.
//!
//! Nothing is ever sent twice. A kept connection that the server has closed meanwhile is replaced before anything is
//! written; from the first byte on, whatever is not a whole answer is a failure.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use net::clock::now_ns;
use net::{Buffer, Deadline, Stream};
use wire::{Body, Limits, ResponseHead};

use crate::failure::Failure;
use crate::metric::{Recorder, TagsId, Timings, Who};
use crate::request::Request;

/// Interim answers (1xx) before the real one; nobody sends more, a broken server might without end.
const MOST_INTERIM: usize = 8;
/// Statuses that are no failure: k6's default.
const EXPECTED: std::ops::RangeInclusive<u16> = 200..=399;

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) timings: Timings,
    /// Of the answer; 0 if it was not whole.
    pub(crate) status: u16,
    pub(crate) failure: Option<Failure>,
    pub(crate) ended_ns: u64,
}

/// One user's side of HTTP: a connection that is kept from one request to the next.
#[derive(Debug)]
pub(crate) struct Client {
    kept: Option<Connection>,
    deadline: Deadline,
    head: ResponseHead,
    limits: Limits,
    account: Account,
}

/// Where bytes are counted.
#[derive(Debug, Clone)]
struct Account {
    recorder: Rc<Recorder>,
    tags: TagsId,
    who: Who,
}

/// A connection whose bytes are counted as they go, and when it is dropped in the middle.
#[derive(Debug)]
struct Connection {
    stream: Stream,
    buffer: Buffer,
    account: Account,
    counted_in: u64,
    counted_out: u64,
}

/// The clock as it stood when a part was over.
#[derive(Debug)]
struct Lap {
    timings: Timings,
    last_ns: u64,
    part: Part,
}

/// What a request is at; where it fails, the time since the last reading of the clock belongs to this.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Getting a connection, which is not part of `http_req_duration`.
    Connecting,
    Sending,
    Waiting,
    Receiving,
}

impl Client {
    pub(crate) fn new(recorder: Rc<Recorder>) -> Self {
        let (head, limits) = (ResponseHead::new(), Limits::default());
        let account = Account { recorder, tags: TagsId::NONE, who: Who::default() };
        Self { kept: None, deadline: Deadline::new(), head, limits, account }
    }

    /// Whose bytes go over the connection from here on.
    pub(crate) fn account(&mut self, tags: TagsId, who: Who) {
        (self.account.tags, self.account.who) = (tags, who);
        if let Some(kept) = &mut self.kept {
            (kept.account.tags, kept.account.who) = (tags, who);
        }
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) async fn exchange(&mut self, request: &Request, began_ns: u64) -> Exchange {
        let mut lap = Lap { timings: Timings::default(), last_ns: began_ns, part: Part::Connecting };
        self.deadline.set(request.timeout_ms);
        let result = self.attempt(request, &mut lap).await;
        self.deadline.clear();
        let (status, failure) = match result {
            Ok(status) if EXPECTED.contains(&status) => (status, None),
            Ok(status) => (status, Some(Failure::status(status))),
            Err(failure) => {
                lap.cut_off();
                (0, Some(failure))
            }
        };
        Exchange { timings: lap.timings, status, failure, ended_ns: lap.last_ns }
    }

    async fn attempt(&mut self, request: &Request, lap: &mut Lap) -> Result<u16, Failure> {
        let mut connection = match self.take_kept() {
            Some(connection) => connection,
            None => self.connect(request, lap).await?,
        };
        connection.send(&request.bytes, &self.deadline, lap).await?;
        self.read_head(&mut connection, lap).await?;
        connection.skip_body(Body::new(self.head.framing), &self.deadline, lap).await?;
        let fit = self.head.keep_alive && connection.buffer.is_empty();
        if fit && request.reuse {
            connection.buffer.release_if_empty();
            self.kept = Some(connection);
        }
        Ok(self.head.status)
    }

    /// The kept connection, unless something happened on it while it was idle. No syscall where nothing arrived.
    fn take_kept(&mut self) -> Option<Connection> {
        let mut connection = self.kept.take()?;
        connection.stream.is_quiet().then_some(connection)
    }

    async fn connect(&self, request: &Request, lap: &mut Lap) -> Result<Connection, Failure> {
        let dialled = tokio::select! {
            dialled = net::dial::dial(request.address) => dialled,
            () = self.deadline.passed() => return Err(Failure::timeout()),
        };
        let tcp = dialled.map_err(|error| Failure::dial(&error))?;
        lap.timings.connecting = lap.split();
        let stream = match &request.tls {
            None => Stream::plain(tcp),
            Some((config, name)) => {
                Stream::tls_client(tcp, Arc::clone(config), name.clone()).map_err(|error| Failure::tls(&error))?
            }
        };
        let mut connection = Connection::new(stream, self.account.clone());
        if request.tls.is_some() {
            let handshake = self.deadline.limit(|cx| connection.stream.poll_handshake(cx)).await;
            handshake.map_err(|error| Failure::tls(&error))?;
            lap.timings.tls_handshaking = lap.split();
        }
        lap.timings.blocked = lap.timings.connecting + lap.timings.tls_handshaking;
        Ok(connection)
    }

    async fn read_head(&mut self, connection: &mut Connection, lap: &mut Lap) -> Result<(), Failure> {
        let mut interim = 0;
        self.head.clear();
        connection.read(&self.deadline).await?;
        lap.timings.waiting = lap.split();
        lap.part = Part::Receiving;
        loop {
            match self.head.parse(connection.buffer.data(), false, &self.limits) {
                Ok(Some(length)) => connection.buffer.consume(length),
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

impl Connection {
    fn new(stream: Stream, account: Account) -> Self {
        Self { stream, buffer: Buffer::new(), account, counted_in: 0, counted_out: 0 }
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

    async fn skip_body(&mut self, mut body: Body, deadline: &Deadline, lap: &mut Lap) -> Result<(), Failure> {
        let broken = |error: wire::BodyError| Failure::other(&error.to_string());
        while !body.ended() {
            let piece = body.next(self.buffer.data()).map_err(broken)?;
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
    fn count(&mut self) {
        let (sent, received) = (self.stream.bytes_out() - self.counted_out, self.stream.bytes_in() - self.counted_in);
        self.counted_out += sent;
        self.counted_in += received;
        if sent + received > 0 {
            self.account.recorder.data(sent, received, self.account.tags, self.account.who);
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
    fn split(&mut self) -> u64 {
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
