//! A server that an attempt holds: what it is, what the attempt finds out of it, and that it is given back.

use std::cell::Cell;

use balance::{Failure, Measure, Outcome, Peer, Time, Transition};
use net::clock;
use net::dial::Endpoint;

use crate::counters::PeerDetail;
use crate::facts::Attempt;
use crate::site::Upstream;

/// The least status that speaks against a server.
const LEAST_ERROR: u16 = 500;

/// A server picked for an attempt. Dropped without a word (the client went away, a panic) it counts as neither success
/// nor failure.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) peer: usize,
    is_released: bool,
    /// When it was picked, while its answer is waited for and times decide how a server is chosen.
    awaited_ms: Cell<Option<u64>>,
}

impl<'a> Held<'a> {
    /// Just picked.
    pub(crate) fn new(upstream: &'a Upstream, peer: usize, now_ms: u64) -> Self {
        let is_awaited = upstream.shared.group.measure().is_some();
        Self { upstream, peer, is_released: false, awaited_ms: Cell::new(is_awaited.then_some(now_ms)) }
    }

    /// Where the server is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.upstream.shared.addresses[self.peer]
    }

    /// Whether checks have found the server not well.
    #[inline]
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.known().is_unhealthy()
    }

    /// This thread's counts of it that only `api` shows, where it is asked for.
    pub(crate) fn detail(&self) -> Option<&PeerDetail> {
        self.upstream.counters(self.peer).detail.get().map(|detail| &**detail)
    }

    /// The head of its answer has come, to a request that it was sent at that time.
    #[inline]
    pub(crate) fn answered(&self, status: u16, started_ms: u64) {
        if self.upstream.shared.group.is_watched() {
            self.has_answered(status, started_ms);
        }
    }

    fn has_answered(&self, status: u16, started_ms: u64) {
        let (now_ms, peer, group) = (clock::coarse_ms(), self.known(), &self.upstream.shared.group);
        let took_ms = now_ms.saturating_sub(started_ms);
        match group.outlier_rule() {
            Some(_) if status >= LEAST_ERROR => peer.count_error(),
            Some(_) => peer.count_answer(took_ms),
            None => {}
        }
        if let Some(measure) = group.measure() {
            self.measure_head(measure, status, took_ms, now_ms);
        }
    }

    fn measure_head(&self, measure: Measure, status: u16, took_ms: u64, now_ms: u64) {
        let peer = self.known();
        if status >= LEAST_ERROR {
            peer.failed(measure, took_ms, now_ms);
        } else if measure.time == Time::Header {
            peer.answered(measure, took_ms, now_ms);
        }
        if measure.time == Time::Header {
            self.end_wait();
        }
    }

    /// The end of its answer has come.
    #[inline]
    pub(crate) fn ended(&self, attempt: &Attempt) {
        let Attempt { status, started_ms, started_us, .. } = *attempt;
        self.upstream.counters(self.peer).times.record(clock::coarse_us().saturating_sub(started_us));
        let measure = self.upstream.shared.group.measure();
        if let Some(measure) = measure.filter(|measure| measure.time == Time::LastByte && status < LEAST_ERROR) {
            let now_ms = clock::coarse_ms();
            self.known().answered(measure, now_ms.saturating_sub(started_ms), now_ms);
        }
    }

    /// It has failed a request that it was sent at that time.
    #[cold]
    pub(crate) fn failed(&self, failure: Failure, started_ms: u64) {
        // An answer's status was looked at when it came.
        if matches!(failure, Failure::Status(_)) {
            return;
        }
        // Checks have a say of their own.
        if self.upstream.shared.group.outlier_rule().is_some() && failure != Failure::Unhealthy {
            self.known().count_error();
        }
        self.measure_failure(started_ms);
    }

    /// Its answer has broken off.
    #[cold]
    pub(crate) fn cut(&self, started_ms: u64) {
        if self.upstream.shared.group.outlier_rule().is_some() {
            self.known().count_cut();
        }
        self.measure_failure(started_ms);
    }

    fn measure_failure(&self, started_ms: u64) {
        if let Some(measure) = self.upstream.shared.group.measure() {
            let now_ms = clock::coarse_ms();
            self.known().failed(measure, now_ms.saturating_sub(started_ms), now_ms);
        }
    }

    /// Gives the server back with how the attempt ended.
    pub(crate) fn release(mut self, outcome: Outcome, now_ms: u64) -> Option<Transition> {
        self.give_back(outcome, now_ms)
    }

    fn known(&self) -> &'a Peer {
        &self.upstream.shared.group.peers()[self.peer]
    }

    fn end_wait(&self) {
        let measure = self.upstream.shared.group.measure();
        if let (Some(measure), Some(picked_ms)) = (measure, self.awaited_ms.take())
            && measure.looks_at_waiting
        {
            self.known().end_wait(picked_ms);
        }
    }

    /// Nobody waits for its answer any longer. Of an answer's end that says nothing: clients may be slow to take it.
    #[cold]
    fn given_up(&self, now_ms: u64) {
        let measure = self.upstream.shared.group.measure();
        if let (Some(measure), Some(picked_ms)) = (measure, self.awaited_ms.get())
            && measure.time == Time::Header
        {
            self.known().given_up(measure, now_ms.saturating_sub(picked_ms), now_ms);
        }
    }

    fn give_back(&mut self, outcome: Outcome, now_ms: u64) -> Option<Transition> {
        self.is_released = true;
        self.end_wait();
        let counters = self.upstream.counters(self.peer);
        counters.in_flight.sub(1);
        if outcome == Outcome::Failure {
            counters.failures.add(1);
        }
        let transition = self.upstream.balancer.borrow_mut().release(self.peer, outcome, now_ms);
        if self.upstream.line.is_used() {
            self.upstream.line.wake_first();
        }
        transition
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.is_released {
            let now_ms = clock::coarse_ms();
            self.given_up(now_ms);
            self.give_back(Outcome::Neutral, now_ms);
        }
    }
}
