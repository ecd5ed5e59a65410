//! A seeded simulation of servers that are not equally quick, in virtual time: what each way of choosing makes of them.
//!
//! A server works on so many requests at a time, and each takes it so long; what comes beyond that waits there.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::testing::{LEAST_CONN, LEAST_TIME, PEAK_EWMA, RANDOM_TWO, ROUND_ROBIN, peer};
use crate::{Attempts, Balancer, Group, Method, Outcome, PeerSettings, Time, Two};

const SEEDS: u64 = 4;
const LEAST_LAST_BYTE: Method = Method::LeastTime { time: Time::LastByte, inflight: true };
const TWO_LEAST_TIME: Method = Method::Random { two: Some(Two::LeastTime(Time::Header)) };
/// Those that look at times.
const TIMED: [Method; 4] = [LEAST_TIME, LEAST_LAST_BYTE, TWO_LEAST_TIME, PEAK_EWMA];

/// A server's speed.
#[derive(Clone, Copy)]
struct Speed {
    /// How long it works on a request, in microseconds.
    work_us: u64,
    /// How many times as long at first, and until when, in milliseconds.
    cold: (u64, u64),
    /// It is there from this time on.
    from_ms: u64,
    /// Requests that it works on at a time.
    workers: usize,
}

const QUICK: Speed = Speed { work_us: 10_000, cold: (1, 0), from_ms: 0, workers: 16 };

impl Speed {
    fn work_us(&self, now_us: u64, random: &mut u64) -> u64 {
        let (times, until_ms) = self.cold;
        let warm_us = until_ms * 1_000;
        let colder = if now_us < warm_us { (times - 1) * (warm_us - now_us) / warm_us } else { 0 };
        let mean_us = self.work_us * (1 + colder);
        mean_us / 2 + next(random) % mean_us
    }
}

struct Server {
    speed: Speed,
    /// Requests that it works on, and those that wait there.
    busy: usize,
    waiting: VecDeque<(u64, usize)>,
    answered: u64,
    /// Those of them that are looked at.
    counted: u64,
    /// The most that it had in flight before it had answered anything.
    most_unknown: u32,
}

impl Server {
    fn new(speed: Speed) -> Self {
        Self { speed, busy: 0, waiting: VecDeque::new(), answered: 0, counted: 0, most_unknown: 0 }
    }
}

/// What came of a run.
struct Run {
    servers: Vec<Server>,
    /// How long those took that are looked at.
    took_us: Vec<u64>,
}

impl Run {
    fn share(&self, server: usize) -> f64 {
        self.servers[server].counted as f64 / self.took_us.len() as f64
    }

    fn percentile_ms(&self, percent: usize) -> u64 {
        let mut sorted = self.took_us.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * percent / 100] / 1_000
    }
}

/// SplitMix64.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*random ^ *random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Requests on their way, over two threads.
struct World<'a> {
    random: u64,
    method: Method,
    speeds: &'a [Speed],
    group: Arc<Group>,
    threads: [Balancer; 2],
    /// When requests end: their server and when they came, and the thread.
    ends: BTreeMap<(u64, u64), (usize, u64, usize)>,
    begun: u64,
    /// Requests that came before are not looked at.
    from_us: u64,
    run: Run,
}

/// Sends so many requests a second, and looks at those that come from some time on.
fn run(seed: u64, method: Method, speeds: &[Speed], rate: u64, from_ms: u64, to_ms: u64) -> Run {
    let group = Arc::new(Group::new(settings(speeds, 0), method));
    let mut world = World {
        random: seed,
        method,
        speeds,
        threads: [Balancer::new(Arc::clone(&group)), Balancer::new(Arc::clone(&group))],
        group,
        ends: BTreeMap::new(),
        begun: 0,
        from_us: from_ms * 1_000,
        run: Run { servers: speeds.iter().map(|speed| Server::new(*speed)).collect(), took_us: Vec::new() },
    };
    let mut joins: Vec<u64> = speeds.iter().map(|speed| speed.from_ms * 1_000).filter(|us| *us > 0).collect();
    let mut now_us = 0;
    while now_us < to_ms * 1_000 {
        now_us += next(&mut world.random) % (2_000_000 / rate);
        world.end_until(now_us);
        if joins.pop_if(|us| *us <= now_us).is_some() {
            world.join(now_us / 1_000);
        }
        world.arrive(now_us);
    }
    world.run
}

/// The servers that are there at that time; the others are `down`.
fn settings(speeds: &[Speed], now_ms: u64) -> Vec<PeerSettings> {
    let of =
        |(index, speed): (usize, &Speed)| PeerSettings { down: speed.from_ms > now_ms, ..peer(&index.to_string()) };
    speeds.iter().enumerate().map(of).collect()
}

impl World<'_> {
    /// A server that was not there is there.
    fn join(&mut self, now_ms: u64) {
        let group = Arc::new(Group::new(settings(self.speeds, now_ms), self.method).knowing(&self.group, Some, now_ms));
        self.threads = [Balancer::new(Arc::clone(&group)), Balancer::new(Arc::clone(&group))];
        self.group = group;
    }

    fn arrive(&mut self, now_us: u64) {
        let mut attempts = Attempts::default();
        attempts.seed(next(&mut self.random));
        let thread = usize::from(next(&mut self.random).is_multiple_of(2));
        let index = self.threads[thread].pick(&mut attempts, b"", now_us / 1_000).unwrap();
        let server = &mut self.run.servers[index];
        if server.answered == 0 {
            server.most_unknown = server.most_unknown.max(self.group.peers()[index].in_flight());
        }
        if server.busy == server.speed.workers {
            server.waiting.push_back((now_us, thread));
        } else {
            self.begin(index, now_us, now_us, thread);
        }
    }

    fn begin(&mut self, index: usize, now_us: u64, came_us: u64, thread: usize) {
        let server = &mut self.run.servers[index];
        server.busy += 1;
        self.begun += 1;
        let end_us = now_us + server.speed.work_us(now_us, &mut self.random);
        self.ends.insert((end_us, self.begun), (index, came_us, thread));
    }

    fn end_until(&mut self, now_us: u64) {
        while let Some(first) = self.ends.first_entry().filter(|first| first.key().0 <= now_us) {
            let ((end_us, _), (index, came_us, thread)) = first.remove_entry();
            self.end(index, end_us, came_us, thread);
        }
    }

    fn end(&mut self, index: usize, end_us: u64, came_us: u64, thread: usize) {
        let (end_ms, came_ms) = (end_us / 1_000, came_us / 1_000);
        let known = &self.group.peers()[index];
        if let Some(measure) = self.group.measure() {
            known.answered(measure, end_ms - came_ms, end_ms);
            if measure.looks_at_waiting {
                known.end_wait(came_ms);
            }
        }
        self.threads[thread].release(index, Outcome::Success, end_ms);
        let server = &mut self.run.servers[index];
        server.answered += 1;
        server.busy -= 1;
        if came_us >= self.from_us {
            server.counted += 1;
            self.run.took_us.push(end_us - came_us);
        }
        if let Some((came_us, thread)) = server.waiting.pop_front() {
            self.begin(index, end_us, came_us, thread);
        }
    }
}

#[test]
fn a_slow_server_gets_what_fits_its_speed() {
    // One is ten times slower: of 21 requests it answers one while the others answer ten each.
    let speeds = [QUICK, QUICK, Speed { work_us: 100_000, ..QUICK }];
    for seed in 0..SEEDS {
        let plain = run(seed, RANDOM_TWO, &speeds, 1_000, 2_000, 12_000);
        let turns = run(seed, ROUND_ROBIN, &speeds, 1_000, 2_000, 12_000);
        for method in TIMED {
            let timed = run(seed, method, &speeds, 1_000, 2_000, 12_000);
            let share = timed.share(2);
            assert!(share > 0.0 && share < 0.12, "seed {seed}, {method:?}: {share}");
            let of = |run: &Run| (run.percentile_ms(95), run.percentile_ms(99));
            assert!(of(&timed).0 <= of(&plain).0, "seed {seed}, {method:?}: {:?}, {:?}", of(&timed), of(&plain));
            assert!(of(&timed).0 * 2 < of(&turns).0, "seed {seed}, {method:?}: {:?}, {:?}", of(&timed), of(&turns));
        }
    }
}

#[test]
fn equal_servers_get_equal_shares() {
    for method in TIMED {
        let run = run(7, method, &[QUICK; 4], 2_000, 1_000, 11_000);
        let shares: Vec<f64> = (0..4).map(|server| run.share(server)).collect();
        assert!(shares.iter().all(|share| (0.15..0.35).contains(share)), "{method:?}: {shares:?}");
    }
}

#[test]
fn a_warming_server_gets_what_it_can_bear() {
    // It comes when the others are busy, takes forty times as long at first, and can do as much as they can in the end.
    let cold = Speed { cold: (40, 30_000), from_ms: 5_000, workers: 8, ..QUICK };
    let speeds = [QUICK, QUICK, cold];
    for seed in 0..SEEDS {
        let plain = run(seed, LEAST_CONN, &speeds, 1_500, 5_000, 15_000);
        for method in TIMED {
            let early = run(seed, method, &speeds, 1_500, 5_000, 15_000);
            let (joined, share) = (&early.servers[2], early.share(2));
            assert!(joined.most_unknown <= 1, "seed {seed}, {method:?}: {} at once", joined.most_unknown);
            assert!(share > 0.0 && share < 0.15, "seed {seed}, {method:?}: {share}");
            assert!(early.percentile_ms(95) <= plain.percentile_ms(95), "seed {seed}, {method:?}");
            let late = run(seed, method, &speeds, 1_500, 40_000, 60_000);
            assert!(late.share(2) > 0.2, "seed {seed}, {method:?}: {} once it is warm", late.share(2));
        }
    }
}
