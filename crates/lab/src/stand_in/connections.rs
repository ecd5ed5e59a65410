//! The open connections of a stand-in: which are idle and for how long, and their end.
//!
//! One sweep a few times a second looks at all of them, so that a request costs no timer.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::answer::{self, Server};

/// How often idle connections are looked for.
pub(super) const SWEEP: Duration = Duration::from_millis(100);
/// Open connections: what a process gets of file descriptors at most, nearly. One more is closed at once.
const CONNECTIONS_MAX: usize = 60_000;
/// Fields in a head, Liberty's `limitNumHeaders`.
const FIELDS_MAX: usize = 500;

/// All open connections of one server.
pub(super) struct Connections {
    open: RefCell<HashMap<u64, Rc<Connection>>>,
    next: Cell<u64>,
    persist_timeout: Duration,
    /// The time as of the last sweep: near enough for time-outs of seconds.
    now: Rc<Cell<Instant>>,
    gone: Notify,
}

/// What the sweep needs to know of one connection.
struct Connection {
    requests: Cell<u32>,
    /// Whether it has had a request.
    is_reused: Cell<bool>,
    idle_since: Cell<Instant>,
    now: Rc<Cell<Instant>>,
    finish: Notify,
}

/// Held while a request of the connection is being answered.
pub(super) struct Busy(Rc<Connection>);

impl Connections {
    pub(super) fn new(persist_timeout: Duration) -> Self {
        Self {
            open: RefCell::default(),
            next: Cell::new(0),
            persist_timeout,
            now: Rc::new(Cell::new(Instant::now())),
            gone: Notify::new(),
        }
    }

    /// Serves a new connection in a task of its own.
    pub(super) fn serve(self: &Rc<Self>, stream: TcpStream, server: Rc<Server>) {
        if self.open.borrow().len() >= CONNECTIONS_MAX {
            return;
        }
        // Without it a late answer waits for the acknowledgement of an earlier one.
        let _ = stream.set_nodelay(true);
        let number = self.next.replace(self.next.get() + 1);
        let connection = Rc::new(Connection {
            requests: Cell::new(0),
            is_reused: Cell::new(false),
            idle_since: Cell::new(Instant::now()),
            now: self.now.clone(),
            finish: Notify::new(),
        });
        self.open.borrow_mut().insert(number, connection.clone());
        let connections = self.clone();
        tokio::task::spawn_local(async move {
            connection.run(stream, &server).await;
            connections.open.borrow_mut().remove(&number);
            connections.gone.notify_waiters();
        });
    }

    /// Closes the connections that have been idle for the persist time-out.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.now.set(now);
        for connection in self.open.borrow().values() {
            let idle = now.saturating_duration_since(connection.idle_since.get());
            if connection.requests.get() == 0 && idle >= self.persist_timeout {
                connection.finish.notify_one();
            }
        }
    }

    /// Closes the idle ones now and the others after what they are at.
    pub(super) fn finish_all(&self) {
        for connection in self.open.borrow().values() {
            connection.finish.notify_one();
        }
    }

    /// Ready when no connection is open.
    pub(super) async fn all_gone(&self) {
        while !self.open.borrow().is_empty() {
            self.gone.notified().await;
        }
    }
}

impl Connection {
    async fn run(self: &Rc<Self>, stream: TcpStream, server: &Rc<Server>) {
        let service = service_fn(|request| {
            let (busy, is_reused) = (self.begin(), self.is_reused());
            async move {
                let answer = answer::answer(server, request, is_reused).await;
                answer.map(|answer| answer.map(|body| body.holding(busy)))
            }
        });
        let mut http = http1::Builder::new()
            .max_headers(FIELDS_MAX)
            .title_case_headers(true)
            .serve_connection(TokioIo::new(stream), service);
        let ended = tokio::select! {
            ended = &mut http => ended,
            () = self.finish.notified() => {
                std::pin::Pin::new(&mut http).graceful_shutdown();
                (&mut http).await
            }
        };
        // A client that goes away or talks nonsense is no matter of a stand-in's.
        if ended.is_err() && server.fault.get().resets() {
            let stream = http.into_parts().io.into_inner();
            // What is closed with no time to linger is reset.
            let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        }
    }

    fn begin(self: &Rc<Self>) -> Busy {
        self.requests.set(self.requests.get() + 1);
        Busy(self.clone())
    }

    /// Whether the request that begins is not the first one of its connection.
    fn is_reused(&self) -> bool {
        self.is_reused.replace(true)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
        self.0.idle_since.set(self.0.now.get());
    }
}
