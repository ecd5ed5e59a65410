//! The threads of the data plane: started, told to drain, ended.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use conf::tree::LogLevel;
use net::{Stream, clock, listen, runtime};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::client::Client;
use crate::connection::Connection;
use crate::counters::ThreadCounters;
use crate::events::Events;
use crate::limits::{ACCEPT_PAUSE_MS, EXHAUSTION_TOLD_MS, LAST_ACCEPTS};
use crate::log::{LogWriter, Logs};
use crate::site::Site;
use crate::snapshot::Snapshot;
use crate::status::Status;
use crate::thread::Thread;

/// Listening sockets, by the index of the configuration's listener; `None` where another one's socket serves.
pub type Listening = Vec<Option<TcpListener>>;

/// What the threads are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Serve,
    /// Accept no more; end when the last connection has.
    Drain,
    /// End now.
    Stop,
}

/// What all threads and the status share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) threads: Vec<Arc<ThreadCounters>>,
    pub(crate) started_ms: u64,
    pub(crate) started_unix_ms: u64,
}

/// The running data plane.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    order: watch::Sender<Order>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    events: Events,
    log_writer: LogWriter,
}

impl Running {
    /// Starts `threads` threads that serve the snapshot (which was built for as many).
    pub fn start(
        snapshot: Arc<Snapshot>,
        threads: usize,
        listening: Listening,
        log_writer: LogWriter,
    ) -> io::Result<Self> {
        let events = Events::new();
        let (order, orders) = watch::channel(Order::Serve);
        let counters: Vec<_> = (0..threads).map(|_| Arc::new(ThreadCounters::default())).collect();
        let listening = Arc::new(listening);
        let mut handles = Vec::new();
        for (index, counters) in counters.iter().enumerate() {
            let plan = Plan {
                index,
                threads,
                snapshot: Arc::clone(&snapshot),
                listening: Arc::clone(&listening),
                orders: orders.clone(),
                logs: log_writer.logs(),
                counters: Arc::clone(counters),
                events: events.clone(),
            };
            let name = format!("worker-{index}");
            handles.push(std::thread::Builder::new().name(name).spawn(move || run(plan))?);
        }
        let shared = Shared {
            snapshot,
            threads: counters,
            started_ms: clock::now_ns() / 1_000_000,
            started_unix_ms: clock::unix_ns() / 1_000_000,
        };
        Ok(Self { shared: Arc::new(shared), order, threads: handles, events, log_writer })
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        Status::of(&self.shared, clock::now_ns() / 1_000_000)
    }

    /// Something that answers [`Running::status`] and can be given away.
    pub fn status_source(&self) -> impl Fn() -> Status + Send + Sync + Clone + 'static {
        let shared = Arc::clone(&self.shared);
        move || Status::of(&shared, clock::now_ns() / 1_000_000)
    }

    /// Its events.
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Accepts no more connections, finishes those there are: answers say `Connection: close`, idle ones close at
    /// `keepalive_timeout`.
    pub fn drain(&self) {
        self.order.send_replace(Order::Drain);
    }

    /// Ends at once.
    pub fn stop(&self) {
        self.order.send_replace(Order::Stop);
    }

    /// Whether it was told to drain or stop, or a thread ended by itself.
    pub fn is_ending(&self) -> bool {
        *self.order.borrow() != Order::Serve || self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Whether all threads have ended.
    pub fn has_ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the threads, then for the log to be written.
    pub fn join(self) -> io::Result<()> {
        let Self { threads, log_writer, .. } = self;
        let mut result = Ok(());
        for thread in threads {
            match thread.join() {
                Ok(ended) => result = result.and(ended),
                Err(_) => result = Err(io::Error::other("a thread of the data plane panicked")),
            }
        }
        log_writer.finish();
        result
    }
}

/// What a thread is started with.
struct Plan {
    index: usize,
    threads: usize,
    snapshot: Arc<Snapshot>,
    listening: Arc<Listening>,
    orders: watch::Receiver<Order>,
    logs: Logs,
    counters: Arc<ThreadCounters>,
    events: Events,
}

fn run(plan: Plan) -> io::Result<()> {
    runtime::block_on(async move {
        let Plan { index, threads, snapshot, listening, mut orders, logs, counters, events } = plan;
        let site = Site::new(snapshot, index);
        let thread = Rc::new(Thread::new(index, threads, site, logs, counters, events));
        let mut acceptors = Vec::new();
        for (listener, socket) in listening.iter().enumerate() {
            if let Some(socket) = socket {
                let accepting = accept_all(Rc::clone(&thread), listen::share(socket)?, listener);
                acceptors.push(tokio::task::spawn_local(accepting));
            }
        }
        let keeping = tokio::task::spawn_local(keep_house(Rc::clone(&thread)));
        // An order whose sender is gone is an order to stop.
        let first = orders.wait_for(|order| *order != Order::Serve).await.map_or(Order::Stop, |order| *order);
        thread.is_draining.set(first == Order::Drain);
        for acceptor in acceptors {
            acceptor.abort();
            // It was cancelled: that it says so is no news.
            let _ = acceptor.await;
        }
        if first == Order::Drain {
            accept_waiting(&thread, &listening);
            drop(listening);
            let is_stop = orders.wait_for(|order| *order == Order::Stop);
            tokio::select! {
                () = all_gone(&thread) => {}
                _ = is_stop => {}
            }
        }
        keeping.abort();
        flush_logs(&thread);
        Ok(())
    })?
}

/// Waits until no connection is left.
async fn all_gone(thread: &Thread) {
    let mut turn = tokio::time::interval(Duration::from_millis(50));
    while thread.counters.active.get() > 0 {
        turn.tick().await;
    }
}

/// A few times a second: pooled connections that have outlived their time, log lines that wait.
async fn keep_house(thread: Rc<Thread>) {
    let mut turn = tokio::time::interval(Duration::from_millis(net::deadline::SWEEP_MS));
    loop {
        turn.tick().await;
        let site = Rc::clone(&thread.site.borrow());
        for upstream in &site.upstreams {
            upstream.pool.borrow_mut().sweep(clock::coarse_ms());
        }
        flush_logs(&thread);
    }
}

fn flush_logs(thread: &Thread) {
    let mut logs = thread.logs.borrow_mut();
    logs.flush();
    thread.counters.log_lines_lost.add(logs.take_lost());
}

async fn accept_all(thread: Rc<Thread>, socket: tokio::net::TcpListener, listener: usize) {
    let mut told_ms = None;
    loop {
        match listen::accept(&socket).await {
            Ok((tcp, remote)) => open(&thread, tcp, remote, listener),
            // Only a pause helps: the next attempt would fail at once, and again.
            Err(error) if listen::is_exhaustion(&error) => {
                if told_ms.is_none_or(|ms| clock::coarse_ms().saturating_sub(ms) > EXHAUSTION_TOLD_MS) {
                    told_ms = Some(clock::coarse_ms());
                    let what =
                        format!("accept4() failed ({error}): new connections wait (raise the limit of open files)");
                    thread.log_process(LogLevel::Alert, &what);
                }
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
            // The client gave up before it was accepted.
            Err(_) => {}
        }
    }
}

/// Takes what waits in the listeners' queues before they are closed: such a client believes that it is connected.
fn accept_waiting(thread: &Rc<Thread>, listening: &Listening) {
    for (listener, socket) in listening.iter().enumerate() {
        let Some(socket) = socket else { continue };
        for _ in 0..LAST_ACCEPTS {
            match listen::accept_waiting(socket) {
                Ok((tcp, remote)) => open(thread, tcp, remote, listener),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock || listen::is_exhaustion(&error) => break,
                Err(_) => {}
            }
        }
    }
}

fn open(thread: &Rc<Thread>, tcp: TcpStream, remote: std::net::SocketAddr, listener: usize) {
    let Ok(local) = tcp.local_addr() else { return };
    let site = Rc::clone(&thread.site.borrow());
    let listener = site.snapshot.router.listener_at(listener, local);
    let tls = site.snapshot.tls[listener].clone();
    let is_tls = tls.is_some();
    let stream = match tls {
        None => Stream::plain(tcp),
        Some(config) => match Stream::tls_server(tcp, config) {
            Ok(stream) => stream,
            Err(_) => return,
        },
    };
    let client = Client::new(thread.number_connection(), remote, local, listener, is_tls);
    thread.counters.accepted.add(1);
    let open = Open::new(Rc::clone(thread));
    let connection = Connection::new(Rc::clone(thread), stream, client);
    tokio::task::spawn_local(async move {
        connection.run().await;
        drop(open);
    });
}

/// Counts a connection for as long as it is open, a panic included.
struct Open(Rc<Thread>);

impl Open {
    fn new(thread: Rc<Thread>) -> Self {
        thread.counters.active.add(1);
        Self(thread)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.active.sub(1);
    }
}
