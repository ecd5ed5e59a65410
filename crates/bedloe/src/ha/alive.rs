//! `bedloe ha alive`: whether the balancer of this host serves. It is what keepalived runs every second, so it asks one
//! thing, waits a second and ends. A queue of connections that is full is waited for within that second.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;

use crate::fetch::{self, Origin, status_of};

/// How long the balancer may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Say whether the balancer of this host is alive: what keepalived asks.
///
/// Exit codes: 0 it answers, 1 it does not within a second, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(super) struct AliveArgs {
    /// The balancer's admin socket, as `bedloe run --admin` has it: unix:PATH
    #[arg(long, value_name = "unix:PATH", value_parser = socket, required_unless_present = "url")]
    admin: Option<PathBuf>,
    /// A page of the balancer that must be answered with less than 500: http://HOST[:PORT][/PATH]
    #[arg(long, value_name = "URL", value_parser = page)]
    url: Option<Origin>,
    /// Want a server that gets requests in each upstream too
    #[arg(long, requires = "admin")]
    servers: bool,
}

pub(super) fn run(args: &AliveArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = async { tokio::time::timeout(PATIENCE, ask(args)).await };
    fetch::run(runtime, asked).unwrap_or_else(|_| Err(anyhow!("no answer within {PATIENCE:?}")))?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(args: &AliveArgs) -> anyhow::Result<()> {
    if let Some(page) = &args.url {
        let status = status_of(page.clone()).await?;
        if status.is_server_error() {
            bail!("{} is answered with {status}", page.path);
        }
    }
    let Some(socket) = &args.admin else { return Ok(()) };
    let status = lab::watch::status(socket).await?;
    let is_out = |upstream: &&lab::watch::UpstreamStatus| {
        !upstream.servers.is_empty() && !upstream.servers.iter().any(|server| server.is_up())
    };
    match status.upstreams.iter().find(is_out).filter(|_| args.servers) {
        Some(upstream) => bail!("no server of the upstream {} gets requests", upstream.name),
        None => Ok(()),
    }
}

/// The page that `--url` names.
pub(super) fn page(text: &str) -> anyhow::Result<Origin> {
    Origin::page(text, "--url")
}

/// The path in `unix:PATH`.
pub(super) fn socket(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix:").filter(|path| path.starts_with('/'));
    path.map(PathBuf::from).ok_or_else(|| "want unix: and an absolute path, such as unix:/run/bedloe/admin.sock".into())
}
