//! `bedloe agent`: what a host and its watched processes do, for Prometheus and for bedloe's own dashboard and reports.
//! One thread; it reads when it is asked, and does nothing in between.

mod groups;
mod guard;
mod liberty;
mod node;
mod page;
mod serve;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, bail};
use clap::Args;
use host::facts::Host;
use host::facts::processes::{NAME_BYTES, NAMES_MAX};

use crate::fetch;
use crate::run::notify::Notify;
use crate::secrets::warn_if_open;
pub(crate) use guard::Token;
use liberty::Liberty;
use page::Pages;

/// Serve what this host does as Prometheus reads it.
///
/// `/metrics` has CPU, load, context switches, memory, TCP, network, disks, open files and pressure under
/// node_exporter's names, and processes that are watched under process-exporter's. `/health` says that the agent is
/// there. An address that other hosts can reach needs --token or --client-ca. docs/agent.md has the series.
///
/// Exit codes: 0 ended by TERM or INT, 1 it could not serve, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    /// The address to listen at; port 0 takes a free one, the first line of output says which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9101", value_parser = address)]
    listen: SocketAddr,
    /// A program whose processes are watched, by the kernel's name for it, such as java, nginx, bedloe; can be repeated
    #[arg(long, value_name = "NAME", value_parser = name)]
    process: Vec<String>,
    /// A Liberty server beside it, whose health and metrics are folded in
    #[arg(long, value_name = "http://HOST:PORT", value_parser = liberty::Server::parse)]
    liberty: Option<liberty::Server>,
    /// A file with a token that clients must show: `Authorization: Bearer TOKEN`
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Serve by TLS, with this chain of certificates (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Only clients with a certificate of these authorities (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    client_ca: Option<PathBuf>,
    /// Let everybody who can reach the address read it
    #[arg(long, conflicts_with_all = ["token", "client_ca"])]
    insecure: bool,
}

/// Runs the command.
pub(crate) fn run(args: AgentArgs) -> anyhow::Result<ExitCode> {
    args.check_exposure()?;
    let tls = match (&args.tls_certificate, &args.tls_key) {
        (Some(chain), Some(key)) => Some(guard::tls(chain, key, args.client_ca.as_deref())?),
        _ => None,
    };
    let token = args.token.as_deref().map(Token::read).transpose()?;
    if let Some(file) = &args.token {
        warn_if_open(file);
    }
    if token.is_some() && tls.is_none() && !args.listen.ip().is_loopback() {
        crate::say(format_args!("the token is sent in the clear: --tls-certificate and --tls-key keep it from others"));
    }
    let processes = distinct(args.process)?;
    let host = Host::open(Path::new("/"), &processes).context("cannot open this host's root folder")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pages = Rc::new(Pages::new(host, token, args.liberty.map(Liberty::new).transpose()?));
    fetch::run(runtime, serve(args.listen, tls, pages))?;
    Ok(ExitCode::SUCCESS)
}

impl AgentArgs {
    /// What a host does is nobody's business but its owner's.
    fn check_exposure(&self) -> anyhow::Result<()> {
        let is_guarded = self.listen.ip().is_loopback() || self.token.is_some() || self.client_ca.is_some();
        if is_guarded || self.insecure {
            return Ok(());
        }
        bail!(
            "other hosts can reach {}: give --token FILE, or --tls-certificate, --tls-key and --client-ca; \
             --insecure lets everybody read",
            self.listen
        )
    }
}

async fn serve(listen: SocketAddr, tls: Option<serve::Tls>, pages: Rc<Pages>) -> anyhow::Result<()> {
    let mut signals = serve::Ends::take()?;
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|error| in_the_way(listen, error))?;
    let address = listener.local_addr()?;
    announce(address);
    let notify = Notify::from_environment();
    notify.ready(&format!("Serving at {address}"));
    tokio::select! {
        () = serve::serve(listener, tls, pages) => {}
        () = signals.next() => {}
    }
    notify.stopping("Ending");
    Ok(())
}

fn in_the_way(address: SocketAddr, error: std::io::Error) -> anyhow::Error {
    let in_use = error.kind() == std::io::ErrorKind::AddrInUse;
    let by = in_use.then(|| host::holder(address)).flatten().map(|holder| format!(": {holder} listens there"));
    anyhow::Error::new(error).context(format!("cannot listen at {address}{}", by.unwrap_or_default()))
}

/// One line, at once, for whoever waits for it; nobody need read it.
fn announce(address: SocketAddr) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "agent listens at {address}");
    let _ = out.flush();
}

/// Each name once. Two that the kernel cuts to the same one would share their processes.
fn distinct(mut names: Vec<String>) -> anyhow::Result<Vec<String>> {
    names.sort();
    names.dedup();
    if names.len() > NAMES_MAX {
        bail!("{} programs to watch are too many: {NAMES_MAX} are the most", names.len());
    }
    let kept = |name: &String| name.bytes().take(NAME_BYTES).collect::<Vec<_>>();
    if let Some(pair) = names.windows(2).find(|pair| kept(&pair[0]) == kept(&pair[1])) {
        let names = pair.join(" and ");
        bail!("--process {names} are one: the kernel keeps {NAME_BYTES} bytes of a program's name");
    }
    Ok(names)
}

/// Numbers only: a name may stand for several addresses, and be another one tomorrow.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:9101 or [::1]:9101".to_owned())
}

/// A program's name, as `ps -o comm` shows it.
fn name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.len() <= 64 && !text.contains('/') && !text.chars().any(char::is_control);
    if is_name { Ok(text.to_owned()) } else { Err("want a program's name, as `ps -o comm` shows it: java".to_owned()) }
}
