//! What the balancer has to say of itself, summed over its threads when somebody asks.

use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use balance::State;

use crate::snapshot::UpstreamSnapshot;
use crate::worker::Shared;

/// The balancer at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The process.
    pub pid: u32,
    /// Since it started serving.
    pub uptime_ms: u64,
    /// Client connections open now.
    pub connections: u64,
    /// Client connections accepted.
    pub accepted: u64,
    /// Requests received.
    pub requests: u64,
    /// Attempts that were followed by another one.
    pub retries: u64,
    /// Log lines lost because the disk did not keep up.
    pub log_lines_lost: u64,
    /// The upstreams.
    pub upstreams: Vec<UpstreamStatus>,
}

/// One upstream.
#[derive(Debug, Clone, Serialize)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: String,
    /// Requests whose session named a server that is none of these: they went by the algorithm.
    pub strays: u64,
    /// Its servers, in the order written.
    pub servers: Vec<ServerStatus>,
}

/// One upstream server.
#[derive(Debug, Clone, Serialize)]
pub struct ServerStatus {
    /// As written in the configuration.
    pub name: String,
    /// `up`, `down` or `draining` (by configuration), `unavailable` (it failed `max_fails` times), `unhealthy` (checks
    /// have found it so) or `checking` (the first check that it has to pass is under way).
    pub state: &'static str,
    /// When the state last changed, in milliseconds since 1970; the start of serving when it never did.
    pub since_ms: u64,
    /// Why it changed.
    pub why: String,
    /// Attempts made at it.
    pub requests: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Attempts at it that were followed by another one.
    pub retries: u64,
    /// Requests it is working on.
    pub in_flight: u64,
}

impl Status {
    pub(crate) fn of(shared: &Shared, now_ms: u64) -> Self {
        let sum = |value: fn(&crate::counters::ThreadCounters) -> u64| shared.threads.iter().map(|t| value(t)).sum();
        let upstreams: Vec<_> =
            shared.snapshot().upstreams.iter().map(|upstream| of_upstream(upstream, shared)).collect();
        let servers = upstreams.iter().flat_map(|upstream: &UpstreamStatus| &upstream.servers);
        Self {
            pid: std::process::id(),
            uptime_ms: now_ms.saturating_sub(shared.started_ms),
            connections: sum(|thread| thread.active.get()),
            accepted: sum(|thread| thread.accepted.get()),
            requests: sum(|thread| thread.requests.get()),
            retries: servers.map(|server| server.retries).sum(),
            log_lines_lost: sum(|thread| thread.log_lines_lost.get()),
            upstreams,
        }
    }
}

fn of_upstream(upstream: &UpstreamSnapshot, shared: &Shared) -> UpstreamStatus {
    let reasons = upstream.reasons.lock().map(|reasons| reasons.clone()).unwrap_or_default();
    let servers = upstream.group.peers().iter().enumerate().map(|(index, peer)| {
        let sum = |value: fn(&crate::counters::PeerCounters) -> u64| {
            upstream.counters.iter().map(|thread| value(&thread[index])).fold(0_u64, u64::wrapping_add)
        };
        let reason = reasons.get(&index);
        ServerStatus {
            name: peer.settings().name.clone(),
            state: match peer.state() {
                State::Up => "up",
                State::Down => "down",
                State::Draining => "draining",
                State::Unavailable => "unavailable",
                State::Unhealthy => "unhealthy",
                State::Checking => "checking",
            },
            since_ms: reason.map_or(shared.started_unix_ms, |reason| reason.unix_ms),
            why: reason.map(|reason| reason.why.clone()).unwrap_or_default(),
            requests: sum(|counters| counters.requests.get()),
            failures: sum(|counters| counters.failures.get()),
            retries: sum(|counters| counters.retries.get()),
            in_flight: sum(|counters| counters.in_flight.get()),
        }
    });
    let strays = upstream.strays.load(Relaxed);
    UpstreamStatus { name: upstream.name.clone(), strays, servers: servers.collect() }
}
