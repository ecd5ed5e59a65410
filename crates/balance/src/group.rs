//! The servers of one upstream, shared between threads.

use std::collections::HashMap;

use crate::attempts::Attempts;
use crate::latency::{Measure, Time};
use crate::outlier::{Change, OutlierRule, Outliers};
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
    /// The one that is expected to answer first.
    LeastTime {
        /// The time that counts.
        time: Time,
        /// Whether requests count that are not answered yet.
        inflight: bool,
    },
    /// By chance.
    Random {
        /// Whether two are drawn, and which of them is taken.
        two: Option<Two>,
    },
}

/// Which of two servers is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Two {
    /// The one with fewer requests in flight.
    LeastConn,
    /// The one that is expected to answer first, by the mean of its answers.
    LeastTime(Time),
    /// The same by the longest of the last seconds' answers.
    PeakEwma,
}

impl Method {
    /// Whether it looks at how many requests a server has in flight.
    fn counts_in_flight(self) -> bool {
        matches!(self, Self::LeastConn | Self::LeastTime { .. } | Self::Random { two: Some(_) })
    }

    /// What of a server's times it looks at.
    fn measure(self) -> Option<Measure> {
        let mean = |time, looks_at_waiting| Some(Measure { time, is_peak: false, looks_at_waiting });
        match self {
            Self::LeastTime { time, inflight } => mean(time, inflight),
            Self::Random { two: Some(Two::LeastTime(time)) } => mean(time, false),
            Self::Random { two: Some(Two::PeakEwma) } => {
                Some(Measure { time: Time::Header, is_peak: true, looks_at_waiting: false })
            }
            _ => None,
        }
    }
}

/// The servers of one upstream. Threads share it in an `Arc`; each makes its own [`crate::Balancer`] from it.
#[derive(Debug)]
pub struct Group {
    peers: Vec<Peer>,
    method: Method,
    measure: Option<Measure>,
    outliers: Option<Outliers>,
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
        let measure = method.measure();
        Self { peers, method, measure, outliers: None, primaries, backups, total_weight, ring, routes, tries }
    }

    /// The same, and servers that stand out are ejected for a while.
    pub fn ejecting(mut self, rule: Option<OutlierRule>) -> Self {
        // A server alone cannot stand out.
        let rule = rule.filter(|_| self.peers.len() > 1);
        self.peers = self.peers.into_iter().map(|peer| peer.judged(rule.is_some())).collect();
        self.outliers = rule.map(Outliers::new);
        self
    }

    /// From now on it knows what is known of another group, whose place it takes: `known` tells which of the other
    /// group's servers one of its own is. Where what put a server out is not looked at any longer, its time out ends.
    pub fn knowing(mut self, previous: &Self, known: impl Fn(usize) -> Option<usize>, now_ms: u64) -> Self {
        for (index, peer) in self.peers.iter_mut().enumerate() {
            if let Some(other) = known(index).and_then(|other| previous.peers.get(other)) {
                peer.share_health(other);
                peer.note_up(now_ms);
            }
        }
        if let (Some(own), Some(previous)) = (&mut self.outliers, &previous.outliers) {
            own.follow(previous);
        }
        self
    }

    /// Whether it is to be told what becomes of requests: by [`Group::measure`], or because servers that stand out are
    /// ejected ([`Peer::count_answer`], [`Peer::count_error`], [`Peer::count_cut`]).
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.measure.is_some() || self.outliers.is_some()
    }

    /// What is said of servers that stand out, if that is looked at.
    pub fn outlier_rule(&self) -> Option<OutlierRule> {
        self.outliers.as_ref().map(Outliers::rule)
    }

    /// Ejects servers that stand out, and takes back those whose time is over. To be called a few times a second, by
    /// any thread.
    pub fn judge_outliers(&self, now_ms: u64) -> Vec<Change> {
        self.outliers.as_ref().map_or_else(Vec::new, |outliers| outliers.judge(self, now_ms))
    }

    /// The servers, in the order given to [`Group::new`].
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// How a server is chosen.
    pub fn method(&self) -> Method {
        self.method
    }

    /// What of a server's times decides how it is chosen, if any does: these are to be told ([`Peer::answered`],
    /// [`Peer::failed`], and where it looks at requests that wait, [`Peer::end_wait`]).
    #[inline]
    pub fn measure(&self) -> Option<Measure> {
        self.measure
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
        (attempts.takes_ejected || !self.peers[peer].is_ejected()) && self.may_serve(attempts, peer, now_ms)
    }

    /// The same, whether it is ejected or not.
    fn may_serve(&self, attempts: &Attempts, peer: usize, now_ms: u64) -> bool {
        let other = &self.peers[peer];
        !attempts.has_tried(peer) && (attempts.is_bound || !other.settings().drain) && other.may_be_tried(now_ms)
    }

    /// Whether a request with these attempts behind it could go to another server now: to an ejected one, if need be.
    pub fn has_another(&self, attempts: &Attempts, now_ms: u64) -> bool {
        (0..self.peers.len()).any(|peer| self.may_serve(attempts, peer, now_ms))
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
