//! Dialling: a TCP connection to an address, without delay for small writes.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};

/// Whether dialling failed for want of something here (descriptors, memory, ports): no fault of the other side.
pub fn is_local_fault(error: &io::Error) -> bool {
    crate::listen::is_exhaustion(error) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Connects to `to`. How long it may take is the caller's to limit.
pub async fn dial(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    socket.connect(to).await
}
