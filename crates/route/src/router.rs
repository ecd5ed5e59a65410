//! The router: everything compiled from a configuration, and the way to a request's server and location.

use std::net::SocketAddr;
use std::sync::Arc;

use conf::tree::{self, LocationSettings, VerifyClient};

use crate::access_log::AccessLog;
use crate::files::Files;
use crate::finish::Finish;
use crate::gates::RealIp;
use crate::health::CheckRule;
use crate::listener::Listener;
use crate::location::{Location, Locations};
use crate::map::{Maps, Scratch};
use crate::names::{Keeps, Names, Places};
use crate::patterns::Patterns;
use crate::recoding::Recodings;
use crate::rules::Rules;
use crate::sticky::Sticky;
use crate::text::Text;

/// Everything compiled from a configuration; immutable, shared between threads.
#[derive(Debug)]
pub struct Router {
    listeners: Vec<Listener>,
    servers: Vec<Server>,
    upstreams: Vec<UpstreamRule>,
    checks: Vec<CheckRule>,
    proxy_tls: Vec<tree::ProxyTls>,
    resolvers: Vec<tree::Resolver>,
    access_logs: Vec<AccessLog>,
    maps: Maps,
    keeps: Keeps,
    recodings: Recodings,
    rate_zones: Vec<LimitZone>,
    connection_zones: Vec<LimitZone>,
    server_zones: Vec<String>,
    location_zones: Vec<String>,
    has_api: bool,
    patterns: Patterns,
}

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// Its index in [`Router::servers`].
    pub index: usize,
    /// `$server_name`: its first name, which may be empty.
    pub name: String,
    /// All its names.
    pub names: Vec<String>,
    /// `ssl_*`.
    pub tls: Option<tree::Tls>,
    /// Whether it asks clients for certificates.
    pub verifies_clients: bool,
    /// Its rules, which come before a location is looked for.
    pub rules: Rules,
    /// What applies before a location is known.
    pub settings: Arc<LocationSettings>,
    /// What becomes of answers before a location is known.
    pub finish: Arc<Finish>,
    /// Where a client's address comes from, where a proxy's word is taken.
    pub real_ip: Option<RealIp>,
    /// Where files are before a location is known.
    pub files: Arc<Files>,
    /// `client_header_timeout`.
    pub client_header_timeout_ms: u64,
    /// `http2_max_concurrent_streams`.
    pub http2_max_concurrent_streams: u32,
    /// `http2_body_preread_size`.
    pub http2_body_preread_size: u32,
    /// `ignore_invalid_headers`.
    pub ignore_invalid_headers: bool,
    /// Whether clients' `$WS*` headers are taken: `liberty_headers`, or else as other names that are invalid.
    pub takes_liberty_headers: bool,
    /// `underscores_in_headers`.
    pub underscores_in_headers: bool,
    /// `merge_slashes`.
    pub merge_slashes: bool,
    /// Bytes of one line of a head.
    pub header_line_max: u64,
    /// Bytes of a whole one.
    pub header_max: u64,
    /// What its requests are counted by, as an index of [`Router::server_zones`].
    pub status_zone: Option<usize>,
    locations: Locations,
}

/// What limits count by.
#[derive(Debug)]
pub struct LimitZone {
    /// Its name.
    pub name: String,
    /// What is counted.
    pub key: Text,
    /// Memory of its keys.
    pub bytes: u64,
    /// Thousandths of a request that leave in a second.
    pub rate: u64,
}

impl LimitZone {
    fn compile(zone: &tree::LimitZone, names: &Names) -> Self {
        let key = Text::compile(&zone.key, names);
        Self { name: zone.name.clone(), key, bytes: zone.bytes, rate: zone.rate }
    }
}

/// An upstream: `balance` makes a group of it.
#[derive(Debug)]
pub struct UpstreamRule {
    /// Its name, or the authority of a `proxy_pass` without an upstream block.
    pub name: String,
    /// What `proxy_pass` with variables finds it by: in lower case, and with its port where it is no block's.
    pub key: String,
    /// Whether it was written as a block.
    pub declared: bool,
    /// How a server is chosen.
    pub algorithm: Algorithm,
    /// What comes before that: the server that has the request's session.
    pub sticky: Option<Sticky>,
    /// Its servers, in the order written.
    pub servers: Vec<tree::UpstreamServer>,
    /// Its servers with `resolve`.
    pub resolved: Vec<tree::ResolvedServer>,
    /// `keepalive`: idle connections kept a thread; 0 keeps none.
    pub keepalive: u32,
    /// `keepalive_timeout`.
    pub keepalive_timeout_ms: u64,
    /// `keepalive_requests`.
    pub keepalive_requests: u64,
    /// `keepalive_time`.
    pub keepalive_time_ms: u64,
    /// `queue`.
    pub queue: Option<tree::Queue>,
    /// `retry_budget`.
    pub retry_budget: Option<tree::RetryBudget>,
    /// `outlier_ejection`.
    pub outlier_ejection: Option<tree::OutlierEjection>,
    /// Whether its servers are checked.
    pub is_checked: bool,
    /// Whether they have to pass a check first.
    pub is_checked_first: bool,
    /// `zone` and `state`.
    pub zone: tree::Zone,
}

/// How an upstream's server is chosen.
#[derive(Debug)]
pub enum Algorithm {
    /// In turns.
    RoundRobin,
    /// `hash`.
    Hash {
        /// What is hashed.
        key: Text,
        /// `consistent`.
        consistent: bool,
    },
    /// `ip_hash`.
    IpHash,
    /// `least_conn`.
    LeastConn,
    /// `least_time`.
    LeastTime {
        /// The time that counts.
        time: tree::AnswerTime,
        /// `inflight`.
        inflight: bool,
    },
    /// `random`.
    Random {
        /// `two`.
        two: Option<tree::Two>,
    },
}

impl Router {
    /// Compiles a configuration that `conf` has accepted.
    pub fn compile(config: &tree::Config) -> Self {
        let http = &config.http;
        let names = Names::of(http);
        let zones = |zones: &[tree::LimitZone]| zones.iter().map(|zone| LimitZone::compile(zone, &names)).collect();
        let (rate_zones, connection_zones) = (zones(&http.rate_zones), zones(&http.connection_zones));
        let access_log = |log| AccessLog::compile(log, &http.log_formats, &names);
        Self {
            listeners: Listener::merge(&http.servers, &names),
            servers: http.servers.iter().enumerate().map(|(i, server)| Server::compile(i, server, &names)).collect(),
            upstreams: UpstreamRule::all(http, &names),
            checks: http.health_checks.iter().map(|check| CheckRule::compile(check, http, &names)).collect(),
            proxy_tls: http.proxy_tls.clone(),
            resolvers: http.resolvers.clone(),
            access_logs: http.access_logs.iter().map(access_log).collect(),
            maps: Maps::compile(&http.maps, &names),
            // All variables are known by now.
            keeps: names.keeps(),
            recodings: Recodings::compile(&http.charset_maps),
            rate_zones,
            connection_zones,
            server_zones: http.server_zones.clone(),
            location_zones: http.location_zones.clone(),
            has_api: http.servers.iter().any(|server| has_api(&server.locations)),
            patterns: names.into_patterns(),
        }
    }

    /// The addresses to listen on.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// All servers, in the order written.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// All upstreams; indexes are those of [`crate::ProxyRule::upstream`].
    pub fn upstreams(&self) -> &[UpstreamRule] {
        &self.upstreams
    }

    /// The upstream that an address with variables leads to: a block of that name where no port is written, else one
    /// that a `proxy_pass` without variables has made of the same host and port.
    pub fn upstream_named(&self, host: &str, port: Option<u16>, own_port: u16) -> Option<usize> {
        let host = host.to_ascii_lowercase();
        let with_port = format!("{host}:{}", port.unwrap_or(own_port));
        let is_named = |upstream: &UpstreamRule| match upstream.declared {
            true => port.is_none() && upstream.key == host,
            false => upstream.key == with_port,
        };
        self.upstreams.iter().position(is_named)
    }

    /// Checks of upstreams' servers.
    pub fn checks(&self) -> &[CheckRule] {
        &self.checks
    }

    /// The different ways in which TLS is spoken to servers.
    pub fn proxy_tls(&self) -> &[tree::ProxyTls] {
        &self.proxy_tls
    }

    /// Whom addresses with variables may ask for names.
    pub fn resolvers(&self) -> &[tree::Resolver] {
        &self.resolvers
    }

    /// The access logs; indexes are those of [`LocationSettings::access_logs`].
    pub fn access_logs(&self) -> &[AccessLog] {
        &self.access_logs
    }

    /// What has to be kept of each request.
    pub fn keeps(&self) -> Keeps {
        self.keeps
    }

    /// Conversions of charsets.
    pub fn recodings(&self) -> &Recodings {
        &self.recodings
    }

    /// What `limit_req` counts; indexes are those of [`tree::RateLimit::zone`].
    pub fn rate_zones(&self) -> &[LimitZone] {
        &self.rate_zones
    }

    /// What `limit_conn` counts.
    pub fn connection_zones(&self) -> &[LimitZone] {
        &self.connection_zones
    }

    /// The names of what servers' requests are counted by.
    pub fn server_zones(&self) -> &[String] {
        &self.server_zones
    }

    /// The same of locations; indexes are those of [`LocationSettings::status_zone`].
    pub fn location_zones(&self) -> &[String] {
        &self.location_zones
    }

    /// Whether somebody can ask for the balancer's state.
    pub fn has_api(&self) -> bool {
        self.has_api
    }

    /// The maps, which [`Text::render`] needs. A thread keeps its own clone.
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// The regular expressions that finding a server or a location needs. A thread keeps its own clone.
    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// The listener that a connection accepted on `listener` belongs to, by the address the client connected to.
    pub fn listener_at(&self, listener: usize, local: SocketAddr) -> usize {
        let covers = |other: &Listener| other.within == Some(listener) && other.address.ip() == Some(local);
        self.listeners.iter().position(covers).unwrap_or(listener)
    }

    /// The server for a host as the client wrote it: case, port and a final dot do not matter. The listener's default
    /// server for a name that no server has.
    pub fn server(&self, listener: usize, host: &[u8], patterns: &Patterns, scratch: &mut Scratch) -> &Server {
        &self.servers[self.listeners[listener].find(host, patterns, scratch)]
    }

    /// The location for a normalized path; one that answers 404 when none matches.
    pub fn location<'r>(
        &'r self,
        server: &'r Server,
        path: &[u8],
        patterns: &Patterns,
        scratch: &mut Scratch,
    ) -> &'r Location {
        server.locations.find(path, patterns, scratch)
    }
}

fn has_api(locations: &[tree::Location]) -> bool {
    let is_api = |location: &tree::Location| matches!(location.handler, tree::Handler::Api(_));
    locations.iter().any(|location| is_api(location) || has_api(&location.locations))
}

impl Server {
    /// The index of the location of a name, without its `@`.
    pub fn named_location(&self, name: &[u8]) -> Option<usize> {
        self.locations.find_named(name)
    }

    /// A location by its index.
    pub fn location_at(&self, index: usize) -> &Location {
        self.locations.at(index)
    }

    fn compile(index: usize, server: &tree::Server, names: &Names) -> Self {
        let Places { finish, files, .. } = names.places(&server.settings);
        Self {
            index,
            name: server
                .names
                .first()
                .map(|name| name.strip_prefix('.').unwrap_or(name).to_owned())
                // One line, for it stands in for a host in heads.
                .map(|name| name.replace(['\r', '\n', '\0'], ""))
                .unwrap_or_default(),
            names: server.names.clone(),
            tls: server.tls.clone(),
            verifies_clients: server.tls.as_ref().is_some_and(|tls| tls.clients.verify != VerifyClient::Off),
            rules: Rules::compile(&server.rules, "", names),
            settings: server.settings.to_arc(),
            finish,
            real_ip: RealIp::compile(&server.settings),
            files,
            client_header_timeout_ms: server.client_header_timeout_ms,
            http2_max_concurrent_streams: server.http2_max_concurrent_streams,
            http2_body_preread_size: server.http2_body_preread_size,
            ignore_invalid_headers: server.ignore_invalid_headers,
            takes_liberty_headers: match server.liberty_headers {
                Some(written) => written == tree::LibertyHeaders::Pass,
                None => !server.ignore_invalid_headers,
            },
            underscores_in_headers: server.underscores_in_headers,
            merge_slashes: server.merge_slashes,
            header_line_max: server.header_line_max,
            header_max: server.header_max,
            status_zone: server.status_zone,
            locations: Locations::compile(server, names),
        }
    }
}

impl UpstreamRule {
    fn all(http: &tree::Http, names: &Names) -> Vec<Self> {
        let mut all: Vec<Self> = http.upstreams.iter().map(|upstream| Self::compile(upstream, names)).collect();
        for check in &http.health_checks {
            if let Some(upstream) = all.get_mut(check.upstream) {
                upstream.is_checked = true;
                upstream.is_checked_first |= check.is_mandatory;
            }
        }
        all
    }

    fn compile(upstream: &tree::Upstream, names: &Names) -> Self {
        let algorithm = match &upstream.algorithm {
            tree::Algorithm::RoundRobin => Algorithm::RoundRobin,
            tree::Algorithm::Hash { key, consistent } => {
                Algorithm::Hash { key: Text::compile(key, names), consistent: *consistent }
            }
            tree::Algorithm::IpHash => Algorithm::IpHash,
            tree::Algorithm::LeastConn => Algorithm::LeastConn,
            tree::Algorithm::LeastTime { time, inflight } => Algorithm::LeastTime { time: *time, inflight: *inflight },
            tree::Algorithm::Random { two } => Algorithm::Random { two: *two },
        };
        Self {
            name: upstream.name.clone(),
            key: upstream.key.clone(),
            declared: upstream.declared,
            algorithm,
            sticky: upstream.sticky.as_ref().map(|sticky| Sticky::compile(sticky, names)),
            servers: upstream.servers.clone(),
            resolved: upstream.resolved.clone(),
            keepalive: upstream.keepalive,
            keepalive_timeout_ms: upstream.keepalive_timeout_ms,
            keepalive_requests: upstream.keepalive_requests,
            keepalive_time_ms: upstream.keepalive_time_ms,
            queue: upstream.queue,
            retry_budget: upstream.retry_budget,
            outlier_ejection: upstream.outlier_ejection,
            is_checked: false,
            is_checked_first: false,
            zone: upstream.zone.clone(),
        }
    }
}
