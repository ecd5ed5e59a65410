//! The numbers of the dashboard, as its page and `/dashboard.json` both show them.

use proxy::{Event, LastCheck, ServerStatus, Status};
use serde::Serialize;

use crate::hosts::History;

/// All views' numbers at one moment. Those of "now" are of the last 10 seconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Figures {
    /// In milliseconds since 1970; 0 before the first look.
    pub(super) at_ms: u64,
    pub(super) uptime_ms: u64,
    pub(super) now: Counts,
    pub(super) since_start: Counts,
    pub(super) connections: u64,
    pub(super) in_flight: u64,
    pub(super) reloads: u64,
    pub(super) reloads_refused: u64,
    pub(super) upstreams: Vec<UpstreamRow>,
    pub(super) hosts: Vec<HostRow>,
    /// The last one first.
    pub(super) events: Vec<Event>,
}

/// What is counted over a while.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) requests_per_s: Option<f64>,
    pub(super) failures: u64,
    pub(super) retries: u64,
    pub(super) tls_handshakes: u64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct UpstreamRow {
    pub(super) name: String,
    pub(super) servers: Vec<ServerRow>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ServerRow {
    pub(super) name: String,
    pub(super) address: String,
    /// As [`ServerStatus::state`] has it, or `slow start`.
    pub(super) state: &'static str,
    pub(super) since_ms: u64,
    pub(super) why: String,
    /// As `/status` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_check: Option<LastCheck>,
    pub(super) requests: u64,
    /// Of the upstream's requests now, in percent.
    pub(super) share_percent: Option<f64>,
    pub(super) in_flight: u64,
    pub(super) failures: u64,
    pub(super) retries: u64,
    /// Now.
    pub(super) p50_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct HostRow {
    pub(super) name: String,
    pub(super) cpu_percent: Option<f64>,
    pub(super) memory_percent: Option<f64>,
    pub(super) load1: Option<f64>,
    /// `ok`, or why not.
    pub(super) health: String,
    pub(super) is_well: bool,
}

impl Figures {
    pub(super) fn of(
        now: &Status,
        then: &Status,
        passed_ms: u64,
        at_ms: u64,
        hosts: Vec<HostRow>,
        events: Vec<Event>,
    ) -> Self {
        let upstream = |upstream: &proxy::UpstreamStatus| {
            let before = then.upstreams.iter().find(|then| then.name == upstream.name);
            let before = |(at, server): (usize, &ServerStatus)| before?.server(at, server);
            let came = |(at, server): (usize, &ServerStatus)| {
                server.requests.saturating_sub(before((at, server)).map_or(0, |then| then.requests))
            };
            let servers = || upstream.servers.iter().enumerate();
            let all = servers().map(came).sum();
            let row = |each: (usize, &ServerStatus)| ServerRow::of(each.1, before(each), part(came(each), all));
            UpstreamRow { name: upstream.name.clone(), servers: servers().map(row).collect() }
        };
        Self {
            at_ms,
            uptime_ms: now.uptime_ms,
            now: Counts::between(then, now, passed_ms),
            since_start: Counts::between(&Status::default(), now, now.uptime_ms),
            connections: now.connections,
            in_flight: now.writing,
            reloads: now.reloads.done,
            reloads_refused: now.reloads.refused,
            upstreams: now.upstreams.iter().map(upstream).collect(),
            hosts,
            events,
        }
    }

    /// The state in a sentence.
    pub(super) fn sentence(&self) -> String {
        let servers = || self.upstreams.iter().flat_map(|upstream| &upstream.servers);
        let (all, out) = (servers().count(), servers().filter(|server| !server.is_used()).count());
        let hosts = self.hosts.iter().filter(|host| !host.is_well).count();
        let servers = match (all, out) {
            (0, _) => "No upstream servers".to_owned(),
            (_, 0) => format!("All {all} servers get requests"),
            _ => format!("{out} of {all} servers get no new requests"),
        };
        match hosts {
            0 => format!("{servers}."),
            _ => format!("{servers}; {hosts} of {} hosts not well.", self.hosts.len()),
        }
    }
}

impl Counts {
    fn between(then: &Status, now: &Status, passed_ms: u64) -> Self {
        let came = |of: fn(&Status) -> u64| of(now).saturating_sub(of(then));
        let times = now.request_time.since(&then.request_time);
        let percentile = |percent| times.percentile_ms(percent).map(tenths);
        Self {
            requests: came(|status| status.requests),
            requests_per_s: rate(now.requests, then.requests, passed_ms).map(tenths),
            failures: came(|status| status.responses.server_errors),
            retries: came(|status| status.retries),
            tls_handshakes: came(|status| status.tls.handshakes),
            p50_ms: percentile(50.0),
            p95_ms: percentile(95.0),
            p99_ms: percentile(99.0),
        }
    }
}

impl ServerRow {
    fn of(server: &ServerStatus, before: Option<&ServerStatus>, share_percent: Option<f64>) -> Self {
        let times = server.response_time.since(&before.map(|then| then.response_time).unwrap_or_default());
        Self {
            name: server.name.clone(),
            address: server.address.clone(),
            state: if server.slow_start { "slow start" } else { server.state },
            since_ms: server.since_ms,
            why: server.why.clone(),
            last_check: server.last_check.clone(),
            requests: server.requests,
            share_percent,
            in_flight: server.in_flight,
            failures: server.failures,
            retries: server.retries,
            p50_ms: times.percentile_ms(50.0).map(tenths),
            p95_ms: times.percentile_ms(95.0).map(tenths),
        }
    }

    pub(super) fn is_used(&self) -> bool {
        matches!(self.state, "up" | "slow start")
    }
}

/// The hosts as they were last seen.
pub(super) fn hosts(all: &[History]) -> Vec<HostRow> {
    let row = |history: &History| {
        let last = history.last();
        let figures = last.and_then(|point| point.figures.as_ref());
        let health = match (last, figures) {
            (None, _) => "not asked yet".to_owned(),
            (Some(point), None) => point.unreachable.clone().unwrap_or_else(|| "no answer".to_owned()),
            (_, Some(figures)) if figures.liberty_up == Some(false) => "Liberty says DOWN".to_owned(),
            _ => "ok".to_owned(),
        };
        let percent = |share: f64| tenths(share * 100.0);
        HostRow {
            name: history.name.clone(),
            cpu_percent: figures.and_then(|figures| figures.cpu).map(|cpu| percent(cpu.busy())),
            memory_percent: figures.and_then(|figures| figures.memory_used_share).map(percent),
            load1: figures.and_then(|figures| figures.load1),
            is_well: health == "ok",
            health,
        }
    };
    all.iter().map(row).collect()
}

/// So many a second; none where no time has passed, or counts have begun anew.
#[allow(clippy::cast_precision_loss, reason = "counts of some seconds stay far below 2^53")]
pub(super) fn rate(now: u64, then: u64, passed_ms: u64) -> Option<f64> {
    let came = now.checked_sub(then)?;
    (passed_ms > 0).then(|| came as f64 * 1e3 / passed_ms as f64)
}

#[allow(clippy::cast_precision_loss, reason = "counts of some seconds stay far below 2^53")]
fn part(of: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| tenths(of as f64 * 100.0 / all as f64))
}

/// To one decimal place.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
