//! HTTP off the data path, over hyper: what the agent, the admin addresses and the exporter of a load listen with. How
//! many connections there may be, and for how long; what is answered is said by who listens.
//!
//! Nobody is kept out by those who hold connections and do nothing with them. Where all places are taken, the one on
//! which no byte has moved for longest makes room at once (as nginx closes idle connections when it runs out of
//! `worker_connections`); an answer that is not taken ends its connection; and answers that never end have a share of
//! the places only.
//!
//! Left out: HTTP/2, bodies of requests, and anything that has to be fast.

use std::cell::{Cell, OnceCell, RefCell};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How long a client may take for a handshake or the head of a request, and a connection be idle, and data unread.
const PATIENCE: Duration = Duration::from_secs(10);
/// Fields in a head: Prometheus sends six, a browser twenty.
const FIELDS_MAX: usize = 64;
/// Bytes of a head.
const HEAD_MAX: usize = 16 << 10;
/// A rest after an accept that failed, which is for want of descriptors.
const REST: Duration = Duration::from_millis(100);

/// The content of an answer.
pub(crate) type Body = BoxBody<Bytes, Infallible>;
/// An answer.
pub(crate) type Answer = Response<Body>;

/// A socket that accepts.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Answers for as long as it is polled, to so many connections at once. What it has accepted is served on where it is
/// dropped. Must run inside a `LocalSet`.
pub(crate) async fn serve<F>(
    listener: Listener,
    places: usize,
    tls: Option<TlsAcceptor>,
    answer: impl Fn(Request<Incoming>) -> F + 'static,
) where
    F: Future<Output = Answer> + 'static,
{
    let answers = move |request| -> Answering { Box::pin(answer(request)) };
    serve_in(Room::new(places, PATIENCE), listener, tls, Rc::new(answers)).await;
}

/// An answer that is there as a whole.
pub(crate) fn page(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Answer {
    respond(status, content_type, Full::new(text.into()).boxed())
}

/// A sentence or two for people.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    page(status, "text/plain; charset=utf-8", text)
}

/// An answer that `feed` makes bit by bit, so many ahead of the reader. It goes no further once nobody reads it.
pub(crate) fn stream<F>(content_type: &'static str, ahead: usize, feed: impl FnOnce(mpsc::Sender<Bytes>) -> F) -> Answer
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, bits) = mpsc::channel(ahead);
    let fed = Fed { bits, feed: tokio::spawn(feed(sender)) };
    respond(StatusCode::OK, content_type, fed.boxed())
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// What is read of `bits`, which `feed` sends.
struct Fed {
    bits: mpsc::Receiver<Bytes>,
    feed: JoinHandle<()>,
}

impl hyper::body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.bits.poll_recv(cx).map(|bit| bit.map(|bit| Ok(Frame::data(bit))))
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

type Answering = Pin<Box<dyn Future<Output = Answer>>>;
/// One type for all who listen, as sockets are of one: hyper's server is in the program once.
type Answers = dyn Fn(Request<Incoming>) -> Answering;

trait Socket: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

async fn serve_in(room: Rc<Room>, listener: Listener, tls: Option<TlsAcceptor>, answers: Rc<Answers>) {
    loop {
        let Ok(socket) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let seat = Seat::take(&room).await;
        let place = Rc::clone(&seat.0);
        let task = tokio::task::spawn_local(connection(socket, seat, tls.clone(), Rc::clone(&answers)));
        let _ = place.task.set(task.abort_handle());
        // What it has sent is looked at before the next one, which may take its place, is accepted.
        tokio::task::yield_now().await;
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Socket>> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (socket, _) = listener.accept().await?;
                let _ = socket.set_nodelay(true);
                Box::new(socket)
            }
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// One client, to its end. One that goes away or talks nonsense is no news.
async fn connection(socket: Box<dyn Socket>, seat: Seat, tls: Option<TlsAcceptor>, answers: Rc<Answers>) {
    let patience = seat.0.room.patience;
    let socket = Watched { socket, place: Rc::clone(&seat.0), unread: None };
    let socket: Box<dyn Socket> = match tls {
        None => Box::new(socket),
        Some(tls) => match timeout(patience, tls.accept(socket)).await {
            Ok(Ok(socket)) => Box::new(socket),
            _ => return,
        },
    };
    let service = service_fn(|request| {
        let answering = seat.0.answer(answers(request));
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(FIELDS_MAX)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

/// The places at one address.
struct Room {
    places_max: usize,
    patience: Duration,
    /// At most `places_max`.
    taken: RefCell<Vec<Rc<Place>>>,
    /// A place has become free, or can be made free.
    changed: Notify,
}

/// One connection, as the others of its room see it.
struct Place {
    room: Rc<Room>,
    doing: Cell<Doing>,
    /// When a byte last went over it, either way.
    moved: Cell<Instant>,
    task: OnceCell<AbortHandle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// It waits for its client: for a handshake, a request, or that the answer is taken.
    Waits,
    /// Its client waits.
    Answers,
    /// Its answer has no end.
    Streams,
}

impl Room {
    fn new(places_max: usize, patience: Duration) -> Rc<Self> {
        Rc::new(Self { places_max, patience, taken: RefCell::default(), changed: Notify::new() })
    }

    /// How many answers may be without an end: the other places stay for those who ask and go.
    fn streams_max(&self) -> usize {
        self.places_max / 4 * 3
    }

    fn streams(&self) -> usize {
        self.taken.borrow().iter().filter(|place| place.doing.get() == Doing::Streams).count()
    }

    /// Closes the connection on which nothing has moved for longest; false where none waits for its client.
    fn make_room(&self) -> bool {
        let mut taken = self.taken.borrow_mut();
        let waiting = taken.iter().enumerate().filter(|(_, place)| place.doing.get() == Doing::Waits);
        let Some((longest, _)) = waiting.min_by_key(|(_, place)| place.moved.get()) else { return false };
        taken.swap_remove(longest).task.get().map(AbortHandle::abort);
        true
    }
}

impl Place {
    /// Answers a request, unless that would never end and too much is so already.
    async fn answer(&self, answering: impl Future<Output = Answer>) -> Answer {
        self.doing.set(Doing::Answers);
        let mut answer = answering.await;
        let mut is_stream = answer.body().size_hint().exact().is_none();
        if is_stream && self.room.streams() >= self.room.streams_max() {
            answer = too_many(self.room.streams_max());
            is_stream = false;
        }
        self.moved.set(Instant::now());
        self.doing.set(if is_stream { Doing::Streams } else { Doing::Waits });
        self.room.changed.notify_one();
        answer
    }
}

fn too_many(streams_max: usize) -> Answer {
    let text = format!("{streams_max} streams are open here, which is the most: end one, or ask for a page instead\n");
    self::text(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// A place for as long as it is held.
struct Seat(Rc<Place>);

impl Seat {
    /// Takes a place, making room where there is none. All of them answering, which is soon over, is waited for.
    async fn take(room: &Rc<Room>) -> Self {
        while room.taken.borrow().len() >= room.places_max && !room.make_room() {
            room.changed.notified().await;
        }
        let (doing, moved) = (Cell::new(Doing::Waits), Cell::new(Instant::now()));
        let place = Rc::new(Place { room: Rc::clone(room), doing, moved, task: OnceCell::new() });
        room.taken.borrow_mut().push(Rc::clone(&place));
        Self(place)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let room = &self.0.room;
        room.taken.borrow_mut().retain(|place| !Rc::ptr_eq(place, &self.0));
        room.changed.notify_one();
    }
}

/// A socket whose place knows when a byte last moved, and which fails where its peer does not read.
struct Watched {
    socket: Box<dyn Socket>,
    place: Rc<Place>,
    /// Until when a write that does not get on is waited for.
    unread: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.unread = None;
            self.place.moved.set(Instant::now());
            return written;
        }
        let patience = self.place.room.patience;
        ready!(self.unread.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if read.is_ready() {
            self.place.moved.set(Instant::now());
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
