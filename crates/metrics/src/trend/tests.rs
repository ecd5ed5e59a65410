//! Trends against a plain sorted list.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "test values are small"
)]

use proptest::prelude::*;

use super::*;

fn of(values: &[u64]) -> Trend {
    let mut trend = Trend::default();
    for value in values {
        trend.record(*value);
    }
    trend
}

fn plainly(values: &[u64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = percent / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[rank.floor() as usize] as f64, sorted[rank.ceil() as usize] as f64);
    low + (high - low) * rank.fract()
}

#[test]
fn an_empty_trend_is_all_zeros() {
    let trend = Trend::default();
    assert_eq!((trend.count(), trend.min_ns(), trend.max_ns()), (0, 0, 0));
    assert!(trend.mean_ns().abs() < f64::EPSILON && trend.percentile_ns(95.0).abs() < f64::EPSILON);
}

#[test]
fn percentiles_lie_between_ranks() {
    let trend = of(&[40, 10, 30, 20]);
    for (percent, expected) in [(0.0, 10.0), (50.0, 25.0), (90.0, 37.0), (95.0, 38.5), (100.0, 40.0), (120.0, 40.0)] {
        assert!((trend.percentile_ns(percent) - expected).abs() < 1e-9, "p({percent})");
    }
    assert!((trend.mean_ns() - 25.0).abs() < 1e-9);
}

#[test]
fn values_beyond_an_hour_are_kept_in_the_maximum() {
    let mut values = vec![LONGEST_NS * 3; 2000];
    values.push(7);
    let trend = of(&values);
    assert_eq!((trend.min_ns(), trend.max_ns()), (7, LONGEST_NS * 3));
    assert!(trend.percentile_ns(50.0) >= LONGEST_NS as f64 * 0.999);
}

#[test]
fn a_cleared_trend_starts_anew() {
    let mut trend = of(&vec![5; 3000]);
    trend.clear();
    assert_eq!((trend.count(), trend.max_ns()), (0, 0));
    trend.record(9);
    assert_eq!((trend.count(), trend.min_ns(), trend.max_ns()), (1, 9, 9));
    assert!((trend.percentile_ns(50.0) - 9.0).abs() < 1e-9);
}

#[test]
fn many_at_once_are_many_one_by_one() {
    for (before, n) in [(0, 0), (10, 5), (900, 100), (900, 101), (2000, 3)] {
        let mut at_once = of(&vec![40; before]);
        at_once.record_many(7, n);
        let mut values = vec![40; before];
        values.resize(before + n as usize, 7);
        let singly = of(&values);
        assert_eq!(
            (at_once.count(), at_once.sum_ns(), at_once.min_ns()),
            (singly.count(), singly.sum_ns(), singly.min_ns())
        );
        assert!((at_once.percentile_ns(30.0) - singly.percentile_ns(30.0)).abs() < 1e-9, "{before} and {n}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merged_or_not_it_is_within_a_thousandth(
        a in prop::collection::vec(0..10_000_000_000_u64, 1..1500),
        b in prop::collection::vec(0..3_000_000_u64, 0..1500),
        percent in 0.0..100.0_f64,
    ) {
        let mut merged = of(&a);
        merged.merge(&of(&b));
        let all: Vec<u64> = a.iter().chain(&b).copied().collect();
        let expected = plainly(&all, percent);
        let slack = if all.len() <= EXACT { 1e-6 } else { expected * 0.001 + 1.0 };
        prop_assert!((merged.percentile_ns(percent) - expected).abs() <= slack);
        prop_assert_eq!(merged.count(), all.len() as u64);
        prop_assert_eq!(merged.sum_ns(), all.iter().map(|ns| u128::from(*ns)).sum::<u128>());
        prop_assert_eq!(merged.min_ns(), all.iter().copied().min().unwrap_or(0));
        prop_assert_eq!(merged.max_ns(), all.iter().copied().max().unwrap_or(0));
    }
}
