//! One TLS session between a socket and the plain bytes on our side of it.
//!
//! rustls keeps no buffers here (its unbuffered interface): ciphertext lies in pooled [`Buffer`]s that are given back
//! whenever they are empty, so an idle session owns its keys and little more.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::CommonState;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

use super::hello::Hello;
use super::server::{Choosing, Look, ServerTls};
use crate::buffer::{Buffer, LARGEST};
use crate::stream::Counted;

/// Plain bytes encrypted in one go: a full TLS record (RFC 8446 5.1).
const RECORD: usize = 16 * 1024;
/// Room a record needs beside its content: header, nonce, tag and padding of any suite we offer.
const RECORD_OVERHEAD: usize = 64;
/// A fatal alert, in the clear: nobody here has the name (RFC 6066 3).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

enum Connection {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// One TLS session.
pub struct Session {
    connection: Connection,
    /// Ciphertext that came and is not decrypted yet.
    incoming: Buffer,
    /// Ciphertext the socket has not taken yet.
    outgoing: Buffer,
    /// Decrypted bytes that the caller's buffer had no room for.
    overflow: Buffer,
    is_handshake_done: bool,
    is_peer_done: bool,
    /// The client's hello is waited for, which decides on the configuration.
    choosing: Option<Choosing>,
    server_name: Option<String>,
    hello: Option<Box<Hello>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("protocol", &self.protocol()).finish_non_exhaustive()
    }
}

/// The error of a handshake whose client speaks HTTP without TLS.
#[derive(Debug, thiserror::Error)]
#[error("plain HTTP on a port for TLS")]
pub struct PlainHttp;

/// What a turn of the state machine came to.
enum Turn {
    /// It wants more ciphertext, or has nothing to do.
    Blocked,
    /// It made progress; call again.
    Again,
    /// Application data may flow.
    Established,
    /// The peer said that it will send no more.
    PeerClosed,
}

impl Session {
    /// The server's side.
    pub fn server(tls: &ServerTls) -> Result<Self, rustls::Error> {
        let connection = UnbufferedServerConnection::new(Arc::clone(&tls.default))?;
        let choosing = tls.by_name.as_ref().map(Choosing::new);
        Ok(Self { choosing, ..Self::new(Connection::Server(connection)) })
    }

    /// The client's side.
    pub fn client(config: Arc<rustls::ClientConfig>, name: ServerName<'static>) -> Result<Self, rustls::Error> {
        UnbufferedClientConnection::new(config, name).map(|connection| Self::new(Connection::Client(connection)))
    }

    fn new(connection: Connection) -> Self {
        Self {
            connection,
            incoming: Buffer::new(),
            outgoing: Buffer::new(),
            overflow: Buffer::new(),
            is_handshake_done: false,
            is_peer_done: false,
            choosing: None,
            server_name: None,
            hello: None,
        }
    }

    /// The protocol agreed on by ALPN.
    pub fn alpn(&self) -> Option<&[u8]> {
        match &self.connection {
            Connection::Server(connection) => connection.alpn_protocol(),
            Connection::Client(connection) => connection.alpn_protocol(),
        }
    }

    /// The name that the client has asked for, in lower case; known only where it decides on the configuration.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// What the client has offered, where that is kept.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_deref()
    }

    /// What the peer has shown of certificates, its own first; nothing where it has shown none.
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        self.state().peer_certificates().unwrap_or_default()
    }

    /// The protocol version, as nginx names it in `$ssl_protocol`.
    pub fn protocol(&self) -> Option<&'static str> {
        let version = match &self.connection {
            Connection::Server(connection) => connection.protocol_version(),
            Connection::Client(connection) => connection.protocol_version(),
        };
        match version? {
            rustls::ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            rustls::ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        }
    }

    /// The cipher suite, as OpenSSL names it.
    pub fn cipher(&self) -> Option<&'static str> {
        use rustls::CipherSuite as Suite;
        match self.state().negotiated_cipher_suite()?.suite() {
            Suite::TLS13_AES_256_GCM_SHA384 => Some("TLS_AES_256_GCM_SHA384"),
            Suite::TLS13_AES_128_GCM_SHA256 => Some("TLS_AES_128_GCM_SHA256"),
            Suite::TLS13_CHACHA20_POLY1305_SHA256 => Some("TLS_CHACHA20_POLY1305_SHA256"),
            Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => Some("ECDHE-ECDSA-AES256-GCM-SHA384"),
            Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => Some("ECDHE-ECDSA-AES128-GCM-SHA256"),
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => Some("ECDHE-ECDSA-CHACHA20-POLY1305"),
            Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => Some("ECDHE-RSA-AES256-GCM-SHA384"),
            Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => Some("ECDHE-RSA-AES128-GCM-SHA256"),
            Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => Some("ECDHE-RSA-CHACHA20-POLY1305"),
            _ => None,
        }
    }

    /// The group of the key exchange, as OpenSSL names it; none where a session of TLS 1.2 was resumed.
    pub fn curve(&self) -> Option<&'static str> {
        match self.state().negotiated_key_exchange_group()?.name() {
            rustls::NamedGroup::X25519 => Some("X25519"),
            rustls::NamedGroup::secp256r1 => Some("prime256v1"),
            rustls::NamedGroup::secp384r1 => Some("secp384r1"),
            rustls::NamedGroup::X25519MLKEM768 => Some("X25519MLKEM768"),
            _ => None,
        }
    }

    /// Whether it goes on from an earlier one.
    pub fn is_resumed(&self) -> bool {
        self.state().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    fn state(&self) -> &CommonState {
        match &self.connection {
            Connection::Server(connection) => connection,
            Connection::Client(connection) => connection,
        }
    }

    /// Whether decrypted bytes wait to be read.
    pub(crate) fn holds_plaintext(&self) -> bool {
        !self.overflow.is_empty()
    }

    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>, socket: &mut Counted<'_>) -> Poll<io::Result<()>> {
        // What came before TLS was begun.
        if !self.is_handshake_done && self.is_plain_http() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, PlainHttp)));
        }
        while !self.is_handshake_done {
            ready!(self.poll_choose(cx, socket))?;
            let turn = self.turn(None);
            if turn.is_err() {
                // The alert that says why is on its way out; whether it arrives is not ours to wait for.
                let _ = self.poll_flush(cx, socket);
            }
            match turn? {
                Turn::Again => {}
                Turn::Established => self.is_handshake_done = true,
                Turn::PeerClosed => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Turn::Blocked => {
                    ready!(self.poll_flush(cx, socket))?;
                    ready!(self.poll_more(cx, socket))?;
                }
            }
        }
        // The last flight (a server's session tickets, a client's Finished) must not wait for the first answer.
        self.poll_flush(cx, socket)
    }

    /// Waits for the client's hello, and takes the configuration for the name that it asks for.
    fn poll_choose(&mut self, cx: &mut Context<'_>, socket: &mut Counted<'_>) -> Poll<io::Result<()>> {
        while let Some(choosing) = &mut self.choosing {
            let refused = match choosing.look(self.incoming.data()) {
                Look::Wait => {
                    ready!(self.poll_more(cx, socket))?;
                    continue;
                }
                Look::Chosen(config, name, hello) => {
                    self.hello = hello;
                    let connection = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
                    (self.connection, self.server_name) = (Connection::Server(connection), name);
                    None
                }
                Look::Malformed => None,
                Look::Reject => Some(rustls::Error::General("the server of this name rejects handshakes".to_owned())),
                Look::TooManyPieces => Some(rustls::Error::General("a ClientHello in too many pieces".to_owned())),
            };
            self.choosing = None;
            if let Some(error) = refused {
                self.outgoing.append(&UNRECOGNIZED_NAME);
                // Whether it arrives is not ours to wait for.
                let _ = self.poll_flush(cx, socket);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads on in a handshake.
    fn poll_more(&mut self, cx: &mut Context<'_>, socket: &mut Counted<'_>) -> Poll<io::Result<()>> {
        if ready!(self.poll_fill(cx, socket))? == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if self.is_plain_http() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, PlainHttp)));
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut Counted<'_>,
        into: &mut Buffer,
    ) -> Poll<io::Result<usize>> {
        let before = into.len();
        loop {
            if !self.overflow.is_empty() {
                let n = into.append(self.overflow.data());
                self.overflow.consume(n);
                self.overflow.release_if_empty();
            }
            // What is there in full is decrypted before more is asked of the socket.
            while self.overflow.is_empty() && !self.is_peer_done {
                match self.turn(Some(&mut *into))? {
                    Turn::Again => {}
                    Turn::PeerClosed => self.is_peer_done = true,
                    Turn::Blocked | Turn::Established => break,
                }
            }
            if into.len() > before || self.is_peer_done {
                self.incoming.release_if_empty();
                return Poll::Ready(Ok(into.len() - before));
            }
            // An answer to a key update, or an alert; it must not hold up reading.
            if self.poll_flush(cx, socket)?.is_pending() && self.outgoing.len() > LARGEST / 2 {
                return Poll::Pending;
            }
            match self.poll_fill(cx, socket) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.incoming.release_if_empty();
                    return Poll::Pending;
                }
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut Counted<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx, socket))?;
        let n = bytes.len().min(RECORD);
        self.encrypt(&bytes[..n])?;
        // As far as it goes at once; the rest is for the next write or flush.
        let _ = self.poll_flush(cx, socket)?;
        Poll::Ready(Ok(n))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>, socket: &mut Counted<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let n = ready!(socket.poll_send(cx, self.outgoing.data()))?;
            self.outgoing.consume(n);
        }
        self.outgoing.release_if_empty();
        Poll::Ready(Ok(()))
    }

    /// Puts a close_notify behind what is still to be sent.
    pub(crate) fn queue_close(&mut self) {
        let Self { connection, outgoing, .. } = self;
        let Some(room) = outgoing.reserve(RECORD_OVERHEAD) else { return };
        let queued = match connection {
            Connection::Server(connection) => match connection.process_tls_records(&mut []).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.queue_close_notify(room).ok(),
                _ => None,
            },
            Connection::Client(connection) => match connection.process_tls_records(&mut []).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.queue_close_notify(room).ok(),
                _ => None,
            },
        };
        outgoing.filled(queued.unwrap_or(0));
    }

    /// Whether a client has sent a method where a TLS record should start (its first byte is 22, RFC 8446 5.1).
    fn is_plain_http(&self) -> bool {
        matches!(self.connection, Connection::Server(_))
            && self.incoming.data().first().is_some_and(u8::is_ascii_uppercase)
    }

    /// The same with ciphertext that came before it was begun.
    pub(crate) fn with_incoming(self, incoming: Buffer) -> Self {
        Self { incoming, ..self }
    }

    /// What came and was not understood.
    pub(crate) fn into_incoming(self) -> Buffer {
        self.incoming
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, socket: &mut Counted<'_>) -> Poll<io::Result<usize>> {
        // A record, or a handshake message of several, must lie in one piece.
        if self.incoming.reserve(1).is_none() {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "TLS handshake message over its limit",
            )));
        }
        socket.poll_fill(cx, &mut self.incoming)
    }

    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            let Self { connection, outgoing, .. } = self;
            let done = match connection {
                Connection::Server(connection) => encrypt_one(connection.process_tls_records(&mut []), bytes, outgoing),
                Connection::Client(connection) => encrypt_one(connection.process_tls_records(&mut []), bytes, outgoing),
            }?;
            if done {
                return Ok(());
            }
            // Something of TLS's own has to go first.
            if matches!(self.turn(None)?, Turn::Blocked) {
                return Err(io::ErrorKind::NotConnected.into());
            }
        }
    }

    /// One step of rustls's state machine. Application data goes to `into`, and to the overflow behind it.
    fn turn(&mut self, into: Option<&mut Buffer>) -> io::Result<Turn> {
        let Self { connection, incoming, outgoing, overflow, .. } = self;
        let (discard, turn) = match connection {
            Connection::Server(connection) => {
                step(connection.process_tls_records(incoming.data_mut()), outgoing, overflow, into)
            }
            Connection::Client(connection) => {
                step(connection.process_tls_records(incoming.data_mut()), outgoing, overflow, into)
            }
        };
        incoming.consume(discard);
        turn
    }
}

fn step<Data>(
    UnbufferedStatus { mut discard, state, .. }: UnbufferedStatus<'_, '_, Data>,
    outgoing: &mut Buffer,
    overflow: &mut Buffer,
    mut into: Option<&mut Buffer>,
) -> (usize, io::Result<Turn>) {
    let turn = match state {
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        Ok(ConnectionState::BlockedHandshake) => Ok(Turn::Blocked),
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Turn::Established),
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Ok(Turn::PeerClosed),
        Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, outgoing),
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // What was encoded lies in `outgoing`, which is sent in order: as good as transmitted.
            data.done();
            Ok(Turn::Again)
        }
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut turn = Ok(Turn::Again);
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        store(record.payload, overflow, into.as_deref_mut());
                    }
                    Err(error) => turn = Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                }
            }
            turn
        }
        // Early data is never offered by our configurations.
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "unexpected state of the TLS session")),
    };
    (discard, turn)
}

fn encode<Data>(data: &mut rustls::unbuffered::EncodeTlsData<'_, Data>, outgoing: &mut Buffer) -> io::Result<Turn> {
    let needed = match data.encode(outgoing.spare()) {
        Ok(n) => {
            outgoing.filled(n);
            return Ok(Turn::Again);
        }
        Err(EncodeError::InsufficientSize(more)) => more.required_size,
        Err(error) => return Err(io::Error::other(error)),
    };
    let room = outgoing.reserve(needed).ok_or_else(|| io::Error::other("TLS handshake flight over its limit"))?;
    let n = data.encode(room).map_err(io::Error::other)?;
    outgoing.filled(n);
    Ok(Turn::Again)
}

/// Into the caller's buffer, and what does not fit there into the overflow (a record at most, so it always fits).
fn store(payload: &[u8], overflow: &mut Buffer, into: Option<&mut Buffer>) {
    let n = if overflow.is_empty() { into.map_or(0, |into| into.append(payload)) } else { 0 };
    let rest = &payload[n..];
    if !rest.is_empty()
        && let Some(room) = overflow.reserve(rest.len())
    {
        room[..rest.len()].copy_from_slice(rest);
        overflow.filled(rest.len());
    }
}

/// Encrypts `bytes` behind what is in `outgoing`; false when TLS has something of its own to do first.
fn encrypt_one<Data>(status: UnbufferedStatus<'_, '_, Data>, bytes: &[u8], outgoing: &mut Buffer) -> io::Result<bool> {
    let state = status.state.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let ConnectionState::WriteTraffic(mut traffic) = state else { return Ok(false) };
    let room = outgoing
        .reserve(bytes.len() + RECORD_OVERHEAD)
        .ok_or_else(|| io::Error::other("no room for a TLS record: flush first"))?;
    match traffic.encrypt(bytes, room) {
        Ok(n) => {
            outgoing.filled(n);
            Ok(true)
        }
        Err(EncryptError::EncryptExhausted) => Err(io::Error::other("the TLS session's keys are used up")),
        Err(error) => Err(io::Error::other(error)),
    }
}
