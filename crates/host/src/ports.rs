//! Who listens at an address, for an error message that names the process in the way.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, all_processes};

/// A process that listens somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// The program's name.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// The process that keeps others from listening at `address`: it listens there, or at its port for all addresses, or at
/// any where `address` is all. `None` where there is none, or it belongs to another user and cannot be seen.
pub fn holder(address: SocketAddr) -> Option<Holder> {
    let sockets: HashSet<u64> = listeners().filter(|entry| covers(entry, address)).map(|entry| entry.inode).collect();
    if sockets.is_empty() {
        return None;
    }
    all_processes().ok()?.flatten().find_map(|process| {
        let mut open = process.fd().ok()?.flatten();
        open.any(|fd| matches!(fd.target, FDTarget::Socket(inode) if sockets.contains(&inode))).then_some(())?;
        let name = process.stat().ok()?.comm;
        Some(Holder { pid: process.pid().cast_unsigned(), name })
    })
}

fn listeners() -> impl Iterator<Item = TcpNetEntry> {
    let all = procfs::net::tcp().into_iter().chain(procfs::net::tcp6()).flatten();
    all.filter(|entry| entry.state == TcpState::Listen)
}

fn covers(entry: &TcpNetEntry, address: SocketAddr) -> bool {
    let (local, wanted) = (entry.local_address, address);
    let is_all = local.ip().is_unspecified() || wanted.ip().is_unspecified();
    local.port() == wanted.port() && (is_all || local.ip() == wanted.ip())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_port_in_use_has_a_holder() {
        for address in ["127.0.0.1:0", "127.1.2.3:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let holder = holder(listener.local_addr().unwrap()).unwrap();
            assert_eq!(holder.pid, std::process::id());
            assert!(holder.to_string().ends_with(&format!("(process {})", holder.pid)));
        }
    }

    #[test]
    fn a_listener_at_all_addresses_holds_each() {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(holder(SocketAddr::from(([127, 0, 0, 9], port))).map(|holder| holder.pid), Some(std::process::id()));
    }

    #[test]
    fn a_listener_at_one_address_keeps_others_from_all() {
        let port = TcpListener::bind("127.3.2.1:0").unwrap().local_addr().unwrap().port();
        let _listener = TcpListener::bind(("127.3.2.1", port)).unwrap();
        let holders = ["0.0.0.0", "::"].map(|ip| holder(SocketAddr::new(ip.parse().unwrap(), port)));
        assert!(holders.iter().flatten().count() == 2, "{holders:?}");
    }

    #[test]
    fn a_free_port_has_none() {
        // An address of its own: no test beside this one takes the port meanwhile.
        let address = TcpListener::bind("127.77.1.3:0").unwrap().local_addr().unwrap();
        // A process that another test is starting may hold a copy of the socket for a moment.
        while holder(address).is_some() {
            std::thread::yield_now();
        }
    }
}
