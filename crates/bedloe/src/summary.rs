//! The summary of a load test on the terminal, laid out as k6 lays it out: thresholds, then all results in blocks.
//!
//! `load` and `lab` print the same one. Checks, custom metrics and groups will come with scripts.

mod format;

use load::metric::{Section, Unit};
use load::{Metric, Report, Value, Verdict};

/// How much of it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// The metrics that matter most.
    Compact,
    /// All metrics.
    Full,
    /// Nothing, and no `--summary-export` either.
    Disabled,
}

/// The percentiles and other figures of a trend, in their order.
const COLUMNS: [&str; 6] = ["avg", "min", "med", "max", "p(90)", "p(95)"];
const BOLD: &str = "\x1b[1m";
const CYAN: &str = "\x1b[36m";
const FAINT_CYAN: &str = "\x1b[2;36m";
const FAINT: &str = "\x1b[2;37m";
const WHITE: &str = "\x1b[37m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const SECTIONS: [(Section, &str); 3] =
    [(Section::Http, "HTTP"), (Section::Execution, "EXECUTION"), (Section::Network, "NETWORK")];

/// The whole summary, from its first block to its last line.
pub(crate) fn render(report: &Report, mode: Mode, colour: bool) -> String {
    if mode == Mode::Disabled {
        return String::new();
    }
    let page = Page { colour };
    let mut out = String::new();
    if report.metrics.iter().any(|metric| !metric.verdicts.is_empty()) {
        page.thresholds(&mut out, report);
    }
    page.title(&mut out, "TOTAL RESULTS");
    let shown: Vec<&Metric> = report.metrics.iter().filter(|metric| metric.compact || mode == Mode::Full).collect();
    page.table(&mut out, &shown);
    out
}

/// How text is decorated.
struct Page {
    colour: bool,
}

/// One line of a table, its parts not yet aligned.
struct Row {
    name: String,
    indent: usize,
    cells: Cells,
}

enum Cells {
    /// In the order of [`COLUMNS`].
    Trend(Vec<String>),
    /// A value, and what stands beside it.
    Plain(String, Vec<String>),
}

/// The widths that the rows of a table share.
#[derive(Default)]
struct Widths {
    name: usize,
    columns: [usize; COLUMNS.len()],
    value: usize,
    beside: [usize; 2],
}

impl Page {
    fn title(&self, out: &mut String, title: &str) {
        out.push_str(&format!("  █ {} \n\n", self.paint(BOLD, title)));
    }

    fn thresholds(&self, out: &mut String, report: &Report) {
        self.title(out, "THRESHOLDS");
        let judged: Vec<&Metric> = report.metrics.iter().filter(|metric| !metric.verdicts.is_empty()).collect();
        for metric in &judged {
            let tags = metric.name.find('{').filter(|at| judged.iter().any(|other| other.name == metric.name[..*at]));
            let indent = if tags.is_some() { "      " } else { "    " };
            out.push_str(&format!("{indent}{}\n", &metric.name[tags.unwrap_or(0)..]));
            for verdict in &metric.verdicts {
                out.push_str(&format!("{indent}{}\n", self.verdict(metric, verdict)));
            }
            out.push('\n');
        }
        out.push('\n');
    }

    fn verdict(&self, metric: &Metric, verdict: &Verdict) -> String {
        let (colour, mark) = if verdict.holds { (GREEN, "✓") } else { (RED, "✗") };
        let source = self.paint(WHITE, &format!("'{}'", verdict.source));
        let aggregation = self.paint(WHITE, &verdict.aggregation);
        let measured = self.paint(CYAN, &measured(metric, verdict));
        format!("{} {source} {aggregation}={measured}", self.paint(colour, mark))
    }

    fn table(&self, out: &mut String, metrics: &[&Metric]) {
        let blocks: Vec<(&str, Vec<Row>)> = SECTIONS
            .iter()
            .map(|(section, title)| {
                (*title, metrics.iter().filter(|metric| metric.section == *section).map(|metric| row(metric)).collect())
            })
            .filter(|(_, rows): &(_, Vec<Row>)| !rows.is_empty())
            .collect();
        let widths = Widths::of(blocks.iter().flat_map(|(_, rows)| rows));
        let texts: Vec<String> = blocks
            .iter()
            .map(|(title, rows)| {
                let lines: String = rows.iter().map(|row| self.line(row, &widths)).collect();
                format!("    {}\n{lines}", self.paint(BOLD, title))
            })
            .collect();
        out.push_str(&texts.join("\n"));
    }

    fn line(&self, row: &Row, widths: &Widths) -> String {
        let dots = ".".repeat(widths.name + 3 - row.indent - row.name.chars().count());
        let name = format!("    {}{}{}", " ".repeat(row.indent), row.name, self.paint(FAINT, &format!("{dots}:")));
        let cells = match &row.cells {
            Cells::Trend(figures) => {
                let figure = |(at, text): (usize, &String)| {
                    format!("{}={}{}", COLUMNS[at], self.paint(CYAN, text), pad(text, widths.columns[at]))
                };
                figures.iter().enumerate().map(figure).collect::<Vec<_>>().join(" ")
            }
            Cells::Plain(value, beside) => {
                let value = format!("{}{}", self.paint(CYAN, value), pad(value, widths.value));
                let beside = beside.iter().enumerate().map(|(at, text)| {
                    // A text that stands alone needs no room kept behind it.
                    let room = if beside.len() > 1 { pad(text, widths.beside[at]) } else { String::new() };
                    format!("{}{room}", self.paint(FAINT_CYAN, text))
                });
                std::iter::once(value).chain(beside).collect::<Vec<_>>().join(" ")
            }
        };
        format!("{name} {cells}\n")
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Widths {
    fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut widths = Self::default();
        let widen = |width: &mut usize, text: &str| *width = (*width).max(text.chars().count());
        for row in rows {
            widths.name = widths.name.max(row.indent + row.name.chars().count());
            match &row.cells {
                Cells::Trend(figures) => {
                    widths.columns.iter_mut().zip(figures).for_each(|(width, text)| widen(width, text));
                }
                Cells::Plain(value, beside) => {
                    widen(&mut widths.value, value);
                    widths.beside.iter_mut().zip(beside).for_each(|(width, text)| widen(width, text));
                }
            }
        }
        widths
    }
}

fn pad(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.chars().count()))
}

fn row(metric: &Metric) -> Row {
    let (name, indent) = match metric.name.split_once('{') {
        Some((_, tags)) => (format!("{{ {} }}", tags.trim_end_matches('}')), 2),
        None => (metric.name.clone(), 0),
    };
    Row { name, indent, cells: cells(metric) }
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn cells(metric: &Metric) -> Cells {
    let shown = |value: f64| in_unit(metric.unit, value);
    match &metric.value {
        Value::Counter { count, per_s } => Cells::Plain(shown(*count as f64), vec![format!("{}/s", shown(*per_s))]),
        Value::Gauge { value, min, max } => {
            Cells::Plain(shown(*value as f64), vec![format!("min={min}"), format!("max={max}")])
        }
        value @ Value::Rate { hits, total } => {
            Cells::Plain(format::percent(value.part()), vec![format!("{hits} out of {total}")])
        }
        Value::Trend(trend) => {
            let figures = [
                trend.mean_ns(),
                trend.min_ns() as f64,
                trend.percentile_ns(50.0),
                trend.max_ns() as f64,
                trend.percentile_ns(90.0),
                trend.percentile_ns(95.0),
            ];
            Cells::Trend(figures.map(|ns| shown(ns / 1e6)).to_vec())
        }
    }
}

/// What a threshold compared, in the metric's unit.
fn measured(metric: &Metric, verdict: &Verdict) -> String {
    match &metric.value {
        Value::Rate { .. } => format::percent(verdict.measured),
        Value::Counter { .. } if verdict.aggregation == "rate" => {
            format!("{}/s", in_unit(metric.unit, verdict.measured))
        }
        _ => in_unit(metric.unit, verdict.measured),
    }
}

fn in_unit(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Number => format::number(value),
        Unit::Time => format::duration(value),
        Unit::Data => format::bytes(value),
    }
}

#[cfg(test)]
mod tests;
