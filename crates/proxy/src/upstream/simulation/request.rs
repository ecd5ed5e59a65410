//! One simulated request, and what must hold of it whatever happened.

use balance::{Attempts, Exchange as Known, Failure, RetryRule};

use super::servers::End;
use crate::upstream::course::Course;
use crate::upstream::pool::Link;

/// A request under way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) course: Course,
    pub(super) attempts: Attempts,
    pub(super) key: Vec<u8>,
    pub(super) is_idempotent: bool,
    pub(super) is_replayable: bool,
    pub(super) thread: usize,
    pub(super) peer: usize,
    pub(super) known: Known,
    /// While it is being sent or answered.
    pub(super) link: Option<Box<Link<End>>>,
    /// Counts the stages of its attempts: what an earlier one has set going no longer concerns it.
    pub(super) stage: u64,
    /// A kept connection to this server was closed under it: what follows goes over a fresh one.
    pub(super) has_raced: bool,
    /// Servers picked for it.
    pub(super) picks: u32,
    pub(super) started_ms: u64,
}

/// Whether the rule, read anew, lets the request go to another server after this failure. `tries` are all it has.
pub(super) fn may_go_on(rule: &RetryRule, request: &Request, failure: Failure, tries: u32, now_ms: u64) -> bool {
    let is_named = match failure {
        Failure::Status(status) => rule.concerns(status),
        Failure::InvalidHeader => rule.invalid_header,
        Failure::Unhealthy => rule.error || rule.timeout,
        _ if timed_out(failure) => rule.timeout,
        _ => rule.error,
    };
    let is_in_time = rule.timeout_ms == 0 || now_ms - request.started_ms < rule.timeout_ms;
    is_named && is_repeatable(rule, request) && is_in_time && request.picks < tries
}

/// Whether the request may be sent again: nothing of it was sent, or it does no harm and is still here.
pub(super) fn is_repeatable(rule: &RetryRule, request: &Request) -> bool {
    let is_harmless = request.is_idempotent || rule.non_idempotent;
    !request.known.anything_written || (is_harmless && request.is_replayable)
}

/// Whether a kept connection broke before a byte of the answer came.
pub(super) fn is_race(request: &Request, failure: Failure) -> bool {
    let broke = matches!(failure, Failure::Send { .. } | Failure::Receive { .. }) && !timed_out(failure);
    broke && request.known.reused && !request.known.any_answer_byte
}

fn timed_out(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Connect { timed_out: true } | Failure::Send { timed_out: true } | Failure::Receive { timed_out: true }
    )
}
