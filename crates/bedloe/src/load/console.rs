//! What a load test shows while it runs: on a terminal two lines that stay where they are, otherwise a report every few
//! seconds; warnings on the standard error either way.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use load::{FailureCount, Outcome, Plan, Progress, Report};

use super::output::unless_closed;
use super::status::{Mark, Scenario, whole};

/// Time between two reports where the output is no terminal.
const PLAIN_EVERY_NS: u64 = 5_000_000_000;

/// Kinds of failure that are told apart at the end.
const MOST_KINDS: usize = 10;

/// Where progress goes.
#[derive(Debug)]
pub(crate) struct Console {
    scenario: Scenario,
    target: String,
    bar: Option<ProgressBar>,
    plain: bool,
    next_plain_ns: u64,
    last: Progress,
}

impl Console {
    /// Says what is going to be done, unless it is to be quiet.
    pub(crate) fn new(plan: &Plan, target: String, quiet: bool) -> anyhow::Result<Self> {
        let scenario = Scenario::of(plan);
        let is_terminal = io::stdout().is_terminal();
        let bar = if is_terminal && !quiet { Some(bar()?) } else { None };
        if !quiet {
            unless_closed(announce(&scenario, &target))?;
        }
        let plain = !is_terminal && !quiet;
        Ok(Self { scenario, target, bar, plain, next_plain_ns: PLAIN_EVERY_NS, last: Progress::default() })
    }

    /// Shows how the test is getting on.
    pub(crate) fn show(&mut self, progress: &Progress) {
        self.last = progress.clone();
        for warning in &progress.warnings {
            self.warn(progress.elapsed_ns, warning);
        }
        let mark = Mark::of(progress);
        if let Some(bar) = &self.bar {
            bar.set_prefix(self.scenario.running(progress));
            bar.set_message(self.scenario.details(progress, mark));
            bar.set_position(self.scenario.percent(progress));
        }
        if self.plain && progress.elapsed_ns >= self.next_plain_ns {
            self.next_plain_ns += PLAIN_EVERY_NS;
            // Nobody may be reading any more; the summary is what counts.
            let _ = self.print(progress, mark);
        }
    }

    /// Makes room for the summary.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The last report.
    pub(crate) fn finish(&self, report: &Report) -> anyhow::Result<()> {
        if self.plain || self.bar.is_some() {
            let cut_off = report.outcome == Outcome::Interrupted;
            unless_closed(self.print(&self.last, if cut_off { Mark::CutOff } else { Mark::Done }))?;
        }
        Ok(())
    }

    /// What went wrong with requests and why the exit code is not 0, for whoever reads the standard error.
    pub(crate) fn explain(&self, report: &Report) {
        for line in failures(report, &self.target) {
            let _ = log("WARN", "warning", self.last.elapsed_ns, &line);
        }
        let why = match report.outcome {
            Outcome::Passed => return,
            Outcome::Crossed => format!("thresholds on metrics '{}' have been crossed", report.crossed().join(", ")),
            Outcome::Interrupted => "test run was aborted by a signal".to_owned(),
        };
        let _ = log("ERRO", "error", self.last.elapsed_ns, &why);
    }

    fn print(&self, progress: &Progress, mark: Mark) -> io::Result<()> {
        let running = self.scenario.running(progress);
        let (sign, percent) = (mark.sign(), self.scenario.percent(progress));
        let details = self.scenario.details(progress, mark);
        let mut out = io::stdout().lock();
        writeln!(out, "\n{running}\ndefault {sign} [ {percent:3}% ] {details}")?;
        out.flush()
    }

    fn warn(&self, elapsed_ns: u64, text: &str) {
        let write = || log("WARN", "warning", elapsed_ns, text);
        let _ = match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
    }
}

fn bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("\n{prefix}\ndefault   [{bar:38}] {msg}")?.progress_chars("=>-");
    let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stdout());
    bar.set_style(style);
    Ok(bar)
}

/// How many requests failed and how, the most frequent first.
fn failures(report: &Report, target: &str) -> Vec<String> {
    let requests = |count: u64| if count == 1 { "1 request".to_owned() } else { format!("{count} requests") };
    let (shown, rest) = report.failures.split_at(report.failures.len().min(MOST_KINDS));
    let line = |each: &FailureCount| format!("{} failed: GET {target}: {}", requests(each.count), each.failure.text);
    let mut lines: Vec<String> = shown.iter().map(line).collect();
    if !rest.is_empty() {
        lines.push(format!("{} failed in other ways", requests(rest.iter().map(|each| each.count).sum())));
    }
    lines
}

fn announce(scenario: &Scenario, target: &str) -> io::Result<()> {
    let (longest, max) = (whole(scenario.longest_ns), scenario.max_users);
    let mut out = io::stdout().lock();
    writeln!(out, "\n     execution: local\n        script: {target}\n        output: -\n")?;
    let head = "     scenarios: (100.00%) 1 scenario";
    writeln!(out, "{head}, {max} max VUs, {longest} max duration (incl. graceful stop):")?;
    writeln!(out, "              * default: {}\n", scenario.description)?;
    out.flush()
}

/// A line of log: short on a terminal, logfmt elsewhere.
fn log(short: &str, level: &str, elapsed_ns: u64, text: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        return writeln!(err, "{short}[{:04}] {text}", elapsed_ns / 1_000_000_000);
    }
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    writeln!(err, "level={level} msg=\"{quoted}\" elapsed={}", whole(elapsed_ns / 100_000_000 * 100_000_000))
}
