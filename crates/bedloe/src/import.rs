//! `bedloe import`: the configuration of another web server's plug-in as one that bedloe and nginx read.

mod plugin;
mod write;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

/// Write the nginx configuration that does what IBM's plug-in for web servers did.
///
/// Of plugin-cfg.xml, as Liberty and WebSphere generate it, are taken: clusters with their servers, weights, clone ids,
/// primary and backup servers, time-outs, connections, retries, and the addresses that each cluster serves. What has no
/// counterpart is a comment in the result and a warning on the standard error.
///
/// Exit codes: 0 it is written, 1 the file cannot be read or used, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The plug-in's configuration
    #[arg(value_name = "plugin-cfg.xml")]
    file: PathBuf,
    /// Where the configuration goes [default: the standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "80")]
    listen: String,
}

/// Runs the command.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let text = crate::xml::read(&args.file).with_context(|| format!("cannot read {shown}"))?;
    let plugin = plugin::read(&args.file, &text)?;
    let (written, warnings) = write::configuration(&plugin, &args.listen);
    for warning in &warnings {
        let _ = writeln!(io::stderr(), "{shown}:{}: warning: {}", warning.line, warning.text);
    }
    match &args.output {
        Some(path) => std::fs::write(path, written).with_context(|| format!("cannot write {}", path.display()))?,
        None => io::stdout().lock().write_all(written.as_bytes()).context("cannot write to the standard output")?,
    }
    Ok(ExitCode::SUCCESS)
}
