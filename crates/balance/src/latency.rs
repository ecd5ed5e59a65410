//! How long a server takes to answer: a time that follows its answers, and the age of requests that still wait.
//!
//! All threads write and read it without a lock: the time and the moment that it is of lie in one word. Floating point
//! is exact enough, for what is compared are estimates.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// An estimate that nothing is heard of falls to its 2.7th part in so long, so that a server that was slow is asked
/// again; an answer counts the more, the longer ago the one before it was.
const DECAY_MS: f64 = 10_000.0;
/// What was heard longer ago says nothing.
const KNOWN_MS: u64 = 30_000;
/// What one answer weighs at least in a mean.
const LEAST_PART: f64 = 1.0 / 16.0;
/// What a failure counts for where nothing else is known of its server: it must not look quick for that.
const FAILED_MS: f64 = 1_000.0;

/// Which of an answer's times is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// That to its head.
    Header,
    /// That to its end.
    LastByte,
}

/// What of a server's times decides how it is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Which time.
    pub time: Time,
    /// An answer that takes longer than is expected counts whole at once.
    pub is_peak: bool,
    /// Requests that wait longer than is expected count too.
    pub looks_at_waiting: bool,
}

/// What is expected of one server.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// By [`Time`].
    expected: [Estimate; 2],
    waiting: Waiting,
}

impl Latency {
    /// An answer took so long.
    pub(crate) fn answered(&self, measure: Measure, took_ms: u64, now_ms: u64) {
        self.of(measure).take(took_ms as f64, measure.is_peak, now_ms);
    }

    /// A request failed after so long, or was answered with an error: that makes no server look quicker.
    pub(crate) fn failed(&self, measure: Measure, took_ms: u64, now_ms: u64) {
        self.of(measure).raise(took_ms as f64, now_ms);
    }

    /// A request was given up by its client after so long: where that is late, it is as bad as an answer then.
    pub(crate) fn given_up(&self, measure: Measure, waited_ms: u64, now_ms: u64) {
        let expected_ms = self.of(measure).read(now_ms).unwrap_or(FAILED_MS);
        if waited_ms as f64 > expected_ms {
            self.answered(measure, waited_ms, now_ms);
        }
    }

    /// How long the next request will take, in milliseconds; `None` where nothing is known.
    pub(crate) fn expected_ms(&self, measure: Measure, now_ms: u64) -> Option<f64> {
        let heard = self.of(measure).read(now_ms);
        let waiting = if measure.looks_at_waiting { self.waiting.mean_age_ms(now_ms) } else { 0.0 };
        heard.map(|heard| heard.max(waiting))
    }

    pub(crate) fn begin_wait(&self, now_ms: u64) {
        self.waiting.count.fetch_add(1, Relaxed);
        self.waiting.begun_ms.fetch_add(now_ms, Relaxed);
    }

    pub(crate) fn end_wait(&self, begun_ms: u64) {
        self.waiting.count.fetch_sub(1, Relaxed);
        self.waiting.begun_ms.fetch_sub(begun_ms, Relaxed);
    }

    fn of(&self, measure: Measure) -> &Estimate {
        match measure.time {
            Time::Header => &self.expected[0],
            Time::LastByte => &self.expected[1],
        }
    }
}

/// Requests that have no answer yet, and the sum of the moments at which they were sent.
#[derive(Debug, Default)]
struct Waiting {
    count: AtomicU32,
    begun_ms: AtomicU64,
}

impl Waiting {
    /// Between the two numbers another thread may change both: then one look is off.
    fn mean_age_ms(&self, now_ms: u64) -> f64 {
        let count = u64::from(self.count.load(Relaxed));
        let ages_ms = count.wrapping_mul(now_ms).wrapping_sub(self.begun_ms.load(Relaxed)).cast_signed();
        if count == 0 { 0.0 } else { ages_ms.max(0) as f64 / count as f64 }
    }
}

/// A time in milliseconds, as the bits of an `f32`, above the moment that it is of, modulo 2^32; 0 where there is none.
#[derive(Debug, Default)]
struct Estimate(AtomicU64);

const MOMENT_BITS: u32 = 32;

impl Estimate {
    fn read(&self, now_ms: u64) -> Option<f64> {
        let (ms, age_ms) = unpack(self.0.load(Relaxed), now_ms)?;
        Some(ms * left(age_ms))
    }

    fn take(&self, took_ms: f64, is_peak: bool, now_ms: u64) {
        self.change(now_ms, |known| match known {
            None => took_ms,
            Some((ms, age_ms)) if is_peak => {
                let fallen_ms = ms * left(age_ms);
                if took_ms >= fallen_ms { took_ms } else { fallen_ms + took_ms * (1.0 - left(age_ms)) }
            }
            Some((ms, age_ms)) => ms + (took_ms - ms) * (1.0 - left(age_ms)).max(LEAST_PART),
        });
    }

    fn raise(&self, took_ms: f64, now_ms: u64) {
        self.change(now_ms, |known| known.map_or(FAILED_MS, |(ms, _)| ms).max(took_ms));
    }

    fn change(&self, now_ms: u64, to: impl Fn(Option<(f64, u64)>) -> f64) {
        let next = |held: u64| Some(pack(to(unpack(held, now_ms)), now_ms));
        let _ = self.0.fetch_update(Relaxed, Relaxed, next);
    }
}

/// What is left of an estimate after a time.
fn left(age_ms: u64) -> f64 {
    // Most are heard of all the time.
    if age_ms == 0 { 1.0 } else { (-(age_ms as f64) / DECAY_MS).exp() }
}

fn pack(ms: f64, now_ms: u64) -> u64 {
    // One that is known is never all zeros.
    let bits = (ms as f32).max(f32::MIN_POSITIVE).to_bits();
    u64::from(bits) << MOMENT_BITS | u64::from(now_ms as u32)
}

/// The time and its age, where it is known. A moment of another thread may be a little ahead of this one's.
fn unpack(held: u64, now_ms: u64) -> Option<(f64, u64)> {
    let bits = (held >> MOMENT_BITS) as u32;
    let age_ms = (now_ms as u32).wrapping_sub(held as u32).cast_signed().max(0).cast_unsigned();
    (bits != 0 && u64::from(age_ms) <= KNOWN_MS).then(|| (f64::from(f32::from_bits(bits)), u64::from(age_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEAN: Measure = Measure { time: Time::Header, is_peak: false, looks_at_waiting: false };
    const PEAK: Measure = Measure { is_peak: true, ..MEAN };

    /// What is expected at `now_ms` after answers at these moments that took so long.
    fn expected(measure: Measure, answers: &[(u64, u64)], now_ms: u64) -> Option<f64> {
        let latency = Latency::default();
        answers.iter().for_each(|(at_ms, took_ms)| latency.answered(measure, *took_ms, *at_ms));
        latency.expected_ms(measure, now_ms)
    }

    #[test]
    fn a_mean_follows_and_a_peak_jumps() {
        let steady: Vec<_> = (0..200).map(|n| (1_000 + n * 5, 10)).collect();
        let then = |more: &[(u64, u64)]| [&steady[..], more].concat();
        let table = [
            (MEAN, vec![], 0, None),
            (MEAN, vec![(1_000, 40)], 1_000, Some(40.0)),
            (MEAN, vec![(1_000, 0)], 1_000, Some(0.0)),
            (MEAN, steady.clone(), 1_995, Some(10.0)),
            (MEAN, then(&[(2_000, 170)]), 2_000, Some(20.0)),
            (PEAK, steady.clone(), 1_995, Some(10.0)),
            (PEAK, then(&[(2_000, 170)]), 2_000, Some(170.0)),
            // It falls to a third in ten seconds, and a short answer then counts for as much as has passed.
            (PEAK, then(&[(2_000, 170)]), 12_000, Some(62.5)),
            (PEAK, then(&[(2_000, 170), (12_000, 10)]), 12_000, Some(68.9)),
            // What was heard long ago counts little, and then not at all.
            (MEAN, then(&[(12_000, 170)]), 12_000, Some(111.1)),
            (MEAN, steady.clone(), 31_995, Some(0.5)),
            (MEAN, steady, 31_996, None),
        ];
        for (measure, answers, now_ms, wanted) in table {
            let found = expected(measure, &answers, now_ms);
            let is_near = match (found, wanted) {
                (Some(found), Some(wanted)) => (found - wanted).abs() <= 0.05 + wanted * 0.01,
                (found, wanted) => found.is_none() && wanted.is_none(),
            };
            assert!(is_near, "{measure:?} at {now_ms}: {found:?}, and not {wanted:?}");
        }
    }

    #[test]
    fn a_failure_makes_nobody_look_quicker() {
        for measure in [MEAN, PEAK] {
            let latency = Latency::default();
            latency.failed(measure, 0, 1_000);
            assert_eq!(latency.expected_ms(measure, 1_000), Some(1_000.0));
            latency.answered(measure, 5_000, 1_000_000);
            latency.failed(measure, 0, 1_000_001);
            assert_eq!(latency.expected_ms(measure, 1_000_001), Some(5_000.0));
            latency.failed(measure, 60_000, 1_000_002);
            assert_eq!(latency.expected_ms(measure, 1_000_002), Some(60_000.0));
        }
    }

    #[test]
    fn what_clients_give_up_counts_where_it_is_late() {
        let latency = Latency::default();
        latency.given_up(PEAK, 999, 1_000);
        assert_eq!(latency.expected_ms(PEAK, 1_000), None, "a client that went away says nothing");
        latency.answered(PEAK, 10, 1_000);
        latency.given_up(PEAK, 5, 1_000);
        assert_eq!(latency.expected_ms(PEAK, 1_000), Some(10.0));
        // One that hangs does not look quicker for it.
        for second in 1..60 {
            latency.given_up(PEAK, 3_000, 1_000 + second * 1_000);
            assert_eq!(latency.expected_ms(PEAK, 1_000 + second * 1_000), Some(3_000.0));
        }
        let unknown = Latency::default();
        unknown.given_up(PEAK, 3_000, 1_000);
        assert_eq!(unknown.expected_ms(PEAK, 1_000), Some(3_000.0));
    }

    #[test]
    fn requests_that_wait_are_seen_before_their_answer() {
        let measure = Measure { looks_at_waiting: true, ..MEAN };
        let latency = Latency::default();
        latency.answered(measure, 10, 1_000);
        latency.begin_wait(1_000);
        latency.begin_wait(1_400);
        assert_eq!(latency.expected_ms(measure, 1_600), Some(400.0));
        assert!(latency.expected_ms(MEAN, 1_600).is_some_and(|ms| ms < 10.0));
        latency.end_wait(1_000);
        assert_eq!(latency.expected_ms(measure, 1_600), Some(200.0));
        latency.end_wait(1_400);
        assert!(latency.expected_ms(measure, 1_600).is_some_and(|ms| ms < 10.0));
    }

    #[test]
    fn moments_go_round_and_times_are_apart() {
        let latency = Latency::default();
        let late_ms = u64::from(u32::MAX) * 3;
        latency.answered(MEAN, 7, late_ms);
        assert!(latency.expected_ms(MEAN, late_ms + 1_000).is_some_and(|ms| (6.0..7.0).contains(&ms)));
        assert_eq!(latency.expected_ms(MEAN, late_ms - 5), Some(7.0), "another thread's clock");
        assert_eq!(latency.expected_ms(Measure { time: Time::LastByte, ..MEAN }, late_ms), None);
    }
}
