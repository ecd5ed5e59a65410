//! One thread's view of a configuration: the shared snapshot, and what of it the thread has for itself.

use std::cell::RefCell;
use std::sync::Arc;

use balance::{Balancer, Outcome, Transition};
use route::Maps;

use crate::counters::PeerCounters;
use crate::snapshot::{Snapshot, UpstreamSnapshot};
use crate::upstream::pool::Pool;

/// A configuration as one thread serves it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) maps: Maps,
    pub(crate) upstreams: Vec<Upstream>,
}

/// An upstream as one thread uses it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) shared: Arc<UpstreamSnapshot>,
    thread: usize,
    balancer: RefCell<Balancer>,
    pub(crate) pool: RefCell<Pool>,
}

impl Site {
    pub(crate) fn new(snapshot: Arc<Snapshot>, thread: usize) -> Self {
        let maps = snapshot.router.maps().clone();
        let upstreams = snapshot.upstreams.iter().zip(snapshot.router.upstreams()).map(|(shared, rule)| Upstream {
            shared: Arc::clone(shared),
            thread,
            balancer: RefCell::new(Balancer::new(Arc::clone(&shared.group))),
            pool: RefCell::new(Pool::new(rule)),
        });
        let upstreams = upstreams.collect();
        Self { snapshot, maps, upstreams }
    }
}

impl Upstream {
    /// Picks a server for a request's next attempt.
    pub(crate) fn pick(&self, attempts: &mut balance::Attempts, key: &[u8], now_ms: u64) -> Option<Held<'_>> {
        let peer = self.balancer.borrow_mut().pick(attempts, key, now_ms)?;
        let counters = self.counters(peer);
        counters.requests.add(1);
        counters.in_flight.add(1);
        Some(Held { upstream: self, peer, is_released: false })
    }

    /// This thread's counts of a server.
    pub(crate) fn counters(&self, peer: usize) -> &PeerCounters {
        &self.shared.counters[self.thread][peer]
    }
}

/// A server picked for an attempt. Dropped without a word (the client went away, a panic) it counts as neither success
/// nor failure.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) peer: usize,
    is_released: bool,
}

impl Held<'_> {
    /// Gives the server back with how the attempt ended.
    pub(crate) fn release(mut self, outcome: Outcome, now_ms: u64) -> Option<Transition> {
        self.give_back(outcome, now_ms)
    }

    fn give_back(&mut self, outcome: Outcome, now_ms: u64) -> Option<Transition> {
        self.is_released = true;
        let counters = self.upstream.counters(self.peer);
        counters.in_flight.sub(1);
        if outcome == Outcome::Failure {
            counters.failures.add(1);
        }
        self.upstream.balancer.borrow_mut().release(self.peer, outcome, now_ms)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.is_released {
            self.give_back(Outcome::Neutral, net::clock::coarse_ms());
        }
    }
}
