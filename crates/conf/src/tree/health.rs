//! Active checks of servers: `health_check`, and `match`, which says what an answer has to be.

use super::{ErrorLog, Pattern, ProxySettings};
use crate::shared::Shared;
use crate::span::Place;
use crate::template::Template;

/// `health_check`, with what applies where it stands.
#[derive(Debug, Clone)]
pub struct HealthCheck {
    /// Whose servers are checked: index into `Http::upstreams`.
    pub upstream: usize,
    /// The authority of the `proxy_pass` beside it.
    pub host: String,
    /// Where that is `https`: index into `Http::proxy_tls`.
    pub tls: Option<usize>,
    /// `proxy_*` settings of the location.
    pub settings: Shared<ProxySettings>,
    /// Where a server's change of state is told.
    pub error_logs: Shared<Vec<ErrorLog>>,
    /// `interval`.
    pub interval_ms: u64,
    /// `jitter`: each check waits for up to so long more.
    pub jitter_ms: u64,
    /// `fails`, at least 1.
    pub fails: u32,
    /// `passes`, at least 1.
    pub passes: u32,
    /// `uri`.
    pub uri: String,
    /// `port`, where it is not the server's own.
    pub port: Option<u16>,
    /// `mandatory`: nothing is sent to a server before its first check has passed.
    pub is_mandatory: bool,
    /// `keepalive_time`: for how long a connection serves checks; 0 is one check each.
    pub keepalive_ms: u64,
    /// `health_check_timeout`.
    pub timeout_ms: u64,
    /// `match`: index into `Http::matches`.
    pub matching: Option<usize>,
    /// Where it was written.
    pub place: Place,
}

/// `match NAME { ... }`: an answer has to pass all of its tests.
#[derive(Debug, Clone, Default)]
pub struct Match {
    /// Its name.
    pub name: String,
    /// `status`.
    pub statuses: Vec<StatusTest>,
    /// `header`.
    pub headers: Vec<HeaderTest>,
    /// `body`.
    pub bodies: Vec<BodyTest>,
    /// `require`: none of these may be empty or `0`.
    pub requires: Vec<Template>,
}

/// `status [!] CODE|FROM-TO ...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusTest {
    /// Whether it must be none of them.
    pub is_not: bool,
    /// The first and the last of each range.
    pub ranges: Vec<(u16, u16)>,
}

/// `header [!] NAME`, `header NAME = VALUE` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTest {
    /// The field's name.
    pub name: String,
    /// Whether it must not be so.
    pub is_not: bool,
    /// What its value has to be.
    pub value: HeaderValue,
}

/// What a field's value is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// Any: that the field is there is the test.
    Any,
    /// A text.
    Text(String),
    /// A regular expression.
    Pattern(Pattern),
}

/// `body ~ PATTERN`, `body !~ PATTERN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTest {
    /// Whether it must not match.
    pub is_not: bool,
    /// The expression.
    pub pattern: Pattern,
}
