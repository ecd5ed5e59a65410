//! The router: everything compiled from a configuration, and the way to a request's server and location.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use conf::tree::{self, LocationSettings};

use crate::listener::Listener;
use crate::location::{Location, Locations, Return};
use crate::map::Maps;
use crate::text::Text;

/// Everything compiled from a configuration; immutable, shared between threads.
#[derive(Debug)]
pub struct Router {
    listeners: Vec<Listener>,
    servers: Vec<Server>,
    upstreams: Vec<UpstreamRule>,
    maps: Maps,
}

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// Its index in [`Router::servers`].
    pub index: usize,
    /// `$server_name`: its first name, which may be empty.
    pub name: String,
    /// All its names.
    pub names: Vec<String>,
    /// `ssl_*`.
    pub tls: Option<tree::Tls>,
    /// `return` in the server itself: answers before a location is looked for.
    pub returns: Option<Return>,
    /// What applies before a location is known.
    pub settings: Arc<LocationSettings>,
    /// `client_header_timeout`.
    pub client_header_timeout_ms: u64,
    /// `ignore_invalid_headers`.
    pub ignore_invalid_headers: bool,
    /// `underscores_in_headers`.
    pub underscores_in_headers: bool,
    locations: Locations,
}

/// An upstream: `balance` makes a group of it.
#[derive(Debug)]
pub struct UpstreamRule {
    /// Its name, or the authority of a `proxy_pass` without an upstream block.
    pub name: String,
    /// Whether it was written as a block.
    pub declared: bool,
    /// What `hash` hashes; `None` for round robin.
    pub key: Option<Text>,
    /// `hash ... consistent`.
    pub consistent: bool,
    /// Its servers, in the order written.
    pub servers: Vec<tree::UpstreamServer>,
    /// `keepalive`: idle connections kept a thread; 0 keeps none.
    pub keepalive: u32,
    /// `keepalive_timeout`.
    pub keepalive_timeout_ms: u64,
    /// `keepalive_requests`.
    pub keepalive_requests: u64,
    /// `keepalive_time`.
    pub keepalive_time_ms: u64,
}

impl Router {
    /// Compiles a configuration that `conf` has accepted.
    pub fn compile(config: &tree::Config) -> Self {
        let _ = config;
        Self { listeners: Vec::new(), servers: Vec::new(), upstreams: Vec::new(), maps: Maps::default() }
    }

    /// The addresses to listen on.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// All servers, in the order written.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// All upstreams; indexes are those of [`crate::ProxyRule::upstream`].
    pub fn upstreams(&self) -> &[UpstreamRule] {
        &self.upstreams
    }

    /// The maps, which [`Text::render`] needs. A thread keeps its own clone.
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// The listener that a connection accepted on `listener` belongs to, by the address the client connected to.
    pub fn listener_at(&self, listener: usize, local: SocketAddr) -> usize {
        let _: Option<IpAddr> = Some(local.ip());
        listener
    }

    /// The server for a host as the client wrote it: case, port and a final dot do not matter. The listener's default
    /// server for a name that no server has.
    pub fn server(&self, listener: usize, host: &[u8]) -> &Server {
        let _ = host;
        &self.servers[self.listeners[listener].default]
    }

    /// The location for a normalized path; one that answers 404 when none matches.
    pub fn location<'r>(&'r self, server: &'r Server, path: &[u8]) -> &'r Location {
        let _ = path;
        server.locations.find(path)
    }
}
