//! Addresses to listen on, and the servers behind each.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use conf::tree::{self, ListenAddress, SocketOptions};

use crate::map::Scratch;
use crate::names::Names;
use crate::patterns::Patterns;
use crate::server_names::ServerNames;

/// nginx's backlog where none is written.
const DEFAULT_BACKLOG: u32 = 511;

/// An address to listen on, merged from all `listen`s that name it.
#[derive(Debug)]
pub struct Listener {
    /// The address.
    pub address: ListenAddress,
    /// Whether TLS is spoken.
    pub ssl: bool,
    /// `http2` on any of the listens.
    pub http2: bool,
    /// `proxy_protocol` on any of them: each connection begins with a proxy's word.
    pub proxy_protocol: bool,
    /// `backlog`.
    pub backlog: u32,
    /// Other options of the socket.
    pub options: SocketOptions,
    /// The wildcard listener of the same port that takes this address's connections, as only one of the two can be
    /// bound. Such a listener has no socket; see [`crate::Router::listener_at`].
    pub within: Option<usize>,
    /// Indexes of the servers that listen here, in the order written.
    pub servers: Vec<usize>,
    /// Index of the server for names that no server has.
    pub default: usize,
    /// The names of these servers.
    pub names: Arc<ServerNames>,
    /// Whether a name is a pattern, which must be tried for what it captures even where there is one server.
    captures: bool,
}

impl Listener {
    /// Merges the `listen`s of all servers, in the order their addresses are first written.
    pub(crate) fn merge(servers: &[tree::Server], names: &Names) -> Vec<Self> {
        let mut listeners: Vec<Self> = Vec::new();
        let mut by_address = HashMap::new();
        for (server, listen) in servers.iter().enumerate().flat_map(|(i, s)| s.listens.iter().map(move |l| (i, l))) {
            let index = *by_address.entry(&listen.address).or_insert_with(|| {
                listeners.push(Self::new(listen, server));
                listeners.len() - 1
            });
            listeners[index].add(listen, server);
        }
        for listener in &mut listeners {
            listener.add_names(servers, names);
        }
        link_wildcards(&mut listeners);
        listeners
    }

    /// Index of the server for a host as the client wrote it.
    pub(crate) fn find(&self, host: &[u8], patterns: &Patterns, scratch: &mut Scratch) -> usize {
        if self.servers.len() == 1 && !self.captures {
            return self.default;
        }
        self.names.find(host, patterns, scratch).unwrap_or(self.default)
    }

    fn new(listen: &tree::Listen, server: usize) -> Self {
        Self {
            address: listen.address.clone(),
            ssl: false,
            http2: false,
            proxy_protocol: false,
            backlog: DEFAULT_BACKLOG,
            options: listen.options,
            within: None,
            servers: Vec::new(),
            default: server,
            names: Arc::default(),
            captures: false,
        }
    }

    fn add(&mut self, listen: &tree::Listen, server: usize) {
        self.ssl |= listen.ssl;
        self.http2 |= listen.http2;
        self.proxy_protocol |= listen.proxy_protocol;
        if self.backlog == DEFAULT_BACKLOG {
            self.backlog = listen.backlog;
        }
        if listen.default_server {
            self.default = server;
        }
        self.servers.push(server);
    }
}

impl Listener {
    fn add_names(&mut self, servers: &[tree::Server], names: &Names) {
        let mut own = ServerNames::default();
        for &server in &self.servers {
            for name in &servers[server].names {
                self.captures |= name.starts_with('~');
                own.add(name, server, names);
            }
        }
        self.names = Arc::new(own);
    }
}

/// One address and the wildcard of the same port cannot both be bound: the wildcard's socket serves both.
fn link_wildcards(listeners: &mut [Listener]) {
    let ip = |listener: &Listener| listener.address.ip();
    let wildcards: HashMap<(bool, u16), usize> = listeners
        .iter()
        .enumerate()
        .filter_map(|(index, listener)| Some((ip(listener).filter(|address| address.ip().is_unspecified())?, index)))
        .map(|(address, index)| (family_and_port(address), index))
        .collect();
    for listener in listeners.iter_mut() {
        // Port 0 is a port of its own for each address.
        let own = ip(listener).filter(|address| !address.ip().is_unspecified() && address.port() != 0);
        if let Some(address) = own {
            listener.within = wildcards.get(&family_and_port(address)).copied();
        }
    }
}

fn family_and_port(address: SocketAddr) -> (bool, u16) {
    (address.is_ipv6(), address.port())
}

#[cfg(test)]
mod tests;
