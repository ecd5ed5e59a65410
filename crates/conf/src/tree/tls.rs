//! TLS to clients: what a server shows, and what it takes.

use std::path::PathBuf;

use crate::span::Place;

/// `ssl_*` of a server.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Its certificates; none where it rejects all handshakes.
    pub certificates: Vec<Certificate>,
    /// Whether TLS 1.2 is offered.
    pub tls12: bool,
    /// Whether TLS 1.3 is offered.
    pub tls13: bool,
    /// `ssl_ciphers`: suites of TLS 1.2, in order; `None` is all there are.
    pub ciphers: Option<Vec<Cipher>>,
    /// `ssl_conf_command Ciphersuites`: suites of TLS 1.3, likewise.
    pub ciphers13: Option<Vec<Cipher>>,
    /// `ssl_prefer_server_ciphers`.
    pub prefers_own_ciphers: bool,
    /// `ssl_ecdh_curve`; `None` is `auto`.
    pub curves: Option<Vec<Curve>>,
    /// `ssl_session_timeout`.
    pub session_timeout_ms: u64,
    /// Sessions that `ssl_session_cache` has room for; 0 is `off` or `none`. nginx counts 4,000 a MiB.
    pub session_cache: usize,
    /// `ssl_session_tickets`.
    pub session_tickets: bool,
    /// `ssl_session_ticket_key`s, the first for new tickets.
    pub ticket_keys: Vec<PathBuf>,
    /// `ssl_stapling_file`, where `ssl_stapling` is on.
    pub stapling_file: Option<PathBuf>,
    /// `ssl_reject_handshake`.
    pub rejects: bool,
    /// What is asked of clients.
    pub clients: ClientAuth,
}

/// Certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientAuth {
    /// `ssl_verify_client`.
    pub verify: VerifyClient,
    /// `ssl_verify_depth`.
    pub depth: u32,
    /// `ssl_client_certificate`: authorities that clients are told of.
    pub authorities: Option<PathBuf>,
    /// `ssl_trusted_certificate`: authorities that they are not told of.
    pub trusted: Option<PathBuf>,
    /// `ssl_crl`.
    pub revoked: Option<PathBuf>,
}

/// The words of `ssl_verify_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerifyClient {
    /// Clients are not asked.
    Off,
    /// They must show a certificate that an authority stands for.
    On,
    /// One that is shown must be such a one.
    Optional,
    /// The same, but for the authority: who it is is not asked.
    OptionalNoCa,
}

/// `ssl_certificate` with its `ssl_certificate_key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// A PEM file with the chain.
    pub certificate: PathBuf,
    /// A PEM file with the key.
    pub key: PathBuf,
    /// `ssl_password_file`: passwords for a key that is encrypted.
    pub passwords: Option<PathBuf>,
    /// Where the certificate was written.
    pub place: Place,
}

/// A cipher suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the documentation: they are OpenSSL's")]
pub enum Cipher {
    EcdsaAes256,
    RsaAes256,
    EcdsaChacha20,
    RsaChacha20,
    EcdsaAes128,
    RsaAes128,
    Tls13Aes256,
    Tls13Chacha20,
    Tls13Aes128,
}

/// A group for the key exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Curve {
    X25519,
    P256,
    P384,
    X25519MlKem768,
}
