//! Tests of outlier ejection: tables of what stands out, and what must hold of any group whatever its servers do.

use super::*;
use crate::testing::{ROUND_ROBIN, peer};
use crate::{Attempts, Balancer, Outcome, PeerSettings, State};

const RULE: OutlierRule = OutlierRule {
    errors_percent: Some(50),
    latency_times: Some(3),
    min_requests: 20,
    interval_ms: 10_000,
    time_ms: 10_000,
    max_time_ms: 35_000,
};
const START_MS: u64 = 1_000;

fn group(servers: usize) -> Group {
    of((0..servers).map(|index| peer(&index.to_string())).collect())
}

fn of(servers: Vec<PeerSettings>) -> Group {
    let group = Group::new(servers, ROUND_ROBIN).ejecting(Some(RULE));
    assert!(group.judge_outliers(START_MS).is_empty(), "the first interval begins");
    group
}

/// Requests of one server in an interval: errors, answers, how long each took.
type Seen = (u64, u64, u64);

/// Judges an interval in which servers did so.
fn interval(group: &Group, seen: &[Seen], end_ms: u64) -> Vec<Change> {
    for (peer, (errors, answers, took_ms)) in group.peers().iter().zip(seen) {
        (0..*errors).for_each(|_| peer.count_error());
        (0..*answers).for_each(|_| peer.count_answer(*took_ms));
    }
    group.judge_outliers(end_ms)
}

fn ejected(group: &Group) -> Vec<usize> {
    (0..group.peers().len()).filter(|index| group.peers()[*index].is_ejected()).collect()
}

#[test]
fn who_stands_out() {
    let well = (0, 100, 10);
    let table: [(&[Seen], &[usize]); 18] = [
        (&[well, well, well], &[]),
        (&[well, (50, 50, 10), well], &[1]),
        (&[well, (49, 51, 10), well], &[]),
        // Too few requests to say anything.
        (&[well, (19, 0, 0), well], &[]),
        (&[well, (20, 0, 0), well], &[1]),
        // What all of them have is no one's fault.
        (&[(100, 0, 0), (100, 0, 0), (100, 0, 0)], &[]),
        (&[(60, 40, 10), (55, 45, 10), (70, 30, 10)], &[]),
        // Never more than half: the worst ones.
        (&[well, (60, 40, 10), (90, 10, 10)], &[2]),
        (&[(60, 40, 10), well, (90, 10, 10), well, well], &[0, 2]),
        (&[(100, 0, 0), well], &[0]),
        (&[(100, 0, 0)], &[]),
        (&[well, (0, 100, 31), well], &[1]),
        (&[well, (0, 100, 30), well], &[]),
        // Errors are worse than lateness.
        (&[(50, 50, 10), (0, 100, 900), well], &[0]),
        // Quick enough whatever the others are.
        (&[(0, 100, 1), (0, 100, 9), (0, 100, 1)], &[]),
        (&[(0, 100, 0), (0, 100, 10), (0, 100, 0)], &[1]),
        // The others are those in the middle.
        (&[(0, 100, 100), (0, 100, 100), well], &[]),
        (&[(0, 19, 100), well, well], &[]),
    ];
    for (seen, expected) in table {
        let group = group(seen.len());
        let changes = interval(&group, seen, START_MS + 10_000);
        assert_eq!(ejected(&group), expected, "{seen:?}");
        assert_eq!(changes.len(), expected.len(), "{seen:?}");
    }
}

#[test]
fn the_figures_are_told_and_the_state_is_seen() {
    let group = group(3);
    let changes = interval(&group, &[(0, 100, 10), (30, 10, 10), (5, 95, 40)], 11_000);
    let why = Outlier::Errors { own: (30, 40), others: (5, 200) };
    assert_eq!(changes, [Change::Ejected { peer: 1, why, for_ms: 10_000 }]);
    assert_eq!((group.peers()[1].state(), group.peers()[1].down_since_ms()), (State::Unavailable, Some(11_000)));
    assert!(group.judge_outliers(20_999).is_empty());
    assert_eq!(group.judge_outliers(21_000), [Change::Returned { peer: 1 }]);
    assert_eq!((group.peers()[1].state(), group.peers()[1].down_ms(30_000)), (State::Up, 10_000));
    let changes = interval(&group, &[(0, 100, 10), (0, 100, 80), (0, 100, 20)], 31_000);
    let why = Outlier::Late { own_ms: 80.0, others_ms: 20.0 };
    assert_eq!(changes, [Change::Ejected { peer: 1, why, for_ms: 20_000 }], "the second time in a row");
}

#[test]
fn it_is_out_for_longer_each_time_and_well_again_for_shorter() {
    let group = group(2);
    let mut now_ms = START_MS;
    let mut times = Vec::new();
    let mut round = |bad: bool| {
        // One whole interval, once it is back.
        now_ms += 100_000;
        let back = group.judge_outliers(now_ms);
        assert!(back.len() <= 1);
        now_ms += 10_000;
        let errors = if bad { 100 } else { 0 };
        for change in interval(&group, &[(errors, 100 - errors, 1), (0, 100, 1)], now_ms) {
            if let Change::Ejected { for_ms, .. } = change {
                times.push(for_ms);
            }
        }
    };
    for bad in [true, true, true, true, true, false, false, true, false, false, false, false, true] {
        round(bad);
    }
    assert_eq!(times, [10_000, 20_000, 30_000, 35_000, 35_000, 35_000, 10_000]);
}

#[test]
fn an_ejected_server_gets_requests_only_where_there_is_no_other() {
    let group = Arc::new(of(vec![PeerSettings { max_fails: 1, ..peer("0") }, peer("1")]));
    interval(&group, &[(0, 100, 1), (100, 0, 0)], 11_000);
    let mut balancer = Balancer::new(Arc::clone(&group));
    let mut pick = |attempts: &mut Attempts| balancer.pick(attempts, b"", 11_001);
    assert_eq!([(); 4].map(|()| pick(&mut Attempts::default())), [Some(0); 4]);
    // One request that has been to the other server, and one for which that has failed.
    let mut attempts = Attempts::default();
    assert_eq!(pick(&mut attempts), Some(0));
    assert!(group.has_another(&attempts, 11_001), "the ejected one serves in need");
    assert_eq!([(); 2].map(|()| pick(&mut attempts)), [Some(1), None]);
    assert!(!group.has_another(&attempts, 11_001));
    balancer.release(0, Outcome::Failure, 11_001);
    assert_eq!(balancer.pick(&mut Attempts::default(), b"", 11_002), Some(1));
}

#[test]
fn those_that_are_out_for_other_reasons_count() {
    // Of four, one has failed and one is not well: the others stay.
    let group = of((0..4).map(|index| peer(&index.to_string())).collect());
    group.peers()[0].release(0, Outcome::Failure, 5_000);
    interval(&group, &[(0, 0, 0), (0, 100, 1), (100, 0, 0), (100, 0, 0)], 11_000);
    assert_eq!(ejected(&group).len(), 1, "{:?}", ejected(&group));
    // Servers that get no new requests are none of them; backups are judged among themselves.
    let servers = [(true, false), (false, false), (false, false), (false, true), (false, true)];
    let server = |(drain, backup)| PeerSettings { drain, backup, ..peer("a") };
    let group = of(servers.map(server).to_vec());
    interval(&group, &[(0, 100, 1), (100, 0, 0), (0, 100, 1), (0, 100, 1), (100, 0, 0)], 11_000);
    assert_eq!(ejected(&group), [1, 4]);
}

#[test]
fn a_group_that_takes_its_place_knows_who_is_ejected() {
    let old = group(3);
    interval(&old, &[(0, 100, 10), (100, 0, 10), (0, 100, 10)], 11_000);
    old.peers()[2].count_error();
    let again = |rule| Group::new(vec![peer("1"), peer("2"), peer("3")], ROUND_ROBIN).ejecting(rule);
    let longer = again(Some(OutlierRule { min_requests: 1, ..RULE })).knowing(
        &old,
        |index| [Some(1), Some(2), None][index],
        11_000,
    );
    assert_eq!(ejected(&longer), [0]);
    assert!(longer.judge_outliers(20_999).is_empty(), "the interval goes on");
    (0..9).for_each(|_| longer.peers()[2].count_answer(1));
    let changes = longer.judge_outliers(21_000);
    assert_eq!(changes[0], Change::Returned { peer: 0 });
    assert_eq!(ejected(&longer), [1], "what was counted before counts");
}

#[test]
fn where_nothing_is_judged_any_longer_nobody_stays_out() {
    let old = group(3);
    interval(&old, &[(0, 100, 10), (100, 0, 10), (0, 100, 10)], 11_000);
    assert_eq!(old.peers()[1].down_since_ms(), Some(11_000));
    let settings = old.peers().iter().map(|peer| peer.settings().clone()).collect();
    let again = Group::new(settings, ROUND_ROBIN).knowing(&old, Some, 14_000);
    let peer = &again.peers()[1];
    assert_eq!((peer.state(), peer.down_since_ms(), peer.down_ms(20_000)), (State::Up, None, 3_000));
}

#[test]
fn threads_judge_an_interval_once() {
    let group = group(4);
    for (peer, errors) in group.peers().iter().zip([0, 100, 0, 0]) {
        (0..errors).for_each(|_| peer.count_error());
        (errors..100).for_each(|_| peer.count_answer(1));
    }
    let changes: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| group.judge_outliers(11_000).len())).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!((changes, ejected(&group)), (1, vec![1]));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever servers do, no more than half of them are out, and one alone is never.
        #[test]
        fn never_more_than_half(
            servers in 1..8_usize,
            rule in (1..=100_u32, 2..5_u32, 1..40_u32),
            intervals in prop::collection::vec(
                prop::collection::vec((0..60_u64, 0..60_u64, 0..500_u64), 8), 1..12),
            steps in prop::collection::vec(1..30_000_u64, 12),
        ) {
            let (errors, latency, min_requests) = rule;
            let rule =
                OutlierRule { errors_percent: Some(errors), latency_times: Some(latency), min_requests, ..RULE };
            let names = (0..servers).map(|index| peer(&index.to_string())).collect();
            let group = Group::new(names, ROUND_ROBIN).ejecting(Some(rule));
            let mut now_ms = START_MS;
            group.judge_outliers(now_ms);
            for (seen, step) in intervals.iter().zip(steps) {
                now_ms += step;
                let changes = interval(&group, seen, now_ms);
                prop_assert!(ejected(&group).len() <= servers / 2);
                for change in changes {
                    if let Change::Ejected { for_ms, .. } = change {
                        prop_assert!((rule.time_ms..=rule.max_time_ms).contains(&for_ms));
                    }
                }
            }
            // Time brings all of them back, those too that what was counted last puts out.
            group.judge_outliers(now_ms + rule.max_time_ms);
            group.judge_outliers(now_ms + 2 * rule.max_time_ms);
            prop_assert!(ejected(&group).is_empty());
        }
    }
}
