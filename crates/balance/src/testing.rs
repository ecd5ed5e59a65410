//! Groups written in few words, for this crate's tests.

use std::sync::Arc;

use crate::{Attempts, Balancer, Group, Method, PeerSettings, Time, Two};

pub(crate) const ROUND_ROBIN: Method = Method::RoundRobin;
pub(crate) const HASH: Method = Method::Hash { consistent: false };
pub(crate) const RING: Method = Method::Hash { consistent: true };
pub(crate) const IP_HASH: Method = Method::IpHash;
pub(crate) const LEAST_CONN: Method = Method::LeastConn;
pub(crate) const LEAST_TIME: Method = Method::LeastTime { time: Time::Header, inflight: false };
pub(crate) const RANDOM: Method = Method::Random { two: None };
pub(crate) const RANDOM_TWO: Method = Method::Random { two: Some(Two::LeastConn) };
pub(crate) const PEAK_EWMA: Method = Method::Random { two: Some(Two::PeakEwma) };

/// A server with weight 1 that is unavailable for 10 s after one failure.
pub(crate) fn peer(name: &str) -> PeerSettings {
    PeerSettings::new(name)
}

pub(crate) fn balancer(method: Method, peers: Vec<PeerSettings>) -> Balancer {
    Balancer::new(Arc::new(Group::new(peers, method)))
}

/// The first pick of a request with this key.
pub(crate) fn pick(balancer: &mut Balancer, key: &str, now_ms: u64) -> Option<usize> {
    balancer.pick(&mut Attempts::default(), key.as_bytes(), now_ms)
}
