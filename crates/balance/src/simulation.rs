//! A seeded simulation of requests over servers that die and return, in virtual time: balancing and retrying together.
//!
//! Each seed makes its own group, rule and fate. A failure names its seed; `replay` runs that one alone.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashSet;
use std::sync::Arc;

use crate::testing::{HASH, IP_HASH, LEAST_CONN, LEAST_TIME, PEAK_EWMA, RANDOM, RANDOM_TWO, RING, ROUND_ROBIN, peer};
use crate::{
    Attempts, Balancer, Checks, Exchange, Failure, Group, Outcome, OutlierRule, PeerSettings, RetryBudget, RetryRule,
    RetryShare, State, StatusSet, Streak, Thresholds, Transition, Verdict,
};

const SEEDS: u64 = 256;
const STEPS: usize = 3_000;
/// Set to the seed of a failure to look at that one alone.
const REPLAY: Option<u64> = None;
/// Requests under way at once.
const MAX_OPEN: usize = 40;

#[test]
fn no_request_is_lost_while_a_server_can_take_it() {
    let seeds = REPLAY.map_or(0..SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.finish();
    }
}

/// Where every server fails, requests make no more attempts than the budget allows, whatever the rule says.
#[test]
fn retries_never_double_an_overload() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let share = RetryShare { percent: 1 + random.below(50) as u32, least: random.below(10) as u32 };
        let budget = RetryBudget::new(share);
        let peers = (0..2 + random.below(6)).map(|index| PeerSettings { max_fails: 0, ..peer(&index.to_string()) });
        let group = Arc::new(Group::new(peers.collect(), ROUND_ROBIN));
        let mut threads: Vec<_> = (0..3).map(|_| Balancer::new(Arc::clone(&group))).collect();
        let rule = RetryRule { tries: 0, timeout_ms: 0, ..rule(&mut random) };
        let exchange = Exchange { idempotent: true, replayable: true, anything_written: true, ..Exchange::default() };
        // All of it within the ten seconds that count.
        let (requests, mut attempts) = (1 + random.below(500) as u64, 0_u64);
        for number in 0..requests {
            let now_ms = number * 10_000 / requests;
            budget.count(now_ms);
            let (thread, mut tried, mut tries_left) = (random.below(3), Attempts::default(), group.tries());
            while let Some(peer) = threads[thread].pick(&mut tried, b"", now_ms) {
                (attempts, tries_left) = (attempts + 1, tries_left - 1);
                threads[thread].release(peer, Outcome::Failure, now_ms);
                let failure = Failure::Connect { timed_out: random.chance(50) };
                let (verdict, _) = rule.judge_within(Some(&budget), failure, &exchange, tries_left, (now_ms, now_ms));
                if verdict != Verdict::NextPeer {
                    break;
                }
            }
        }
        let most = requests + requests * u64::from(share.percent) / 100 + u64::from(share.least);
        assert!(attempts <= most, "seed {seed}: {attempts} attempts of {requests} requests, with {share:?}");
        let least = requests + u64::from(share.least).min(requests * (u64::from(group.tries()) - 1)) / 2;
        assert!(attempts >= least, "seed {seed}: {attempts} attempts of {requests} requests, with {share:?}");
    }
}

/// What a real server would be doing.
#[derive(Clone, Copy, PartialEq)]
enum Health {
    Alive,
    /// Connections are refused.
    Dead,
    /// Takes requests and never answers.
    Silent,
    /// Answers 503.
    Failing,
}

struct Open {
    attempts: Attempts,
    key: Vec<u8>,
    exchange: Exchange,
    thread: usize,
    peer: usize,
    tried: HashSet<usize>,
    tries_left: u32,
    started_ms: u64,
    /// How often any of it was sent.
    sent: u32,
}

struct World {
    seed: u64,
    random: Random,
    now_ms: u64,
    threads: Vec<Balancer>,
    group: Arc<Group>,
    rule: RetryRule,
    health: Vec<Health>,
    seen_down: HashSet<usize>,
    /// What checks have found of each server, and by how many results in a row.
    streaks: Vec<Streak>,
    thresholds: Thresholds,
    open: Vec<Open>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let all = [ROUND_ROBIN, HASH, RING, IP_HASH, LEAST_CONN, LEAST_TIME, RANDOM, RANDOM_TWO, PEAK_EWMA];
        let method = all[random.below(all.len())];
        let peers = if random.chance(5) { 130 + random.below(70) } else { 1 + random.below(6) };
        let settings: Vec<_> = (0..peers).map(|index| settings(index, &mut random)).collect();
        let rule = rule(&mut random);
        let group = Arc::new(Group::new(settings, method).ejecting(random.chance(30).then(|| outliers(&mut random))));
        let threads = (0..1 + random.below(3)).map(|_| Balancer::new(Arc::clone(&group))).collect();
        let health = vec![Health::Alive; peers];
        let count = |random: &mut Random| 1 + random.below(3) as u32;
        let (fails, passes, is_mandatory) = (count(&mut random), count(&mut random), random.chance(50));
        let thresholds = Thresholds { fails, passes, is_mandatory };
        let (streaks, seen_down) = (vec![Streak::of(None); peers], HashSet::new());
        Self { seed, random, now_ms: 1, threads, group, rule, health, seen_down, streaks, thresholds, open: Vec::new() }
    }

    fn step(&mut self) {
        self.now_ms += self.random.below(200) as u64;
        if self.random.chance(3) {
            let peer = self.random.below(self.health.len());
            self.health[peer] = [Health::Alive, Health::Dead, Health::Silent, Health::Failing][self.random.below(4)];
        }
        if self.random.chance(20) {
            let peer = self.random.below(self.health.len());
            self.check(peer);
        }
        self.group.judge_outliers(self.now_ms);
        if self.open.is_empty() || (self.open.len() < MAX_OPEN && self.random.chance(50)) {
            self.start();
        } else {
            let index = self.random.below(self.open.len());
            let request = self.open.swap_remove(index);
            self.attempt(request);
        }
    }

    fn start(&mut self) {
        let idempotent = self.random.chance(70);
        let mut attempts = Attempts::default();
        attempts.seed(self.random.below(usize::MAX) as u64);
        let request = Open {
            attempts,
            key: self.random.below(1000).to_string().into_bytes(),
            exchange: Exchange { idempotent, replayable: self.random.chance(90), ..Exchange::default() },
            thread: self.random.below(self.threads.len()),
            peer: 0,
            tried: HashSet::new(),
            tries_left: self.rule.tries_of(self.group.tries()),
            started_ms: self.now_ms,
            sent: 0,
        };
        self.pick(request);
    }

    /// Makes a check, where the server has any.
    fn check(&mut self, peer: usize) {
        let of_group = &self.group.peers()[peer];
        if of_group.settings().checks == Checks::None {
            return;
        }
        let passed = self.health[peer] == Health::Alive;
        of_group.count_check(passed);
        if let Some(is_well) = self.streaks[peer].add(passed, self.thresholds) {
            let (is_out, was_well) = (!of_group.may_be_tried(self.now_ms), of_group.found_well());
            let changed = of_group.set_well(is_well, self.now_ms);
            assert!(!changed || was_well != Some(is_well), "seed {}: no change was told", self.seed);
            if changed && is_well {
                // What requests have found before is over, and is no news when it is found again.
                self.seen_down.remove(&peer);
                assert!(is_out, "seed {}: a server came back that was there", self.seed);
            }
        }
    }

    /// Picks a server, holding the picker to what it promises.
    fn pick(&mut self, mut request: Open) {
        let seed = self.seed;
        let picked = self.threads[request.thread].pick(&mut request.attempts, &request.key, self.now_ms);
        let Some(peer) = picked else {
            let left =
                |peer: &usize| !request.tried.contains(peer) && may_be_tried(&self.group.peers()[*peer], self.now_ms);
            let left: Vec<_> = (0..self.group.peers().len()).filter(left).collect();
            assert!(left.is_empty(), "seed {seed}: a request was given up while {left:?} could take it");
            return;
        };
        let settings = self.group.peers()[peer].settings();
        assert!(!settings.down && !settings.drain, "seed {seed}: picked a server that is down or drains");
        let found = self.streaks[peer].verdict();
        let is_fit = match settings.checks {
            Checks::None => true,
            Checks::Watched => found != Some(false),
            Checks::Mandatory => found == Some(true),
        };
        assert!(is_fit, "seed {seed}: picked a server that checks keep requests from");
        assert!(request.tried.insert(peer), "seed {seed}: picked the same server twice");
        let in_flight = self.group.peers()[peer].in_flight();
        assert!(settings.max_conns == 0 || in_flight <= settings.max_conns, "seed {seed}: over max_conns");
        if settings.backup {
            let open = |(index, other): (usize, &crate::Peer)| {
                let is_open = !other.is_ejected() && may_be_tried(other, self.now_ms);
                !other.settings().backup && !request.tried.contains(&index) && is_open
            };
            let skipped = self.group.peers().iter().enumerate().any(open);
            // Once on the backups a request stays there, though a primary server may have come back meanwhile.
            assert!(!skipped || request.tried.len() > 1, "seed {seed}: a backup was picked before a primary");
        }
        request.peer = peer;
        request.tries_left -= 1;
        request.exchange = Exchange { reused: self.random.chance(60), fresh_retry_done: false, ..request.exchange };
        self.open.push(request);
    }

    /// The attempt ends: by success, by a failure that the rule judges, or because the client goes away.
    fn attempt(&mut self, mut request: Open) {
        if self.random.chance(3) {
            return self.release(&request, Outcome::Neutral);
        }
        let Some(failure) = self.exchange(&mut request) else {
            return self.release(&request, Outcome::Success);
        };
        assert!(
            request.sent <= 1 || request.exchange.idempotent || self.rule.non_idempotent,
            "seed {}: a request that may not be repeated was",
            self.seed
        );
        let verdict = self.rule.judge(failure, &request.exchange, request.tries_left, request.started_ms, self.now_ms);
        let outcome = self.rule.outcome(failure, &request.exchange, verdict);
        match verdict {
            Verdict::SamePeerFresh => {
                assert!(!request.exchange.fresh_retry_done, "seed {}: a second fresh connection", self.seed);
                request.exchange = Exchange { reused: false, fresh_retry_done: true, ..request.exchange };
                self.open.push(request);
            }
            Verdict::NextPeer => {
                self.release(&request, outcome);
                self.pick(request);
            }
            Verdict::Finish { .. } | Verdict::PassOn => {
                self.release(&request, outcome);
                self.check_lost(&request, failure);
            }
        }
    }

    /// Sends the request to its server as that server is now.
    fn exchange(&mut self, request: &mut Open) -> Option<Failure> {
        let health = self.health[request.peer];
        if request.exchange.reused && (health == Health::Dead || self.random.chance(10)) {
            let written = self.random.chance(50);
            request.exchange.anything_written |= written;
            request.sent += u32::from(written);
            return Some(Failure::Receive { timed_out: false });
        }
        if health == Health::Dead {
            return Some(Failure::Connect { timed_out: self.random.chance(20) });
        }
        request.exchange.anything_written = true;
        request.sent += 1;
        match health {
            Health::Alive | Health::Dead => None,
            Health::Silent => Some(Failure::Receive { timed_out: self.random.chance(50) }),
            Health::Failing => Some(Failure::Status(503)),
        }
    }

    /// A request that failed must have had no way on.
    fn check_lost(&self, request: &Open, failure: Failure) {
        let retried = match failure {
            Failure::Status(status) => self.rule.concerns(status),
            _ => true,
        };
        let exchange = &request.exchange;
        let repeatable =
            !exchange.anything_written || (exchange.replayable && (exchange.idempotent || self.rule.non_idempotent));
        let in_time = self.rule.timeout_ms == 0 || self.now_ms - request.started_ms < self.rule.timeout_ms;
        let has_way_on = retried && repeatable && in_time && request.tries_left > 0;
        assert!(!has_way_on, "seed {}: lost after {failure:?} with {} tries left", self.seed, request.tries_left);
    }

    fn release(&mut self, request: &Open, outcome: Outcome) {
        let peer = &self.group.peers()[request.peer];
        match outcome {
            Outcome::Success => peer.count_answer(self.now_ms - request.started_ms),
            Outcome::Failure => peer.count_error(),
            Outcome::Neutral => peer.count_cut(),
        }
        if let Some(measure) = self.group.measure() {
            let took_ms = self.now_ms - request.started_ms;
            match outcome {
                Outcome::Success => peer.answered(measure, took_ms, self.now_ms),
                _ => peer.failed(measure, took_ms, self.now_ms),
            }
        }
        let transition = self.threads[request.thread].release(request.peer, outcome, self.now_ms);
        let expected = match transition {
            Some(Transition::Down { peer }) => self.seen_down.insert(peer),
            Some(Transition::Up { peer }) => self.seen_down.remove(&peer),
            None => true,
        };
        assert!(expected, "seed {}: {transition:?} was reported twice in a row", self.seed);
    }

    /// All servers return: everything under way ends, no count is left over, and each server comes up again.
    fn finish(&mut self) {
        self.health.fill(Health::Alive);
        for peer in 0..self.health.len() {
            (0..self.thresholds.passes).for_each(|_| self.check(peer));
        }
        while let Some(request) = self.open.pop() {
            self.release(&request, Outcome::Success);
        }
        let busy = self.group.peers().iter().any(|peer| peer.in_flight() > 0);
        assert!(!busy, "seed {}: requests in flight that are none", self.seed);
        // By chance or by address it takes longer until every server has had a request.
        let by_chance = !matches!(self.group.method(), ROUND_ROBIN | HASH | RING | LEAST_CONN);
        let rounds = if by_chance { 40 } else { 4 } * self.group.peers().len();
        for _ in 0..rounds {
            self.now_ms += 100_000;
            self.group.judge_outliers(self.now_ms);
            let (seed, address) = (self.random.next(), self.random.next().to_le_bytes());
            for thread in &mut self.threads {
                let mut attempts = Attempts::default();
                attempts.seed(seed);
                let key: &[u8] = if by_chance { &address[..3] } else { b"" };
                if let Some(peer) = thread.pick(&mut attempts, key, self.now_ms) {
                    thread.release(peer, Outcome::Success, self.now_ms);
                }
            }
        }
        let heavy = self.group.peers().iter().any(|peer| peer.settings().weight > 1);
        let unavailable = |peer: &crate::Peer| {
            let is_out = !matches!(peer.state(), State::Up | State::Down | State::Draining);
            !peer.settings().backup && is_out
        };
        let some_left = self.group.peers().iter().any(unavailable);
        assert!(heavy || !some_left, "seed {}: a server that answers again is not used again", self.seed);
    }
}

fn may_be_tried(peer: &crate::Peer, now_ms: u64) -> bool {
    !peer.settings().drain && peer.may_be_tried(now_ms)
}

fn settings(index: usize, random: &mut Random) -> PeerSettings {
    PeerSettings {
        weight: if random.chance(30) { 1 + random.below(5) as u32 } else { 1 },
        max_conns: if random.chance(20) { 1 + random.below(5) as u32 } else { 0 },
        max_fails: random.below(4) as u32,
        fail_timeout_ms: [0, 1000, 10_000][random.below(3)],
        backup: random.chance(20),
        down: random.chance(10),
        checks: [Checks::None, Checks::None, Checks::Watched, Checks::Mandatory][random.below(4)],
        drain: random.chance(10),
        slow_start_ms: [0, 0, 5_000][random.below(3)],
        ..peer(&format!("10.0.{}.{}:9080", index / 250, index % 250))
    }
}

fn outliers(random: &mut Random) -> OutlierRule {
    OutlierRule {
        errors_percent: random.chance(70).then(|| 1 + random.below(100) as u32),
        latency_times: random.chance(70).then(|| 2 + random.below(3) as u32),
        min_requests: 1 + random.below(20) as u32,
        interval_ms: [1_000, 10_000][random.below(2)],
        time_ms: 1_000 + random.below(20_000) as u64,
        max_time_ms: 50_000,
    }
}

fn rule(random: &mut Random) -> RetryRule {
    RetryRule {
        error: true,
        timeout: true,
        invalid_header: true,
        non_idempotent: random.chance(20),
        statuses: if random.chance(50) { StatusSet::new(&[503]) } else { StatusSet::default() },
        tries: random.below(4) as u32,
        timeout_ms: [0, 0, 5_000][random.below(3)],
    }
}

/// SplitMix64: a few lines, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
