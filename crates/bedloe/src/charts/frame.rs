//! Where the parts of a chart lie: the plot between axis, title, labels of marks and legend. Nobody measures text here:
//! a letter is taken to be as wide as a wide one of the font.

use super::scale::{Axis, times};
use super::{Chart, Form, Mark, Size};

/// The width of a letter, at most, as a rule.
const LETTER: f64 = 6.4;
/// The height of a row of labels.
const ROW: f64 = 14.0;
/// Rows of labels above the plot; a mark whose label fits into none has a line alone.
const MARK_ROWS: usize = 3;
/// Room for the title.
const HEAD: f64 = 22.0;
/// Room for the time line's labels.
const FOOT: f64 = 18.0;
/// The sample of a series in the legend.
pub(super) const SAMPLE: f64 = 24.0;
/// Beyond this, either way, nothing is drawn: a count of all nanoseconds of thirty years.
const GREATEST: f64 = 1e18;
/// Between two labels.
const SPACE: f64 = 12.0;

/// A label with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
}

/// The parts of a chart.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) span_s: (f64, f64),
    pub(super) axis: Axis,
    pub(super) times: Vec<(f64, String)>,
    pub(super) marks: Vec<Placed>,
    pub(super) legend: Vec<Placed>,
}

impl Frame {
    pub(super) fn of(chart: &Chart) -> Self {
        let (width, plot, ticks): (f64, f64, u32) = match chart.size {
            Size::Half => (480.0, 140.0, 4),
            Size::Full => (960.0, 190.0, 5),
            Size::Third => (320.0, 80.0, 3),
        };
        let (least, most) = range(chart);
        let axis = Axis::new(chart.unit, least, finite(chart.top).unwrap_or(most), ticks);
        let longest = axis.ticks.iter().map(|tick| axis.label(*tick).chars().count()).max().unwrap_or(0);
        let (left, right) = (text_width(longest) + 10.0, width - 16.0);
        let span_s = span(chart);
        let mut frame = Self {
            width,
            height: 0.0,
            left,
            right,
            top: HEAD,
            bottom: 0.0,
            span_s,
            axis,
            times: times(span_s, if chart.size == Size::Full { 12 } else { ticks + 2 }),
            marks: Vec::new(),
            legend: Vec::new(),
        };
        frame.place_marks(if chart.size == Size::Third { &[] } else { &chart.marks });
        frame.bottom = frame.top + plot;
        frame.place_legend(chart);
        frame
    }

    /// Where a moment lies.
    pub(super) fn x(&self, at_s: f64) -> f64 {
        let (from, to) = self.span_s;
        self.left + ((at_s - from) / (to - from)).clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Where a value lies; one beyond the axis lies at its end.
    pub(super) fn y(&self, value: f64) -> f64 {
        let Axis { low, high, .. } = self.axis;
        self.bottom - ((value - low) / (high - low)).clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    /// Whether the time line has this moment.
    pub(super) fn has(&self, at_s: f64) -> bool {
        at_s >= self.span_s.0 && at_s <= self.span_s.1
    }

    /// Labels of marks in rows, so that none covers another; the plot begins below them.
    fn place_marks(&mut self, marks: &[Mark]) {
        let mut ends = [f64::NEG_INFINITY; MARK_ROWS];
        let mut rows = Vec::new();
        for mark in marks.iter().filter(|mark| self.has(mark.at_s)) {
            let width = text_width(mark.label.chars().count());
            let x = (self.x(mark.at_s) + 3.0).min(self.width - width);
            let Some(row) = ends.iter().position(|end| end + SPACE <= x && x >= self.left) else { continue };
            ends[row] = x + width;
            rows.push((row, x, mark.label.clone()));
        }
        let used = rows.iter().map(|(row, ..)| row + 1).max().unwrap_or(0);
        for (row, x, text) in rows {
            self.marks.push(Placed { x, y: HEAD + rows_high(row) + 10.0, text });
        }
        self.top = HEAD + rows_high(used) + 2.0;
    }

    /// Names of series in rows below the plot; one alone is what the title says.
    fn place_legend(&mut self, chart: &Chart) {
        let (mut x, mut y) = (self.left, self.bottom + FOOT + ROW);
        let is_wanted = chart.series.len() > 1 || chart.form == Form::Stacked;
        for series in chart.series.iter().filter(|_| is_wanted) {
            let width = SAMPLE + text_width(series.name.chars().count());
            if x + width > self.width && x > self.left {
                (x, y) = (self.left, y + ROW);
            }
            self.legend.push(Placed { x, y, text: series.name.clone() });
            x += width + SPACE;
        }
        self.height = if self.legend.is_empty() { self.bottom + FOOT } else { y + 6.0 };
    }
}

#[allow(clippy::cast_precision_loss, reason = "letters of a label")]
pub(super) fn text_width(letters: usize) -> f64 {
    letters as f64 * LETTER
}

#[allow(clippy::cast_precision_loss, reason = "a few rows")]
fn rows_high(rows: usize) -> f64 {
    rows as f64 * ROW
}

/// From the least value to the greatest, a limit included; 0 where nothing is known.
fn range(chart: &Chart) -> (f64, f64) {
    let values: Vec<f64> = match chart.form {
        Form::Lines => (0..chart.times_s.len()).flat_map(|at| known(chart, at).flatten()).collect(),
        Form::Stacked => (0..chart.times_s.len()).filter_map(|at| sum(chart, at)).collect(),
    };
    let most = values.iter().copied().fold(0.0, f64::max);
    // A limit far above all that was measured would press it flat.
    let limit = chart.limit.as_ref().map(|limit| limit.value).filter(|limit| *limit <= most * 4.0);
    (values.iter().copied().fold(0.0, f64::min), most.max(limit.unwrap_or(0.0)))
}

/// What the series have at one time.
fn known(chart: &Chart, at: usize) -> impl Iterator<Item = Option<f64>> {
    chart.series.iter().map(move |series| finite(series.values.get(at).copied().flatten()))
}

/// How high all areas are together at one time; none where one of them is not known.
pub(super) fn sum(chart: &Chart, at: usize) -> Option<f64> {
    finite(known(chart, at).sum())
}

/// What can be drawn, with a label beside it that leaves room for the chart.
pub(super) fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.abs() < GREATEST)
}

fn span(chart: &Chart) -> (f64, f64) {
    let taken = chart.times_s.first().copied().zip(chart.times_s.last().copied());
    match chart.span_s.or(taken) {
        Some((from, to)) if to > from && from > -GREATEST && to < GREATEST => (from, to),
        Some((from, _)) if from.abs() < GREATEST => (from, from + 1.0),
        _ => (0.0, 1.0),
    }
}
