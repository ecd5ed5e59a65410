//! The typed tree that a configuration becomes: what every other crate reads.
//!
//! Inheritance is resolved here: a location holds the settings that apply to it, whoever wrote them. Durations are in
//! milliseconds, sizes in bytes. Nothing in the tree touches the file system; paths are as written, made absolute
//! against the prefix.

mod access;
mod api;
mod caching;
mod failures;
mod files;
mod gzip;
mod health;
mod limits;
mod listen;
mod logs;
mod maps;
mod proxy;
mod rules;
mod sticky;
mod tls;
mod upstream;

use std::collections::HashSet;
use std::path::PathBuf;

pub use logs::{AccessLog, ErrorLog, LogEscape, LogFormat, LogLevel, LogTarget, Syslog};
pub use maps::{Addresses, CharsetMap, Lookup, Map, Network, Share, Texts};
pub use proxy::{
    CookieChange, CookieFlags, NextUpstream, PassTo, ProxyPass, ProxySettings, ProxyTls, Redirect, Replacement,
    SameSite, Subject,
};

use crate::shared::Shared;
use crate::span::Place;
use crate::template::Template;
pub use access::{AccessRule, AccessSettings, LimitExcept, RealIpSettings, Who};
pub use api::{Api, Page, Zone};
pub use caching::{Expires, ExpiresRule};
pub use failures::{OutlierEjection, RetryBudget};
pub use files::{
    FileSettings, IfModifiedSince, LinkRule, Links, ListFormat, Listing, Root, RootKind, TryFiles, TryLast, TryPath,
};
pub use gzip::{GzipFiles, GzipProxied, GzipSettings};
pub use health::{BodyTest, HeaderTest, HeaderValue, HealthCheck, Match, StatusTest};
pub use limits::{LimitSettings, LimitZone, RateLimit, Refusal};
pub use listen::{KeepAlive, Listen, ListenAddress, SocketOptions};
pub use rules::{AfterRewrite, Condition, If, PathTest, Return, Rewrite, Rule, Test};
pub use sticky::{CookieAge, Sticky, StickyCookie, StickyLearn};
pub use tls::{Certificate, Cipher, ClientAuth, Curve, Tls, VerifyClient};
pub use upstream::{
    Algorithm, AnswerTime, PeerAddress, Queue, ResolvedServer, Resolver, Two, Upstream, UpstreamServer,
};

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directives outside of any block.
    pub main: Main,
    /// The `events` block.
    pub events: Events,
    /// The `http` block; empty when there is none.
    pub http: Http,
}

/// Directives of the main context.
#[derive(Debug, Clone)]
pub struct Main {
    /// `user NAME [GROUP]`.
    pub user: Option<(Account, Option<Account>)>,
    /// `worker_processes`; `None` is `auto`.
    pub worker_processes: Option<u32>,
    /// `worker_rlimit_nofile`.
    pub worker_rlimit_nofile: Option<u64>,
    /// `daemon`, and where it was written; on by default where nginx's ways are followed.
    pub daemon: Option<(bool, Place)>,
    /// `master_process`.
    pub master_process: bool,
    /// `worker_shutdown_timeout`; 0 is no limit.
    pub worker_shutdown_timeout_ms: u64,
    /// `pid`.
    pub pid: PathBuf,
    /// `error_log`s of the main context, at least one.
    pub error_logs: Vec<ErrorLog>,
}

/// The name of a user or of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// Where it was written.
    pub place: Place,
}

/// The `events` block.
#[derive(Debug, Clone)]
pub struct Events {
    /// `worker_connections`: connections a worker, clients' and upstreams' together.
    pub worker_connections: u32,
}

/// The `http` block.
#[derive(Debug, Clone, Default)]
pub struct Http {
    /// `log_format`s, in the order written.
    pub log_formats: Vec<LogFormat>,
    /// The different `access_log`s of all places.
    pub access_logs: Vec<AccessLog>,
    /// `map`, `geo` and `split_clients` blocks, in the order written.
    pub maps: Vec<Map>,
    /// `charset_map`s.
    pub charset_maps: Vec<CharsetMap>,
    /// `limit_req_zone`s.
    pub rate_zones: Vec<LimitZone>,
    /// `limit_conn_zone`s.
    pub connection_zones: Vec<LimitZone>,
    /// The names of servers' `status_zone`s.
    pub server_zones: Vec<String>,
    /// Those of locations.
    pub location_zones: Vec<String>,
    /// The different `resolver`s that a `proxy_pass` with variables may ask.
    pub resolvers: Vec<Resolver>,
    /// The different ways in which TLS is spoken to servers.
    pub proxy_tls: Vec<ProxyTls>,
    /// `upstream` blocks, and one for each address written directly in a `proxy_pass`.
    pub upstreams: Vec<Upstream>,
    /// `health_check`s of all locations.
    pub health_checks: Vec<HealthCheck>,
    /// `match` blocks.
    pub matches: Vec<Match>,
    /// `server` blocks, in the order written.
    pub servers: Vec<Server>,
    /// Variables that `set` and named groups of regular expressions define, sorted by name.
    pub variables: Vec<OwnVariable>,
}

/// A variable that a configuration defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnVariable {
    /// Its name in lower case.
    pub name: String,
    /// Whether `set` defines it: then it is empty before it is set, and otherwise is not there.
    pub is_set: bool,
}

impl Http {
    /// The settings of all servers and locations; those that many share once.
    pub fn all_settings(&self) -> Vec<&LocationSettings> {
        let mut all = Vec::new();
        for server in &self.servers {
            all.push(&*server.settings);
            server.locations.iter().for_each(|location| location.add_settings(&mut all));
        }
        let mut seen = HashSet::new();
        all.retain(|settings| seen.insert(std::ptr::from_ref(*settings)));
        all
    }
}

impl Location {
    fn add_settings<'a>(&'a self, all: &mut Vec<&'a LocationSettings>) {
        all.push(&self.settings);
        let content = |rule: &'a Rule| match rule {
            Rule::If(block) => block.content.as_ref(),
            _ => None,
        };
        all.extend(self.rules.iter().filter_map(content).map(|(_, settings)| &**settings));
        all.extend(self.limit_except.iter().map(|limit| &*limit.content.1));
        self.locations.iter().for_each(|location| location.add_settings(all));
    }
}

/// A regular expression as written after `~` or `~*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// The expression itself, checked to compile.
    pub source: String,
    /// Whether case is ignored (`~*`).
    pub ignore_case: bool,
    /// Whether a group has a name, which is a variable's.
    pub has_names: bool,
}

/// What becomes of a client's `$WS*` headers, which Liberty believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LibertyHeaders {
    /// They never go to a server.
    Strip,
    /// They do, whatever `ignore_invalid_headers` says: the client is a proxy that is trusted.
    Pass,
}

/// `server { ... }`.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its `listen` directives; `*:80` when none is written.
    pub listens: Vec<Listen>,
    /// Its `server_name`s: exact ones, `*.example.com`, `.example.com`, `www.example.*` in lower case, and `~PATTERN`;
    /// the empty name when none is written.
    pub names: Vec<String>,
    /// Certificates and protocols; present where a listen has `ssl`.
    pub tls: Option<Tls>,
    /// Rules written in the server itself, which come before a location is looked for.
    pub rules: Vec<Rule>,
    /// `try_files` where no location matches.
    pub try_files: Option<TryFiles>,
    /// What a request gets where no location matches: files, or a page that the server itself names.
    pub handler: Handler,
    /// Locations in the order written.
    pub locations: Vec<Location>,
    /// What applies where no location matches.
    pub settings: Shared<LocationSettings>,
    /// `client_header_timeout`.
    pub client_header_timeout_ms: u64,
    /// `http2_max_concurrent_streams`.
    pub http2_max_concurrent_streams: u32,
    /// `http2_body_preread_size`: what a client may send of a body before a server has taken it.
    pub http2_body_preread_size: u32,
    /// `ignore_invalid_headers`.
    pub ignore_invalid_headers: bool,
    /// `liberty_headers`.
    pub liberty_headers: Option<LibertyHeaders>,
    /// `underscores_in_headers`.
    pub underscores_in_headers: bool,
    /// `merge_slashes`.
    pub merge_slashes: bool,
    /// `large_client_header_buffers` and `client_header_buffer_size`: bytes of one line of a head.
    pub header_line_max: u64,
    /// Those of a whole head.
    pub header_max: u64,
    /// `status_zone`, as an index of [`Http::server_zones`].
    pub status_zone: Option<usize>,
    /// Where it was written.
    pub place: Place,
}

/// `location [SIGN] PATH { ... }`.
#[derive(Debug, Clone)]
pub struct Location {
    /// How the path is compared.
    pub kind: LocationKind,
    /// The path; the pattern as written where it is compared with one, the name behind `@` where it is none.
    pub path: String,
    /// Its rules, which come before its content.
    pub rules: Vec<Rule>,
    /// `try_files`.
    pub try_files: Option<TryFiles>,
    /// `limit_except`.
    pub limit_except: Option<Box<LimitExcept>>,
    /// What it does.
    pub handler: Handler,
    /// Its settings, inherited ones included.
    pub settings: Shared<LocationSettings>,
    /// Locations within it, in the order written.
    pub locations: Vec<Location>,
    /// Where it was written.
    pub place: Place,
}

/// How a location's path is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocationKind {
    /// The longest prefix wins, unless a pattern matches.
    Prefix,
    /// `^~`: the same, and where it is the longest no pattern of its level is looked at.
    FirmPrefix,
    /// `=`: the whole path, which wins over all others.
    Exact,
    /// `~`, `~*`: the first pattern that matches wins over prefixes.
    Pattern(Pattern),
    /// `@`: found by its name alone.
    Named,
}

/// What a location does with a request.
#[derive(Debug, Clone)]
pub enum Handler {
    /// No handler is written: files.
    Files,
    /// `proxy_pass`.
    Proxy(ProxyPass),
    /// `api`.
    Api(Api),
    /// `stub_status`, `prometheus`, `dashboard`.
    Page(Page),
}

/// Settings of a location, inheritance resolved; those of `proxy_*` are where a [`ProxyPass`] is.
#[derive(Debug, Clone)]
pub struct LocationSettings {
    /// `keepalive_timeout`; 0 closes after each answer.
    pub keepalive_timeout_ms: u64,
    /// The second value of `keepalive_timeout`: the `Keep-Alive: timeout=` field, in seconds.
    pub keepalive_header_s: Option<u64>,
    /// `keepalive_requests`.
    pub keepalive_requests: u64,
    /// `client_max_body_size`; 0 is no limit.
    pub client_max_body_size: u64,
    /// `client_body_timeout`.
    pub client_body_timeout_ms: u64,
    /// `client_body_buffer_size`: how much of a request's body is kept in memory.
    pub client_body_buffer_size: u64,
    /// `client_body_temp_path`.
    pub client_body_temp_path: Shared<PathBuf>,
    /// `send_timeout`.
    pub send_timeout_ms: u64,
    /// `chunked_transfer_encoding`.
    pub chunked_transfer_encoding: bool,
    /// `lingering_*`.
    pub lingering: Lingering,
    /// `reset_timedout_connection`.
    pub reset_timedout_connection: bool,
    /// `keepalive_time`: the age from which on a client's connection is closed after an answer.
    pub keepalive_time_ms: u64,
    /// `limit_rate`: bytes a second; `None` is no limit.
    pub limit_rate: Option<Template>,
    /// `limit_rate_after`.
    pub limit_rate_after: Option<Template>,
    /// `internal`.
    pub is_internal: bool,
    /// `error_page`s.
    pub error_pages: Vec<ErrorPage>,
    /// `recursive_error_pages`.
    pub recursive_error_pages: bool,
    /// `add_header`s.
    pub add_headers: Vec<AddedHeader>,
    /// `add_trailer`s, in the order written.
    pub add_trailers: Vec<AddedHeader>,
    /// `expires`.
    pub expires: Option<ExpiresRule>,
    /// `charset`.
    pub charset: Option<Template>,
    /// `source_charset`.
    pub source_charset: Option<Template>,
    /// `override_charset`.
    pub override_charset: bool,
    /// `charset_types`; `*` is any.
    pub charset_types: Shared<Vec<String>>,
    /// `absolute_redirect` and the like.
    pub redirects: Redirects,
    /// `access_log`s, as indexes of [`Http::access_logs`]. Empty is `off`.
    pub access_logs: Vec<usize>,
    /// `error_log`s that apply here, at least one.
    pub error_logs: Shared<Vec<ErrorLog>>,
    /// `root` and what else concerns files.
    pub files: Shared<FileSettings>,
    /// `gzip`.
    pub gzip: Shared<GzipSettings>,
    /// `limit_req`, `limit_conn`.
    pub limits: Shared<LimitSettings>,
    /// `set_real_ip_from` and its like.
    pub real_ip: Shared<RealIpSettings>,
    /// `allow`, `deny`, `auth_basic`.
    pub access: Shared<AccessSettings>,
    /// `status_zone`, as an index of [`Http::location_zones`].
    pub status_zone: Option<usize>,
}

/// `error_page`.
#[derive(Debug, Clone)]
pub struct ErrorPage {
    /// What it is for.
    pub statuses: Vec<u16>,
    /// `=CODE`: the status of the answer; 0 for `=`, that of whoever answers. `None` keeps the error's.
    pub status: Option<u16>,
    /// A path (`/...`), a named location (`@...`), or an address to send the client to.
    pub target: Template,
}

/// `add_header NAME VALUE [always]`.
#[derive(Debug, Clone)]
pub struct AddedHeader {
    /// The name as written.
    pub name: String,
    /// The value; where it is empty nothing is added.
    pub value: Template,
    /// Whether errors get it too.
    pub always: bool,
}

/// How the address of a redirect is written that begins with a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirects {
    /// `absolute_redirect`: with scheme, host and port.
    pub are_absolute: bool,
    /// `port_in_redirect`.
    pub have_port: bool,
    /// `server_name_in_redirect`.
    pub have_server_name: bool,
}

/// How a client's connection is closed while the client may still be sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lingering {
    /// `lingering_close`.
    pub close: LingeringClose,
    /// `lingering_time`: how long in all what comes is thrown away.
    pub time_ms: u64,
    /// `lingering_timeout`: the longest pause meanwhile.
    pub timeout_ms: u64,
}

/// The words of `lingering_close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LingeringClose {
    /// Closed at once.
    Off,
    /// What comes is thrown away for a time where more is to be expected.
    On,
    /// It always is.
    Always,
}
