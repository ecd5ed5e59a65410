//! A configuration ready to serve: router, upstream groups, TLS, log targets. Immutable, shared by all threads.
//!
//! One that is built after another takes over what clients and servers would miss: health and counts of the servers
//! that are in both, TLS sessions, the numbers of the logs.

mod client;
mod clients;
mod members;
mod server;
mod upstreams;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use balance::{RetryRule, StatusSet};
use conf::tree::{self, ErrorLog, ListenAddress, LogTarget};
use net::listen;
use net::resolver::{self, Resolver};
use net::tls::{self, CertificateError, Identity};
use route::{ProxyRule, Router};

use crate::affinity;
use crate::gate::{Verifier, Zones};
use crate::limits::LOGS_MAX;
use crate::log::AccessTarget;
use crate::zones::StatusZones;
pub(crate) use clients::{Checked, ClientCheck};
pub(crate) use members::{Member, Members, Parent};
pub(crate) use server::ListenerTls;
pub(crate) use upstreams::{Reason, UpstreamSnapshot, endpoint, is_busy, resolver_settings};

/// A configuration ready to serve.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) router: Arc<Router>,
    /// `worker_connections`, which each thread may have.
    pub(crate) connections_max: usize,
    pub(crate) upstreams: Vec<Arc<UpstreamSnapshot>>,
    /// TLS of each listener that speaks it, by the listener's index.
    pub(crate) tls: Vec<Option<ListenerTls>>,
    /// What each server asks of clients, by its index.
    client_checks: Vec<Option<Arc<ClientCheck>>>,
    /// The ways in which TLS is spoken to servers, as the router numbers them.
    pub(crate) proxy_tls: Vec<Arc<rustls::ClientConfig>>,
    /// The way to those who know names; the thread starts when the first is asked for.
    resolver: OnceLock<Option<Resolver>>,
    resolvers: Vec<Arc<resolver::Settings>>,
    /// The way to the thread that compares passwords.
    pub(crate) verifier: Verifier,
    /// What limits count.
    pub(crate) zones: Zones,
    /// What `status_zone` counts.
    pub(crate) status_zones: StatusZones,
    /// All logs that locations name, and those of the snapshots before it: requests that began under one of these write
    /// there to their end. The index is that of the writer's files.
    log_targets: Vec<LogTarget>,
    log_index: HashMap<LogTarget, usize>,
    /// The writers of the access logs, by their numbers in the router.
    access_writers: Vec<Option<usize>>,
    main_logs: Vec<ErrorLog>,
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
    /// Certificates of authorities are of no use.
    #[error("proxy_ssl_trusted_certificate {path}: {error}")]
    Trusted {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: CertificateError,
    },
    /// Lists of servers' certificates that are revoked are of no use.
    #[error("proxy_ssl_crl {path}: {error}")]
    Revoked {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: CertificateError,
    },
    /// A key of tickets is of no use.
    #[error("ssl_session_ticket_key {0}: it must hold 48 or 80 bytes, as `openssl rand 80` writes them")]
    TicketKey(PathBuf),
    /// What is to be stapled is of no use.
    #[error("ssl_stapling_file {0}: it holds no OCSP answer in DER form, as `openssl ocsp -respout` writes it")]
    Stapling(PathBuf),
    /// Authorities for clients' certificates, or revocations, are of no use.
    #[error("certificates of clients, with {files}: {error}")]
    Clients {
        /// The files of `ssl_client_certificate`, `ssl_trusted_certificate` and `ssl_crl`.
        files: String,
        /// What is wrong.
        error: CertificateError,
    },
    /// What `sticky liberty` has learnt cannot be made out.
    #[error("state={path} of sticky liberty: {what} (without the file the clone ids are learnt again)")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        what: String,
    },
    /// TLS to servers cannot be set up.
    #[error("TLS to servers: {0}")]
    Client(CertificateError),
    /// TLS cannot be set up.
    #[error("TLS for {listener}: {error}")]
    Tls {
        /// The address.
        listener: ListenAddress,
        /// What rustls said.
        error: rustls::Error,
    },
    /// With those of the snapshots before it there are too many logs.
    #[error("more than {LOGS_MAX} logs were named since this process started")]
    Logs,
}

impl Snapshot {
    /// Makes a snapshot for `threads` threads; certificate and key files come through `read`.
    pub fn build(
        config: &tree::Config,
        threads: usize,
        read: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Self, SnapshotError> {
        Self::build_after(config, threads, read, None)
    }

    /// The same for one that takes the place of `previous`.
    pub fn build_after(
        config: &tree::Config,
        threads: usize,
        read: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
        previous: Option<&Self>,
    ) -> Result<Self, SnapshotError> {
        let router = Arc::new(Router::compile(config));
        let before = previous.map_or(&[][..], |previous| &previous.upstreams);
        let upstreams: Vec<_> =
            router.upstreams().iter().map(|rule| UpstreamSnapshot::after(rule, threads, before)).collect();
        for upstream in &upstreams {
            recall(upstream, read)?;
        }
        let client_checks = server::client_checks(&router, read)?;
        let tls = server::listeners(&router, &client_checks, previous, read)?;
        let proxy_tls = router.proxy_tls().iter().map(|way| client::config(way, read)).collect::<Result<_, _>>()?;
        let log_targets = previous.map(|previous| previous.log_targets.clone()).unwrap_or_default();
        let log_index = previous.map(|previous| previous.log_index.clone()).unwrap_or_default();
        let connections_max = config.events.worker_connections as usize;
        let resolvers = router.resolvers().iter().map(upstreams::resolver_settings).collect();
        let mut snapshot = Self {
            resolver: OnceLock::new(),
            zones: Zones::new(&router, previous.map(|previous| (&*previous.router, &previous.zones))),
            status_zones: StatusZones::new(&router, threads, previous.map(|previous| &previous.status_zones)),
            verifier: previous.map(|previous| previous.verifier.clone()).unwrap_or_default(),
            resolvers,
            router,
            connections_max,
            upstreams,
            tls,
            client_checks,
            proxy_tls,
            log_targets,
            log_index,
            access_writers: Vec::new(),
            main_logs: config.main.error_logs.clone(),
        };
        if snapshot.router.has_api() {
            snapshot.count_all();
        }
        snapshot.add_logs(config);
        if snapshot.log_targets.len() > LOGS_MAX { Err(SnapshotError::Logs) } else { Ok(snapshot) }
    }

    /// Counts from now on what only `api` shows.
    pub(crate) fn count_all(&self) {
        self.upstreams.iter().for_each(|upstream| upstream.count_all());
    }

    /// The same with other addresses of an upstream's servers.
    pub(crate) fn with_upstream(&self, index: usize, upstream: Arc<UpstreamSnapshot>) -> Self {
        let mut changed = self.clone();
        changed.upstreams[index] = upstream;
        changed
    }

    /// What a server asks of clients.
    pub(crate) fn client_check(&self, server: usize) -> Option<&Arc<ClientCheck>> {
        self.client_checks.get(server)?.as_ref()
    }

    /// Whom to ask for a name, and how.
    pub(crate) fn resolver(&self, number: usize) -> Option<(&Resolver, Arc<resolver::Settings>)> {
        Some((self.any_resolver()?, Arc::clone(self.resolvers.get(number)?)))
    }

    /// The way to those who know names; `None` where their thread cannot be started.
    pub(crate) fn any_resolver(&self) -> Option<&Resolver> {
        self.resolver.get_or_init(|| Resolver::start().ok()).as_ref()
    }

    /// The addresses to listen on, with what their sockets are like; `None` for one that another one's socket serves.
    pub fn addresses(&self) -> Vec<Option<(ListenAddress, listen::Options)>> {
        let listeners = self.router.listeners().iter();
        listeners.map(|own| own.within.is_none().then(|| (own.address.clone(), socket_options(own)))).collect()
    }

    /// The logs to open; those of the snapshots before it come first.
    pub fn log_targets(&self) -> &[LogTarget] {
        &self.log_targets
    }

    /// The error logs of the main context.
    pub(crate) fn main_logs(&self) -> &[ErrorLog] {
        &self.main_logs
    }

    /// An access log that a location names by its number.
    pub(crate) fn access_log(&self, number: usize) -> Option<AccessTarget<'_>> {
        let writer = (*self.access_writers.get(number)?)?;
        Some(AccessTarget { log: self.router.access_logs().get(number)?, to: &self.log_targets[writer], writer })
    }

    /// The writer's index of an error log; that of the first of the main ones where it is none of this configuration.
    pub(crate) fn error_log(&self, target: &LogTarget) -> usize {
        let main = || self.main_logs.first().and_then(|main| self.log_index.get(&main.to));
        self.log_index.get(target).or_else(main).copied().unwrap_or_default()
    }

    /// Numbers the logs that are in use.
    fn add_logs(&mut self, config: &tree::Config) {
        let main: Vec<_> = self.main_logs.iter().map(|log| log.to.clone()).collect();
        main.iter().for_each(|target| {
            self.add_log(target);
        });
        self.access_writers = vec![None; config.http.access_logs.len()];
        for settings in config.http.all_settings() {
            for log in settings.error_logs.iter() {
                self.add_log(&log.to);
            }
            for &number in &settings.access_logs {
                if self.access_writers[number].is_none() {
                    self.access_writers[number] = Some(self.add_log(&config.http.access_logs[number].to));
                }
            }
        }
    }

    fn add_log(&mut self, target: &LogTarget) -> usize {
        if let Some(number) = self.log_index.get(target) {
            return *number;
        }
        let next = self.log_targets.len();
        self.log_targets.push(target.clone());
        self.log_index.insert(target.clone(), next);
        next
    }
}

fn socket_options(listener: &route::Listener) -> listen::Options {
    let tree::SocketOptions { takes_ipv4, receive_buffer, send_buffer, keepalive } = listener.options;
    let keepalive = keepalive.map(|keepalive| match keepalive {
        tree::KeepAlive::Off => listen::KeepAlive::Off,
        tree::KeepAlive::On { idle_s, interval_s, count } => listen::KeepAlive::On { idle_s, interval_s, count },
    });
    listen::Options { backlog: listener.backlog, takes_ipv4, receive_buffer, send_buffer, keepalive }
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

/// Reads the clone ids that were learnt before this process; what this process has learnt itself is kept instead.
fn recall(upstream: &UpstreamSnapshot, read: &mut Read<'_>) -> Result<(), SnapshotError> {
    let Some((clones, path)) = upstream.clones().and_then(|clones| Some((clones, clones.file()?))) else {
        return Ok(());
    };
    if !clones.is_empty() {
        return Ok(());
    }
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SnapshotError::Read { path: path.to_owned(), error }),
    };
    let text = String::from_utf8_lossy(&bytes);
    clones.read(&text, affinity::route_of).map_err(|what| SnapshotError::State { path: path.to_owned(), what })
}

type Read<'a> = dyn FnMut(&Path) -> io::Result<Vec<u8>> + 'a;

fn read_pair(
    certificate: &Path,
    key: &Path,
    passwords: Option<&Path>,
    read: &mut Read<'_>,
) -> Result<Identity, SnapshotError> {
    let (chain, key_bytes) = (read_file(certificate, read)?, read_file(key, read)?);
    let passwords = passwords.map_or(Ok(Vec::new()), |path| read_file(path, read))?;
    tls::read_identity(&chain, &key_bytes, &tls::passwords(&passwords)).map_err(|error| SnapshotError::Certificate {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        error,
    })
}

fn read_file(path: &Path, read: &mut Read<'_>) -> Result<Vec<u8>, SnapshotError> {
    read(path).map_err(|error| SnapshotError::Read { path: path.to_owned(), error })
}
