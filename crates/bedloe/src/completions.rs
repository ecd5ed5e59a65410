//! `bedloe completions`: what a shell must know to complete bedloe's commands and flags, out of the declarations that
//! the help comes from.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::{Job, Program};

/// Write what a shell completes bedloe's commands and flags by, to the standard output.
///
/// bash: `bedloe completions bash > /usr/share/bash-completion/completions/bedloe`;
/// zsh: `bedloe completions zsh > /usr/share/zsh/vendor-completions/_bedloe`, or any folder of $fpath;
/// fish: `bedloe completions fish > ~/.config/fish/completions/bedloe.fish`. The Debian package has all three in place.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: ShellName,
}

/// Those that the packages and tests are made for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

/// Runs the command.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: CompletionsArgs) -> anyhow::Result<ExitCode> {
    let shell = match args.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    // In memory first: the generator knows no error, and a reader may have gone.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut shown(), "bedloe", &mut text);
    io::stdout().lock().write_all(&text).context("cannot write to the standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// The program as its help shows it: the generator would complete hidden commands as well.
fn shown() -> Command {
    let all = Program::<Job>::command();
    let jobs = all.get_subcommands().filter(|job| !job.is_hide_set()).cloned();
    Command::new("bedloe").version(env!("CARGO_PKG_VERSION")).propagate_version(true).subcommands(jobs)
}
