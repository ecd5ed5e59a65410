//! Fewer points where there are more than a chart can show: no peak and no dip is lost by it.

use std::ops::Range;

/// Points of a line beyond what this many places hold, two each, cannot be told from each other.
pub(super) const OF_LINE: usize = 400;
/// The same of areas, each of which has an upper and a lower end.
pub(super) const OF_AREAS: usize = OF_LINE / 2;

/// Indices of the points to draw, in order: where there are too many, the greatest and the least of each place.
pub(super) fn points(len: usize, places: usize, value: impl Fn(usize) -> Option<f64>) -> Vec<usize> {
    let pick = |place: Range<usize>| {
        let known = || place.clone().filter_map(|at| Some((at, value(at)?)));
        let by_value = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
        match (known().min_by(by_value), known().max_by(by_value)) {
            (Some((low, _)), Some((high, _))) if low != high => vec![low.min(high), low.max(high)],
            (Some((only, _)), _) => vec![only],
            _ => vec![place.start],
        }
    };
    let count = len.min(places);
    (0..count).flat_map(|at| pick(at * len / count..(at + 1) * len / count)).collect()
}
