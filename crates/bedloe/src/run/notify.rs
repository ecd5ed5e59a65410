//! What systemd is told (`sd_notify`): a few words in a datagram, where it has named a socket in `NOTIFY_SOCKET`.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// The variable that names the socket. A worker must not have it: it would speak for its master.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

/// A way to the service manager, or none.
#[derive(Debug)]
pub(crate) struct Notify(Option<OsString>);

impl Notify {
    pub(crate) fn from_environment() -> Self {
        Self(std::env::var_os(VARIABLE).filter(|name| !name.is_empty()))
    }

    /// It serves; `MAINPID` since a new program that took over is another process than the one that was started.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nMAINPID={}\nSTATUS={status}", std::process::id()));
    }

    /// A reload has begun. The time tells systemd that it is the one it asked for.
    pub(super) fn reloading(&self) {
        let time = clock_gettime(ClockId::Monotonic);
        let now_us = time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=Reading the configuration"));
    }

    pub(crate) fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={status}"));
    }

    /// A service manager that does not listen is no reason not to serve.
    fn send(&self, text: &str) {
        let Some(name) = &self.0 else { return };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(name),
        };
        if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
            let _ = socket.send_to_addr(text.as_bytes(), &address);
        }
    }
}
