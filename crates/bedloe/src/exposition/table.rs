//! The metrics, one declaration each: name, kind, what it is, and of what its series are made.

use metrics::exposition::{Family, Kind};
use proxy::{STATES, ServerStatus, Status, Times, ZoneStatus};

use super::view::View;
use super::{OTHERS, Process};

/// A family of series.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    series: Series,
}

/// What series a family has.
enum Series {
    /// One without labels.
    One(fn(&View<'_>) -> f64),
    /// The same of a count.
    Count(fn(&Status) -> u64),
    /// The same of what this process uses.
    Used(fn(&Process) -> u64),
    /// One for each zone.
    Zones(ZonesOf, fn(&ZoneStatus) -> u64),
    /// Of each zone one for each class of answers.
    ZoneClasses(ZonesOf),
    /// One for each upstream server that has its own.
    Peers(fn(&ServerStatus) -> bool),
    /// One for each upstream server; those without their own add up to one.
    PeerSums(fn(&ServerStatus) -> u64),
    /// Others, with these labels.
    #[cfg_attr(not(test), allow(dead_code, reason = "labels are what is written; docs/metrics.md says them"))]
    Labelled(&'static [&'static str], fn(&View<'_>, &mut Family<'_>)),
}

use Series::{Count, Labelled, One, PeerSums, Peers, Used, ZoneClasses, Zones};

/// The zones of a kind.
type ZonesOf = for<'v> fn(&'v View<'_>) -> &'v [ZoneStatus];

const PEER: &[&str] = &["upstream", "peer"];

/// Upper bounds of the buckets of durations, in microseconds.
const BOUNDS_US: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

const fn counter(name: &'static str, help: &'static str, series: Series) -> Metric {
    Metric { name, kind: Kind::Counter, help, series }
}

const fn gauge(name: &'static str, help: &'static str, series: Series) -> Metric {
    Metric { name, kind: Kind::Gauge, help, series }
}

const fn histogram(name: &'static str, help: &'static str, series: Series) -> Metric {
    Metric { name, kind: Kind::Histogram, help, series }
}

impl Metric {
    /// Writes all series.
    pub(super) fn write(&self, view: &View<'_>, family: &mut Family<'_>) {
        match self.series {
            One(value) => {
                family.sample(&[], value(view));
            }
            Count(count) => {
                family.sample(&[], count(view.status));
            }
            Used(count) => {
                family.sample(&[], count(view.process));
            }
            Zones(zones, count) => zones(view).iter().for_each(|zone| {
                family.sample(&[("zone", &zone.name)], count(zone));
            }),
            ZoneClasses(zones) => zones(view).iter().for_each(|zone| {
                for (class, count) in zone.responses.named() {
                    family.sample(&[("zone", &zone.name), ("class", class)], count);
                }
            }),
            Peers(value) => view.peers.iter().for_each(|peer| {
                family.sample(&peer.labels(), value(peer.server));
            }),
            PeerSums(count) => view.peers_and_others().for_each(|(labels, server)| {
                family.sample(&labels, count(server));
            }),
            Labelled(_, write) => write(view, family),
        }
    }

    /// The labels of its series.
    #[cfg(test)]
    pub(super) fn labels(&self) -> &'static [&'static str] {
        match self.series {
            One(_) | Count(_) | Used(_) => &[],
            Zones(..) => &["zone"],
            ZoneClasses(_) => &["zone", "class"],
            Peers(_) | PeerSums(_) => PEER,
            Labelled(labels, _) => labels,
        }
    }
}

/// All of them, in the order in which they are written.
pub(super) const METRICS: &[Metric] = &[
    gauge(
        "bedloe_build_info",
        "1; the version of the program is its label.",
        Labelled(&["version"], |_, family| {
            family.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
        }),
    ),
    gauge("bedloe_client_connections", "Connections of clients that are open.", Count(|status| status.connections)),
    gauge(
        "bedloe_client_connections_reading",
        "Those of them on which the head of a request has come in part.",
        Count(|status| status.reading),
    ),
    gauge(
        "bedloe_client_connections_waiting",
        "Those of them that wait for a request.",
        Count(|status| status.waiting),
    ),
    counter(
        "bedloe_client_connections_accepted_total",
        "Connections of clients that were accepted.",
        Count(|status| status.accepted),
    ),
    counter("bedloe_requests_total", "Requests of clients.", Count(|status| status.requests)),
    gauge("bedloe_requests_in_flight", "Requests of clients that are under way.", Count(|status| status.writing)),
    counter(
        "bedloe_responses_total",
        "Answers to clients, by the class of their status.",
        Labelled(&["class"], |view, family| {
            for (class, count) in view.status.responses.named() {
                family.sample(&[("class", class)], count);
            }
        }),
    ),
    histogram(
        "bedloe_request_duration_seconds",
        "From the first bytes of a request to the end of its answer; upgraded connections are not in it.",
        Labelled(&[], |view, family| durations(family, &[], &view.status.request_time)),
    ),
    counter(
        "bedloe_tls_handshakes_total",
        "TLS handshakes with clients that were made.",
        Count(|status| status.tls.handshakes),
    ),
    counter(
        "bedloe_tls_handshakes_failed_total",
        "TLS handshakes with clients that failed.",
        Count(|status| status.tls.failed),
    ),
    counter(
        "bedloe_tls_sessions_resumed_total",
        "TLS handshakes with clients that took up a session.",
        Count(|status| status.tls.resumed),
    ),
    counter("bedloe_server_zone_requests_total", "Requests by server.", Zones(servers, |zone| zone.requests)),
    gauge(
        "bedloe_server_zone_requests_in_flight",
        "Requests under way by server.",
        Zones(servers, |zone| zone.processing),
    ),
    counter("bedloe_server_zone_responses_total", "Answers by server and class of status.", ZoneClasses(servers)),
    counter(
        "bedloe_server_zone_discarded_total",
        "Requests by server that ended without an answer.",
        Zones(servers, |zone| zone.discarded),
    ),
    counter(
        "bedloe_server_zone_received_bytes_total",
        "Bytes from clients by server.",
        Zones(servers, |zone| zone.received),
    ),
    counter("bedloe_server_zone_sent_bytes_total", "Bytes to clients by server.", Zones(servers, |zone| zone.sent)),
    counter("bedloe_location_zone_requests_total", "Requests by location.", Zones(locations, |zone| zone.requests)),
    counter("bedloe_location_zone_responses_total", "Answers by location and class of status.", ZoneClasses(locations)),
    counter(
        "bedloe_location_zone_discarded_total",
        "Requests by location that ended without an answer.",
        Zones(locations, |zone| zone.discarded),
    ),
    counter(
        "bedloe_location_zone_received_bytes_total",
        "Bytes from clients by location.",
        Zones(locations, |zone| zone.received),
    ),
    counter(
        "bedloe_location_zone_sent_bytes_total",
        "Bytes to clients by location.",
        Zones(locations, |zone| zone.sent),
    ),
    gauge(
        "bedloe_upstream_peer_info",
        "1; the server's name as the configuration has it is its label.",
        Labelled(&["upstream", "peer", "name"], |view, family| {
            for peer in &view.peers {
                let [upstream, address] = peer.labels();
                family.sample(&[upstream, address, ("name", &peer.server.name)], 1_u64);
            }
        }),
    ),
    gauge(
        "bedloe_upstream_peer_up",
        "1 where the server gets its requests, 0 where it does not.",
        Peers(|server| server.state == "up"),
    ),
    gauge(
        "bedloe_upstream_peer_state",
        "1 for the state that the server is in, 0 for the others: up, down and draining by configuration, unavailable \
         by failures of requests, unhealthy by checks, checking before its first check.",
        Labelled(&["upstream", "peer", "state"], |view, family| {
            for peer in &view.peers {
                let [upstream, address] = peer.labels();
                for state in STATES {
                    family.sample(&[upstream, address, ("state", state)], peer.server.state == state);
                }
            }
        }),
    ),
    gauge(
        "bedloe_upstream_peer_slow_start",
        "1 while the server gets less than its share because it has just recovered.",
        Peers(|server| server.slow_start),
    ),
    counter("bedloe_upstream_peer_requests_total", "Attempts made at the server.", PeerSums(|server| server.requests)),
    counter(
        "bedloe_upstream_peer_failures_total",
        "Attempts at the server that failed.",
        PeerSums(|server| server.failures),
    ),
    counter(
        "bedloe_upstream_peer_retries_total",
        "Attempts at the server that were followed by another one, there or elsewhere.",
        PeerSums(|server| server.retries),
    ),
    gauge(
        "bedloe_upstream_peer_requests_in_flight",
        "Requests that the server works on.",
        PeerSums(|server| server.in_flight),
    ),
    histogram(
        "bedloe_upstream_peer_response_time_seconds",
        "From the beginning of an attempt at the server to the end of its answer.",
        Labelled(PEER, |view, family| {
            view.peers_and_others().for_each(|(labels, server)| durations(family, &labels, &server.response_time));
        }),
    ),
    counter(
        "bedloe_upstream_strays_total",
        "Requests whose session named a server that the upstream does not have.",
        Labelled(&["upstream"], |view, family| {
            for upstream in view.upstreams() {
                family.sample(&[("upstream", &upstream.name)], upstream.strays);
            }
            if let Some(strays) = view.other_strays() {
                family.sample(&[("upstream", OTHERS)], strays);
            }
        }),
    ),
    counter(
        "bedloe_config_reloads_total",
        "Changes of the configuration that were served.",
        Count(|status| status.reloads.done),
    ),
    counter(
        "bedloe_config_reloads_refused_total",
        "Changes of the configuration that were refused; the one before is served on.",
        Count(|status| status.reloads.refused),
    ),
    gauge(
        "bedloe_config_last_reload_successful",
        "1 where the last change of the configuration is served, or there was none.",
        Count(|status| status.reloads.last_is_good.into()),
    ),
    gauge(
        "bedloe_config_last_reload_success_timestamp_seconds",
        "When the configuration that is served was taken up, since 1970.",
        One(|view| seconds(view.status.reloads.loaded_ms)),
    ),
    counter(
        "bedloe_worker_respawns_total",
        "Worker processes that died and were replaced.",
        Count(|status| status.respawned),
    ),
    counter(
        "bedloe_log_lines_lost_total",
        "Log lines lost because the disk did not keep up.",
        Count(|status| status.log_lines_lost),
    ),
    counter("process_cpu_seconds_total", "CPU time of the worker process.", One(|view| seconds(view.process.cpu_ms))),
    gauge("process_resident_memory_bytes", "Memory of the worker process.", Used(|process| process.resident_bytes)),
    gauge("process_threads", "Threads of the worker process.", Used(|process| process.threads)),
    gauge("process_open_fds", "Descriptors that the worker process has open.", Used(|process| process.open_files)),
    gauge("process_max_fds", "Descriptors that it may have open.", Used(|process| process.files_max)),
    gauge(
        "process_start_time_seconds",
        "When the worker process began to serve, since 1970.",
        One(|view| seconds(view.process.started_ms)),
    ),
];

fn servers<'v>(view: &'v View<'_>) -> &'v [ZoneStatus] {
    &view.server_zones
}

fn locations<'v>(view: &'v View<'_>) -> &'v [ZoneStatus] {
    &view.location_zones
}

fn durations(family: &mut Family<'_>, labels: &[(&str, &str)], Times(tally): &Times) {
    let (buckets, beyond) = tally.coarser(&BOUNDS_US);
    let buckets = buckets.into_iter().map(|(bound_us, count)| (seconds_of_us(bound_us), count));
    family.histogram(labels, buckets, beyond, seconds_of_us(tally.sum_us()));
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay far below 2^53")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

#[allow(clippy::cast_precision_loss, reason = "53 bits are more than a sum of clock readings is good for")]
fn seconds_of_us(us: u64) -> f64 {
    us as f64 / 1e6
}
