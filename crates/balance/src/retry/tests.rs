//! Tests of the retry rule.

use super::*;

const RULE: RetryRule = RetryRule { error: true, timeout: true, ..RetryRule::OFF };
const REFUSED: Failure = Failure::Connect { timed_out: false };
const CLOSED: Failure = Failure::Receive { timed_out: false };
const SILENT: Failure = Failure::Receive { timed_out: true };
const NEXT: Verdict = Verdict::NextPeer;

const fn finish(status: u16) -> Verdict {
    Verdict::Finish { status }
}

/// A GET that was sent over a fresh connection.
const GET: Exchange = Exchange {
    reused: false,
    anything_written: true,
    any_answer_byte: false,
    idempotent: true,
    replayable: true,
    fresh_retry_done: false,
};
const POST: Exchange = Exchange { idempotent: false, ..GET };
const UNSENT_POST: Exchange = Exchange { anything_written: false, ..POST };

fn statuses(statuses: &[u16]) -> RetryRule {
    RetryRule { statuses: StatusSet::new(statuses), ..RULE }
}

#[test]
fn failures_go_to_the_next_server_where_the_directive_names_them() {
    let invalid = RetryRule { invalid_header: true, ..RULE };
    let lost_body = Exchange { replayable: false, ..GET };
    let any_post = RetryRule { non_idempotent: true, ..RULE };
    let table = [
        (RULE, REFUSED, GET, NEXT),
        (RULE, Failure::Connect { timed_out: true }, GET, NEXT),
        (RULE, Failure::Send { timed_out: false }, GET, NEXT),
        (RULE, CLOSED, GET, NEXT),
        (RULE, SILENT, GET, NEXT),
        (RULE, Failure::InvalidHeader, GET, finish(502)),
        (invalid, Failure::InvalidHeader, GET, NEXT),
        (RetryRule::OFF, REFUSED, GET, finish(502)),
        (RetryRule::OFF, SILENT, GET, finish(504)),
        (RetryRule { error: false, ..RULE }, CLOSED, GET, finish(502)),
        (RetryRule { timeout: false, ..RULE }, SILENT, GET, finish(504)),
        (RULE, Failure::Status(503), GET, Verdict::PassOn),
        (statuses(&[503]), Failure::Status(503), GET, NEXT),
        (statuses(&[503]), Failure::Status(502), GET, Verdict::PassOn),
        (statuses(&[503]), Failure::Status(503), POST, Verdict::PassOn),
        (RULE, REFUSED, UNSENT_POST, NEXT),
        (RULE, CLOSED, POST, finish(502)),
        (RULE, SILENT, POST, finish(504)),
        (any_post, CLOSED, POST, NEXT),
        (RULE, CLOSED, lost_body, finish(502)),
        (any_post, CLOSED, Exchange { replayable: false, ..POST }, finish(502)),
        (RULE, Failure::Unhealthy, GET, NEXT),
        (RULE, Failure::Unhealthy, Exchange { reused: true, ..GET }, NEXT),
        (RULE, Failure::Unhealthy, UNSENT_POST, NEXT),
        (RULE, Failure::Unhealthy, POST, finish(504)),
        (RULE, Failure::Unhealthy, lost_body, finish(504)),
        (RetryRule { error: false, ..RULE }, Failure::Unhealthy, GET, NEXT),
        (RetryRule::OFF, Failure::Unhealthy, GET, finish(504)),
    ];
    for (rule, failure, exchange, expected) in table {
        assert_eq!(rule.judge(failure, &exchange, 1, 0, 0), expected, "{failure:?} {exchange:?} {rule:?}");
    }
}

#[test]
fn tries_and_time_are_limits() {
    let rule = RetryRule { timeout_ms: 2000, ..statuses(&[502]) };
    assert_eq!(rule.judge(REFUSED, &GET, 1, 1000, 2999), NEXT);
    assert_eq!(rule.judge(REFUSED, &GET, 1, 1000, 3000), finish(502));
    assert_eq!(rule.judge(REFUSED, &GET, 0, 1000, 1000), finish(502));
    assert_eq!(rule.judge(Failure::Status(502), &GET, 0, 1000, 1000), Verdict::PassOn);
    assert_eq!([RULE.tries_of(3), RetryRule { tries: 2, ..RULE }.tries_of(3)], [3, 2]);
    assert_eq!(RetryRule { tries: 2, ..RULE }.tries_of(1), 1);
}

#[test]
fn a_kept_connection_that_was_closed_is_replaced_by_a_fresh_one_once() {
    let kept = Exchange { reused: true, ..GET };
    let kept_post = Exchange { reused: true, ..POST };
    let fresh = Verdict::SamePeerFresh;
    let table = [
        (CLOSED, kept, fresh),
        (Failure::Send { timed_out: false }, kept, fresh),
        (Failure::Send { timed_out: false }, Exchange { reused: true, ..UNSENT_POST }, fresh),
        (CLOSED, kept_post, finish(502)),
        (CLOSED, Exchange { replayable: false, ..kept }, finish(502)),
        (CLOSED, Exchange { any_answer_byte: true, ..kept }, NEXT),
        (CLOSED, Exchange { fresh_retry_done: true, ..kept }, NEXT),
        (SILENT, kept, NEXT),
        (REFUSED, kept, NEXT),
    ];
    for (failure, exchange, expected) in table {
        assert_eq!(RULE.judge(failure, &exchange, 1, 0, 0), expected, "{failure:?} {exchange:?}");
    }
    assert_eq!(RetryRule::OFF.judge(CLOSED, &kept, 0, 0, 0), fresh, "it is not a try");
    assert_eq!(RULE.outcome(CLOSED, &kept_post, finish(502)), Outcome::Neutral, "nor a failure");
}

#[test]
fn failures_count_against_a_server_as_in_nginx() {
    let rule = statuses(&[404, 503]);
    let table = [
        (REFUSED, NEXT, Outcome::Failure),
        (CLOSED, finish(502), Outcome::Failure),
        (Failure::InvalidHeader, finish(502), Outcome::Failure),
        (Failure::Status(503), NEXT, Outcome::Failure),
        (Failure::Status(503), Verdict::PassOn, Outcome::Success),
        (Failure::Status(404), NEXT, Outcome::Success),
        (Failure::Status(500), Verdict::PassOn, Outcome::Success),
    ];
    for (failure, verdict, expected) in table {
        assert_eq!(rule.outcome(failure, &GET, verdict), expected, "{failure:?} {verdict:?}");
    }
}

#[test]
fn a_set_of_statuses_holds_the_seven_that_can_be_named() {
    let set = StatusSet::new(&[403, 404, 429, 500, 502, 503, 504, 501]);
    let held: Vec<u16> = (100..600).filter(|&status| set.contains(status)).collect();
    assert_eq!(held, [403, 404, 429, 500, 502, 503, 504]);
    assert!((100..600).all(|status| !StatusSet::default().contains(status)));
}
