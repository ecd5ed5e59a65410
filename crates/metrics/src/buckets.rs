//! Durations counted in fixed buckets: what one thread of the data plane records of each request for a few
//! instructions, and any thread reads. Nothing is allocated, and nothing grows.
//!
//! Less exact than a [`crate::Trend`], which no other thread can read: a percentile is within a fifth of its value.

use crate::counter::Cell;

/// Upper bounds in microseconds: ten a decade, round ones, so that bounds in seconds can be chosen among them.
pub const BOUNDS_US: [u64; BOUNDS] = [
    100, 120, 150, 200, 250, 300, 400, 500, 600, 800, // below a millisecond
    1_000, 1_200, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 6_000, 8_000, //
    10_000, 12_000, 15_000, 20_000, 25_000, 30_000, 40_000, 50_000, 60_000, 80_000, //
    100_000, 120_000, 150_000, 200_000, 250_000, 300_000, 400_000, 500_000, 600_000, 800_000, //
    1_000_000, 1_200_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 4_000_000, 5_000_000, 6_000_000,
    8_000_000, //
    10_000_000, 12_000_000, 15_000_000, 20_000_000, 25_000_000, 30_000_000, 40_000_000, 50_000_000, 60_000_000,
];
/// How many there are. Beyond the last of them is one bucket more.
const BOUNDS: usize = 59;

/// The first bound that can be the one of a number with so many bits.
const FIRST: [u8; 65] = first();

const fn first() -> [u8; 65] {
    let mut table = [0; 65];
    let mut bits = 1;
    while bits < 65 {
        let least = 1_u64 << (bits - 1);
        let mut index = 0;
        while index < BOUNDS && BOUNDS_US[index] < least {
            index += 1;
        }
        #[allow(clippy::cast_possible_truncation, reason = "there are fewer than 256 bounds")]
        {
            table[bits] = index as u8;
        }
        bits += 1;
    }
    table
}

/// Counts of one thread.
#[derive(Debug)]
pub struct Buckets {
    counts: [Cell; BOUNDS + 1],
    sum_us: Cell,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { counts: [const { Cell::new(0) }; BOUNDS + 1], sum_us: Cell::new(0) }
    }
}

impl Buckets {
    /// Counts one. Only the owning thread calls it.
    #[inline]
    pub fn record(&self, us: u64) {
        self.counts[bucket(us)].add(1);
        self.sum_us.add(us);
    }
}

/// The bucket of a duration: an octave has four bounds at most.
#[inline]
fn bucket(us: u64) -> usize {
    let mut index = usize::from(FIRST[(u64::BITS - us.leading_zeros()) as usize]);
    while index < BOUNDS && BOUNDS_US[index] < us {
        index += 1;
    }
    index
}

/// What was counted up to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// As [`BOUNDS_US`] has them, and what is beyond.
    counts: [u64; BOUNDS + 1],
    sum_us: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { counts: [0; BOUNDS + 1], sum_us: 0 }
    }
}

impl Tally {
    /// Adds the counts of a thread.
    pub fn add(&mut self, thread: &Buckets) {
        self.counts.iter_mut().zip(&thread.counts).for_each(|(sum, count)| *sum = sum.wrapping_add(count.get()));
        self.sum_us = self.sum_us.wrapping_add(thread.sum_us.get());
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum = sum.wrapping_add(*count));
        self.sum_us = self.sum_us.wrapping_add(other.sum_us);
    }

    /// What has come since an earlier moment. Counts that have begun anew meanwhile are as if nothing had come.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        since.counts.iter_mut().zip(&earlier.counts).for_each(|(now, then)| *now = now.saturating_sub(*then));
        since.sum_us = self.sum_us.saturating_sub(earlier.sum_us);
        since
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The sum of all of them.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// How many lie in each of the coarser buckets with these upper bounds, ascending and each of [`BOUNDS_US`]; and
    /// how many beyond.
    #[must_use]
    pub fn coarser(&self, bounds_us: &[u64]) -> (Vec<(u64, u64)>, u64) {
        let mut fine = BOUNDS_US.iter().zip(&self.counts).peekable();
        let coarse = bounds_us.iter().map(|bound| {
            let mut count = 0_u64;
            while let Some((_, own)) = fine.next_if(|(own, _)| *own <= bound) {
                count = count.saturating_add(*own);
            }
            (*bound, count)
        });
        let coarse: Vec<_> = coarse.collect();
        let within = coarse.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        (coarse, self.count().saturating_sub(within))
    }

    /// The duration below which `percent` of them lie, in proportion within its bucket; none where there is none.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts and bounds stay far below 2^53")]
    pub fn percentile_us(&self, percent: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = percent.clamp(0.0, 100.0) / 100.0 * count as f64;
        let (mut below, mut lower) = (0.0, 0.0);
        for (bound, own) in BOUNDS_US.iter().zip(&self.counts) {
            let (own, upper) = (*own as f64, *bound as f64);
            if own > 0.0 && below + own >= wanted {
                return Some(lower + (upper - lower) * (wanted - below) / own);
            }
            (below, lower) = (below + own, upper);
        }
        // Of what is beyond the last bound no more is known.
        Some(lower)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{BOUNDS, BOUNDS_US, Buckets, Tally, bucket};

    fn tally(all_us: impl IntoIterator<Item = u64>) -> Tally {
        let buckets = Buckets::default();
        all_us.into_iter().for_each(|us| buckets.record(us));
        let mut tally = Tally::default();
        tally.add(&buckets);
        tally
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        assert!(BOUNDS_US.is_sorted());
        for (index, bound) in BOUNDS_US.into_iter().enumerate() {
            assert_eq!((bucket(bound), bucket(bound + 1)), (index, index + 1), "{bound}");
        }
        assert_eq!((bucket(0), bucket(1), bucket(u64::MAX)), (0, 0, BOUNDS));
    }

    #[test]
    fn coarser_buckets_hold_the_same() {
        let tally = tally([50, 1_000, 1_001, 70_000, 100_000_000]);
        let (coarse, beyond) = tally.coarser(&[1_000, 5_000, 1_000_000]);
        assert_eq!((coarse, beyond), (vec![(1_000, 2), (5_000, 1), (1_000_000, 1)], 1));
        assert_eq!((tally.count(), tally.sum_us()), (5, 100_072_051));
    }

    #[test]
    fn sums_merge_and_begin_anew() {
        let (first, mut all) = (tally([1_000]), tally([2_000, 3_000]));
        all.merge(&first);
        assert_eq!(all.since(&first), tally([2_000, 3_000]));
        assert_eq!(first.since(&all).count(), 0);
        assert_eq!(Tally::default().percentile_us(50.0), None);
        assert_eq!(tally([100_000_000]).percentile_us(50.0), Some(60_000_000.0));
    }

    proptest! {
        #[test]
        fn percentiles_are_near(
            mut all_us in proptest::collection::vec(1_000_u64..60_000_000, 1..200),
            of in 0_u8..=100,
        ) {
            let near = tally(all_us.iter().copied()).percentile_us(of.into()).unwrap();
            all_us.sort_unstable();
            let rank = (f64::from(of) / 100.0 * all_us.len() as f64).ceil() as usize;
            let exact = all_us[rank.saturating_sub(1).min(all_us.len() - 1)] as f64;
            assert!(near >= exact / 1.5 && near <= exact * 1.5, "{near} for {exact}");
        }

        #[test]
        fn any_duration_has_its_bucket(us in any::<u64>()) {
            let index = bucket(us);
            assert!(index == BOUNDS || us <= BOUNDS_US[index]);
            assert!(index == 0 || us > BOUNDS_US[index - 1]);
        }
    }
}
