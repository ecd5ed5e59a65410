//! `outlier_ejection`: a server that fails, or answers late, far more than the others gets no requests for a while.
//!
//! Each interval is judged for itself, by whichever thread comes first. Never more than half of the servers are out,
//! those included that are out for other reasons; and where no other server may be tried, one that is ejected serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::group::Group;
use crate::peer::Peer;

/// A server's errors are an outlier's only if they are half as many again as those of the others: what all of them
/// share is no one server's fault.
const ABOVE_OTHERS: f64 = 1.5;
/// Answers that are quicker are never late, whatever the others' are: times are read a millisecond at a time.
const LEAST_LATE_MS: f64 = 10.0;

/// What the configuration says of servers that stand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutlierRule {
    /// Errors to a hundred requests that make a server one.
    pub errors_percent: Option<u32>,
    /// How many times as long as the others' its answers take that is one.
    pub latency_times: Option<u32>,
    /// Requests in an interval without which nothing is said of a server.
    pub min_requests: u32,
    /// How long requests are counted before they are judged.
    pub interval_ms: u64,
    /// How long it is out at the first time; at the second in a row twice as long, and so on.
    pub time_ms: u64,
    /// How long at the most.
    pub max_time_ms: u64,
}

/// A change of a server that intervals have brought about.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It gets no requests for a while.
    Ejected {
        /// Index into [`Group::peers`].
        peer: usize,
        /// Why.
        why: Outlier,
        /// For how long.
        for_ms: u64,
    },
    /// Its time is over.
    Returned {
        /// Index into [`Group::peers`].
        peer: usize,
    },
}

/// In what a server stands out, with the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outlier {
    /// So many of its requests failed, and so many of the others'.
    Errors {
        /// Its own errors and requests.
        own: (u64, u64),
        /// The others'.
        others: (u64, u64),
    },
    /// Its answers took so long in the mean.
    Late {
        /// Its own time, in milliseconds.
        own_ms: f64,
        /// The others', the one in their middle.
        others_ms: f64,
    },
}

impl Outlier {
    /// How far it stands out: errors first.
    fn rank(self) -> f64 {
        match self {
            Self::Errors { own, .. } => 1e9 + rate(own),
            Self::Late { own_ms, others_ms } => own_ms / others_ms.max(1.0),
        }
    }
}

/// What a group needs for it.
#[derive(Debug)]
pub(crate) struct Outliers {
    rule: OutlierRule,
    /// When the interval ends; 0 before the first one.
    end_ms: Arc<AtomicU64>,
}

impl Outliers {
    pub(crate) fn new(rule: OutlierRule) -> Self {
        Self { rule, end_ms: Arc::default() }
    }

    /// From now on in the same interval as the group before it.
    pub(crate) fn follow(&mut self, previous: &Self) {
        self.end_ms = Arc::clone(&previous.end_ms);
    }

    pub(crate) fn rule(&self) -> OutlierRule {
        self.rule
    }

    /// Takes back servers whose time is over; at the end of an interval judges it.
    pub(crate) fn judge(&self, group: &Group, now_ms: u64) -> Vec<Change> {
        let is_over = |peer: &&Peer| peer.standing().comes_back(now_ms);
        let back: Vec<_> = group.peers().iter().enumerate().filter(|(_, peer)| is_over(peer)).collect();
        back.iter().for_each(|(_, peer)| peer.come_back(now_ms));
        let mut changes: Vec<_> = back.iter().map(|(peer, _)| Change::Returned { peer: *peer }).collect();
        let end_ms = self.end_ms.load(Relaxed);
        let next_ms = now_ms.saturating_add(self.rule.interval_ms);
        let is_due = end_ms <= now_ms;
        // One thread judges; the first one only begins to count.
        if !is_due || self.end_ms.compare_exchange(end_ms, next_ms, Relaxed, Relaxed).is_err() {
            return changes;
        }
        let counts: Vec<Counts> = group.peers().iter().map(|peer| peer.standing().take()).collect();
        if end_ms > 0 {
            for among in [&group.primaries, &group.backups] {
                self.judge_among(group, among, &counts, now_ms, &mut changes);
            }
        }
        changes
    }

    fn judge_among(&self, group: &Group, among: &[usize], all: &[Counts], now_ms: u64, changes: &mut Vec<Change>) {
        let peer = |index: usize| &group.peers()[index];
        let used: Vec<usize> = among.iter().copied().filter(|index| peer(*index).is_used()).collect();
        let (out, serving): (Vec<usize>, Vec<usize>) = used.iter().partition(|index| peer(**index).is_out());
        let known = |index: &usize| all[*index].requests >= u64::from(self.rule.min_requests);
        let judged: Vec<usize> = serving.iter().copied().filter(known).collect();
        let mut found: Vec<(usize, Outlier)> = Vec::new();
        for index in &judged {
            let others: Vec<Counts> = serving.iter().filter(|other| *other != index).map(|other| all[*other]).collect();
            match self.stands_out(all[*index], &others) {
                Some(why) => found.push((*index, why)),
                None => peer(*index).standing().forgive(),
            }
        }
        found.sort_by(|(_, one), (_, other)| other.rank().total_cmp(&one.rank()));
        for (index, why) in found.into_iter().take((used.len() / 2).saturating_sub(out.len())) {
            let for_ms = peer(index).eject(&self.rule, now_ms);
            changes.push(Change::Ejected { peer: index, why, for_ms });
        }
    }

    fn stands_out(&self, own: Counts, others: &[Counts]) -> Option<Outlier> {
        self.fails(own, others).or_else(|| self.is_late(own, others))
    }

    fn fails(&self, own: Counts, others: &[Counts]) -> Option<Outlier> {
        let of = |counts: &Counts| (counts.errors.min(counts.requests), counts.requests);
        let (own, others) = (of(&own), others.iter().map(of).fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1)));
        let limit = f64::from(self.rule.errors_percent?) / 100.0;
        let is_outlier = rate(own) >= limit && rate(own) >= ABOVE_OTHERS * rate(others);
        is_outlier.then_some(Outlier::Errors { own, others })
    }

    fn is_late(&self, own: Counts, others: &[Counts]) -> Option<Outlier> {
        let times = f64::from(self.rule.latency_times?);
        let least = u64::from(self.rule.min_requests);
        let mut means: Vec<f64> = others.iter().filter_map(|counts| counts.mean_ms(least)).collect();
        means.sort_by(f64::total_cmp);
        let (own_ms, others_ms) = (own.mean_ms(least)?, *means.get(means.len() / 2)?);
        let is_outlier = own_ms >= LEAST_LATE_MS && own_ms > times * others_ms;
        is_outlier.then_some(Outlier::Late { own_ms, others_ms })
    }
}

/// The share of errors, 0 where there are no requests.
fn rate((errors, requests): (u64, u64)) -> f64 {
    errors as f64 / requests.max(1) as f64
}

/// What requests have found of a server in an interval.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u64,
    errors: u64,
    /// Those that were answered well, and how long that took in all.
    answers: u64,
    took_ms: u64,
}

impl Counts {
    fn mean_ms(&self, least: u64) -> Option<f64> {
        (self.answers >= least.max(1)).then(|| self.took_ms as f64 / self.answers as f64)
    }
}

/// How a server stands beside the others: shared by all threads.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    requests: AtomicU64,
    errors: AtomicU64,
    answers: AtomicU64,
    took_ms: AtomicU64,
    is_ejected: AtomicBool,
    /// When it comes back.
    until_ms: AtomicU64,
    /// How often it was ejected, but for intervals since in which it did well.
    times: AtomicU32,
}

impl Standing {
    pub(crate) fn is_ejected(&self) -> bool {
        self.is_ejected.load(Relaxed)
    }

    /// It answered a request well after so long.
    pub(crate) fn answered(&self, took_ms: u64) {
        self.requests.fetch_add(1, Relaxed);
        self.answers.fetch_add(1, Relaxed);
        self.took_ms.fetch_add(took_ms, Relaxed);
    }

    /// It failed a request, or answered it with an error.
    pub(crate) fn failed(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.errors.fetch_add(1, Relaxed);
    }

    /// An answer that has been counted broke off.
    pub(crate) fn cut(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    fn take(&self) -> Counts {
        let take = |count: &AtomicU64| count.swap(0, Relaxed);
        let (requests, errors) = (take(&self.requests), take(&self.errors));
        Counts { requests, errors, answers: take(&self.answers), took_ms: take(&self.took_ms) }
    }

    /// Whether its time is over; true for one thread alone.
    fn comes_back(&self, now_ms: u64) -> bool {
        self.is_ejected() && self.until_ms.load(Relaxed) <= now_ms && self.is_ejected.swap(false, Relaxed)
    }

    /// It did well for an interval.
    fn forgive(&self) {
        let _ = self.times.fetch_update(Relaxed, Relaxed, |times| times.checked_sub(1));
    }

    /// Puts it out, and says for how long.
    pub(crate) fn eject(&self, rule: &OutlierRule, now_ms: u64) -> u64 {
        let before = self.times.fetch_update(Relaxed, Relaxed, |times| Some(times.saturating_add(1)));
        let times = u64::from(before.unwrap_or(0)).saturating_add(1);
        let for_ms = rule.time_ms.saturating_mul(times).min(rule.max_time_ms.max(rule.time_ms));
        self.until_ms.store(now_ms.saturating_add(for_ms), Relaxed);
        self.is_ejected.store(true, Relaxed);
        for_ms
    }
}

#[cfg(test)]
mod tests;
