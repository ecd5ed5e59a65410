//! Where a request stands between its attempts, and what a failed one leads to. The socket, the clock and the log are
//! the caller's, so that a simulation can drive it.

use balance::{Exchange as Known, Failure, Group, Outcome, RetryBudget, RetryRule, Verdict};
use route::ProxyRule;

use crate::limits::FRESH_ENOUGH_MS;
use crate::snapshot::retry_rule;

/// What a failure leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// How its server did: to be released so, unless it is asked again or its answer passed on.
    pub(crate) outcome: Outcome,
    /// The request would have gone to another server, had there been retries left in the upstream's budget.
    pub(crate) is_denied: bool,
}

/// One request's way from server to server.
#[derive(Debug)]
pub(crate) struct Course {
    retry: RetryRule,
    started_ms: u64,
    tries_left: u32,
    fresh_retry_done: bool,
}

impl Course {
    /// Before the first attempt; `group_tries` is how many servers there are to be tried.
    pub(crate) fn new(retry: RetryRule, group_tries: u32, now_ms: u64) -> Self {
        let tries_left = retry.tries_of(group_tries);
        Self { retry, started_ms: now_ms, tries_left, fresh_retry_done: false }
    }

    /// In the first attempt at a group's servers.
    pub(crate) fn first(rule: &ProxyRule, group: &Group, now_ms: u64) -> Self {
        let mut course = Self::new(retry_rule(rule), group.tries(), now_ms);
        course.picked();
        course
    }

    /// A server was picked for the next attempt.
    pub(crate) fn picked(&mut self) {
        self.tries_left = self.tries_left.saturating_sub(1);
        self.fresh_retry_done = false;
    }

    /// Whether the next attempt must not take a kept connection: one was closed under the last attempt.
    pub(crate) fn wants_fresh(&self) -> bool {
        self.fresh_retry_done
    }

    /// Whether an answer with this status is a failure to be judged.
    pub(crate) fn concerns(&self, status: u16) -> bool {
        self.retry.concerns(status)
    }

    /// Whether a request that waits for a server that is not well goes to another one.
    pub(crate) fn leaves(&self, known: Known, budget: Option<&RetryBudget>, now_ms: u64) -> bool {
        budget.is_none_or(|budget| budget.may_spend(now_ms))
            && self.retry.judge(Failure::Unhealthy, &known, self.tries_left, self.started_ms, now_ms)
                == Verdict::NextPeer
    }

    /// What becomes of the request after a failure; a retry is taken out of the budget.
    pub(crate) fn judge(
        &mut self,
        failure: Failure,
        known: Known,
        budget: Option<&RetryBudget>,
        now_ms: u64,
    ) -> Judged {
        let known = Known { fresh_retry_done: self.fresh_retry_done, ..known };
        let times = (self.started_ms, now_ms);
        let (verdict, is_denied) = self.retry.judge_within(budget, failure, &known, self.tries_left, times);
        self.fresh_retry_done |= verdict == Verdict::SamePeerFresh;
        Judged { verdict, outcome: self.retry.outcome(failure, &known, verdict), is_denied }
    }
}

/// How long a kept connection may have been idle to take a request: one that must not be repeated must not meet a
/// server that is closing.
pub(crate) fn idle_limit_ms(is_idempotent: bool) -> u64 {
    if is_idempotent { u64::MAX } else { FRESH_ENOUGH_MS }
}
