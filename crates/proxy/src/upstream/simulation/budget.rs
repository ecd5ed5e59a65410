//! The retry budget in the simulated world, held against a plain list of what came and what was tried again.

use super::world::World;

/// How long requests and retries count, in full; the stretch of time that they began in counts too.
const COUNTED_MS: u64 = 9_000;
const STRETCH_MS: u64 = 1_000;

impl World {
    pub(super) fn count_request(&mut self) {
        let now_ms = self.now();
        self.came_ms.push(now_ms);
        if let Some(budget) = &self.budget {
            budget.count(now_ms);
        }
    }

    /// A request goes to another server: there must have been few enough of these.
    pub(super) fn check_budget(&mut self) {
        let now_ms = self.now();
        self.retried_ms.push(now_ms);
        let Some(share) = self.budget.as_ref().map(balance::RetryBudget::share) else { return };
        let since = |times: &[u64], from_ms: u64| times.iter().filter(|time_ms| **time_ms >= from_ms).count() as u64;
        let requests = since(&self.came_ms, now_ms.saturating_sub(COUNTED_MS + STRETCH_MS));
        let retries = since(&self.retried_ms, now_ms.saturating_sub(COUNTED_MS));
        let allowed = requests * u64::from(share.percent) / 100 + u64::from(share.least);
        assert!(retries <= allowed, "{retries} retries of {requests} requests, with {share:?}");
    }
}
