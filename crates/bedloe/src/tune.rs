//! `bedloe tune`: what this host, or a folder tree, must allow for a role; shown, set, and put back.

mod shown;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use host::tune::{self, Ask, Facts, Kernel, Role, Root};

/// The most that is asked for of either figure.
const FIGURE_MAX: u64 = 10_000_000;

/// Check what this host allows against what a role needs, set it, put it back.
///
/// Open files, queues and ports of the kernel, conntrack, and what a JVM suffers from. Values scale with rate,
/// connections, memory and cores; nothing is lowered that is already higher. docs/tune.md has the table.
///
/// Exit codes: 0 all is as wanted, or it is done; 1 it is not; 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show each setting: now, wanted, why, where it is set; exit code 1 where one is not as wanted
    Check {
        #[command(flatten)]
        host: HostArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the files and commands that `apply` writes and runs, as a script of the shell
    Plan {
        #[command(flatten)]
        host: HostArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write and load what `plan` shows, after asking; a refused value undoes all of it
    Apply {
        #[command(flatten)]
        host: HostArgs,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Put back what stood before the last `apply`, byte for byte
    Undo {
        /// A folder tree instead of this host
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
        /// Undo all runs of `apply`, not the last one alone
        #[arg(long)]
        all: bool,
        /// Put back even what was changed since, and lose that
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    /// Takes requests and passes them on: bedloe or nginx
    Balancer,
    /// Runs a Java server
    Liberty,
    /// Makes the load
    Injector,
}

#[derive(Debug, Args)]
struct HostArgs {
    /// What the host is for
    #[arg(long)]
    role: RoleName,
    /// Requests a second
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8000,
        value_parser = clap::value_parser!(u64).range(1..=FIGURE_MAX)
    )]
    rate: u64,
    /// Connections of clients, or users of a load, at once
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20_000,
        value_parser = clap::value_parser!(u64).range(1..=FIGURE_MAX)
    )]
    connections: u64,
    /// A service of systemd beside those the role is known by, as its unit is named; can be repeated
    #[arg(long, value_name = "NAME", value_parser = service)]
    service: Vec<String>,
    /// A user who logs in, beside those the role is known by; can be repeated
    #[arg(long, value_name = "NAME", value_parser = user)]
    user: Vec<String>,
    /// A port of a service that does not listen now, kept from connections as those are that do; can be repeated
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,
    /// A folder tree, such as an image, instead of this host: nothing outside it is read or changed, nothing is run
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

impl HostArgs {
    fn ask(&self) -> Ask {
        let role = match self.role {
            RoleName::Balancer => Role::Balancer,
            RoleName::Liberty => Role::Liberty,
            RoleName::Injector => Role::Injector,
        };
        let (services, users, ports) = (self.service.clone(), self.user.clone(), self.port.clone());
        Ask { role, rate: self.rate, connections: self.connections, services, users, ports }
    }
}

/// Runs the command.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: TuneArgs) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Check { host, json } => check(host, *json),
        What::Plan { host, json } => plan(host, *json),
        What::Apply { host, yes } => apply(host, *yes),
        What::Undo { root, all, force, yes } => undo(&open(root)?, *all, *force, *yes),
    }
}

fn check(host: &HostArgs, is_json: bool) -> anyhow::Result<ExitCode> {
    let (root, ask) = (open(&host.root)?, host.ask());
    let facts = Facts::read(&root, &ask);
    let look = below(&root, tune::compare(&root, &facts, &ask))?;
    let text = if is_json { shown::table_json(&root, &ask, &facts, &look) } else { shown::table(&root, &ask, &look) };
    print(&text)?;
    Ok(if look.rows.iter().all(|row| row.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn plan(host: &HostArgs, is_json: bool) -> anyhow::Result<ExitCode> {
    let root = open(&host.root)?;
    let look = below(&root, tune::look(&root, &host.ask()))?;
    print(&if is_json { shown::plan_json(&root, &look) } else { shown::plan(&root, &look) })?;
    Ok(ExitCode::SUCCESS)
}

fn apply(host: &HostArgs, is_sure: bool) -> anyhow::Result<ExitCode> {
    let (root, ask) = (open(&host.root)?, host.ask());
    may_change(&root)?;
    if let Some(unfinished) = tune::unfinished(&root) {
        bail!(unfinished);
    }
    let look = below(&root, tune::look(&root, &ask))?;
    print(&shown::plan(&root, &look)).context("nothing was changed")?;
    if look.plan.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !is_sure && !is_agreed("Write and load this?")? {
        return not_agreed();
    }
    below(&root, tune::apply(&root, &look.plan, &ask, &mut Kernel(&root)))?;
    print(&shown::applied(&root, &look.plan)).context("all of it was done, and not said")?;
    Ok(ExitCode::SUCCESS)
}

fn undo(root: &Root, is_all: bool, is_forced: bool, is_sure: bool) -> anyhow::Result<ExitCode> {
    may_change(root)?;
    let lines = below(root, tune::undoable(root, is_all))?;
    if lines.is_empty() {
        below(root, tune::undo(root, &mut Kernel(root), is_all, is_forced))?;
        print(&shown::nothing_to_undo(&tune::orphans(root)))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&shown::undoing(root, &lines)).context("nothing was undone")?;
    if !is_sure && !is_agreed("Put this back?")? {
        return not_agreed();
    }
    let undone = below(root, tune::undo(root, &mut Kernel(root), is_all, is_forced))?;
    let left = match undone.left {
        0 => String::new(),
        left => format!("; {left} earlier left: `bedloe tune undo` again, or --all"),
    };
    let runs = format!("{} run{} undone{left}\n", undone.runs, if undone.runs == 1 { "" } else { "s" });
    print(&runs).context("all of it was undone, and not said")?;
    undone.untold.map_or(Ok(ExitCode::SUCCESS), |untold| bail!(untold))
}

fn open(path: &std::path::Path) -> anyhow::Result<Root> {
    Root::open(path).with_context(|| format!("cannot open the folder {}", path.display()))
}

/// Paths in errors are those below the root: of a tree it is said which.
fn below<T>(root: &Root, result: Result<T, tune::Error>) -> anyhow::Result<T> {
    let result = result.map_err(anyhow::Error::from);
    if root.is_host() { result } else { result.with_context(|| format!("below {}", root.path().display())) }
}

/// In a tree the rights to its files are enough.
fn may_change(root: &Root) -> anyhow::Result<()> {
    ensure!(
        !root.is_host() || rustix::process::geteuid().is_root(),
        "only root may change this host: run it with sudo; `bedloe tune plan` needs no rights"
    );
    Ok(())
}

fn is_agreed(question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nothing was changed: there is no terminal to ask at, and no --yes");
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn not_agreed() -> anyhow::Result<ExitCode> {
    print("nothing was changed\n")?;
    Ok(ExitCode::FAILURE)
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().lock().write_all(text.as_bytes()).context("cannot write to the standard output")
}

/// A unit's name, which becomes a folder's.
fn service(text: &str) -> Result<String, String> {
    let name = text.strip_suffix(".service").unwrap_or(text);
    if tune::is_service_name(name) {
        Ok(name.to_owned())
    } else {
        Err("want the name of a service, such as liberty or nginx".to_owned())
    }
}

/// A user's name, which becomes a word of limits.conf.
fn user(text: &str) -> Result<String, String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.$".contains(c);
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_part);
    if is_name { Ok(text.to_owned()) } else { Err("want the name of a user, such as liberty".to_owned()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_names_and_nothing_else() {
        for (text, name) in [
            ("nginx", Some("nginx")),
            ("liberty@shop.service", Some("liberty@shop")),
            ("a\\x2db", Some("a\\x2db")),
            ("", None),
            (".service", None),
            ("..", None),
            ("a/b", None),
            ("../../shadow", None),
            ("a b", None),
            ("a\n", None),
        ] {
            assert_eq!(super::service(text).ok().as_deref(), name, "{text:?}");
        }
        for (text, is_good) in
            [("nginx", true), ("_a-b.c$", true), ("", false), ("*", false), ("a b", false), ("a#", false)]
        {
            assert_eq!(super::user(text).is_ok(), is_good, "{text:?}");
        }
    }
}
