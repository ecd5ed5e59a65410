//! Execution segments: which part of a test one of several injectors does.
//!
//! A sequence of segments cuts the whole into parts; all of it is dealt out in rounds as long as the least common
//! denominator of their lengths, so that each injector has its share of any run of users, iterations or starts.

/// Parts that a whole can be cut into: more injectors than anybody has.
const MOST_PARTS: u64 = 100_000;

/// A segment that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSegment {
    /// Not a part of the whole.
    #[error("`{0}` is no execution segment: want for example 0:1/3, 20% or 0.2:2/3")]
    Segment(String),
    /// Not parts that follow each other.
    #[error("`{0}` is no sequence of execution segments: want for example 0,1/3,2/3,1")]
    Sequence(String),
    /// Not one of the sequence's.
    #[error("provided segment {segment} can't be found in sequence {sequence}")]
    Missing {
        /// As given.
        segment: String,
        /// As given.
        sequence: String,
    },
}

/// A part of the whole: which places of each round are its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// In order, the first from 0.
    places: Vec<u64>,
    round: u64,
}

impl Default for Segment {
    fn default() -> Self {
        Self { places: vec![0], round: 1 }
    }
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fraction {
    over: u64,
    under: u64,
}

impl Segment {
    /// Reads `executionSegment` and `executionSegmentSequence`; without a sequence it is made of what is before, of,
    /// and after the segment.
    pub fn parse(part: Option<&str>, sequence: Option<&str>) -> Result<Self, BadSegment> {
        let Some(part) = part else {
            cuts(sequence.unwrap_or("0,1"))?;
            return Ok(Self::default());
        };
        let bad = || BadSegment::Segment(part.to_owned());
        let (from, to) = part.split_once(':').unwrap_or(("0", part));
        let (from, to) = (Fraction::parse(from).ok_or_else(bad)?, Fraction::parse(to).ok_or_else(bad)?);
        if !from.is_below(to) {
            return Err(bad());
        }
        let all = match sequence {
            Some(sequence) => cuts(sequence)?,
            None => around(from, to),
        };
        let at = all.windows(2).position(|pair| pair == [from, to]).ok_or_else(|| BadSegment::Missing {
            segment: format!("{from}:{to}"),
            sequence: sequence.unwrap_or_default().to_owned(),
        })?;
        Self::deal(&all, at).ok_or_else(bad)
    }

    /// How many of the first `total` are its own.
    #[must_use]
    pub fn count(&self, total: u64) -> u64 {
        let whole = total / self.round * self.places.len() as u64;
        whole + self.places.iter().take_while(|place| **place < total % self.round).count() as u64
    }

    /// The `index`-th of its own, from 0.
    #[must_use]
    pub fn nth(&self, index: u64) -> u64 {
        let own = self.places.len() as u64;
        let place = usize::try_from(index % own).expect("fewer than MOST_PARTS");
        (index / own).saturating_mul(self.round).saturating_add(self.places[place])
    }

    /// How much of the whole it is.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "both are at most MOST_PARTS")]
    pub fn part(&self) -> f64 {
        self.places.len() as f64 / self.round as f64
    }

    /// Deals the places of a round to all segments, each in turn as soon as its share is due, longer segments first.
    fn deal(cuts: &[Fraction], at: usize) -> Option<Self> {
        let round = cuts.iter().try_fold(1, |round, cut| least_common_multiple(round, cut.under))?;
        let place = |cut: &Fraction| cut.over * (round / cut.under);
        let lengths: Vec<u64> = cuts.windows(2).map(|pair| place(&pair[1]) - place(&pair[0])).collect();
        let shorten = lengths.iter().fold(round, |common, length| greatest_common_divisor(common, *length));
        let round = round / shorten;
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|segment| std::cmp::Reverse(lengths[*segment]));
        let mut taken = vec![0; lengths.len()];
        let mut places = Vec::new();
        for place in 0..round {
            let is_due = |segment: &&usize| place * (lengths[**segment] / shorten) >= taken[**segment] * round;
            let segment = *order.iter().find(is_due)?;
            taken[segment] += 1;
            if segment == at {
                places.push(place);
            }
        }
        Some(Self { places, round })
    }
}

impl Fraction {
    const ZERO: Self = Self { over: 0, under: 1 };
    const ONE: Self = Self { over: 1, under: 1 };

    /// `1/3`, `0.25`, `20%`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((over, under)) = text.split_once('/') {
            return Self::new(over.parse().ok()?, under.parse().ok()?);
        }
        let (number, scale) = text.strip_suffix('%').map_or((text, 1), |number| (number, 100));
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        if decimals.len() > 6 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let under = 10_u64.pow(u32::try_from(decimals.len()).ok()?);
        let part: u64 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
        Self::new(whole.parse::<u64>().ok()?.checked_mul(under)?.checked_add(part)?, under * scale)
    }

    fn new(over: u64, under: u64) -> Option<Self> {
        let common = greatest_common_divisor(over, under);
        let fits = under > 0 && over <= under && under / common.max(1) <= MOST_PARTS;
        fits.then(|| Self { over: over / common, under: under / common })
    }

    fn is_below(self, other: Self) -> bool {
        self.over * other.under < other.over * self.under
    }
}

impl std::fmt::Display for Fraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.under == 1 { write!(f, "{}", self.over) } else { write!(f, "{}/{}", self.over, self.under) }
    }
}

fn cuts(sequence: &str) -> Result<Vec<Fraction>, BadSegment> {
    let bad = || BadSegment::Sequence(sequence.to_owned());
    let cuts: Option<Vec<Fraction>> = sequence.split(',').map(Fraction::parse).collect();
    let cuts = cuts.ok_or_else(bad)?;
    let rises = cuts.windows(2).all(|pair| pair[0].is_below(pair[1]));
    if cuts.len() < 2 || !rises || cuts[0] != Fraction::ZERO || cuts[cuts.len() - 1] != Fraction::ONE {
        return Err(bad());
    }
    Ok(cuts)
}

fn around(from: Fraction, to: Fraction) -> Vec<Fraction> {
    let mut cuts = vec![Fraction::ZERO, from, to, Fraction::ONE];
    cuts.dedup();
    cuts
}

fn greatest_common_divisor(left: u64, right: u64) -> u64 {
    if right == 0 { left } else { greatest_common_divisor(right, left % right) }
}

fn least_common_multiple(left: u64, right: u64) -> Option<u64> {
    let multiple = left / greatest_common_divisor(left, right) * right;
    (multiple <= MOST_PARTS).then_some(multiple)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn parts_together_are_the_whole() {
        let sequence = "0,1/6,1/2,0.9,1";
        let parts =
            ["0:1/6", "1/6:1/2", "50%:90%", "9/10:1"].map(|part| Segment::parse(Some(part), Some(sequence)).unwrap());
        for total in [0, 1, 7, 30, 31, 1000] {
            assert_eq!(parts.iter().map(|part| part.count(total)).sum::<u64>(), total);
        }
        let mut seen: Vec<u64> =
            parts.iter().flat_map(|part| (0..part.count(90)).map(|index| part.nth(index))).collect();
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..90));
        assert!(parts.iter().all(|part| part.nth(0) < 30));
    }

    #[test]
    fn the_whole_is_everything() {
        let whole = Segment::parse(None, Some("0,1/2,1")).unwrap();
        assert_eq!((whole.count(7), whole.nth(7)), (7, 7));
        assert_eq!(Segment::parse(Some("0:1"), None), Ok(Segment::default()));
        let third = Segment::parse(Some("1/3"), None).unwrap();
        assert_eq!((third.count(9), (third.part() * 3.0).round()), (3, 1.0));
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for (part, sequence) in [
            ("2:1", None),
            ("1/2:1/2", None),
            ("0:4/3", None),
            ("x", None),
            ("0:1/0", None),
            ("0:1/3", Some("0,1/2,1")),
            ("0:1/2", Some("0,1/2")),
            ("0:1/2", Some("1/2,1")),
            ("0:0.1234567", None),
        ] {
            assert!(Segment::parse(Some(part), sequence).is_err(), "{part}");
        }
    }
}
