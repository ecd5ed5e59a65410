//! TLS to clients, made ready: what each listener offers, and which of its servers' certificates and settings a name
//! leads to.
//!
//! As in nginx, protocols, groups and sessions are those of the address's default server, for they are agreed on before
//! the name is known; certificates, suites and tickets are those of the server that has the name.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use conf::tree::{self, Cipher, Curve};
use net::tls::{self, Identity, ServerOptions, ServerTls, Sessions, TicketKey};
use route::{Patterns, Router, Scratch, ServerNames};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::{CipherSuite, NamedGroup, SignatureAlgorithm};

use super::{ClientCheck, Read, Snapshot, SnapshotError, clients, read_file, read_pair};

/// TLS of a listener.
#[derive(Debug, Clone)]
pub(crate) struct ListenerTls {
    pub(crate) server: ServerTls,
    sessions: Sessions,
    /// What its servers ask of clients.
    names: Names,
    checks: HashMap<usize, Option<Arc<ClientCheck>>>,
    default_check: Option<Arc<ClientCheck>>,
}

impl ListenerTls {
    /// What was asked of a client that asked for this name.
    pub(crate) fn check(&self, name: Option<&str>) -> Option<&Arc<ClientCheck>> {
        let named = self.names.server(name).and_then(|server| self.checks.get(&server));
        named.unwrap_or(&self.default_check).as_ref()
    }
}

/// What each server asks of clients, by its index.
pub(super) fn client_checks(router: &Router, read: &mut Read<'_>) -> Result<Checks, SnapshotError> {
    let mut made = clients::Made::new();
    let of_server = |server: &route::Server| match &server.tls {
        Some(tls) => clients::check(&tls.clients, &mut made, read),
        None => Ok(None),
    };
    router.servers().iter().map(of_server).collect()
}

/// By the index of the server.
pub(super) type Checks = Vec<Option<Arc<ClientCheck>>>;

/// Certificates that were read, by their files: the chain, the key and what is stapled.
type Identities = HashMap<(PathBuf, PathBuf, Option<PathBuf>), Arc<Identity>>;

/// TLS of all listeners, with the sessions of the snapshot before.
pub(super) fn listeners(
    router: &Router,
    checks: &Checks,
    previous: Option<&Snapshot>,
    read: &mut Read<'_>,
) -> Result<Vec<Option<ListenerTls>>, SnapshotError> {
    let mut identities = HashMap::new();
    let mut of_listener = |listener: &route::Listener| {
        if !listener.ssl {
            return Ok(None);
        }
        // Clients resume the sessions that they had with the listener before the reload.
        let before = previous.and_then(|before| {
            let same = before.router.listeners().iter().position(|other| other.address == listener.address)?;
            before.tls[same].as_ref()
        });
        listener_tls((router, listener), checks, before, &mut identities, read).map(Some)
    };
    router.listeners().iter().map(&mut of_listener).collect()
}

fn listener_tls(
    (router, listener): (&Router, &route::Listener),
    checks: &Checks,
    before: Option<&ListenerTls>,
    identities: &mut Identities,
    read: &mut Read<'_>,
) -> Result<ListenerTls, SnapshotError> {
    let failed = |error| SnapshotError::Tls { listener: listener.address.clone(), error };
    let servers = || listener.servers.iter().map(|&index| &router.servers()[index]);
    let Some(default) = router.servers()[listener.default].tls.as_ref() else {
        return Err(failed(rustls::Error::General("the default server has no certificate".to_owned())));
    };
    let mut shown = Shown { tls13: default.tls13, by_server: HashMap::new(), default: Vec::new() };
    for server in servers() {
        let Some(tls) = &server.tls else { continue };
        let own = tls.certificates.iter().map(|pair| identity(pair, tls.stapling_file.as_ref(), identities, read));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        if server.index == listener.default {
            shown.default.clone_from(&own);
        }
        shown.by_server.insert(server.index, own);
    }
    let names = Names { names: Arc::clone(&listener.names), patterns: router.patterns().clone() };
    let certificates = Arc::new(ShownByName { names: names.clone(), shown });
    let sessions = match before {
        Some(before) => before.sessions.with_size(default.session_cache),
        None => Sessions::new(default.session_cache).map_err(failed)?,
    };
    let sessions = sessions.with_ticket_keys(ticket_keys(default, read)?);
    let make = |own: &tree::Tls, check: Option<&Arc<ClientCheck>>| {
        let options = options(default, own, check, listener.http2);
        let certificates: Arc<dyn ResolvesServerCert> = certificates.clone();
        tls::server_config(&options, &sessions, certificates).map(Arc::new).map_err(failed)
    };
    let default_check = checks[listener.default].clone();
    let for_all = make(default, default_check.as_ref())?;
    let mut made: Vec<(Key, Arc<rustls::ServerConfig>)> =
        vec![(Key::of(default, default_check.as_ref()), Arc::clone(&for_all))];
    let mut configs = HashMap::new();
    for server in servers() {
        let Some(tls) = &server.tls else { continue };
        let check = checks[server.index].as_ref();
        let key = Key::of(tls, check);
        let config = match made.iter().find(|(known, _)| *known == key) {
            Some((_, config)) => Arc::clone(config),
            None => {
                let config = make(tls, check)?;
                made.push((key, Arc::clone(&config)));
                config
            }
        };
        configs.insert(server.index, Some(config).filter(|_| !tls.rejects));
    }
    let is_one_for_all = made.len() == 1 && servers().all(|server| server.tls.as_ref().is_none_or(|tls| !tls.rejects));
    let of_listener: HashMap<_, _> = servers().map(|server| (server.index, checks[server.index].clone())).collect();
    let asks = of_listener.values().any(Option::is_some);
    let keeps = router.keeps();
    let server = if is_one_for_all && !asks && !keeps.server_name && !keeps.hello {
        ServerTls::for_all(for_all)
    } else {
        let default = Some(Arc::clone(&for_all)).filter(|_| !default.rejects);
        ServerTls::by_name(
            for_all,
            Arc::new(ConfigByName { names: names.clone(), configs, default, keeps_hello: keeps.hello }),
        )
    };
    Ok(ListenerTls { server, sessions, names, checks: of_listener, default_check })
}

/// Keys of tickets that the configuration names.
fn ticket_keys(tls: &tree::Tls, read: &mut Read<'_>) -> Result<Vec<TicketKey>, SnapshotError> {
    let key =
        |path: &PathBuf| TicketKey::read(&read_file(path, read)?).ok_or_else(|| SnapshotError::TicketKey(path.clone()));
    tls.ticket_keys.iter().map(key).collect()
}

/// What of a server's settings makes a configuration of its own.
#[derive(PartialEq, Eq)]
struct Key {
    ciphers: Option<Vec<Cipher>>,
    ciphers13: Option<Vec<Cipher>>,
    prefers_own_ciphers: bool,
    session_tickets: bool,
    check: Option<Vec<u8>>,
}

impl Key {
    fn of(tls: &tree::Tls, check: Option<&Arc<ClientCheck>>) -> Self {
        Self {
            ciphers: tls.ciphers.clone(),
            ciphers13: tls.ciphers13.clone(),
            prefers_own_ciphers: tls.prefers_own_ciphers,
            session_tickets: tls.session_tickets,
            check: check.map(|check| check.mark.clone()),
        }
    }
}

fn options(default: &tree::Tls, own: &tree::Tls, check: Option<&Arc<ClientCheck>>, http2: bool) -> ServerOptions {
    let suites = |ciphers: &Option<Vec<Cipher>>| Some(ciphers.as_ref()?.iter().map(|cipher| suite(*cipher)).collect());
    let group = |curve: &Curve| match curve {
        Curve::X25519 => NamedGroup::X25519,
        Curve::P256 => NamedGroup::secp256r1,
        Curve::P384 => NamedGroup::secp384r1,
        Curve::X25519MlKem768 => NamedGroup::X25519MLKEM768,
    };
    ServerOptions {
        tls12: default.tls12,
        tls13: default.tls13,
        alpn: if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] },
        suites12: suites(&own.ciphers),
        suites13: suites(&own.ciphers13),
        prefers_own_order: own.prefers_own_ciphers,
        groups: default.curves.as_ref().map(|curves| curves.iter().map(group).collect()),
        tickets: own.session_tickets,
        session_timeout_ms: default.session_timeout_ms,
        clients: check.map(|check| Arc::clone(&check.authorities)),
        // A session counts for those who have asked for the same.
        session_context: check.map(|check| check.mark.clone()).unwrap_or_default(),
    }
}

pub(super) fn suite(cipher: Cipher) -> CipherSuite {
    match cipher {
        Cipher::EcdsaAes256 => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Cipher::RsaAes256 => CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Cipher::EcdsaChacha20 => CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        Cipher::RsaChacha20 => CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        Cipher::EcdsaAes128 => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Cipher::RsaAes128 => CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Cipher::Tls13Aes256 => CipherSuite::TLS13_AES_256_GCM_SHA384,
        Cipher::Tls13Chacha20 => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        Cipher::Tls13Aes128 => CipherSuite::TLS13_AES_128_GCM_SHA256,
    }
}

fn identity(
    pair: &tree::Certificate,
    stapling_file: Option<&PathBuf>,
    identities: &mut Identities,
    read: &mut Read<'_>,
) -> Result<Arc<Identity>, SnapshotError> {
    let files = (pair.certificate.clone(), pair.key.clone(), stapling_file.cloned());
    if let Some(known) = identities.get(&files) {
        return Ok(Arc::clone(known));
    }
    let mut identity = read_pair(&pair.certificate, &pair.key, pair.passwords.as_deref(), read)?;
    if let Some(path) = stapling_file {
        let answer = read_file(path, read)?;
        // Of its DER a sequence is all that is looked at: clients judge the rest.
        if answer.first() != Some(&0x30) {
            return Err(SnapshotError::Stapling(path.clone()));
        }
        identity.ocsp = Some(answer);
    }
    Ok(Arc::clone(identities.entry(files).or_insert(Arc::new(identity))))
}

/// The servers of a listener by their names.
#[derive(Debug, Clone)]
struct Names {
    names: Arc<ServerNames>,
    patterns: Patterns,
}

impl Names {
    fn server(&self, name: Option<&str>) -> Option<usize> {
        self.names.find(name?.as_bytes(), &self.patterns, &mut Scratch::default())
    }
}

/// The configuration by the name asked for, else the default server's; none is for a server that rejects handshakes.
#[derive(Debug)]
struct ConfigByName {
    names: Names,
    configs: HashMap<usize, Option<Arc<rustls::ServerConfig>>>,
    default: Option<Arc<rustls::ServerConfig>>,
    /// A variable somewhere speaks of what clients have offered.
    keeps_hello: bool,
}

impl tls::ByName for ConfigByName {
    fn config(&self, name: Option<&str>) -> Option<Arc<rustls::ServerConfig>> {
        let named = self.names.server(name).and_then(|server| self.configs.get(&server));
        named.unwrap_or(&self.default).clone()
    }

    fn keeps_hello(&self) -> bool {
        self.keeps_hello
    }
}

/// The certificates of a listener's servers.
#[derive(Debug)]
struct Shown {
    /// Whether TLS 1.3 is offered, whose suites say nothing of the kind of certificate.
    tls13: bool,
    by_server: HashMap<usize, Vec<Arc<Identity>>>,
    default: Vec<Arc<Identity>>,
}

/// A certificate by the name asked for, else one of the default server's.
#[derive(Debug)]
struct ShownByName {
    names: Names,
    shown: Shown,
}

impl ResolvesServerCert for ShownByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<Identity>> {
        let named = self.names.server(hello.server_name()).and_then(|server| self.shown.by_server.get(&server));
        self.shown.best(named.filter(|own| !own.is_empty()).unwrap_or(&self.shown.default), &hello).cloned()
    }
}

impl Shown {
    /// Of certificates for keys of several kinds that whose signatures the client likes best.
    fn best<'a>(&self, all: &'a [Arc<Identity>], hello: &ClientHello<'_>) -> Option<&'a Arc<Identity>> {
        if all.len() < 2 {
            return all.first();
        }
        let schemes = hello.signature_schemes();
        let rank = |identity: &&Arc<Identity>| {
            let position = schemes.iter().position(|scheme| identity.key.choose_scheme(&[*scheme]).is_some());
            position.filter(|_| self.has_suite(identity.key.algorithm(), hello)).unwrap_or(usize::MAX)
        };
        all.iter().min_by_key(rank)
    }

    /// Whether the client has a suite for such a key.
    fn has_suite(&self, algorithm: SignatureAlgorithm, hello: &ClientHello<'_>) -> bool {
        hello.cipher_suites().iter().any(|suite| match suite {
            CipherSuite::TLS13_AES_256_GCM_SHA384
            | CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => self.tls13,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => algorithm == SignatureAlgorithm::RSA,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => algorithm != SignatureAlgorithm::RSA,
            _ => false,
        })
    }
}
