//! bedloe: a high-availability kit for Liberty servers. The program's table of contents: one subcommand a job.

mod agent;
mod charts;
mod check;
mod completions;
mod dashboard;
mod diagnostics;
mod exposition;
mod fetch;
mod files;
mod findings;
mod ha;
mod hold_network;
mod hosts;
mod http_server;
mod import;
mod lab;
mod load;
mod man;
mod nginx;
mod page;
mod pages;
mod report;
mod roll;
mod run;
mod secrets;
mod shell;
mod signal;
mod stand_in;
mod summary;
mod table;
mod tied;
mod tune;
mod upstream;
mod visible;
mod writing;
mod xml;

use std::io::Write;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{Parser, Subcommand};

/// A high-availability kit for WebSphere/Open Liberty servers: balancer, load injector, lab.
#[derive(Debug, Parser)]
#[command(name = "bedloe", version, propagate_version = true, arg_required_else_help = true)]
struct Program<J: Subcommand = Job> {
    #[command(subcommand)]
    job: J,
}

/// The agent without its sisters. It stays on a host for good and is to be small; parsing its command line among all
/// the others' would leave their code in its memory.
#[derive(Debug, Subcommand)]
enum Alone {
    Agent(agent::AgentArgs),
}

#[derive(Debug, Subcommand)]
enum Job {
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Import(import::ImportArgs),
    Signal(signal::SignalArgs),
    Load(Box<load::LoadArgs>),
    Lab(Box<lab::LabArgs>),
    StandIn(stand_in::StandInArgs),
    Upstream(Box<upstream::UpstreamArgs>),
    Tune(tune::TuneArgs),
    Agent(agent::AgentArgs),
    Roll(Box<roll::RollArgs>),
    Ha(ha::HaArgs),
    Report(report::ReportArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    Tied(tied::TiedArgs),
    #[command(hide = true)]
    HoldNetwork(hold_network::HoldNetworkArgs),
    #[command(hide = true)]
    RestartInLab(lab::restart::RestartArgs),
    #[command(hide = true)]
    Worker(run::WorkerArgs),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments.next().is_some_and(|name| nginx::is_name(&name)) {
        return nginx::main(arguments).unwrap_or_else(|error| {
            say(format_args!("[emerg] {error:#}"));
            ExitCode::FAILURE
        });
    }
    let job = match job() {
        Ok(job) => job,
        Err(error) => return usage(&error),
    };
    let done = match job {
        Job::Run(args) => run::run(args),
        Job::Check(args) => check::run(args),
        Job::Import(args) => import::run(args),
        Job::Signal(args) => signal::run(args),
        Job::Load(args) => load::run(*args),
        Job::Lab(args) => lab::run(*args),
        Job::StandIn(args) => stand_in::run(args),
        Job::Tied(args) => tied::run(args),
        Job::Tune(args) => tune::run(args),
        Job::Agent(args) => agent::run(args),
        Job::HoldNetwork(args) => hold_network::run(args),
        Job::Upstream(args) => upstream::run(*args),
        Job::Roll(args) => roll::run(*args),
        Job::Ha(args) => ha::run(args),
        Job::Report(args) => report::run(args),
        Job::Completions(args) => completions::run(args),
        Job::Man(args) => man::run(args),
        Job::RestartInLab(args) => lab::restart::run(args),
        Job::Worker(args) => run::work(&args),
    };
    done.unwrap_or_else(|error| {
        say(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// What the command line asks for.
fn job() -> Result<Job, clap::Error> {
    if std::env::args_os().nth(1).is_some_and(|word| word == "agent") {
        let Alone::Agent(args) = Program::<Alone>::try_parse()?.job;
        return Ok(Job::Agent(args));
    }
    Ok(Program::<Job>::try_parse()?.job)
}

/// One line on the standard error. Nobody need be reading it.
fn say(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{}: {}", name(), without_passwords(&what.to_string()));
}

/// What became of a write to the standard output. A reader that has seen enough, such as `head`, is no failure.
fn unless_closed(written: std::io::Result<()>) -> std::io::Result<()> {
    written.or_else(|error| if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

/// What the program is called; a worker goes by its master's name.
fn name() -> &'static str {
    if is_nginx() { "nginx" } else { "bedloe" }
}

/// Whether it goes by nginx's name, and so by nginx's ways.
fn is_nginx() -> bool {
    static IS_NGINX: OnceLock<bool> = OnceLock::new();
    let is_ours = |name: std::ffi::OsString| nginx::is_name(&name) || name == run::NGINX_WORKER;
    *IS_NGINX.get_or_init(|| std::env::args_os().next().is_some_and(is_ours))
}

/// Shows what clap has to say. A bad flag of `load` exits as k6 does, 255; of the others as clap does, 2.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    let shown = without_passwords(&text);
    let _ = if shown == text { error.print() } else { std::io::stderr().write_all(shown.as_bytes()) };
    let is_load = std::env::args_os().nth(1).is_some_and(|job| job == "load");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if is_load => ExitCode::from(255),
        code => ExitCode::from(u8::try_from(code).unwrap_or(2)),
    }
}

/// A text without the names and passwords that stand in URLs of the command line: it may end up in a log.
fn without_passwords(text: &str) -> String {
    std::env::args_os().filter_map(|word| word.into_string().ok()).fold(text.to_owned(), |text, word| hide(text, &word))
}

/// Hides what stands before the last `@` of the URL in `word`.
fn hide(text: String, word: &str) -> String {
    let secret = word.split_once("://").and_then(|(_, rest)| Some(rest.rsplit_once('@')?.0));
    match secret {
        Some(secret) => text.replace(&format!("://{secret}@"), "://***@"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_is_not_repeated() {
        for (word, expected) in [
            ("http://u:p@a", "bad 'http://***@a'!"),
            ("a=https://u:p/@q@a/b", "bad 'a=https://***@a/b'!"),
            ("http://a/b", "bad 'http://a/b'!"),
            ("u@a", "bad 'u@a'!"),
        ] {
            assert_eq!(super::hide(format!("bad '{word}'!"), word), expected);
        }
    }
}
