//! `bedloe hold-network`: a network of its own, there for as long as this process is. It is how the lab makes hosts
//! that leave nothing behind, however the lab ends.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use nix::sched::{CloneFlags, unshare};

/// Hold a network of its own until killed.
#[derive(Debug, Args)]
pub(crate) struct HoldNetworkArgs {
    /// The process to end with, the one that started this one
    #[arg(long, value_name = "PID")]
    die_with_parent: u32,
}

/// Says that the network is there, and stays.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: HoldNetworkArgs) -> anyhow::Result<ExitCode> {
    lab::orphan::die_with(args.die_with_parent)?;
    unshare(CloneFlags::CLONE_NEWNET).context("the kernel refuses a network namespace")?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", lab::netns::READY).and_then(|()| out.flush()).context("writing to the standard output")?;
    loop {
        std::thread::park();
    }
}
