//! `proxy_pass` and the `proxy_*` settings of a location.

use std::path::PathBuf;

use super::Cipher;
use super::Pattern;
use crate::shared::Shared;
use crate::template::Template;

/// `proxy_pass SCHEME://UPSTREAM[URI]`.
#[derive(Debug, Clone)]
pub struct ProxyPass {
    /// Where requests go.
    pub to: PassTo,
    /// The authority as written, which is `$proxy_host`; a unix socket with its `unix:`.
    pub host: String,
    /// The URI after the authority, which replaces the part of the path that the location matched; `None` passes the
    /// client's request target on as it came.
    pub uri: Option<String>,
    /// For `https`: index into `Http::proxy_tls`.
    pub tls: Option<usize>,
    /// What applies where it stands.
    pub settings: Shared<ProxySettings>,
}

/// Where `proxy_pass` leads.
#[derive(Debug, Clone)]
pub enum PassTo {
    /// Index into `Http::upstreams`.
    Upstream(usize),
    /// To what a text with variables comes to, scheme and path included.
    Variable {
        /// The text.
        text: Template,
        /// Who knows the addresses of names that are no upstream's: index into `Http::resolvers`.
        resolver: Option<usize>,
    },
}

/// `proxy_*` settings of a location.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxySettings {
    /// `proxy_http_version`: whether 1.1 is spoken to the upstream.
    pub http11: bool,
    /// `proxy_method`.
    pub method: Option<Template>,
    /// `proxy_set_header`s as written; what nginx sends by default (`Host $proxy_host`) is added by `route`.
    pub set_headers: Vec<(String, Template)>,
    /// `proxy_connect_timeout`.
    pub connect_timeout_ms: u64,
    /// `proxy_send_timeout`.
    pub send_timeout_ms: u64,
    /// `proxy_read_timeout`.
    pub read_timeout_ms: u64,
    /// `proxy_next_upstream`.
    pub next_upstream: NextUpstream,
    /// `proxy_next_upstream_tries`; 0 is no limit.
    pub next_upstream_tries: u32,
    /// `proxy_next_upstream_timeout`; 0 is no limit.
    pub next_upstream_timeout_ms: u64,
    /// `proxy_request_buffering`.
    pub request_buffering: bool,
    /// `proxy_intercept_errors`.
    pub intercept_errors: bool,
    /// `proxy_buffer_size`; 0 where none is written.
    pub buffer_size: u64,
    /// `proxy_hide_header`s, in lower case.
    pub hide_headers: Vec<String>,
    /// `proxy_pass_header`s, in lower case.
    pub pass_headers: Vec<String>,
    /// `proxy_ignore_headers`, in lower case.
    pub ignore_headers: Vec<String>,
    /// `proxy_set_body`.
    pub set_body: Option<Template>,
    /// `proxy_pass_request_headers`.
    pub pass_request_headers: bool,
    /// `proxy_pass_request_body`.
    pub pass_request_body: bool,
    /// `proxy_ignore_client_abort`.
    pub ignore_client_abort: bool,
    /// `proxy_socket_keepalive`.
    pub socket_keepalive: bool,
    /// `proxy_bind`: the address on this side of connections to servers, with or without a port.
    pub bind: Option<Template>,
    /// `proxy_protocol`.
    pub proxy_protocol: bool,
    /// `proxy_redirect`; none at all is `off`.
    pub redirects: Vec<Redirect>,
    /// `proxy_cookie_domain`.
    pub cookie_domains: Vec<Replacement>,
    /// `proxy_cookie_path`.
    pub cookie_paths: Vec<Replacement>,
    /// `proxy_cookie_flags`.
    pub cookie_flags: Vec<CookieFlags>,
    /// `proxy_ssl_*`, but for the name.
    pub tls: ProxyTls,
    /// `proxy_ssl_name`.
    pub ssl_name: Template,
}

/// `proxy_ssl_*`: how TLS is spoken to servers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "one switch a directive")]
pub struct ProxyTls {
    /// `proxy_ssl_server_name`.
    pub server_name: bool,
    /// `proxy_ssl_verify`.
    pub verify: bool,
    /// `proxy_ssl_trusted_certificate`, a PEM file.
    pub trusted: Option<PathBuf>,
    /// `proxy_ssl_certificate`, a PEM file with the chain.
    pub certificate: Option<PathBuf>,
    /// `proxy_ssl_certificate_key`, a PEM file.
    pub key: Option<PathBuf>,
    /// `proxy_ssl_password_file`.
    pub passwords: Option<PathBuf>,
    /// `proxy_ssl_crl`, a PEM file.
    pub revoked: Option<PathBuf>,
    /// `proxy_ssl_conf_command Ciphersuites`: suites of TLS 1.3; `None` is all there are.
    pub ciphers13: Option<Vec<Cipher>>,
    /// Whether TLS 1.2 is offered.
    pub tls12: bool,
    /// Whether TLS 1.3 is offered.
    pub tls13: bool,
    /// Whether commands of OpenSSL's leave out TLS 1.2, and TLS 1.3, all the same.
    pub without: (bool, bool),
    /// `proxy_ssl_session_reuse`.
    pub session_reuse: bool,
}

impl Default for ProxyTls {
    /// What holds where nothing is written.
    fn default() -> Self {
        let (trusted, certificate, key) = (None, None, None);
        Self {
            server_name: false,
            verify: false,
            trusted,
            certificate,
            key,
            passwords: None,
            revoked: None,
            ciphers13: None,
            tls12: true,
            tls13: true,
            without: (false, false),
            session_reuse: true,
        }
    }
}

/// One `proxy_redirect`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Redirect {
    /// From the address of `proxy_pass` to that of the location.
    Default,
    /// As written.
    Rule(Replacement),
}

/// What is looked for, and what takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replacement {
    /// What is looked for.
    pub from: Subject,
    /// What takes its place.
    pub to: Template,
}

/// What a text is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A text.
    Text(Template),
    /// A regular expression.
    Pattern(Pattern),
}

/// One `proxy_cookie_flags`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CookieFlags {
    /// The cookie's name.
    pub cookie: Subject,
    /// What becomes of its flags.
    pub change: CookieChange,
}

/// What becomes of a cookie's flags; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct CookieChange {
    /// `secure` or `nosecure`.
    pub secure: Option<bool>,
    /// `httponly` or `nohttponly`.
    pub http_only: Option<bool>,
    /// `samesite=...` or `nosamesite`.
    pub same_site: Option<SameSite>,
}

/// What becomes of `SameSite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the documentation: they are the attribute's")]
pub enum SameSite {
    Strict,
    Lax,
    None,
    /// It is taken away.
    Removed,
}

impl SameSite {
    /// The attribute's value; `None` where it is taken away.
    pub fn value(self) -> Option<&'static str> {
        match self {
            Self::Strict => Some("Strict"),
            Self::Lax => Some("Lax"),
            Self::None => Some("None"),
            Self::Removed => None,
        }
    }
}

/// The words of `proxy_next_upstream`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "one flag a word of the directive")]
pub struct NextUpstream {
    /// `error`.
    pub error: bool,
    /// `timeout`.
    pub timeout: bool,
    /// `invalid_header`.
    pub invalid_header: bool,
    /// `non_idempotent`.
    pub non_idempotent: bool,
    /// `http_NNN`: the statuses that go to the next server (403, 404, 429, 500, 502, 503, 504).
    pub statuses: Vec<u16>,
}
