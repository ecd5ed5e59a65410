//! The addresses to listen on, tried as `run` will use them. That somebody listens there already is no finding: it may
//! be the balancer that is to be reloaded.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use conf::Diagnostic;
use conf::span::Place;
use conf::tree::{Config, Listen, ListenAddress};
use net::listen::{Options, try_bind};
use rustix::net::SocketAddrUnix;

use crate::writing;

/// A finding for each that this process cannot have.
pub(super) fn findings(config: &Config) -> Vec<Diagnostic> {
    let listens = config.http.servers.iter().flat_map(|server| &server.listens);
    let mut seen = HashSet::new();
    let listens: Vec<&Listen> = listens.filter(|listen| seen.insert(&listen.address)).collect();
    let wildcard = |address: SocketAddr| address.ip().is_unspecified().then(|| (address.is_ipv6(), address.port()));
    let wildcards: HashSet<(bool, u16)> = listens.iter().filter_map(|listen| wildcard(listen.address.ip()?)).collect();
    // The wildcard's socket serves those of its port.
    let has_own = |address: SocketAddr| {
        address.ip().is_unspecified() || !wildcards.contains(&(address.is_ipv6(), address.port()))
    };
    let tried = |listen: &&Listen| {
        let error = match &listen.address {
            ListenAddress::Ip(address) if !has_own(*address) => return None,
            ListenAddress::Ip(address) => {
                let takes_ipv4 = listen.options.takes_ipv4;
                try_bind(*address, &Options { takes_ipv4, ..Options::default() }).err()?
            }
            ListenAddress::Unix(path) => try_unix(path).err()?,
        };
        (error.kind() != io::ErrorKind::AddrInUse).then(|| told(&listen.address, &error, &listen.place))
    };
    listens.iter().filter_map(tried).collect()
}

/// The same for the file of a unix socket, which may be there from a program that is no more.
fn try_unix(path: &Path) -> io::Result<()> {
    SocketAddrUnix::new(path)?;
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => Ok(()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name, which is no socket")),
        Err(_) => writing::try_make(path),
    }
}

fn told(address: &ListenAddress, error: &io::Error, place: &Place) -> Diagnostic {
    let found = Diagnostic::error("cannot-listen", place, format!("cannot listen on {address}: {error}"));
    match advice(address, error) {
        "" => found,
        advice => found.help(advice),
    }
}

/// What to do about it.
pub(crate) fn advice(address: &ListenAddress, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied if address.ip().is_some_and(|address| address.port() < 1024) => {
            "a port below 1024 needs root or CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrInUse if address.ip().is_none() => "another program listens there: `ss -lxp` shows which",
        io::ErrorKind::AddrInUse => "another program listens there: `ss -ltnp` shows which",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        _ => "",
    }
}
