//! What the balancer opens before it serves: logs, listening sockets, the pid file; and the limit of open files.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use conf::tree::{Config, LogTarget};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Opens the logs.
pub(super) fn logs(targets: &[LogTarget]) -> anyhow::Result<Vec<Box<dyn Write + Send>>> {
    targets.iter().map(log).collect()
}

fn log(target: &LogTarget) -> anyhow::Result<Box<dyn Write + Send>> {
    match target {
        LogTarget::Stderr => Ok(Box::new(std::io::stderr())),
        LogTarget::File(path) => Ok(Box::new(append(path)?)),
    }
}

fn append(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| {
        format!(
            "cannot open the log {} (elsewhere: `access_log PATH;`, `access_log off;`, `error_log stderr;`, or -p)",
            path.display()
        )
    })
}

/// Has a panic written to the error log, as a line of its own.
pub(super) fn log_panics(main: Option<&LogTarget>) {
    let path = match main {
        Some(LogTarget::File(path)) => Some(path.clone()),
        _ => None,
    };
    std::panic::set_hook(Box::new(move |panic| {
        let line = format!("bedloe: [alert] a connection ended by a panic (please report it): {panic}\n");
        let written = path.as_deref().map(|path| append(path).map(|mut file| file.write_all(line.as_bytes())));
        if !matches!(written, Some(Ok(Ok(())))) {
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }));
}

/// Opens the listening sockets; tells of all that cannot be.
pub(super) fn listeners(addresses: &[Option<(SocketAddr, u32)>]) -> anyhow::Result<proxy::Listening> {
    let mut failures = Vec::new();
    let mut sockets = Vec::new();
    for address in addresses {
        sockets.push(address.and_then(|(address, backlog)| match net::listen::open(address, backlog) {
            Ok(socket) => Some(socket),
            Err(error) => {
                failures.push(format!("cannot listen on {address}: {error}{}", advice(address, &error)));
                None
            }
        }));
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("\nbedloe: "));
    }
    if sockets.iter().all(Option::is_none) {
        bail!("the configuration has no server to listen for: write `http {{ server {{ listen 80; ... }} }}`");
    }
    Ok(sockets)
}

fn advice(address: SocketAddr, error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            " (a port below 1024 needs root or CAP_NET_BIND_SERVICE)"
        }
        std::io::ErrorKind::AddrInUse => " (another program listens there: `ss -ltnp` shows which)",
        std::io::ErrorKind::AddrNotAvailable => " (no interface of this machine has that address)",
        _ => "",
    }
}

/// Raises the limit of open files as far as it may go, and warns where `worker_rlimit_nofile` asks for more.
pub(super) fn raise_file_limit(config: &Config) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = config.main.worker_rlimit_nofile;
    if let (Some(wanted), Some(hard)) = (wanted, limit.maximum)
        && wanted > hard
    {
        let raised = Rlimit { current: Some(wanted), maximum: Some(wanted) };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            return;
        }
        let what =
            format_args!("[warn] worker_rlimit_nofile {wanted} is above the hard limit of {hard} and stays there");
        crate::say(what);
    }
    // A soft limit below the hard one helps nobody here: failing to raise it leaves what there was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// The pid file, removed when the process ends.
pub(super) struct PidFile(PathBuf);

impl PidFile {
    pub(super) fn write(path: &Path) -> anyhow::Result<Self> {
        std::fs::write(path, format!("{}\n", std::process::id()))
            .with_context(|| format!("cannot write the pid file {} (another place: `pid PATH;`)", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
