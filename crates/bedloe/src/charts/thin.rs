//! Fewer points where there are more than a chart can show: no peak and no dip is lost by it.

use super::Series;

/// Points of a series beyond what this many places hold, two each, cannot be told from each other.
pub(super) const PLACES: usize = 400;

/// Indices of the points to draw, in order: where there are too many, the greatest and the least of each place.
pub(super) fn of_line(values: &[Option<f64>], most: usize) -> Vec<usize> {
    let pick = |place: std::ops::Range<usize>| {
        let known = || place.clone().filter_map(|at| Some((at, values.get(at).copied().flatten()?)));
        let by_value = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
        match (known().min_by(by_value), known().max_by(by_value)) {
            (Some((low, _)), Some((high, _))) if low != high => vec![low.min(high), low.max(high)],
            (Some((only, _)), _) => vec![only],
            _ => vec![place.start],
        }
    };
    places(values.len(), most).flat_map(pick).collect()
}

/// The same for series on top of each other, which are drawn at the same times: where their sum is the greatest.
pub(super) fn of_stack(series: &[Series], len: usize, most: usize) -> Vec<usize> {
    let sum = |at: usize| series.iter().map(|each| each.values.get(at).copied().flatten()).sum::<Option<f64>>();
    let pick = |place: std::ops::Range<usize>| {
        let known = place.clone().filter_map(|at| Some((at, sum(at)?)));
        known.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(place.start, |(at, _)| at)
    };
    places(len, most).map(pick).collect()
}

/// All points, cut into at most so many places.
fn places(len: usize, most: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = len.min(most.max(1));
    (0..count).map(move |at| at * len / count..(at + 1) * len / count)
}
