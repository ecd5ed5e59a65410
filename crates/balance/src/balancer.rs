//! One thread's view of a group: picks servers and takes them back.

use std::sync::Arc;

use crate::attempts::Attempts;
use crate::group::{Group, Method};
use crate::peer::{Outcome, Transition};
use crate::round_robin::Weights;
use crate::{hash, ip_hash, least_conn, random, ring};

/// One thread's choice among the servers of a group.
#[derive(Debug)]
pub struct Balancer {
    group: Arc<Group>,
    weights: Weights,
}

impl Balancer {
    /// A balancer over this group.
    pub fn new(group: Arc<Group>) -> Self {
        let weights = Weights::new(group.peers());
        Self { group, weights }
    }

    /// The group it picks from.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The server for the next attempt of a request; `None` when no server is left that may be tried. `key` is what a
    /// hashing method hashes (for `ip_hash` the address), and must be the same for all attempts of a request. Each pick
    /// is followed by one [`release`](Balancer::release).
    pub fn pick(&mut self, attempts: &mut Attempts, key: &[u8], now_ms: u64) -> Option<usize> {
        let Self { group, weights } = self;
        let chosen = match group.method() {
            Method::RoundRobin => None,
            Method::LeastConn | Method::LeastTime { .. } => least_conn::pick(group, weights, attempts, now_ms),
            _ if group.primaries.len() < 2 => None,
            Method::IpHash => ip_hash::pick(group, attempts, key, now_ms),
            Method::Random { two } => random::pick(group, two.is_some(), attempts, now_ms),
            Method::Hash { .. } if key.is_empty() => None,
            Method::Hash { consistent: false } => hash::pick(group, attempts, key, now_ms),
            Method::Hash { consistent: true } => ring::pick(group, weights, attempts, key, now_ms),
        };
        let chosen = chosen.or_else(|| weights.pick_in_turn(group, attempts, now_ms));
        let peer = chosen.or_else(|| self.pick_ejected(attempts, now_ms))?;
        Some(self.picked(peer, attempts, now_ms))
    }

    /// The server that a request belongs to, by the routes that it names: the first of them whose server may be tried,
    /// and one that drains is as good as another. It takes no turn from the others. `None` where that is none of them,
    /// and [`pick`](Balancer::pick) decides.
    pub fn pick_bound<'r>(
        &mut self,
        attempts: &mut Attempts,
        mut routes: impl Iterator<Item = &'r [u8]>,
        now_ms: u64,
    ) -> Option<usize> {
        let Self { group, weights } = self;
        attempts.is_bound = true;
        let peer = routes.find_map(|route| weights.pick_among(group, group.servers_of(route), attempts, now_ms));
        attempts.is_bound = false;
        Some(self.picked(peer?, attempts, now_ms))
    }

    /// A server that stands out is better than none.
    fn pick_ejected(&mut self, attempts: &mut Attempts, now_ms: u64) -> Option<usize> {
        let Self { group, weights } = self;
        group.outlier_rule()?;
        attempts.takes_ejected = true;
        let peer = weights.pick_in_turn(group, attempts, now_ms);
        attempts.takes_ejected = false;
        peer
    }

    fn picked(&self, peer: usize, attempts: &mut Attempts, now_ms: u64) -> usize {
        attempts.mark_tried(peer);
        if self.group.measure().is_some_and(|measure| measure.looks_at_waiting) {
            self.group.peers()[peer].begin_wait(now_ms);
        }
        peer
    }

    /// Takes a server back, with how the attempt ended.
    pub fn release(&mut self, peer: usize, outcome: Outcome, now_ms: u64) -> Option<Transition> {
        let picked = self.group.peers().get(peer)?;
        if outcome == Outcome::Failure && self.group.peers().len() > 1 {
            self.weights.penalize(peer, picked.settings());
        }
        picked.release(peer, outcome, now_ms)
    }
}

#[cfg(test)]
mod tests;
