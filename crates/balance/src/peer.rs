//! One upstream server: its settings, and what its answers and its checks have shown of its health.
//!
//! Passive health is failures counted within `fail_timeout`; active health is what checks have found ([`crate::Streak`]
//! says how). One that has recovered may be given less for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::checked::{CheckCounts, Checked, Checks};
use crate::latency::{Latency, Measure};
use crate::outlier::{OutlierRule, Standing};

/// What the configuration says of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSettings {
    /// As written in the configuration; the ring of consistent hashing is made from it.
    pub name: String,
    /// Its share of requests, at least 1.
    pub weight: u32,
    /// Requests it may have in flight at once; 0 is no limit.
    pub max_conns: u32,
    /// Failures within `fail_timeout_ms` that make it unavailable; 0 never does.
    pub max_fails: u32,
    /// The time failures are counted in, and then the time it is left alone.
    pub fail_timeout_ms: u64,
    /// Used only when no other server can be.
    pub backup: bool,
    /// Marked as permanently out of use.
    pub down: bool,
    /// Gets only the requests that belong to it.
    pub drain: bool,
    /// For how long after it has recovered its weight grows from nothing; 0 gives it all at once.
    pub slow_start_ms: u64,
    /// What requests that belong to it name; empty where none do.
    pub route: String,
    /// Whether checks decide.
    pub checks: Checks,
}

impl PeerSettings {
    /// A server of which nothing is said but its name: of weight 1, and left alone for 10 s after a failure.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            weight: 1,
            max_conns: 0,
            max_fails: 1,
            fail_timeout_ms: 10_000,
            backup: false,
            down: false,
            drain: false,
            slow_start_ms: 0,
            route: String::new(),
            checks: Checks::None,
        }
    }
}

/// Whether requests are sent to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Requests are sent to it.
    Up,
    /// The configuration says `down`.
    Down,
    /// Only requests that belong to it are sent to it.
    Draining,
    /// It has failed `max_fails` times: at most one request in `fail_timeout` tries it.
    Unavailable,
    /// Checks have found it not well.
    Unhealthy,
    /// A check that has to pass first has not come to an end.
    Checking,
}

/// How an attempt at a server ended, as far as its health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Success,
    /// It failed.
    Failure,
    /// The end was not its doing: the client went away.
    Neutral,
}

/// A change of a server's state that an outcome brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Its `max_fails`-th failure made it unavailable.
    Down {
        /// Index into [`crate::Group::peers`].
        peer: usize,
    },
    /// The first success after that.
    Up {
        /// Index into [`crate::Group::peers`].
        peer: usize,
    },
}

/// A server of a group. All threads see the same failures; races between them can at worst count one too many or few.
#[derive(Debug)]
pub struct Peer {
    settings: PeerSettings,
    /// The only server of its group: there is nowhere else to go, so failures do not count.
    single: bool,
    /// How it is chosen depends on what it has in flight.
    counts: bool,
    /// It may be ejected.
    is_judged: bool,
    health: Arc<Health>,
}

/// In the place of a time: the slow start of a server that was put back begins with the next request.
const PUT_BACK: u64 = u64::MAX;

/// What answers have shown of a server. It outlives a change of the server's settings: a reload must not forget that a
/// server is down, nor what it is working on.
#[derive(Debug, Default)]
struct Health {
    fails: AtomicU32,
    /// When it last failed.
    accessed_ms: AtomicU64,
    /// When it last failed, or was last tried after `fail_timeout` had passed. `accessed_ms <= checked_ms`; they differ
    /// while a try has not failed since.
    checked_ms: AtomicU64,
    in_flight: AtomicU32,
    since_ms: AtomicU64,
    /// When it last recovered; 0 when it never did, [`PUT_BACK`] when it was put back and not looked at since.
    recovered_ms: AtomicU64,
    checked: Checked,
    /// Since when it is unavailable or unhealthy; 0 while it is neither.
    down_since_ms: AtomicU64,
    /// For how long it was, before that.
    down_ms: AtomicU64,
    latency: Latency,
    standing: Standing,
}

impl Peer {
    /// What the configuration says of it.
    pub fn settings(&self) -> &PeerSettings {
        &self.settings
    }

    /// Whether requests are sent to it.
    pub fn state(&self) -> State {
        match () {
            () if self.settings.down => State::Down,
            () if self.is_unhealthy() => State::Unhealthy,
            () if !self.is_checked_well() => State::Checking,
            () if self.settings.drain => State::Draining,
            () if self.has_failed() || self.is_ejected() => State::Unavailable,
            () => State::Up,
        }
    }

    /// When its state last changed; 0 when it never did.
    pub fn since_ms(&self) -> u64 {
        self.health.since_ms.load(Relaxed)
    }

    /// Failures counted and not forgiven yet.
    pub fn fails(&self) -> u32 {
        self.health.fails.load(Relaxed)
    }

    /// Whether it has recovered so lately that it gets less than its share.
    pub fn starts_slowly(&self, now_ms: u64) -> bool {
        match self.health.recovered_ms.load(Relaxed) {
            0 => false,
            PUT_BACK => self.settings.slow_start_ms > 0,
            recovered_ms => now_ms.saturating_sub(recovered_ms) < self.settings.slow_start_ms,
        }
    }

    /// Requests in flight, counted only for a server with `max_conns` and where they decide how servers are chosen: the
    /// others need no shared counter.
    pub fn in_flight(&self) -> u32 {
        self.health.in_flight.load(Relaxed)
    }

    /// Whether checks have found it not well.
    #[inline]
    pub fn is_unhealthy(&self) -> bool {
        self.settings.checks != Checks::None && self.health.checked.found() == Some(false)
    }

    /// What checks have found of it: whether it is well, or nothing yet.
    pub fn found_well(&self) -> Option<bool> {
        self.health.checked.found()
    }

    /// Counts a check.
    pub fn count_check(&self, passed: bool) {
        self.health.checked.count(passed);
    }

    /// Takes what its checks say together. True where that changed its state.
    pub fn set_well(&self, is_well: bool, now_ms: u64) -> bool {
        let noted = self.health.checked.set(is_well, self.settings.checks);
        if !noted.is_new {
            return false;
        }
        if !is_well {
            self.note_down(now_ms);
        } else if noted.was_out {
            // What it has failed in before it came back is over.
            self.health.fails.store(0, Relaxed);
            self.health.recovered_ms.store(now_ms.max(1), Relaxed);
            self.note_up(now_ms);
        } else {
            return false;
        }
        self.health.since_ms.store(now_ms, Relaxed);
        true
    }

    /// Counts of its checks.
    pub fn check_counts(&self) -> CheckCounts {
        self.health.checked.counts()
    }

    /// Since when it is unavailable or unhealthy, if it is.
    pub fn down_since_ms(&self) -> Option<u64> {
        Some(self.health.down_since_ms.load(Relaxed)).filter(|since_ms| *since_ms > 0)
    }

    /// For how long it has been so, in all.
    pub fn down_ms(&self, now_ms: u64) -> u64 {
        let now = self.down_since_ms().map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
        self.health.down_ms.load(Relaxed).saturating_add(now)
    }

    /// It has answered after so long.
    pub fn answered(&self, measure: Measure, took_ms: u64, now_ms: u64) {
        self.health.latency.answered(measure, took_ms, now_ms);
    }

    /// It has failed after so long, or answered with an error.
    pub fn failed(&self, measure: Measure, took_ms: u64, now_ms: u64) {
        self.health.latency.failed(measure, took_ms, now_ms);
    }

    /// A client has given up waiting for its answer after so long.
    pub fn given_up(&self, measure: Measure, waited_ms: u64, now_ms: u64) {
        self.health.latency.given_up(measure, waited_ms, now_ms);
    }

    /// A request to it was answered well after so long, as far as its standing among the others is concerned.
    pub fn count_answer(&self, took_ms: u64) {
        self.health.standing.answered(took_ms);
    }

    /// A request to it failed, or was answered with an error.
    pub fn count_error(&self) {
        self.health.standing.failed();
    }

    /// An answer that was counted broke off.
    pub fn count_cut(&self) {
        self.health.standing.cut();
    }

    /// Whether it gets no requests because it stands out.
    #[inline]
    pub fn is_ejected(&self) -> bool {
        self.is_judged && self.health.standing.is_ejected()
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.health.standing
    }

    /// Whether the configuration has requests sent to it.
    pub(crate) fn is_used(&self) -> bool {
        !self.settings.down && !self.settings.drain
    }

    /// Whether requests or checks have put it out of service.
    pub(crate) fn is_out(&self) -> bool {
        self.has_failed() || self.is_ejected() || !self.is_checked_well()
    }

    /// Puts it out of service for a while, and says for how long.
    pub(crate) fn eject(&self, rule: &OutlierRule, now_ms: u64) -> u64 {
        let for_ms = self.health.standing.eject(rule, now_ms);
        self.health.since_ms.store(now_ms, Relaxed);
        self.note_down(now_ms);
        for_ms
    }

    /// Its time out of service is over: it begins slowly, as one that has failed does.
    pub(crate) fn come_back(&self, now_ms: u64) {
        self.health.since_ms.store(now_ms, Relaxed);
        self.health.recovered_ms.store(now_ms.max(1), Relaxed);
        self.note_up(now_ms);
    }

    pub(crate) fn judged(mut self, is_judged: bool) -> Self {
        self.is_judged = is_judged;
        self
    }

    /// A request that it was picked for at that time waits no more.
    pub fn end_wait(&self, picked_ms: u64) {
        self.health.latency.end_wait(picked_ms);
    }

    pub(crate) fn begin_wait(&self, now_ms: u64) {
        self.health.latency.begin_wait(now_ms);
    }

    pub(crate) fn expected_ms(&self, measure: Measure, now_ms: u64) -> Option<f64> {
        self.health.latency.expected_ms(measure, now_ms)
    }

    /// What of a weight it has now: the part of `slow_start` that has passed since it recovered, and never nothing.
    pub(crate) fn eased(&self, weight: i64, now_ms: u64) -> i64 {
        let slow_ms = self.settings.slow_start_ms;
        if slow_ms == 0 {
            return weight;
        }
        let mut recovered_ms = self.health.recovered_ms.load(Relaxed);
        if recovered_ms == PUT_BACK {
            recovered_ms = now_ms.max(1);
            self.health.recovered_ms.store(recovered_ms, Relaxed);
        }
        let passed_ms = now_ms.saturating_sub(recovered_ms);
        if recovered_ms == 0 || passed_ms >= slow_ms {
            return weight;
        }
        let part = i128::from(weight) * i128::from(passed_ms) / i128::from(slow_ms);
        i64::try_from(part).unwrap_or(weight).max(weight.min(1))
    }

    pub(crate) fn new(mut settings: PeerSettings, single: bool, counts: bool) -> Self {
        settings.weight = settings.weight.max(1);
        let counts = counts || settings.max_conns > 0;
        Self { settings, single, counts, is_judged: false, health: Arc::default() }
    }

    /// From now on it is known to be what `other` is: the same server, under other settings.
    pub(crate) fn share_health(&mut self, other: &Self) {
        self.health = Arc::clone(&other.health);
        if other.is_set_aside() && !self.is_set_aside() {
            self.health.recovered_ms.store(PUT_BACK, Relaxed);
        }
        if other.settings.down && !self.settings.down && self.settings.checks != Checks::None {
            // Nobody has asked it meanwhile: what was known of it may be of another time.
            self.health.checked.await_first();
        } else if other.settings.checks == Checks::None {
            // A check that is new says no to nobody before it was made.
            self.health.checked.take_for_well();
        }
    }

    /// Whether a request may go to it now, if that belongs to it or it does not drain.
    pub(crate) fn may_be_tried(&self, now_ms: u64) -> bool {
        let is_in_use = !self.settings.down && self.is_checked_well();
        is_in_use && !self.is_full() && (!self.has_failed() || self.is_due(now_ms))
    }

    /// Takes it for a request. False when another thread was quicker to take its last free place or its probe.
    pub(crate) fn claim(&self, now_ms: u64) -> bool {
        self.claim_probe(now_ms) && self.claim_place()
    }

    /// Gives it back after a request.
    pub(crate) fn release(&self, peer: usize, outcome: Outcome, now_ms: u64) -> Option<Transition> {
        if self.counts {
            // Saturating: a release too many must not turn into four thousand million requests in flight.
            let _ = self.health.in_flight.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1));
        }
        match outcome {
            _ if self.single => None,
            Outcome::Failure => self.fail(now_ms).then_some(Transition::Down { peer }),
            Outcome::Success => self.succeed(now_ms).then_some(Transition::Up { peer }),
            Outcome::Neutral => None,
        }
    }

    /// Whether somebody has said that it gets no new requests.
    fn is_set_aside(&self) -> bool {
        self.settings.down || self.settings.drain
    }

    /// Whether checks, where there are any, let requests be sent to it.
    fn is_checked_well(&self) -> bool {
        self.health.checked.allows(self.settings.checks)
    }

    fn note_down(&self, now_ms: u64) {
        let _ = self.health.down_since_ms.compare_exchange(0, now_ms.max(1), Relaxed, Relaxed);
    }

    /// Its time out is over, unless there is something else that puts it out.
    pub(crate) fn note_up(&self, now_ms: u64) {
        if self.has_failed() || self.is_unhealthy() || self.is_ejected() {
            return;
        }
        let since_ms = self.health.down_since_ms.swap(0, Relaxed);
        if since_ms > 0 {
            self.health.down_ms.fetch_add(now_ms.saturating_sub(since_ms), Relaxed);
        }
    }

    /// Whether it is left alone after failures in a row.
    pub fn has_failed(&self) -> bool {
        let max_fails = self.settings.max_fails;
        max_fails > 0 && self.health.fails.load(Relaxed) >= max_fails
    }

    fn is_due(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.health.checked_ms.load(Relaxed)) > self.settings.fail_timeout_ms
    }

    fn is_full(&self) -> bool {
        let max_conns = self.settings.max_conns;
        max_conns > 0 && self.health.in_flight.load(Relaxed) >= max_conns
    }

    /// Notes the time of a try that comes more than `fail_timeout` after the last: its success forgives the failures.
    /// Of an unavailable server one thread alone gets the probe.
    fn claim_probe(&self, now_ms: u64) -> bool {
        let checked = self.health.checked_ms.load(Relaxed);
        if now_ms.saturating_sub(checked) <= self.settings.fail_timeout_ms {
            return !self.has_failed();
        }
        if !self.has_failed() {
            self.health.checked_ms.store(now_ms, Relaxed);
            return true;
        }
        self.health.checked_ms.compare_exchange(checked, now_ms, Relaxed, Relaxed).is_ok()
    }

    fn claim_place(&self) -> bool {
        let max_conns = self.settings.max_conns;
        let place = |n: u32| if max_conns == 0 || n < max_conns { n.checked_add(1) } else { None };
        !self.counts || self.health.in_flight.fetch_update(Relaxed, Relaxed, place).is_ok()
    }

    /// True when this failure made it unavailable.
    fn fail(&self, now_ms: u64) -> bool {
        // Not load and store: of several threads that see a failure at once, exactly one reports the change.
        let more = |n: u32| Some(n.saturating_add(1));
        let before = self.health.fails.fetch_update(Relaxed, Relaxed, more).unwrap_or(u32::MAX);
        self.health.accessed_ms.store(now_ms, Relaxed);
        self.health.checked_ms.store(now_ms, Relaxed);
        let crossed = self.settings.max_fails > 0 && before.saturating_add(1) == self.settings.max_fails;
        if crossed {
            self.health.since_ms.store(now_ms, Relaxed);
            self.note_down(now_ms);
        }
        crossed
    }

    /// True when this success made it available again.
    fn succeed(&self, now_ms: u64) -> bool {
        if self.health.fails.load(Relaxed) == 0
            || self.health.accessed_ms.load(Relaxed) >= self.health.checked_ms.load(Relaxed)
        {
            return false;
        }
        let before = self.health.fails.swap(0, Relaxed);
        let recovered = self.settings.max_fails > 0 && before >= self.settings.max_fails;
        if recovered {
            self.health.since_ms.store(now_ms, Relaxed);
            self.health.recovered_ms.store(now_ms, Relaxed);
            self.note_up(now_ms);
        }
        recovered
    }
}

#[cfg(test)]
mod tests;
