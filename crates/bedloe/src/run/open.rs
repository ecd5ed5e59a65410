//! What the balancer opens before it serves: listening sockets, the pid file; and the limit of open files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use conf::tree::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Standard streams, the runtime with its signals, the admin socket and a few of its readers.
const FILES_OF_THE_PROCESS: usize = 32;
/// A thread's own runtime, and some connections.
const FILES_OF_A_THREAD: usize = 8;

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

/// Refuses a limit of open files under which not even the start succeeds.
pub(super) fn check_file_limit(threads: usize, files: usize) -> anyhow::Result<()> {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let needed = FILES_OF_THE_PROCESS + files + threads * FILES_OF_A_THREAD;
    if limit < needed as u64 {
        let enough = needed.next_power_of_two().max(1024);
        bail!(
            "the limit of open files is {limit}, and {needed} are needed before any client comes: `ulimit -n {enough}`"
        );
    }
    Ok(())
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
        // As root, `pid /dev/null;` must not take the device away.
        if std::fs::metadata(&self.0).is_ok_and(|meta| meta.is_file()) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}
