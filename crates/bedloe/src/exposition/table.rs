//! The metrics, one declaration each: name, kind, labels, what it is, and how it is written.

use metrics::exposition::{Family, Kind};
use proxy::{STATES, ServerStatus, Times, ZoneStatus};

use super::OTHERS;
use super::view::View;

/// A family of series.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    #[cfg_attr(not(test), allow(dead_code, reason = "they are what is written; docs/metrics.md says them"))]
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
    pub(super) write: fn(&View<'_>, &mut Family<'_>),
}

/// Upper bounds of the buckets of durations, in microseconds.
const BOUNDS_US: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

const NO_LABELS: &[&str] = &[];
const ZONE: &[&str] = &["zone"];
const PEER: &[&str] = &["upstream", "peer"];

const fn counter(name: &'static str, help: &'static str, write: fn(&View<'_>, &mut Family<'_>)) -> Metric {
    Metric { name, kind: Kind::Counter, labels: NO_LABELS, help, write }
}

const fn gauge(name: &'static str, help: &'static str, write: fn(&View<'_>, &mut Family<'_>)) -> Metric {
    Metric { name, kind: Kind::Gauge, labels: NO_LABELS, help, write }
}

const fn histogram(name: &'static str, help: &'static str, write: fn(&View<'_>, &mut Family<'_>)) -> Metric {
    Metric { name, kind: Kind::Histogram, labels: NO_LABELS, help, write }
}

impl Metric {
    const fn by(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }
}

/// All of them, in the order in which they are written.
pub(super) const METRICS: &[Metric] = &[
    gauge("bedloe_build_info", "1; the version of the program is its label.", |_, family| {
        family.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
    })
    .by(&["version"]),
    gauge("bedloe_client_connections", "Connections of clients that are open.", |view, family| {
        family.sample(&[], view.status.connections);
    }),
    gauge(
        "bedloe_client_connections_reading",
        "Those of them on which the head of a request has come in part.",
        |view, family| {
            family.sample(&[], view.status.reading);
        },
    ),
    gauge("bedloe_client_connections_waiting", "Those of them that wait for a request.", |view, family| {
        family.sample(&[], view.status.waiting);
    }),
    counter(
        "bedloe_client_connections_accepted_total",
        "Connections of clients that were accepted.",
        |view, family| {
            family.sample(&[], view.status.accepted);
        },
    ),
    counter("bedloe_requests_total", "Requests of clients.", |view, family| {
        family.sample(&[], view.status.requests);
    }),
    gauge("bedloe_requests_in_flight", "Requests of clients that are under way.", |view, family| {
        family.sample(&[], view.status.writing);
    }),
    counter("bedloe_responses_total", "Answers to clients, by the class of their status.", |view, family| {
        for (class, count) in view.status.responses.named() {
            family.sample(&[("class", class)], count);
        }
    })
    .by(&["class"]),
    histogram(
        "bedloe_request_duration_seconds",
        "From the first bytes of a request to the end of its answer; upgraded connections are not in it.",
        |view, family| durations(family, &[], &view.status.request_time),
    ),
    counter("bedloe_tls_handshakes_total", "TLS handshakes with clients that were made.", |view, family| {
        family.sample(&[], view.status.tls.handshakes);
    }),
    counter("bedloe_tls_handshakes_failed_total", "TLS handshakes with clients that failed.", |view, family| {
        family.sample(&[], view.status.tls.failed);
    }),
    counter(
        "bedloe_tls_sessions_resumed_total",
        "TLS handshakes with clients that took up a session.",
        |view, family| {
            family.sample(&[], view.status.tls.resumed);
        },
    ),
    counter("bedloe_server_zone_requests_total", "Requests by server.", |view, family| {
        each_zone(family, &view.server_zones, |zone| zone.requests);
    })
    .by(ZONE),
    gauge("bedloe_server_zone_requests_in_flight", "Requests under way by server.", |view, family| {
        each_zone(family, &view.server_zones, |zone| zone.processing);
    })
    .by(ZONE),
    counter("bedloe_server_zone_responses_total", "Answers by server and class of status.", |view, family| {
        each_class(family, &view.server_zones);
    })
    .by(&["zone", "class"]),
    counter(
        "bedloe_server_zone_discarded_total",
        "Requests by server that ended without an answer.",
        |view, family| {
            each_zone(family, &view.server_zones, |zone| zone.discarded);
        },
    )
    .by(ZONE),
    counter("bedloe_server_zone_received_bytes_total", "Bytes from clients by server.", |view, family| {
        each_zone(family, &view.server_zones, |zone| zone.received);
    })
    .by(ZONE),
    counter("bedloe_server_zone_sent_bytes_total", "Bytes to clients by server.", |view, family| {
        each_zone(family, &view.server_zones, |zone| zone.sent);
    })
    .by(ZONE),
    counter("bedloe_location_zone_requests_total", "Requests by location.", |view, family| {
        each_zone(family, &view.location_zones, |zone| zone.requests);
    })
    .by(ZONE),
    counter("bedloe_location_zone_responses_total", "Answers by location and class of status.", |view, family| {
        each_class(family, &view.location_zones);
    })
    .by(&["zone", "class"]),
    counter(
        "bedloe_location_zone_discarded_total",
        "Requests by location that ended without an answer.",
        |view, family| {
            each_zone(family, &view.location_zones, |zone| zone.discarded);
        },
    )
    .by(ZONE),
    counter("bedloe_location_zone_received_bytes_total", "Bytes from clients by location.", |view, family| {
        each_zone(family, &view.location_zones, |zone| zone.received);
    })
    .by(ZONE),
    counter("bedloe_location_zone_sent_bytes_total", "Bytes to clients by location.", |view, family| {
        each_zone(family, &view.location_zones, |zone| zone.sent);
    })
    .by(ZONE),
    gauge(
        "bedloe_upstream_peer_info",
        "1; the server's name as the configuration has it is its label.",
        |view, family| {
            for peer in &view.peers {
                let labels = [("upstream", peer.upstream), ("peer", &peer.address), ("name", &peer.server.name)];
                family.sample(&labels, 1_u64);
            }
        },
    )
    .by(&["upstream", "peer", "name"]),
    gauge("bedloe_upstream_peer_up", "1 where the server gets its requests, 0 where it does not.", |view, family| {
        for peer in &view.peers {
            let labels = [("upstream", peer.upstream), ("peer", peer.address.as_str())];
            family.sample(&labels, peer.server.state == "up");
        }
    })
    .by(PEER),
    gauge(
        "bedloe_upstream_peer_state",
        "1 for the state that the server is in, 0 for the others: up, down and draining by configuration, unavailable \
         by failures of requests, unhealthy by checks, checking before its first check.",
        |view, family| {
            for peer in &view.peers {
                for state in STATES {
                    let labels = [("upstream", peer.upstream), ("peer", &peer.address), ("state", state)];
                    family.sample(&labels, peer.server.state == state);
                }
            }
        },
    )
    .by(&["upstream", "peer", "state"]),
    gauge(
        "bedloe_upstream_peer_slow_start",
        "1 while the server gets less than its share because it has just recovered.",
        |view, family| {
            for peer in &view.peers {
                let labels = [("upstream", peer.upstream), ("peer", peer.address.as_str())];
                family.sample(&labels, peer.server.slow_start);
            }
        },
    )
    .by(PEER),
    counter("bedloe_upstream_peer_requests_total", "Attempts made at the server.", |view, family| {
        each_peer(view, family, |server| server.requests);
    })
    .by(PEER),
    counter("bedloe_upstream_peer_failures_total", "Attempts at the server that failed.", |view, family| {
        each_peer(view, family, |server| server.failures);
    })
    .by(PEER),
    counter(
        "bedloe_upstream_peer_retries_total",
        "Attempts at the server that were followed by another one, there or elsewhere.",
        |view, family| {
            each_peer(view, family, |server| server.retries);
        },
    )
    .by(PEER),
    gauge("bedloe_upstream_peer_requests_in_flight", "Requests that the server works on.", |view, family| {
        each_peer(view, family, |server| server.in_flight);
    })
    .by(PEER),
    histogram(
        "bedloe_upstream_peer_response_time_seconds",
        "From the beginning of an attempt at the server to the end of its answer.",
        |view, family| {
            for peer in &view.peers {
                let labels = [("upstream", peer.upstream), ("peer", peer.address.as_str())];
                durations(family, &labels, &peer.server.response_time);
            }
            if let Some(others) = &view.other_peers {
                durations(family, &[("upstream", OTHERS), ("peer", OTHERS)], &others.response_time);
            }
        },
    )
    .by(PEER),
    counter(
        "bedloe_upstream_strays_total",
        "Requests whose session named a server that the upstream does not have.",
        |view, family| {
            for upstream in view.upstreams() {
                family.sample(&[("upstream", &upstream.name)], upstream.strays);
            }
            if let Some(strays) = view.other_strays() {
                family.sample(&[("upstream", OTHERS)], strays);
            }
        },
    )
    .by(&["upstream"]),
    counter("bedloe_config_reloads_total", "Changes of the configuration that were served.", |view, family| {
        family.sample(&[], view.status.reloads.done);
    }),
    counter(
        "bedloe_config_reloads_refused_total",
        "Changes of the configuration that were refused; the one before is served on.",
        |view, family| {
            family.sample(&[], view.status.reloads.refused);
        },
    ),
    gauge(
        "bedloe_config_last_reload_successful",
        "1 where the last change of the configuration is served, or there was none.",
        |view, family| {
            family.sample(&[], view.status.reloads.last_is_good);
        },
    ),
    gauge(
        "bedloe_config_last_reload_success_timestamp_seconds",
        "When the configuration that is served was taken up, since 1970.",
        |view, family| {
            family.sample(&[], seconds(view.status.reloads.loaded_ms));
        },
    ),
    counter("bedloe_worker_respawns_total", "Worker processes that died and were replaced.", |view, family| {
        family.sample(&[], view.status.respawned);
    }),
    counter("bedloe_log_lines_lost_total", "Log lines lost because the disk did not keep up.", |view, family| {
        family.sample(&[], view.status.log_lines_lost);
    }),
    counter("process_cpu_seconds_total", "CPU time of the worker process.", |view, family| {
        family.sample(&[], seconds(view.process.cpu_ms));
    }),
    gauge("process_resident_memory_bytes", "Memory of the worker process.", |view, family| {
        family.sample(&[], view.process.resident_bytes);
    }),
    gauge("process_threads", "Threads of the worker process.", |view, family| {
        family.sample(&[], view.process.threads);
    }),
    gauge("process_open_fds", "Descriptors that the worker process has open.", |view, family| {
        family.sample(&[], view.process.open_files);
    }),
    gauge("process_max_fds", "Descriptors that it may have open.", |view, family| {
        family.sample(&[], view.process.files_max);
    }),
    gauge("process_start_time_seconds", "When the worker process began to serve, since 1970.", |view, family| {
        family.sample(&[], seconds(view.process.started_ms));
    }),
];

fn each_zone(family: &mut Family<'_>, zones: &[ZoneStatus], of: fn(&ZoneStatus) -> u64) {
    for zone in zones {
        family.sample(&[("zone", &zone.name)], of(zone));
    }
}

fn each_class(family: &mut Family<'_>, zones: &[ZoneStatus]) {
    for zone in zones {
        for (class, count) in zone.responses.named() {
            family.sample(&[("zone", &zone.name), ("class", class)], count);
        }
    }
}

fn each_peer(view: &View<'_>, family: &mut Family<'_>, of: fn(&ServerStatus) -> u64) {
    for peer in &view.peers {
        family.sample(&[("upstream", peer.upstream), ("peer", &peer.address)], of(peer.server));
    }
    if let Some(others) = &view.other_peers {
        family.sample(&[("upstream", OTHERS), ("peer", OTHERS)], of(others));
    }
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
