//! `bedloe run`: the balancer as a process of its own. Reads the configuration, opens logs and sockets, starts the data
//! plane, takes signals. Not here: reloading, a master with a worker, the `user` directive (to come).

mod admin;
mod open;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use conf::tree::Config;
use proxy::{LogWriter, Running, Snapshot};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use admin::Admin;

/// How often a drain looks whether it is over.
const LOOK: Duration = Duration::from_millis(20);

/// The balancer: serve an nginx configuration.
///
/// It stays in the foreground. QUIT drains: no new connections, answers say `Connection: close`, idle connections close
/// at keepalive_timeout. TERM and INT end it at once.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The configuration file, in nginx's language
    #[arg(short = 'c', value_name = "FILE", default_value = "/etc/nginx/nginx.conf")]
    config: PathBuf,
    /// The folder that relative paths are against
    #[arg(short = 'p', value_name = "PREFIX")]
    prefix: Option<PathBuf>,
    /// The error log to use where the configuration names none; `stderr` is the standard error
    #[arg(short = 'e', value_name = "FILE")]
    error_log: Option<PathBuf>,
    /// Directives of the main context, added to those of the file
    #[arg(short = 'g', value_name = "DIRECTIVES")]
    globals: Option<String>,
    /// Answer `GET /status` and `GET /events` (JSON) here: `unix:PATH`
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// End when this process, the one that started it, ends
    #[arg(long, value_name = "PID", hide = true)]
    die_with_parent: Option<u32>,
}

/// Serves until a signal ends it.
pub(crate) fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    if let Some(parent) = args.die_with_parent {
        lab::orphan::die_with(parent)?;
    }
    let RunArgs { config: path, prefix, error_log, globals, admin, .. } = args;
    let Some(config) =
        crate::check::load_or_report(&path, prefix.as_deref(), globals.as_deref(), error_log.as_deref())?
    else {
        return Ok(ExitCode::FAILURE);
    };
    open::raise_file_limit(&config);
    let threads = threads(&config);
    let mut read = |path: &std::path::Path| std::fs::read(path);
    let snapshot = Arc::new(Snapshot::build(&config, threads, &mut read)?);
    let logs = open::logs(snapshot.log_targets())?;
    open::log_panics(snapshot.log_targets().first());
    let listening = open::listeners(&snapshot.addresses())?;
    let admin = admin.map(|address| Admin::bind(&address)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Taken before anybody can know that it serves: a signal must not find the process without them.
    let signals = runtime.block_on(async { Signals::take() })?;
    let running = Running::start(snapshot, threads, listening, LogWriter::start(logs)?)?;
    let pid = open::PidFile::write(&config.main.pid);
    if let Err(error) = &pid {
        crate::say(format_args!("{error:#}"));
    }
    let process = std::process::id();
    crate::say(format_args!("serving {} with {threads} threads, process {process}", path.display()));
    serve(&runtime, signals, running, admin)?;
    Ok(ExitCode::SUCCESS)
}

fn threads(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.main.worker_processes.map_or_else(cores, |threads| threads as usize).max(1)
}

/// The signals that end it.
struct Signals {
    quit: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn take() -> std::io::Result<Self> {
        Ok(Self {
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Takes signals until one ends the data plane, and answers the admin socket meanwhile.
fn serve(runtime: &Runtime, mut signals: Signals, running: Running, admin: Option<Admin>) -> anyhow::Result<()> {
    let running = runtime.block_on(async {
        if let Some(admin) = admin {
            tokio::spawn(admin.serve(running.status_source(), running.events()));
        }
        loop {
            tokio::select! {
                _ = signals.quit.recv() => running.drain(),
                _ = signals.terminate.recv() => running.stop(),
                _ = signals.interrupt.recv() => running.stop(),
                () = tokio::time::sleep(LOOK), if running.is_ending() => {}
            }
            if running.has_ended() {
                return running;
            }
        }
    });
    running.join().context("a thread of the data plane failed")
}
