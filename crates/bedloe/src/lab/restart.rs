//! `bedloe restart-in-lab`: what `bedloe lab --roll` gives to `bedloe roll` as its command.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

/// Have a lab restart one of its servers; returns when the old process is gone and the new one is started.
#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    /// The lab's socket
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// The server's address
    address: String,
}

/// Runs the command.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: RestartArgs) -> anyhow::Result<ExitCode> {
    let mut stream = UnixStream::connect(&args.socket).context("the lab does not answer")?;
    writeln!(stream, "{}", args.address)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    match line.trim() {
        lab::roll::DONE => Ok(ExitCode::SUCCESS),
        said => bail!("{}: {said}", args.address),
    }
}
