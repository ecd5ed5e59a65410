//! Active checks: what a server is asked, and whether its answer passes.
//!
//! When a check is made, and how many of them decide, is not known here; nor is what a body in JSON says.

use std::sync::Arc;

use conf::tree::{self, ErrorLog, HeaderValue};

use crate::fact::{Fact, Facts};
use crate::map::{Maps, Scratch};
use crate::matcher::Matcher;
use crate::names::Names;
use crate::proxy_rule::{ProxyTls, SetHeader, host_and_port};
use crate::text::Text;

/// `health_check`, ready to be made.
#[derive(Debug)]
pub struct CheckRule {
    /// Whose servers are checked: index into [`crate::Router::upstreams`].
    pub upstream: usize,
    /// `uri`.
    pub uri: String,
    /// `interval`.
    pub interval_ms: u64,
    /// `jitter`.
    pub jitter_ms: u64,
    /// `fails`.
    pub fails: u32,
    /// `passes`.
    pub passes: u32,
    /// `port`.
    pub port: Option<u16>,
    /// `mandatory`.
    pub is_mandatory: bool,
    /// For how long a connection serves checks; 0 is one check each.
    pub keepalive_ms: u64,
    /// `health_check_timeout`.
    pub timeout_ms: u64,
    /// `proxy_bind`.
    pub bind: Option<Text>,
    /// `proxy_protocol`.
    pub proxy_protocol: bool,
    /// `proxy_socket_keepalive`.
    pub socket_keepalive: bool,
    /// TLS to the servers.
    pub tls: Option<ProxyTls>,
    /// Where a change is told.
    pub error_logs: Arc<Vec<ErrorLog>>,
    proxy_host: String,
    proxy_port: String,
    set_headers: Arc<[SetHeader]>,
    matching: Option<Match>,
}

/// `match`.
#[derive(Debug)]
struct Match {
    statuses: Vec<tree::StatusTest>,
    headers: Vec<HeaderTest>,
    bodies: Vec<BodyTest>,
    requires: Vec<Text>,
}

#[derive(Debug)]
struct HeaderTest {
    name: String,
    is_not: bool,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Any,
    Text(Vec<u8>),
    Pattern(Matcher),
}

#[derive(Debug)]
struct BodyTest {
    is_not: bool,
    pattern: Matcher,
}

/// What a server has answered.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// Names and values of its fields.
    pub fields: &'a [(&'a [u8], &'a [u8])],
    /// The body, as far as it was read.
    pub body: &'a [u8],
}

impl CheckRule {
    pub(crate) fn compile(check: &tree::HealthCheck, http: &tree::Http, names: &Names) -> Self {
        let settings = &check.settings;
        let (proxy_host, proxy_port) = host_and_port(&check.host, if check.tls.is_some() { "443" } else { "80" });
        Self {
            upstream: check.upstream,
            uri: check.uri.clone(),
            interval_ms: check.interval_ms,
            jitter_ms: check.jitter_ms,
            fails: check.fails,
            passes: check.passes,
            port: check.port,
            is_mandatory: check.is_mandatory,
            keepalive_ms: check.keepalive_ms,
            timeout_ms: check.timeout_ms,
            bind: settings.bind.as_ref().map(|address| Text::compile(address, names)),
            proxy_protocol: settings.proxy_protocol,
            socket_keepalive: settings.socket_keepalive,
            tls: check.tls.map(|way| ProxyTls::compile(way, &settings.ssl_name, names)),
            error_logs: check.error_logs.to_arc(),
            proxy_host,
            proxy_port,
            set_headers: names.fields(settings).set_headers,
            matching: check.matching.and_then(|at| http.matches.get(at)).map(|block| Match::compile(block, names)),
        }
    }

    /// Whether nothing but the usual is asked of an answer.
    pub fn is_plain(&self) -> bool {
        self.matching.is_none()
    }

    /// Appends the request. Variables of a client's request are empty in it; where that leaves nothing of `Host`, it is
    /// that of `proxy_pass`. What concerns the connection is this side's own business.
    pub fn request(&self, maps: &Maps, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("GET {} HTTP/1.1\r\n", self.uri).as_bytes());
        for header in self.set_headers.iter().filter(|header| !header.is_upgrade && !header.is_connection) {
            let mut value = self.rendered(&header.value, None, maps);
            if value.is_empty() && header.name().eq_ignore_ascii_case(b"host") {
                value.extend_from_slice(self.proxy_host.as_bytes());
            }
            if !value.is_empty() && !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                out.extend_from_slice(&header.prefix);
                out.extend_from_slice(&value);
                out.extend_from_slice(b"\r\n");
            }
        }
        out.extend_from_slice(if self.keepalive_ms == 0 { b"Connection: close\r\n\r\n" } else { b"\r\n" });
    }

    /// The value of a text where no client asks for anything.
    pub fn rendered(&self, text: &Text, answer: Option<&Answer<'_>>, maps: &Maps) -> Vec<u8> {
        let (mut scratch, mut out) = (Scratch::default(), Vec::new());
        text.render(&Known { rule: self, answer }, maps, &mut scratch, &mut out);
        out
    }

    /// Whether an answer passes; else what is wrong with it.
    pub fn judge(&self, answer: &Answer<'_>, maps: &Maps) -> Result<(), String> {
        let Some(Match { statuses, headers, bodies, requires }) = &self.matching else {
            return if (200..400).contains(&answer.status) { Ok(()) } else { Err(format!("status {}", answer.status)) };
        };
        if !statuses.iter().all(|test| passes_status(test, answer.status)) {
            return Err(format!("status {}", answer.status));
        }
        if let Some(test) = headers.iter().find(|test| !test.passes(answer)) {
            return Err(test.failed(answer));
        }
        if bodies.iter().any(|test| test.pattern.is_match(answer.body) == test.is_not) {
            return Err("the body is not what \"match\" asks for".to_owned());
        }
        let is_missing = |text: &Text| matches!(self.rendered(text, Some(answer), maps).as_slice(), b"" | b"0");
        if requires.iter().any(is_missing) {
            return Err("a variable that \"match\" requires is empty or 0".to_owned());
        }
        Ok(())
    }
}

impl Match {
    fn compile(block: &tree::Match, names: &Names) -> Self {
        let header = |test: &tree::HeaderTest| HeaderTest {
            name: test.name.clone(),
            is_not: test.is_not,
            value: match &test.value {
                HeaderValue::Any => Value::Any,
                HeaderValue::Text(text) => Value::Text(text.clone().into_bytes()),
                HeaderValue::Pattern(pattern) => Value::Pattern(Matcher::new(pattern, names)),
            },
        };
        let body =
            |test: &tree::BodyTest| BodyTest { is_not: test.is_not, pattern: Matcher::new(&test.pattern, names) };
        Self {
            statuses: block.statuses.clone(),
            headers: block.headers.iter().map(header).collect(),
            bodies: block.bodies.iter().map(body).collect(),
            requires: block.requires.iter().map(|text| Text::compile(text, names)).collect(),
        }
    }
}

fn passes_status(test: &tree::StatusTest, status: u16) -> bool {
    test.ranges.iter().any(|(first, last)| (*first..=*last).contains(&status)) != test.is_not
}

impl HeaderTest {
    /// A field that is not there is none of any value.
    fn passes(&self, answer: &Answer<'_>) -> bool {
        let found = answer.field(self.name.as_bytes()).is_some_and(|value| match &self.value {
            Value::Any => true,
            Value::Text(text) => value == text,
            Value::Pattern(pattern) => pattern.is_match(value),
        });
        found != self.is_not
    }

    fn failed(&self, answer: &Answer<'_>) -> String {
        match answer.field(self.name.as_bytes()) {
            None => format!("the header {} is missing", self.name),
            Some(_) if matches!(self.value, Value::Any) => format!("the header {} is there", self.name),
            Some(value) => format!("the header {} is \"{}\"", self.name, String::from_utf8_lossy(value)),
        }
    }
}

impl<'a> Answer<'a> {
    fn field(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// What is known where a check is made.
struct Known<'a> {
    rule: &'a CheckRule,
    answer: Option<&'a Answer<'a>>,
}

impl Facts for Known<'_> {
    fn append(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        let found = match (fact, self.answer) {
            (Fact::ProxyHost, _) => self.rule.proxy_host.as_bytes(),
            (Fact::ProxyPort, _) => self.rule.proxy_port.as_bytes(),
            (Fact::Status | Fact::UpstreamStatus, Some(answer)) => {
                out.extend_from_slice(answer.status.to_string().as_bytes());
                return true;
            }
            (Fact::UpstreamField(name), Some(answer)) => match answer.field(name.as_bytes()) {
                Some(value) => value,
                None => return false,
            },
            _ => return false,
        };
        out.extend_from_slice(found);
        true
    }
}

#[cfg(test)]
mod tests;
