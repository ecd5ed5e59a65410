//! Parts of the tree while they are being built, with nginx's defaults.

use std::path::PathBuf;

use super::buffers::Buffers;
use crate::loader::Options;
use crate::parser::Node;
use crate::shared::Shared;
use crate::span::Place;
use crate::template::{Part, Template};
use crate::tree::{
    AccessSettings, Algorithm, ClientAuth, ErrorLog, GzipFiles, GzipProxied, GzipSettings, Handler, HealthCheck,
    LibertyHeaders, LimitSettings, Lingering, LingeringClose, Listen, LocationSettings, LogLevel, LogTarget, Main,
    NextUpstream, OutlierEjection, ProxyPass, ProxySettings, Queue, RealIpSettings, Redirect, Redirects, Refusal,
    ResolvedServer, Resolver, RetryBudget, Rule, Sticky, Tls, TryFiles, Upstream, UpstreamServer, VerifyClient, Zone,
};

const MINUTE_MS: u64 = 60_000;
/// nginx's own default of `resolver_timeout`.
pub(crate) const RESOLVER_TIMEOUT_MS: u64 = 30_000;

pub(crate) type MainDraft = Main;

/// What lower levels inherit: `http`, `server` and `location` each have a copy.
#[derive(Clone)]
pub(crate) struct Inherited {
    pub(crate) settings: Shared<LocationSettings>,
    pub(crate) proxy: Shared<ProxySettings>,
    pub(crate) server: Shared<ServerWide>,
    pub(crate) buffers: Buffers,
    /// `resolver`, but for its `resolver_timeout`.
    pub(crate) resolver: Option<Resolver>,
    pub(crate) resolver_timeout_ms: u64,
    /// `access_log off` stands at the level that they were written at.
    pub(crate) access_log_off: bool,
    /// Whether an `allow` or `deny` was written at this level: the first puts aside all from above.
    pub(crate) has_access_rules: bool,
    /// The rules of rewriting that are `off` at the level they were written at.
    pub(crate) off: Vec<&'static str>,
    /// Where the files of `proxy_ssl_*` that apply were written.
    pub(crate) ssl_places: Vec<(&'static str, Place)>,
    /// Where the `proxy_next_upstream` that applies was written.
    pub(crate) next_upstream_place: Option<Place>,
    /// `health_check_timeout`.
    pub(crate) health_check_timeout_ms: u64,
}

/// Settings of `http` and `server` that no location has.
#[derive(Clone)]
pub(crate) struct ServerWide {
    pub(crate) client_header_timeout_ms: u64,
    pub(crate) http2: bool,
    pub(crate) http2_max_concurrent_streams: u32,
    pub(crate) http2_body_preread_size: u32,
    pub(crate) ignore_invalid_headers: bool,
    /// Where that was turned off.
    pub(crate) invalid_headers_place: Option<Place>,
    pub(crate) liberty_headers: Option<LibertyHeaders>,
    pub(crate) underscores_in_headers: bool,
    pub(crate) merge_slashes: bool,
    pub(crate) header_buffer: u64,
    /// How many, and how large.
    pub(crate) large_header_buffers: (u64, u64),
    pub(crate) tls: TlsDraft,
}

#[derive(Clone)]
pub(crate) struct TlsDraft {
    /// `ssl on`.
    pub(crate) is_on: bool,
    pub(crate) certificates: Vec<(PathBuf, Place)>,
    pub(crate) keys: Vec<(PathBuf, Place)>,
    /// `ssl_password_file`.
    pub(crate) passwords: Option<PathBuf>,
    /// Whether commands of OpenSSL's leave out TLS 1.2, and TLS 1.3, whatever `ssl_protocols` says.
    pub(crate) without: (bool, bool),
    /// All else.
    pub(crate) settings: Tls,
    /// Where `ssl_stapling on` was written.
    pub(crate) stapling: Option<Place>,
    pub(crate) stapling_file: Option<(PathBuf, Place)>,
    /// Where the `ssl_protocols` and `ssl_ciphers` that apply were written.
    pub(crate) ciphers_place: Option<Place>,
    /// Where the `ssl_verify_client` that applies was written.
    pub(crate) verify_place: Option<Place>,
    /// Files beside certificates and keys, by their directives: of authorities, of revocations, of parameters.
    pub(crate) files: Vec<(&'static str, PathBuf, Place)>,
}

#[derive(Default)]
pub(crate) struct ServerDraft {
    pub(crate) listens: Vec<ListenDraft>,
    pub(crate) names: Vec<(String, Place)>,
    pub(crate) status_zone: Option<usize>,
}

pub(crate) struct ListenDraft {
    pub(crate) listen: Listen,
    /// The backlog, if this directive gives one.
    pub(crate) backlog: Option<u32>,
    /// Whether it says anything of its socket: only one for an address may.
    pub(crate) has_options: bool,
}

/// What a server or location does with a request.
#[derive(Default)]
pub(crate) struct Actions {
    /// Rules in the order written.
    pub(crate) rules: Vec<Rule>,
    pub(crate) proxy: Option<ProxyPass>,
    /// What else the answer comes from, by the directive that says so.
    pub(crate) contents: Vec<(Handler, &'static str, Place)>,
    pub(crate) is_internal: bool,
    pub(crate) try_files: Option<TryFiles>,
    pub(crate) health: Option<HealthDraft>,
}

/// A `health_check` before it is known whose servers it checks.
pub(crate) struct HealthDraft {
    pub(crate) check: HealthCheck,
    /// The name of its `match`, and where it stands.
    pub(crate) matching: Option<(String, Place)>,
}

pub(crate) struct UpstreamDraft {
    pub(crate) algorithm: Algorithm,
    pub(crate) sticky: Option<(Sticky, Place)>,
    pub(crate) servers: Vec<UpstreamServer>,
    /// Servers with `resolve`, and where among the servers their addresses belong.
    pub(crate) resolved: Vec<ResolvedServer>,
    pub(crate) resolver: Option<Resolver>,
    pub(crate) resolver_timeout_ms: Option<u64>,
    pub(crate) keepalive: u32,
    pub(crate) keepalive_timeout_ms: u64,
    pub(crate) keepalive_requests: u64,
    pub(crate) keepalive_time_ms: u64,
    pub(crate) queue: Option<Queue>,
    pub(crate) retry_budget: Option<RetryBudget>,
    pub(crate) outlier_ejection: Option<OutlierEjection>,
    pub(crate) hash_place: Option<Place>,
    /// The directive that chose the algorithm; two may not.
    pub(crate) method: Option<(&'static str, Place)>,
    pub(crate) zone: Option<String>,
    pub(crate) state: Option<(PathBuf, Place)>,
    pub(crate) backup_place: Option<Place>,
    pub(crate) slow_start_place: Option<Place>,
    /// Directives that mean something among several servers, and where they were written.
    pub(crate) for_several: Vec<(&'static str, Place)>,
    pub(crate) keepalive_place: Option<Place>,
    pub(crate) keepalive_timeout_place: Option<Place>,
}

pub(crate) fn main(options: &Options) -> MainDraft {
    let to = match &options.error_log {
        Some(path) if path.as_os_str() == "stderr" => LogTarget::Stderr,
        Some(path) => LogTarget::File(options.prefix.join(path)),
        None => LogTarget::File(options.error_log_default.clone()),
    };
    Main {
        user: None,
        worker_processes: Some(1),
        worker_rlimit_nofile: None,
        daemon: None,
        master_process: true,
        worker_shutdown_timeout_ms: 0,
        pid: options.pid_default.clone(),
        error_logs: vec![ErrorLog { to, level: LogLevel::Error }],
    }
}

/// What holds in `http` where nothing is written.
pub(crate) fn inherited(
    options: &Options,
    error_logs: Vec<ErrorLog>,
    proxy_settings: Shared<ProxySettings>,
) -> Inherited {
    let settings = LocationSettings {
        keepalive_timeout_ms: 75_000,
        keepalive_header_s: None,
        keepalive_requests: 1_000,
        client_max_body_size: 1 << 20,
        client_body_timeout_ms: MINUTE_MS,
        client_body_buffer_size: 16 << 10,
        client_body_temp_path: options.client_body_temp_default.clone().into(),
        send_timeout_ms: MINUTE_MS,
        chunked_transfer_encoding: true,
        lingering: Lingering { close: LingeringClose::On, time_ms: 30_000, timeout_ms: 5_000 },
        reset_timedout_connection: false,
        keepalive_time_ms: 60 * MINUTE_MS,
        limit_rate: None,
        limit_rate_after: None,
        is_internal: false,
        error_pages: Vec::new(),
        recursive_error_pages: false,
        add_headers: Vec::new(),
        add_trailers: Vec::new(),
        expires: None,
        charset: None,
        source_charset: None,
        override_charset: false,
        charset_types: crate::table::CHARSET_TYPES.map(str::to_owned).to_vec().into(),
        redirects: Redirects { are_absolute: true, have_port: true, have_server_name: false },
        access_logs: Vec::new(),
        error_logs: error_logs.into(),
        files: super::files::defaults(options).into(),
        gzip: gzip().into(),
        limits: limits().into(),
        real_ip: RealIpSettings { from: Vec::new(), header: "X-Real-IP".to_owned(), is_recursive: false }.into(),
        access: AccessSettings::default().into(),
        status_zone: None,
    };
    let server = ServerWide {
        client_header_timeout_ms: MINUTE_MS,
        http2: false,
        http2_max_concurrent_streams: 128,
        http2_body_preread_size: 64 * 1024,
        ignore_invalid_headers: true,
        invalid_headers_place: None,
        liberty_headers: None,
        underscores_in_headers: false,
        merge_slashes: true,
        header_buffer: 1024,
        large_header_buffers: (4, 8 * 1024),
        tls: tls(),
    };
    Inherited {
        settings: settings.into(),
        proxy: proxy_settings,
        server: server.into(),
        buffers: Buffers::default(),
        resolver: None,
        resolver_timeout_ms: RESOLVER_TIMEOUT_MS,
        access_log_off: false,
        has_access_rules: false,
        off: Vec::new(),
        ssl_places: Vec::new(),
        next_upstream_place: None,
        health_check_timeout_ms: 5_000,
    }
}

fn tls() -> TlsDraft {
    let settings = Tls {
        certificates: Vec::new(),
        tls12: true,
        tls13: true,
        ciphers: None,
        ciphers13: None,
        prefers_own_ciphers: false,
        curves: None,
        session_timeout_ms: 5 * MINUTE_MS,
        session_cache: 0,
        session_tickets: true,
        ticket_keys: Vec::new(),
        stapling_file: None,
        rejects: false,
        clients: ClientAuth { verify: VerifyClient::Off, depth: 1, authorities: None, trusted: None, revoked: None },
    };
    TlsDraft {
        is_on: false,
        certificates: Vec::new(),
        keys: Vec::new(),
        passwords: None,
        without: (false, false),
        settings,
        stapling: None,
        stapling_file: None,
        ciphers_place: None,
        verify_place: None,
        files: Vec::new(),
    }
}

fn limits() -> LimitSettings {
    let refusal = Refusal { status: 503, log_level: LogLevel::Error, is_dry_run: false };
    LimitSettings { rates: Vec::new(), of_rates: refusal, connections: Vec::new(), of_connections: refusal }
}

fn gzip() -> GzipSettings {
    GzipSettings {
        is_on: false,
        types: vec!["text/html".to_owned()],
        level: 1,
        min_length: 20,
        proxied: GzipProxied::default(),
        varies: false,
        http10: false,
        disabled: Vec::new(),
        disables_msie6: false,
        files: GzipFiles::Off,
        unpacks: false,
    }
}

/// `proxy_*` where nothing is written.
pub(super) fn proxy() -> ProxySettings {
    ProxySettings {
        // Since nginx 1.29.7; 1.0 before.
        http11: true,
        method: None,
        set_headers: Vec::new(),
        connect_timeout_ms: MINUTE_MS,
        send_timeout_ms: MINUTE_MS,
        read_timeout_ms: MINUTE_MS,
        next_upstream: NextUpstream { error: true, timeout: true, ..NextUpstream::default() },
        next_upstream_tries: 0,
        next_upstream_timeout_ms: 0,
        request_buffering: true,
        intercept_errors: false,
        buffer_size: 0,
        hide_headers: Vec::new(),
        pass_headers: Vec::new(),
        ignore_headers: Vec::new(),
        set_body: None,
        pass_request_headers: true,
        pass_request_body: true,
        ignore_client_abort: false,
        socket_keepalive: false,
        bind: None,
        proxy_protocol: false,
        redirects: vec![Redirect::Default],
        cookie_domains: Vec::new(),
        cookie_paths: Vec::new(),
        cookie_flags: Vec::new(),
        tls: crate::tree::ProxyTls::default(),
        ssl_name: Template { parts: vec![Part::Variable("proxy_host".to_owned())] },
    }
}

impl Inherited {
    /// What a block within this level begins with.
    pub(crate) fn below(&self) -> Self {
        Self { has_access_rules: false, ..self.clone() }
    }
}

impl Actions {
    /// Keeps the place of an `if` among the rules, which is built when all is known that holds in it too.
    pub(crate) fn place_of<'n>(&mut self, node: &'n Node) -> (usize, &'n Node) {
        self.rules.push(Rule::Break);
        (self.rules.len() - 1, node)
    }

    /// Puts it there.
    pub(crate) fn put(&mut self, index: usize, rule: Option<Rule>) {
        if let Some(rule) = rule {
            self.rules[index] = rule;
        }
    }
}

impl UpstreamDraft {
    pub(crate) fn new() -> Self {
        Self {
            algorithm: Algorithm::RoundRobin,
            sticky: None,
            servers: Vec::new(),
            resolved: Vec::new(),
            resolver: None,
            resolver_timeout_ms: None,
            // Since nginx 1.29.7; none before.
            keepalive: 32,
            keepalive_timeout_ms: MINUTE_MS,
            keepalive_requests: 1_000,
            keepalive_time_ms: 60 * MINUTE_MS,
            queue: None,
            retry_budget: None,
            outlier_ejection: None,
            hash_place: None,
            method: None,
            zone: None,
            state: None,
            backup_place: None,
            slow_start_place: None,
            for_several: Vec::new(),
            keepalive_place: None,
            keepalive_timeout_place: None,
        }
    }

    pub(crate) fn finish(self, name: String, declared: bool, place: Place) -> Upstream {
        Upstream {
            key: name.to_ascii_lowercase(),
            name,
            declared,
            algorithm: self.algorithm,
            sticky: self.sticky.map(|(sticky, _)| sticky),
            servers: self.servers,
            resolved: self.resolved,
            keepalive: self.keepalive,
            keepalive_timeout_ms: self.keepalive_timeout_ms,
            keepalive_requests: self.keepalive_requests,
            keepalive_time_ms: self.keepalive_time_ms,
            zone: Zone { name: self.zone, state: self.state.map(|(path, _)| path) },
            queue: self.queue,
            retry_budget: self.retry_budget,
            outlier_ejection: self.outlier_ejection,
            place,
        }
    }
}
