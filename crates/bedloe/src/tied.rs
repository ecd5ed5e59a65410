//! `bedloe tied`: becomes another program, which ends with the process that started this one.
//!
//! It is for programs that cannot ask the kernel for that themselves; what the kernel was asked for stays through
//! `exec` (prctl(2), PR_SET_PDEATHSIG).

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Args;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Become another program that ends with the process that started this one.
#[derive(Debug, Args)]
pub(crate) struct TiedArgs {
    /// The process to end with, the one that started this one
    #[arg(long, value_name = "PID")]
    die_with_parent: u32,
    /// Be on the host whose network this file is, such as /proc/PID/ns/net
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

/// Returns only where the program could not be started.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: TiedArgs) -> anyhow::Result<ExitCode> {
    lab::orphan::die_with(args.die_with_parent)?;
    if let Some(network) = &args.network {
        let file = File::open(network).with_context(|| format!("the network {}", network.display()))?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .context("cannot enter the network")?;
    }
    let (program, arguments) = args.program.split_first().context("no program")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", program.to_string_lossy()))
}
