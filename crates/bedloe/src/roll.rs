//! `bedloe roll`: the servers of an upstream restarted one after the other, each of them drained before.
//!
//! What is done is in `steps`, which servers by which command in `plan`, what came of it in `report`.

mod command;
mod plan;
mod ready;
mod report;
mod steps;
mod view;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::upstream::At;
use crate::upstream::client::Client;
use plan::Plan;
use report::{Ending, Row};
use steps::{Roll, Stop};
use view::View;

/// The exit code of a roll that was ended by a signal; as a load's.
const INTERRUPTED: u8 = 105;
/// For how long a server with sessions has to get no request, unless told otherwise.
const IDLE: Duration = Duration::from_secs(5);
/// What a server is asked for where the balancer does not check it.
const PROBED: &str = "/health/ready";

/// Restart the servers of an upstream one after the other, without a failed request.
///
/// Each server drains: it gets no new requests, and those of its sessions until these are idle or --drain-timeout is
/// over. Then it is down, and when nothing is in flight any more the command restarts it. It gets requests again when
/// --passes checks of the balancer have passed in a row, or where it has none as many probes of /health/ready; the next
/// server's turn comes after its slow_start. The first failure ends it, and says how to go on.
///
/// It speaks to the `api` of the balancer, as `bedloe upstream` does. Ctrl-C puts a server that drains back; one whose
/// command runs is brought to its end first, and a second Ctrl-C leaves it down.
///
/// Exit codes: 0 all are restarted, 1 stopped at a failure or not begun, 2 the command line is wrong, 105 ended by
/// a signal.
#[derive(Debug, Args)]
pub(crate) struct RollArgs {
    /// The upstream
    upstream: String,
    /// The shell's command that restarts a server and returns when the old process is gone; {name} {address} {host}
    /// {port} {route} {id} are the server's, and so are $BEDLOE_NAME, $BEDLOE_ADDRESS and so on
    #[arg(long, value_name = "COMMAND")]
    restart: String,
    /// These servers alone, in this order: numbers, names as written, addresses or routes
    #[arg(long = "server", value_name = "SERVER", num_args = 1..)]
    servers: Vec<String>,
    /// Servers that must be up beside the one that is restarted
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_up: usize,
    /// How long sessions may go on at a server that drains, and then requests in flight
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = lab::duration::parse)]
    drain_timeout: Duration,
    /// Sessions are idle when the server has got no request for so long [default: 5s where servers have a route, else
    /// 0]
    #[arg(long, value_name = "DURATION", value_parser = lab::duration::parse)]
    idle: Option<Duration>,
    /// How long the command may take, and the server then until it is ready, in all
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = span)]
    ready_timeout: Duration,
    /// Checks that must pass in a row before a server gets requests again
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    passes: u64,
    /// A page that each server itself must answer too, with 2xx or 3xx and so often, before it gets any request
    #[arg(long, value_name = "PATH", value_parser = path)]
    probe: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    at: At,
}

/// What of the arguments the steps go by.
struct Settings {
    upstream: String,
    min_up: usize,
    drain_timeout: Duration,
    idle: Option<Duration>,
    ready_timeout: Duration,
    passes: u64,
    probe: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: RollArgs) -> anyhow::Result<ExitCode> {
    let RollArgs { upstream, restart, servers, min_up, drain_timeout, idle, ready_timeout, passes, probe, .. } = args;
    let settings = Settings { upstream, min_up, drain_timeout, idle, ready_timeout, passes, probe };
    let client = args.at.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let view = View::look(&client, &settings.upstream).await?;
        let nothing = || format!("{}: nothing was done", settings.upstream);
        let plan = Plan::new(&view, &servers, &restart, settings.min_up).with_context(nothing)?;
        for server in &plan.passed_over {
            note(Instant::now(), &format!("{} is passed over: it is {} already", server.shown(), server.state));
        }
        if args.dry_run {
            return show_plan(&settings, &plan, args.at.json);
        }
        Box::pin(roll(&client, &settings, &plan, args.at.json)).await
    })
}

async fn roll(client: &Client, settings: &Settings, plan: &Plan, is_json: bool) -> anyhow::Result<ExitCode> {
    let signals = lab::Signals::new()?;
    let (mut first, counted) = (signals.clone(), signals.clone());
    let began = Instant::now();
    tokio::task::spawn_local(async move {
        first.first().await;
        note(began, "stopping as soon as no server is between two states; once more to stop at once");
    });
    let mut rows = vec![Row::default(); plan.targets.len()];
    let mut roll = Roll { client, settings, signals, began };
    let done = Box::pin(roll.all(&plan.targets, &mut rows));
    let stopped = counted.until_second(done).await.unwrap_or(Err(Stop::Interrupted));
    let (outcome, error) = match stopped {
        Ok(()) => ("done", None),
        Err(Stop::Interrupted) => ("interrupted", Some(anyhow!("ended by a signal"))),
        Err(Stop::Failed(error)) => ("failed", Some(error)),
    };
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let restarted = rows.iter().filter(|row| row.left == report::Left::Restarted).count();
    let text = format!("{}: {restarted} of {} servers are restarted", settings.upstream, plan.targets.len());
    let ending = Ending { outcome, error: error.as_ref().map(|error| format!("{error:#}")), elapsed_ms };
    let seconds = began.elapsed().as_secs_f64();
    show(is_json, &report::to_json(&settings.upstream, plan, &rows, &ending), &format!("{text} in {seconds:.1} s"))?;
    let Some(error) = error else { return Ok(ExitCode::SUCCESS) };
    let at = plan.targets.iter().zip(&rows).rfind(|(_, row)| row.left != report::Left::Untouched);
    let at = at.map(|(target, _)| format!(" at {}", target.server.shown())).unwrap_or_default();
    let advice = report::advice(&settings.upstream, plan, &rows);
    crate::say(format_args!("{}: stopped{at}: {error:#}{advice}", settings.upstream));
    Ok(if outcome == "interrupted" { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE })
}

fn show_plan(settings: &Settings, plan: &Plan, is_json: bool) -> anyhow::Result<ExitCode> {
    let rows = vec![Row::default(); plan.targets.len()];
    let ending = Ending { outcome: "dry run", error: None, elapsed_ms: 0 };
    let lines: Vec<String> = plan
        .targets
        .iter()
        .map(|target| {
            let server = &target.server;
            let ready = match (&settings.probe, server.is_checked()) {
                (Some(path), true) => format!("probes of {path}, checks"),
                (Some(path), false) => format!("probes of {path}"),
                (None, true) => "checks".to_owned(),
                (None, false) => format!("probes of {PROBED}"),
            };
            let slow = server.slow_start.as_secs_f64();
            let passes = settings.passes;
            format!("{}: drain; {}; {passes} {ready}; slow start {slow:.0} s", server.shown(), target.command)
        })
        .collect();
    show(is_json, &report::to_json(&settings.upstream, plan, &rows, &ending), &lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn show(is_json: bool, object: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = if is_json { writeln!(stdout, "{object:#}") } else { writeln!(stdout, "{text}") };
    written.context("writing to the standard output")
}

/// One line of progress. Nobody need be reading it.
fn note(began: Instant, what: &str) {
    let _ = writeln!(io::stderr(), "{:7.1} s  {what}", began.elapsed().as_secs_f64());
}

fn span(text: &str) -> Result<Duration, String> {
    match lab::duration::parse(text) {
        Ok(span) if !span.is_zero() => Ok(span),
        Ok(_) => Err("no server is ready in no time".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn path(text: &str) -> Result<String, String> {
    let is_one = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_one { Ok(text.to_owned()) } else { Err("want a path such as /health/ready".to_owned()) }
}
