//! `status_zone`: requests counted by server and by location, where the configuration asks for it.

use std::io;
use std::sync::Arc;

use net::clock;
use route::Router;

use crate::counters::{STATUS_LEAST, ZoneCounters};
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::request::Routed;
use crate::site::Site;
use crate::sums::Baseline;

/// The status of an answer that a tunnel follows.
const SWITCHING: u16 = 101;

/// The zones of a configuration, as its router numbers them.
#[derive(Debug, Clone, Default)]
pub(crate) struct StatusZones {
    pub(crate) servers: Vec<StatusZone>,
    pub(crate) locations: Vec<StatusZone>,
}

/// A zone.
#[derive(Debug, Clone)]
pub(crate) struct StatusZone {
    pub(crate) name: String,
    /// By thread.
    pub(crate) counters: Vec<Arc<ZoneCounters>>,
    pub(crate) base: Baseline,
}

impl StatusZones {
    /// Those of a configuration; one that was there before counts on.
    pub(crate) fn new(router: &Router, threads: usize, previous: Option<&Self>) -> Self {
        let zones = |names: &[String], before: &[StatusZone]| {
            names.iter().map(|name| StatusZone::new(name, threads, before)).collect()
        };
        Self {
            servers: zones(router.server_zones(), previous.map_or(&[], |before| &before.servers)),
            locations: zones(router.location_zones(), previous.map_or(&[], |before| &before.locations)),
        }
    }
}

impl StatusZone {
    fn new(name: &str, threads: usize, before: &[Self]) -> Self {
        let is_same = |zone: &&Self| zone.name == name && zone.counters.len() == threads;
        before.iter().find(is_same).cloned().unwrap_or_else(|| Self {
            name: name.to_owned(),
            counters: (0..threads).map(|_| Arc::default()).collect(),
            base: Baseline::default(),
        })
    }
}

/// Counts a request for as long as it is under way, a panic included.
#[derive(Debug)]
pub(crate) struct Processing(Arc<ZoneCounters>);

impl Processing {
    /// Counts it where its server has a zone.
    pub(crate) fn new(site: &Site, server: &route::Server) -> Option<Self> {
        let zone = &site.snapshot.status_zones.servers[server.status_zone?];
        let counters = Arc::clone(&zone.counters[site.thread]);
        counters.processing.add(1);
        Some(Self(counters))
    }
}

impl Drop for Processing {
    fn drop(&mut self) {
        self.0.processing.sub(1);
    }
}

/// Counts a request that has ended.
pub(crate) fn count(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>) {
    let record = &exchange.record;
    if record.sent > 0 {
        let counters = &connection.thread.counters;
        let class = usize::from(record.status / STATUS_LEAST).wrapping_sub(1);
        if let Some(class) = counters.classes.get(class) {
            class.add(1);
        }
        // What follows an upgrade is no answer's time.
        if record.status != SWITCHING {
            counters.times.record(clock::coarse_us().saturating_sub(record.started_us));
        }
    }
    let zones = &routed.site.snapshot.status_zones;
    let of_server = routed.server.status_zone.map(|number| &zones.servers[number]);
    let of_location = routed.settings.status_zone.map(|number| &zones.locations[number]);
    for zone in of_server.into_iter().chain(of_location) {
        let counters = &zone.counters[routed.site.thread];
        counters.requests.add(1);
        counters.received.add(exchange.record.request_bytes);
        counters.sent.add(exchange.record.sent);
        if exchange.record.sent > 0 {
            counters.responses.count(exchange.record.status);
        } else {
            counters.discarded.add(1);
        }
    }
}

/// Counts the TLS handshake of a client.
pub(crate) fn count_handshake(connection: &Downstream, ended: Result<bool, &io::Error>) {
    let client = &connection.client;
    connection.thread.counters.tls.count(ended);
    let site = &client.site;
    if site.snapshot.status_zones.servers.is_empty() {
        return;
    }
    let name = client.tls.as_ref().and_then(|tls| tls.server_name()).unwrap_or_default();
    let server = site.snapshot.router.server(client.listener, name.as_bytes(), &site.patterns, &mut Default::default());
    if let Some(number) = server.status_zone {
        site.snapshot.status_zones.servers[number].counters[site.thread].tls.count(ended);
    }
}
