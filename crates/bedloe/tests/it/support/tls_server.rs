//! An upstream server over TLS, which answers each request with what it knows of the connection.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use lab::certificate::Certificate;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::balancer::PATIENCE;

/// A server, ended when dropped.
pub(crate) struct TlsServer {
    address: SocketAddr,
    is_ended: Arc<AtomicBool>,
}

impl TlsServer {
    /// A server with this certificate. It asks clients for one too, and takes that of `client`.
    pub(crate) fn start(own: &Certificate, client: &Certificate) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let is_ended = Arc::new(AtomicBool::new(false));
        let (config, ended) = (Arc::new(config(own, client)), Arc::clone(&is_ended));
        thread::spawn(move || {
            while let Ok((tcp, _)) = listener.accept() {
                if ended.load(Relaxed) {
                    return;
                }
                let config = Arc::clone(&config);
                // A connection that fails is the balancer's to tell of.
                thread::spawn(move || serve(tcp, config));
            }
        });
        Self { address, is_ended }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.is_ended.store(true, Relaxed);
        // Wakes the thread out of its accept.
        let _ = TcpStream::connect(self.address);
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")
}

fn config(own: &Certificate, client: &Certificate) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(der(&client.certificate)).expect("a root");
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build().expect("a verifier");
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("a key");
    let builder = ServerConfig::builder().with_client_cert_verifier(verifier);
    builder.with_single_cert(vec![der(&own.certificate)], key).expect("a configuration")
}

/// Answers requests; one with a body says its length in `X-Length`, and gets as much back.
fn serve(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    tcp.set_read_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, tcp);
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length =
            head.lines().find_map(|line| line.strip_prefix("X-Length: ")).map_or(0, |n| n.parse().unwrap_or(0));
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let mut said = about(&stream.conn).into_bytes();
        said.extend_from_slice(&body);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", said.len()).as_bytes())?;
        stream.write_all(&said)?;
        stream.flush()?;
    }
}

fn about(connection: &ServerConnection) -> String {
    let name = connection.server_name().unwrap_or("-");
    let is_resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
    let client = if connection.peer_certificates().is_some() { "known" } else { "unknown" };
    let version = connection.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
    format!("name={name} {} {client} {version}.", if is_resumed { "resumed" } else { "full" })
}
