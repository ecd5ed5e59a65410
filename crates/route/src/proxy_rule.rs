//! What is sent to an upstream: the request target, the fields that are set, those that are not passed on.

use std::sync::Arc;

use conf::template::Template;
use conf::tree::{LocationSettings, NextUpstream, PassTo, ProxyPass, ProxySettings};

use crate::answer_rule::{self, AnswerRule, Hidden};
use crate::escape::append_escaped;
use crate::fact::Fact;
use crate::names::Names;
use crate::normalize::split_target;
use crate::text::{Piece, Text};

/// Fields of the client's connection, which are not passed on unless they are set. The empty default of Connection is
/// nginx's since 1.29.7, as keeping connections to upstreams is.
const HOP_BY_HOP: &[&str] = &["connection", "expect", "keep-alive", "te", "upgrade"];

/// Fields that frame the body. The sender writes them; one set by the configuration would contradict the bytes sent.
const FRAMING: &[&str] = &["content-length", "transfer-encoding"];

/// `proxy_pass` with all that applies to it.
#[derive(Debug)]
pub struct ProxyRule {
    /// Where requests go.
    pub to: To,
    /// `$proxy_host`: the authority as written.
    pub proxy_host: String,
    /// `$proxy_port`: its port, 80 when none is written.
    pub proxy_port: String,
    /// `proxy_method`.
    pub method: Option<Text>,
    /// Whether HTTP/1.1 is spoken to the upstream.
    pub http11: bool,
    /// Fields to send: `proxy_set_header`s, then nginx's defaults for names that those leave out. One whose value
    /// renders empty is not sent. Never Content-Length or Transfer-Encoding: framing is the sender's.
    pub set_headers: Arc<[SetHeader]>,
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
    /// `proxy_set_body`.
    pub set_body: Option<Text>,
    /// `proxy_pass_request_headers`.
    pub pass_headers: bool,
    /// `proxy_pass_request_body`.
    pub pass_body: bool,
    /// `proxy_ignore_client_abort`.
    pub ignore_client_abort: bool,
    /// `proxy_socket_keepalive`.
    pub socket_keepalive: bool,
    /// `proxy_bind`.
    pub bind: Option<Text>,
    /// `proxy_protocol`.
    pub proxy_protocol: bool,
    /// TLS to the servers.
    pub tls: Option<ProxyTls>,
    /// `proxy_intercept_errors`.
    pub intercept_errors: bool,
    /// `proxy_buffer_size`; 0 where none is written.
    pub buffer_size: u64,
    /// What becomes of answers.
    pub answer: AnswerRule,
    /// The URI of `proxy_pass`, and the length of the location's path that it replaces.
    uri: Option<(Vec<u8>, usize)>,
    /// Names, in lower case, that are not passed on from the client: by their length, so that most names are compared
    /// with none or one.
    replaced: Arc<[Vec<Vec<u8>>]>,
}

/// What the settings of `proxy_*` alone say of fields, for all locations that share them.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) set_headers: Arc<[SetHeader]>,
    replaced: Arc<[Vec<Vec<u8>>]>,
    pub(crate) hidden: Hidden,
}

impl Fields {
    pub(crate) fn compile(settings: &ProxySettings, names: &Names) -> Self {
        let mut set_headers = headers(&settings.set_headers, names);
        let set = set_headers.iter().map(|header| header.name().to_ascii_lowercase());
        let replaced = by_length(set.chain(HOP_BY_HOP.iter().chain(FRAMING).map(|name| name.as_bytes().to_vec())));
        // One that is always empty is never sent.
        set_headers.retain(|header| header.value.as_literal() != Some(b""));
        Self { set_headers: set_headers.into(), replaced: replaced.into(), hidden: answer_rule::hidden(settings) }
    }
}

/// TLS to the servers of a rule.
#[derive(Debug)]
pub struct ProxyTls {
    /// Index into [`crate::Router::proxy_tls`].
    pub way: usize,
    /// `proxy_ssl_name`: the name that is asked for and verified.
    pub name: Text,
}

impl ProxyTls {
    pub(crate) fn compile(way: usize, name: &Template, maps: &Names) -> Self {
        Self { way, name: Text::compile(name, maps) }
    }
}

/// Where a rule's requests go.
#[derive(Debug)]
pub enum To {
    /// Index into [`crate::Router::upstreams`].
    Upstream(usize),
    /// To what a text comes to, scheme and path included.
    Variable {
        /// The text.
        text: Text,
        /// Who knows the addresses of names that are no upstream's: index into [`crate::Router::resolvers`].
        resolver: Option<usize>,
    },
}

/// A field to send.
#[derive(Debug, Clone)]
pub struct SetHeader {
    /// Its name as written, the colon and a space.
    pub prefix: Vec<u8>,
    /// Its value.
    pub value: Text,
    /// Whether the value may hold bytes that would break the head apart: then it is to be looked through.
    pub may_break_lines: bool,
    /// Whether it is `Upgrade`: with it a request asks for another protocol.
    pub is_upgrade: bool,
    /// Whether it is `Connection`, which may end the connection.
    pub is_connection: bool,
}

impl ProxyRule {
    pub(crate) fn compile(
        pass: &ProxyPass,
        location: &str,
        location_settings: &LocationSettings,
        maps: &Names,
    ) -> Self {
        let settings = &pass.settings;
        let Fields { set_headers, replaced, .. } = maps.fields(settings);
        let (proxy_host, proxy_port) = host_and_port(&pass.host, if pass.tls.is_some() { "443" } else { "80" });
        Self {
            to: To::compile(&pass.to, maps),
            proxy_host,
            proxy_port,
            method: settings.method.as_ref().map(|method| Text::compile(method, maps)),
            http11: settings.http11,
            set_headers,
            connect_timeout_ms: settings.connect_timeout_ms,
            send_timeout_ms: settings.send_timeout_ms,
            read_timeout_ms: settings.read_timeout_ms,
            next_upstream: settings.next_upstream.clone(),
            next_upstream_tries: settings.next_upstream_tries,
            next_upstream_timeout_ms: settings.next_upstream_timeout_ms,
            request_buffering: settings.request_buffering,
            set_body: settings.set_body.as_ref().map(|body| Text::compile(body, maps)),
            pass_headers: settings.pass_request_headers,
            pass_body: settings.pass_request_body,
            ignore_client_abort: settings.ignore_client_abort,
            socket_keepalive: settings.socket_keepalive,
            bind: settings.bind.as_ref().map(|address| Text::compile(address, maps)),
            proxy_protocol: settings.proxy_protocol,
            tls: pass.tls.map(|way| ProxyTls::compile(way, &settings.ssl_name, maps)),
            answer: AnswerRule::compile(location_settings, settings, redirect_default(pass, location), maps),
            intercept_errors: settings.intercept_errors,
            buffer_size: settings.buffer_size,
            uri: pass.uri.as_ref().map(|uri| (uri.clone().into_bytes(), location.len())),
            replaced,
        }
    }

    /// Whether the client's fields of this name are not passed on, because one is set or because they concern the
    /// client's connection only.
    pub fn replaces(&self, name: &[u8]) -> bool {
        let same_length = self.replaced.get(name.len());
        let is_same = |other: &[u8]| name.iter().zip(other).all(|(byte, lower)| byte.to_ascii_lowercase() == *lower);
        same_length.is_some_and(|others| others.iter().any(|other| is_same(other)))
    }

    /// Whether the client's body is put aside.
    pub fn replaces_body(&self) -> bool {
        self.set_body.is_some() || !self.pass_body
    }

    /// Whether the target that goes to the upstream is made from the decoded path.
    pub fn rewrites_target(&self) -> bool {
        self.uri.is_some()
    }

    /// Appends the target to ask the upstream for.
    pub fn target(&self, target: &Target<'_>, out: &mut Vec<u8>) {
        let mut rest = target.path;
        match &self.uri {
            None if !target.is_changed => return out.extend_from_slice(target.raw),
            Some((uri, replaced)) if target.is_of_location => {
                out.extend_from_slice(uri);
                rest = &rest[(*replaced).min(rest.len())..];
            }
            // As in nginx, of a path that rules have changed for good nothing is replaced.
            _ => {}
        }
        // As in nginx, what the client did not escape is not escaped now either.
        if target.is_internal || split_target(target.raw).0.contains(&b'%') {
            append_escaped(rest, out);
        } else {
            out.extend_from_slice(rest);
        }
        if !target.args.is_empty() {
            out.push(b'?');
            out.extend_from_slice(target.args);
        }
    }
}

impl To {
    fn compile(to: &PassTo, maps: &Names) -> Self {
        match to {
            PassTo::Upstream(upstream) => Self::Upstream(*upstream),
            PassTo::Variable { text, resolver } => {
                Self::Variable { text: Text::compile(text, maps), resolver: *resolver }
            }
        }
    }
}

impl SetHeader {
    /// Its name as written.
    pub fn name(&self) -> &[u8] {
        &self.prefix[..self.prefix.len() - 2]
    }

    fn new(name: &str, value: Text) -> Self {
        Self {
            prefix: format!("{name}: ").into_bytes(),
            may_break_lines: value.may_break_lines(),
            value,
            is_upgrade: name.eq_ignore_ascii_case("upgrade"),
            is_connection: name.eq_ignore_ascii_case("connection"),
        }
    }
}

/// `proxy_redirect default`: the address of `proxy_pass` becomes the location's path, or `/` where it has no path.
/// Where variables make it there is none.
fn redirect_default(pass: &ProxyPass, location: &str) -> Option<(String, String)> {
    if matches!(pass.to, PassTo::Variable { .. }) {
        return None;
    }
    let host = &pass.host;
    let scheme = if pass.tls.is_some() { "https" } else { "http" };
    Some(match &pass.uri {
        Some(uri) => (format!("{scheme}://{host}{uri}"), location.to_owned()),
        None => (format!("{scheme}://{host}/"), "/".to_owned()),
    })
}

/// What a request asks for, as far as it is known here.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The client's target in origin form.
    pub raw: &'a [u8],
    /// Whether it asks for something else by now.
    pub is_changed: bool,
    /// The normalized path.
    pub path: &'a [u8],
    /// What follows `?`; empty when nothing does.
    pub args: &'a [u8],
    /// Whether the path begins with the location's.
    pub is_of_location: bool,
    /// Whether rules, an error page or a server have sent it to this path.
    pub is_internal: bool,
}

/// The fields to send: `Host $proxy_host` unless Host is set, then those that are set.
fn headers(set: &[(String, Template)], maps: &Names) -> Vec<SetHeader> {
    let written = set.iter().map(|(name, value)| SetHeader::new(name, Text::compile(value, maps)));
    let is_set = |name: &str| set.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let host = SetHeader::new("Host", Text::from_pieces(vec![Piece::Fact(Fact::ProxyHost)]));
    let host = Some(host).filter(|_| !is_set("Host"));
    let of_framing =
        |header: &SetHeader| FRAMING.iter().any(|name| header.name().eq_ignore_ascii_case(name.as_bytes()));
    host.into_iter().chain(written).filter(|header| !of_framing(header)).collect()
}

/// Host without a port that is the scheme's own, and the port.
pub fn host_and_port(authority: &str, own: &str) -> (String, String) {
    if authority.starts_with("unix:") {
        return ("localhost".to_owned(), String::new());
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port == own => (host.to_owned(), own.to_owned()),
        Some((_, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (authority.to_owned(), port.to_owned())
        }
        _ => (authority.to_owned(), own.to_owned()),
    }
}

fn by_length(names: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut by_length = Vec::new();
    for name in names {
        if by_length.len() <= name.len() {
            by_length.resize_with(name.len() + 1, Vec::new);
        }
        by_length[name.len()].push(name);
    }
    by_length
}

#[cfg(test)]
mod tests;
