//! One server's connection for checks: a request, and the answer as far as it is looked at, within a time.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use net::dial::{self, Endpoint};
use net::{Buffer, Stream, clock, event_loop};
use route::{Answer, CheckRule};
use wire::{Body, Limits, ResponseHead};

use crate::limits::{CHECK_AGAIN_MS, CHECK_BODY_MAX, CHECK_TRIES, INTERIM_ANSWERS};
use crate::upstream::attempt::describe;
use crate::upstream::way::{Unmade, Way};

/// Why a check has not passed.
pub(super) enum Wrong {
    /// The server failed it: what was wrong.
    Server(String),
    /// It could not be made, for want of something on this machine: it says nothing of the server.
    Here,
}

/// Who is asked what, and the connection that is kept for it.
pub(super) struct Probe {
    endpoint: Endpoint,
    way: Way,
    socket_keepalive: bool,
    request: Vec<u8>,
    timeout_ms: u64,
    keepalive_ms: u64,
    kept: Cell<Option<Kept>>,
    /// What is being done, for a check that takes too long.
    doing: Cell<&'static str>,
}

struct Kept {
    stream: Stream,
    made_ms: u64,
}

/// An exchange over a connection that did not come to an answer.
enum Broken {
    /// The connection ended before any of it came.
    Unanswered(String),
    Wrong(Wrong),
}

impl Broken {
    fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(Wrong::Server(what.into()))
    }

    fn into_wrong(self) -> Wrong {
        match self {
            Self::Unanswered(what) => Wrong::Server(what),
            Self::Wrong(wrong) => wrong,
        }
    }
}

impl Probe {
    pub(super) fn new(rule: &CheckRule, server: Endpoint, way: Way, request: Vec<u8>) -> Self {
        let endpoint = match (server, rule.port) {
            (Endpoint::Ip(address), Some(port)) => Endpoint::Ip(SocketAddr::new(address.ip(), port)),
            (server, _) => server,
        };
        Self {
            endpoint,
            way,
            socket_keepalive: rule.socket_keepalive,
            request,
            timeout_ms: rule.timeout_ms,
            keepalive_ms: rule.keepalive_ms,
            kept: Cell::new(None),
            doing: Cell::new(""),
        }
    }

    /// Makes a check; `judge` says what is wrong with an answer. Of a server that is out several are made beside one
    /// another: one that waits since before the server was well again must not be what keeps it out.
    pub(super) async fn ask(
        &self,
        is_out: bool,
        judge: impl Fn(&Answer<'_>) -> Result<(), String>,
    ) -> Result<(), Wrong> {
        let timeout = Duration::from_millis(self.timeout_ms);
        let asked = async {
            match is_out {
                true => first_of(|| self.exchange(&judge, 1)).await,
                false => self.exchange(&judge, CHECK_TRIES).await,
            }
        };
        event_loop::timeout(timeout, asked).await.unwrap_or_else(|_| {
            let (after, doing) = (self.timeout_ms, self.doing.get());
            Err(Wrong::Server(format!("timed out after {after} ms while {doing}")))
        })
    }

    /// Over the connection that is kept, if there is one; one that its server has closed meanwhile says nothing. Else
    /// over a new one, of at most so many that are tried.
    async fn exchange(&self, judge: &impl Fn(&Answer<'_>) -> Result<(), String>, tries: usize) -> Result<(), Wrong> {
        let is_young = |kept: &Kept| clock::coarse_ms().saturating_sub(kept.made_ms) < self.keepalive_ms;
        if let Some(mut kept) = self.kept.take().filter(is_young)
            && kept.stream.is_quiet()
        {
            match self.over(kept, judge).await {
                Err(Broken::Unanswered(_)) => {}
                done => return done.map_err(Broken::into_wrong),
            }
        }
        self.doing.set("connecting to upstream");
        let made_ms = clock::coarse_ms();
        let stream = match self.connect(tries).await {
            Ok(stream) => stream,
            Err(Unmade::Connect(error)) if dial::is_local_fault(&error) => return Err(Wrong::Here),
            Err(Unmade::Connect(error)) => {
                return Err(Wrong::Server(describe("connect", &error, "connecting to upstream")));
            }
            Err(Unmade::Handshake(error)) => {
                return Err(Wrong::Server(describe("SSL_do_handshake", &error, "SSL handshaking to upstream")));
            }
        };
        self.over(Kept { stream, made_ms }, judge).await.map_err(Broken::into_wrong)
    }

    /// Makes a connection. Several are tried beside one another where one takes long: the system sends a first packet
    /// that was lost again after a second only, and a server whose queue was full has room long before that.
    async fn connect(&self, tries: usize) -> Result<Stream, Unmade> {
        let connect = || self.way.connect(&self.endpoint, self.socket_keepalive);
        if tries == 1 { connect().await } else { first_of(connect).await }
    }

    /// Sends the request and reads the answer; the connection is kept where it can be used again.
    async fn over(&self, mut kept: Kept, judge: &impl Fn(&Answer<'_>) -> Result<(), String>) -> Result<(), Broken> {
        self.doing.set("sending request to upstream");
        let sent = kept.stream.write_all(&self.request).await;
        sent.map_err(|error| Broken::Unanswered(describe("send", &error, "sending request to upstream")))?;
        self.doing.set("reading response header from upstream");
        let mut input = Buffer::new();
        let (head, bytes) = read_head(&mut kept.stream, &mut input).await?;
        self.doing.set("reading response body from upstream");
        let (body, is_whole) = read_body(&mut kept.stream, &mut input, &head).await?;
        let fields: Vec<_> = head.fields.iter().map(|field| (field.name.of(&bytes), field.value.of(&bytes))).collect();
        let judged = judge(&Answer { status: head.status, fields: &fields, body: &body });
        if head.keep_alive && is_whole && input.is_empty() && self.keepalive_ms > 0 {
            self.kept.set(Some(kept));
        }
        judged.map_err(Broken::wrong)
    }
}

/// What comes first of several that are begun one after the other, as long as none has come to an end. The first one
/// is given all the time there is; where there are too many, the oldest of the others makes room.
async fn first_of<T, F: Future<Output = T>>(begin: impl Fn() -> F) -> T {
    let again = || Box::pin(event_loop::sleep(Duration::from_millis(CHECK_AGAIN_MS)));
    let (mut begun, mut wait) = (vec![Box::pin(begin())], again());
    poll_fn(|cx| {
        while wait.as_mut().poll(cx).is_ready() {
            if begun.len() == CHECK_TRIES {
                begun.remove(1);
            }
            begun.push(Box::pin(begin()));
            wait = again();
        }
        let ended = begun.iter_mut().find_map(|one| match one.as_mut().poll(cx) {
            Poll::Ready(what) => Some(what),
            Poll::Pending => None,
        });
        ended.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// The head of the answer, and its bytes.
async fn read_head(stream: &mut Stream, input: &mut Buffer) -> Result<(ResponseHead, Vec<u8>), Broken> {
    let (mut head, mut interims) = (ResponseHead::new(), 0);
    loop {
        if !input.is_empty() {
            match head.parse(input.data(), false, &Limits::default()) {
                Ok(Some(length)) if head.is_interim() && interims < INTERIM_ANSWERS => {
                    interims += 1;
                    input.consume(length);
                    continue;
                }
                Ok(Some(length)) => {
                    let bytes = input.data()[..length].to_vec();
                    input.consume(length);
                    return Ok((head, bytes));
                }
                Ok(None) => {}
                Err(malformed) => {
                    let why = malformed.why();
                    let what = "upstream sent invalid header while reading response header from upstream";
                    return Err(Broken::wrong(format!("{what}: {why}")));
                }
            }
        }
        let is_first = input.is_empty() && interims == 0;
        match read_more(stream, input).await {
            Ok(n) if n > 0 => {}
            Ok(_) => {
                let what = "upstream prematurely closed connection while reading response header from upstream";
                return Err(broken(is_first, what.to_owned()));
            }
            Err(error) => {
                return Err(broken(is_first, describe("recv", &error, "reading response header from upstream")));
            }
        }
    }
}

fn broken(is_first: bool, what: String) -> Broken {
    if is_first { Broken::Unanswered(what) } else { Broken::wrong(what) }
}

/// The body, as far as it is looked at, and whether that is all of it.
async fn read_body(stream: &mut Stream, input: &mut Buffer, head: &ResponseHead) -> Result<(Vec<u8>, bool), Broken> {
    const DOING: &str = "reading response body from upstream";
    let (mut body, mut read, mut came) = (Body::new(head.framing), Vec::new(), 0);
    // What frames the content counts too: chunks of a byte may have a kilobyte about them.
    while !body.ended() && read.len() < CHECK_BODY_MAX && came < 2 * CHECK_BODY_MAX {
        let piece = body.next(input.data()).map_err(|error| Broken::wrong(format!("{error} while {DOING}")))?;
        if piece.consumed > 0 {
            came += piece.consumed;
            let room = CHECK_BODY_MAX - read.len();
            let data = &input.data()[piece.data];
            read.extend_from_slice(&data[..data.len().min(room)]);
            input.consume(piece.consumed);
            continue;
        }
        match read_more(stream, input).await {
            Ok(0) => {
                body.end_of_stream().map_err(|error| Broken::wrong(format!("{error} while {DOING}")))?;
            }
            Ok(_) => {}
            Err(error) => return Err(Broken::wrong(describe("recv", &error, DOING))),
        }
    }
    let is_whole = body.ended();
    Ok((read, is_whole))
}

/// Reads behind what is there; there must be an end to that.
async fn read_more(stream: &mut Stream, input: &mut Buffer) -> io::Result<usize> {
    if input.reserve(1).is_none() {
        return Err(io::Error::other("too long"));
    }
    stream.read(input).await
}
