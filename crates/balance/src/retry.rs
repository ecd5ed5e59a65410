//! The retry rule: what becomes of a request whose attempt failed before any of the answer was passed on.
//!
//! It follows `proxy_next_upstream`, with one addition: a kept connection that turns out to be closed says nothing of
//! the server's health, so the request goes to the same server again over a fresh one.

use crate::budget::RetryBudget;
use crate::peer::Outcome;

/// `proxy_next_upstream` and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "one flag a word of the directive")]
pub struct RetryRule {
    /// `error`: a connection could not be made, broke, or closed before the answer.
    pub error: bool,
    /// `timeout`.
    pub timeout: bool,
    /// `invalid_header`: an empty or malformed answer.
    pub invalid_header: bool,
    /// `non_idempotent`: POST, LOCK and PATCH may be repeated though they were sent.
    pub non_idempotent: bool,
    /// `http_NNN`.
    pub statuses: StatusSet,
    /// `proxy_next_upstream_tries`; 0 is no limit.
    pub tries: u32,
    /// `proxy_next_upstream_timeout`; 0 is no limit.
    pub timeout_ms: u64,
}

/// A set of the statuses that `proxy_next_upstream` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusSet(u8);

impl StatusSet {
    /// The set of these statuses; any other than the seven that can be named is left out.
    pub fn new(statuses: &[u16]) -> Self {
        Self(statuses.iter().fold(0, |bits, &status| bits | bit(status)))
    }

    /// Whether it holds this status.
    pub fn contains(self, status: u16) -> bool {
        self.0 & bit(status) != 0
    }
}

/// The bit of each status that there can be.
fn bit(status: u16) -> u8 {
    match status {
        403 => 1,
        404 => 2,
        429 => 4,
        500 => 8,
        502 => 16,
        503 => 32,
        504 => 64,
        _ => 0,
    }
}

/// How an attempt failed, before any of the answer was passed on to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection.
    Connect {
        /// It took longer than `proxy_connect_timeout`.
        timed_out: bool,
    },
    /// The request could not be written.
    Send {
        /// The server took nothing for `proxy_send_timeout`.
        timed_out: bool,
    },
    /// The connection broke or closed before the answer's head was whole.
    Receive {
        /// The server sent nothing for `proxy_read_timeout`.
        timed_out: bool,
    },
    /// The answer is no HTTP.
    InvalidHeader,
    /// Checks have found the server not well while its answer was waited for.
    Unhealthy,
    /// The answer has this status; [`RetryRule::concerns`] says of which statuses the rule wants to know.
    Status(u16),
}

/// What is known of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each of which the rule asks for")]
pub struct Exchange {
    /// The connection had served a request before.
    pub reused: bool,
    /// At least a byte of the request was written.
    pub anything_written: bool,
    /// At least a byte of an answer was read.
    pub any_answer_byte: bool,
    /// The method may be repeated: any but POST, LOCK and PATCH.
    pub idempotent: bool,
    /// All of the request's body that was taken from the client is still in memory.
    pub replayable: bool,
    /// The request went over a fresh connection already, because a kept one was closed.
    pub fresh_retry_done: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A kept connection was closed by its server: the same server again over a fresh one, neither released nor picked
    /// anew, and not counted as a try.
    SamePeerFresh,
    /// Release the server and pick another one.
    NextPeer,
    /// Answer the client with this status: 502 or 504.
    Finish {
        /// The status.
        status: u16,
    },
    /// Pass the upstream's own answer on.
    PassOn,
}

impl RetryRule {
    /// `proxy_next_upstream off`.
    pub const OFF: Self = Self {
        error: false,
        timeout: false,
        invalid_header: false,
        non_idempotent: false,
        statuses: StatusSet(0),
        tries: 0,
        timeout_ms: 0,
    };

    /// How many servers a request may be sent to in all, of a group that has so many ([`crate::Group::tries`]).
    pub fn tries_of(&self, group_tries: u32) -> u32 {
        if self.tries == 0 { group_tries } else { group_tries.min(self.tries) }
    }

    /// Whether an answer with this status is a [`Failure::Status`] to ask the rule about.
    pub fn concerns(&self, status: u16) -> bool {
        self.statuses.contains(status)
    }

    /// What to do after a failure. `tries_left` is how many servers the request may be sent to after this one; times
    /// are of the request's first attempt and of now.
    pub fn judge(
        &self,
        failure: Failure,
        exchange: &Exchange,
        tries_left: u32,
        started_ms: u64,
        now_ms: u64,
    ) -> Verdict {
        let repeatable = self.is_repeatable(exchange);
        if repeatable && !exchange.fresh_retry_done && is_keepalive_race(failure, exchange) {
            return Verdict::SamePeerFresh;
        }
        let in_time = self.timeout_ms == 0 || now_ms.saturating_sub(started_ms) < self.timeout_ms;
        if self.names(failure) && repeatable && tries_left > 0 && in_time {
            return Verdict::NextPeer;
        }
        match failure {
            Failure::Status(_) => Verdict::PassOn,
            _ if timed_out(failure) => Verdict::Finish { status: 504 },
            _ => Verdict::Finish { status: 502 },
        }
    }

    /// The same where retries are limited, and whether that is what keeps the request from another server: then it
    /// ends as it does after its last try.
    pub fn judge_within(
        &self,
        budget: Option<&RetryBudget>,
        failure: Failure,
        exchange: &Exchange,
        tries_left: u32,
        (started_ms, now_ms): (u64, u64),
    ) -> (Verdict, bool) {
        let verdict = self.judge(failure, exchange, tries_left, started_ms, now_ms);
        let is_denied = verdict == Verdict::NextPeer && budget.is_some_and(|budget| !budget.spend(now_ms));
        if is_denied {
            return (self.judge(failure, exchange, 0, started_ms, now_ms), true);
        }
        (verdict, false)
    }

    /// What to [`release`](crate::Balancer::release) the server with after that verdict. A status counts against it
    /// only when the request goes elsewhere, and 403 and 404 never do, as in nginx; nor does a kept connection's end.
    pub fn outcome(&self, failure: Failure, exchange: &Exchange, verdict: Verdict) -> Outcome {
        match failure {
            Failure::Unhealthy => Outcome::Neutral,
            _ if is_keepalive_race(failure, exchange) => Outcome::Neutral,
            _ if verdict == Verdict::PassOn || !self.counts_as_failure(failure) => Outcome::Success,
            _ => Outcome::Failure,
        }
    }

    /// Whether this failure, when the request goes to another server because of it, counts towards `max_fails`.
    pub fn counts_as_failure(&self, failure: Failure) -> bool {
        match failure {
            Failure::Status(403 | 404) | Failure::Unhealthy => false,
            Failure::Status(status) => self.statuses.contains(status),
            _ => true,
        }
    }

    /// Whether `proxy_next_upstream` names this failure.
    fn names(&self, failure: Failure) -> bool {
        match failure {
            Failure::Status(status) => self.statuses.contains(status),
            Failure::InvalidHeader => self.invalid_header,
            Failure::Unhealthy => self.error || self.timeout,
            _ if timed_out(failure) => self.timeout,
            _ => self.error,
        }
    }

    /// Whether the request can be, and may be, sent once more.
    fn is_repeatable(&self, exchange: &Exchange) -> bool {
        let may = exchange.idempotent || self.non_idempotent;
        !exchange.anything_written || (may && exchange.replayable)
    }
}

fn timed_out(failure: Failure) -> bool {
    match failure {
        Failure::Connect { timed_out } | Failure::Send { timed_out } | Failure::Receive { timed_out } => timed_out,
        Failure::Unhealthy => true,
        Failure::InvalidHeader | Failure::Status(_) => false,
    }
}

/// A kept connection that the server closed while, or before, the request was on its way.
fn is_keepalive_race(failure: Failure, exchange: &Exchange) -> bool {
    let broken = matches!(failure, Failure::Send { timed_out: false } | Failure::Receive { timed_out: false });
    broken && exchange.reused && !exchange.any_answer_byte
}

#[cfg(test)]
mod tests;
