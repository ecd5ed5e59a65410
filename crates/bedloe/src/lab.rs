//! `bedloe lab`: arguments, and the run of the whole architecture on this machine as somebody sees it.

mod drill;
mod netns;
mod outcome;
mod reported;
pub(crate) mod restart;
mod screen;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use lab::liberty::Wanted;
use lab::netns::Act;
use lab::{Action, Error, Event, Fault, Options, Plan, Report};

use crate::hosts::AgentsArgs;
use reported::Reported;
use screen::Screen;

/// The exit code of a load whose thresholds do not hold, or that lost too many requests; as k6's.
const CROSSED: u8 = 99;
/// The exit code of a load that passed and whose result could not be written.
const UNWRITTEN: u8 = 1;
/// Requests a second unless told otherwise.
const RATE: u64 = 8000;
/// Requests a second that a script's users count as, where they do not arrive at a rate: the warm-up goes by it.
const SCRIPT_RATE: u64 = 400;
/// The load that is not counted, unless told otherwise; a Java machine is slow until it has compiled what it runs.
const WARM_UP: Duration = Duration::from_secs(5);
const WARM_UP_OF_JAVA: Duration = Duration::from_secs(20);
/// How long a load lasts, unless told otherwise; three Java machines take a while to be restarted.
const DURATION: Duration = Duration::from_secs(60);
const ROLL_OF_JAVA: Duration = Duration::from_secs(300);
/// The exit code of a run that was interrupted; as k6's.
const INTERRUPTED: u8 = 105;

/// Run the whole architecture on this machine: servers, the balancer, a load, a failure, the result.
///
/// Stand-ins for Liberty servers, or real ones, and the balancer run as processes of their own at addresses in
/// 127.0.0.0/8; the injector fetches a page over TLS at a fixed rate, or runs a script; one server is killed and
/// started again. Everything is taken down at the end; a second Ctrl-C waits for nothing. Configuration and logs stay
/// in the lab's folder.
///
/// Exit codes: 0 the thresholds hold and no more than --max-lost requests are lost, or what drills ask for holds; 99
/// not so, 105 ended by a signal, 1 the lab could not be run to its end or its result not be written, 2 bad flags.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// Requests a second [default: 8000; of drills 2000, with --netns 500]
    #[arg(long, value_name = "N", conflicts_with = "script")]
    rate: Option<u64>,
    /// How long the load lasts [default: 60s; with --roll and real Liberty servers 5m]
    #[arg(long, value_name = "DURATION", value_parser = lab::duration::parse)]
    #[arg(conflicts_with = "script")]
    duration: Option<Duration>,
    /// Restart all servers one after the other under the load, by `bedloe roll`; no other fault unless one is named
    #[arg(long)]
    roll: bool,
    /// Let a k6 script be the load, as `bedloe load` runs it; its `__ENV.URL` is the balancer, https://ADDRESS:8443
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// A variable of the script's `__ENV`; may be repeated
    #[arg(short, long, value_name = "NAME=VALUE", requires = "script")]
    env: Vec<String>,
    /// How long a load at a quarter of the rate lasts before, which is not counted; 0 for none [default: 5s; with real
    /// Liberty servers, whose code is compiled meanwhile, 20s]
    #[arg(long, value_name = "DURATION", value_parser = lab::duration::parse)]
    warm_up: Option<Duration>,
    /// How many servers: liberty-1, liberty-2 and so on
    #[arg(long, value_name = "N", default_value_t = 3)]
    servers: usize,
    /// Real Open Liberty servers instead of stand-ins: this release, which Maven fetches once into the cache
    #[arg(long, value_name = "VERSION", num_args = 0..=1, default_missing_value = lab::liberty::VERSION)]
    #[arg(conflicts_with = "liberty_home", value_parser = release)]
    liberty: Option<String>,
    /// The same, of the Liberty that is installed in this folder
    #[arg(long, value_name = "FOLDER")]
    liberty_home: Option<PathBuf>,
    /// Kill a server (SIGKILL) this long after the load begins [default: liberty-2@15s]
    #[arg(long, value_name = "NAME@TIME")]
    kill: Vec<String>,
    /// Start a server again; one that runs is stopped first [default: liberty-2@30s]
    #[arg(long, value_name = "NAME@TIME")]
    restart: Vec<String>,
    /// Pause a server (SIGSTOP): it takes connections and answers nothing
    #[arg(long, value_name = "NAME@TIME")]
    pause: Vec<String>,
    /// Let a paused server go on (SIGCONT)
    #[arg(long, value_name = "NAME@TIME")]
    resume: Vec<String>,
    /// No failure at all
    #[arg(long, conflicts_with_all = [
        "kill", "restart", "pause", "resume", "cut", "mend", "drop", "stop_host", "start_host",
    ])]
    no_faults: bool,
    /// How many requests may be lost: without a whole answer, or with a status of 500 or more
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_lost: u64,
    /// Leave everything running after the load, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Write all numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with all of it to this file: figures, charts over time, what happened
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Where configuration and logs go [default: bedloe-lab-ADDRESS in the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The balancer's address; the servers take those that follow
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::new(127, 0, 0, 10))]
    address: Ipv4Addr,
    #[command(flatten)]
    agents: AgentsArgs,
    #[command(flatten)]
    drill: drill::DrillArgs,
    #[command(flatten)]
    netns: netns::NetnsArgs,
}

/// Runs the lab and shows it.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: LabArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.agents.agent.is_empty() || !(args.drill.is_wanted() || args.netns.is_wanted()),
        "--agent is not for --drill and --netns: their hosts are made and gone with them"
    );
    if args.drill.is_wanted() {
        return args.drill.run(args.place()?);
    }
    if args.netns.is_wanted() {
        return args.netns.run(args.hosts()?);
    }
    let options = args.options()?;
    let mut reported = Some(Reported::prepare(&args, &options)?);
    let mut screen = Screen::new();
    let mut written = Ok(());
    let report = lab::run(options, args.keep, &mut |event| {
        if let Event::Done { plan, report } = &event {
            written = reported.take().map_or(Ok(()), |reported| reported.write(plan, report, args.max_lost));
            screen.show(&outcome::render(report, plan, args.max_lost, screen.colour()));
        }
        screen.tell(event);
    });
    match report {
        Ok(report) => {
            let code = exit_code(&report, args.max_lost);
            let unwritten = [written.err(), screen.lost().map(|error| error.context("cannot write the result"))];
            let unwritten: Vec<_> = unwritten.into_iter().flatten().collect();
            unwritten.iter().for_each(|error| crate::say(format_args!("{error:#}")));
            // What cannot be written hides no failure of the load.
            Ok(ExitCode::from(if code == 0 && !unwritten.is_empty() { UNWRITTEN } else { code }))
        }
        Err(Error::Interrupted) => {
            screen.show("interrupted; everything is taken down\n");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => Err(error.into()),
    }
}

fn release(text: &str) -> Result<String, String> {
    let is_one = lab::liberty::is_version(text);
    if is_one { Ok(text.to_owned()) } else { Err("want a release such as 26.0.0.5".to_owned()) }
}

/// What a script's load comes to: iterations a second where they arrive, and how long it lasts at most.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by what a schedule takes")]
fn shape(load: &load::Plan) -> (u64, Duration) {
    let rate: f64 = load.scenarios.iter().map(|scenario| scenario.executor.peak_per_s()).sum();
    ((rate.ceil() as u64).max(SCRIPT_RATE), Duration::from_nanos(load.duration_ns()))
}

/// Whether all is as it should be.
fn passed(report: &Report, max_lost: u64) -> bool {
    let is_rolled = report.roll.as_ref().is_none_or(|roll| roll.code == Some(0));
    lab::injector::passed(&report.load) && report.lost <= max_lost && is_rolled
}

fn exit_code(report: &Report, max_lost: u64) -> u8 {
    match report.load.outcome {
        load::Outcome::Interrupted => INTERRUPTED,
        _ if passed(report, max_lost) => 0,
        _ => CROSSED,
    }
}

impl LabArgs {
    /// What the lab on hosts of its own takes of the flags.
    fn hosts(&self) -> anyhow::Result<netns::Place> {
        let written = [
            (Act::Kill, &self.kill),
            (Act::Restart, &self.restart),
            (Act::Pause, &self.pause),
            (Act::Resume, &self.resume),
        ];
        Ok(netns::Place {
            folder: self.folder()?,
            servers: self.servers,
            rate: self.rate,
            duration: self.duration(),
            liberty: self.liberty()?,
            json: self.json.clone(),
            report: self.report.clone(),
            no_faults: self.no_faults,
            faults: written.map(|(act, texts)| (act, texts.clone())).into(),
        })
    }

    /// How long the load lasts.
    fn duration(&self) -> Duration {
        let is_java = self.liberty.is_some() || self.liberty_home.is_some();
        self.duration.unwrap_or(if self.roll && is_java { ROLL_OF_JAVA } else { DURATION })
    }

    /// The lab's folder.
    fn folder(&self) -> anyhow::Result<PathBuf> {
        let name = format!("bedloe-lab-{}", self.address);
        let folder = self.folder.clone().unwrap_or_else(|| std::env::temp_dir().join(name));
        // The balancer gets it as its prefix, from which relative paths would count once more.
        std::path::absolute(&folder).with_context(|| format!("the folder {}", folder.display()))
    }

    /// What drills take of the lab's flags.
    fn place(&self) -> anyhow::Result<drill::Place> {
        let (folder, json, report) = (self.folder()?, self.json.clone(), self.report.clone());
        Ok(drill::Place { folder, address: self.address, servers: self.servers, rate: self.rate, json, report })
    }

    fn options(&self) -> anyhow::Result<Options> {
        let folder = self.folder()?;
        let liberty = self.liberty()?;
        let load = self.script.as_ref().map(|script| self.load(script)).transpose()?;
        let (rate, duration) = load.as_ref().map_or((self.rate.unwrap_or(RATE), self.duration()), shape);
        Ok(Options {
            program: std::env::current_exe().context("cannot find the program itself")?,
            folder,
            address: self.address,
            servers: self.servers,
            rate,
            duration,
            warm_up: self.warm_up.unwrap_or(if liberty.is_some() { WARM_UP_OF_JAVA } else { WARM_UP }),
            faults: self.faults()?,
            liberty,
            load: load.map(Box::new),
            roll: self.roll,
        })
    }

    /// The load that the script asks for. The balancer's certificate was made a moment ago, and signed by itself.
    fn load(&self, script: &Path) -> anyhow::Result<load::Plan> {
        let script = script.to_str().with_context(|| format!("the script's name {} is no text", script.display()))?;
        let url = format!("URL={}", Plan::base(self.address));
        let mut line = vec!["load", "--insecure-skip-tls-verify", "--env", &url];
        line.extend(self.env.iter().flat_map(|pair| ["--env", pair]));
        line.extend(["--", script]);
        crate::load::plan_of(&line)
    }

    /// The Liberty asked for.
    fn liberty(&self) -> anyhow::Result<Option<Wanted>> {
        if let Some(home) = &self.liberty_home {
            return Ok(Some(Wanted::Home(home.clone())));
        }
        let Some(version) = self.liberty.clone() else { return Ok(None) };
        let caches = crate::files::cache().context("neither XDG_CACHE_HOME nor HOME says where to keep a release")?;
        Ok(Some(Wanted::Release { version, cache: caches.join("liberty") }))
    }

    /// The faults asked for; `None` for the usual ones.
    fn faults(&self) -> anyhow::Result<Option<Vec<Fault>>> {
        let written = [
            (Action::Kill, &self.kill),
            (Action::Restart, &self.restart),
            (Action::Pause, &self.pause),
            (Action::Resume, &self.resume),
        ];
        let faults = written.iter().flat_map(|(action, texts)| texts.iter().map(|text| Fault::parse(*action, text)));
        let faults = faults.collect::<Result<Vec<_>, _>>()?;
        Ok((self.no_faults || self.roll || !faults.is_empty()).then_some(faults))
    }
}
