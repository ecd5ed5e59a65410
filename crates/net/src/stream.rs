//! A connection to read from and write to, plain or over TLS, on either side of it.
//!
//! It adds no buffer of its own to a plain socket. Time limits are the caller's ([`crate::Deadline`]).

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;

use crate::buffer::Buffer;
use crate::socket::Socket;
use crate::tls::{ServerTls, Session};

/// A connection, plain or over TLS.
#[derive(Debug)]
pub struct Stream {
    tcp: Socket,
    tls: Option<Box<Session>>,
    bytes_in: u64,
    bytes_out: u64,
}

impl Stream {
    /// A connection as it is.
    pub fn plain(tcp: Socket) -> Self {
        Self { tcp, tls: None, bytes_in: 0, bytes_out: 0 }
    }

    /// The server's side of a TLS handshake yet to be made; [`Stream::handshake`] makes it.
    pub fn tls_server(tcp: Socket, tls: &ServerTls) -> io::Result<Self> {
        let session = Session::server(tls).map_err(io::Error::other)?;
        Ok(Self { tls: Some(Box::new(session)), ..Self::plain(tcp) })
    }

    /// The client's side of a TLS handshake yet to be made; [`Stream::handshake`] makes it.
    pub fn tls_client(tcp: Socket, config: Arc<rustls::ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        let mut stream = Self::plain(tcp);
        stream.start_tls_client(config, name)?;
        Ok(stream)
    }

    /// Goes over to the client's side of a TLS handshake.
    pub fn start_tls_client(&mut self, config: Arc<rustls::ClientConfig>, name: ServerName<'static>) -> io::Result<()> {
        self.tls = Some(Box::new(Session::client(config, name).map_err(io::Error::other)?));
        Ok(())
    }

    /// Goes over to the server's side of a TLS handshake; `came` of it was read already.
    pub fn start_tls(&mut self, tls: &ServerTls, came: Buffer) -> io::Result<()> {
        let session = Session::server(tls).map_err(io::Error::other)?;
        self.tls = Some(Box::new(session.with_incoming(came)));
        Ok(())
    }

    /// Whether TLS protects it.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The TLS session, for what was agreed on.
    pub fn session(&self) -> Option<&Session> {
        self.tls.as_deref()
    }

    /// Bytes that came off the socket.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// Bytes that went onto the socket.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// The socket itself, for its addresses and options.
    pub fn socket(&self) -> &Socket {
        &self.tcp
    }

    /// Gives TLS up, after a handshake that failed with [`crate::tls::PlainHttp`]: what came is put into `into`.
    pub fn give_up_tls(&mut self, into: &mut Buffer) {
        if let Some(session) = self.tls.take() {
            *into = session.into_incoming();
        }
    }

    /// Makes the TLS handshake; returns at once on a plain connection. The error of a refused handshake holds a
    /// [`rustls::Error`].
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(session) = &mut self.tls else { return Poll::Ready(Ok(())) };
        let mut socket = Counted { tcp: &self.tcp, bytes_in: &mut self.bytes_in, bytes_out: &mut self.bytes_out };
        session.poll_handshake(cx, &mut socket)
    }

    /// [`Stream::poll_handshake`] as a future.
    pub async fn handshake(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_handshake(cx)).await
    }

    /// Reads what has come into the room behind the buffer's data; 0 is the end of the stream. There must be room.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut Buffer) -> Poll<io::Result<usize>> {
        if self.tls.is_none() {
            // Before there is something to read, no memory is taken for it.
            ready!(self.tcp.poll_readable(cx));
        }
        let mut socket = Counted { tcp: &self.tcp, bytes_in: &mut self.bytes_in, bytes_out: &mut self.bytes_out };
        match &mut self.tls {
            None => socket.poll_fill(cx, into),
            Some(session) => session.poll_read(cx, &mut socket, into),
        }
    }

    /// [`Stream::poll_read`] as a future.
    pub async fn read(&mut self, into: &mut Buffer) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, into)).await
    }

    /// Takes all of `bytes` to be sent when the other tasks of this turn have run; false, and nothing taken, where
    /// [`Stream::poll_write`] is to be used. Should it fail, the next read or write says so, or
    /// [`Stream::take_unsent`].
    pub fn write_later(&mut self, bytes: &[u8]) -> bool {
        let is_taken = self.tls.is_none() && self.tcp.send_later(bytes);
        if is_taken {
            self.bytes_out += bytes.len() as u64;
        }
        is_taken
    }

    /// Why the bytes of [`Stream::write_later`] were not sent, and whether some of them were before.
    pub fn take_unsent(&mut self) -> Option<(io::Error, bool)> {
        self.tcp.take_unsent()
    }

    /// Takes some of `bytes` to be sent. Over TLS they may still be here: [`Stream::poll_flush`] sees them off.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut socket = Counted { tcp: &self.tcp, bytes_in: &mut self.bytes_in, bytes_out: &mut self.bytes_out };
        match &mut self.tls {
            None => socket.poll_send(cx, bytes),
            Some(session) => session.poll_write(cx, &mut socket, bytes),
        }
    }

    /// Sees off what TLS has encrypted and the socket has not taken yet.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = Counted { tcp: &self.tcp, bytes_in: &mut self.bytes_in, bytes_out: &mut self.bytes_out };
        match &mut self.tls {
            None => Poll::Ready(Ok(())),
            Some(session) => session.poll_flush(cx, &mut socket),
        }
    }

    /// Sends what is in the buffer and empties it as far as it came; ready when all is on the socket.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, from: &mut Buffer) -> Poll<io::Result<()>> {
        while !from.is_empty() {
            let n = ready!(self.poll_write(cx, from.data()))?;
            from.consume(n);
        }
        self.poll_flush(cx)
    }

    /// Sends all of `bytes`.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        poll_fn(|cx| {
            while !bytes.is_empty() {
                let n = ready!(self.poll_write(cx, bytes))?;
                bytes = &bytes[n..];
            }
            self.poll_flush(cx)
        })
        .await
    }

    /// Whether an idle connection is still fit for use: nothing has come since, no end and no stray bytes. Where
    /// nothing happened on the socket this asks the kernel nothing.
    pub fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        if self.tls.as_ref().is_some_and(|session| session.holds_plaintext()) {
            return false;
        }
        match self.tcp.poll_readable(&mut cx) {
            Poll::Pending => true,
            // Over TLS, what came may be no more than a session ticket: it has to be read to know.
            Poll::Ready(()) => {
                let mut buffer = Buffer::new();
                matches!(self.poll_read(&mut cx, &mut buffer), Poll::Pending)
            }
        }
    }

    /// Puts TLS's close_notify, where it applies, behind what was written; [`Stream::poll_close`] sends it.
    pub fn queue_close(&mut self) {
        if let Some(session) = &mut self.tls {
            session.queue_close();
        }
    }

    /// Sends what is left, then a FIN.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        ready!(self.tcp.poll_sent(cx))?;
        Poll::Ready(self.tcp.shutdown_write())
    }

    /// Says that nothing more will be sent: TLS's close_notify where it applies, then a FIN.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.queue_close();
        poll_fn(|cx| self.poll_close(cx)).await
    }
}

/// The socket with its byte counts, lent to a TLS session.
pub(crate) struct Counted<'a> {
    tcp: &'a Socket,
    bytes_in: &'a mut u64,
    bytes_out: &'a mut u64,
}

impl Counted<'_> {
    /// One read into the room behind the buffer's data.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, into: &mut Buffer) -> Poll<io::Result<usize>> {
        let n = ready!(self.tcp.poll_fill(cx, into))?;
        *self.bytes_in += n as u64;
        Poll::Ready(Ok(n))
    }

    /// One write.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(self.tcp.poll_send(cx, bytes))?;
        *self.bytes_out += n as u64;
        if n == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        Poll::Ready(Ok(n))
    }
}
