//! The simulated world: events in the order of their times, requests on their way, and what must hold at each step.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use balance::{
    Attempts, Balancer, Exchange as Known, Failure, Group, Outcome, RetryBudget, RetryRule, State, Transition, Verdict,
};

use super::make;
use super::random::Random;
use super::request::{Request, is_race, is_repeatable, may_go_on};
use super::servers::{Closed, End, Health, Server, Wire};
use crate::limits::{FRESH_ENOUGH_MS, POOL_BURST};
use crate::upstream::course::{Course, Judged, idle_limit_ms};
use crate::upstream::pool::{Link, Pool};
use crate::upstream::way::Way;

const CONNECT_TIMEOUT_MS: u64 = 1_000;
const READ_TIMEOUT_MS: u64 = 3_000;
/// How often a thread sweeps its pool.
const SWEEP_MS: u64 = 250;
/// How long servers fail and come back, in virtual time.
const TROUBLE_MS: u64 = 20_000;
/// Far more events than any seed has: what goes on beyond them goes round in circles.
const EVENTS_MAX: u64 = 100_000;
/// Requests after all is well again, so that each server has its turn, and the time between two of them.
const LAST_REQUESTS: u64 = 300;
const LAST_PAUSE_MS: u64 = 5;

/// What happens at some time. What concerns one stage of a request's attempt is void when that stage is over.
#[derive(Debug)]
pub(super) enum Event {
    Arrival,
    Fault,
    Sweep,
    /// All servers are checked.
    Check,
    /// A request for a connection reaches its server.
    Knock(Stage),
    Connected(Stage),
    /// A request reaches its server, whatever the balancer thinks of it by now.
    Delivered(Stage, Rc<Wire>),
    Answered(Stage, Answer),
    Failed(Stage, Failure),
    ClientGone(u64),
    /// A server looks whether a connection was idle since so many requests.
    Idle(Rc<Wire>, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    request: u64,
    number: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    status: u16,
    closes: bool,
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    answered: u64,
    reused: u64,
    races: u64,
    elsewhere: u64,
    lost: u64,
    gone: u64,
    without_server: u64,
    downs: u64,
    ups: u64,
    /// Requests that left a server which checks had found not well.
    pub(super) moved: u64,
    /// Retries that the budget did not allow.
    denied: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.reused += other.reused;
        self.races += other.races;
        self.elsewhere += other.elsewhere;
        self.lost += other.lost;
        self.gone += other.gone;
        self.without_server += other.without_server;
        self.downs += other.downs;
        self.ups += other.ups;
        self.moved += other.moved;
        self.denied += other.denied;
    }

    /// Whether each kind of event came often enough to have been put to the test.
    pub(super) fn shows_everything(&self) -> bool {
        let trouble = [self.lost, self.gone, self.without_server, self.downs, self.ups];
        let mut rare = trouble.into_iter().chain([self.races, self.elsewhere, self.moved, self.denied]);
        self.answered > 1_000 && self.reused > 1_000 && rare.all(|count| count > 100)
    }
}

/// One thread's own.
struct Thread {
    balancer: Balancer,
    pool: Pool<End>,
}

pub(super) struct World {
    random: Random,
    clock: Rc<Cell<u64>>,
    /// How long anything is on its way between balancer and servers.
    delay_ms: u64,
    /// Between two requests, at most.
    pause_ms: u64,
    /// By time, then in the order of their making.
    events: BTreeMap<(u64, u64), Event>,
    made: u64,
    pub(super) group: Arc<Group>,
    threads: Vec<Thread>,
    pool: make::PoolLimits,
    rule: RetryRule,
    pub(super) budget: Option<RetryBudget>,
    /// When requests came, and when they went to another server.
    pub(super) came_ms: Vec<u64>,
    pub(super) retried_ms: Vec<u64>,
    pub(super) servers: Vec<Server>,
    pub(super) requests: HashMap<u64, Request>,
    started: u64,
    /// How many requests hold each server.
    held: Vec<u32>,
    /// Requests that must not be repeated and have reached a server.
    done: HashMap<u64, u32>,
    /// Answers by server.
    served: Vec<u64>,
    is_calm: bool,
    pub(super) tally: Tally,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let group = Arc::new(make::group(&mut random));
        let peers = group.peers().len();
        let pool = make::PoolLimits::new(&mut random);
        let thread =
            || Thread { balancer: Balancer::new(Arc::clone(&group)), pool: Pool::new(&pool.rule(peers), peers) };
        Self {
            clock: Rc::new(Cell::new(1)),
            delay_ms: random.one_of(&[1, 4, 40]),
            pause_ms: random.one_of(&[40, 120, 1_200]),
            events: BTreeMap::new(),
            made: 0,
            threads: (0..1 + random.below(3)).map(|_| thread()).collect(),
            rule: make::rule(&mut random),
            budget: make::budget(&mut random),
            came_ms: Vec::new(),
            retried_ms: Vec::new(),
            servers: (0..peers).map(|_| Server::new(&mut random)).collect(),
            requests: HashMap::new(),
            started: 0,
            held: vec![0; peers],
            done: HashMap::new(),
            served: vec![0; peers],
            is_calm: false,
            tally: Tally::default(),
            random,
            group,
            pool,
        }
    }

    pub(super) fn run(mut self) -> Tally {
        self.after(0, Event::Check);
        self.after(0, Event::Arrival);
        self.after(0, Event::Fault);
        self.after(SWEEP_MS, Event::Sweep);
        self.go_on();
        self.check_empty();
        self.calm();
        self.check_empty();
        self.tally
    }

    /// All servers are well: once `fail_timeout` has passed, each that may serves again, and nothing more is lost.
    fn calm(&mut self) {
        self.is_calm = true;
        self.servers.iter_mut().for_each(Server::heal);
        let fail_timeout_ms = self.group.peers().iter().map(|peer| peer.settings().fail_timeout_ms).max();
        let start_ms = self.now() + fail_timeout_ms.unwrap_or(0) + 1;
        self.clock.set(start_ms);
        self.check();
        let before = self.served.clone();
        for number in 0..LAST_REQUESTS {
            self.after(number * LAST_PAUSE_MS, Event::Arrival);
        }
        self.go_on();
        for (index, peer) in self.group.peers().iter().enumerate() {
            let may_serve = !peer.settings().down && !peer.settings().backup;
            let has_served = self.served[index] > before[index] && peer.state() == State::Up;
            assert!(!may_serve || has_served, "server {index} is well and not used again: {peer:?}");
        }
    }

    /// Nothing is under way, so nothing may be held.
    fn check_empty(&self) {
        assert!(self.requests.is_empty(), "requests that never end: {:?}", self.requests.keys());
        assert!(self.held.iter().all(|held| *held == 0), "servers still held: {:?}", self.held);
        assert!(self.group.peers().iter().all(|peer| peer.in_flight() == 0), "in flight for ever: {:?}", self.group);
    }

    fn go_on(&mut self) {
        while let Some(((now_ms, _), event)) = self.events.pop_first() {
            assert!(self.made < EVENTS_MAX, "no end of events: {event:?}");
            self.clock.set(now_ms);
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrival(),
            Event::Fault => self.fault(),
            Event::Sweep => self.sweep(),
            Event::Check => self.check(),
            Event::Knock(stage) if self.is_current(stage) => self.knock(stage),
            Event::Connected(stage) if self.is_current(stage) => self.connected(stage),
            Event::Delivered(stage, wire) => self.delivered(stage, &wire),
            Event::Answered(stage, answer) if self.is_current(stage) => self.answered(stage.request, answer),
            Event::Failed(stage, failure) if self.is_current(stage) => self.failed(stage.request, failure),
            Event::ClientGone(request) => self.client_gone(request),
            Event::Idle(wire, used) if wire.used.get() == used => wire.close(self.now(), Closed::ForIdleness),
            _ => {}
        }
    }

    fn arrival(&mut self) {
        let number = self.started;
        self.started += 1;
        let request = Request {
            course: Course::new(self.rule, self.group.tries(), self.now()),
            attempts: Attempts::default(),
            key: self.random.below(1_000).to_string().into_bytes(),
            is_idempotent: self.random.chance(70),
            is_replayable: self.random.chance(90),
            thread: self.random.below(self.threads.len() as u64) as usize,
            peer: 0,
            known: Known::default(),
            link: None,
            stage: 0,
            has_raced: false,
            picks: 0,
            started_ms: self.now(),
        };
        self.requests.insert(number, request);
        self.count_request();
        if !self.is_calm {
            let (pause_ms, patience_ms) = (self.random.below(self.pause_ms), self.random.below(READ_TIMEOUT_MS));
            if self.random.chance(3) {
                self.after(patience_ms, Event::ClientGone(number));
            }
            if self.now() < TROUBLE_MS {
                self.after(pause_ms, Event::Arrival);
            }
        }
        self.pick(number);
    }

    fn fault(&mut self) {
        let index = self.random.below(self.servers.len() as u64) as usize;
        let health = if self.random.chance(45) { Health::Alive } else { self.random.one_of(&Health::ALL) };
        let now_ms = self.now();
        self.servers[index].turn(health, now_ms);
        if now_ms < TROUBLE_MS {
            let pause_ms = self.random.below(2_000);
            self.after(pause_ms, Event::Fault);
        }
    }

    fn sweep(&mut self) {
        let now_ms = self.now();
        for thread in &mut self.threads {
            thread.pool.sweep(now_ms);
        }
        if self.goes_on() {
            self.after(SWEEP_MS, Event::Sweep);
        }
    }

    pub(super) fn goes_on(&self) -> bool {
        !self.requests.is_empty() || self.now() < TROUBLE_MS
    }

    /// Picks a server for the request's next attempt, or gives it up.
    fn pick(&mut self, number: u64) {
        let now_ms = self.now();
        let request = self.requests.get_mut(&number).unwrap();
        let thread = &mut self.threads[request.thread];
        let picked = thread.balancer.pick(&mut request.attempts, &request.key, now_ms);
        request.course.picked();
        let Some(peer) = picked else {
            let request = self.end(number);
            self.tally.without_server += 1;
            return self.check_nobody_left(&request);
        };
        request.picks += 1;
        (request.peer, request.has_raced) = (peer, false);
        assert!(request.picks <= self.rule.tries_of(self.group.tries()), "request {number} was tried too often");
        self.held[peer] += 1;
        let peer_now = &self.group.peers()[peer];
        let max_conns = peer_now.settings().max_conns;
        assert!(!peer_now.settings().down, "server {peer} is marked down and picked");
        let is_out = matches!(peer_now.state(), State::Unhealthy | State::Checking);
        assert!(!is_out, "server {peer} is kept out by checks and picked");
        assert!(max_conns == 0 || self.held[peer] <= max_conns, "server {peer} has more than max_conns {max_conns}");
        assert!(max_conns == 0 || self.held[peer] == peer_now.in_flight(), "server {peer} counts wrongly");
        self.attempt(number);
    }

    /// A request is given up for want of servers only if there is none that is up, not full, and new to it.
    fn check_nobody_left(&self, request: &Request) {
        let left = self.group.peers().iter().enumerate().find(|(index, peer)| {
            let max_conns = peer.settings().max_conns;
            let is_full = max_conns > 0 && self.held[*index] >= max_conns;
            peer.state() == State::Up && !is_full && !request.attempts.has_tried(*index)
        });
        assert!(left.is_none(), "a request was given up while {left:?} could take it");
    }

    /// Sends the request over a kept connection, or asks for a new one.
    fn attempt(&mut self, number: u64) {
        let now_ms = self.now();
        let request = self.requests.get_mut(&number).unwrap();
        let (peer, is_idempotent) = (request.peer, request.is_idempotent);
        let is_fresh = request.course.wants_fresh();
        let limit_ms = idle_limit_ms(is_idempotent);
        let pool = &mut self.threads[request.thread].pool;
        let pooled = if is_fresh { None } else { pool.take(peer, &Way::default(), limit_ms, now_ms) };
        request.known = Known {
            reused: pooled.is_some(),
            idempotent: is_idempotent,
            replayable: request.is_replayable,
            fresh_retry_done: is_fresh,
            ..Known::default()
        };
        let Some(link) = pooled else {
            let stage = self.next_stage(number);
            self.after(self.delay_ms, Event::Knock(stage));
            return self.after(CONNECT_TIMEOUT_MS, Event::Failed(stage, Failure::Connect { timed_out: true }));
        };
        let wire = &link.stream.0;
        let idle_ms = now_ms - wire.given_ms.get();
        assert!(wire.peer == peer && !wire.is_seen_closed(), "a connection that is not to be used: {wire:?}");
        assert!(idle_ms < limit_ms.min(self.pool.timeout_ms), "a connection idle for {idle_ms} ms was used");
        assert!(link.requests < self.pool.requests, "a connection was used too often");
        assert!(!request.has_raced, "a kept connection was used after another had been closed");
        self.tally.reused += 1;
        self.send(number, link);
    }

    fn knock(&mut self, stage: Stage) {
        match self.servers[self.requests[&stage.request].peer].health {
            Health::Unreachable => {}
            Health::Dead => {
                self.after(self.delay_ms, Event::Failed(stage, Failure::Connect { timed_out: false }));
            }
            _ => self.after(self.delay_ms, Event::Connected(stage)),
        }
    }

    fn connected(&mut self, stage: Stage) {
        let peer = self.requests[&stage.request].peer;
        let wire = Rc::new(Wire::new(peer, self.delay_ms, &self.clock));
        let now_ms = self.now();
        self.servers[peer].accept(&wire, now_ms);
        let link = Box::new(Link::new(End(wire), now_ms));
        self.send(stage.request, link);
    }

    fn send(&mut self, number: u64, link: Box<Link<End>>) {
        let stage = self.next_stage(number);
        let wire = Rc::clone(&link.stream.0);
        wire.is_busy.set(true);
        let request = self.requests.get_mut(&number).unwrap();
        request.known.anything_written = true;
        request.link = Some(link);
        self.after(self.delay_ms, Event::Delivered(stage, wire));
        self.after(READ_TIMEOUT_MS, Event::Failed(stage, Failure::Receive { timed_out: true }));
    }

    /// What the server makes of a request that has come.
    fn delivered(&mut self, stage: Stage, wire: &Wire) {
        wire.used.set(wire.used.get() + 1);
        let (now_ms, delay_ms) = (self.now(), self.delay_ms);
        let broken = if self.random.chance(50) {
            Failure::Receive { timed_out: false }
        } else {
            Failure::Send { timed_out: false }
        };
        if let Some(why) = wire.closed() {
            self.check_race(stage, wire.peer, why);
            return self.after(delay_ms, Event::Failed(stage, broken));
        }
        let health = self.servers[wire.peer].health;
        if health == Health::Unreachable {
            return;
        }
        self.do_once(stage.request);
        let server = &self.servers[wire.peer];
        let is_late = self.random.chance(server.late_percent);
        let latency_ms = self.random.below(server.latency_ms) + if is_late { READ_TIMEOUT_MS } else { 0 };
        let closes = self.random.chance(server.closing_percent);
        match health {
            Health::Cutting => {
                wire.close(now_ms, Closed::AtWill);
                self.after(delay_ms, Event::Failed(stage, Failure::Receive { timed_out: false }));
            }
            Health::Babbling => self.after(delay_ms, Event::Failed(stage, Failure::InvalidHeader)),
            Health::Hanging | Health::Dead | Health::Unreachable => {}
            Health::Alive | Health::Failing => {
                let status = if health == Health::Alive { 200 } else { 503 };
                self.after(latency_ms + delay_ms, Event::Answered(stage, Answer { status, closes }));
            }
        }
    }

    /// A request that must not be repeated meets no server that closes for idleness: it was in use a moment ago.
    fn check_race(&self, stage: Stage, peer: usize, why: Closed) {
        let Some(request) = self.requests.get(&stage.request).filter(|_| self.is_current(stage)) else { return };
        let is_patient = self.servers[peer].idle_ms > FRESH_ENOUGH_MS + 2 * self.delay_ms;
        let is_at_risk = !request.is_idempotent && why == Closed::ForIdleness;
        assert!(!(is_at_risk && is_patient), "a POST met server {peer} closing for idleness");
    }

    /// A server has the request. One that must not be repeated may get there once only.
    fn do_once(&mut self, number: u64) {
        // Of a request that the balancer has given up meanwhile this is the first arrival there can be, or was noted.
        let is_protected = self.requests.get(&number).is_some_and(|request| !request.is_idempotent);
        if is_protected && !self.rule.non_idempotent {
            let times = self.done.entry(number).or_default();
            *times += 1;
            assert!(*times == 1, "request {number} must not be repeated and was");
        }
    }

    fn answered(&mut self, number: u64, answer: Answer) {
        let request = self.requests.get_mut(&number).unwrap();
        let wire = Rc::clone(&request.link.as_ref().unwrap().stream.0);
        if wire.closed() == Some(Closed::ByDeath) {
            // It died before it could answer.
            return self.failed(number, Failure::Receive { timed_out: false });
        }
        request.known.any_answer_byte = true;
        if request.course.concerns(answer.status) {
            return self.failed(number, Failure::Status(answer.status));
        }
        self.succeed(number, answer);
    }

    fn succeed(&mut self, number: u64, answer: Answer) {
        let now_ms = self.now();
        let mut request = self.end(number);
        self.release(&request, Outcome::Success);
        self.tally.answered += 1;
        self.served[request.peer] += u64::from(answer.status == 200);
        let mut link = request.link.take().unwrap();
        let wire = Rc::clone(&link.stream.0);
        wire.is_busy.set(false);
        if answer.closes {
            return wire.close(now_ms, Closed::AtWill);
        }
        link.requests += 1;
        wire.given_ms.set(now_ms);
        let pool = &mut self.threads[request.thread].pool;
        pool.give(request.peer, link, now_ms);
        assert!(pool.len() <= self.pool.keepalive * POOL_BURST, "{} connections are kept", pool.len());
        let idle_ms = self.servers[request.peer].idle_ms;
        let used = wire.used.get();
        self.after(idle_ms - self.delay_ms, Event::Idle(wire, used));
    }

    /// An attempt failed: the rule says what now, and what it says is held against the rule read anew.
    pub(super) fn failed(&mut self, number: u64, failure: Failure) {
        let now_ms = self.now();
        let tries = self.rule.tries_of(self.group.tries());
        let request = self.requests.get_mut(&number).unwrap();
        request.known.any_answer_byte |= failure == Failure::InvalidHeader;
        let races = is_race(request, failure) && is_repeatable(&self.rule, request) && !request.has_raced;
        let may_go_on = may_go_on(&self.rule, request, failure, tries, now_ms);
        let Judged { verdict, outcome, is_denied } =
            request.course.judge(failure, request.known, self.budget.as_ref(), now_ms);
        assert!(!is_denied || may_go_on, "a retry was denied that was none");
        let may_go_on = may_go_on && !is_denied;
        self.tally.denied += u64::from(is_denied);
        if verdict == Verdict::PassOn {
            assert!(!races && !may_go_on && failure == Failure::Status(503), "{failure:?} was passed on");
            return self.succeed(number, Answer { status: 503, closes: true });
        }
        if let Some(link) = request.link.take() {
            link.stream.0.close(now_ms, Closed::AtWill);
        }
        match verdict {
            Verdict::SamePeerFresh => {
                assert!(races, "{failure:?} led to a fresh connection");
                request.has_raced = true;
                self.tally.races += 1;
                self.attempt(number);
            }
            Verdict::NextPeer => {
                assert!(!races && may_go_on, "{failure:?} led to the next server");
                self.tally.elsewhere += 1;
                self.check_budget();
                let request = self.requests.remove(&number).unwrap();
                self.release(&request, outcome);
                self.requests.insert(number, request);
                self.pick(number);
            }
            Verdict::Finish { .. } | Verdict::PassOn => {
                assert!(!races && !may_go_on, "a request was lost to {failure:?} that had a way on");
                let request = self.end(number);
                self.release(&request, outcome);
                self.tally.lost += 1;
                let is_at_risk = !is_repeatable(&self.rule, &request);
                assert!(!self.is_calm || is_at_risk, "a request was lost to {failure:?} while all servers were well");
            }
        }
    }

    fn client_gone(&mut self, number: u64) {
        if !self.requests.contains_key(&number) {
            return;
        }
        let mut request = self.end(number);
        self.release(&request, Outcome::Neutral);
        if let Some(link) = request.link.take() {
            link.stream.0.close(self.now(), Closed::AtWill);
        }
        self.tally.gone += 1;
    }

    fn release(&mut self, request: &Request, outcome: Outcome) {
        let now_ms = self.now();
        self.held[request.peer] -= 1;
        match self.threads[request.thread].balancer.release(request.peer, outcome, now_ms) {
            Some(Transition::Down { .. }) => self.tally.downs += 1,
            Some(Transition::Up { .. }) => self.tally.ups += 1,
            None => {}
        }
    }

    /// The request is over; no attempt can have lasted longer than its time-outs.
    fn end(&mut self, number: u64) -> Request {
        let request = self.requests.remove(&number).unwrap();
        let lasted_ms = self.now() - request.started_ms;
        // A server may be asked twice: over a kept connection, then over a fresh one.
        let longest_ms = u64::from(request.picks) * (CONNECT_TIMEOUT_MS + 2 * READ_TIMEOUT_MS);
        assert!(lasted_ms <= longest_ms, "request {number} lasted {lasted_ms} ms over {} servers", request.picks);
        request
    }

    fn next_stage(&mut self, number: u64) -> Stage {
        let request = self.requests.get_mut(&number).unwrap();
        request.stage += 1;
        Stage { request: number, number: request.stage }
    }

    fn is_current(&self, stage: Stage) -> bool {
        self.requests.get(&stage.request).is_some_and(|request| request.stage == stage.number)
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.get()
    }

    pub(super) fn after(&mut self, wait_ms: u64, event: Event) {
        self.made += 1;
        self.events.insert((self.now() + wait_ms, self.made), event);
    }
}
