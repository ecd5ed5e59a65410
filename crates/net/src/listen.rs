//! Listening sockets: opened once, then shared by the threads, each with its own registration.
//!
//! The kernel wakes one thread for each connection, and always the same one while that has nothing to do. A thread that
//! has no room must therefore end its registration, or the connection waits though other threads have room.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, acceptfrom_with, sockopt};
use socket2::{Domain, Protocol, TcpKeepalive, Type};

use crate::event_loop::{Interest, Source};
use crate::socket::Socket;

/// Connections accepted one after the other before other work has its turn.
const MOST_AT_ONCE: u32 = 64;

/// Listeners of this process that rest ([`Listener::rest`]).
static RESTING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The registrations of this thread.
    static SHARES: RefCell<Vec<Weak<Source>>> = const { RefCell::new(Vec::new()) };
}

/// What a listening socket is like, and by inheritance the connections that it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Whether `[::]:80` takes IPv4's port 80 with it; by default it does not, as nginx has it (`ipv6only=on`).
    pub takes_ipv4: bool,
    /// The kernel's buffers, in bytes, where they are not to be its own choice.
    pub receive_buffer: Option<u32>,
    /// The other one.
    pub send_buffer: Option<u32>,
    /// Probes of idle connections.
    pub keepalive: Option<KeepAlive>,
}

/// Probes of idle connections: none, or when and how often, as the system has it where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// None.
    Off,
    /// After so many seconds without a byte, so many seconds apart, at most so many.
    On {
        /// Seconds before the first.
        idle_s: Option<u64>,
        /// Seconds between two.
        interval_s: Option<u64>,
        /// Before the connection is given up.
        count: Option<u32>,
    },
}

/// Opens a listening socket.
pub fn open(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    open_with(address, &Options { backlog, ..Options::default() })
}

/// Opens a listening socket with these options.
pub fn open_with(address: SocketAddr, options: &Options) -> io::Result<TcpListener> {
    let socket = unbound(address, options)?;
    if let Some(size) = options.receive_buffer {
        socket.set_recv_buffer_size(size as usize)?;
    }
    if let Some(size) = options.send_buffer {
        socket.set_send_buffer_size(size as usize)?;
    }
    // As in nginx: values that the system does not take leave it at its own.
    let _ = probe(&socket, options.keepalive);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Whether this process may listen on an address: what binding says, with the socket gone again.
pub fn try_bind(address: SocketAddr, options: &Options) -> io::Result<()> {
    unbound(address, options)?.bind(&address.into())
}

/// A socket with what decides whether an address may be bound.
fn unbound(address: SocketAddr, options: &Options) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!options.takes_ipv4)?;
    }
    Ok(socket)
}

fn probe(socket: &socket2::Socket, keepalive: Option<KeepAlive>) -> io::Result<()> {
    match keepalive {
        None => Ok(()),
        Some(KeepAlive::Off) => socket.set_keepalive(false),
        Some(KeepAlive::On { idle_s, interval_s, count }) => {
            let mut probes = TcpKeepalive::new();
            if let Some(seconds) = idle_s {
                probes = probes.with_time(Duration::from_secs(seconds));
            }
            if let Some(seconds) = interval_s {
                probes = probes.with_interval(Duration::from_secs(seconds));
            }
            if let Some(count) = count {
                probes = probes.with_retries(count);
            }
            socket.set_tcp_keepalive(&probes)
        }
    }
}

/// Where whoever connects by a unix socket is said to come from: nowhere.
const UNIX_PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// One thread's share of a listening socket: for each connection that comes, one of the threads is woken.
#[derive(Debug)]
pub struct Listener {
    /// A unix socket too is accepted from as if it were one of TCP.
    socket: TcpListener,
    is_unix: bool,
    source: Rc<Source>,
    accepted: u32,
    is_resting: bool,
}

impl Listener {
    /// This thread's share.
    pub fn share(socket: &TcpListener) -> io::Result<Self> {
        let socket = socket.try_clone()?;
        let source = register(&socket)?;
        let is_unix = is_unix(&socket)?;
        Ok(Self { socket, is_unix, source, accepted: 0, is_resting: false })
    }

    /// Leaves what comes to the other threads.
    pub fn rest(&mut self) {
        if !self.is_resting {
            self.is_resting = true;
            RESTING.fetch_add(1, Ordering::Relaxed);
            self.source.deregister(&self.socket);
        }
    }

    /// Whether a connection waits in the queue.
    pub fn has_waiting(&self) -> bool {
        is_waiting(&self.socket).unwrap_or(false)
    }

    /// Takes part again, in what waits first of all.
    pub fn resume(&mut self) -> io::Result<()> {
        if self.is_resting {
            self.source = register(&self.socket)?;
            self.is_resting = false;
            RESTING.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Accepts a connection, and makes it send small writes at once. `None` when one waits that may not be accepted.
    pub async fn accept_while(&mut self, may: impl Fn() -> bool) -> io::Result<Option<(Socket, SocketAddr)>> {
        poll_fn(|cx| self.poll_accept(cx, &may)).await
    }

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        may: &impl Fn() -> bool,
    ) -> Poll<io::Result<Option<(Socket, SocketAddr)>>> {
        if self.accepted >= MOST_AT_ONCE {
            self.accepted = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Self { socket, is_unix, source, accepted, .. } = self;
        let polled = source.poll_read(cx, || match may() {
            true => accept_from(socket, *is_unix).map(Some),
            false if is_waiting(socket)? => Ok(None),
            false => Err(Errno::AGAIN),
        });
        if polled.is_pending() {
            *accepted = 0;
        }
        let Some((tcp, from)) = ready!(polled)? else { return Poll::Ready(Ok(None)) };
        *accepted += 1;
        Poll::Ready(Ok(Some((Socket::connected(tcp, *is_unix)?, from))))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.is_resting {
            RESTING.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.source.deregister(&self.socket);
        }
    }
}

fn register(socket: &TcpListener) -> io::Result<Rc<Source>> {
    let source = Source::register(socket, Interest::ReadOneThread)?;
    SHARES.with_borrow_mut(|shares| {
        shares.retain(|share| share.strong_count() > 0);
        shares.push(Rc::downgrade(&source));
    });
    Ok(source)
}

/// Has this thread look into its listeners' queues while others rest: what one was woken for before it came to rest is
/// told to nobody else. To be called a few times a second.
pub fn look_for_left_behind() {
    if RESTING.load(Ordering::Relaxed) > 0 {
        SHARES.with_borrow(|shares| shares.iter().filter_map(Weak::upgrade).for_each(|share| share.may_be_readable()));
    }
}

/// A connection that waits in the listener's queue; `WouldBlock` when there is none. For who stops accepting: closing
/// the listener would reset those that wait.
pub fn accept_waiting(listener: &TcpListener) -> io::Result<(Socket, SocketAddr)> {
    let is_unix = is_unix(listener)?;
    let (tcp, from) = accept_from(listener, is_unix)?;
    Ok((Socket::connected(tcp, is_unix)?, from))
}

/// Whether a connection waits in the queue.
fn is_waiting(listener: &TcpListener) -> rustix::io::Result<bool> {
    let mut asked = [PollFd::new(listener, PollFlags::IN)];
    Ok(poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
}

fn is_unix(listener: &TcpListener) -> rustix::io::Result<bool> {
    Ok(sockopt::socket_domain(listener)? == AddressFamily::UNIX)
}

fn accept_from(listener: &TcpListener, is_unix: bool) -> rustix::io::Result<(TcpStream, SocketAddr)> {
    let (socket, from) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    // The kernel leaves the address out for a client that has gone already.
    let from = if is_unix { Some(UNIX_PEER) } else { from.and_then(|from| from.try_into().ok()) };
    let from = from.ok_or(Errno::CONNABORTED)?;
    Ok((TcpStream::from(socket), from))
}

/// Whether the process, or the machine, has no descriptor (or memory) left for one more connection: time to pause.
pub fn is_exhaustion(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}
