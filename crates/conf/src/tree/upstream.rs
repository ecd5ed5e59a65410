//! Upstreams: their servers, how one is chosen, and who knows their addresses.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{OutlierEjection, RetryBudget, Sticky, Zone};
use crate::span::Place;
use crate::template::Template;

/// `upstream NAME { ... }`.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name, or the `host:port` of a `proxy_pass` that names no upstream block.
    pub name: String,
    /// In lower case and, where it is no block's, with its port: what `proxy_pass` with variables finds it by.
    pub key: String,
    /// Whether it was written as a block (or made for an address in `proxy_pass`).
    pub declared: bool,
    /// How a server is chosen.
    pub algorithm: Algorithm,
    /// `sticky`, which comes before that.
    pub sticky: Option<Sticky>,
    /// The servers, in the order written; a name with several addresses gives one each.
    pub servers: Vec<UpstreamServer>,
    /// Servers with `resolve`, whose addresses are looked up while the program runs.
    pub resolved: Vec<ResolvedServer>,
    /// `keepalive N`: idle connections kept a thread; 0 keeps none.
    pub keepalive: u32,
    /// `keepalive_timeout`.
    pub keepalive_timeout_ms: u64,
    /// `keepalive_requests`.
    pub keepalive_requests: u64,
    /// `keepalive_time`.
    pub keepalive_time_ms: u64,
    /// `zone` and `state`.
    pub zone: Zone,
    /// `queue`.
    pub queue: Option<Queue>,
    /// `retry_budget`.
    pub retry_budget: Option<RetryBudget>,
    /// `outlier_ejection`.
    pub outlier_ejection: Option<OutlierEjection>,
    /// Where it was written.
    pub place: Place,
}

/// `queue NUMBER [timeout=TIME]`: requests that wait for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// How many may.
    pub most: u32,
    /// For how long each.
    pub timeout_ms: u64,
}

/// How an upstream's server is chosen.
#[derive(Debug, Clone)]
pub enum Algorithm {
    /// nginx's smooth weighted round robin.
    RoundRobin,
    /// `hash KEY [consistent]`.
    Hash {
        /// What is hashed.
        key: Template,
        /// Whether keys are placed on a ring (ketama).
        consistent: bool,
    },
    /// `ip_hash`.
    IpHash,
    /// `least_conn`.
    LeastConn,
    /// `least_time`.
    LeastTime {
        /// `header` or `last_byte`.
        time: AnswerTime,
        /// `inflight`: requests count that are not answered yet.
        inflight: bool,
    },
    /// `random`.
    Random {
        /// `two`: of two servers one is taken.
        two: Option<Two>,
    },
}

/// Which of two servers is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Two {
    /// `least_conn`: the one with fewer requests in flight.
    LeastConn,
    /// `least_time=`: the one that answers sooner.
    LeastTime(AnswerTime),
    /// `peak_ewma`: the same by the longest of the last answers.
    PeakEwma,
}

/// The time of an answer that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerTime {
    /// That to its head.
    Header,
    /// That to its end.
    LastByte,
}

/// A `server` with `resolve`.
#[derive(Debug, Clone)]
pub struct ResolvedServer {
    /// Its settings; the address stands for none.
    pub server: UpstreamServer,
    /// The name that is looked up.
    pub host: String,
    /// The port of its addresses.
    pub port: u16,
    /// How many of the upstream's other servers are written before it.
    pub position: usize,
    /// Whom to ask.
    pub resolver: Resolver,
}

/// `resolver` with its `resolver_timeout`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// The name servers.
    pub servers: Vec<SocketAddr>,
    /// `valid`.
    pub valid_ms: Option<u64>,
    /// Whether IPv4 addresses are looked for.
    pub ipv4: bool,
    /// Whether IPv6 addresses are.
    pub ipv6: bool,
    /// `resolver_timeout`.
    pub timeout_ms: u64,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PeerAddress {
    /// An address and port.
    Ip(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// One `server` of an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamServer {
    /// As written: `10.0.0.11:9080`. The ring of `hash ... consistent` is made from it, as nginx does.
    pub name: String,
    /// The address to dial.
    pub address: PeerAddress,
    /// `weight`, at least 1.
    pub weight: u32,
    /// `max_conns`; 0 is no limit.
    pub max_conns: u32,
    /// `max_fails`; 0 never counts failures.
    pub max_fails: u32,
    /// `fail_timeout`.
    pub fail_timeout_ms: u64,
    /// `backup`.
    pub backup: bool,
    /// `down`.
    pub down: bool,
    /// `drain`.
    pub drain: bool,
    /// `slow_start`; 0 where none is written.
    pub slow_start_ms: u64,
    /// `route`, by which `sticky` finds it; empty where none is written.
    pub route: String,
    /// Where it was written.
    pub place: Place,
}

impl UpstreamServer {
    /// One of which nothing more is said: with nginx's defaults.
    pub fn new(name: impl Into<String>, address: PeerAddress, place: Place) -> Self {
        Self {
            name: name.into(),
            address,
            weight: 1,
            max_conns: 0,
            max_fails: 1,
            fail_timeout_ms: 10_000,
            backup: false,
            down: false,
            drain: false,
            slow_start_ms: 0,
            route: String::new(),
            place,
        }
    }
}
