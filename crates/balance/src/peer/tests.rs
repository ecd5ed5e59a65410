//! Tests of one server's health that need several threads.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::testing::peer;

/// Runs `work` on four threads at once and counts how often it was true.
#[allow(clippy::disallowed_methods, reason = "the test is about threads")]
fn count(shared: &Arc<Peer>, work: impl Fn(&Peer) -> bool + Send + Copy + 'static) -> usize {
    let total = Arc::new(AtomicUsize::new(0));
    let one = |_| {
        let (shared, total) = (Arc::clone(shared), Arc::clone(&total));
        std::thread::spawn(move || {
            let hits = (0..1000).filter(|_| work(&shared)).count();
            total.fetch_add(hits, Relaxed);
        })
    };
    let threads: Vec<_> = (0..4).map(one).collect();
    assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
    total.load(Relaxed)
}

#[test]
fn of_many_threads_one_reports_the_change_and_one_gets_the_probe() {
    let shared = Arc::new(Peer::new(PeerSettings { max_fails: 100, ..peer("a") }, false, false));
    assert_eq!(count(&shared, |peer| peer.release(0, Outcome::Failure, 5) == Some(Transition::Down { peer: 0 })), 1);
    assert_eq!(count(&shared, |peer| peer.claim(10_006)), 1);
    assert_eq!(count(&shared, |peer| peer.release(0, Outcome::Success, 10_007).is_some()), 1);
    assert_eq!(shared.state(), State::Up);
}

#[test]
fn places_are_never_oversold() {
    let shared = Arc::new(Peer::new(PeerSettings { max_conns: 7, ..peer("a") }, false, false));
    assert_eq!(count(&shared, |peer| peer.claim(1)), 7);
    assert_eq!(shared.in_flight(), 7);
}

/// A server that checks decide about, at 1,000 ms.
fn checked(checks: Checks) -> Peer {
    Peer::new(PeerSettings { checks, ..peer("a") }, false, false)
}

#[test]
fn checks_take_a_server_out_and_bring_it_back_forgiven() {
    let watched = checked(Checks::Watched);
    assert_eq!((watched.state(), watched.may_be_tried(1_000)), (State::Up, true));
    assert!(!watched.set_well(true, 1_000), "it was in use before");
    assert_eq!(watched.release(0, Outcome::Failure, 2_000), Some(Transition::Down { peer: 0 }));
    assert!(watched.set_well(false, 3_000));
    assert!(!watched.set_well(false, 3_250));
    assert_eq!((watched.state(), watched.may_be_tried(90_000)), (State::Unhealthy, false), "however long");
    assert!(watched.is_unhealthy());
    assert_eq!((watched.down_since_ms(), watched.down_ms(90_000)), (Some(2_000), 88_000), "since its first failure");
    assert!(watched.set_well(true, 92_000));
    assert_eq!((watched.state(), watched.may_be_tried(92_000)), (State::Up, true), "at once");
    assert_eq!((watched.down_since_ms(), watched.down_ms(99_000), watched.since_ms()), (None, 90_000, 92_000));
}

#[test]
fn a_mandatory_check_comes_before_requests() {
    let first = checked(Checks::Mandatory);
    assert_eq!((first.state(), first.may_be_tried(1_000)), (State::Checking, false));
    assert!(first.set_well(true, 1_000));
    assert_eq!((first.state(), first.may_be_tried(1_000)), (State::Up, true));
    let second = checked(Checks::Mandatory);
    assert!(second.set_well(false, 1_000));
    assert_eq!((second.state(), second.may_be_tried(1_000)), (State::Unhealthy, false));
}

#[test]
fn what_checks_have_found_outlives_a_change_of_settings() {
    let old = checked(Checks::Watched);
    old.set_well(false, 1_000);
    let mut new = checked(Checks::Mandatory);
    new.share_health(&old);
    assert_eq!(new.state(), State::Unhealthy);
    let mut without = checked(Checks::None);
    without.share_health(&new);
    assert_eq!((without.state(), without.may_be_tried(2_000)), (State::Up, true), "nobody checks any more");
    let mut first = checked(Checks::Mandatory);
    first.share_health(&checked(Checks::None));
    assert_eq!(first.state(), State::Up, "it was in service when the check was added");
    let mut still = checked(Checks::Mandatory);
    still.share_health(&checked(Checks::Mandatory));
    assert_eq!(still.state(), State::Checking);
}

#[test]
fn one_that_is_put_back_begins_slowly() {
    for (down, drain) in [(true, false), (false, true), (true, true)] {
        let away = Peer::new(PeerSettings { down, drain, slow_start_ms: 1_000, ..peer("a") }, false, false);
        let mut back = Peer::new(PeerSettings { slow_start_ms: 1_000, ..peer("a") }, false, false);
        back.share_health(&away);
        let weights = [5_000, 5_250, 6_000, 9_000].map(|now_ms| back.eased(100, now_ms));
        assert_eq!(weights, [1, 25, 100, 100], "from the first request on");
        let mut still = Peer::new(PeerSettings { weight: 2, slow_start_ms: 1_000, ..peer("a") }, false, false);
        still.share_health(&back);
        assert_eq!(still.eased(100, 9_100), 100, "another change does not begin anew");
    }
}

#[test]
fn one_that_was_down_is_checked_anew() {
    for checks in [Checks::Mandatory, Checks::Watched] {
        let old = checked(checks);
        old.set_well(true, 1_000);
        let mut down = Peer::new(PeerSettings { checks, down: true, ..peer("a") }, false, false);
        down.share_health(&old);
        let back = || {
            let mut back = checked(checks);
            back.share_health(&down);
            back
        };
        let well = back();
        assert_eq!((well.state(), well.may_be_tried(2_000)), (State::Checking, false), "{checks:?}");
        let mut moved = checked(checks);
        moved.share_health(&well);
        assert_eq!(moved.state(), State::Checking, "{checks:?}: another change leaves that as it is");
        assert!(well.set_well(true, 2_000) && !well.set_well(true, 2_000), "{checks:?}");
        assert_eq!((well.state(), well.may_be_tried(2_000), well.since_ms()), (State::Up, true, 2_000), "{checks:?}");
        let ill = back();
        assert!(ill.set_well(false, 3_000), "{checks:?}");
        assert_eq!(ill.state(), State::Unhealthy, "{checks:?}");
    }
    let unchecked_and_down = Peer::new(PeerSettings { down: true, ..peer("a") }, false, false);
    let mut unchecked = Peer::new(PeerSettings { ..peer("a") }, false, false);
    unchecked.share_health(&unchecked_and_down);
    assert_eq!(unchecked.state(), State::Up);
    let mut with_new_checks = checked(Checks::Watched);
    with_new_checks.share_health(&unchecked_and_down);
    assert_eq!(with_new_checks.state(), State::Checking, "it was not in service before its checks were");
}

#[test]
fn a_server_that_checks_bring_back_begins_slowly() {
    for (checks, has_failed) in [(Checks::Watched, true), (Checks::Mandatory, false)] {
        let slow = Peer::new(PeerSettings { checks, slow_start_ms: 1_000, ..peer("a") }, false, false);
        if has_failed {
            slow.set_well(false, 4_000);
        }
        slow.set_well(true, 5_000);
        assert_eq!([5_000, 5_250, 6_000].map(|now_ms| slow.eased(100, now_ms)), [1, 25, 100], "{checks:?}");
    }
}

#[test]
fn checks_are_counted() {
    let counted = checked(Checks::Watched);
    assert_eq!(counted.check_counts(), CheckCounts::default());
    for passed in [true, false, false] {
        counted.count_check(passed);
        counted.set_well(passed, 1_000);
    }
    let expected = CheckCounts { checks: 3, fails: 2, unhealthy: 1, last_passed: Some(false) };
    assert_eq!(counted.check_counts(), expected);
}
