//! Reports of runs: one page that holds all of it, its numbers as JSON, and `bedloe report`, which shows a run again or
//! two beside each other.
//!
//! A run is data first (`run`). The page (`page`, `drawn`), the verdict and the comparison are made of that data alone.

mod compare;
mod drawn;
pub(crate) mod files;
pub(crate) mod make;
pub(crate) mod output;
mod page;
pub(crate) mod run;
pub(crate) mod verdict;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use output::Output;
pub(crate) use page::{clock, render};
use run::Run;

use crate::unless_closed;
use crate::visible::visible;

/// Show a run again, or two beside each other.
///
/// A run is what `bedloe load --json FILE` or `bedloe lab --json FILE` wrote. Of one run the page is made again; of two
/// a table is printed, with what changed from the first to the second, and written as a page with --output.
///
/// Exit codes: 0 it is shown; 1 a file is no run, or the page could not be written; 2 bad flags.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The run, and one to compare it with
    #[arg(value_name = "RUN.json", required = true, num_args = 1..=2)]
    runs: Vec<PathBuf>,
    /// Write the page to this file; without it the verdict on one run is printed
    #[arg(short, long, value_name = "FILE.html")]
    output: Option<PathBuf>,
}

/// Runs the command.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: ReportArgs) -> anyhow::Result<ExitCode> {
    for (run, page) in args.runs.iter().zip(args.output.iter().cycle()) {
        output::differ(run, page)?;
    }
    let output = args.output.as_deref().map(Output::prepare).transpose()?;
    let runs = args.runs.iter().map(|path| Run::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    match (runs.as_slice(), output) {
        ([run], Some(output)) => output.finish(&render(run))?,
        ([run], None) => {
            print(&format!("{}\n{}\n", visible(&run.title), visible(&run.verdict.sentence)))?;
        }
        ([a, b], output) => {
            let compared = compare::Compared::new([a, b], &args.runs);
            print(&compared.table())?;
            if let Some(output) = output {
                output.finish(&compared.page())?;
            }
        }
        _ => anyhow::bail!("want one run or two"),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    unless_closed(written).context("cannot write to the standard output")
}
