//! Two runs beside each other: the figures that both have, and what changed; on the terminal and as a page.

use std::path::PathBuf;

use maud::{Markup, html};

use super::drawn;
use super::page::shown;
use super::run::{Figure, Run};
use crate::charts::{Chart, Size, Unit};
use crate::page::{Page, STATIC_POLICY};
use crate::table::{Align, Table};
use crate::visible::visible;

/// A change of less is noise of any machine.
const NOTABLE_PERCENT: f64 = 5.0;

/// Two runs, and the lines of their table.
pub(super) struct Compared<'a> {
    runs: [&'a Run; 2],
    names: [String; 2],
    rows: Vec<Row>,
}

/// One figure of both.
struct Row {
    name: String,
    values: [String; 2],
    /// From the first to the second; `None` where that is no number.
    change_percent: Option<f64>,
    /// Whether less is better, where that is known.
    less_is_better: Option<bool>,
}

/// Values of each kind of metric that are compared, and whether less of it is better.
const TIMES: [&str; 6] = ["avg", "med", "p(90)", "p(95)", "p(99)", "max"];

impl<'a> Compared<'a> {
    pub(super) fn new(runs: [&'a Run; 2], paths: &[PathBuf]) -> Self {
        let name = |at: usize| {
            let path = paths.get(at).map(|path| path.display().to_string()).unwrap_or_default();
            if path.is_empty() { ["A", "B"][at].to_owned() } else { path }
        };
        Self { runs, names: [name(0), name(1)], rows: rows(runs) }
    }

    /// As it is shown on a terminal.
    pub(super) fn table(&self) -> String {
        let [a, b] = &self.names;
        let mut text = String::new();
        for (mark, name, run) in [("A", a, self.runs[0]), ("B", b, self.runs[1])] {
            let [name, title, sentence] = [name, &run.title, &run.verdict.sentence].map(|text| visible(text));
            text += &format!("{mark}  {name}\n   {title}\n   {sentence}\n");
        }
        let right = |name| (name, Align::Right);
        let mut table = Table::new(&[("figure", Align::Left), right("A"), right("B"), right("change")]);
        for row in &self.rows {
            table.row([visible(&row.name), row.values[0].clone(), row.values[1].clone(), row.change()]);
        }
        text + "\n" + &table.render(2) + "\n"
    }

    /// As a page.
    pub(super) fn page(&self) -> String {
        let title = "Two runs compared";
        let body = html! {
            header { h1 { (title) } }
            main {
                div class="wide" { table {
                    tr { th {} th { "A" } th { "B" } }
                    (self.line("file", |at| self.names[at].clone()))
                    (self.line("run", |at| self.runs[at].title.clone()))
                    (self.line("began", |at| self.runs[at].began.clone()))
                    (self.line("command", |at| self.runs[at].command.clone()))
                    (self.line("verdict", |at| self.runs[at].verdict.sentence.clone()))
                } }
                h2 { "Figures" }
                div class="wide" { table {
                    tr { th { "figure" } @for name in ["A", "B", "change"] { th class="number" { (name) } } }
                    @for row in &self.rows {
                        tr {
                            td { (row.name) }
                            td class="number" { (row.values[0]) }
                            td class="number" { (row.values[1]) }
                            td class=(format!("number {}", row.class())) { (row.change()) }
                        }
                    }
                } }
                h2 { "Over time" }
                div class="charts" { @for (a, b) in self.charts() { div { (a.draw()) } div { (b.draw()) } } }
            }
        };
        Page { title, policy: STATIC_POLICY, style: "", body }.render()
    }

    fn line(&self, what: &str, of: impl Fn(usize) -> String) -> Markup {
        html! { tr { th scope="row" { (what) } td { (of(0)) } td { (of(1)) } } }
    }

    /// The same chart of both runs, with the same axes.
    fn charts(&self) -> Vec<(Chart, Chart)> {
        let [a, b] = self.runs.map(drawn::of_load);
        let pairs = a.into_iter().filter_map(|a| {
            let b = b.iter().find(|b| b.title == a.title)?.clone();
            Some((a, b))
        });
        let alike = |(mut a, mut b): (Chart, Chart)| {
            let most = |chart: &Chart| {
                chart.series.iter().flat_map(|s| s.values.iter().flatten().copied()).fold(0.0, f64::max)
            };
            let (top, end) = (most(&a).max(most(&b)), a.span_s.map_or(0.0, |s| s.1).max(b.span_s.map_or(0.0, |s| s.1)));
            for (chart, name) in [(&mut a, "A"), (&mut b, "B")] {
                chart.title = format!("{name}: {}", chart.title);
                (chart.top, chart.span_s, chart.size) = (Some(top), Some((0.0, end)), Size::Half);
            }
            (a, b)
        };
        pairs.map(alike).collect()
    }
}

impl Row {
    fn change(&self) -> String {
        match self.change_percent {
            Some(change) if change.abs() < 0.05 => "=".to_owned(),
            Some(change) if change.is_infinite() => "from 0".to_owned(),
            Some(change) => format!("{change:+.1}%"),
            None if self.values[0] == self.values[1] => "=".to_owned(),
            None => String::new(),
        }
    }

    /// How it is coloured: not at all where nothing says what is better, or where the change is noise.
    fn class(&self) -> &'static str {
        match (self.less_is_better, self.change_percent) {
            (Some(less), Some(change)) if change.abs() >= NOTABLE_PERCENT => {
                if (change < 0.0) == less {
                    "ok"
                } else {
                    "bad"
                }
            }
            _ => "",
        }
    }
}

/// All figures of either, in the order of the first.
fn rows(runs: [&Run; 2]) -> Vec<Row> {
    let names = runs[0]
        .figures
        .iter()
        .chain(runs[1].figures.iter().filter(|b| !runs[0].figures.iter().any(|a| a.name == b.name)));
    let mut rows: Vec<Row> = names.flat_map(|figure| of_figure(figure, runs)).collect();
    rows.extend(processes(runs));
    rows
}

fn of_figure(figure: &Figure, runs: [&Run; 2]) -> Vec<Row> {
    let named = runs.map(|run| run.figures.iter().find(|known| known.name == figure.name && known.kind == figure.kind));
    let values: &[&str] = match figure.kind.as_str() {
        "trend" => &TIMES,
        "counter" => &["count", "rate"],
        "gauge" => &["max"],
        _ => &["rate"],
    };
    let row = |value: &&str| {
        let numbers = named.map(|figure| figure.and_then(|figure| figure.values.get(*value).copied()));
        let texts = named.map(|figure| figure.map(|figure| shown(figure, value)).unwrap_or_default());
        let name = if figure.kind == "rate" { figure.name.clone() } else { format!("{} {value}", figure.name) };
        Row { name, values: texts, change_percent: change(numbers), less_is_better: less_is_better(figure) }
    };
    values.iter().map(row).collect()
}

fn less_is_better(figure: &Figure) -> Option<bool> {
    match (figure.name.as_str(), figure.unit.as_str()) {
        ("http_req_failed" | "dropped_iterations", _) => Some(true),
        ("checks" | "http_reqs" | "iterations", _) => Some(false),
        (_, "time") if figure.kind == "trend" => Some(true),
        _ => None,
    }
}

/// What each process used, where both runs are of labs.
fn processes(runs: [&Run; 2]) -> Vec<Row> {
    let mut rows = Vec::new();
    for a in &runs[0].processes {
        let Some(b) = runs[1].processes.iter().find(|b| b.name == a.name) else { continue };
        let mut row = |what: &str, unit: Unit, values: [f64; 2], less: Option<bool>| {
            let name = format!("{} {what}", a.name);
            let change_percent = change(values.map(Some));
            rows.push(Row { name, values: values.map(|v| unit.show(v)), change_percent, less_is_better: less });
        };
        row("CPU", Unit::Percent, [a.cpu_percent, b.cpu_percent], None);
        row("CPU a request", Unit::Ms, [a.cpu_us_per_request, b.cpu_us_per_request].map(|us| us / 1000.0), Some(true));
        row("peak memory", Unit::Bytes, [a.peak_resident_bytes, b.peak_resident_bytes].map(|b| b as f64), Some(true));
    }
    rows
}

/// By how much the second is more than the first.
fn change(values: [Option<f64>; 2]) -> Option<f64> {
    match values {
        [Some(a), Some(b)] if a == b => Some(0.0),
        // From nothing it is no percentage, but more than any.
        [Some(a), Some(b)] => Some((b - a) / a.abs() * 100.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(p95: f64, failed: f64) -> Run {
        let figure = |name: &str, kind: &str, unit: &str, value: &str, number: f64| Figure {
            name: name.into(),
            kind: kind.into(),
            unit: unit.into(),
            compact: true,
            values: [(value.to_owned(), number)].into(),
        };
        let figures = vec![
            figure("http_req_duration", "trend", "time", "p(95)", p95),
            figure("http_req_failed", "rate", "default", "rate", failed),
        ];
        Run { title: "a load".into(), figures, ..Run::new() }
    }

    #[test]
    fn what_stands_in_a_run_does_not_act_upon_a_terminal() {
        let mut evil = run(4.0, 0.0);
        for text in [&mut evil.title, &mut evil.verdict.sentence, &mut evil.figures[0].name] {
            *text = "\x1b[2Jhttp_reqs\n".to_owned();
        }
        let text = Compared::new([&evil, &evil], &["\x1b[2J".into(), "b.json".into()]).table();
        assert!(!text.contains('\x1b') && text.contains("\\u{1b}[2Jhttp_reqs\\n"), "{text}");
    }

    #[test]
    fn what_changed_is_told_with_its_direction() {
        let (a, b) = (run(4.0, 0.0), run(5.0, 0.01));
        let compared = Compared::new([&a, &b], &["a.json".into(), "b.json".into()]);
        let text = compared.table();
        let line = |name: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("http_req_duration p(95)"), "http_req_duration p(95) 4 ms 5 ms +25.0%");
        assert_eq!(line("http_req_failed"), "http_req_failed 0% 1% from 0");
        let page = compared.page();
        assert!(page.contains("<td class=\"number bad\">+25.0%</td>"), "{page}");
        assert!(page.contains("<td class=\"number bad\">from 0</td>"), "{page}");
        assert_eq!(
            Compared::new([&a, &a], &[]).rows.iter().filter(|row| row.change() == "=").count(),
            rows([&a, &a]).len()
        );
    }
}
