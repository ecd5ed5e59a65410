//! The objects that `api` shows, each with the fields that the documentation gives it.

use balance::{BudgetCounts, Peer, State};
use conf::tree::UpstreamServer;
use serde_json::{Map, Value, json};

use crate::counters::{PeerCounters, STATUS_LEAST, STATUSES, TlsFailure};
use crate::gate::{Fate, Fates};
use crate::snapshot::{Member, Parent, UpstreamSnapshot, endpoint, is_busy};
use crate::sums::{PEER_COUNTS, TLS_COUNTS, ZONE_COUNTS, sums};
use crate::zones::StatusZone;

/// Now, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// On the scale of [`net::clock::coarse_ms`].
    pub(super) now_ms: u64,
    pub(super) now_unix_ms: u64,
}

impl Times {
    /// A moment of the one clock by the other.
    fn unix_ms(self, ms: u64) -> u64 {
        self.now_unix_ms.saturating_sub(self.now_ms.saturating_sub(ms))
    }
}

/// What certificates can fail of: clients', and servers'.
pub(super) const CLIENT_CHECKS: [(&str, TlsFailure); 5] = [
    ("no_cert", TlsFailure::NoCertificate),
    ("expired_cert", TlsFailure::Expired),
    ("revoked_cert", TlsFailure::Revoked),
    ("hostname_mismatch", TlsFailure::OtherName),
    ("other", TlsFailure::OtherCertificate),
];
const SERVER_CHECKS: [(&str, TlsFailure); 4] = [CLIENT_CHECKS[1], CLIENT_CHECKS[2], CLIENT_CHECKS[3], CLIENT_CHECKS[4]];

/// A moment as ISO 8601 has it, to the millisecond.
pub(super) fn date(unix_ms: u64) -> String {
    let stamp = jiff::Timestamp::from_millisecond(unix_ms.cast_signed()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `ssl`, of the counts of TLS in a sum.
pub(super) fn tls(counts: &[u64], checks: &[(&str, TlsFailure)]) -> Value {
    let count = |index: usize| counts.get(index).copied().unwrap_or(0);
    let of = |failure: TlsFailure| count(3 + failure as usize);
    let verify: Map<String, Value> =
        checks.iter().map(|(name, failure)| ((*name).to_owned(), of(*failure).into())).collect();
    let mut object = json!({
        "handshakes": count(0),
        "handshakes_failed": count(1),
        "session_reuses": count(2),
        "no_common_protocol": of(TlsFailure::NoCommonProtocol),
        "no_common_cipher": of(TlsFailure::NoCommonCipher),
        "handshake_timeout": of(TlsFailure::Timeout),
        "peer_rejected_cert": of(TlsFailure::RejectedCertificate),
        "verify_failures": verify,
    });
    if let (4, Some(object)) = (checks.len(), object.as_object_mut()) {
        object.remove("no_common_cipher");
    }
    object
}

/// `responses`, of the counts of statuses in a sum.
fn responses(counts: &[u64]) -> Value {
    let class = |class: usize| counts.iter().skip((class - 1) * 100).take(100).sum::<u64>();
    let status = |index: usize| (usize::from(STATUS_LEAST) + index).to_string();
    let seen = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let codes: Map<String, Value> = seen.map(|(index, count)| (status(index), (*count).into())).collect();
    json!({
        "1xx": class(1),
        "2xx": class(2),
        "3xx": class(3),
        "4xx": class(4),
        "5xx": class(5),
        "codes": codes,
        "total": counts.iter().sum::<u64>(),
    })
}

/// A zone of a server.
pub(super) fn server_zone(zone: &StatusZone) -> Value {
    let counts = zone.base.since(sums(zone.counters.iter().map(|thread| &**thread)));
    let processing = zone.counters.iter().map(|thread| thread.processing.get()).fold(0, u64::wrapping_add);
    let mut object = location_zone(zone);
    object["processing"] = processing.into();
    object["ssl"] = tls(&counts[ZONE_COUNTS..], &CLIENT_CHECKS);
    object
}

/// A zone of locations.
pub(super) fn location_zone(zone: &StatusZone) -> Value {
    let counts = zone.base.since(sums(zone.counters.iter().map(|thread| &**thread)));
    json!({
        "requests": counts[0],
        "responses": responses(&counts[ZONE_COUNTS + TLS_COUNTS..]),
        "discarded": counts[1],
        "received": counts[2],
        "sent": counts[3],
    })
}

/// What became of the requests of a zone of `limit_req`.
pub(super) fn limit_req(fates: &Fates) -> Value {
    json!({
        "passed": fates.get(Fate::Passed),
        "delayed": fates.get(Fate::Delayed),
        "rejected": fates.get(Fate::Rejected),
        "delayed_dry_run": fates.get(Fate::DelayedDryRun),
        "rejected_dry_run": fates.get(Fate::RejectedDryRun),
    })
}

/// The same of `limit_conn`.
pub(super) fn limit_conn(fates: &Fates) -> Value {
    json!({
        "passed": fates.get(Fate::Passed),
        "rejected": fates.get(Fate::Rejected),
        "rejected_dry_run": fates.get(Fate::RejectedDryRun),
    })
}

/// An upstream with its servers.
pub(super) fn upstream(upstream: &UpstreamSnapshot, times: Times) -> Value {
    let peers: Vec<Value> = (0..upstream.members.all.len()).map(|index| peer(upstream, index, times)).collect();
    let zombies = upstream.gone.iter().filter(|counters| is_busy(counters)).count();
    let keepalive = upstream.idle.iter().map(|idle| idle.get()).fold(0, u64::wrapping_add);
    let mut object = json!({"peers": peers, "keepalive": keepalive, "zombies": zombies, "zone": upstream.zone.name});
    if let Some((size, most, overflows)) = upstream.queue.as_ref().map(|queue| queue.counts()) {
        object["queue"] = json!({"size": size, "max_size": most, "overflows": overflows});
    }
    if let Some(counts) = upstream.budget.as_ref().map(|budget| budget.counts(times.now_ms)) {
        let BudgetCounts { requests, retries, denied } = counts;
        object["retry_budget"] = json!({"requests": requests, "retries": retries, "denied": denied});
    }
    object
}

/// Where the counts of checks begin among those of a server.
const CHECK_COUNTS: usize = PEER_COUNTS + TLS_COUNTS + STATUSES;

/// All that is counted of a server: by threads, then by checks.
pub(super) fn peer_counts(upstream: &UpstreamSnapshot, index: usize) -> Vec<u64> {
    let mut counts = sums(upstream.counters.iter().map(|thread| &*thread[index]));
    // An upstream that nobody uses may have no thread's.
    counts.resize(CHECK_COUNTS, 0);
    let checks = upstream.group.peers()[index].check_counts();
    counts.extend([checks.checks, checks.fails, checks.unhealthy]);
    counts
}

fn peer(upstream: &UpstreamSnapshot, index: usize, times: Times) -> Value {
    let member = &upstream.members.all[index];
    let own = || upstream.counters.iter().map(|thread| &*thread[index]);
    let sum = |of: fn(&PeerCounters) -> u64| own().map(of).fold(0, u64::wrapping_add);
    let counts = member.base.since(peer_counts(upstream, index));
    let [requests, fails, sent, received, unavail, header_ms, headers, response_ms, whole] =
        counts.first_chunk::<PEER_COUNTS>().copied().unwrap_or_default();
    let mean = |sum: u64, number: u64| sum.checked_div(number).unwrap_or(0);
    let peer = &upstream.group.peers()[index];
    let checks = peer.check_counts();
    let server = &member.server;
    let (checked, failed, unhealthy) = (counts[CHECK_COUNTS], counts[CHECK_COUNTS + 1], counts[CHECK_COUNTS + 2]);
    let health = json!({"checks": checked, "fails": failed, "unhealthy": unhealthy});
    let mut object = json!({
        "id": member.id,
        "server": endpoint(&server.address).to_string(),
        "name": server.name,
        "backup": server.backup,
        "weight": server.weight,
        "state": state(peer),
        "active": sum(|counters| counters.in_flight.get()),
        "requests": requests,
        "header_time": mean(header_ms, headers),
        "response_time": mean(response_ms, whole),
        "responses": responses(&counts[PEER_COUNTS + TLS_COUNTS..CHECK_COUNTS]),
        "sent": sent,
        "received": received,
        "fails": fails,
        "unavail": unavail,
        "health_checks": health,
        "downtime": peer.down_ms(times.now_ms),
    });
    if server.max_conns > 0 {
        object["max_conns"] = server.max_conns.into();
    }
    if let Some(passed) = checks.last_passed {
        object["health_checks"]["last_passed"] = passed.into();
    }
    if let Some(since_ms) = peer.down_since_ms() {
        object["downstart"] = date(times.unix_ms(since_ms)).into();
    }
    let selected_ms = own().filter_map(|counters| Some(counters.detail.get()?.selected_ms.get())).max().unwrap_or(0);
    if selected_ms > 0 {
        object["selected"] = date(times.unix_ms(selected_ms)).into();
    }
    let tls_counts = &counts[PEER_COUNTS..PEER_COUNTS + TLS_COUNTS];
    if tls_counts.iter().any(|count| *count > 0) {
        object["ssl"] = tls(tls_counts, &SERVER_CHECKS);
    }
    object
}

fn state(peer: &Peer) -> &'static str {
    match peer.state() {
        State::Up => "up",
        State::Down => "down",
        State::Draining => "draining",
        State::Unavailable => "unavail",
        State::Unhealthy => "unhealthy",
        State::Checking => "checking",
    }
}

/// The settings of all servers of an upstream; those with `resolve` come before their addresses.
pub(super) fn servers(upstream: &UpstreamSnapshot) -> Value {
    let members = &upstream.members;
    let parents = members.parents.iter().map(parent);
    parents.chain(members.all.iter().map(|member| settings(upstream, member))).collect()
}

/// Those of one, by its number.
pub(super) fn server(upstream: &UpstreamSnapshot, id: u64) -> Option<Value> {
    let members = &upstream.members;
    let member = members.all.iter().find(|member| member.id == id).map(|member| settings(upstream, member));
    member.or_else(|| members.parents.iter().find(|parent| parent.id == id).map(parent))
}

fn settings(upstream: &UpstreamSnapshot, member: &Member) -> Value {
    let mut object = of(member.id, &member.server, &endpoint(&member.server.address).to_string());
    if let Some(parent) = member.origin.and_then(|origin| upstream.members.parents.get(origin)) {
        object["parent"] = parent.id.to_string().into();
        object["host"] = member.server.name.clone().into();
    }
    object
}

fn parent(parent: &Parent) -> Value {
    of(parent.id, &parent.server, &parent.server.name)
}

fn of(id: u64, server: &UpstreamServer, address: &str) -> Value {
    json!({
        "id": id,
        "server": address,
        "weight": server.weight,
        "max_conns": server.max_conns,
        "max_fails": server.max_fails,
        "fail_timeout": time(server.fail_timeout_ms),
        "slow_start": time(server.slow_start_ms),
        "route": server.route,
        "backup": server.backup,
        "down": server.down,
        "drain": server.drain,
    })
}

/// A time as nginx's language writes it.
pub(super) fn time(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
}
