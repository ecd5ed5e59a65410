//! `bedloe run`: the balancer as processes. Reads the configuration, opens logs and sockets, goes to the background
//! where it is asked to, and then is a master with a worker, or one process that is all.
//!
//! A pid file that cannot be written ends the start, as in nginx: what stops or rotates logs goes by it.

mod admin;
mod channel;
mod codec;
mod crew;
mod daemon;
mod inherit;
mod logs;
mod master;
mod message;
pub(crate) mod notify;
mod pid;
mod plan;
mod record;
mod service;
mod signals;
mod single;
mod sockets;
mod syslog;
mod temporary;
mod upgrade;
mod user;
mod voice;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use conf::tree::{LogLevel, Main};
use conf::{COMMAND_LINE, Severity};
use tokio::task::LocalSet;

use crate::files::Source;
use crate::findings;
use crate::hosts::AgentsArgs;
use admin::{AdminAddress, AdminSocket};
pub(crate) use crew::NGINX_WORKER;
use inherit::Inherited;
use plan::Plan;
use upgrade::Start;
use voice::Voice;
pub(crate) use worker::{WorkerArgs, work};

/// The balancer: serve an nginx configuration.
///
/// It stays in the foreground, unless -g 'daemon on;' asks for the background. Signals are nginx's: QUIT drains (no new
/// connections, answers say `Connection: close`, idle connections close at keepalive_timeout), TERM and INT end it at
/// once, HUP reads the configuration anew, USR1 opens the logs anew, USR2 starts the program anew beside this one,
/// which WINCH and QUIT then send away.
///
/// Exit codes: 0 a signal ended it, 1 it cannot start or has failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The configuration file, in nginx's language; with -p a relative path is against the prefix
    /// [default: /etc/nginx/nginx.conf, or conf/nginx.conf below the prefix]
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder that relative paths are against
    #[arg(short = 'p', value_name = "PREFIX")]
    prefix: Option<PathBuf>,
    /// The error log to use where the configuration names none; `stderr` is the standard error
    #[arg(short = 'e', value_name = "FILE")]
    error_log: Option<PathBuf>,
    /// Directives of the main context, added to those of the file
    #[arg(short = 'g', value_name = "DIRECTIVES")]
    globals: Option<String>,
    /// Answer here with the dashboard (`/`), `/metrics` for Prometheus, `/status`, `/events` and `/api/9/` (JSON):
    /// unix:PATH, PORT or ADDRESS:PORT of the loopback; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    admin: Vec<AdminAddress>,
    #[command(flatten)]
    hosts: AgentsArgs,
    /// End when this process, the one that started it, ends
    #[arg(long, value_name = "PID", hide = true)]
    die_with_parent: Option<u32>,
}

/// Serves until a signal ends it.
pub(crate) fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    if let Some(parent) = args.die_with_parent {
        lab::orphan::die_with(parent)?;
    }
    let RunArgs { config, prefix, error_log, globals, admin, hosts, .. } = args;
    let source = Source { error_log, ..Source::new(config, prefix, globals) };
    serve(source, &admin, hosts, is_daemon_asked)
}

/// `bedloe run` goes to the background only when the command line says so; a file was written for nginx, which would.
fn is_daemon_asked(main: &Main) -> bool {
    main.daemon.as_ref().is_some_and(|(on, place)| *on && *place.file == *Path::new(COMMAND_LINE))
}

/// Serves a configuration until a signal ends it; in the background where `is_daemon` says so.
pub(crate) fn serve(
    source: Source,
    admin: &[AdminAddress],
    hosts: AgentsArgs,
    is_daemon: impl Fn(&Main) -> bool,
) -> anyhow::Result<ExitCode> {
    let start = Start::of_this_process()?;
    let Inherited { sockets: inherited, admin: mut inherited_admin, is_upgrade, complaints } =
        Inherited::from_environment();
    let (loaded, plan) = Plan::read(&source);
    let is_second = daemon::is_second();
    if !is_second {
        findings::print(&loaded, Severity::Warning).context("writing to the standard error")?;
    }
    let Some(plan) = plan? else { return Ok(ExitCode::FAILURE) };
    // What is wrong with them is told before anything is served.
    hosts.sources()?;
    if !is_second {
        hosts.warn();
    }
    let is_daemon = is_daemon(&plan.config.main);
    if is_daemon && !is_second && !is_upgrade {
        return daemon::start_second(&start);
    }
    if is_second {
        daemon::leave_session()?;
    }
    host::files::raise();
    plan.check_file_limit()?;
    let mut voice = Voice::new(!is_second);
    voice.follow(&plan.config.main.error_logs);
    complaints.iter().for_each(|complaint| voice.say(LogLevel::Emerg, complaint));
    // Opened here to find out in time; whoever writes them gets files of its own.
    drop(logs::open(&plan.logs)?);
    // Before the listeners: whoever has found that one of those accepts may ask for the state.
    let admin = admin.iter().map(|address| AdminSocket::bind(address, &mut inherited_admin));
    let admin = admin.collect::<anyhow::Result<Vec<_>>>()?;
    let sockets = inherited.follow(&plan.addresses)?;
    drop(inherited);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if plan.config.main.master_process {
        let is_daemon = is_daemon || is_upgrade;
        let predecessor = rustix::process::getppid().filter(|_| is_upgrade);
        let setup =
            master::Setup { start, source, plan, sockets, admin, hosts, voice, is_daemon, is_second, predecessor };
        runtime.block_on(master::run(setup))?;
    } else {
        LocalSet::new().block_on(&runtime, single::run(source, plan, sockets, admin, &hosts, voice))?;
    }
    Ok(ExitCode::SUCCESS)
}
