//! A small HTTP/1.1 server that answers with its own name, for a balancer to choose.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// The longest request head that is read.
const MAX_HEAD: usize = 16 * 1024;

/// A server on a thread of its own, ended when dropped. Its name is its address: `127.0.0.11:41234`.
pub(crate) struct Upstream {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Upstream {
    /// A server on any free port of this address that answers every request with this status and its name as body.
    pub(crate) fn start(ip: IpAddr, status: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((ip, 0))?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let answer = answer(status, &address.to_string());
        let end = Arc::clone(&ended);
        thread::spawn(move || accept(&listener, &end, &answer));
        Ok(Self { address, ended })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        // Wakes the thread out of its accept, which ends it and closes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

/// An address on which connections are refused: its port is taken, so that nobody else gets it, but nobody listens.
pub(crate) struct Refusing {
    _bound: OwnedFd,
    address: SocketAddr,
}

impl Refusing {
    pub(crate) fn start(ip: IpAddr) -> io::Result<Self> {
        let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let bound = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::net::bind(&bound, &SocketAddr::from((ip, 0)))?;
        let address = rustix::net::getsockname(&bound)?.try_into()?;
        Ok(Self { _bound: bound, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn answer(status: u16, body: &str) -> Arc<[u8]> {
    format!("HTTP/1.1 {status} Answer\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes().into()
}

fn accept(listener: &TcpListener, ended: &AtomicBool, answer: &Arc<[u8]>) {
    while let Ok((stream, _)) = listener.accept() {
        if ended.load(Relaxed) {
            return;
        }
        let answer = Arc::clone(answer);
        // It ends with the connection, which its other side closes.
        thread::spawn(move || serve(stream, &answer));
    }
}

/// Answers requests without a body, one after the other, until the connection closes.
fn serve(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 || head.len() > MAX_HEAD {
            return Ok(());
        }
        head.extend_from_slice(&piece[..count]);
        while let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            head.drain(..end + 4);
            stream.write_all(answer)?;
        }
    }
}
