//! A connection, over TCP or a unix socket, registered with this thread's event loop.

use std::cell::Cell;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, libc, sockopt_impl};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::buffer::Buffer;
use crate::event_loop::Source;

thread_local! {
    static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// How many of this thread's connections are open, of both sides together.
pub fn open() -> usize {
    OPEN.get()
}

/// A connection to be asked about, which does not keep it open.
#[derive(Debug, Clone)]
pub struct Probe(Weak<Source>);

/// What the kernel knows of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// Microseconds to the other side and back, smoothed.
    pub rtt_us: u32,
    /// How much they vary.
    pub rttvar_us: u32,
    /// Packets that may be under way.
    pub snd_cwnd: u32,
    /// Bytes of room for what comes.
    pub rcv_space: u32,
}

sockopt_impl!(
    /// `TCP_INFO`, which the library of system calls has no name for.
    KernelTcpInfo, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info
);

impl Probe {
    /// What the kernel knows; nothing where it is no TCP connection, or closed.
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        let source = self.0.upgrade()?;
        let info = getsockopt(source.socket(), KernelTcpInfo).ok()?;
        Some(TcpInfo {
            rtt_us: info.tcpi_rtt,
            rttvar_us: info.tcpi_rttvar,
            snd_cwnd: info.tcpi_snd_cwnd,
            rcv_space: info.tcpi_rcv_space,
        })
    }
}

/// A connected socket, non-blocking and without delay for small writes.
#[derive(Debug)]
pub struct Socket {
    source: Rc<Source>,
}

impl Socket {
    /// Registers a connection that is already non-blocking.
    pub(crate) fn new(inner: socket2::Socket) -> io::Result<Self> {
        let source = Source::connection(inner)?;
        OPEN.set(OPEN.get() + 1);
        Ok(Self { source })
    }

    /// A connection that has been made: it takes bytes at once.
    pub(crate) fn connected(tcp: std::net::TcpStream, is_unix: bool) -> io::Result<Self> {
        if !is_unix {
            tcp.set_nodelay(true)?;
        }
        let socket = Self::new(tcp.into())?;
        socket.source.assume_writable();
        Ok(socket)
    }

    /// For what the kernel knows of it, while it is open.
    pub fn probe(&self) -> Probe {
        Probe(Rc::downgrade(&self.source))
    }

    fn inner(&self) -> &socket2::Socket {
        self.source.socket()
    }

    /// The address on this side, which a unix socket has not.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        ip_address(&self.inner().local_addr()?)
    }

    /// The address on the other side, which a unix socket has not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        ip_address(&self.inner().peer_addr()?)
    }

    /// Whether something may have come, the end included; asks the kernel nothing.
    #[inline]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_readable(cx)
    }

    /// One read into the room behind the buffer's data, of which there must be some; 0 is the end of the stream.
    pub(crate) fn poll_fill(&self, cx: &mut Context<'_>, into: &mut Buffer) -> Poll<io::Result<usize>> {
        if let Some((error, _)) = self.source.take_unsent() {
            return Poll::Ready(Err(error.into()));
        }
        let n = self.source.take_ahead(into);
        if n > 0 {
            return Poll::Ready(Ok(n));
        }
        let room = into.spare();
        debug_assert!(!room.is_empty(), "a read needs room");
        let size = room.len();
        let polled = self.source.poll_read(cx, || Ok(recv(self.inner(), &mut *room, RecvFlags::empty())?.0));
        if let Poll::Ready(Ok(n)) = polled {
            into.filled(n);
            // Less than there was room for is all there was: the next call would find nothing.
            if n > 0 && n < size {
                self.source.clear_readable();
            }
        }
        polled
    }

    /// Has bytes sent when all tasks of this turn have run; false where they had better be sent at once.
    pub(crate) fn send_later(&self, bytes: &[u8]) -> bool {
        self.source.send_later(bytes)
    }

    /// Whether all that was to be sent later has been.
    pub(crate) fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_sent(cx)
    }

    /// Why what was to be sent later was not, and whether some of it was before.
    pub(crate) fn take_unsent(&self) -> Option<(io::Error, bool)> {
        self.source.take_unsent().map(|(error, was_begun)| (error.into(), was_begun))
    }

    /// One write, behind what was to be sent later.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.source.poll_sent(cx))?;
        self.source.poll_write(cx, || send(self.inner(), bytes, SendFlags::NOSIGNAL))
    }

    /// Whether the connection that was begun is made; its error if it failed.
    pub(crate) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_writable(cx).map(|()| self.inner().take_error()?.map_or(Ok(()), Err))
    }

    /// Has the connection reset when it is dropped, and what was not sent thrown away.
    pub fn reset_on_drop(&self) {
        // Whoever is reset cannot tell, and the connection goes in any case.
        let _ = self.inner().set_linger(Some(Duration::ZERO));
    }

    /// Says that nothing more will be sent.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        self.inner().shutdown(Shutdown::Write)
    }
}

fn ip_address(address: &socket2::SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

impl Drop for Socket {
    fn drop(&mut self) {
        OPEN.set(OPEN.get() - 1);
        // What a task takes for sent must not go with it.
        self.source.send_now();
        self.source.forget();
    }
}
