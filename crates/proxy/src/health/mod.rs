//! Active checks: each server that a `health_check` is for is asked again and again, on a thread that carries no
//! request.
//!
//! What is asked and what passes is in `route`, what so many results in a row mean in `balance`. Here are the times,
//! the connections (`probe`), the body of MicroProfile Health (`page`), and that a change is told and acted on.

mod page;
mod probe;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use balance::{Peer, State, Streak, Thresholds};
use conf::tree::LogLevel;
use net::event_loop::{self, Task};
use net::{clock, tls};
use route::{Answer, CheckRule, Maps, Router};

use crate::dates::Dates;
use crate::events::{Event, Events};
use crate::limits::{CHECK_AGAIN_MS, CHECK_PAUSE_MS, CHECK_WRONG_CHARS};
use crate::log::{Logs, process_line, write_errors};
use crate::random::Random;
use crate::snapshot::{Reason, Snapshot, UpstreamSnapshot};
use crate::status::LastCheck;
use crate::upstream::way::Way;
use probe::{Probe, Wrong};

/// What checks need of the rest of the data plane.
pub(crate) struct Surroundings {
    pub(crate) logs: Logs,
    pub(crate) events: Events,
    /// Has requests that wait look whether their server is still one to wait for.
    pub(crate) wake: Box<dyn Fn() + Send>,
}

/// Starts the thread. `served` gives the configuration that is served now, then each one that takes its place, and
/// nothing when there is to be an end.
pub(crate) fn start<S>(surroundings: Surroundings, served: S) -> std::io::Result<std::thread::JoinHandle<()>>
where
    S: AsyncFnMut() -> Option<Arc<Snapshot>> + Send + 'static,
{
    std::thread::Builder::new().name("health".to_owned()).spawn(move || {
        // A loop that cannot be made has no descriptors: then there are no checks, and servers stay as they are.
        let _ = event_loop::block_on(run(surroundings, served));
    })
}

async fn run(surroundings: Surroundings, mut served: impl AsyncFnMut() -> Option<Arc<Snapshot>>) {
    let teller = Rc::new(Teller {
        logs: RefCell::new(surroundings.logs),
        dates: RefCell::default(),
        random: RefCell::new(Random::new()),
        events: surroundings.events,
        wake: surroundings.wake,
    });
    let mut watched: Vec<Watched> = Vec::new();
    while let Some(snapshot) = served().await {
        let (kept, gone): (Vec<_>, Vec<_>) = watched.into_iter().partition(|watched| watched.is_in(&snapshot));
        gone.into_iter().flat_map(|watched| watched.tasks).flatten().for_each(Task::abort);
        watched = kept;
        watched.iter_mut().for_each(|watched| watched.follow(&snapshot, &teller));
        for upstream in 0..snapshot.upstreams.len() {
            if !watched.iter().any(|watched| watched.index == upstream) {
                watched.extend(Watched::start(&snapshot, upstream, &teller));
            }
        }
    }
}

/// An upstream whose servers are checked.
struct Watched {
    router: Arc<Router>,
    index: usize,
    /// As it is now, for the tasks too: settings of its servers change while they are checked.
    upstream: Rc<RefCell<Arc<UpstreamSnapshot>>>,
    /// By server; one that is `down` has none.
    tasks: Vec<Vec<Task>>,
}

impl Watched {
    /// Whether another snapshot has the same upstream under the same rules, if with other servers.
    fn is_in(&self, snapshot: &Snapshot) -> bool {
        Arc::ptr_eq(&self.router, &snapshot.router)
    }

    /// Checks all servers of an upstream; `None` where no check is for it.
    fn start(snapshot: &Arc<Snapshot>, index: usize, teller: &Rc<Teller>) -> Option<Self> {
        let router = Arc::clone(&snapshot.router);
        if router.checks().iter().all(|check| check.upstream != index) {
            return None;
        }
        let upstream = Rc::new(RefCell::new(Arc::clone(&snapshot.upstreams[index])));
        let mut watched = Self { router, index, upstream, tasks: Vec::new() };
        watched.follow(snapshot, teller);
        Some(watched)
    }

    /// Goes over to the upstream as it is now. Checks go on as they are, but for servers that are `down` from now on,
    /// or no longer, and places in the list where there is another server.
    fn follow(&mut self, snapshot: &Arc<Snapshot>, teller: &Rc<Teller>) {
        let upstream = Arc::clone(&snapshot.upstreams[self.index]);
        let before = self.upstream.replace(Arc::clone(&upstream));
        for (peer, tasks) in self.tasks.iter_mut().enumerate() {
            let is_same = before.addresses.get(peer) == upstream.addresses.get(peer);
            if !is_same || upstream.group.peers()[peer].settings().down {
                tasks.drain(..).for_each(Task::abort);
            }
        }
        self.tasks.resize_with(upstream.group.peers().len(), Vec::new);
        for (peer, known) in upstream.group.peers().iter().enumerate() {
            if !known.settings().down && self.tasks[peer].is_empty() {
                self.tasks[peer] = self.watch(peer, known, snapshot, teller);
            }
        }
    }

    /// Makes the checks of one server.
    fn watch(&self, peer: usize, known: &Peer, snapshot: &Arc<Snapshot>, teller: &Rc<Teller>) -> Vec<Task> {
        let all = self.router.checks();
        let checks: Vec<usize> = (0..all.len()).filter(|at| all[*at].upstream == self.index).collect();
        let streaks = Rc::new(RefCell::new(vec![Streak::of(known.found_well()); checks.len()]));
        let target = |(place, check): (usize, usize)| Target {
            snapshot: Arc::clone(snapshot),
            check,
            place,
            upstream: Rc::clone(&self.upstream),
            peer,
            streaks: Rc::clone(&streaks),
            teller: Rc::clone(teller),
        };
        checks.into_iter().enumerate().map(|check| event_loop::spawn(target(check).watch())).collect()
    }
}

/// One server under one check.
struct Target {
    snapshot: Arc<Snapshot>,
    check: usize,
    /// Which of the server's checks it is.
    place: usize,
    upstream: Rc<RefCell<Arc<UpstreamSnapshot>>>,
    peer: usize,
    /// Of all checks of this server.
    streaks: Rc<RefCell<Vec<Streak>>>,
    teller: Rc<Teller>,
}

impl Target {
    async fn watch(self) {
        let maps = self.snapshot.router.maps().clone();
        let probe = self.probe(&maps);
        loop {
            let (began_ms, began_us) = (clock::coarse_ms(), clock::coarse_us());
            let (plain, status) = (self.rule().is_plain(), Cell::new(None));
            let judge = |answer: &Answer<'_>| {
                status.set(Some(answer.status));
                match page::down(answer.body) {
                    None => self.rule().judge(answer, &maps),
                    Some(down) if plain => Err(format!("status {}: {down}", answer.status)),
                    Some(down) => self.rule().judge(answer, &maps).map_err(|wrong| format!("{wrong}: {down}")),
                }
            };
            let wrong = match probe.ask(self.is_out(), judge).await {
                Ok(()) => Some(None),
                Err(Wrong::Server(what)) => Some(Some(what)),
                Err(Wrong::Here) => None,
            };
            if let Some(wrong) = wrong {
                self.remember(began_us, status.get(), wrong.as_deref());
                self.take(wrong.as_deref());
            }
            self.rest(began_ms).await;
        }
    }

    fn rule(&self) -> &CheckRule {
        &self.snapshot.router.checks()[self.check]
    }

    /// The upstream as it is now.
    fn upstream(&self) -> Arc<UpstreamSnapshot> {
        Arc::clone(&self.upstream.borrow())
    }

    fn with_known<T>(&self, look: impl FnOnce(&Peer) -> T) -> T {
        look(&self.upstream.borrow().group.peers()[self.peer])
    }

    fn probe(&self, maps: &Maps) -> Probe {
        let rule = self.rule();
        let tls = rule.tls.as_ref().map(|tls| {
            let name = rule.rendered(&tls.name, None, maps);
            let config = &self.snapshot.proxy_tls[tls.way];
            let resumes = self.snapshot.router.proxy_tls()[tls.way].session_reuse;
            let config = if resumes { Arc::new(tls::with_sessions(config)) } else { Arc::clone(config) };
            (config, crate::facts::without_port(&name).to_vec())
        });
        let from = rule.bind.as_ref().and_then(|text| conf::table::bind_address(&rule.rendered(text, None, maps)));
        let mut request = Vec::new();
        rule.request(maps, &mut request);
        Probe::new(
            rule,
            self.upstream().addresses[self.peer].clone(),
            Way::fixed(tls, from, rule.proxy_protocol),
            request,
        )
    }

    /// Keeps what a check came to, to be shown.
    #[allow(clippy::cast_precision_loss, reason = "a check's time-out in microseconds stays far below 2^53")]
    fn remember(&self, began_us: u64, status: Option<u16>, wrong: Option<&str>) {
        let check = LastCheck {
            at_ms: self.teller.dates.borrow_mut().unix_ms(),
            took_ms: clock::coarse_us().saturating_sub(began_us) as f64 / 1e3,
            uri: self.rule().uri.clone(),
            passed: wrong.is_none(),
            status,
            wrong: wrong.unwrap_or_default().chars().take(CHECK_WRONG_CHARS).collect(),
        };
        if let Ok(mut checks) = self.upstream.borrow().last_checks.lock() {
            checks.insert(self.peer, check);
        }
    }

    /// Takes a result: what was wrong, if anything was.
    fn take(&self, wrong: Option<&str>) {
        let rule = self.rule();
        let passed = wrong.is_none();
        self.with_known(|known| known.count_check(passed));
        let thresholds = Thresholds { fails: rule.fails, passes: rule.passes, is_mandatory: rule.is_mandatory };
        let mut streaks = self.streaks.borrow_mut();
        streaks[self.place].add(passed, thresholds);
        let together = balance::together(streaks.iter().map(Streak::verdict));
        if let Some(is_well) = together
            && self.with_known(|known| known.set_well(is_well, clock::coarse_ms()))
        {
            self.teller.tell(self, wrong.filter(|_| !is_well));
            if !is_well {
                (self.teller.wake)();
            }
        }
    }

    /// Waits until the next check. A server that gets no requests is soon asked again: it is to be back when it can be.
    async fn rest(&self, began_ms: u64) {
        let rule = self.rule();
        let jitter_ms = match rule.jitter_ms {
            0 => 0,
            jitter_ms => self.teller.random.borrow_mut().number() % (jitter_ms + 1),
        };
        let usual_ms = rule.interval_ms.saturating_add(jitter_ms);
        let not_before_ms = clock::coarse_ms() + CHECK_PAUSE_MS;
        loop {
            let every_ms = if self.is_out() { usual_ms.min(CHECK_AGAIN_MS) } else { usual_ms };
            let now_ms = clock::coarse_ms();
            let left_ms = began_ms.saturating_add(every_ms).max(not_before_ms).saturating_sub(now_ms);
            if left_ms == 0 {
                return;
            }
            event_loop::sleep(Duration::from_millis(left_ms.min(CHECK_AGAIN_MS))).await;
        }
    }

    /// Whether it gets no requests, or hardly any, and a check can change that: of one that is ejected it cannot.
    fn is_out(&self) -> bool {
        self.with_known(|known| match known.state() {
            State::Up | State::Down | State::Draining => false,
            State::Unhealthy | State::Checking => true,
            State::Unavailable => known.has_failed(),
        })
    }
}

/// Tells of what checks have found.
struct Teller {
    logs: RefCell<Logs>,
    dates: RefCell<Dates>,
    random: RefCell<Random>,
    events: Events,
    wake: Box<dyn Fn() + Send>,
}

impl Teller {
    /// Tells of a change of a server's state: what is wrong with it, or that it is well.
    fn tell(&self, target: &Target, wrong: Option<&str>) {
        let Target { peer, snapshot, .. } = target;
        let upstream = target.upstream();
        let (uri, name, address) = (&target.rule().uri, &upstream.name, &upstream.addresses[*peer]);
        let of = format!("health check \"{uri}\" of peer {address} in upstream \"{name}\"");
        let (event, why, line) = match wrong {
            None => ("healthy", format!("{uri}: passed"), format!("peer is healthy, {of}")),
            Some(wrong) => ("unhealthy", format!("{uri}: {wrong}"), format!("peer is unhealthy: {wrong}, {of}")),
        };
        let at_ms = self.dates.borrow_mut().unix_ms();
        if let Ok(mut reasons) = upstream.reasons.lock() {
            reasons.insert(*peer, Reason { why: why.clone(), unix_ms: at_ms });
        }
        let server = upstream.group.peers()[*peer].settings().name.clone();
        self.events.send(Event { at_ms, event, upstream: name.clone(), server, why, count: 1 });
        let (dates, logs) = (&mut *self.dates.borrow_mut(), &mut *self.logs.borrow_mut());
        let append = |time: &str, out: &mut Vec<u8>| process_line(time, LogLevel::Warn, &line, out);
        let writer = |to: &_| snapshot.error_log(to);
        write_errors(&target.rule().error_logs, LogLevel::Warn, (dates, logs), writer, append);
        logs.flush();
    }
}
