//! Dialling: a TCP connection to an address, without delay for small writes.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpStream};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Type};

use crate::socket::Socket;

/// Whether dialling failed for want of something here (descriptors, memory, ports): no fault of the other side.
pub fn is_local_fault(error: &io::Error) -> bool {
    crate::listen::is_exhaustion(error) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Connects to `to`. How long it may take is the caller's to limit.
pub async fn dial(to: SocketAddr) -> io::Result<Socket> {
    let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    let begun = match socket.connect(&to.into()) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => Ok(()),
        done => done,
    };
    begun?;
    // Registered only now: before connecting, a socket counts as hung up.
    let socket = Socket::new(TcpStream::from(socket))?;
    poll_fn(|cx| socket.poll_connected(cx)).await?;
    Ok(socket)
}
