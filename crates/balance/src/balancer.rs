//! One thread's view of a group: picks servers and takes them back.

use std::sync::Arc;

use crate::attempts::Attempts;
use crate::group::{Group, Method};
use crate::peer::{Outcome, Transition};
use crate::round_robin::Weights;

/// One thread's choice among the servers of a group.
#[derive(Debug)]
pub struct Balancer {
    pub(crate) group: Arc<Group>,
    pub(crate) weights: Weights,
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
    /// hashing method hashes, and must be the same for all attempts of a request. Each pick is followed by one
    /// [`release`](Balancer::release).
    pub fn pick(&mut self, attempts: &mut Attempts, key: &[u8], now_ms: u64) -> Option<usize> {
        let hashed = match self.group.method() {
            _ if key.is_empty() || self.group.primaries.len() < 2 => None,
            Method::RoundRobin => None,
            Method::Hash { consistent: false } => self.pick_by_hash(attempts, key, now_ms),
            Method::Hash { consistent: true } => self.pick_by_ring(attempts, key, now_ms),
        };
        let peer = hashed.or_else(|| self.pick_in_turn(attempts, now_ms))?;
        attempts.mark_tried(peer);
        Some(peer)
    }

    /// Takes a server back, with how the attempt ended.
    pub fn release(&mut self, peer: usize, outcome: Outcome, now_ms: u64) -> Option<Transition> {
        let group = Arc::clone(&self.group);
        let picked = group.peers().get(peer)?;
        if outcome == Outcome::Failure && group.peers().len() > 1 {
            self.weights.penalize(peer, picked.settings());
        }
        picked.release(peer, outcome, now_ms)
    }

    /// Whether this request may still go to that server.
    pub(crate) fn may_pick(&self, attempts: &Attempts, peer: usize, now_ms: u64) -> bool {
        !attempts.has_tried(peer) && self.group.peers()[peer].may_be_tried(now_ms)
    }
}

#[cfg(test)]
mod tests;
