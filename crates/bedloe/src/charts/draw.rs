//! A chart over time as markup: grid, what happened, lines or areas, legend. Text is escaped by maud, all of it.

use std::fmt::Write;

use maud::{Markup, html};

use super::frame::{Frame, Placed, SAMPLE, finite, sum};
use super::scale::time;
use super::{Chart, Form, LOOKS, Limit, Mark, Series, thin};

/// The whole chart.
pub(super) fn chart(chart: &Chart) -> Markup {
    let frame = Frame::of(chart);
    let drawn = match chart.form {
        Form::Lines => lines(chart, &frame),
        Form::Stacked => areas(chart, &frame),
    };
    html! {
        svg class="chart" role="img" viewBox=(format!("0 0 {} {}", n(frame.width), n(frame.height))) {
            title { (chart.title) }
            desc { (description(chart)) }
            text class="title" x=(0) y=(13) { (chart.title) }
            (grid(&frame))
            @for mark in chart.marks.iter().filter(|mark| is_seen(mark, &frame)) { (marked(mark, &frame)) }
            (drawn)
            @if let Some(limit) = &chart.limit { (limited(limit, &frame)) }
            @for label in &frame.marks { (text("marked", label)) }
            @for (index, label) in frame.legend.iter().enumerate() { (legend(chart.form, index, label)) }
        }
    }
}

/// What somebody hears who does not see the chart.
fn description(chart: &Chart) -> String {
    let show = |value: f64| chart.unit.show(value);
    let one = |series: &Series| {
        let known = || series.values.iter().filter_map(|value| finite(*value));
        match known().next_back() {
            Some(last) => {
                let (least, most) = (known().fold(last, f64::min), known().fold(last, f64::max));
                format!("{}: last {}, least {}, most {}", series.name, show(last), show(least), show(most))
            }
            None => format!("{}: no values", series.name),
        }
    };
    let is_ago = chart.times_s.first().is_some_and(|first| *first < 0.0);
    let mark = |mark: &Mark| format!("{}: {}", time(mark.at_s, is_ago), mark.label);
    let all: Vec<String> = chart.series.iter().map(one).chain(chart.marks.iter().map(mark)).collect();
    if all.is_empty() { "no values".to_owned() } else { all.join("; ") + "." }
}

fn grid(frame: &Frame) -> Markup {
    let Frame { left, right, bottom, .. } = frame;
    let mut path = String::new();
    for tick in frame.axis.ticks.iter().filter(|tick| **tick != 0.0) {
        let _ = write!(path, "M{} {}H{}", n(*left), n(frame.y(*tick)), n(*right));
    }
    for (at_s, _) in &frame.times {
        let _ = write!(path, "M{} {}v4", n(frame.x(*at_s)), n(*bottom));
    }
    let zero = n(frame.y(0.0));
    html! {
        path class="grid" d=(path) {}
        line class="base" x1=(n(*left)) x2=(n(*right)) y1=(zero) y2=(zero) {}
        @for tick in &frame.axis.ticks {
            text text-anchor="end" x=(n(left - 5.0)) y=(n(frame.y(*tick) + 4.0)) { (frame.axis.label(*tick)) }
        }
        @for (at_s, label) in &frame.times {
            text text-anchor=(anchor(*at_s, frame)) x=(n(frame.x(*at_s))) y=(n(bottom + 15.0)) { (label) }
        }
    }
}

/// A label at either end of the time line stays within the chart.
fn anchor(at_s: f64, frame: &Frame) -> &'static str {
    match frame.x(at_s) {
        x if x < 20.0 => "start",
        x if frame.width - x < 24.0 => "end",
        _ => "middle",
    }
}

fn is_seen(mark: &Mark, frame: &Frame) -> bool {
    frame.has(mark.at_s) || mark.until_s.is_some_and(|until_s| until_s > frame.span_s.0 && mark.at_s < frame.span_s.1)
}

fn marked(mark: &Mark, frame: &Frame) -> Markup {
    let (x, top) = (frame.x(mark.at_s), frame.top);
    // The line leads up to its own label.
    let label = frame.marks.iter().find(|label| label.text == mark.label && (label.x - x - 3.0).abs() < 0.1);
    let from = label.map_or(top, |label| label.y - 10.0);
    html! {
        g {
            title { (mark.label) }
            @if let Some(until_s) = mark.until_s {
                rect class="during" x=(n(x)) y=(n(top)) width=(n((frame.x(until_s) - x).max(0.0)))
                    height=(n(frame.bottom - top)) {}
            }
            line class="mark" x1=(n(x)) x2=(n(x)) y1=(n(from)) y2=(n(frame.bottom)) {}
        }
    }
}

fn limited(limit: &Limit, frame: &Frame) -> Markup {
    if limit.value > frame.axis.high {
        return html! {};
    }
    let y = frame.y(limit.value);
    html! {
        line class="limit" x1=(n(frame.left)) x2=(n(frame.right)) y1=(n(y)) y2=(n(y)) {}
        text class="marked" text-anchor="end" x=(n(frame.right)) y=(n(y - 4.0)) { (limit.label) }
    }
}

fn lines(chart: &Chart, frame: &Frame) -> Markup {
    html! {
        @for (index, series) in chart.series.iter().enumerate() {
            path class=(format!("line s{}", index % LOOKS)) d=(line(chart, series, frame)) {}
        }
    }
}

/// A line that is broken where there are no values; a value between two gaps is a dot.
fn line(chart: &Chart, series: &Series, frame: &Frame) -> String {
    let mut path = String::new();
    let mut run = 0;
    let point = |at: usize| {
        let at_s = *chart.times_s.get(at)?;
        let value = finite(series.values.get(at).copied().flatten())?;
        frame.has(at_s).then(|| (frame.x(at_s), frame.y(value)))
    };
    for at in thin::points(series.values.len(), thin::OF_LINE, |at| finite(series.values[at])) {
        match point(at) {
            Some((x, y)) => {
                let _ = write!(path, "{}{} {}", if run == 0 { 'M' } else { 'L' }, n(x), n(y));
                run += 1;
            }
            None => {
                path.push_str(if run == 1 { "h1" } else { "" });
                run = 0;
            }
        }
    }
    path.push_str(if run == 1 { "h1" } else { "" });
    path
}

fn areas(chart: &Chart, frame: &Frame) -> Markup {
    let at = thin::points(chart.times_s.len(), thin::OF_AREAS, |at| sum(chart, at));
    let columns: Vec<Option<Column>> = at.into_iter().map(|at| column(chart, at, frame)).collect();
    html! {
        @for index in 0..chart.series.len() {
            path class=(format!("area a{}", index % LOOKS)) d=(area(&columns, index)) {}
        }
    }
}

/// All series at one time: where it lies, and the lower end of each area, with the upper end of the last.
struct Column {
    x: f64,
    ends: Vec<f64>,
}

fn column(chart: &Chart, at: usize, frame: &Frame) -> Option<Column> {
    let at_s = chart.times_s.get(at).copied().filter(|at_s| frame.has(*at_s))?;
    let (mut sum, mut ends) = (0.0, vec![frame.y(0.0)]);
    for series in &chart.series {
        sum += finite(series.values.get(at).copied().flatten())?;
        ends.push(frame.y(sum));
    }
    Some(Column { x: frame.x(at_s), ends })
}

/// One area: along its upper end and back along the lower one, anew after each gap.
fn area(columns: &[Option<Column>], index: usize) -> String {
    let mut path = String::new();
    for run in columns.split(Option::is_none) {
        let run: Vec<&Column> = run.iter().flatten().collect();
        let upper = run.iter().map(|column| (column.x, column.ends[index + 1]));
        let lower = run.iter().rev().map(|column| (column.x, column.ends[index]));
        for (at, (x, y)) in upper.chain(lower).enumerate() {
            let _ = write!(path, "{}{} {}", if at == 0 { 'M' } else { 'L' }, n(x), n(y));
        }
        path.push_str(if run.is_empty() { "" } else { "Z" });
    }
    path
}

fn legend(form: Form, index: usize, label: &Placed) -> Markup {
    let (x, y, look) = (label.x, label.y, index % LOOKS);
    html! {
        @match form {
            Form::Lines => {
                path class=(format!("line s{look}")) d=(format!("M{} {}h{}", n(x), n(y - 4.0), SAMPLE - 6.0)) {}
            }
            Form::Stacked => {
                rect class=(format!("area a{look}")) x=(n(x + 4.0)) y=(n(y - 9.0)) width="12" height="10" {}
            }
        }
        text class="name" x=(n(x + SAMPLE)) y=(n(y)) { (label.text) }
    }
}

pub(super) fn text(class: &str, label: &Placed) -> Markup {
    html! { text class=(class) x=(n(label.x)) y=(n(label.y)) { (label.text) } }
}

/// A place to a tenth, as short as it can be written.
pub(super) fn n(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
