//! The load of a drill: GETs, POSTs with ids and GETs of sessions at a steady rate, whatever becomes of the earlier
//! ones, and a record of each. It has a thread of its own, so that nothing that the lab does meanwhile delays it.
//!
//! The injector is not it: that adds up what it sees, and a drill judges each request by what was wrong when it began.
//! It repeats nothing but a request of which no byte was sent.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{COOKIE, HOST, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::MissedTickBehavior;

use super::record::{End, Kind, Record};
use crate::plan::PAGE;
use crate::report::millis;
use crate::stand_in::SERVED_BY;

/// A GET that takes longer has failed.
const GET_LIMIT: Duration = Duration::from_secs(3);
/// The same of a POST, which is not sent to another server.
const POST_LIMIT: Duration = Duration::from_secs(5);
/// Of so many requests one is a POST, and one a GET of a session.
const PART: u64 = 10;
/// The pages of sessions and orders.
const SESSION: &str = "/accounts-external/api/session";
const ORDERS: &str = "/accounts-external/api/orders";
/// The field that an order's id is in.
const ORDER_ID: HeaderName = HeaderName::from_static("x-order-id");
/// How often it is looked which requests are due.
const TICK: Duration = Duration::from_millis(1);
/// Requests under way: each is a connection, and a machine has some 28,000 ports.
const UNDER_WAY_MAX: usize = 8_000;

/// What a load consists of.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) target: SocketAddr,
    pub(super) rate: u64,
    pub(super) sessions: usize,
    /// The names of the servers, as their answers say them.
    pub(super) servers: Vec<String>,
    /// The time that all others count from.
    pub(super) epoch: Instant,
}

/// A load under way; it ends when this is dropped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<Sent>>>,
}

/// What was sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) records: Vec<Record>,
    /// Requests that were due while too many were under way.
    pub(super) unsent: u64,
}

impl Load {
    pub(super) fn start(order: Order) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("drill".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(LocalSet::new().block_on(&runtime, send(order, &stopped)))
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Sends no more, waits for what is under way and gives what was seen.
    pub(super) fn end(mut self) -> io::Result<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.map_or(Ok(Sent::default()), |ended| {
            ended.unwrap_or_else(|_| Err(io::Error::other("the load's thread has panicked")))
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Its thread ends by itself, within the limit of a request.
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The load's clients.
struct Clients {
    order: Order,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    sessions: RefCell<VecDeque<Session>>,
    records: RefCell<Vec<Record>>,
}

/// A session that somebody has, or will have.
#[derive(Debug, Clone, Default)]
struct Session {
    /// `JSESSIONID=...`, and the server that gave it.
    cookie: Option<(HeaderValue, Option<usize>)>,
}

/// What a request is about.
enum Errand {
    Page,
    Session(Session),
    Order(String),
}

/// A whole answer.
struct Answer {
    status: u16,
    server: Option<usize>,
    cookie: Option<HeaderValue>,
}

async fn send(order: Order, stop: &AtomicBool) -> Sent {
    let sessions = (0..order.sessions).map(|_| Session::default()).collect();
    let (idle, sessions, records) = (RefCell::default(), RefCell::new(sessions), RefCell::default());
    let clients = Rc::new(Clients { order, idle, sessions, records });
    let (mut tick, mut under_way) = (tokio::time::interval(TICK), JoinSet::new());
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (began, mut count, mut unsent) = (Instant::now(), 0, 0);
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        while under_way.try_join_next().is_some() {}
        let due = (began.elapsed().as_micros() * u128::from(clients.order.rate) / 1_000_000) as u64;
        while count < due {
            if under_way.len() < UNDER_WAY_MAX {
                under_way.spawn_local(clients.clone().run(count));
            } else {
                unsent += 1;
            }
            count += 1;
        }
    }
    while under_way.join_next().await.is_some() {}
    Sent { records: clients.records.take(), unsent }
}

impl Clients {
    /// One request from its beginning to its record.
    async fn run(self: Rc<Self>, number: u64) {
        let errand = self.errand(number);
        let is_order = matches!(errand, Errand::Order(_));
        let (kind, limit) = if is_order { (Kind::Post, POST_LIMIT) } else { (Kind::Get, GET_LIMIT) };
        let (began_ms, has_begun) = (self.now_ms(), Cell::new(false));
        let outcome = tokio::time::timeout(limit, self.exchange(errand.request(), &has_begun)).await;
        let ended_ms = self.now_ms();
        let expected = if is_order { 201 } else { 200 };
        let (end, answer) = match outcome {
            Ok(Ok(answer)) if answer.status == expected => (End::Good, Some(answer)),
            Ok(Ok(answer)) => (End::Failed(answer.status.to_string()), None),
            _ if has_begun.get() => (End::CutOff, None),
            Ok(Err(why)) => (End::Failed(why), None),
            Err(_) => (End::Failed(format!("no answer within {limit:?}")), None),
        };
        let server = answer.as_ref().and_then(|answer| answer.server);
        let (mut lost_session, mut order) = (None, None);
        match errand {
            Errand::Page => {}
            Errand::Order(id) => order = Some(id),
            Errand::Session(session) => lost_session = self.back(session, answer),
        }
        self.records.borrow_mut().push(Record { kind, began_ms, ended_ms, end, server, lost_session, order });
    }

    fn errand(&self, number: u64) -> Errand {
        // As good as thrown: if one in ten went by turns, as the servers do, all POSTs could go to the same server.
        match (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % PART {
            1 => Errand::Order(format!("order-{number}")),
            // While all of them wait for their answers it is a page like the others.
            2 => self.sessions.borrow_mut().pop_front().map_or(Errand::Page, Errand::Session),
            _ => Errand::Page,
        }
    }

    /// Puts a session back; gives the server whose session was lost.
    fn back(&self, mut session: Session, answer: Option<Answer>) -> Option<usize> {
        let mut lost = None;
        if let Some(Answer { cookie: Some(cookie), server, .. }) = answer {
            lost = session.cookie.replace((cookie, server)).and_then(|(_, server)| server);
        }
        self.sessions.borrow_mut().push_back(session);
        lost
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, has_begun: &Cell<bool>) -> Result<Answer, String> {
        let (sender, response) = self.send(request).await?;
        has_begun.set(true);
        let (head, body) = response.into_parts();
        let server = head
            .headers
            .get(SERVED_BY)
            .and_then(|name| self.order.servers.iter().position(|server| server.as_bytes() == name.as_bytes()));
        let cookie = head.headers.get(SET_COOKIE).and_then(|field| {
            let value = field.as_bytes().split(|byte| *byte == b';').next()?;
            HeaderValue::from_bytes(value).ok()
        });
        body.collect().await.map_err(|error| error.to_string())?;
        self.idle.borrow_mut().push(sender);
        Ok(Answer { status: head.status.as_u16(), server, cookie })
    }

    /// Sends a request over a connection that is idle, or a new one.
    async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(SendRequest<Full<Bytes>>, Response<Incoming>), String> {
        loop {
            let idle = self.idle.borrow_mut().pop();
            let mut sender = match idle {
                Some(sender) => sender,
                None => self.connect().await.map_err(|error| format!("no connection: {error}"))?,
            };
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((sender, response)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(crate::with_causes(&error.into_error())),
                },
            }
        }
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.order.target).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }

    fn now_ms(&self) -> u64 {
        millis(self.order.epoch.elapsed())
    }
}

impl Errand {
    fn request(&self) -> Request<Full<Bytes>> {
        let (method, page, body) = match self {
            Self::Page => (Method::GET, PAGE, Bytes::new()),
            Self::Session(_) => (Method::GET, SESSION, Bytes::new()),
            Self::Order(id) => (Method::POST, ORDERS, Bytes::from(format!("{id}\n"))),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = hyper::Uri::from_static(page);
        let fields = request.headers_mut();
        fields.insert(HOST, HeaderValue::from_static("liberty.example.com"));
        match self {
            Self::Session(Session { cookie: Some((cookie, _)) }) => {
                fields.insert(COOKIE, cookie.clone());
            }
            Self::Order(id) => {
                fields.extend(HeaderValue::from_str(id).ok().map(|id| (ORDER_ID, id)));
            }
            _ => {}
        }
        request
    }
}
