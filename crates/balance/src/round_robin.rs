//! nginx's smooth weighted round robin: of weights 5, 1, 1 it makes a a b a c a a, never five in a row.
//!
//! Each server has a current weight that grows by its effective weight at every pick; the greatest is picked and loses
//! the sum of all. Failures lower the effective weight; every pick that considers the server raises it by one again.
//! With `slow_start` a server that has recovered has a part of it only, so weights are then counted in smaller units.

use crate::attempts::Attempts;
use crate::group::Group;
use crate::peer::{Peer, PeerSettings};

/// How often a pick is repeated because another thread took the server between the look and the claim.
const MAX_LOST_CLAIMS: usize = 8;

/// Units of a weight where servers may have a part of theirs.
pub(crate) const FINE: i64 = 1_000;

/// One thread's weights, one pair a server.
#[derive(Debug)]
pub(crate) struct Weights {
    /// What a weight of one is.
    unit: i64,
    weights: Vec<Weight>,
}

#[derive(Debug)]
struct Weight {
    current: i64,
    /// `0 <= effective <= configured`.
    effective: i64,
    configured: i64,
}

impl Weight {
    fn recover(&mut self, unit: i64) {
        if self.effective < self.configured {
            self.effective += unit;
        }
    }
}

impl Weights {
    pub(crate) fn new(peers: &[Peer]) -> Self {
        let is_eased = peers.iter().any(|peer| peer.settings().slow_start_ms > 0);
        let unit = if is_eased { FINE } else { 1 };
        let weight = |peer: &Peer| {
            let configured = i64::from(peer.settings().weight) * unit;
            Weight { current: 0, effective: configured, configured }
        };
        Self { unit, weights: peers.iter().map(weight).collect() }
    }

    /// Round robin among the primary servers, then, for the rest of the request, among the backups.
    pub(crate) fn pick_in_turn(&mut self, group: &Group, attempts: &mut Attempts, now_ms: u64) -> Option<usize> {
        self.in_turn(group, attempts, |weights, among, attempts| weights.pick_among(group, among, attempts, now_ms))
    }

    /// A pick among the primary servers, then, for the rest of the request, among the backups.
    pub(crate) fn in_turn(
        &mut self,
        group: &Group,
        attempts: &mut Attempts,
        mut pick: impl FnMut(&mut Self, &[usize], &Attempts) -> Option<usize>,
    ) -> Option<usize> {
        if !attempts.on_backups {
            if let Some(peer) = pick(self, &group.primaries, attempts) {
                return Some(peer);
            }
            attempts.on_backups = true;
        }
        // nginx gives up after the last backup; a primary server that has come back meanwhile serves just as well.
        pick(self, &group.backups, attempts).or_else(|| pick(self, &group.primaries, attempts))
    }

    /// Round robin among the given servers, as far as they may be tried.
    pub(crate) fn pick_among(
        &mut self,
        group: &Group,
        among: &[usize],
        attempts: &Attempts,
        now_ms: u64,
    ) -> Option<usize> {
        if let [only] = among {
            return self.pick_only(group, *only, attempts, now_ms);
        }
        let open = |peer: &usize| group.may_pick(attempts, *peer, now_ms);
        self.claim(group, now_ms, |weights| weights.next(group, now_ms, among.iter().copied().filter(open)))
    }

    /// The same with one server: its turn comes and goes, and leaves the weights as they were.
    fn pick_only(&mut self, group: &Group, peer: usize, attempts: &Attempts, now_ms: u64) -> Option<usize> {
        if !group.may_pick(attempts, peer, now_ms) || !group.peers()[peer].claim(now_ms) {
            return None;
        }
        self.weights[peer].recover(self.unit);
        Some(peer)
    }

    /// Claims what is chosen, and has it chosen again where another thread was quicker.
    pub(crate) fn claim(
        &mut self,
        group: &Group,
        now_ms: u64,
        mut choose: impl FnMut(&mut Self) -> Option<usize>,
    ) -> Option<usize> {
        for _ in 0..MAX_LOST_CLAIMS {
            let peer = choose(self)?;
            if group.peers()[peer].claim(now_ms) {
                return Some(peer);
            }
        }
        None
    }

    /// A failure: fewer requests for a while.
    pub(crate) fn penalize(&mut self, peer: usize, settings: &PeerSettings) {
        let weight = &mut self.weights[peer];
        if let Some(share) = settings.weight.checked_div(settings.max_fails) {
            weight.effective = (weight.effective - i64::from(share) * self.unit).max(0);
        }
    }

    /// The server whose turn it is among `candidates`.
    pub(crate) fn next(
        &mut self,
        group: &Group,
        now_ms: u64,
        candidates: impl Iterator<Item = usize>,
    ) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for peer in candidates {
            let weight = &mut self.weights[peer];
            let effective = group.peers()[peer].eased(weight.effective, now_ms);
            weight.current += effective;
            total += effective;
            weight.recover(self.unit);
            if best.is_none_or(|(_, greatest)| weight.current > greatest) {
                best = Some((peer, weight.current));
            }
        }
        let (peer, _) = best?;
        self.weights[peer].current -= total;
        Some(peer)
    }
}
