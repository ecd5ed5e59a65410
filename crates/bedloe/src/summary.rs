//! The summary of a load test on the terminal, laid out as k6 lays it out: thresholds, then all results in blocks; in
//! full also each scenario and group.
//!
//! `load` and `lab` print the same one.

mod format;
mod table;

use load::metric::{CheckCount, Unit};
use load::{Metric, Report, Value, Verdict};
use table::{Row, Widths};

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

/// How it looks.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    /// How much is shown.
    pub(crate) mode: Mode,
    /// Whether it has colours.
    pub(crate) colour: bool,
    /// Figures of a trend, in their order.
    pub(crate) stats: Vec<Stat>,
    /// What times are in; by their size where none is given.
    pub(crate) time_unit: Option<TimeUnit>,
}

pub(crate) use format::TimeUnit;
pub(crate) use load::stat::Stat;

const BOLD: &str = "\x1b[1m";
const CYAN: &str = "\x1b[36m";
const FAINT_CYAN: &str = "\x1b[2;36m";
const FAINT: &str = "\x1b[2;37m";
const WHITE: &str = "\x1b[37m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";

impl Style {
    /// As it is unless told otherwise.
    pub(crate) fn new(mode: Mode, colour: bool) -> Self {
        Self { mode, colour, stats: Stat::usual(), time_unit: None }
    }
}

/// The whole summary, from its first block to its last line.
pub(crate) fn render(report: &Report, style: &Style) -> String {
    if style.mode == Mode::Disabled {
        return String::new();
    }
    let page = Page { style };
    let mut out = String::new();
    if report.metrics.iter().any(|metric| !metric.verdicts.is_empty()) {
        page.thresholds(&mut out, report);
    }
    page.title(&mut out, 1, "█", "TOTAL RESULTS");
    let shown: Vec<&Metric> =
        report.metrics.iter().filter(|metric| metric.compact || style.mode == Mode::Full).collect();
    let checks = ordered(report, |_| true);
    out += &page.block(2, &checks, &shown, report.elapsed_ns);
    if style.mode == Mode::Full {
        page.scopes(&mut out, report);
    }
    out
}

/// How text is decorated.
struct Page<'a> {
    style: &'a Style,
}

impl Page<'_> {
    fn title(&self, out: &mut String, depth: usize, mark: &str, title: &str) {
        out.push_str(&format!("{}{mark} {} \n\n", "  ".repeat(depth), self.paint(BOLD, title)));
    }

    fn thresholds(&self, out: &mut String, report: &Report) {
        self.title(out, 1, "█", "THRESHOLDS");
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
        let measured = self.paint(CYAN, &self.measured(metric, verdict));
        format!("{} {source} {aggregation}={measured}", self.paint(colour, mark))
    }

    /// Checks and metrics.
    fn block(&self, depth: usize, checks: &[Check], metrics: &[&Metric], elapsed_ns: u64) -> String {
        let mut parts = Vec::new();
        if !checks.is_empty() {
            parts.push(self.checks(depth, checks, elapsed_ns));
        }
        let blocks = table::blocks(metrics, |metric| self.row(metric));
        let widths = Widths::of(blocks.iter().flat_map(|(_, rows)| rows));
        for (title, rows) in &blocks {
            let lines: String = rows.iter().map(|row| self.line(depth, row, &widths)).collect();
            parts.push(format!("{}{}\n{lines}", "  ".repeat(depth), self.paint(BOLD, title)));
        }
        parts.join("\n")
    }

    fn checks(&self, depth: usize, checks: &[Check], elapsed_ns: u64) -> String {
        let (passes, fails) =
            checks.iter().fold((0, 0), |(passes, fails), check| (passes + check.passes, fails + check.fails));
        let total = passes + fails;
        let count = table::counter("checks_total", total as f64, elapsed_ns);
        let part = |name: &str, hits| table::part(name, hits, total);
        let rows = [count, part("checks_succeeded", passes), part("checks_failed", fails)];
        let widths = Widths::of(rows.iter());
        let mut text: String = rows.iter().map(|row| self.line(depth, row, &widths)).collect();
        text.push('\n');
        for check in checks {
            text += &self.check(depth, check);
        }
        text
    }

    fn check(&self, depth: usize, check: &Check) -> String {
        let indent = "  ".repeat(depth);
        if check.fails == 0 {
            return format!("{indent}{} {}\n", self.paint(GREEN, "✓"), check.name);
        }
        let percent = check.passes * 100 / (check.passes + check.fails);
        let counts = format!("↳  {percent}% — ✓ {} / ✗ {}", check.passes, check.fails);
        // k6 sets these in by the depth a second time.
        let inner = "  ".repeat(depth * 2 - 1);
        format!("{indent}{}\n{inner}{}\n", self.paint(RED, &format!("✗ {}", check.name)), self.paint(RED, &counts))
    }

    /// Each scenario with its groups where there are several, else the groups of the only one.
    fn scopes(&self, out: &mut String, report: &Report) {
        let mut scenarios: Vec<&str> = report.scopes.iter().map(|scope| scope.scenario.as_str()).collect();
        scenarios.retain(|name| !name.is_empty());
        scenarios.dedup();
        let has_several = scenarios.len() > 1;
        for scenario in scenarios {
            if has_several {
                out.push_str("\n\n");
                self.title(out, 1, "█", &format!("SCENARIO: {scenario}"));
                *out += &self.scope(2, report, scenario, "");
            }
            let depth = if has_several { 2 } else { 1 };
            self.groups(out, depth, report, scenario, "");
        }
    }

    fn groups(&self, out: &mut String, depth: usize, report: &Report, scenario: &str, parent: &str) {
        for path in report.groups.iter().filter(|path| is_child(path, parent)) {
            let is_met = |group: &str| group == &**path || is_below(group, path);
            let is_here = report.scopes.iter().any(|scope| scope.scenario == scenario && is_met(&scope.group));
            if !is_here {
                continue;
            }
            let (gap, mark) = if depth == 1 { ("\n\n", "█") } else { ("\n", "↳") };
            out.push_str(gap);
            self.title(out, depth, mark, &format!("GROUP: {}", &path[parent.len() + 2..]));
            *out += &self.scope(depth + 1, report, scenario, path);
            self.groups(out, depth + 1, report, scenario, path);
        }
    }

    fn scope(&self, depth: usize, report: &Report, scenario: &str, group: &str) -> String {
        let scope = report.scopes.iter().find(|scope| scope.scenario == scenario && scope.group == group);
        let Some(scope) = scope else { return String::new() };
        let metrics: Vec<&Metric> = scope.metrics.iter().collect();
        let is_here = |check: &CheckCount| *check.scenario == *scenario && (group.is_empty() || *check.group == *group);
        self.block(depth, &ordered(report, is_here), &metrics, report.elapsed_ns)
    }

    fn row(&self, metric: &Metric) -> Row {
        let (name, indent) = match metric.name.split_once('{') {
            Some((_, tags)) => (format!("{{ {} }}", tags.trim_end_matches('}')), 2),
            None => (metric.name.clone(), 0),
        };
        Row { name, indent, cells: self.cells(metric) }
    }

    fn cells(&self, metric: &Metric) -> table::Cells {
        let shown = |value: f64| self.in_unit(metric.unit, value);
        match &metric.value {
            Value::Counter { count, per_s } => table::Cells::Plain(shown(*count), vec![format!("{}/s", shown(*per_s))]),
            Value::Gauge { value, min, max } => {
                table::Cells::Plain(shown(*value), vec![format!("min={}", shown(*min)), format!("max={}", shown(*max))])
            }
            value @ Value::Rate { hits, total } => {
                table::Cells::Plain(format::percent(value.part()), vec![format!("{hits} out of {total}")])
            }
            Value::Trend(trend) => {
                let figure = |stat: &Stat| {
                    let value = stat.of(trend);
                    let text = if stat.is_count() { format::number(value) } else { shown(value) };
                    (stat.name(), text)
                };
                table::Cells::Trend(self.style.stats.iter().map(figure).collect())
            }
        }
    }

    /// What a threshold compared, in the metric's unit.
    fn measured(&self, metric: &Metric, verdict: &Verdict) -> String {
        match &metric.value {
            Value::Rate { .. } => format::percent(verdict.measured),
            Value::Counter { .. } if verdict.aggregation == "rate" => {
                format!("{}/s", self.in_unit(metric.unit, verdict.measured))
            }
            _ => self.in_unit(metric.unit, verdict.measured),
        }
    }

    fn in_unit(&self, unit: Unit, value: f64) -> String {
        match unit {
            Unit::Number => format::number(value),
            Unit::Time => self.style.time_unit.map_or_else(|| format::duration(value), |unit| unit.format(value)),
            Unit::Data => format::bytes(value),
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.style.colour { format!("{colour}{text}\x1b[0m") } else { text.to_owned() }
    }

    fn line(&self, depth: usize, row: &Row, widths: &Widths) -> String {
        let dots = ".".repeat(widths.name + 3 - row.indent - row.name.chars().count());
        let indent = " ".repeat(depth * 2 + row.indent);
        let name = format!("{indent}{}{}", row.name, self.paint(FAINT, &format!("{dots}:")));
        let cells = match &row.cells {
            table::Cells::Trend(figures) => {
                let figure = |(at, (name, text)): (usize, &(String, String))| {
                    format!("{name}={}{}", self.paint(CYAN, text), table::pad(text, widths.columns[at]))
                };
                figures.iter().enumerate().map(figure).collect::<Vec<_>>().join(" ")
            }
            table::Cells::Plain(value, beside) => {
                let value = format!("{}{}", self.paint(CYAN, value), table::pad(value, widths.value));
                let beside = beside.iter().enumerate().map(|(at, text)| {
                    // A text that stands alone needs no room kept behind it.
                    let room = if beside.len() > 1 { table::pad(text, widths.beside[at]) } else { String::new() };
                    format!("{}{room}", self.paint(FAINT_CYAN, text))
                });
                std::iter::once(value).chain(beside).collect::<Vec<_>>().join(" ")
            }
        };
        format!("{name} {cells}\n")
    }
}

/// A check in one group, over all scenarios that are shown together.
struct Check {
    name: String,
    passes: u64,
    fails: u64,
}

/// Checks in the order of the tree: those outside of groups, then group by group. Those of the same name are one, as in
/// k6.
fn ordered(report: &Report, which: impl Fn(&CheckCount) -> bool) -> Vec<Check> {
    let mut paths: Vec<&str> = Vec::new();
    for check in &report.checks {
        if !paths.contains(&&*check.group) {
            paths.push(&check.group);
        }
    }
    let mut checks: Vec<Check> = Vec::new();
    for path in paths {
        for check in report.checks.iter().filter(|check| *check.group == *path && which(check)) {
            match checks.iter_mut().find(|known| *known.name == *check.name) {
                Some(known) => {
                    known.passes += check.passes;
                    known.fails += check.fails;
                }
                None => checks.push(Check { name: check.name.to_string(), passes: check.passes, fails: check.fails }),
            }
        }
    }
    checks
}

fn is_child(path: &str, parent: &str) -> bool {
    is_below(path, parent) && !path[parent.len() + 2..].contains("::")
}

fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.starts_with("::"))
}

#[cfg(test)]
mod tests;
