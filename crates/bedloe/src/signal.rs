//! `bedloe signal`: nginx's `-s`. Finds the master by the pid file that the configuration names, and signals it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use rustix::process::{Pid, Signal, kill_process};

use crate::files::{Source, System};
use crate::findings;

/// Signal a running balancer.
///
/// Its process is found by the pid file that the configuration names.
///
/// Exit codes: 0 the signal was sent, 1 it could not be, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct SignalArgs {
    /// What it is to do
    what: What,
    /// The configuration file; with -p a relative path is against the prefix
    /// [default: /etc/nginx/nginx.conf, or conf/nginx.conf below the prefix]
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder that relative paths are against
    #[arg(short = 'p', value_name = "PREFIX")]
    prefix: Option<PathBuf>,
    /// Directives of the main context, added to those of the file
    #[arg(short = 'g', value_name = "DIRECTIVES")]
    globals: Option<String>,
}

/// What a balancer can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// End now (TERM)
    Stop,
    /// Finish what is under way, then end (QUIT)
    Quit,
    /// Read the configuration anew (HUP)
    Reload,
    /// Open the logs anew (USR1)
    Reopen,
    /// Start the program anew beside the running one, with its sockets (USR2)
    Upgrade,
}

/// Runs the command.
pub(crate) fn run(args: SignalArgs) -> anyhow::Result<ExitCode> {
    let SignalArgs { what, config, prefix, globals } = args;
    send(what, &Source::new(config, prefix, globals))
}

/// Signals the master of a configuration.
pub(crate) fn send(what: What, source: &Source) -> anyhow::Result<ExitCode> {
    let loaded = conf::load(&source.path, &System, &source.options());
    let Some(config) = &loaded.config else {
        findings::print(&loaded, conf::Severity::Error).context("writing to the standard error")?;
        return Ok(ExitCode::FAILURE);
    };
    let file = config.main.pid.display();
    let text = match std::fs::read_to_string(&config.main.pid) {
        Ok(text) => text,
        Err(error) => bail!("open() \"{file}\" failed ({}): is it running, with this configuration?", told(&error)),
    };
    let number = text.trim();
    // A negative number would be a group of processes, and -1 all there are.
    let Some(pid) = number.parse().ok().filter(|number| *number > 0).and_then(Pid::from_raw) else {
        bail!("invalid PID number \"{number}\" in \"{file}\"");
    };
    let signal = match what {
        What::Stop => Signal::TERM,
        What::Quit => Signal::QUIT,
        What::Reload => Signal::HUP,
        What::Reopen => Signal::USR1,
        What::Upgrade => Signal::USR2,
    };
    if let Err(error) = kill_process(pid, signal) {
        bail!("kill({number}, {}) failed ({})", signal.as_raw(), told(&error.into()));
    }
    Ok(ExitCode::SUCCESS)
}

/// An error of the system as nginx tells it: number and words.
fn told(error: &std::io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(number) => format!("{number}: {}", text.split(" (os error").next().unwrap_or(&text)),
        None => text,
    }
}
