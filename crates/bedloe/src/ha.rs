//! `bedloe ha`: two balancers with one address, by keepalived: its configuration written, or an existing one checked,
//! and what keepalived asks a balancer by.
//!
//! keepalived itself is not part of bedloe; the address moves by VRRP, and is the kernel's business.

mod address;
mod alive;
mod keepalived;
mod lint;
mod pair;
mod script;
mod tree;

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use conf::{Diagnostic, Loaded, Severity};
use serde_json::json;

use crate::diagnostics;

/// Two balancers, one address: keepalived's configuration written and checked.
///
/// Exit codes: 0 done, alive, or without errors; 1 not so; 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct HaArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Keepalived(Box<keepalived::KeepalivedArgs>),
    Check(CheckArgs),
    Alive(alive::AliveArgs),
}

/// Check configurations of keepalived: what in them would keep the address from moving, or let it move to and fro.
///
/// The files of both balancers together are compared with one another too.
#[derive(Debug, Args)]
struct CheckArgs {
    /// The file, or those of both balancers
    #[arg(value_name = "FILE", required = true, num_args = 1..=2)]
    files: Vec<PathBuf>,
    /// Print what is found as JSON, to the standard output
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: HaArgs) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Keepalived(args) => keepalived::run(&args),
        What::Check(args) => check(&args),
        What::Alive(args) => alive::run(&args),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let mut loaded =
        Loaded { config: None, diagnostics: vec![], files: vec![], needs: vec![], writes: vec![], reads: vec![] };
    let mut found = Vec::new();
    let mut read = Vec::new();
    for path in &args.files {
        let before = found.len();
        let nodes = tree::read(path, &mut loaded.files, &mut found);
        // Of what could not be read nothing more is known.
        if !nodes.is_empty() || found.len() == before {
            found.extend(lint::findings(&nodes, path));
        }
        read.push((path, nodes));
    }
    if let [(_, first), (path, second)] = read.as_slice() {
        found.extend(pair::findings(first, second, path));
    }
    loaded.add(found);
    if args.json {
        print_json(&loaded).context("writing to the standard output")?;
    } else {
        report(&loaded).context("writing to the standard error")?;
    }
    Ok(if loaded.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn report(loaded: &Loaded) -> io::Result<()> {
    diagnostics::print(loaded, Severity::Note)?;
    let counts = diagnostics::counts(loaded, Severity::Note);
    writeln!(io::stderr(), "bedloe: {}", counts.unwrap_or_else(|| "nothing found".to_owned()))
}

fn print_json(loaded: &Loaded) -> io::Result<()> {
    let found: Vec<_> = loaded.diagnostics.iter().map(crate::check::as_json).collect();
    writeln!(io::stdout(), "{:#}", json!({ "ok": !loaded.has_errors(), "diagnostics": found }))
}

/// What is wrong at a word.
fn error(code: &'static str, word: &tree::Word, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, &word.place, message)
}

fn warning(code: &'static str, word: &tree::Word, message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning(code, &word.place, message)
}

/// Finds a number of a block that keepalived does not take. One that is not known here, as it has a `$`, may be any.
fn in_range(block: &[tree::Node], word: &str, range: RangeInclusive<i64>, found: &mut Vec<Diagnostic>) {
    let Some(written) = tree::value(block, word).filter(|word| !word.text.contains('$')) else { return };
    if !written.text.parse().is_ok_and(|number| range.contains(&number)) {
        let message = format!("{word} is a number from {} to {}", range.start(), range.end());
        found.push(error("ha-range", written, message));
    }
}
