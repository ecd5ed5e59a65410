//! What the balancer has to say of itself, summed over its threads when somebody asks.

use std::sync::atomic::Ordering::Relaxed;

use balance::State;
use metrics::Tally;
use serde::{Serialize, Serializer};

use crate::counters::{CLASSES, PeerCounters, ThreadCounters};
use crate::snapshot::UpstreamSnapshot;
use crate::sums::{TLS_COUNTS, ZONE_COUNTS, sums};
use crate::worker::Shared;
use crate::zones::StatusZone;

/// The balancer at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    /// The process.
    pub pid: u32,
    /// Since it started serving.
    pub uptime_ms: u64,
    /// Client connections open now.
    pub connections: u64,
    /// Those of them on which the head of a request has come in part.
    pub reading: u64,
    /// Requests under way; over HTTP/2 a connection has several.
    pub writing: u64,
    /// Connections that wait for a request.
    pub waiting: u64,
    /// Client connections accepted.
    pub accepted: u64,
    /// Requests received.
    pub requests: u64,
    /// Answers by the class of their status.
    pub responses: Classes,
    /// From a request's first bytes to the end of its answer.
    pub request_time: Times,
    /// TLS handshakes with clients.
    pub tls: TlsStatus,
    /// Attempts that were followed by another one.
    pub retries: u64,
    /// Log lines lost because the disk did not keep up.
    pub log_lines_lost: u64,
    /// Processes that served before this one and died.
    pub respawned: u64,
    /// Changes of the configuration.
    pub reloads: ReloadStatus,
    /// Servers' zones (`status_zone`).
    pub server_zones: Vec<ZoneStatus>,
    /// Locations' zones.
    pub location_zones: Vec<ZoneStatus>,
    /// The upstreams.
    pub upstreams: Vec<UpstreamStatus>,
}

/// Counts by the hundreds of statuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "their names in JSON say what they are")]
pub struct Classes {
    #[serde(rename = "1xx")]
    pub informational: u64,
    #[serde(rename = "2xx")]
    pub successful: u64,
    #[serde(rename = "3xx")]
    pub redirected: u64,
    #[serde(rename = "4xx")]
    pub client_errors: u64,
    #[serde(rename = "5xx")]
    pub server_errors: u64,
}

/// Durations. As JSON: their number, their sum, and percentiles where there are any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times(pub Tally);

/// How TLS handshakes ended.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct TlsStatus {
    /// Those that were made.
    pub handshakes: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those of the made ones that took up a session.
    pub resumed: u64,
}

/// Changes of the configuration (SIGHUP).
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ReloadStatus {
    /// Those that are or were served.
    pub done: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Whether the last one was served; true before the first.
    pub last_is_good: bool,
    /// When the configuration that is served was taken up, in milliseconds since 1970.
    pub loaded_ms: u64,
}

/// A `status_zone`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ZoneStatus {
    /// Its name.
    pub name: String,
    /// Requests under way, of a server's zone.
    pub processing: u64,
    /// Requests.
    pub requests: u64,
    /// Answers.
    pub responses: Classes,
    /// Requests that ended without an answer.
    pub discarded: u64,
    /// Bytes from clients.
    pub received: u64,
    /// Bytes to clients.
    pub sent: u64,
}

/// One upstream.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: String,
    /// Requests whose session named a server that is none of these: they went by the algorithm.
    pub strays: u64,
    /// Its servers, in the order written.
    pub servers: Vec<ServerStatus>,
}

impl UpstreamStatus {
    /// The server that stands at this place at another time. Most often it is where it was; an address may be there
    /// twice.
    #[must_use]
    pub fn server(&self, at: usize, like: &ServerStatus) -> Option<&ServerStatus> {
        let is_it = |server: &&ServerStatus| server.address == like.address;
        self.servers.get(at).filter(is_it).or_else(|| self.servers.iter().find(is_it))
    }
}

/// One upstream server.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ServerStatus {
    /// As written in the configuration.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// `up`, `down` or `draining` (by configuration), `unavailable` (it failed `max_fails` times), `unhealthy` (checks
    /// have found it so) or `checking` (the first check that it has to pass is under way).
    pub state: &'static str,
    /// It is up, and has recovered so lately that it gets less than its share.
    pub slow_start: bool,
    /// When the state last changed, in milliseconds since 1970; the start of serving when it never did.
    pub since_ms: u64,
    /// Why it changed.
    pub why: String,
    /// What the last of its health checks came to; none where it is not checked, or was not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_check: Option<LastCheck>,
    /// Attempts made at it.
    pub requests: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Attempts at it that were followed by another one.
    pub retries: u64,
    /// Requests it is working on.
    pub in_flight: u64,
    /// From the beginning of an attempt to the end of its answer.
    pub response_time: Times,
}

/// What a health check came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LastCheck {
    /// When it ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long it took.
    pub took_ms: f64,
    /// What was asked for.
    pub uri: String,
    /// Whether it passed.
    pub passed: bool,
    /// The status of the answer, if one came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What was wrong, for people; empty where it passed.
    pub wrong: String,
}

/// All that a server's state can be.
pub const STATES: [&str; 6] = ["up", "down", "draining", "unavailable", "unhealthy", "checking"];

impl Classes {
    fn of(counts: [u64; CLASSES]) -> Self {
        let [informational, successful, redirected, client_errors, server_errors] = counts;
        Self { informational, successful, redirected, client_errors, server_errors }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self {
            informational: self.informational + other.informational,
            successful: self.successful + other.successful,
            redirected: self.redirected + other.redirected,
            client_errors: self.client_errors + other.client_errors,
            server_errors: self.server_errors + other.server_errors,
        }
    }

    /// The classes with their names.
    pub fn named(&self) -> [(&'static str, u64); CLASSES] {
        [
            ("1xx", self.informational),
            ("2xx", self.successful),
            ("3xx", self.redirected),
            ("4xx", self.client_errors),
            ("5xx", self.server_errors),
        ]
    }
}

impl Times {
    /// Those that have come since an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self(self.0.since(&earlier.0))
    }

    /// A percentile in milliseconds, if anything was counted.
    pub fn percentile_ms(&self, percent: f64) -> Option<f64> {
        self.0.percentile_us(percent).map(|us| us / 1_000.0)
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            count: u64,
            sum_ms: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            p50_ms: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            p95_ms: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            p99_ms: Option<f64>,
        }
        let of = |percent| self.percentile_ms(percent).map(|ms| (ms * 1_000.0).round() / 1_000.0);
        let (count, sum_ms) = (self.0.count(), self.0.sum_us() / 1_000);
        Shown { count, sum_ms, p50_ms: of(50.0), p95_ms: of(95.0), p99_ms: of(99.0) }.serialize(serializer)
    }
}

impl Status {
    pub(crate) fn of(shared: &Shared, now_ms: u64) -> Self {
        let sum = |value: fn(&ThreadCounters) -> u64| {
            shared.threads.iter().map(|thread| value(thread)).fold(0_u64, u64::wrapping_add)
        };
        let snapshot = shared.snapshot();
        let upstreams: Vec<_> =
            snapshot.upstreams.iter().map(|upstream| of_upstream(upstream, shared, now_ms)).collect();
        let servers = upstreams.iter().flat_map(|upstream: &UpstreamStatus| &upstream.servers);
        let connections = sum(|thread| thread.active.get());
        let (reading, writing) = (sum(|thread| thread.reading.get()), sum(|thread| thread.writing.get()));
        let zones = |zones: &[StatusZone]| zones.iter().map(of_zone).collect();
        let mut request_time = Tally::default();
        shared.threads.iter().for_each(|thread| request_time.add(&thread.times));
        let mut classes = [0_u64; CLASSES];
        for thread in shared.threads.iter() {
            classes.iter_mut().zip(&thread.classes).for_each(|(sum, own)| *sum = sum.wrapping_add(own.get()));
        }
        Self {
            pid: std::process::id(),
            uptime_ms: now_ms.saturating_sub(shared.started_ms),
            connections,
            reading,
            writing,
            // The threads count on meanwhile.
            waiting: (connections + sum(|thread| thread.shared.get())).saturating_sub(reading + writing),
            accepted: sum(|thread| thread.accepted.get()),
            requests: sum(|thread| thread.requests.get()),
            responses: Classes::of(classes),
            request_time: Times(request_time),
            tls: TlsStatus {
                handshakes: sum(|thread| thread.tls.handshakes.get()),
                failed: sum(|thread| thread.tls.failed.get()),
                resumed: sum(|thread| thread.tls.resumed.get()),
            },
            retries: servers.map(|server| server.retries).sum(),
            log_lines_lost: sum(|thread| thread.log_lines_lost.get()),
            respawned: shared.respawned.load(Relaxed),
            reloads: ReloadStatus {
                done: shared.reloads.load(Relaxed),
                refused: shared.refused.load(Relaxed),
                last_is_good: !shared.last_was_refused.load(Relaxed),
                loaded_ms: shared.loaded_unix_ms.load(Relaxed),
            },
            server_zones: zones(&snapshot.status_zones.servers),
            location_zones: zones(&snapshot.status_zones.locations),
            upstreams,
        }
    }
}

/// A zone since the process began: what `api` has set back counts here.
fn of_zone(zone: &StatusZone) -> ZoneStatus {
    let counts = sums(zone.counters.iter().map(|thread| &**thread));
    let [requests, discarded, received, sent] = counts.first_chunk::<ZONE_COUNTS>().copied().unwrap_or_default();
    let statuses = counts.get(ZONE_COUNTS + TLS_COUNTS..).unwrap_or_default();
    let mut classes = [0; CLASSES];
    classes.iter_mut().zip(statuses.chunks(100)).for_each(|(class, own)| *class = own.iter().sum());
    ZoneStatus {
        name: zone.name.clone(),
        processing: zone.counters.iter().map(|thread| thread.processing.get()).fold(0, u64::wrapping_add),
        requests,
        responses: Classes::of(classes),
        discarded,
        received,
        sent,
    }
}

fn of_upstream(upstream: &UpstreamSnapshot, shared: &Shared, now_ms: u64) -> UpstreamStatus {
    let reasons = upstream.reasons.lock().map(|reasons| reasons.clone()).unwrap_or_default();
    let checks = upstream.last_checks.lock().map(|checks| checks.clone()).unwrap_or_default();
    let servers = upstream.group.peers().iter().enumerate().map(|(index, peer)| {
        let own = || upstream.counters.iter().map(|thread| &*thread[index]);
        let sum = |value: fn(&PeerCounters) -> u64| own().map(value).fold(0_u64, u64::wrapping_add);
        let mut response_time = Tally::default();
        own().for_each(|thread| response_time.add(&thread.times));
        let reason = reasons.get(&index);
        ServerStatus {
            name: peer.settings().name.clone(),
            address: upstream.addresses[index].to_string(),
            state: match peer.state() {
                State::Up => "up",
                State::Down => "down",
                State::Draining => "draining",
                State::Unavailable => "unavailable",
                State::Unhealthy => "unhealthy",
                State::Checking => "checking",
            },
            slow_start: peer.state() == State::Up && peer.starts_slowly(now_ms),
            since_ms: reason.map_or(shared.started_unix_ms, |reason| reason.unix_ms),
            why: reason.map(|reason| reason.why.clone()).unwrap_or_default(),
            last_check: checks.get(&index).cloned(),
            requests: sum(|counters| counters.requests.get()),
            failures: sum(|counters| counters.failures.get()),
            retries: sum(|counters| counters.retries.get()),
            in_flight: sum(|counters| counters.in_flight.get()),
            response_time: Times(response_time),
        }
    });
    let strays = upstream.strays.load(Relaxed);
    UpstreamStatus { name: upstream.name.clone(), strays, servers: servers.collect() }
}
