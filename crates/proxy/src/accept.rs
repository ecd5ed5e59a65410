//! One thread's listening sockets: connections taken from them, and opened.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use conf::tree::{ListenAddress, LogLevel};
use net::event_loop::{self, Task};
use net::listen::Listener;
use net::{Socket, Stream, clock, deadline, listen};

use crate::client::Client;
use crate::connection::Connection;
use crate::limits::{ACCEPT_PAUSE_MS, EXHAUSTION_TOLD_MS, LAST_ACCEPTS, ROOM_PART, ROOM_PAUSE_MS};
use crate::site::Site;
use crate::thread::Thread;

/// The tasks that accept, one a socket.
pub(crate) struct Acceptors(Vec<Task>);

impl Acceptors {
    /// Accepts from these sockets for the site that the thread serves now.
    pub(crate) fn start<'a>(
        thread: &Rc<Thread>,
        sockets: impl Iterator<Item = (usize, &'a ListenAddress, &'a std::net::TcpListener)>,
    ) -> io::Result<Self> {
        let mut tasks = Vec::new();
        for (listener, _, socket) in sockets {
            let accepting = accept_all(Rc::clone(thread), Listener::share(socket)?, listener);
            tasks.push(event_loop::spawn(accepting));
        }
        Ok(Self(tasks))
    }

    /// Accepts no more.
    pub(crate) fn end(self) {
        self.0.into_iter().for_each(Task::abort);
    }
}

async fn accept_all(thread: Rc<Thread>, mut socket: Listener, listener: usize) {
    let site = Rc::clone(&thread.site.borrow());
    let most = site.snapshot.connections_max;
    loop {
        match socket.accept_while(|| net::socket::open() < most).await {
            Ok(Some((tcp, remote))) => open(&thread, &site, tcp, remote, listener),
            Ok(None) => rest(&thread, &mut socket, most).await,
            // The next attempt would fail at once, and again.
            Err(error) if listen::is_exhaustion(&error) => {
                let what = format!("accept4() failed ({error}; raise the limit of open files)");
                make_room(&thread, net::socket::open(), &what).await;
            }
            // The client gave up before it was accepted.
            Err(_) => {}
        }
    }
}

/// Leaves what comes to the other threads until there is room here, and makes some for what waits all the same.
async fn rest(thread: &Thread, socket: &mut Listener, most: usize) {
    socket.rest();
    loop {
        if socket.has_waiting() {
            make_room(thread, most, &format!("{most} worker_connections are not enough")).await;
        } else {
            event_loop::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
        }
        if net::socket::open() < most && socket.resume().is_ok() {
            return;
        }
    }
}

/// Closes the connections that have been idle for longest, of so many; where none is, waits for others to end.
async fn make_room(thread: &Thread, connections: usize, why: &str) {
    let ended = deadline::end_idle((connections / ROOM_PART).max(1));
    let now_ms = clock::coarse_ms();
    if thread.pressure_told_ms.get().is_none_or(|ms| now_ms.saturating_sub(ms) > EXHAUSTION_TOLD_MS) {
        thread.pressure_told_ms.set(Some(now_ms));
        let doing = if ended > 0 { "closing idle connections, the oldest first" } else { "new connections wait" };
        thread.log_process(LogLevel::Alert, &format!("{why}: {doing}"));
    }
    let pause_ms = if ended > 0 { ROOM_PAUSE_MS } else { ACCEPT_PAUSE_MS };
    event_loop::sleep(Duration::from_millis(pause_ms)).await;
}

/// Takes what waits in a listener's queue before it is closed: such a client believes that it is connected.
pub(crate) fn accept_waiting(thread: &Rc<Thread>, site: &Rc<Site>, socket: &std::net::TcpListener, listener: usize) {
    for _ in 0..LAST_ACCEPTS {
        match listen::accept_waiting(socket) {
            Ok((tcp, remote)) => open(thread, site, tcp, remote, listener),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || listen::is_exhaustion(&error) => break,
            Err(_) => {}
        }
    }
}

fn open(thread: &Rc<Thread>, site: &Rc<Site>, tcp: Socket, remote: SocketAddr, listener: usize) {
    let is_unix = site.snapshot.router.listeners()[listener].address.ip().is_none();
    // A unix socket has no address and no port on either side.
    let Ok(local) = (if is_unix { Ok(remote) } else { tcp.local_addr() }) else { return };
    let listener = site.snapshot.router.listener_at(listener, local);
    let tls = site.snapshot.tls[listener].as_ref();
    let is_tls = tls.is_some();
    // Where a proxy's word comes first, TLS begins behind it.
    let stream = match tls.filter(|_| !site.snapshot.router.listeners()[listener].proxy_protocol) {
        None => Stream::plain(tcp),
        Some(tls) => match Stream::tls_server(tcp, &tls.server) {
            Ok(stream) => stream,
            Err(_) => return,
        },
    };
    let mut client = Client::new(thread.number_connection(), remote, local, (Rc::clone(site), listener), is_tls);
    if is_unix {
        client.come_by_unix();
    } else {
        client.probe = Some(stream.socket().probe());
    }
    thread.counters.accepted.add(1);
    let open = Open::new(Rc::clone(thread));
    let connection = Connection::new(Rc::clone(thread), stream, client);
    event_loop::spawn(connection.run(open));
}

/// Counts a connection for as long as it is open, a panic included.
pub(crate) struct Open(Rc<Thread>);

impl Open {
    pub(crate) fn new(thread: Rc<Thread>) -> Self {
        thread.counters.active.add(1);
        Self(thread)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.active.sub(1);
    }
}
