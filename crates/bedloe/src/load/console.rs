//! What a load test shows while it runs: on a terminal lines that stay where they are, otherwise a report every few
//! seconds; warnings on the standard error either way.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use load::{FailureCount, Outcome, Plan, Progress, Report, Source};

use super::logger::Logger;
use super::output::unless_closed;
use super::status::Status;

/// Time between two reports where the output is no terminal.
const PLAIN_EVERY_NS: u64 = 5_000_000_000;

/// Characters of a scenario's bar.
const BAR_WIDTH: usize = 38;

/// Kinds of failure that are told apart at the end.
const MOST_KINDS: usize = 10;

/// Where progress goes.
#[derive(Debug)]
pub(crate) struct Console {
    status: Status,
    bar: Option<ProgressBar>,
    plain: bool,
    next_plain_ns: u64,
    last: Progress,
    logger: Arc<Logger>,
    /// What is asked for, where it is one address.
    url: Option<String>,
}

impl Console {
    /// Says what is going to be done, unless it is to be quiet.
    pub(crate) fn new(
        plan: &Plan,
        (target, outputs): (&str, &str),
        quiet: bool,
        logger: Arc<Logger>,
    ) -> anyhow::Result<Self> {
        let status = Status::of(plan);
        let is_terminal = io::stdout().is_terminal();
        let bar = if is_terminal && !quiet { Some(bar()?) } else { None };
        if !quiet {
            unless_closed(announce(&status, target, outputs))?;
        }
        if let Some(bar) = &bar {
            logger.keep_clear_of(bar.clone());
        }
        let url = matches!(plan.source, Source::Plain(_)).then(|| target.to_owned());
        let plain = !is_terminal && !quiet;
        let (next_plain_ns, last) = (PLAIN_EVERY_NS, Progress::default());
        Ok(Self { status, bar, plain, next_plain_ns, last, logger, url })
    }

    /// Shows how the test is getting on.
    pub(crate) fn show(&mut self, progress: &Progress) {
        self.last = progress.clone();
        for warning in &progress.warnings {
            self.logger.warn(warning);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(self.bars(progress));
        }
        if self.plain && progress.elapsed_ns >= self.next_plain_ns {
            self.next_plain_ns += PLAIN_EVERY_NS;
            // Nobody may be reading any more; the summary is what counts.
            let _ = self.print(progress);
        }
    }

    /// What changes in its place on a terminal: a bar a scenario.
    fn bars(&self, progress: &Progress) -> String {
        let mut text = format!("{}\n", self.status.running(progress));
        for line in self.status.lines(progress) {
            let full = usize::try_from(line.percent).unwrap_or(0) * BAR_WIDTH / 100;
            let head = if full < BAR_WIDTH { ">" } else { "" };
            let bar = format!("{}{head}", "=".repeat(full));
            text += &format!("{} {} [{bar:-<BAR_WIDTH$}] {}\n", line.name, line.mark.sign(), line.details);
        }
        text
    }

    /// Makes room for the summary.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The last report.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        if self.plain || self.bar.is_some() {
            unless_closed(self.print(&self.last))?;
        }
        Ok(())
    }

    /// What went wrong with requests and why the exit code is not 0, for whoever reads the standard error.
    pub(crate) fn explain(&self, report: &Report) {
        for line in self.url.iter().flat_map(|url| failures(report, url)) {
            self.logger.warn(&line);
        }
        let why = match report.outcome {
            // A script's own failures were told when they happened.
            Outcome::Passed
            | Outcome::ScriptFailed
            | Outcome::SetupTimedOut
            | Outcome::TeardownTimedOut
            | Outcome::Aborted
            | Outcome::Failed => return,
            Outcome::Crossed if report.is_aborted => {
                let names = report.crossed().join(", ");
                format!("thresholds on metrics '{names}' were crossed; one of them with abortOnFail has ended the test")
            }
            Outcome::Crossed => format!("thresholds on metrics '{}' have been crossed", report.crossed().join(", ")),
            Outcome::Interrupted => "test run was aborted by a signal".to_owned(),
        };
        self.logger.error(&why);
    }

    /// Words that found no place in the summary.
    pub(crate) fn warn(&self, words: &[String]) {
        words.iter().for_each(|line| self.logger.warn(line));
    }

    fn print(&self, progress: &Progress) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "\n{}", self.status.running(progress))?;
        for line in self.status.lines(progress) {
            let (name, sign, percent, details) = (line.name, line.mark.sign(), line.percent, line.details);
            writeln!(out, "{name} {sign} [ {percent:3}% ] {details}")?;
        }
        out.flush()
    }
}

fn bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("\n{msg}")?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
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

fn announce(status: &Status, target: &str, outputs: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\n     execution: local\n        script: {target}\n        output: {outputs}\n")?;
    writeln!(out, "     scenarios: (100.00%) {}", status.describe())?;
    out.flush()
}
