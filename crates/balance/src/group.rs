//! The servers of one upstream, shared between threads.

use std::collections::HashMap;

use crate::attempts::Attempts;
use crate::peer::{Peer, PeerSettings};
use crate::ring::Ring;

/// How a server is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Smooth weighted round robin.
    RoundRobin,
    /// By the hash of a key.
    Hash {
        /// Whether keys are placed on a ring (ketama), so that a change of servers moves few of them.
        consistent: bool,
    },
    /// By the client's address.
    IpHash,
    /// The one with the fewest requests in flight.
    LeastConn,
    /// By chance.
    Random {
        /// Of two that are drawn the one with fewer requests in flight.
        two: bool,
    },
}

impl Method {
    /// Whether it looks at how many requests a server has in flight.
    fn counts_in_flight(self) -> bool {
        matches!(self, Self::LeastConn | Self::Random { two: true })
    }
}

/// The servers of one upstream. Threads share it in an `Arc`; each makes its own [`crate::Balancer`] from it.
#[derive(Debug)]
pub struct Group {
    peers: Vec<Peer>,
    method: Method,
    /// Indexes of the primary servers, then of the backups, each in the order written.
    pub(crate) primaries: Vec<usize>,
    pub(crate) backups: Vec<usize>,
    /// Weights of all primaries, `down` ones included: plain hashing counts those too.
    pub(crate) total_weight: usize,
    pub(crate) ring: Ring,
    /// Indexes of the servers that requests name by a route.
    routes: HashMap<Box<[u8]>, Vec<usize>>,
    tries: u32,
}

impl Group {
    /// A group of these servers, in the order written.
    pub fn new(peers: Vec<PeerSettings>, method: Method) -> Self {
        let single = peers.len() == 1;
        let counts = method.counts_in_flight();
        let peers: Vec<Peer> = peers.into_iter().map(|settings| Peer::new(settings, single, counts)).collect();
        let (backups, primaries): (Vec<_>, Vec<_>) = (0..peers.len()).partition(|&i| peers[i].settings().backup);
        let total_weight = primaries.iter().map(|&i| peers[i].settings().weight as usize).sum();
        let ring = match method {
            Method::Hash { consistent: true } => Ring::new(&peers, &primaries),
            _ => Ring::default(),
        };
        let mut routes: HashMap<Box<[u8]>, Vec<usize>> = HashMap::new();
        for (index, peer) in peers.iter().enumerate().filter(|(_, peer)| !peer.settings().route.is_empty()) {
            routes.entry(peer.settings().route.as_bytes().into()).or_default().push(index);
        }
        let usable = peers.iter().filter(|peer| !peer.settings().down).count();
        let tries = u32::try_from(usable).unwrap_or(u32::MAX);
        Self { peers, method, primaries, backups, total_weight, ring, routes, tries }
    }

    /// The same for a group that takes the place of another one: what is known of a server's health stays, where
    /// `known` tells which of the other group's servers it is.
    pub fn after(
        peers: Vec<PeerSettings>,
        method: Method,
        previous: &Self,
        known: impl Fn(usize) -> Option<usize>,
    ) -> Self {
        let mut group = Self::new(peers, method);
        for (index, peer) in group.peers.iter_mut().enumerate() {
            if let Some(other) = known(index).and_then(|other| previous.peers.get(other)) {
                peer.share_health(other);
            }
        }
        group
    }

    /// The servers, in the order given to [`Group::new`].
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// How a server is chosen.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether a server goes by that route.
    pub fn has_route(&self, route: &[u8]) -> bool {
        self.routes.contains_key(route)
    }

    /// The servers that go by a route: several where a name has several addresses.
    pub(crate) fn servers_of(&self, route: &[u8]) -> &[usize] {
        self.routes.get(route).map_or(&[], Vec::as_slice)
    }

    /// Whether a request with these attempts behind it may go to that server.
    pub(crate) fn may_pick(&self, attempts: &Attempts, peer: usize, now_ms: u64) -> bool {
        let other = &self.peers[peer];
        !attempts.has_tried(peer) && (attempts.is_bound || !other.settings().drain) && other.may_be_tried(now_ms)
    }

    /// Whether a request with these attempts behind it could go to another server now.
    pub fn has_another(&self, attempts: &Attempts, now_ms: u64) -> bool {
        (0..self.peers.len()).any(|peer| self.may_pick(attempts, peer, now_ms))
    }

    /// Whether there is a server in use that a request has not been to, whatever is known of it now.
    pub fn has_untried(&self, attempts: &Attempts) -> bool {
        let is_used = |peer: &Peer| !peer.settings().down && !peer.settings().drain;
        self.peers.iter().enumerate().any(|(index, peer)| is_used(peer) && !attempts.has_tried(index))
    }

    /// How many servers one request can at most be sent to: those not `down`, backups included.
    pub fn tries(&self) -> u32 {
        self.tries
    }
}
