//! The server's side of TLS: what a listener offers, and the choice among its configurations by the name asked for.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{Acceptor, ResolvesServerCert};
use rustls::{CipherSuite, NamedGroup};

use super::clients::{Asking, ClientAuthorities};
use super::config::{provider, versions};
use super::hello::Hello;
use super::sessions::{Mark, NoTickets, Sessions};

/// What a server offers.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
    /// Protocols for ALPN, the preferred one first.
    pub alpn: Vec<Vec<u8>>,
    /// Suites of TLS 1.2 and of 1.3, in order; `None` is all there are.
    pub suites12: Option<Vec<CipherSuite>>,
    /// Those of TLS 1.3.
    pub suites13: Option<Vec<CipherSuite>>,
    /// Whether their order comes before the client's.
    pub prefers_own_order: bool,
    /// Groups for the key exchange, in order; `None` is all there are.
    pub groups: Option<Vec<NamedGroup>>,
    /// Whether clients are given tickets.
    pub tickets: bool,
    /// Whom certificates of clients are asked for, if they are.
    pub clients: Option<Arc<ClientAuthorities>>,
    /// How long a session may be resumed.
    pub session_timeout_ms: u64,
    /// What sessions are bound to: those made under another context are not resumed.
    pub session_context: Vec<u8>,
}

/// A server's configuration; `certificates` picks the certificate by the name asked for.
///
/// # Errors
/// When no protocol, suite or group is left.
pub fn server_config(
    options: &ServerOptions,
    sessions: &Sessions,
    certificates: Arc<dyn ResolvesServerCert>,
) -> Result<rustls::ServerConfig, rustls::Error> {
    let versions = versions(options.tls12, options.tls13);
    let builder = rustls::ServerConfig::builder_with_provider(chosen_provider(options));
    let builder = builder.with_protocol_versions(&versions)?;
    let builder = match &options.clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(Arc::new(Asking(Arc::clone(clients)))),
    };
    let mut config = builder.with_cert_resolver(certificates);
    config.alpn_protocols.clone_from(&options.alpn);
    config.ignore_client_order = options.prefers_own_order;
    let mark = Mark { lifetime_s: options.session_timeout_ms / 1000, context: options.session_context.clone() };
    config.ticketer = if options.tickets { sessions.tickets(&mark) } else { Arc::new(NoTickets) };
    config.session_storage = sessions.cache(&mark);
    Ok(config)
}

/// The suites and groups that are chosen, of those there are.
fn chosen_provider(options: &ServerOptions) -> Arc<CryptoProvider> {
    let all = provider();
    if options.suites12.is_none() && options.suites13.is_none() && options.groups.is_none() {
        return all;
    }
    let mut chosen = CryptoProvider::clone(&all);
    let (suites13, suites12): (Vec<_>, Vec<_>) =
        all.cipher_suites.iter().copied().partition(|suite| suite.tls13().is_some());
    let in_order = |all: Vec<rustls::SupportedCipherSuite>, wanted: &Option<Vec<CipherSuite>>| match wanted {
        None => all,
        Some(wanted) => {
            wanted.iter().filter_map(|wanted| all.iter().copied().find(|suite| suite.suite() == *wanted)).collect()
        }
    };
    chosen.cipher_suites = in_order(suites13, &options.suites13);
    chosen.cipher_suites.extend(in_order(suites12, &options.suites12));
    if let Some(groups) = &options.groups {
        let found = groups.iter().filter_map(|name| all.kx_groups.iter().copied().find(|group| group.name() == *name));
        chosen.kx_groups = found.collect();
    }
    Arc::new(chosen)
}

/// The choice of a configuration by the name that a client asks for.
pub trait ByName: fmt::Debug + Send + Sync {
    /// The configuration for a name; `None` rejects the client.
    fn config(&self, name: Option<&str>) -> Option<Arc<rustls::ServerConfig>>;

    /// Whether what the client has offered is kept.
    fn keeps_hello(&self) -> bool;
}

/// What a listener's clients are met with.
#[derive(Debug, Clone)]
pub struct ServerTls {
    pub(super) default: Arc<rustls::ServerConfig>,
    pub(super) by_name: Option<Arc<dyn ByName>>,
}

impl ServerTls {
    /// One configuration for all, who need not be asked for a name beforehand.
    pub fn for_all(config: Arc<rustls::ServerConfig>) -> Self {
        Self { default: config, by_name: None }
    }

    /// One by the name; `default` meets those whose hello is none.
    pub fn by_name(default: Arc<rustls::ServerConfig>, by_name: Arc<dyn ByName>) -> Self {
        Self { default, by_name: Some(by_name) }
    }
}

/// How often a hello is looked at that has not come whole: each look reads it from its beginning.
const LOOKS: u8 = 16;

/// A hello that is waited for, to know the name that it asks for.
#[derive(Debug)]
pub(super) struct Choosing {
    by_name: Arc<dyn ByName>,
    looks: u8,
}

/// What a look at a hello came to.
pub(super) enum Look {
    /// It is not whole.
    Wait,
    /// It is none: the session itself says what is wrong.
    Malformed,
    /// It comes in more pieces than any client sends.
    TooManyPieces,
    Reject,
    Chosen(Arc<rustls::ServerConfig>, Option<String>, Option<Box<Hello>>),
}

impl Choosing {
    pub(super) fn new(by_name: &Arc<dyn ByName>) -> Self {
        Self { by_name: Arc::clone(by_name), looks: 0 }
    }

    /// Looks at what has come.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Look {
        if !ends_with_a_record(bytes) {
            return Look::Wait;
        }
        self.looks += 1;
        if self.looks > LOOKS {
            return Look::TooManyPieces;
        }
        let mut acceptor = Acceptor::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            if !matches!(acceptor.read_tls(&mut rest), Ok(1..)) {
                return Look::Malformed;
            }
        }
        match acceptor.accept() {
            Ok(None) => Look::Wait,
            Err(_) => Look::Malformed,
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let name = hello.server_name().map(str::to_ascii_lowercase);
                let kept = self.by_name.keeps_hello().then(|| Box::new(Hello::of(&hello)));
                match self.by_name.config(name.as_deref()) {
                    Some(config) => Look::Chosen(config, name, kept),
                    None => Look::Reject,
                }
            }
        }
    }
}

/// Whether no record is cut off (RFC 8446 5.1): what comes in between is not worth a look.
fn ends_with_a_record(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(header) = rest.first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        match rest.get(5 + length..) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    rest.is_empty() && !bytes.is_empty()
}

#[test]
fn records_are_looked_at_when_they_are_whole() {
    let table: [(&[u8], bool); 6] = [
        (b"", false),
        (b"\x16\x03\x01\x00", false),
        (b"\x16\x03\x01\x00\x02a", false),
        (b"\x16\x03\x01\x00\x02ab", true),
        (b"\x16\x03\x01\x00\x02ab\x16", false),
        (b"\x16\x03\x01\x00\x02ab\x16\x03\x01\x00\x01c", true),
    ];
    for (bytes, expected) in table {
        assert_eq!(ends_with_a_record(bytes), expected, "{}", bytes.escape_ascii());
    }
}
