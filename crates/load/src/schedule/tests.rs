//! Schedules: tables, and properties against plain arithmetic.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

const S: u64 = 1_000_000_000;

fn constant(rate: u64, unit_ns: u64, duration_ns: u64) -> Schedule {
    Schedule::Constant(ConstantArrivalRate::new(rate, unit_ns, duration_ns).unwrap())
}

fn stages_of(stages: &[(u64, u64)]) -> Vec<Stage> {
    stages.iter().map(|(target, duration_ns)| Stage { target: *target, duration_ns: *duration_ns }).collect()
}

fn ramping(start: u64, stages: &[(u64, u64)]) -> Schedule {
    Schedule::Ramping(RampingArrivalRate::new(start, S, &stages_of(stages)).unwrap())
}

fn all(schedule: &Schedule) -> Vec<u64> {
    Share::new(schedule, 0, 1).map(|(_, due_ns)| due_ns).collect()
}

#[test]
fn a_constant_rate_starts_at_zero_and_truncates() {
    assert_eq!(all(&constant(3, S, S)), [0, 333_333_333, 666_666_666]);
    assert_eq!(all(&constant(1, S, 2 * S + 1)), [0, S, 2 * S]);
    assert_eq!(all(&constant(8000, S, 300 * S)).len(), 2_400_000);
    assert_eq!(constant(7, S, 3 * S).start_ns(20), Some(20 * S / 7));
}

#[test]
fn a_ramp_starts_when_the_area_reaches_a_whole_number() {
    // From 0 to 10 in 1 s the area is 5 t^2: the first start at sqrt(1/5) s.
    let schedule = ramping(0, &[(10, S)]);
    assert_eq!(all(&schedule), [447_213_595, 632_455_532, 774_596_669, 894_427_190, S]);
    // Down to nothing: 10 t - 5 t^2.
    let schedule = ramping(10, &[(0, S)]);
    assert_eq!(all(&schedule), [105_572_809, 225_403_330, 367_544_467, 552_786_404, S]);
}

#[test]
fn fractions_carry_over_and_a_stage_of_no_time_jumps() {
    // 1.5 starts in the first stage; the second start comes half a start into the next.
    assert_eq!(all(&ramping(1, &[(1, 3 * S / 2), (10, 0), (10, S / 10)])), [S, 3 * S / 2 + S / 20]);
    assert_eq!(all(&ramping(0, &[(0, S), (100, 0), (100, S)])).len(), 100);
}

#[test]
fn rates_for_display() {
    let schedule = ramping(0, &[(100, 2 * S), (100, S), (20, 0)]);
    for (at, rate) in [(0, 0.0), (S, 50.0), (2 * S, 100.0), (3 * S, 20.0)] {
        assert!((schedule.rate_per_s(at) - rate).abs() < 1e-9, "{at}");
    }
    assert!((schedule.peak_per_s() - 100.0).abs() < 1e-9);
    assert!((constant(30, 60 * S, S).rate_per_s(0) - 0.5).abs() < 1e-9);
}

#[test]
fn what_cannot_be_is_refused() {
    assert_eq!(ConstantArrivalRate::new(0, S, S), Err(Impossible::Rate));
    assert_eq!(ConstantArrivalRate::new(HIGHEST_RATE + 1, S, S), Err(Impossible::Rate));
    assert_eq!(ConstantArrivalRate::new(2000, 1_000_000, S), Err(Impossible::Rate));
    assert_eq!(ConstantArrivalRate::new(1, 0, S), Err(Impossible::TimeUnit));
    assert_eq!(ConstantArrivalRate::new(1, S, S - 1), Err(Impossible::Duration));
    assert_eq!(ConstantArrivalRate::new(1, S, LONGEST_NS + 1), Err(Impossible::Duration));
    let ramp = |start, stages: &[Stage]| RampingArrivalRate::new(start, S, stages).unwrap_err();
    assert_eq!(ramp(1, &[]), Impossible::Stages);
    assert_eq!(ramp(0, &[Stage { target: 0, duration_ns: S }]), Impossible::Rate);
    assert_eq!(ramp(1, &[Stage { target: 9, duration_ns: 5 }]), Impossible::Duration);
    assert_eq!(ramp(1, &[Stage { target: 9, duration_ns: u64::MAX }]), Impossible::Duration);
}

#[test]
fn the_largest_ramp_stays_exact() {
    let schedule = ramping(0, &[(HIGHEST_RATE, LONGEST_NS)]);
    let last = HIGHEST_RATE * (LONGEST_NS / S) / 2 - 1;
    assert_eq!(schedule.start_ns(last), Some(LONGEST_NS));
    assert_eq!(schedule.start_ns(last + 1), None);
    assert!(schedule.start_ns(last - 1).unwrap() < LONGEST_NS);
}

fn stages() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..500_u64, prop_oneof![Just(0), 1..5 * S]), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn threads_together_make_exactly_the_schedule(
        rate in 1..3000_u64,
        unit in 1_000_000..10 * S,
        threads in 1..9_u64,
    ) {
        let unit = unit.max(rate * 1000);
        let schedule = constant(rate, unit, 2 * S);
        let whole = all(&schedule);
        let mut shares: Vec<u64> =
            (0..threads).flat_map(|thread| Share::new(&schedule, thread, threads)).map(|(_, due_ns)| due_ns).collect();
        shares.sort_unstable();
        prop_assert_eq!(shares, whole);
    }

    #[test]
    fn a_ramp_is_its_area(start in 0..500_u64, stages in stages()) {
        let total_ns: u64 = stages.iter().map(|stage| stage.1).sum();
        prop_assume!(total_ns >= S);
        let made = stages_of(&stages);
        let Ok(ramp) = RampingArrivalRate::new(start, S, &made) else { return Ok(()) };
        let starts = all(&Schedule::Ramping(ramp));
        prop_assert!(starts.is_sorted());
        // The area in half starts times nanoseconds, which is whole.
        let (mut area, mut rate) = (0_u128, start);
        for (target, duration_ns) in &stages {
            area += u128::from(rate + target) * u128::from(*duration_ns);
            rate = *target;
        }
        prop_assert_eq!(starts.len() as u128, area / (2 * u128::from(S)));
        for (index, at) in starts.iter().enumerate() {
            let n = 2 * u128::from(S) * (index as u128 + 1);
            prop_assert!(area_until(start, &stages, *at) <= n as f64 * (1.0 + 1e-12) + 1.0);
            prop_assert!(*at == total_ns || area_until(start, &stages, *at + 1) >= n as f64 * (1.0 - 1e-12) - 1.0);
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "compared with slack")]
fn area_until(start: u64, stages: &[(u64, u64)], at_ns: u64) -> f64 {
    let (mut area, mut rate, mut begin) = (0.0, start as f64, 0);
    for (target, duration_ns) in stages {
        let t = at_ns.saturating_sub(begin).min(*duration_ns) as f64;
        if *duration_ns > 0 {
            area += 2.0 * rate * t + (*target as f64 - rate) * t * t / *duration_ns as f64;
        }
        begin += duration_ns;
        rate = *target as f64;
    }
    area
}
