//! The admin addresses, as the master has them: bound, inherited, passed on. Who may ask there: who may open the file
//! of a unix socket; and whoever is on this host, at an address of the loopback. Other addresses are not served, for
//! nothing here asks for a password: `prometheus;` and `api;` in a location, behind `allow` and `auth_basic`, are for
//! the others.

mod answer;
mod retries;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::net::getsockname;

pub(super) use answer::{Sources, serve};
pub(super) use retries::RetryCounts;

/// Where to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AdminAddress {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// A socket that listens there.
#[derive(Debug)]
pub(super) enum AdminListener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A bound admin socket, as the master holds it.
#[derive(Debug)]
pub(super) struct AdminSocket {
    pub(super) listener: AdminListener,
    path: Option<PathBuf>,
    /// Whether the file goes with it. It stays where a new program has taken the socket over.
    pub(super) is_ours: bool,
}

impl std::str::FromStr for AdminAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("unix: wants a path behind it".to_owned()),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = |text: &str| text.parse::<u16>().ok().map(|port| SocketAddr::new(loopback, port));
        let bare = text.strip_prefix(':').or_else(|| text.strip_prefix("localhost:")).unwrap_or(text);
        let address = port(bare).or_else(|| text.parse().ok());
        let address = address.ok_or("want unix:PATH, a port, or an address with its port such as 127.0.0.1:9090")?;
        if !address.ip().is_loopback() {
            return Err(format!(
                "{} can be reached from other hosts, and whoever reaches it sees everything: take a loopback address, \
                 and for others a location with \"prometheus;\" or \"api;\", \"allow\" and \"auth_basic\"",
                address.ip()
            ));
        }
        Ok(Self::Tcp(address))
    }
}

impl AdminSocket {
    /// Binds it, or takes the one of these sockets that an older program has left to this one. The file of a unix
    /// socket that was left behind by a process that is gone is replaced.
    pub(super) fn bind(address: &AdminAddress, inherited: &mut Vec<AdminListener>) -> anyhow::Result<Self> {
        let known = inherited.iter().position(|socket| socket.is_at(address)).map(|index| inherited.remove(index));
        let (listener, path) = match address {
            AdminAddress::Unix(path) => {
                let open =
                    || bind_unix(path).with_context(|| format!("cannot open the admin socket {}", path.display()));
                (known.map_or_else(|| open().map(AdminListener::Unix), Ok)?, Some(path.clone()))
            }
            AdminAddress::Tcp(address) => {
                let open = || bind_tcp(*address).with_context(|| format!("cannot listen at --admin {address}"));
                (known.map_or_else(|| open().map(AdminListener::Tcp), Ok)?, None)
            }
        };
        Ok(Self { listener, path, is_ours: true })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if let Some(path) = self.path.as_ref().filter(|_| self.is_ours) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl AdminListener {
    pub(super) fn try_clone(&self) -> std::io::Result<Self> {
        match self {
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
        }
    }

    fn is_at(&self, address: &AdminAddress) -> bool {
        match (self, address) {
            (Self::Unix(listener), AdminAddress::Unix(path)) => {
                listener.local_addr().is_ok_and(|own| own.as_pathname() == Some(path.as_path()))
            }
            (Self::Tcp(listener), AdminAddress::Tcp(address)) => listener.local_addr().is_ok_and(|own| own == *address),
            _ => false,
        }
    }
}

impl From<OwnedFd> for AdminListener {
    fn from(socket: OwnedFd) -> Self {
        let is_ip = getsockname(&socket).is_ok_and(|address| SocketAddr::try_from(address).is_ok());
        if is_ip { Self::Tcp(socket.into()) } else { Self::Unix(socket.into()) }
    }
}

impl From<AdminListener> for OwnedFd {
    fn from(listener: AdminListener) -> Self {
        match listener {
            AdminListener::Unix(listener) => listener.into(),
            AdminListener::Tcp(listener) => listener.into(),
        }
    }
}

impl AsFd for AdminListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(listener) => listener.as_fd(),
            Self::Tcp(listener) => listener.as_fd(),
        }
    }
}

impl AsRawFd for AdminListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

fn bind_tcp(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn bind_unix(path: &Path) -> anyhow::Result<UnixListener> {
    use std::os::unix::net::UnixStream;
    let meta = std::fs::symlink_metadata(path).ok();
    let is_socket = |meta: &std::fs::Metadata| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type());
    if meta.as_ref().is_some_and(|meta| !is_socket(meta)) {
        bail!("a file that is no socket is there already: remove it, or name another path");
    }
    if meta.is_some() {
        if UnixStream::connect(path).is_ok() {
            bail!("another process answers there");
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::AdminAddress;

    #[test]
    fn addresses_are_of_this_host() {
        let table = [
            ("unix:/run/a.sock", "unix"),
            ("9090", "127.0.0.1:9090"),
            (":9090", "127.0.0.1:9090"),
            ("localhost:9090", "127.0.0.1:9090"),
            ("127.0.0.2:1", "127.0.0.2:1"),
            ("[::1]:9090", "[::1]:9090"),
        ];
        for (text, expected) in table {
            let read = match text.parse() {
                Ok(AdminAddress::Unix(_)) => "unix".to_owned(),
                Ok(AdminAddress::Tcp(address)) => address.to_string(),
                Err(why) => why,
            };
            assert_eq!(read, expected, "{text}");
        }
        for (text, why) in [
            ("0.0.0.0:9090", "can be reached from other hosts"),
            ("[::]:9090", "can be reached from other hosts"),
            ("192.0.2.1:9090", "can be reached from other hosts"),
            ("unix:", "wants a path"),
            ("", "want unix:PATH"),
            ("example.com:80", "want unix:PATH"),
            ("99999", "want unix:PATH"),
        ] {
            let read = text.parse::<AdminAddress>();
            assert!(read.as_ref().is_err_and(|told| told.contains(why)), "{text}: {read:?}");
        }
    }
}
