//! `bedloe run`: the balancer as a process of its own. Reads the configuration, opens logs and sockets, starts the data
//! plane, takes signals. Not here: reloading, a master with a worker, the `user` directive (to come).
//! A pid file that cannot be written ends the start, as in nginx: what stops or rotates logs goes by it.

mod admin;
mod logs;
mod open;
mod temporary;

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
use logs::LogFiles;

/// How often a drain looks whether it is over.
const LOOK: Duration = Duration::from_millis(20);

/// The balancer: serve an nginx configuration.
///
/// It stays in the foreground. QUIT drains: no new connections, answers say `Connection: close`, idle connections close
/// at keepalive_timeout. TERM and INT end it at once. USR1 opens the logs anew. HUP (reload), USR2 (upgrade) and WINCH
/// are not served yet: they are told on the standard error and change nothing.
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
    let RunArgs { config, prefix, error_log, globals, admin, .. } = args;
    let path = crate::files::main_file(config, prefix.as_deref());
    let Some(config) =
        crate::check::load_or_report(&path, prefix.as_deref(), globals.as_deref(), error_log.as_deref())?
    else {
        return Ok(ExitCode::FAILURE);
    };
    open::raise_file_limit(&config);
    let threads = threads(&config);
    let mut read = |path: &std::path::Path| std::fs::read(path);
    let snapshot = Arc::new(Snapshot::build(&config, threads, &mut read)?);
    open::check_file_limit(threads, snapshot.addresses().len() + snapshot.log_targets().len())?;
    let (logs, files) = logs::open(snapshot.log_targets())?;
    temporary::make_folders(&config)?;
    logs::log_panics(snapshot.log_targets().first());
    let listening = open::listeners(&snapshot.addresses())?;
    let admin = admin.map(|address| Admin::bind(&address)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Taken before anybody can know that it serves: a signal must not find the process without them.
    let signals = runtime.block_on(async { Signals::take() })?;
    let _pid = open::PidFile::write(&config.main.pid)?;
    let running = Running::start(snapshot, threads, listening, LogWriter::start(logs)?)?;
    let process = std::process::id();
    crate::say(format_args!("serving {} with {threads} threads, process {process}", path.display()));
    serve(&runtime, signals, running, admin, &files)?;
    Ok(ExitCode::SUCCESS)
}

fn threads(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.main.worker_processes.map_or_else(cores, |threads| threads as usize).max(1)
}

/// nginx's signals. All are taken, for one that nobody takes would kill the process.
struct Signals {
    quit: Signal,
    terminate: Signal,
    interrupt: Signal,
    reopen: Signal,
    reload: Signal,
    upgrade: Signal,
    end_workers: Signal,
}

impl Signals {
    fn take() -> std::io::Result<Self> {
        Ok(Self {
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reopen: signal(SignalKind::user_defined1())?,
            reload: signal(SignalKind::hangup())?,
            upgrade: signal(SignalKind::user_defined2())?,
            end_workers: signal(SignalKind::window_change())?,
        })
    }
}

/// Takes signals until one ends the data plane, and answers the admin socket meanwhile.
fn serve(
    runtime: &Runtime,
    mut signals: Signals,
    running: Running,
    admin: Option<Admin>,
    files: &LogFiles,
) -> anyhow::Result<()> {
    let running = runtime.block_on(async {
        if let Some(admin) = admin {
            tokio::spawn(admin.serve(running.status_source(), running.events()));
        }
        loop {
            tokio::select! {
                _ = signals.quit.recv() => running.drain(),
                _ = signals.terminate.recv() => running.stop(),
                _ = signals.interrupt.recv() => running.stop(),
                _ = signals.reopen.recv() => files.reopen(),
                _ = signals.reload.recv() => not_yet("HUP", "a new configuration is read", "QUIT, and start anew"),
                _ = signals.upgrade.recv() => not_yet("USR2", "a new program takes over", "QUIT, and start anew"),
                _ = signals.end_workers.recv() => not_yet("WINCH", "workers end and the master stays", "QUIT"),
                () = tokio::time::sleep(LOOK), if running.is_ending() => {}
            }
            if running.has_ended() {
                return running;
            }
        }
    });
    running.join().context("a thread of the data plane failed")
}

/// Says that a signal of nginx's was heard and does nothing.
fn not_yet(signal: &str, meaning: &str, instead: &str) {
    crate::say(format_args!("[warn] {signal} is not served yet ({meaning}): nothing is changed. For now: {instead}"));
}
