//! The balancer's state as series: names that are unique, and no more of them than there may be.

use std::collections::HashMap;

use proxy::{Classes, ServerStatus, Status, Times, ZoneStatus};

use super::{OTHERS, PEERS_MAX, Process, ZONES_MAX};

/// What the metrics are written from.
pub(super) struct View<'s> {
    pub(super) status: &'s Status,
    pub(super) process: &'s Process,
    pub(super) peers: Vec<Peer<'s>>,
    /// Sums over the servers that have no series of their own.
    pub(super) other_peers: Option<ServerStatus>,
    pub(super) server_zones: Vec<ZoneStatus>,
    pub(super) location_zones: Vec<ZoneStatus>,
}

/// An upstream server with its labels.
pub(super) struct Peer<'s> {
    upstream: &'s str,
    address: String,
    pub(super) server: &'s ServerStatus,
}

impl<'s> View<'s> {
    pub(super) fn new(status: &'s Status, process: &'s Process) -> Self {
        let mut peers = Vec::new();
        let mut others: Option<ServerStatus> = None;
        for upstream in &status.upstreams {
            let mut seen: HashMap<&str, u32> = HashMap::new();
            for server in &upstream.servers {
                let times = seen.entry(&server.address).or_default();
                *times += 1;
                if peers.len() == PEERS_MAX {
                    add(others.get_or_insert_default(), server);
                    continue;
                }
                let address = if *times == 1 { server.address.clone() } else { format!("{}#{times}", server.address) };
                peers.push(Peer { upstream: &upstream.name, address, server });
            }
        }
        Self {
            status,
            process,
            peers,
            other_peers: others,
            server_zones: zones(&status.server_zones),
            location_zones: zones(&status.location_zones),
        }
    }

    /// The servers with their labels; at the end those that have no series of their own, as one.
    pub(super) fn peers_and_others(&self) -> impl Iterator<Item = ([(&str, &str); 2], &ServerStatus)> {
        let others = self.other_peers.iter().map(|others| ([("upstream", OTHERS), ("peer", OTHERS)], others));
        self.peers.iter().map(|peer| (peer.labels(), peer.server)).chain(others)
    }

    /// The upstreams that have series: as many of them, from the first, as there are of servers.
    pub(super) fn upstreams(&self) -> impl Iterator<Item = &proxy::UpstreamStatus> {
        self.status.upstreams.iter().take(PEERS_MAX)
    }

    /// The strays of those that have none.
    pub(super) fn other_strays(&self) -> Option<u64> {
        let others = self.status.upstreams.get(PEERS_MAX..).filter(|others| !others.is_empty())?;
        Some(others.iter().map(|upstream| upstream.strays).sum())
    }
}

impl Peer<'_> {
    pub(super) fn labels(&self) -> [(&str, &str); 2] {
        [("upstream", self.upstream), ("peer", &self.address)]
    }
}

fn zones(all: &[ZoneStatus]) -> Vec<ZoneStatus> {
    let (own, others) = all.split_at(all.len().min(ZONES_MAX));
    let mut zones = own.to_vec();
    if !others.is_empty() {
        let sum = |of: fn(&ZoneStatus) -> u64| others.iter().map(of).sum();
        let responses = others.iter().fold(Classes::default(), |sum, zone| sum.plus(&zone.responses));
        zones.push(ZoneStatus {
            name: OTHERS.to_owned(),
            processing: sum(|zone| zone.processing),
            requests: sum(|zone| zone.requests),
            responses,
            discarded: sum(|zone| zone.discarded),
            received: sum(|zone| zone.received),
            sent: sum(|zone| zone.sent),
        });
    }
    zones
}

fn add(sum: &mut ServerStatus, server: &ServerStatus) {
    sum.requests += server.requests;
    sum.failures += server.failures;
    sum.retries += server.retries;
    sum.in_flight += server.in_flight;
    let Times(times) = &mut sum.response_time;
    times.merge(&server.response_time.0);
}
