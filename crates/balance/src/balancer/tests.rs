//! Tests of picking. That the picks are nginx's is shown beside a real one, by the program's tests.

use std::collections::BTreeSet;

use super::*;
use crate::testing::{HASH, IP_HASH, LEAST_CONN, RANDOM, RANDOM_TWO, RING, ROUND_ROBIN, balancer, peer, pick};
use crate::{PeerSettings, State};

fn weighted(weights: &[u32]) -> Vec<PeerSettings> {
    let named = |(index, &weight)| PeerSettings { weight, ..peer(&format!("10.0.0.{index}:9080")) };
    weights.iter().enumerate().map(named).collect()
}

/// Picks of that many requests, each of which succeeds.
fn picks(balancer: &mut Balancer, count: usize, now_ms: u64) -> Vec<usize> {
    let mut one = || {
        let peer = pick(balancer, "", now_ms)?;
        balancer.release(peer, Outcome::Success, now_ms);
        Some(peer)
    };
    (0..count).map_while(|_| one()).collect()
}

#[test]
fn round_robin_is_smooth() {
    let mut heavy = balancer(ROUND_ROBIN, weighted(&[5, 1, 1]));
    assert_eq!(picks(&mut heavy, 7, 0), [0, 0, 1, 0, 2, 0, 0]);
    let mut even = balancer(ROUND_ROBIN, weighted(&[1, 1, 1]));
    assert_eq!(picks(&mut even, 6, 0), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_failure_lowers_the_weight_and_picks_raise_it_again() {
    let mut peers = weighted(&[4, 4]);
    peers[0].max_fails = 2;
    let mut balancer = balancer(ROUND_ROBIN, peers);
    let first = pick(&mut balancer, "", 0);
    assert_eq!(first, Some(0));
    assert_eq!(balancer.release(0, Outcome::Failure, 0), None);
    let after = picks(&mut balancer, 40, 0);
    assert!(after[..6].iter().filter(|&&peer| peer == 0).count() < 3, "{after:?}");
    assert_eq!(after[20..].iter().filter(|&&peer| peer == 0).count(), 10, "{after:?}");
}

#[test]
fn a_failed_server_is_left_alone_then_probed_by_one_request() {
    let group = Arc::new(Group::new(weighted(&[1, 1]), ROUND_ROBIN));
    let (mut one, mut two) = (Balancer::new(Arc::clone(&group)), Balancer::new(Arc::clone(&group)));
    assert_eq!(pick(&mut one, "", 50), Some(0));
    assert_eq!(one.release(0, Outcome::Failure, 100), Some(Transition::Down { peer: 0 }));
    assert_eq!((group.peers()[0].state(), group.peers()[0].since_ms()), (State::Unavailable, 100));
    assert_eq!(picks(&mut two, 3, 10_100), [1, 1, 1], "another thread leaves it alone too");
    let probes: Vec<_> = (0..4).flat_map(|_| [pick(&mut one, "", 10_101), pick(&mut two, "", 10_101)]).collect();
    assert_eq!(probes.iter().filter(|&&peer| peer == Some(0)).count(), 1, "{probes:?}");
    assert_eq!(one.release(0, Outcome::Success, 10_200), Some(Transition::Up { peer: 0 }));
    assert_eq!((group.peers()[0].state(), group.peers()[0].fails()), (State::Up, 0));
    assert_eq!(group.peers()[0].since_ms(), 10_200);
}

#[test]
fn success_without_a_probe_forgives_nothing() {
    let mut peers = weighted(&[1, 1]);
    peers[0].max_fails = 2;
    let mut balancer = balancer(ROUND_ROBIN, peers);
    assert_eq!(pick(&mut balancer, "", 20_000), Some(0));
    balancer.release(0, Outcome::Failure, 20_000);
    picks(&mut balancer, 4, 25_000);
    assert_eq!(balancer.group().peers()[0].fails(), 1, "within fail_timeout");
    picks(&mut balancer, 4, 30_001);
    assert_eq!(balancer.group().peers()[0].fails(), 0, "after it");
}

#[test]
fn a_single_server_is_always_tried() {
    let mut single = balancer(ROUND_ROBIN, weighted(&[1]));
    for now_ms in 0..5 {
        assert_eq!(pick(&mut single, "", now_ms), Some(0));
        assert_eq!(single.release(0, Outcome::Failure, now_ms), None);
    }
    assert_eq!(single.group().peers()[0].state(), State::Up);
    let mut down = balancer(ROUND_ROBIN, vec![PeerSettings { down: true, ..peer("a") }]);
    assert_eq!(pick(&mut down, "", 0), None);
    assert_eq!(pick(&mut balancer(RING, Vec::new()), "key", 0), None);
}

#[test]
fn attempts_go_round_then_to_backups_then_end() {
    let backup = PeerSettings { backup: true, ..peer("backup") };
    let down = PeerSettings { down: true, ..peer("down") };
    for method in [ROUND_ROBIN, HASH, RING] {
        let mut balancer = balancer(method, vec![backup.clone(), peer("a"), down.clone(), peer("b")]);
        let mut attempts = Attempts::default();
        let mut order: Vec<_> = std::iter::from_fn(|| balancer.pick(&mut attempts, b"key", 0)).take(9).collect();
        order[..2].sort_unstable();
        assert_eq!(order, [1, 3, 0], "{method:?}");
        assert_eq!(balancer.group().tries(), 3);
    }
}

#[test]
fn max_conns_is_a_limit_over_all_threads() {
    let mut peers = weighted(&[1, 1]);
    peers[0].max_conns = 2;
    let group = Arc::new(Group::new(peers, ROUND_ROBIN));
    let (mut one, mut two) = (Balancer::new(Arc::clone(&group)), Balancer::new(Arc::clone(&group)));
    let all: Vec<_> = (0..5).flat_map(|_| [pick(&mut one, "", 0), pick(&mut two, "", 0)]).collect();
    assert_eq!(all.iter().filter(|&&peer| peer == Some(0)).count(), 2, "{all:?}");
    assert_eq!(group.peers()[0].in_flight(), 2);
    one.release(0, Outcome::Neutral, 0);
    assert_eq!(group.peers()[0].in_flight(), 1);
    assert!((0..2).any(|_| pick(&mut two, "", 0) == Some(0)));
}

#[test]
fn a_key_keeps_its_server_and_losing_one_moves_its_keys_only() {
    let names = ["10.0.0.11:9080", "10.0.0.12:9080", "10.0.0.13:9080"];
    let with_down = |down: Option<usize>| {
        let setting = |(index, name)| PeerSettings { down: down == Some(index), ..peer(name) };
        balancer(RING, names.into_iter().enumerate().map(setting).collect())
    };
    let (mut all, mut fewer) = (with_down(None), with_down(Some(1)));
    let mut seen = BTreeSet::new();
    for key in (0..1000).map(|n| format!("key-{n}")) {
        let before = pick(&mut all, &key, 0);
        assert_eq!(pick(&mut all, &key, 0), before);
        let after = pick(&mut fewer, &key, 0);
        assert!(after != Some(1) && (before == Some(1) || before == after), "{key}: {before:?} {after:?}");
        seen.insert(before);
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn addresses_under_one_name_take_turns() {
    for (method, expected) in [(RING, vec![0, 1, 0, 1]), (ROUND_ROBIN, vec![0, 1, 2, 0])] {
        let mut balancer = balancer(method, vec![peer("twin"), peer("twin"), peer("other")]);
        let key = (0..).map(|n| n.to_string()).find(|key| pick(&mut balancer, key, 0) == Some(0)).unwrap_or_default();
        let mut balancer = Balancer::new(Arc::clone(balancer.group()));
        let picks: Vec<_> = (0..4).filter_map(|_| pick(&mut balancer, &key, 0)).collect();
        assert_eq!(picks, expected, "{method:?}");
    }
}

#[test]
fn an_empty_key_goes_by_round_robin() {
    for method in [HASH, RING] {
        assert_eq!(picks(&mut balancer(method, weighted(&[1, 1, 1])), 6, 0), [0, 1, 2, 0, 1, 2]);
    }
}

#[test]
fn large_groups_are_tried_to_the_last_server() {
    let mut balancer = balancer(ROUND_ROBIN, weighted(&[1; 300]));
    let mut attempts = Attempts::default();
    let tried: BTreeSet<_> = std::iter::from_fn(|| balancer.pick(&mut attempts, b"", 0)).take(301).collect();
    assert_eq!(tried.len(), 300);
}

#[test]
fn the_least_busy_server_for_its_weight_is_picked() {
    let mut busy = balancer(LEAST_CONN, weighted(&[2, 1, 1]));
    let mut pick = || pick(&mut busy, "", 0).unwrap();
    // All idle: their turns. Then by what is in flight for a weight, in turns where that is the same.
    let picked: Vec<usize> = (0..4).map(|_| pick()).collect();
    assert_eq!(picked.iter().filter(|&&peer| peer == 0).count(), 2, "{picked:?}");
    let more: Vec<usize> = (0..4).map(|_| pick()).collect();
    assert_eq!(more.iter().filter(|&&peer| peer == 0).count(), 2, "{more:?}");
    // Two are given back by one server: it gets the next two.
    for _ in 0..2 {
        busy.release(1, Outcome::Success, 0);
    }
    assert_eq!([0, 1].map(|_| crate::testing::pick(&mut busy, "", 0)), [Some(1); 2]);
}

#[test]
fn the_least_busy_of_the_backups_follows() {
    let mut peers = weighted(&[1, 1, 1]);
    (peers[1].backup, peers[2].backup) = (true, true);
    let mut busy = balancer(LEAST_CONN, peers);
    let mut attempts = Attempts::default();
    let mut picks: Vec<_> = (0..4).map(|_| busy.pick(&mut attempts, b"", 0)).collect();
    assert_eq!((picks[0], picks.pop()), (Some(0), Some(None)));
    picks.sort_unstable();
    assert_eq!(picks, [Some(0), Some(1), Some(2)]);
}

#[test]
fn an_address_stays_with_its_server_while_that_is_there() {
    let mut hashed = balancer(IP_HASH, weighted(&[1, 2, 1]));
    let mut server_of = |address: [u8; 3], now_ms| {
        let peer = hashed.pick(&mut Attempts::default(), &address, now_ms).unwrap();
        hashed.release(peer, if now_ms == 1 { Outcome::Failure } else { Outcome::Success }, now_ms);
        peer
    };
    let servers: BTreeSet<_> = (0..50).map(|last| server_of([10, 0, last], 0)).collect();
    assert_eq!(servers.len(), 3);
    let own = server_of([192, 168, 7], 0);
    assert!((0..20).all(|_| server_of([192, 168, 7], 0) == own));
    server_of([192, 168, 7], 1);
    assert_ne!(server_of([192, 168, 7], 2), own);
}

#[test]
fn chance_follows_the_weights_and_of_two_the_less_busy_is_taken() {
    let draws = |method, weights: &[u32], releases: bool| {
        let mut balancer = balancer(method, weighted(weights));
        let mut counts = vec![0; weights.len()];
        for seed in 0..6_000 {
            let mut attempts = Attempts::default();
            attempts.seed(seed);
            let peer = balancer.pick(&mut attempts, b"", 0).unwrap();
            counts[peer] += 1;
            if releases {
                balancer.release(peer, Outcome::Success, 0);
            }
        }
        counts
    };
    let counts = draws(RANDOM, &[1, 2, 3], true);
    for (count, expected) in counts.iter().zip([1_000, 2_000, 3_000_i32]) {
        assert!((count - expected).abs() < 200, "{counts:?}");
    }
    let counts = draws(RANDOM_TWO, &[1, 1, 1], false);
    assert!(counts.iter().all(|count| (count - 2_000).abs() < 10), "{counts:?}");
}

#[test]
fn chance_tries_every_server_once() {
    for method in [RANDOM, RANDOM_TWO] {
        let mut balancer = balancer(method, weighted(&[1, 100, 1]));
        let mut attempts = Attempts::default();
        attempts.seed(7);
        let mut picks: Vec<_> = (0..3).map(|_| balancer.pick(&mut attempts, b"", 0).unwrap()).collect();
        picks.sort_unstable();
        assert_eq!(picks, [0, 1, 2]);
        assert_eq!(balancer.pick(&mut attempts, b"", 0), None);
    }
}

#[test]
fn a_bound_request_goes_to_the_first_server_it_names_that_may_be_tried() {
    let routed = |name: &str, down| PeerSettings { route: name.to_owned(), down, max_fails: 1, ..peer(name) };
    let mut balancer = balancer(ROUND_ROBIN, vec![routed("s1", false), routed("s2", false), routed("s3", true)]);
    let bound = |balancer: &mut Balancer, routes: &str| {
        let mut attempts = Attempts::default();
        let mut order = Vec::new();
        while let Some(peer) = balancer
            .pick_bound(&mut attempts, routes.split(':').map(str::as_bytes), 0)
            .or_else(|| balancer.pick(&mut attempts, b"", 0))
        {
            order.push(peer);
        }
        for &peer in &order {
            balancer.release(peer, Outcome::Neutral, 0);
        }
        order
    };
    assert_eq!(bound(&mut balancer, "s2"), [1, 0]);
    assert_eq!(bound(&mut balancer, "s3:s2:s1"), [1, 0], "a server that is down is left out");
    assert_eq!(bound(&mut balancer, "s1:s2"), [0, 1]);
    for routes in ["", "s4", "S1", "s", "s11"] {
        assert_eq!(bound(&mut balancer, routes).len(), 2, "{routes}: by the algorithm");
    }
    balancer.release(1, Outcome::Failure, 0);
    assert_eq!(bound(&mut balancer, "s2"), [0], "one that has failed is left alone");
}

#[test]
fn bound_requests_take_no_turn() {
    let routed = |name: &str| PeerSettings { route: name.to_owned(), ..peer(name) };
    let mut balancer = balancer(ROUND_ROBIN, vec![routed("a"), routed("b")]);
    for turn in 0..10 {
        for _ in 0..7 {
            let bound = balancer.pick_bound(&mut Attempts::default(), [&b"b"[..]].into_iter(), 0);
            assert_eq!(bound, Some(1));
        }
        assert_eq!(balancer.pick(&mut Attempts::default(), b"", 0), Some(turn % 2));
    }
}

/// How many of a hundred requests the first of two servers gets, some time after it has recovered at 20,000 ms.
fn share_after(method: crate::Method, slow_start_ms: u64, weight: u32, passed_ms: u64) -> usize {
    let slow = PeerSettings { slow_start_ms, weight, ..peer("slow") };
    let mut balancer = balancer(method, vec![slow, PeerSettings { weight, ..peer("steady") }]);
    assert_eq!(balancer.pick(&mut Attempts::default(), b"", 1_000), Some(0));
    balancer.release(0, Outcome::Failure, 1_000);
    let mut probed = Attempts::default();
    while balancer.pick(&mut probed, b"", 20_000) != Some(0) {
        balancer.release(1, Outcome::Success, 20_000);
    }
    balancer.release(0, Outcome::Success, 20_000);
    // All stay in flight, so that `least_conn` compares them.
    (0..100).filter(|_| balancer.pick(&mut Attempts::default(), b"", 20_000 + passed_ms) == Some(0)).count()
}

#[test]
fn a_server_that_has_recovered_gets_more_by_and_by() {
    for (passed_ms, expected) in [(0, 0..=2), (1_000, 7..=11), (5_000, 32..=34), (10_000, 49..=51), (60_000, 49..=51)] {
        for method in [ROUND_ROBIN, crate::testing::LEAST_CONN] {
            for weight in [1, 7] {
                let share = share_after(method, 10_000, weight, passed_ms);
                assert!(expected.contains(&share), "{share} with weight {weight} after {passed_ms} ms: {method:?}");
                let at_once = share_after(method, 0, weight, passed_ms);
                assert!((49..=51).contains(&at_once), "{at_once} without slow_start after {passed_ms} ms: {method:?}");
            }
        }
    }
}

#[test]
fn one_that_drains_gets_only_what_belongs_to_it() {
    for method in [ROUND_ROBIN, HASH, RING, IP_HASH, LEAST_CONN, RANDOM, RANDOM_TWO] {
        let routed = |name: &str, drain| PeerSettings { route: name.to_owned(), drain, ..peer(name) };
        let mut balancer = balancer(method, vec![routed("a", true), routed("b", false), routed("c", false)]);
        for n in 0..50_u64 {
            let mut attempts = Attempts::default();
            attempts.seed(n);
            let first = balancer.pick(&mut attempts, n.to_string().as_bytes(), 0);
            let second = balancer.pick(&mut attempts, n.to_string().as_bytes(), 0);
            assert!(first != Some(0) && second != Some(0) && first.is_some(), "{method:?}");
            let bound = balancer.pick_bound(&mut Attempts::default(), [&b"a"[..]].into_iter(), 0);
            assert_eq!(bound, Some(0), "{method:?}");
        }
        assert_eq!(balancer.group().peers()[0].state(), State::Draining);
    }
}
