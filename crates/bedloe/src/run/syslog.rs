//! A syslog server: a datagram a message, over UDP or to a unix socket.
//!
//! Nobody waits for it: what cannot be sent at once is lost, as with nginx. The socket is opened with the first
//! message, by whoever sends it, and opened anew after an error, for the server may have been started anew.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;

use conf::tree::PeerAddress;

/// A server, written to in whole messages, each with [`proxy::SYSLOG_END`] behind it.
#[derive(Debug)]
pub(super) struct Server {
    address: PeerAddress,
    socket: Option<Socket>,
    /// An error was told, and nothing has been sent since.
    is_lost: bool,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Server {
    pub(super) fn new(address: PeerAddress) -> Self {
        Self { address, socket: None, is_lost: false }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(connect(&self.address)?),
        };
        match socket {
            Socket::Udp(socket) => socket.send(message),
            Socket::Unix(socket) => socket.send(message),
        }
        .map(drop)
    }
}

impl Write for Server {
    /// Sends all messages there are; it never fails, for nothing would come of trying again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for message in bytes.split(|byte| *byte == proxy::SYSLOG_END).filter(|message| !message.is_empty()) {
            match self.send(message) {
                Ok(()) => self.is_lost = false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.socket = None;
                    if !std::mem::replace(&mut self.is_lost, true) {
                        let server = match &self.address {
                            PeerAddress::Ip(address) => address.to_string(),
                            PeerAddress::Unix(path) => format!("unix:{}", path.display()),
                        };
                        crate::say(format_args!(
                            "[alert] syslog server {server}: {error}; what is logged there is lost"
                        ));
                    }
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn connect(address: &PeerAddress) -> io::Result<Socket> {
    match address {
        PeerAddress::Ip(address) => {
            let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
            socket.set_nonblocking(true)?;
            socket.connect(address)?;
            Ok(Socket::Udp(socket))
        }
        PeerAddress::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect(path)?;
            Ok(Socket::Unix(socket))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn messages_arrive_one_by_one_and_after_a_restart_of_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut server = Server::new(PeerAddress::Unix(path.clone()));
        server.write_all(b"lost\0").unwrap();
        let mut room = [0; 64];
        for text in ["one\ntwo\0three\0", "four\0five\0"] {
            let listener = UnixDatagram::bind(&path).unwrap();
            // The first message after a restart finds the old socket, and is lost.
            server.write_all(b"lost\0").unwrap();
            server.write_all(text.as_bytes()).unwrap();
            let mut found = Vec::new();
            while found.len() < 3 && found.iter().map(Vec::len).sum::<usize>() < text.len() - 2 {
                let length = listener.recv(&mut room).unwrap();
                found.extend((&room[..length] != b"lost").then(|| room[..length].to_vec()));
            }
            assert_eq!([found.join(&0), vec![0]].concat(), text.as_bytes());
            drop(listener);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
