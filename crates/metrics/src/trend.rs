//! A trend: many durations, of which the least, the greatest, the mean, the number and any percentile are wanted.
//!
//! The first [`EXACT`] values are kept as they are; beyond them a histogram of three significant digits takes over, so
//! memory does not grow with the length of a run. Least, greatest, mean and number stay exact.

use hdrhistogram::Histogram;

/// Values kept as they are, and so with exact percentiles.
pub const EXACT: usize = 1000;
/// Longer values count as this in percentiles (the greatest and the mean still hold them whole): one hour.
pub const LONGEST_NS: u64 = 3_600_000_000_000;
/// Half of a bucket's width is then at most 0.05% of its value.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Durations in nanoseconds. One thread records; trends of several threads are merged.
#[derive(Debug, Clone)]
pub struct Trend {
    count: u64,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
    /// All values while there are at most [`EXACT`] of them; empty afterwards.
    first: Vec<u64>,
    /// All values once there are more than [`EXACT`]; kept, emptied, when the trend is cleared.
    histogram: Option<Histogram<u64>>,
    in_histogram: bool,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            count: 0,
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
            first: Vec::new(),
            histogram: None,
            in_histogram: false,
        }
    }
}

impl Trend {
    /// Adds one value.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        self.keep(ns);
    }

    /// Adds the same value `n` times.
    pub fn record_many(&mut self, ns: u64, n: u64) {
        if n == 0 {
            return;
        }
        self.count += n;
        self.sum_ns += u128::from(ns) * u128::from(n);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        let few = usize::try_from(n).ok().filter(|n| !self.in_histogram && self.first.len() + n <= EXACT);
        if let Some(n) = few {
            self.first.resize(self.first.len() + n, ns);
        } else {
            self.spill();
            record_in(self.histogram_mut(), ns, n);
        }
    }

    /// Adds all values of another trend.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        for ns in &other.first {
            self.keep(*ns);
        }
        if let (true, Some(theirs)) = (other.in_histogram, &other.histogram) {
            self.spill();
            self.histogram_mut().add(theirs).expect("a histogram that resizes takes any other of its precision");
        }
    }

    /// Forgets all values; the memory stays for those to come.
    pub fn clear(&mut self) {
        if self.in_histogram {
            self.histogram_mut().reset();
        }
        let (mut first, histogram) = (std::mem::take(&mut self.first), self.histogram.take());
        first.clear();
        *self = Self { first, histogram, ..Self::default() };
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all values.
    #[must_use]
    pub fn sum_ns(&self) -> u128 {
        self.sum_ns
    }

    /// The least value; 0 when there is none.
    #[must_use]
    pub fn min_ns(&self) -> u64 {
        if self.count == 0 { 0 } else { self.min_ns }
    }

    /// The greatest value; 0 when there is none.
    #[must_use]
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The arithmetic mean; 0 when there is no value.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "53 bits are more than a mean of clock readings is good for")]
    pub fn mean_ns(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum_ns as f64 / self.count as f64 }
    }

    /// The value below which `percent` of the values lie, between two neighbouring ranks in proportion; 0 when there
    /// is no value.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "ranks and durations stay far below 2^53")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the rank is between 0 and count - 1")]
    pub fn percentile_ns(&self, percent: f64) -> f64 {
        let Some(last) = self.count.checked_sub(1) else { return 0.0 };
        let rank = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
        let (lower, upper) = (rank.floor() as u64, rank.ceil() as u64);
        let (low, high) = self.at_ranks(lower, upper);
        low + (high - low) * (rank - lower as f64)
    }

    fn keep(&mut self, ns: u64) {
        if !self.in_histogram {
            if self.first.len() < EXACT {
                self.first.push(ns);
                return;
            }
            self.spill();
        }
        record_in(self.histogram_mut(), ns, 1);
    }

    /// From here on the histogram holds what the list held.
    fn spill(&mut self) {
        if self.in_histogram {
            return;
        }
        self.in_histogram = true;
        let mut first = std::mem::take(&mut self.first);
        let histogram = self.histogram_mut();
        for ns in first.drain(..) {
            record_in(histogram, ns, 1);
        }
        self.first = first;
    }

    fn histogram_mut(&mut self) -> &mut Histogram<u64> {
        self.histogram.get_or_insert_with(|| Histogram::new(SIGNIFICANT_DIGITS).expect("3 is a valid number of digits"))
    }

    /// The values at two ranks (0 is the least), the second rank being the same or the next one.
    #[allow(clippy::cast_precision_loss, reason = "durations stay far below 2^53 ns, which is 104 days")]
    fn at_ranks(&self, lower: u64, upper: u64) -> (f64, f64) {
        match &self.histogram {
            Some(histogram) if self.in_histogram => {
                let values = ranks_in(histogram, lower, upper);
                let within = |ns: u64| ns.clamp(self.min_ns, self.max_ns) as f64;
                (within(values.0), within(values.1))
            }
            _ => {
                let mut sorted = self.first.clone();
                sorted.sort_unstable();
                let at = |rank: u64| sorted[usize::try_from(rank).expect("at most EXACT")] as f64;
                (at(lower), at(upper))
            }
        }
    }
}

/// The histogram grows with the values that it meets, up to [`LONGEST_NS`].
#[inline]
fn record_in(histogram: &mut Histogram<u64>, ns: u64, n: u64) {
    histogram.record_n(ns.min(LONGEST_NS), n).expect("a histogram that resizes takes any value");
}

/// The middle of the buckets that hold two ranks.
fn ranks_in(histogram: &Histogram<u64>, lower: u64, upper: u64) -> (u64, u64) {
    let mut below = 0;
    let mut low = None;
    for step in histogram.iter_recorded() {
        below += step.count_at_value();
        let middle = histogram.median_equivalent(step.value_iterated_to());
        if below > lower {
            low.get_or_insert(middle);
        }
        if below > upper {
            return (low.unwrap_or(middle), middle);
        }
    }
    (low.unwrap_or(0), histogram.max())
}

#[cfg(test)]
mod tests;
