//! `bedloe load`: the injector's command line, with k6's flags and exit codes; the injector itself is in `load`.

mod console;
mod limits;
mod output;
mod status;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use load::schedule::{ConstantArrivalRate, RampingArrivalRate, Stage};
use load::{
    MOST_USERS, Outcome, Plan, Report, Request, RequestOptions, Schedule, Source, StopHandle, Threshold, Users,
    duration,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::summary::Mode;
use console::Console;
use output::Export;

/// A threshold was crossed.
const CROSSED: u8 = 99;
/// Options that contradict each other or that cannot be.
const BAD_OPTIONS: u8 = 104;
/// Ended by a signal.
const SIGNAL: u8 = 105;

/// Send requests at a fixed or ramping rate, whatever becomes of the earlier ones, and measure the answers.
///
/// Exit codes are k6's: 0, 99 a threshold was crossed, 104 bad options, 105 ended by a signal, 255 bad flags; and 1
/// where the summary could not be written.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// What to GET: http://... or https://...
    #[arg(value_name = "URL")]
    target: String,
    /// Iterations to start each time unit
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// The time unit of the rates
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    time_unit: u64,
    /// How long iterations are started [default with --rate: 30s]
    #[arg(short, long, value_name = "DURATION", value_parser = duration::parse)]
    duration: Option<u64>,
    /// The rate that the first stage begins with
    #[arg(long, value_name = "N", requires = "stage")]
    start_rate: Option<u64>,
    /// Change the rate to a target within a time, instead of --rate and --duration; may be repeated
    #[arg(short, long, value_name = "DURATION:RATE", value_parser = parse_stage)]
    stage: Vec<Stage>,
    /// Virtual users there are from the beginning [default: as many as are needed, up to 10,000]
    #[arg(long, value_name = "N")]
    pre_allocated_vus: Option<u32>,
    /// The most virtual users; each iteration that finds none idle is dropped and adds one [default: those from the
    /// beginning]
    #[arg(long, value_name = "N")]
    max_vus: Option<u32>,
    /// How long iterations under way may go on after the end
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    graceful_stop: u64,
    /// How long a request may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    timeout: u64,
    /// Add a header field to each request; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Take any certificate
    #[arg(short = 'k', long)]
    insecure_skip_tls_verify: bool,
    /// Make a new connection for each iteration
    #[arg(long, alias = "no-vu-connection-reuse")]
    no_connection_reuse: bool,
    /// A condition on a metric, such as http_req_failed=rate<0.01; may be repeated
    #[arg(long, value_name = "METRIC=EXPRESSION")]
    threshold: Vec<String>,
    /// Judge no thresholds
    #[arg(long)]
    no_thresholds: bool,
    /// Threads [default: as many as the rate needs]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// How much the summary shows
    #[arg(long, value_name = "MODE", default_value = "compact")]
    summary_mode: Mode,
    /// Write the summary to a file, as k6's JSON
    #[arg(long, value_name = "FILE")]
    summary_export: Option<PathBuf>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the load test that the arguments ask for.
pub(crate) fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let (plan, export) = match prepare(&args) {
        Ok(prepared) => prepared,
        Err(error) => {
            say(&error);
            return Ok(ExitCode::from(BAD_OPTIONS));
        }
    };
    let stop = StopHandle::new();
    watch_signals(stop.clone())?;
    let mut console = Console::new(&plan, args.target, args.quiet)?;
    let users = plan.users;
    let report = load::run(plan, stop, |progress| console.show(progress))
        .with_context(|| format!("the load test with {} users at most failed", users.max()))?;
    console.clear();
    let is_written = write_results(&report, args.summary_mode, export, &console);
    Ok(match report.outcome {
        Outcome::Passed if !is_written => ExitCode::FAILURE,
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Crossed => ExitCode::from(CROSSED),
        Outcome::Interrupted => ExitCode::from(SIGNAL),
    })
}

/// Whether the standard output shows colours.
pub(crate) fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// All that can be refused before the test begins.
fn prepare(args: &LoadArgs) -> anyhow::Result<(Plan, Option<Export>)> {
    let mut plan = plan(args)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (users, warning) = limits::fit(plan.users, plan.threads(cores), host::files::raise())?;
    plan.users = users;
    if let Some(warning) = warning {
        say(&anyhow::Error::msg(warning));
    }
    let path = args.summary_export.as_deref().filter(|_| args.summary_mode != Mode::Disabled);
    Ok((plan, path.map(Export::open).transpose()?))
}

fn plan(args: &LoadArgs) -> anyhow::Result<Plan> {
    refuse_script(&args.target)?;
    let options = RequestOptions {
        headers: args.header.clone(),
        timeout_ms: args.timeout / 1_000_000,
        skip_verify: args.insecure_skip_tls_verify,
        reuse: !args.no_connection_reuse,
    };
    let thresholds = args.threshold.iter().map(|text| Threshold::parse_assignment(text)).collect::<Result<_, _>>()?;
    let plan = Plan {
        schedule: schedule(args)?,
        users: users(args)?,
        source: Source::Plain(Request::get(&args.target, &options)?),
        thresholds: if args.no_thresholds { Vec::new() } else { thresholds },
        graceful_stop_ms: args.graceful_stop / 1_000_000,
        threads: args.threads,
    };
    plan.check()?;
    Ok(plan)
}

fn schedule(args: &LoadArgs) -> anyhow::Result<Schedule> {
    const DEFAULT_NS: u64 = 30_000_000_000;
    match (args.rate, args.stage.is_empty()) {
        (Some(rate), true) => {
            let duration_ns = args.duration.unwrap_or(DEFAULT_NS);
            let constant = ConstantArrivalRate::new(rate, args.time_unit, duration_ns);
            Ok(Schedule::Constant(constant.map_err(|error| hint_at_unit(error.into(), duration_ns))?))
        }
        (None, false) => {
            anyhow::ensure!(args.duration.is_none(), "--duration goes with --rate; stages have durations of their own");
            let start_rate = args.start_rate.unwrap_or(0);
            let duration_ns = args.stage.iter().fold(0, |sum: u64, stage| sum.saturating_add(stage.duration_ns));
            let ramping = RampingArrivalRate::new(start_rate, args.time_unit, &args.stage);
            Ok(Schedule::Ramping(ramping.map_err(|error| hint_at_unit(error.into(), duration_ns))?))
        }
        (Some(_), false) => anyhow::bail!("want either --rate or --stage, not both"),
        (None, true) => anyhow::bail!("want a rate: --rate 100, or --stage 30s:100"),
    }
}

/// `-d 30` is 30 ms, as in k6, where 30 s were meant.
fn hint_at_unit(error: anyhow::Error, duration_ns: u64) -> anyhow::Error {
    const SECOND_NS: u64 = 1_000_000_000;
    let ms = duration_ns / 1_000_000;
    if ms == 0 || duration_ns >= SECOND_NS {
        return error;
    }
    anyhow::anyhow!("{error:#}; {ms}ms were given: a number without a unit is milliseconds, seconds are {ms}s")
}

fn users(args: &LoadArgs) -> anyhow::Result<Users> {
    match (args.pre_allocated_vus, args.max_vus) {
        (None, None) => Ok(Users::OnDemand),
        // Users cost nothing until they are needed, so a limit alone promises all of them.
        (None, Some(max)) => Ok(Users::Promised { pre_allocated: max, max }),
        (Some(0), None) => anyhow::bail!("--pre-allocated-vus 0 leaves nobody: want at least 1, or --max-vus too"),
        (Some(pre_allocated), None) => {
            anyhow::ensure!(
                pre_allocated <= MOST_USERS,
                "--pre-allocated-vus must be at most {MOST_USERS}, not {pre_allocated}"
            );
            Ok(Users::Promised { pre_allocated, max: pre_allocated })
        }
        (Some(pre_allocated), Some(max)) => {
            anyhow::ensure!(
                max >= pre_allocated,
                "--max-vus {max} must not be less than --pre-allocated-vus {pre_allocated}"
            );
            Ok(Users::Promised { pre_allocated, max })
        }
    }
}

fn refuse_script(target: &str) -> anyhow::Result<()> {
    let is_url = target.contains("://");
    let names_script = [".js", ".ts", ".mjs", ".cjs", ".tar"].iter().any(|end| target.ends_with(end));
    let is_script = !is_url && (names_script || target == "-" || Path::new(target).is_file());
    anyhow::ensure!(!is_script, "{target}: scripts come later; so far `bedloe load` takes a URL and --rate or --stage");
    Ok(())
}

fn parse_stage(text: &str) -> Result<Stage, String> {
    let (time, target) = text.split_once(':').ok_or("want DURATION:RATE, such as 30s:4000")?;
    let duration_ns = duration::parse(time).map_err(|error| error.to_string())?;
    let target = target.parse().map_err(|_| format!("`{target}` is no rate: want a whole number"))?;
    Ok(Stage { target, duration_ns })
}

/// One line on the standard error. Nobody need be reading it.
fn say(what: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "bedloe load: {what:#}");
}

/// Writes whatever can be written; `false` if something could not.
fn write_results(report: &Report, mode: Mode, export: Option<Export>, console: &Console) -> bool {
    let printed = if mode == Mode::Disabled { Ok(()) } else { output::print_summary(report, mode) };
    let exported = export.map_or(Ok(()), |export| export.write(report));
    let finished = console.finish(report);
    console.explain(report);
    // On a full disk both have the same to say.
    let first = printed.and(finished);
    [first, exported].into_iter().filter_map(Result::err).inspect(say).count() == 0
}

/// The first signal stops the test, which is still reported; the second ends the program.
fn watch_signals(stop: StopHandle) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let wait = async move {
        for is_second in [false, true] {
            let name = tokio::select! {
                _ = interrupt.recv() => "interrupt",
                _ = terminate.recv() => "terminated",
            };
            if is_second {
                end_at_once();
            }
            let _ =
                writeln!(io::stderr(), "bedloe load: stopping ({name}); once more to end at once, without a summary");
            stop.stop();
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(wait))?;
    Ok(())
}

#[allow(clippy::exit, clippy::disallowed_methods, reason = "asked for by a second signal: nothing is left to clean up")]
fn end_at_once() -> ! {
    std::process::exit(i32::from(SIGNAL))
}

#[cfg(test)]
mod tests;
