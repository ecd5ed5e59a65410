//! Where servers listen.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::span::Place;

/// One `listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address; a port alone is `0.0.0.0:port`.
    pub address: ListenAddress,
    /// `ssl`.
    pub ssl: bool,
    /// `http2`.
    pub http2: bool,
    /// `proxy_protocol`: each connection begins with a proxy's word for where it comes from.
    pub proxy_protocol: bool,
    /// `default_server`.
    pub default_server: bool,
    /// `backlog=N`, 511 by default.
    pub backlog: u32,
    /// Options of the socket.
    pub options: SocketOptions,
    /// Where it was written.
    pub place: Place,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// Address and port.
    Ip(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Address and port, which a unix socket has not.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What a `listen` says of its socket beyond the backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SocketOptions {
    /// `ipv6only=off`: an IPv6 wildcard takes IPv4 connections too.
    pub takes_ipv4: bool,
    /// `rcvbuf`.
    pub receive_buffer: Option<u32>,
    /// `sndbuf`.
    pub send_buffer: Option<u32>,
    /// `so_keepalive`.
    pub keepalive: Option<KeepAlive>,
}

/// `so_keepalive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// `off`.
    Off,
    /// `on`, or `[IDLE]:[INTERVAL]:[COUNT]`, each the system's where it is not written.
    On {
        /// Seconds without a byte before the first probe.
        idle_s: Option<u64>,
        /// Seconds between two probes.
        interval_s: Option<u64>,
        /// Probes without an answer before the connection is given up.
        count: Option<u32>,
    },
}
