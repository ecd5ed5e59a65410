//! `retry_budget`: which share of an upstream's requests may go to another server after a failure.
//!
//! Where all servers fail, each request would be tried on all of them: retries multiply the load when there is too much
//! of it already. So they may be a part only of the requests of the last seconds, and a few where there are hardly any.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Requests and retries of so many stretches of time count, the one that goes on included.
const SLOTS: u64 = 10;
const SLOT_MS: u64 = 1_000;

/// What the configuration says of an upstream's retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryShare {
    /// Retries to a hundred requests.
    pub percent: u32,
    /// Retries in ten seconds beyond that share, so that few requests can be retried at all.
    pub least: u32,
}

/// The retries of an upstream, as all threads count them.
#[derive(Debug)]
pub struct RetryBudget {
    share: RetryShare,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: Window,
    retries: Window,
    /// Retries that were not made.
    denied: AtomicU64,
}

/// What a budget has seen in the last ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetCounts {
    /// Requests.
    pub requests: u64,
    /// Retries that were made.
    pub retries: u64,
    /// Retries that were not made, since they were counted anew.
    pub denied: u64,
}

impl RetryBudget {
    /// A budget that nothing was spent of.
    pub fn new(share: RetryShare) -> Self {
        Self { share, counts: Arc::default() }
    }

    /// The same for an upstream that takes the place of another one: what was spent stays spent.
    pub fn after(self, previous: &Self) -> Self {
        Self { counts: Arc::clone(&previous.counts), ..self }
    }

    /// What the configuration says of it.
    pub fn share(&self) -> RetryShare {
        self.share
    }

    /// Counts a request, of which retries are a share.
    pub fn count(&self, now_ms: u64) {
        self.counts.requests.add(now_ms);
    }

    /// Whether a retry could be made now.
    pub fn may_spend(&self, now_ms: u64) -> bool {
        self.counts.retries.sum(now_ms) < self.allowed(now_ms)
    }

    /// Takes a retry out of the budget; false where there is none left.
    pub fn spend(&self, now_ms: u64) -> bool {
        let Counts { retries, denied, .. } = &*self.counts;
        // First counted, then looked at: of several threads that want the last one, none gets one too many.
        retries.add(now_ms);
        let has_spent = retries.sum(now_ms) <= self.allowed(now_ms);
        if !has_spent {
            retries.take_back(now_ms);
            denied.fetch_add(1, Relaxed);
        }
        has_spent
    }

    /// What it has seen.
    pub fn counts(&self, now_ms: u64) -> BudgetCounts {
        let Counts { requests, retries, denied } = &*self.counts;
        BudgetCounts { requests: requests.sum(now_ms), retries: retries.sum(now_ms), denied: denied.load(Relaxed) }
    }

    /// Counts retries that were not made anew.
    pub fn begin_anew(&self) {
        self.counts.denied.store(0, Relaxed);
    }

    fn allowed(&self, now_ms: u64) -> u64 {
        let share = self.counts.requests.sum(now_ms).saturating_mul(u64::from(self.share.percent)) / 100;
        share.saturating_add(u64::from(self.share.least))
    }
}

/// Events of the last ten seconds: for each of these its number above, and below how many there were.
#[derive(Debug, Default)]
struct Window([AtomicU64; SLOTS as usize]);

const COUNT_BITS: u32 = 32;

impl Window {
    fn add(&self, now_ms: u64) {
        let slot = now_ms / SLOT_MS;
        let more = |held: u64| {
            let is_over = held >> COUNT_BITS < slot;
            Some(if is_over { slot << COUNT_BITS | 1 } else { held.saturating_add(1) })
        };
        let _ = self.of(slot).fetch_update(Relaxed, Relaxed, more);
    }

    fn take_back(&self, now_ms: u64) {
        let slot = now_ms / SLOT_MS;
        let less = |held: u64| (held >> COUNT_BITS == slot && count(held) > 0).then(|| held - 1);
        let _ = self.of(slot).fetch_update(Relaxed, Relaxed, less);
    }

    fn sum(&self, now_ms: u64) -> u64 {
        let oldest = (now_ms / SLOT_MS).saturating_sub(SLOTS - 1);
        let held = self.0.iter().map(|slot| slot.load(Relaxed));
        held.filter(|held| held >> COUNT_BITS >= oldest).map(count).sum()
    }

    fn of(&self, slot: u64) -> &AtomicU64 {
        &self.0[(slot % SLOTS) as usize]
    }
}

fn count(held: u64) -> u64 {
    held & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: RetryShare = RetryShare { percent: 20, least: 3 };

    /// How many retries there are at this time, at the most.
    fn spent(budget: &RetryBudget, now_ms: u64) -> u64 {
        (0..10_000).take_while(|_| budget.spend(now_ms)).count() as u64
    }

    #[test]
    fn retries_are_a_share_of_the_last_seconds_requests_and_a_few() {
        // Requests, when they came, when retries are asked for, and how many there are.
        let table = [
            (0, 0, 0, 3),
            (4, 1_000, 1_000, 3),
            (5, 1_000, 1_000, 4),
            (100, 1_000, 1_000, 23),
            (100, 1_000, 10_999, 23),
            (100, 1_999, 11_000, 3),
            (100, 1_000, 5_000_000, 3),
        ];
        for (requests, came_ms, now_ms, expected) in table {
            let budget = RetryBudget::new(SHARE);
            (0..requests).for_each(|_| budget.count(came_ms));
            assert_eq!(spent(&budget, now_ms), expected, "{requests} requests at {came_ms}, {now_ms}");
            assert!(!budget.may_spend(now_ms));
            assert_eq!(budget.counts(now_ms).denied, 1);
        }
        let nothing = RetryBudget::new(RetryShare { percent: 0, least: 0 });
        nothing.count(0);
        assert!(!nothing.spend(0) && !nothing.may_spend(0));
    }

    #[test]
    fn what_was_spent_comes_back_with_time() {
        let budget = RetryBudget::new(SHARE);
        (0..10).for_each(|_| budget.count(500));
        assert_eq!(spent(&budget, 900), 5);
        (0..10).for_each(|_| budget.count(9_000));
        assert_eq!(spent(&budget, 9_999), 2, "of 20 requests, five were spent");
        assert_eq!(spent(&budget, 10_000), 3, "the first ten and their retries are ten seconds old");
        assert_eq!(budget.counts(10_000), BudgetCounts { requests: 10, retries: 5, denied: 3 });
    }

    #[test]
    fn another_configuration_knows_what_was_spent() {
        let old = RetryBudget::new(SHARE);
        (0..100).for_each(|_| old.count(0));
        assert_eq!(spent(&old, 0), 23);
        let new = RetryBudget::new(RetryShare { percent: 30, least: 0 }).after(&old);
        assert_eq!(spent(&new, 0), 7);
    }

    #[test]
    fn threads_never_spend_more_than_there_is() {
        let budget = RetryBudget::new(RetryShare { percent: 50, least: 0 });
        let made: u64 = std::thread::scope(|scope| {
            let worker = || (0..2_000).filter(|_| (budget.count(0), budget.spend(0)).1).count() as u64;
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert!(made <= 4_000, "{made}");
        assert!(made > 3_000, "{made}");
    }
}
