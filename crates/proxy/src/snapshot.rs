//! A configuration ready to serve: router, upstream groups, TLS, log targets. Immutable, shared by all threads.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use balance::{Group, Method, PeerSettings, RetryRule, StatusSet};
use conf::tree::{self, LogTarget};
use net::tls::{self, CertificateError, Identity, ServerOptions};
use route::{ProxyRule, Router, UpstreamRule};
use rustls::server::{ClientHello, ResolvesServerCert};

use crate::counters::PeerCounters;

/// A configuration ready to serve.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) router: Router,
    pub(crate) upstreams: Vec<Arc<UpstreamSnapshot>>,
    /// TLS of each listener that speaks it, by the listener's index.
    pub(crate) tls: Vec<Option<Arc<rustls::ServerConfig>>>,
    /// All logs that locations name; their index is that of the writer's files.
    log_targets: Vec<LogTarget>,
    log_index: HashMap<LogTarget, usize>,
}

/// An upstream, shared by all threads.
#[derive(Debug)]
pub(crate) struct UpstreamSnapshot {
    pub(crate) name: String,
    pub(crate) group: Arc<Group>,
    pub(crate) addresses: Vec<SocketAddr>,
    /// By thread, then by server.
    pub(crate) counters: Vec<Vec<PeerCounters>>,
    /// Why a server last went down, for people.
    pub(crate) reasons: std::sync::Mutex<HashMap<usize, Reason>>,
}

/// Why and when a server's state changed.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    pub(crate) why: String,
    pub(crate) unix_ms: u64,
}

/// Why a configuration cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A certificate or key file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A certificate or key is of no use.
    #[error("certificate {certificate} with key {key}: {error}")]
    Certificate {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        error: CertificateError,
    },
    /// TLS cannot be set up.
    #[error("TLS for {listener}: {error}")]
    Tls {
        /// The address.
        listener: SocketAddr,
        /// What rustls said.
        error: rustls::Error,
    },
}

impl Snapshot {
    /// Makes a snapshot for `threads` threads; certificate and key files come through `read`.
    pub fn build(
        config: &tree::Config,
        threads: usize,
        read: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Self, SnapshotError> {
        let router = Router::compile(config);
        let upstreams = router.upstreams().iter().map(|rule| Arc::new(UpstreamSnapshot::new(rule, threads))).collect();
        let tls = listeners_tls(&router, read)?;
        let mut snapshot = Self { router, upstreams, tls, log_targets: Vec::new(), log_index: HashMap::new() };
        snapshot.add_log(config.main.error_log.to.clone());
        for server in &config.http.servers {
            let locations = server.locations.iter().map(|location| &location.settings);
            for settings in locations.chain(std::iter::once(&server.settings)) {
                snapshot.add_log(settings.error_log.to.clone());
                settings.access_log.iter().for_each(|path| snapshot.add_log(LogTarget::File(path.clone())));
            }
        }
        Ok(snapshot)
    }

    /// The addresses to listen on, with their backlogs; `None` for one that another one's socket serves.
    pub fn addresses(&self) -> Vec<Option<(SocketAddr, u32)>> {
        let listeners = self.router.listeners().iter();
        listeners.map(|own| own.within.is_none().then_some((own.address, own.backlog))).collect()
    }

    /// The logs to open, the main error log first.
    pub fn log_targets(&self) -> &[LogTarget] {
        &self.log_targets
    }

    /// The writer's index of an access log.
    pub(crate) fn access_log(&self, path: &Path) -> Option<usize> {
        // Comparing a few paths costs less than making an owned key for the map.
        self.log_targets.iter().position(|target| matches!(target, LogTarget::File(file) if file == path))
    }

    pub(crate) fn error_log(&self, target: &LogTarget) -> usize {
        self.log_index.get(target).copied().unwrap_or(0)
    }

    fn add_log(&mut self, target: LogTarget) {
        let next = self.log_targets.len();
        self.log_index.entry(target.clone()).or_insert_with(|| {
            self.log_targets.push(target);
            next
        });
    }
}

impl UpstreamSnapshot {
    fn new(rule: &UpstreamRule, threads: usize) -> Self {
        let method = match rule.key {
            None => Method::RoundRobin,
            Some(_) => Method::Hash { consistent: rule.consistent },
        };
        let counters = || rule.servers.iter().map(|_| PeerCounters::default()).collect();
        Self {
            name: rule.name.clone(),
            group: Arc::new(Group::new(rule.servers.iter().map(peer).collect(), method)),
            addresses: rule.servers.iter().map(|server| server.address).collect(),
            counters: std::iter::repeat_with(counters).take(threads).collect(),
            reasons: std::sync::Mutex::new(HashMap::new()),
        }
    }
}

fn peer(server: &tree::UpstreamServer) -> PeerSettings {
    PeerSettings {
        name: server.name.clone(),
        weight: server.weight,
        max_conns: server.max_conns,
        max_fails: server.max_fails,
        fail_timeout_ms: server.fail_timeout_ms,
        backup: server.backup,
        down: server.down,
    }
}

/// `proxy_next_upstream` as `balance` wants it.
pub(crate) fn retry_rule(rule: &ProxyRule) -> RetryRule {
    RetryRule {
        error: rule.next_upstream.error,
        timeout: rule.next_upstream.timeout,
        invalid_header: rule.next_upstream.invalid_header,
        non_idempotent: rule.next_upstream.non_idempotent,
        statuses: StatusSet::new(&rule.next_upstream.statuses),
        tries: rule.next_upstream_tries,
        timeout_ms: rule.next_upstream_timeout_ms,
    }
}

type Read<'a> = dyn FnMut(&Path) -> io::Result<Vec<u8>> + 'a;

fn listeners_tls(
    router: &Router,
    read: &mut Read<'_>,
) -> Result<Vec<Option<Arc<rustls::ServerConfig>>>, SnapshotError> {
    let mut identities = HashMap::new();
    router
        .listeners()
        .iter()
        .map(|listener| if listener.ssl { listener_tls(router, listener, &mut identities, read) } else { Ok(None) })
        .collect()
}

type Identities = HashMap<(PathBuf, PathBuf), Arc<Identity>>;

fn listener_tls(
    router: &Router,
    listener: &route::Listener,
    identities: &mut Identities,
    read: &mut Read<'_>,
) -> Result<Option<Arc<rustls::ServerConfig>>, SnapshotError> {
    let mut by_name = ByName { names: HashMap::new(), default: None };
    for server in listener.servers.iter().map(|&index| &router.servers()[index]) {
        let Some(tls) = &server.tls else { continue };
        let identity = identity(tls, identities, read)?;
        if server.index == listener.default {
            by_name.default = Some(Arc::clone(&identity));
        }
        for name in &server.names {
            by_name.names.entry(name.clone()).or_insert_with(|| Arc::clone(&identity));
        }
    }
    // As in nginx, protocols and sessions are agreed on before the name is known: the default server's apply.
    let default = router.servers()[listener.default].tls.as_ref();
    let options = ServerOptions {
        tls12: default.is_none_or(|tls| tls.tls12),
        tls13: default.is_none_or(|tls| tls.tls13),
        alpn: vec![b"http/1.1".to_vec()],
        session_cache: default.map_or(0, |tls| tls.session_cache),
    };
    tls::server_config(&options, Arc::new(by_name))
        .map(|config| Some(Arc::new(config)))
        .map_err(|error| SnapshotError::Tls { listener: listener.address, error })
}

fn identity(tls: &tree::Tls, identities: &mut Identities, read: &mut Read<'_>) -> Result<Arc<Identity>, SnapshotError> {
    let files = (tls.certificate.clone(), tls.key.clone());
    if let Some(known) = identities.get(&files) {
        return Ok(Arc::clone(known));
    }
    let mut bytes = |path: &Path| read(path).map_err(|error| SnapshotError::Read { path: path.to_owned(), error });
    let (chain, key) = (bytes(&tls.certificate)?, bytes(&tls.key)?);
    let identity = tls::read_identity(&chain, &key).map_err(|error| SnapshotError::Certificate {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        error,
    })?;
    Ok(Arc::clone(identities.entry(files).or_insert(Arc::new(identity))))
}

/// The certificate by the name asked for, else the default server's.
#[derive(Debug)]
struct ByName {
    names: HashMap<String, Arc<Identity>>,
    default: Option<Arc<Identity>>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<Identity>> {
        // rustls has made the name lower case.
        let named = hello.server_name().and_then(|name| self.names.get(name));
        named.or(self.default.as_ref()).cloned()
    }
}
