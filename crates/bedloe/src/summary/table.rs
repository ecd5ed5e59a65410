//! A table of the summary: blocks of rows whose parts stand below each other.

use load::Metric;
use load::metric::Section;

use super::format;

const SECTIONS: [(Section, &str); 4] = [
    (Section::Custom, "CUSTOM"),
    (Section::Http, "HTTP"),
    (Section::Execution, "EXECUTION"),
    (Section::Network, "NETWORK"),
];

/// One line of a table, its parts not yet aligned.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) indent: usize,
    pub(super) cells: Cells,
}

/// What stands behind a name.
pub(super) enum Cells {
    /// Figures by name.
    Trend(Vec<(String, String)>),
    /// A value, and what stands beside it.
    Plain(String, Vec<String>),
}

/// The widths that the rows of a table share.
#[derive(Default)]
pub(super) struct Widths {
    pub(super) name: usize,
    pub(super) columns: Vec<usize>,
    pub(super) value: usize,
    pub(super) beside: [usize; 2],
}

impl Widths {
    pub(super) fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut widths = Self::default();
        let widen = |width: &mut usize, text: &str| *width = (*width).max(text.chars().count());
        for row in rows {
            widths.name = widths.name.max(row.indent + row.name.chars().count());
            match &row.cells {
                Cells::Trend(figures) => {
                    widths.columns.resize(widths.columns.len().max(figures.len()), 0);
                    widths.columns.iter_mut().zip(figures).for_each(|(width, (_, text))| widen(width, text));
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

/// The rows of each section that has any, with its title.
pub(super) fn blocks(metrics: &[&Metric], row: impl Fn(&Metric) -> Row) -> Vec<(&'static str, Vec<Row>)> {
    let mut blocks = Vec::new();
    for (section, title) in SECTIONS {
        let rows: Vec<Row> = metrics.iter().filter(|each| each.section == section).map(|each| row(each)).collect();
        if !rows.is_empty() {
            blocks.push((title, rows));
        }
    }
    blocks
}

/// A row for a count.
#[allow(clippy::cast_precision_loss, reason = "k6 computes in floating point too")]
pub(super) fn counter(name: &str, count: f64, elapsed_ns: u64) -> Row {
    let per_s = count / (elapsed_ns.max(1) as f64 / 1e9);
    let cells = Cells::Plain(format::number(count), vec![format!("{}/s", format::number(per_s))]);
    Row { name: name.to_owned(), indent: 0, cells }
}

/// A row for a part of a whole.
#[allow(clippy::cast_precision_loss, reason = "k6 computes in floating point too")]
pub(super) fn part(name: &str, hits: u64, total: u64) -> Row {
    let percent = format::percent(hits as f64 / total.max(1) as f64);
    Row { name: name.to_owned(), indent: 0, cells: Cells::Plain(percent, vec![format!("{hits} out of {total}")]) }
}

pub(super) fn pad(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.chars().count()))
}
