//! A seed's servers, retry rule and pool.

use balance::{Checks, Group, Method, PeerSettings, RetryBudget, RetryRule, RetryShare, StatusSet};
use conf::span::Place;
use conf::tree::{PeerAddress, UpstreamServer};
use route::UpstreamRule;

use super::random::Random;

pub(super) fn group(random: &mut Random) -> Group {
    let hash = |consistent| Method::Hash { consistent };
    let method = random.one_of(&[Method::RoundRobin, hash(false), hash(true), Method::LeastConn]);
    let peers = 1 + random.below(6);
    Group::new((0..peers).map(|index| peer(index, random)).collect(), method)
}

fn peer(index: u64, random: &mut Random) -> PeerSettings {
    PeerSettings {
        name: format!("10.0.0.{index}:9080"),
        weight: if random.chance(30) { 1 + random.below(5) as u32 } else { 1 },
        max_conns: if random.chance(20) { 1 + random.below(5) as u32 } else { 0 },
        max_fails: random.below(4) as u32,
        fail_timeout_ms: random.one_of(&[0, 1_000, 10_000]),
        backup: index > 0 && random.chance(15),
        down: random.chance(5),
        drain: false,
        slow_start_ms: random.one_of(&[0, 0, 5_000]),
        route: String::new(),
        checks: random.one_of(&[Checks::None, Checks::None, Checks::Watched, Checks::Mandatory]),
    }
}

pub(super) fn rule(random: &mut Random) -> RetryRule {
    RetryRule {
        error: random.chance(90),
        timeout: random.chance(80),
        invalid_header: random.chance(50),
        non_idempotent: random.chance(20),
        statuses: if random.chance(50) { StatusSet::new(&[503]) } else { StatusSet::default() },
        tries: random.below(4) as u32,
        timeout_ms: random.one_of(&[0, 0, 5_000]),
    }
}

pub(super) fn budget(random: &mut Random) -> Option<RetryBudget> {
    let share = RetryShare { percent: random.one_of(&[1, 20, 100]), least: random.one_of(&[0, 3]) };
    random.chance(30).then(|| RetryBudget::new(share))
}

/// What a pool keeps, as `keepalive` and its companions say.
#[derive(Debug)]
pub(super) struct PoolLimits {
    pub(super) keepalive: usize,
    pub(super) timeout_ms: u64,
    pub(super) requests: u64,
    time_ms: u64,
}

impl PoolLimits {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            keepalive: random.one_of(&[0, 1, 4, 32]),
            timeout_ms: random.one_of(&[100, 5_000, 60_000]),
            requests: random.one_of(&[1, 20, 1_000]),
            time_ms: random.one_of(&[2_000, 3_600_000]),
        }
    }

    pub(super) fn rule(&self, peers: usize) -> UpstreamRule {
        let address = PeerAddress::Ip(([127, 0, 0, 1], 9080).into());
        let server = UpstreamServer::new("", address, Place::default());
        UpstreamRule {
            name: "app".to_owned(),
            key: "app".to_owned(),
            declared: true,
            algorithm: route::Algorithm::RoundRobin,
            sticky: None,
            servers: vec![server; peers],
            resolved: Vec::new(),
            keepalive: u32::try_from(self.keepalive).unwrap(),
            keepalive_timeout_ms: self.timeout_ms,
            keepalive_requests: self.requests,
            keepalive_time_ms: self.time_ms,
            queue: None,
            retry_budget: None,
            outlier_ejection: None,
            is_checked: false,
            is_checked_first: false,
            zone: conf::tree::Zone::default(),
        }
    }
}
