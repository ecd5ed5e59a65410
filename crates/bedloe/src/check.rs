//! `bedloe check`: nginx's `-t` and `-T`, with all errors of a configuration at once and the traps in it.

mod addresses;
mod certificates;
mod host;
mod passwords;
mod server_xml;
mod states;
mod users;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use conf::{Diagnostic, Loaded, Loader, Severity};
use proxy::Snapshot;
use serde_json::json;

pub(crate) use addresses::advice;
pub(crate) use users::{DEFAULT_GROUPS, DEFAULT_USER};

use crate::files::Source;
use crate::{diagnostics, files, unless_closed};

/// Check a configuration: what is wrong in it, what does other than it seems to, what has no effect.
///
/// Exit codes: 0 the configuration can be used by this user on this machine, 1 it cannot, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration file; with -p a relative path is against the prefix
    /// [default: /etc/nginx/nginx.conf, or conf/nginx.conf below the prefix]
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Relative paths in the configuration are against this folder; logs and pid file are below it by default
    #[arg(short, long, value_name = "FOLDER")]
    prefix: Option<PathBuf>,
    /// Directives of the main context, as if they were written in the file
    #[arg(short, long, value_name = "DIRECTIVES")]
    globals: Option<String>,
    /// Print all files of the configuration too
    #[arg(short = 'T', long, conflicts_with = "json")]
    dump: bool,
    /// Print what is found as JSON, to the standard output
    #[arg(long)]
    json: bool,
    /// Read Liberty's server.xml too, and say what does not fit to the configuration; may be repeated, or name several
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "explain")]
    server_xml: Vec<PathBuf>,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
    /// Say what a directive of nginx does here, where it may stand, and how it differs, and check nothing
    #[arg(long, value_name = "DIRECTIVE")]
    explain: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let CheckArgs { file, prefix, globals, dump, json, server_xml, quiet, explain } = args;
    if let Some(name) = explain {
        return print_entry(&name);
    }
    let source = Source::new(file, prefix, globals);
    let path = source.path.clone();
    let mut checked = load(&files::System, &source);
    let own_files = checked.loaded.files.len();
    if !server_xml.is_empty() {
        let found = server_xml::findings(&server_xml, &mut checked.loaded);
        checked.loaded.add(found);
    }
    let loaded = &checked.loaded;
    if json {
        unless_closed(print_json(&path, loaded)).context("writing to the standard output")?;
    } else {
        report(&path, loaded, quiet).context("writing to the standard error")?;
    }
    checked.loaded.files.truncate(own_files);
    let loaded = &checked.loaded;
    if dump && loaded.config.is_some() {
        unless_closed(print_files(loaded)).context("writing to the standard output")?;
    }
    let code = if loaded.config.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    // The process ends here; to take a large tree apart first would take a fifth of the time.
    std::mem::forget(checked);
    Ok(code)
}

fn print_entry(name: &str) -> anyhow::Result<ExitCode> {
    match conf::table::explain(name) {
        Ok(entry) => {
            unless_closed(io::stdout().lock().write_all(entry.as_bytes())).context("writing to the standard output")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(Some(near)) => anyhow::bail!("nginx has no directive \"{name}\": did you mean \"{near}\"?"),
        Err(None) => anyhow::bail!("nginx has no directive \"{name}\""),
    }
}

/// A configuration that was looked at.
pub(crate) struct Checked {
    pub(crate) loaded: Loaded,
    /// What is served, where nothing is amiss.
    pub(crate) served: Option<Snapshot>,
    /// Logs that are pipes, open: to close them before the others are open would end whoever reads them.
    pub(crate) pipes: Vec<File>,
}

/// Loads a configuration, and looks at what of this machine it needs.
pub(crate) fn load(loader: &dyn Loader, source: &Source) -> Checked {
    let loaded = conf::load(&source.path, loader, &source.options());
    let mut checked = Checked { loaded, served: None, pipes: Vec::new() };
    let found = host::findings(&source.path, &mut checked, loader);
    checked.loaded.add(found);
    checked
}

fn report(path: &Path, loaded: &Loaded, quiet: bool) -> io::Result<()> {
    let least = if quiet { Severity::Error } else { Severity::Note };
    diagnostics::print(loaded, least)?;
    let mut stderr = io::stderr().lock();
    if let Some(counts) = diagnostics::counts(loaded, least) {
        writeln!(stderr, "bedloe: {counts}")?;
    }
    let path = path.display();
    if loaded.config.is_none() {
        return writeln!(stderr, "bedloe: configuration file {path} test failed");
    }
    if !quiet {
        writeln!(stderr, "bedloe: the configuration file {path} syntax is ok")?;
        writeln!(stderr, "bedloe: configuration file {path} test is successful")?;
    }
    Ok(())
}

/// All files in the order read, each below its name, as `nginx -T` prints them.
pub(crate) fn print_files(loaded: &Loaded) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for (path, text) in &loaded.files {
        writeln!(stdout, "# configuration file {}:\n{text}", path.display())?;
    }
    stdout.flush()
}

fn print_json(path: &Path, loaded: &Loaded) -> io::Result<()> {
    let found: Vec<_> = loaded.diagnostics.iter().map(as_json).collect();
    let whole = json!({ "ok": loaded.config.is_some(), "file": path.to_string_lossy(), "diagnostics": found });
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, &whole)?;
    writeln!(stdout)
}

/// A finding as `--json` shows it.
pub(crate) fn as_json(found: &Diagnostic) -> serde_json::Value {
    let place = &found.place;
    json!({
        "severity": found.severity.name(),
        "code": found.code,
        "message": found.message,
        "help": found.help,
        "file": place.file.to_string_lossy(),
        "line": place.line,
        "column": place.column,
        "length": place.length,
    })
}
