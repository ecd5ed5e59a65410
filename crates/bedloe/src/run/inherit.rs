//! Listening sockets that this process was born with: from the program that it takes over from (nginx's variable
//! `NGINX`), or from systemd (`LISTEN_FDS`). Which is which is seen by its address.
//!
//! Such a descriptor is a number in the environment. Turning a number into an owner is what Rust calls unsafe, so the
//! kernel is asked for a second descriptor of the same socket, and the first is closed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use conf::tree::ListenAddress;
use rustix::net::{SocketAddrUnix, getsockname, sockopt};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::admin::AdminListener;
use super::sockets::Sockets;

/// nginx's variable: numbers, each with a semicolon behind it.
pub(super) const NGINX: &str = "NGINX";
/// Ours for the admin sockets, in the same form.
pub(super) const ADMIN: &str = "BEDLOE_ADMIN";
const LISTEN_FDS: &str = "LISTEN_FDS";
const LISTEN_PID: &str = "LISTEN_PID";
/// The first that systemd passes.
const LISTEN_START: RawFd = 3;
/// Sockets that are looked for; a configuration with more than this has other troubles.
const SOCKETS_MAX: RawFd = 4096;

/// All variables that speak of descriptors: they are not for a child's eyes.
pub(super) const VARIABLES: [&str; 5] = [NGINX, ADMIN, LISTEN_FDS, LISTEN_PID, "LISTEN_FDNAMES"];

/// What was inherited.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) sockets: Sockets,
    pub(super) admin: Vec<AdminListener>,
    /// Whether it came from a program that this one takes over from.
    pub(super) is_upgrade: bool,
    /// What is wrong with some of it.
    pub(super) complaints: Vec<String>,
}

impl Inherited {
    pub(super) fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let mut inherited = Self::default();
        let mut open = open_numbers();
        // Any other number may come to be a file of this program's own.
        let mut born_with = |number: RawFd| {
            let what = format!("descriptor {number} is not open, or was named before");
            open.remove(&number).then_some(number).ok_or(what)
        };
        let handed_over = variable(NGINX);
        inherited.is_upgrade = !handed_over.is_empty();
        for number in numbers(&handed_over) {
            inherited.add(NGINX, number.and_then(&mut born_with));
        }
        if variable(LISTEN_PID).parse() == Ok(std::process::id()) {
            let count = variable(LISTEN_FDS).parse().unwrap_or(0).clamp(0, SOCKETS_MAX);
            (LISTEN_START..LISTEN_START + count).for_each(|number| inherited.add(LISTEN_FDS, born_with(number)));
        }
        for number in numbers(&variable(ADMIN)) {
            match number.and_then(&mut born_with).and_then(|number| adopt(number).map_err(|error| error.to_string())) {
                Ok(socket) => inherited.admin.push(socket.into()),
                Err(error) => inherited.complaints.push(format!("{ADMIN}: {error}")),
            }
        }
        inherited
    }

    fn add(&mut self, variable: &str, number: Result<RawFd, String>) {
        match number.and_then(|number| listener(number).map_err(|error| format!("descriptor {number}: {error}"))) {
            Ok((address, socket)) => self.sockets.add(address, socket),
            Err(error) => self.complaints.push(format!("invalid socket in the variable {variable}: {error}, ignored")),
        }
    }
}

/// The descriptors of this process, which has opened none yet.
fn open_numbers() -> BTreeSet<RawFd> {
    let names = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let listed: Vec<RawFd> = names.filter_map(|name| name.file_name().to_str()?.parse().ok()).collect();
    // The folder was one of them while it was read.
    let is_open = |number: &RawFd| std::path::Path::new(&format!("/proc/self/fd/{number}")).is_symlink();
    listed.into_iter().filter(is_open).collect()
}

fn numbers(text: &str) -> impl Iterator<Item = Result<RawFd, String>> {
    let parts = text.split([';', ':']).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| format!("`{part}` is no number of a descriptor")))
}

fn listener(number: RawFd) -> std::io::Result<(ListenAddress, TcpListener)> {
    let socket = adopt(number)?;
    if !sockopt::socket_acceptconn(&socket)? {
        return Err(std::io::Error::other("it does not listen"));
    }
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    let address = match getsockname(&listener)?.try_into() {
        Ok(address) => ListenAddress::Ip(address),
        Err(_) => {
            let unix = SocketAddrUnix::try_from(getsockname(&listener)?)?;
            let path = unix.path_bytes().ok_or_else(|| std::io::Error::other("it has no address"))?;
            ListenAddress::Unix(OsStr::from_bytes(path).into())
        }
    };
    Ok((address, listener))
}

/// Takes a descriptor over by its number; the standard streams stay what they are.
fn adopt(number: RawFd) -> std::io::Result<OwnedFd> {
    if number <= 2 {
        return Err(std::io::Error::other("that is a standard stream"));
    }
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let own = pidfd_getfd(this.as_fd(), number, PidfdGetfdFlags::empty())?;
    nix::unistd::close(number)?;
    Ok(own)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn a_listening_socket_is_taken_over_by_its_number_and_nothing_else() {
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = own.local_addr().unwrap();
        let (found, taken) = listener(own.into_raw_fd()).unwrap();
        assert_eq!((found, taken.local_addr().unwrap()), (address.into(), address));
        let file = tempfile::tempfile().unwrap().into_raw_fd();
        assert!(listener(file).is_err());
        assert!(listener(1).is_err());
        assert!(listener(1 << 20).is_err());
    }

    #[test]
    fn the_variable_has_the_form_of_nginx_s() {
        let read = |text| numbers(text).map(Result::ok).collect::<Vec<_>>();
        assert_eq!(read("6;7;"), [Some(6), Some(7)]);
        assert_eq!(read("6:7"), [Some(6), Some(7)]);
        assert_eq!(read("x;7;"), [None, Some(7)]);
        assert_eq!(read(""), []);
    }
}
