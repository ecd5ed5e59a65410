//! Configuration trees made by hand, and facts from a table, for this crate's tests.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use conf::span::Place;
use conf::template::Template;
use conf::tree::*;

use crate::fact::{Fact, Facts};

/// Facts by their variables' names.
pub(crate) struct Table(pub(crate) &'static [(&'static str, &'static str)]);

impl Facts for Table {
    fn append(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        let found = self.0.iter().find(|(name, _)| Fact::parse(name).as_ref() == Some(fact));
        out.extend_from_slice(found.map_or(b"", |(_, value)| value.as_bytes()));
        found.is_some()
    }
}

pub(crate) fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

pub(crate) fn settings() -> LocationSettings {
    LocationSettings {
        keepalive_timeout_ms: 75_000,
        keepalive_header_s: None,
        keepalive_requests: 1000,
        client_max_body_size: 1 << 20,
        client_body_timeout_ms: 60_000,
        client_body_buffer_size: 16 << 10,
        client_body_temp_path: PathBuf::new().into(),
        send_timeout_ms: 60_000,
        chunked_transfer_encoding: true,
        lingering: Lingering { close: LingeringClose::On, time_ms: 30_000, timeout_ms: 5_000 },
        reset_timedout_connection: false,
        keepalive_time_ms: 3_600_000,
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
        charset_types: Vec::new().into(),
        redirects: Redirects { are_absolute: true, have_port: true, have_server_name: false },
        access_logs: Vec::new(),
        error_logs: vec![ErrorLog { to: LogTarget::Stderr, level: LogLevel::Error }].into(),
        gzip: GzipSettings {
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
        .into(),
        limits: LimitSettings {
            rates: Vec::new(),
            of_rates: Refusal { status: 503, log_level: LogLevel::Error, is_dry_run: false },
            connections: Vec::new(),
            of_connections: Refusal { status: 503, log_level: LogLevel::Error, is_dry_run: false },
        }
        .into(),
        real_ip: RealIpSettings { from: Vec::new(), header: "X-Real-IP".to_owned(), is_recursive: false }.into(),
        access: AccessSettings::default().into(),
        status_zone: None,
        files: FileSettings {
            root: Root { path: template("/html"), prefix: String::new(), kind: RootKind::Root },
            index: Vec::new(),
            types: std::collections::BTreeMap::new().into(),
            default_type: "text/plain".to_owned(),
            etag: true,
            if_modified_since: IfModifiedSince::Exact,
            max_ranges: u64::MAX,
            log_not_found: true,
            listing: Listing { is_on: false, format: ListFormat::Html, exact_size: true, local_time: false },
            links: Links { rule: LinkRule::Follow, from: None },
        }
        .into(),
    }
}

pub(crate) fn proxy_settings(set_headers: &[(&str, &str)]) -> ProxySettings {
    let set_headers = set_headers.iter().map(|(name, value)| ((*name).to_owned(), template(value))).collect();
    ProxySettings {
        http11: true,
        method: None,
        set_headers,
        connect_timeout_ms: 60_000,
        send_timeout_ms: 60_000,
        read_timeout_ms: 60_000,
        next_upstream: NextUpstream {
            error: true,
            timeout: true,
            invalid_header: false,
            non_idempotent: false,
            statuses: Vec::new(),
        },
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
        tls: ProxyTls::default(),
        ssl_name: template("$proxy_host"),
    }
}

/// A location that answers its own number as status, so that tests see which one was found.
pub(crate) fn answering(kind: LocationKind, path: &str, status: u16) -> Location {
    let rules = vec![Rule::Return(Return { status, text: None })];
    Location { rules, ..located(kind, path, Handler::Files) }
}

/// The same, found by a pattern.
pub(crate) fn matching(source: &str, status: u16) -> Location {
    let pattern = Pattern { source: source.to_owned(), ignore_case: false, has_names: false };
    answering(LocationKind::Pattern(pattern), source, status)
}

pub(crate) fn proxied(kind: LocationKind, path: &str, uri: Option<&str>) -> Location {
    located(kind, path, Handler::Proxy(proxy_pass("app", uri)))
}

pub(crate) fn proxy_pass(host: &str, uri: Option<&str>) -> ProxyPass {
    let settings = proxy_settings(&[]).into();
    ProxyPass { to: PassTo::Upstream(0), host: host.to_owned(), uri: uri.map(str::to_owned), tls: None, settings }
}

fn located(kind: LocationKind, path: &str, handler: Handler) -> Location {
    Location {
        kind,
        path: path.to_owned(),
        rules: Vec::new(),
        try_files: None,
        limit_except: None,
        handler,
        settings: settings().into(),
        locations: Vec::new(),
        place: Place::default(),
    }
}

pub(crate) fn listen(address: &str, default_server: bool) -> Listen {
    Listen {
        address: ListenAddress::Ip(address.parse().unwrap()),
        ssl: false,
        http2: false,
        proxy_protocol: false,
        default_server,
        backlog: 511,
        options: SocketOptions::default(),
        place: Place::default(),
    }
}

pub(crate) fn server(listens: Vec<Listen>, names: &[&str], locations: Vec<Location>) -> Server {
    Server {
        listens,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        tls: None,
        rules: Vec::new(),
        try_files: None,
        handler: Handler::Files,
        locations,
        settings: settings().into(),
        client_header_timeout_ms: 60_000,
        http2_max_concurrent_streams: 128,
        http2_body_preread_size: 64 * 1024,
        ignore_invalid_headers: true,
        liberty_headers: None,
        underscores_in_headers: false,
        merge_slashes: true,
        header_line_max: 8 << 10,
        header_max: 33 << 10,
        status_zone: None,
        place: Place::default(),
    }
}

pub(crate) fn config(maps: Vec<Map>, servers: Vec<Server>) -> Config {
    let error_logs = vec![ErrorLog { to: LogTarget::Stderr, level: LogLevel::Error }];
    let main = Main {
        user: None,
        worker_processes: None,
        worker_rlimit_nofile: None,
        daemon: None,
        master_process: true,
        worker_shutdown_timeout_ms: 0,
        pid: PathBuf::from("nginx.pid"),
        error_logs,
    };
    Config { main, events: Events { worker_connections: 512 }, http: Http { maps, servers, ..Http::default() } }
}
