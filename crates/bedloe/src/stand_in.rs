//! `bedloe stand-in`: arguments of a stand-in for a Liberty server, and its run.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

/// Serve as a Liberty server does at the HTTP level: for trying and testing, not for use.
///
/// Pages: /accounts-external/api/hello (58 bytes), /api/session (counts the visits of a JSESSIONID session),
/// /api/orders (POST carries an id out, GET lists how often each was), /api/bytes?n=N, /api/sink (swallows a body),
/// /api/echo (shows the request as it arrived), all under /accounts-external, each with ?delay_ms=N and ?status=N on
/// request; /health, /health/started, /health/live, /health/ready. SIGTERM stops it as `server stop` does.
///
/// Exit codes: 0 stopped when told to, 1 it could not serve, 2 bad flags.
#[derive(Debug, Args)]
pub(crate) struct StandInArgs {
    /// The address to listen at; port 0 takes a free one, the first line of output says which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9080", value_parser = address)]
    listen: SocketAddr,
    /// The server's name, as its pages say it
    #[arg(long, default_value = "liberty-1")]
    name: String,
    /// The clone id in the session cookie [default: one made up, as Liberty does]
    #[arg(long, value_name = "ID")]
    clone: Option<String>,
    /// What stands before each clone id
    #[arg(long, value_name = "CHARACTER", default_value_t = ':')]
    clone_separator: char,
    /// No clone id in the cookie (noAdditionalInfo="true")
    #[arg(long, conflicts_with = "clone")]
    no_additional_info: bool,
    /// How long an idle connection is kept before it is closed without a word
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = lab::duration::parse)]
    persist_timeout: Duration,
    /// What every answer of the application takes
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = lab::duration::parse)]
    delay: Duration,
    /// Open the port only after this long, as a JVM that starts
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = lab::duration::parse)]
    start_delay: Duration,
    /// For how long after the port opens answers are slower, less and less so
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = lab::duration::parse)]
    warm_up: Duration,
    /// What the first answer of a warm-up is slower by
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = lab::duration::parse)]
    warm_up_delay: Duration,
    /// For how long after the port opens /health/ready and /health/started say DOWN
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = lab::duration::parse)]
    ready_after: Duration,
    /// The part of the application's answers that are errors, 0 to 1
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    error_rate: f64,
    /// The status of such an error
    #[arg(long, value_name = "STATUS", default_value_t = 503)]
    error_status: u16,
    /// Append the ids of orders to this file before they are answered, and take it up at the start
    #[arg(long, value_name = "FILE")]
    orders_log: Option<PathBuf>,
    /// Take orders at this unix socket, a line each, on what to do wrong from then on: none, hang, reset, reset-within,
    /// cut, unavailable, slow, race. Answers then say in X-Served-By whose they are
    #[arg(long, value_name = "SOCKET")]
    faults: Option<PathBuf>,
    /// End when this process, the one that started it, ends
    #[arg(long, value_name = "PID", hide = true)]
    die_with_parent: Option<u32>,
}

/// Serves until it is told to stop.
pub(crate) fn run(args: StandInArgs) -> anyhow::Result<ExitCode> {
    if let Some(parent) = args.die_with_parent {
        lab::orphan::die_with(parent)?;
    }
    let name = args.name.clone();
    lab::stand_in::run(args.options(), |address| announce(&name, address)).context("stand-in")?;
    Ok(ExitCode::SUCCESS)
}

impl StandInArgs {
    fn options(self) -> lab::stand_in::Options {
        lab::stand_in::Options {
            listen: self.listen,
            name: self.name,
            clone: self.clone,
            separator: self.clone_separator,
            no_additional_info: self.no_additional_info,
            persist_timeout: self.persist_timeout,
            delay: self.delay,
            start_delay: self.start_delay,
            warm_up: self.warm_up,
            warm_up_delay: self.warm_up_delay,
            ready_after: self.ready_after,
            error_rate: self.error_rate,
            error_status: self.error_status,
            orders_log: self.orders_log,
            faults: self.faults,
        }
    }
}

/// Numbers only: a name may stand for several addresses.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, for example 127.0.0.1:9080 or [::1]:9080".to_owned())
}

/// One line, at once, for whoever waits for it; nobody need read it.
fn announce(name: &str, address: SocketAddr) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{name} listens at {address}");
    let _ = out.flush();
}
