//! A distribution of any finite numbers, of which the least, the greatest, the mean, the number and any percentile are
//! wanted: what [`crate::Trend`] is for times, without its bounds.
//!
//! The first [`EXACT`] values are kept as they are; beyond them buckets of a relative width of 2^-10 take over, so that
//! memory grows with the spread of the values and not with their number.

use std::collections::BTreeMap;

use crate::trend::EXACT;

/// Bits of a number's fraction that a bucket does not tell apart: with the ten that remain, the middle of a bucket is
/// within 0.05% of all that it holds.
const COARSE_BITS: u32 = 42;

/// Numbers. One thread records; those of several threads are merged.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    /// All values while there are at most [`EXACT`] of them; empty afterwards.
    first: Vec<f64>,
    /// All values once there are more, by bucket.
    buckets: BTreeMap<i64, u64>,
}

impl Numbers {
    /// Adds one value, which must be finite; others are left out.
    pub fn record(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.note(value, value, value, 1);
        self.keep(value);
    }

    /// Adds all values of others.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.note(other.sum, other.min, other.max, other.count);
        for value in &other.first {
            self.keep(*value);
        }
        if !other.buckets.is_empty() {
            self.spill();
            for (bucket, count) in &other.buckets {
                *self.buckets.entry(*bucket).or_default() += count;
            }
        }
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        let mut first = std::mem::take(&mut self.first);
        first.clear();
        *self = Self { first, ..Self::default() };
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The least value; 0 when there is none.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The greatest value; 0 when there is none.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The arithmetic mean; 0 when there is no value.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }

    /// The value below which `percent` of the values lie, between two neighbouring ranks in proportion; 0 when there
    /// is no value.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "ranks stay far below 2^53")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the rank is between 0 and count - 1")]
    pub fn percentile(&self, percent: f64) -> f64 {
        let Some(last) = self.count.checked_sub(1) else { return 0.0 };
        let rank = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
        let (lower, upper) = (rank.floor() as u64, rank.ceil() as u64);
        let (low, high) = (self.at_rank(lower), self.at_rank(upper));
        low + (high - low) * (rank - lower as f64)
    }

    fn note(&mut self, sum: f64, min: f64, max: f64, count: u64) {
        self.min = if self.count == 0 { min } else { self.min.min(min) };
        self.max = if self.count == 0 { max } else { self.max.max(max) };
        self.sum += sum;
        self.count += count;
    }

    fn keep(&mut self, value: f64) {
        if self.buckets.is_empty() {
            if self.first.len() < EXACT {
                self.first.push(value);
                return;
            }
            self.spill();
        }
        *self.buckets.entry(bucket(value)).or_default() += 1;
    }

    /// From here on the buckets hold what the list held.
    fn spill(&mut self) {
        for value in self.first.drain(..) {
            *self.buckets.entry(bucket(value)).or_default() += 1;
        }
    }

    fn at_rank(&self, rank: u64) -> f64 {
        if rank == 0 {
            return self.min;
        }
        if rank + 1 == self.count {
            return self.max;
        }
        if self.buckets.is_empty() {
            let mut sorted = self.first.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            return usize::try_from(rank).ok().and_then(|rank| sorted.get(rank).copied()).unwrap_or(self.max);
        }
        let mut below = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            below += **count;
            below > rank
        });
        found.map_or(self.max, |(bucket, _)| middle(*bucket).clamp(self.min, self.max))
    }
}

/// The bits of a finite number, without the finer ones of its fraction, are in the order of the numbers: downwards
/// where they are negative.
#[allow(clippy::cast_possible_wrap, reason = "without the sign and the coarse bits it is a small number")]
fn bucket(value: f64) -> i64 {
    let size = (value.abs().to_bits() >> COARSE_BITS) as i64;
    if value < 0.0 { -size } else { size }
}

/// Zero and what is as good as zero share the bucket 0.
fn middle(bucket: i64) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let size = f64::from_bits((bucket.unsigned_abs() << COARSE_BITS) | (1 << (COARSE_BITS - 1)));
    if bucket < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() <= right.abs() * 1e-3
    }

    #[test]
    fn few_values_are_exact() {
        let mut few = Numbers::default();
        for value in [3.5, -2.0, 1e9, 0.25] {
            few.record(value);
        }
        few.record(f64::NAN);
        assert_eq!((few.count(), few.min(), few.max()), (4, -2.0, 1e9));
        assert_eq!((few.percentile(0.0), few.percentile(50.0), few.percentile(100.0)), (-2.0, 1.875, 1e9));
    }

    #[test]
    fn many_values_are_within_a_thousandth() {
        let (mut left, mut right) = (Numbers::default(), Numbers::default());
        for value in -5000..=5000 {
            let side = if value % 2 == 0 { &mut left } else { &mut right };
            side.record(f64::from(value) / 7.0);
        }
        left.merge(&right);
        assert_eq!(left.count(), 10_001);
        assert!((left.mean()).abs() < 1e-9);
        for percent in [1.0, 25.0, 50.0, 75.0, 99.0] {
            let exact = (percent / 100.0 * 10_000.0 - 5000.0) / 7.0;
            let got = left.percentile(percent);
            assert!(near(got, exact), "{percent}: {got} is not {exact}");
        }
        assert_eq!((left.percentile(0.0), left.percentile(100.0)), (-5000.0 / 7.0, 5000.0 / 7.0));
        left.clear();
        assert_eq!((left.count(), left.percentile(50.0)), (0, 0.0));
    }
}
