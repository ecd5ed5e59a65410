//! `bedloe man`: manual pages, one a command, out of the declarations that the help comes from.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use jiff::Timestamp;

use crate::{Job, Program};

/// Write the manual pages, one a command: bedloe.1, bedloe-run.1 and so on.
///
/// `bedloe man DIR` writes all of them into a folder, such as /usr/local/share/man/man1; without a folder bedloe(1)
/// goes to the standard output: `bedloe man | man -l -`. The Debian package has them in place.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where the pages go; the folder is made where it is missing
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the command.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: ManArgs) -> anyhow::Result<ExitCode> {
    let mut program = Program::<Job>::command().disable_help_subcommand(true);
    program.build();
    match &args.folder {
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            write_all(&program, folder)?;
        }
        None => io::stdout().lock().write_all(&page(&program)?.1).context("cannot write to the standard output")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The page of a command and those of the commands below it. Commands that the help hides have none.
fn write_all(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let (name, text) = page(command)?;
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    shown.into_iter().try_for_each(|below| write_all(below, folder))
}

/// The day of the build, which a package says by `SOURCE_DATE_EPOCH` so that it can be made again, byte for byte.
fn date() -> String {
    let told = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let told = told.and_then(|second| Timestamp::from_second(second).ok());
    told.unwrap_or_else(Timestamp::now).strftime("%Y-%m-%d").to_string()
}

/// A command's page: the name of its file, and what is in it.
fn page(command: &Command) -> anyhow::Result<(String, Vec<u8>)> {
    let source = format!("bedloe {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).date(date()).source(source).manual("bedloe's manual");
    let mut text = Vec::new();
    man.render(&mut text).context("cannot make a manual page")?;
    // An empty line between two breaks is what the generator leaves before a list of values.
    let text = String::from_utf8_lossy(&text).replace("\n.br\n\n.br\n", "\n.sp\n");
    Ok((man.get_filename(), text.into_bytes()))
}
