//! The values of variables for one request.

mod answer;
mod connection;

use std::cell::Cell;
use std::io::Write;
use std::sync::Arc;

use net::clock;
use net::dial::Endpoint;
use route::{Fact, Facts, ProxyRule, Standing, Target};
use wire::{Field, Known, RequestHead, find};

use crate::client::Client;
use crate::detour::Detour;
use crate::gate::Limited;
use crate::lines::{self, Lines};
use crate::paths;
use crate::request::Routed;
use crate::snapshot::UpstreamSnapshot;
use crate::thread::Thread;
use crate::upstream::target::Proxied;

/// What is noted of a request as it goes along.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) started_ms: u64,
    pub(crate) started_us: u64,
    pub(crate) request_bytes: u64,
    pub(crate) status: u16,
    /// Bytes of head and body that went to the client.
    pub(crate) sent: u64,
    pub(crate) head_bytes: u64,
    /// How it differs from what the client asked for.
    pub(crate) detour: Detour,
    /// What limits have said of it.
    pub(crate) limited: Option<Box<Limited>>,
    /// `set $limit_rate`.
    pub(crate) limit_rate: Option<u64>,
    /// Bytes that gzip has got and made of the answer.
    pub(crate) gzip: Option<(u64, u64)>,
    /// Attempts at upstream servers.
    pub(crate) attempts: Vec<Attempt>,
    /// TLS is spoken to the server that was tried last.
    pub(crate) upstream_is_tls: bool,
    /// Where a `proxy_pass` with variables has led.
    pub(crate) proxied: Option<Box<Proxied>>,
    /// Lines that variables speak of.
    pub(crate) lines: Option<Box<Lines>>,
    /// The next attempt is for another request than those before it: one that was sent on.
    pub(crate) is_sent_on: bool,
    /// It was here before the answer to the one before it was out.
    pub(crate) is_pipelined: bool,
    /// The answer is out whole.
    pub(crate) is_complete: bool,
    pub(crate) request_id: Cell<Option<[u8; 32]>>,
}

/// An attempt at an upstream server.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) at: Tried,
    /// The first for a request that another server's answer has sent on.
    pub(crate) is_sent_on: bool,
    pub(crate) status: u16,
    pub(crate) started_ms: u64,
    pub(crate) started_us: u64,
    pub(crate) connected_ms: Option<u64>,
    pub(crate) head_ms: Option<u64>,
    pub(crate) ended_ms: u64,
    /// Bytes that went there and that came, and of these the body's.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) body: u64,
}

/// What was tried.
#[derive(Debug, Clone)]
pub(crate) enum Tried {
    Server(Endpoint),
    /// All of them, and none could be had.
    Group(Arc<UpstreamSnapshot>),
}

impl Record {
    pub(crate) fn reset(&mut self) {
        let mut attempts = std::mem::take(&mut self.attempts);
        attempts.clear();
        let mut detour = std::mem::take(&mut self.detour);
        detour.reset();
        let mut lines = self.lines.take();
        if let Some(lines) = &mut lines {
            lines.clear();
        }
        *self = Self { attempts, detour, lines, ..Self::default() };
    }

    /// The request's first bytes are here.
    pub(crate) fn start(&mut self) {
        (self.started_ms, self.started_us) = (clock::coarse_ms(), clock::coarse_us());
    }

    /// Begins an attempt.
    pub(crate) fn begin_attempt(&mut self, at: Tried) {
        if let Some(lines) = &mut self.lines {
            lines.upstream.clear();
        }
        let started_ms = clock::coarse_ms();
        self.attempts.push(Attempt {
            at,
            is_sent_on: std::mem::take(&mut self.is_sent_on) && !self.attempts.is_empty(),
            status: 0,
            started_ms,
            started_us: clock::coarse_us(),
            connected_ms: None,
            head_ms: None,
            ended_ms: started_ms,
            sent: 0,
            received: 0,
            body: 0,
        });
    }

    /// Ends the last attempt; 0 is for one that has no status.
    pub(crate) fn end_attempt(&mut self, status: u16) {
        if let Some(attempt) = self.attempts.last_mut() {
            (attempt.status, attempt.ended_ms) = (status, clock::coarse_ms());
        }
    }

    /// Keeps the head that the client is sent, or what there is of it.
    pub(crate) fn keep_sent(&mut self, head: &[u8]) {
        lines::keep(&mut self.lines.get_or_insert_default().sent, head);
    }

    /// Body bytes sent.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.sent.saturating_sub(self.head_bytes)
    }
}

/// A request's facts, lent for as long as a text is rendered.
pub(crate) struct RequestFacts<'a> {
    pub(crate) client: &'a Client,
    pub(crate) thread: &'a Thread,
    pub(crate) request: &'a RequestHead,
    /// The bytes the head's spans lie in.
    pub(crate) head: &'a [u8],
    /// The normalized path; empty before it is known.
    pub(crate) path: &'a [u8],
    pub(crate) routed: &'a Routed<'a>,
    pub(crate) rule: Option<&'a ProxyRule>,
    pub(crate) record: &'a Record,
}

impl<'a> RequestFacts<'a> {
    /// The host asked for, without its port and, as in nginx, without the dot of a full name; may be in upper case.
    pub(crate) fn host(&self) -> &'a [u8] {
        self.request.host_name.of(self.head)
    }

    /// What follows `?`.
    pub(crate) fn args(&self) -> &'a [u8] {
        match &self.record.detour {
            detour if detour.is_changed => &detour.args,
            _ => self.request.path_and_query(self.head).1,
        }
    }

    /// What to ask an upstream for.
    pub(crate) fn target(&self) -> Target<'a> {
        let detour = &self.record.detour;
        Target {
            raw: self.request.path.of(self.head),
            is_changed: detour.is_changed,
            path: self.path,
            args: self.args(),
            is_of_location: !detour.has_left,
            is_internal: detour.is_internal,
        }
    }

    /// The method that goes on: after a redirect to another path GET, or HEAD.
    pub(crate) fn method(&self) -> &'a [u8] {
        if self.record.detour.is_subrequest { b"GET" } else { self.client_method() }
    }

    /// The method as variables have it, which in a subrequest is that of the request that it is for.
    fn client_method(&self) -> &'a [u8] {
        match self.request.method.of(self.head) {
            b"HEAD" => b"HEAD",
            _ if self.record.detour.is_get => b"GET",
            method => method,
        }
    }

    /// Host and port of `proxy_pass`.
    fn proxied(&self) -> Option<(&str, &str)> {
        match &self.record.proxied {
            Some(proxied) => Some((&proxied.host, &proxied.port)),
            None => self.rule.map(|rule| (rule.proxy_host.as_str(), rule.proxy_port.as_str())),
        }
    }

    /// The request line.
    pub(crate) fn request_line(&self) -> &'a [u8] {
        let head = trim_start(self.head);
        let end = memchr_line(head);
        &head[..end]
    }

    fn field(&self, known: Known) -> Option<&'a [u8]> {
        if !self.request.seen.contains(known) {
            return None;
        }
        find(&self.request.fields, known).map(|field| field.value.of(self.head))
    }

    /// All fields of a name, joined as nginx joins them.
    fn joined(&self, is_meant: impl Fn(&Field) -> bool, separator: &[u8], out: &mut Vec<u8>) -> bool {
        let mut found = false;
        for field in self.request.fields.iter().filter(|field| is_meant(field)) {
            if found {
                out.extend_from_slice(separator);
            }
            found = true;
            out.extend_from_slice(field.value.of(self.head));
        }
        found
    }

    fn cookie(&self, name: &str, out: &mut Vec<u8>) -> bool {
        if !self.request.seen.contains(Known::Cookie) {
            return false;
        }
        let cookies = self.request.fields.iter().filter(|field| field.known == Known::Cookie);
        let found = cookies.filter_map(|field| route::cookie(field.value.of(self.head), name.as_bytes())).next();
        append_found(found, out)
    }

    fn forwarded_for(&self, out: &mut Vec<u8>) -> bool {
        let is_there = self.request.seen.contains(Known::XForwardedFor);
        if is_there && self.joined(|field| field.known == Known::XForwardedFor, b", ", out) {
            out.extend_from_slice(b", ");
        }
        append(self.client.remote_text(), out)
    }

    fn append_host(&self, out: &mut Vec<u8>) -> bool {
        let from = out.len();
        match self.host() {
            b"" => out.extend_from_slice(self.routed.server.name.as_bytes()),
            host => out.extend_from_slice(host),
        }
        out[from..].make_ascii_lowercase();
        true
    }

    fn request_id(&self, out: &mut Vec<u8>) -> bool {
        let id = self.record.request_id.get().unwrap_or_else(|| {
            let id = self.thread.random.borrow_mut().request_id();
            self.record.request_id.set(Some(id));
            id
        });
        append(&id, out)
    }
}

impl Facts for RequestFacts<'_> {
    fn append(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        match fact {
            Fact::Host => self.append_host(out),
            Fact::HttpField(name) => self.http_field(name, out),
            Fact::Cookie(name) => self.cookie(name, out),
            Fact::Arg(name) => append_found(route::argument(self.args(), name.as_bytes()), out),
            Fact::RequestUri => append_any(self.request.path.of(self.head), out),
            Fact::Uri => append_any(self.path, out),
            // As in nginx there are none behind a `?` alone.
            Fact::Args => append(self.args(), out) && (!self.args().is_empty() || self.record.detour.is_changed),
            Fact::IsArgs => append(if self.args().is_empty() { b"" } else { b"?" }, out),
            Fact::ServerName => append(self.routed.server.name.as_bytes(), out),
            Fact::ServerProtocol => append(self.request.version.as_str().as_bytes(), out),
            Fact::Request => append_any(self.request_line(), out),
            Fact::Method => append_any(self.client_method(), out),
            Fact::RequestId => self.request_id(out),
            Fact::ProxyHost => append_found(self.proxied().map(|(host, _)| host.as_bytes()), out),
            Fact::ProxyPort => append_found(self.proxied().map(|(_, port)| port.as_bytes()), out),
            Fact::ProxyAddXForwardedFor => self.forwarded_for(out),
            Fact::ContentLength => append_found(self.field(Known::ContentLength), out),
            Fact::ContentType => append_found(self.field(Known::ContentType), out),
            _ => self.of_connection(fact, out),
        }
    }

    fn standing(&self) -> Option<Standing<'_>> {
        Some(self.record.detour.standing(self.routed, self.path))
    }

    fn append_real_path(&self, path: &[u8], out: &mut Vec<u8>) -> bool {
        paths::append_real_path(path, out)
    }
}

impl RequestFacts<'_> {
    /// `$http_NAME`; an underscore of the variable stands for a hyphen or an underscore of the field.
    fn http_field(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let separator: &[u8] = if name == "cookie" { b"; " } else { b", " };
        let is_meant = |field: &Field| {
            field.name.len() == name.len()
                && self.routed.takes(field.kind)
                && lines::is_named(field.name.of(self.head), name)
        };
        self.joined(is_meant, separator, out)
    }
}

/// A host without its port.
pub(crate) fn without_port(host: &[u8]) -> &[u8] {
    let search_from = if host.first() == Some(&b'[') { memchr::memchr(b']', host).unwrap_or(0) } else { 0 };
    match memchr::memchr(b':', &host[search_from..]) {
        Some(at) => &host[..search_from + at],
        None => host,
    }
}

fn trim_start(head: &[u8]) -> &[u8] {
    let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(head.len());
    &head[start..]
}

fn memchr_line(head: &[u8]) -> usize {
    head.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(head.len())
}

fn append(value: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(value);
    true
}

/// What a request that was not understood has not.
fn append_any(value: &[u8], out: &mut Vec<u8>) -> bool {
    append(value, out) && !value.is_empty()
}

fn append_found(value: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    value.is_some_and(|value| append(value, out))
}

/// Writing to a vector does not fail.
fn put(out: &mut Vec<u8>, value: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(value);
}

/// Seconds with milliseconds between two times, `-` where there is no end.
fn seconds(out: &mut Vec<u8>, end_ms: Option<u64>, start_ms: u64) {
    match end_ms {
        Some(end_ms) => {
            let ms = end_ms.saturating_sub(start_ms);
            put(out, format_args!("{}.{:03}", ms / 1_000, ms % 1_000));
        }
        None => out.push(b'-'),
    }
}
