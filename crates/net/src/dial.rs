//! Dialling: a connection to an address, without delay for small writes, or to a unix socket.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Type};

use crate::socket::Socket;

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Over TCP.
    Ip(SocketAddr),
    /// To a unix socket.
    Unix(Arc<Path>),
}

/// How a connection is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The address on this side; the system's choice where there is none.
    pub from: Option<SocketAddr>,
    /// Whether the system probes it while it is silent (`SO_KEEPALIVE`).
    pub keepalive: bool,
}

impl fmt::Display for Endpoint {
    /// As nginx writes it in `$upstream_addr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Whether dialling failed for want of something here (descriptors, memory, ports): no fault of the other side.
pub fn is_local_fault(error: &io::Error) -> bool {
    crate::listen::is_exhaustion(error) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Connects to `to`. How long it may take is the caller's to limit.
pub async fn dial(to: SocketAddr) -> io::Result<Socket> {
    connect(&Endpoint::Ip(to), Options::default()).await
}

/// The same for any endpoint and with options, which a unix socket has no use for.
pub async fn connect(to: &Endpoint, options: Options) -> io::Result<Socket> {
    let (socket, address) = match to {
        Endpoint::Ip(address) => (tcp(*address, options)?, SockAddr::from(*address)),
        Endpoint::Unix(path) => {
            let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            (socket, SockAddr::unix(path)?)
        }
    };
    let begun = match socket.connect(&address) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => Ok(()),
        done => done,
    };
    begun?;
    // Registered only now: before connecting, a socket counts as hung up.
    let socket = Socket::new(socket)?;
    poll_fn(|cx| socket.poll_connected(cx)).await?;
    Ok(socket)
}

fn tcp(to: SocketAddr, options: Options) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if options.keepalive {
        socket.set_keepalive(true)?;
    }
    // As in nginx, an address of the other family is put aside.
    if let Some(from) = options.from.filter(|from| from.is_ipv4() == to.is_ipv4()) {
        // The port is chosen when it is known where the connection goes: then each destination has all of them.
        if from.port() == 0 {
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        }
        socket.set_reuse_address(true)?;
        socket.bind(&from.into())?;
    }
    Ok(socket)
}
