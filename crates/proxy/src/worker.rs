//! The threads of the data plane: started, given another configuration, told to drain, ended.
//!
//! A new configuration reaches the threads as one immutable thing that each takes up by itself: what is under way ends
//! as it began, connections stay and their next request is served by the new one.

use std::io::{self, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use conf::tree::ListenAddress;
use net::{clock, event_loop};
use route::Router;
use tokio::sync::watch;

use crate::accept::{Acceptors, accept_waiting};
use crate::api::Holds;
use crate::control::Control;
use crate::counters::ThreadCounters;
use crate::events::{Event, Events};
use crate::health;
use crate::log::{LogWriter, Logs};
use crate::pages::Pages;
use crate::site::Site;
use crate::snapshot::{Snapshot, UpstreamSnapshot};
use crate::status::Status;
use crate::sums::Baseline;
use crate::thread::Thread;
use crate::upstream::ejected;

/// Listening sockets, by the index of the configuration's listener; `None` where another one's socket serves.
pub type Listening = Vec<Option<TcpListener>>;

/// What the threads are to do, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    phase: Phase,
    work: Arc<Work>,
}

/// What the threads are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serve,
    /// Accept no more; end when the last connection has.
    Drain,
    /// End now.
    Stop,
}

/// A configuration with its sockets.
#[derive(Debug)]
struct Work {
    /// Counts the configurations of the process, from 1.
    generation: u64,
    snapshot: Arc<Snapshot>,
    listening: Arc<Listening>,
}

impl Work {
    /// The sockets with their listeners' indexes and addresses.
    fn sockets(&self) -> impl Iterator<Item = (usize, &ListenAddress, &TcpListener)> {
        let listeners = self.snapshot.router.listeners().iter();
        let all = self.listening.iter().zip(listeners).enumerate();
        all.filter_map(|(index, (socket, listener))| Some((index, &listener.address, socket.as_ref()?)))
    }
}

impl Orders {
    /// Whether the configuration of this router is served.
    pub(crate) fn serves(&self, router: &Arc<Router>) -> bool {
        self.phase == Phase::Serve && Arc::ptr_eq(&self.work.snapshot.router, router)
    }

    /// An upstream as it is served.
    pub(crate) fn upstream(&self, index: usize) -> Arc<UpstreamSnapshot> {
        Arc::clone(&self.work.snapshot.upstreams[index])
    }

    /// Goes on with an upstream in place of the one that was there; the configuration that this makes.
    pub(crate) fn with_upstream(&mut self, index: usize, upstream: Arc<UpstreamSnapshot>) -> Arc<Snapshot> {
        let snapshot = Arc::new(self.work.snapshot.with_upstream(index, upstream));
        let (generation, listening) = (self.work.generation + 1, Arc::clone(&self.work.listening));
        self.work = Arc::new(Work { generation, snapshot: Arc::clone(&snapshot), listening });
        snapshot
    }
}

/// What all threads and the status share.
#[derive(Debug)]
pub(crate) struct Shared {
    snapshot: Mutex<Arc<Snapshot>>,
    pub(crate) threads: Arc<[Arc<ThreadCounters>]>,
    pub(crate) started_ms: u64,
    pub(crate) started_unix_ms: u64,
    /// Reloads so far, and when the last one was, in milliseconds since 1970.
    pub(crate) reloads: AtomicU64,
    pub(crate) loaded_unix_ms: AtomicU64,
    /// Reloads that came to nothing, and whether the last one did.
    pub(crate) refused: AtomicU64,
    pub(crate) last_was_refused: AtomicBool,
    /// Processes that served before this one and died.
    pub(crate) respawned: AtomicU64,
    /// Who is at work on which upstream, as `api` was told.
    pub(crate) holds: Holds,
    /// Somebody outside of the configuration can ask for all that `api` shows.
    pub(crate) has_api: AtomicBool,
    /// Who makes pages of this.
    pub(crate) pages: Arc<dyn Pages>,
    pub(crate) pages_being_made: AtomicUsize,
    /// What is set back by `api`: counts of connections, of requests, of TLS.
    pub(crate) bases: [Baseline; 3],
}

impl Shared {
    pub(crate) fn new(snapshot: Arc<Snapshot>, threads: Arc<[Arc<ThreadCounters>]>, pages: Arc<dyn Pages>) -> Self {
        let now_unix_ms = clock::unix_ms();
        Self {
            snapshot: Mutex::new(snapshot),
            threads,
            started_ms: clock::now_ms(),
            started_unix_ms: now_unix_ms,
            reloads: AtomicU64::new(0),
            loaded_unix_ms: AtomicU64::new(now_unix_ms),
            refused: AtomicU64::new(0),
            last_was_refused: AtomicBool::new(false),
            respawned: AtomicU64::new(0),
            holds: Holds::default(),
            has_api: AtomicBool::new(false),
            pages,
            pages_being_made: AtomicUsize::new(0),
            bases: Default::default(),
        }
    }

    /// The configuration that is served from now on.
    pub(crate) fn put(&self, snapshot: Arc<Snapshot>) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> Status {
        Status::of(self, clock::now_ms())
    }

    /// The configuration that is served now. A thread of the data plane asks for `api` alone.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The running data plane.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    orders: Arc<watch::Sender<Orders>>,
    control: Control,
    threads: Vec<JoinHandle<io::Result<()>>>,
    events: Events,
    log_writer: LogWriter,
    /// The thread that checks servers, once a configuration has asked for it.
    checker: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    /// Starts `threads` threads that serve the snapshot (which was built for as many).
    pub fn start(
        snapshot: Arc<Snapshot>,
        threads: usize,
        listening: Listening,
        log_writer: LogWriter,
        pages: Arc<dyn Pages>,
    ) -> io::Result<Self> {
        let events = Events::new();
        let listening = Arc::new(listening);
        let work = Arc::new(Work { generation: 1, snapshot: Arc::clone(&snapshot), listening });
        let (order, orders) = watch::channel(Orders { phase: Phase::Serve, work });
        let order = Arc::new(order);
        let counters: Arc<[_]> = (0..threads).map(|_| Arc::new(ThreadCounters::default())).collect();
        let shared = Arc::new(Shared::new(snapshot, Arc::clone(&counters), pages));
        let control = Control::new(&shared, &Arc::downgrade(&order));
        let mut handles = Vec::new();
        for index in 0..threads {
            let plan = Plan {
                index,
                orders: orders.clone(),
                logs: log_writer.logs(),
                counters: Arc::clone(&counters),
                events: events.clone(),
                control: control.clone(),
            };
            let name = format!("worker-{index}");
            handles.push(std::thread::Builder::new().name(name).spawn(move || run(plan))?);
        }
        let running =
            Self { shared, orders: order, control, threads: handles, events, log_writer, checker: Mutex::default() };
        running.renew()?;
        running.check()?;
        Ok(running)
    }

    /// Serves another configuration, built after the one before and for as many threads; `logs` are its log targets
    /// beyond those of the one before. Gives the number by which [`Running::serves`] knows it.
    pub fn reload(&self, snapshot: Arc<Snapshot>, listening: Listening, logs: Vec<Box<dyn Write + Send>>) -> u64 {
        logs.into_iter().for_each(|file| self.log_writer.add(file));
        if self.shared.has_api.load(Relaxed) {
            snapshot.count_all();
        }
        let mut number = 0;
        self.orders.send_modify(|orders| {
            self.shared.put(Arc::clone(&snapshot));
            number = orders.work.generation + 1;
            orders.work = Arc::new(Work { generation: number, snapshot, listening: Arc::new(listening) });
        });
        self.shared.reloads.fetch_add(1, Relaxed);
        self.shared.last_was_refused.store(false, Relaxed);
        self.shared.loaded_unix_ms.store(clock::unix_ms(), Relaxed);
        self.tell("reload", "the new configuration is served");
        // Without a thread for it names lead where they led: no reason to refuse a configuration.
        let _ = self.renew();
        let _ = self.check();
        number
    }

    /// Tells of something that is no server's.
    fn tell(&self, event: &'static str, why: &str) {
        let (upstream, server, why) = (String::new(), String::new(), why.to_owned());
        self.events.send(Event { at_ms: clock::unix_ms(), event, upstream, server, why, count: 1 });
    }

    /// Has servers checked from the first configuration on that asks for it.
    fn check(&self) -> io::Result<()> {
        let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        if checker.is_some() || self.snapshot().router.checks().is_empty() {
            return Ok(());
        }
        let (mut orders, all) = (self.orders.subscribe(), Arc::downgrade(&self.orders));
        // An order that says nothing new has all that waits look around.
        let wake = Box::new(move || all.upgrade().into_iter().for_each(|all| all.send_modify(|_| {})));
        let surroundings = health::Surroundings { logs: self.log_writer.logs(), events: self.events.clone(), wake };
        let mut seen = 0;
        let served = async move || loop {
            let Orders { phase, work } = orders.borrow_and_update().clone();
            if phase != Phase::Serve {
                return None;
            }
            if work.generation != seen {
                seen = work.generation;
                return Some(Arc::clone(&work.snapshot));
            }
            drop(work);
            orders.changed().await.ok()?;
        };
        *checker = Some(health::start(surroundings, served)?);
        Ok(())
    }

    /// Has names of servers looked up for as long as the configuration is served.
    fn renew(&self) -> io::Result<()> {
        crate::renew::start(&self.snapshot(), self.control.clone())
    }

    /// Whether all threads have taken up that configuration.
    pub fn serves(&self, generation: u64) -> bool {
        self.shared.threads.iter().all(|thread| thread.generation.get() >= generation)
    }

    /// The configuration that is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot()
    }

    /// Notes that a configuration was not served, and why.
    pub fn refuse_reload(&self, why: &str) {
        self.tell("reload_refused", why);
        self.shared.refused.fetch_add(1, Relaxed);
        self.shared.last_was_refused.store(true, Relaxed);
    }

    /// Notes how many processes have served before this one and died.
    pub fn set_respawned(&self, count: u64) {
        self.shared.respawned.store(count, Relaxed);
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Something that answers [`Running::status`] and can be given away.
    pub fn status_source(&self) -> impl Fn() -> Status + Send + Sync + Clone + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.status()
    }

    /// What `api` shows, for who asks elsewhere than in a location: status and JSON of what stands behind `/api/` and
    /// of `fields`. What only `api` shows is counted from the first question on.
    pub fn api_source(
        &self,
    ) -> impl Fn(&str, Option<&str>) -> (u16, serde_json::Value) + Send + Sync + Clone + 'static {
        let shared = Arc::clone(&self.shared);
        move |path, fields| {
            if !shared.has_api.swap(true, Relaxed) {
                shared.snapshot().count_all();
            }
            crate::api::shown(&shared, path, fields)
        }
    }

    /// Its events.
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Accepts no more connections, finishes those there are: answers say `Connection: close`, idle ones close at
    /// `keepalive_timeout`.
    pub fn drain(&self) {
        self.end(Phase::Drain);
    }

    /// Ends at once.
    pub fn stop(&self) {
        self.end(Phase::Stop);
    }

    /// Keeps no socket: the threads have theirs, and a listener is closed when the last of them has done with it.
    fn end(&self, phase: Phase) {
        let snapshot = self.shared.snapshot();
        self.orders.send_modify(|orders| {
            let generation = orders.work.generation;
            *orders = Orders { phase, work: Arc::new(Work { generation, snapshot, listening: Arc::default() }) };
        });
    }

    /// Whether it was told to drain or stop, or a thread ended by itself.
    pub fn is_ending(&self) -> bool {
        self.orders.borrow().phase != Phase::Serve || self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Whether all threads have ended.
    pub fn has_ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the threads, then for the log to be written.
    pub fn join(self) -> io::Result<()> {
        let Self { threads, log_writer, checker, orders, .. } = self;
        let mut result = Ok(());
        for thread in threads {
            match thread.join() {
                Ok(ended) => result = result.and(ended),
                Err(_) => result = Err(io::Error::other("a thread of the data plane panicked")),
            }
        }
        drop(orders);
        let checker = checker.into_inner().unwrap_or_else(PoisonError::into_inner);
        if checker.is_some_and(|checker| checker.join().is_err()) {
            result = result.and(Err(io::Error::other("the thread that checks servers panicked")));
        }
        log_writer.finish();
        result
    }
}

/// What a thread is started with.
struct Plan {
    index: usize,
    orders: watch::Receiver<Orders>,
    logs: Logs,
    /// Of all threads.
    counters: Arc<[Arc<ThreadCounters>]>,
    events: Events,
    control: Control,
}

fn run(plan: Plan) -> io::Result<()> {
    event_loop::block_on(async move {
        let Plan { index, mut orders, logs, counters, events, control } = plan;
        let mut work = Arc::clone(&orders.borrow_and_update().work);
        let site = Rc::new(Site::new(Arc::clone(&work.snapshot), index));
        let thread = Rc::new(Thread::new(index, site, logs, counters, (events, control)));
        let mut acceptors = Acceptors::start(&thread, work.sockets())?;
        thread.counters.generation.set(work.generation);
        let keeping = event_loop::spawn(keep_house(Rc::clone(&thread)));
        let ending = loop {
            // An order whose sender is gone is an order to stop.
            let changed = orders.changed().await;
            let Orders { phase, work: new } = orders.borrow_and_update().clone();
            if changed.is_err() || phase != Phase::Serve {
                break if changed.is_err() { Phase::Stop } else { phase };
            }
            if !Arc::ptr_eq(&work, &new) {
                acceptors.end();
                acceptors = take_up(&thread, index, &work, &new)?;
                work = new;
            } else {
                net::deadline::wake_all();
            }
        };
        thread.is_draining.set(ending == Phase::Drain);
        net::deadline::wake_all();
        acceptors.end();
        if ending == Phase::Drain {
            let site = Rc::clone(&thread.site.borrow());
            work.sockets().for_each(|(listener, _, socket)| accept_waiting(&thread, &site, socket, listener));
            drop(work);
            let is_stop = orders.wait_for(|orders| orders.phase == Phase::Stop);
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

/// Goes over from one configuration to the next. Nothing waits here, so no connection meets the one half way.
fn take_up(thread: &Rc<Thread>, index: usize, old: &Work, new: &Work) -> io::Result<Acceptors> {
    let before = Rc::clone(&thread.site.borrow());
    let site = Rc::new(Site::after(Arc::clone(&new.snapshot), index, &before.upstreams));
    before.retire(&site);
    site.adopt(&before);
    *thread.site.borrow_mut() = site;
    let acceptors = Acceptors::start(thread, new.sockets())?;
    // A listener that is gone: who waits there believes to be connected, and is served as it was.
    for (listener, address, socket) in old.sockets() {
        if !new.sockets().any(|(_, other, _)| other == address) {
            accept_waiting(thread, &before, socket, listener);
        }
    }
    // Idle HTTP/2 connections of such a listener are told to go.
    net::deadline::wake_all();
    thread.counters.generation.set(new.generation);
    Ok(acceptors)
}

/// Waits until no connection is left.
async fn all_gone(thread: &Thread) {
    while thread.counters.active.get() > 0 {
        event_loop::sleep(Duration::from_millis(50)).await;
    }
}

/// A few times a second: pooled connections that have outlived their time, log lines that wait.
async fn keep_house(thread: Rc<Thread>) {
    loop {
        event_loop::sleep(Duration::from_millis(net::deadline::SWEEP_MS)).await;
        let site = Rc::clone(&thread.site.borrow());
        for upstream in &site.upstreams {
            ejected::look(&thread, upstream);
            let mut pool = upstream.pool.borrow_mut();
            pool.sweep(clock::coarse_ms());
            if let Some(idle) = upstream.shared.idle.get(site.thread) {
                idle.set(pool.idle());
            }
        }
        net::listen::look_for_left_behind();
        flush_logs(&thread);
    }
}

fn flush_logs(thread: &Thread) {
    let mut logs = thread.logs.borrow_mut();
    logs.flush();
    thread.counters.log_lines_lost.add(logs.take_lost());
}

#[cfg(test)]
mod tests;
