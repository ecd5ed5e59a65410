//! `bedloe roll`: the servers of an upstream restarted one after the other, each of them drained before.
//!
//! What is done is in `steps`, which servers by which command in `plan`, what came of it in `report`.

mod balancer;
mod command;
mod notes;
mod plan;
mod ready;
mod report;
mod steps;
mod template;
mod view;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use clap::error::ErrorKind;

use crate::fetch;
use crate::upstream::At;
use crate::upstream::client::Client;
use crate::visible::visible;
use balancer::Balancer;
use notes::Notes;
use plan::Plan;
use report::{Ending, Left, Row};
use steps::{Roll, Stop};
use template::Template;
use view::{Marks, Server, View};

/// The exit code of a roll that was ended by a signal; as a load's.
const INTERRUPTED: u8 = 105;
const ENDED: &str = "ended by a signal";
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
/// It speaks to the `api` of the balancer, as `bedloe upstream` does, and holds the upstream there: a second roll of it
/// is refused. Ctrl-C puts a server that drains back; one whose command runs is brought to its end first, and a second
/// Ctrl-C leaves it down.
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
    restart: Template,
    /// These servers alone, in this order, with commas between them or an option for each: numbers, names as written,
    /// addresses or routes
    #[arg(long = "server", value_name = "SERVER", value_delimiter = ',')]
    servers: Vec<String>,
    /// Servers that must be up beside the one that is drained; backups do not count
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_up: usize,
    /// How long sessions may go on at a server that drains, and then requests in flight
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = lab::duration::parse)]
    drain_timeout: Duration,
    /// Sessions are idle when the server has got no request for so long [default: 5s with `sticky`, or half of
    /// --drain-timeout where that is less; else 0]
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

impl Settings {
    /// How long a server with sessions has to get no request.
    fn idle_of(&self, is_sticky: bool) -> Duration {
        self.idle.unwrap_or(if is_sticky { IDLE.min(self.drain_timeout / 2) } else { Duration::ZERO })
    }

    /// The page that a server is asked for here before it is used again.
    fn probed(&self, server: &Server) -> Option<&str> {
        self.probe.as_deref().or((!server.is_checked()).then_some(PROBED))
    }
}

impl RollArgs {
    /// What cannot be, though each part of it could.
    fn contradiction(&self) -> Option<clap::Error> {
        let idle = self.idle.filter(|idle| !idle.is_zero() && *idle >= self.drain_timeout)?;
        let (idle, all) = (idle.as_secs_f64(), self.drain_timeout.as_secs_f64());
        let text =
            format!("no server is idle in time: --idle ({idle} s) has to be less than --drain-timeout ({all} s)\n");
        Some(clap::Error::raw(ErrorKind::ValueValidation, text))
    }
}

/// Runs the command.
pub(crate) fn run(args: RollArgs) -> anyhow::Result<ExitCode> {
    if let Some(error) = args.contradiction() {
        return Ok(crate::usage(&error));
    }
    let (is_json, upstream) = (args.at.json, args.upstream.clone());
    begin(args).inspect_err(|error| {
        if is_json {
            show(true, &report::refused(&upstream, "refused", &format!("{error:#}")), "");
        }
    })
}

fn begin(args: RollArgs) -> anyhow::Result<ExitCode> {
    let RollArgs { upstream, restart, servers, min_up, drain_timeout, idle, ready_timeout, passes, probe, .. } = args;
    let settings = Settings { upstream, min_up, drain_timeout, idle, ready_timeout, passes, probe };
    let client = args.at.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    fetch::run(runtime, async {
        let (mut signals, notes) = (lab::Signals::new()?, Notes::start()?);
        let balancer = Balancer::new(&client, &settings.upstream);
        let prepared = prepare(&client, &balancer, &settings, (&servers, &restart), args.dry_run);
        let prepared = tokio::select! {
            biased;
            () = signals.first() => None,
            prepared = prepared => Some(prepared),
        };
        let nothing_done = match prepared {
            Some(Ok(plan)) => {
                tell(&plan, &notes);
                if !args.dry_run {
                    return Ok(Box::pin(roll(&balancer, &settings, &plan, (signals, &notes), args.at.json)).await);
                }
                notes.finish();
                return Ok(show_plan(&settings, &plan, args.at.json));
            }
            None => Ok(interrupted(&settings, args.at.json)),
            Some(Err(error)) => Err(error.context(format!("{}: nothing was done", settings.upstream))),
        };
        if !args.dry_run {
            balancer.release().await;
        }
        nothing_done
    })
}

/// All that is done before the first server is touched.
async fn prepare(
    client: &Client,
    balancer: &Balancer<'_>,
    settings: &Settings,
    (servers, restart): (&[String], &Template),
    is_dry: bool,
) -> anyhow::Result<Plan> {
    if !is_dry {
        balancer.hold().await?;
    }
    let view = View::look(client, &settings.upstream).await?;
    let mut plan = Plan::new(&view, servers, restart, settings.min_up)?;
    let unchecked = |server: &&Server| settings.probe.is_none() && !server.is_checked();
    let unknown: Vec<String> =
        plan.targets.iter().map(|target| &target.server).filter(unchecked).map(Server::shown).collect();
    if !unknown.is_empty() {
        plan.warnings.push(format!(
            "the balancer does not check {} (no health_check), and there is no --probe: each is taken for ready when \
             it answers {PROBED}",
            unknown.join(", ")
        ));
    }
    for server in plan.targets.iter().map(|target| &target.server).filter(|server| server.state == "up") {
        let Some(path) = settings.probed(server) else { continue };
        ready::probe(&server.address, path).await.with_context(|| {
            format!(
                "{} is up, and would not be taken for ready: name a page by --probe that each server answers here with \
                 2xx or 3xx, or have the balancer check it (health_check)",
                server.shown()
            )
        })?;
    }
    Ok(plan)
}

fn tell(plan: &Plan, notes: &Notes) {
    for server in &plan.passed_over {
        notes.say(&format!("{} is passed over: it is {} already", server.shown(), server.state));
    }
    plan.warnings.iter().for_each(|warning| notes.say(&format!("warning: {warning}")));
}

/// Ended by a signal before anything was done.
fn interrupted(settings: &Settings, is_json: bool) -> ExitCode {
    if is_json {
        show(true, &report::refused(&settings.upstream, "interrupted", ENDED), "");
    }
    crate::say(format_args!("{}: nothing was done: {ENDED}", settings.upstream));
    ExitCode::from(INTERRUPTED)
}

async fn roll(
    balancer: &Balancer<'_>,
    settings: &Settings,
    plan: &Plan,
    (signals, notes): (lab::Signals, &Notes),
    is_json: bool,
) -> ExitCode {
    let (mut first, counted) = (signals.clone(), signals.clone());
    let told = notes.clone();
    tokio::task::spawn_local(async move {
        first.first().await;
        told.say("stopping as soon as no server is between two states; once more to stop at once");
    });
    let mut rows = vec![Row::default(); plan.targets.len()];
    let mut roll = Roll { balancer, settings, signals, notes: notes.clone(), at: None, marks: Marks::default() };
    let done = counted.until_second(held(balancer, Box::pin(roll.all(&plan.targets, &mut rows)))).await;
    if done.is_none() {
        let under_way = |row: &Row| row.left == Left::Unknown && row.command_ms.is_some() && row.ready_ms.is_none();
        for (target, row) in plan.targets.iter().zip(&mut rows).filter(|(_, row)| under_way(row)) {
            roll.leave_down(target, row).await;
        }
    }
    let stop = done.unwrap_or(Err(Stop::Interrupted)).err();
    balancer.release().await;
    notes.finish();
    conclude(settings, plan, &rows, (stop, roll.at, notes.began().elapsed()), is_json)
}

/// Does something while the upstream is held.
async fn held<T>(balancer: &Balancer<'_>, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = balancer.keep() => match never {},
    }
}

/// Shows what came of it.
fn conclude(
    settings: &Settings,
    plan: &Plan,
    rows: &[Row],
    (stop, at, elapsed): (Option<Stop>, Option<usize>, Duration),
    is_json: bool,
) -> ExitCode {
    let (outcome, error) = match stop {
        None => ("done", None),
        Some(Stop::Interrupted) => ("interrupted", Some(anyhow!(ENDED))),
        Some(Stop::Failed(error)) => ("failed", Some(error)),
    };
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let restarted = rows.iter().filter(|row| row.left == Left::Restarted).count();
    let text = format!("{}: {restarted} of {} servers are restarted", settings.upstream, plan.targets.len());
    let ending = Ending { outcome, error: error.as_ref().map(|error| format!("{error:#}")), elapsed_ms };
    let text = format!("{text} in {:.1} s", elapsed.as_secs_f64());
    // The exit code is what came of the servers, whoever reads of it.
    show(is_json, &report::to_json(&settings.upstream, plan, rows, &ending), &text);
    let Some(error) = error else { return ExitCode::SUCCESS };
    let at = at.and_then(|at| plan.targets.get(at));
    let at = at.map(|target| format!(" at {}", target.server.shown())).unwrap_or_default();
    let advice = report::advice(&settings.upstream, plan, rows);
    crate::say(format_args!("{}: stopped{at}: {}{advice}", settings.upstream, visible(&format!("{error:#}"))));
    if outcome == "interrupted" { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE }
}

fn show_plan(settings: &Settings, plan: &Plan, is_json: bool) -> ExitCode {
    let rows = vec![Row::default(); plan.targets.len()];
    let ending = Ending { outcome: "dry run", error: None, elapsed_ms: 0 };
    let lines: Vec<String> = plan
        .targets
        .iter()
        .map(|target| {
            let server = &target.server;
            let ready = match (settings.probed(server), server.is_checked()) {
                (Some(path), true) => format!("probes of {path}, checks"),
                (Some(path), false) => format!("probes of {path}"),
                (None, _) => "checks".to_owned(),
            };
            let slow = server.slow_start.as_secs_f64();
            let passes = settings.passes;
            let command = visible(&target.command);
            format!("{}: drain; {command}; {passes} {ready}; slow start {slow:.0} s", server.shown())
        })
        .collect();
    let shown = show(is_json, &report::to_json(&settings.upstream, plan, &rows, &ending), &lines.join("\n"));
    if shown { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes what came of it to the standard output; whether that could be done.
fn show(is_json: bool, object: &serde_json::Value, text: &str) -> bool {
    let mut stdout = io::stdout().lock();
    let written = if is_json { writeln!(stdout, "{object:#}") } else { writeln!(stdout, "{text}") };
    match written {
        Ok(()) => true,
        Err(error) => {
            crate::say(format_args!("writing to the standard output: {error}"));
            false
        }
    }
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
