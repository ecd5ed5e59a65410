//! Addresses to listen on, and the servers behind each.

use std::collections::HashMap;
use std::net::SocketAddr;

use conf::tree;

/// Names longer than this are no server's: a domain name has at most 253 characters.
const MAX_NAME: usize = 255;

/// nginx's backlog where none is written.
const DEFAULT_BACKLOG: u32 = 511;

/// An address to listen on, merged from all `listen`s that name it.
#[derive(Debug)]
pub struct Listener {
    /// The address.
    pub address: SocketAddr,
    /// Whether TLS is spoken.
    pub ssl: bool,
    /// `http2` on any of the listens.
    pub http2: bool,
    /// `backlog`.
    pub backlog: u32,
    /// The wildcard listener of the same port that takes this address's connections, as only one of the two can be
    /// bound. Such a listener has no socket; see [`crate::Router::listener_at`].
    pub within: Option<usize>,
    /// Indexes of the servers that listen here, in the order written.
    pub servers: Vec<usize>,
    /// Index of the server for names that no server has.
    pub default: usize,
    /// Names, in lower case, and their servers.
    names: HashMap<Vec<u8>, usize>,
}

impl Listener {
    /// Merges the `listen`s of all servers, in the order their addresses are first written.
    pub(crate) fn merge(servers: &[tree::Server]) -> Vec<Self> {
        let mut listeners: Vec<Self> = Vec::new();
        let mut by_address = HashMap::new();
        for (server, listen) in servers.iter().enumerate().flat_map(|(i, s)| s.listens.iter().map(move |l| (i, l))) {
            let index = *by_address.entry(listen.address).or_insert_with(|| {
                listeners.push(Self::new(listen, server));
                listeners.len() - 1
            });
            listeners[index].add(listen, server, &servers[server].names);
        }
        link_wildcards(&mut listeners);
        listeners
    }

    /// Index of the server for a host as the client wrote it.
    pub(crate) fn find(&self, host: &[u8]) -> usize {
        // One server is the default one, whatever its names.
        if self.servers.len() == 1 {
            return self.default;
        }
        let host = bare_host(host);
        let mut lower = [0; MAX_NAME];
        let Some(lower) = lower.get_mut(..host.len()) else { return self.default };
        lower.copy_from_slice(host);
        lower.make_ascii_lowercase();
        self.names.get(&*lower).copied().unwrap_or(self.default)
    }

    fn new(listen: &tree::Listen, server: usize) -> Self {
        Self {
            address: listen.address,
            ssl: false,
            http2: false,
            backlog: DEFAULT_BACKLOG,
            within: None,
            servers: Vec::new(),
            default: server,
            names: HashMap::new(),
        }
    }

    fn add(&mut self, listen: &tree::Listen, server: usize, names: &[String]) {
        self.ssl |= listen.ssl;
        self.http2 |= listen.http2;
        if self.backlog == DEFAULT_BACKLOG {
            self.backlog = listen.backlog;
        }
        if listen.default_server {
            self.default = server;
        }
        self.servers.push(server);
        for name in names {
            // Of two servers with one name on one address, the first has it.
            self.names.entry(name.to_ascii_lowercase().into_bytes()).or_insert(server);
        }
    }
}

/// One address and the wildcard of the same port cannot both be bound: the wildcard's socket serves both.
fn link_wildcards(listeners: &mut [Listener]) {
    let wildcards: HashMap<(bool, u16), usize> = listeners
        .iter()
        .enumerate()
        .filter(|(_, listener)| listener.address.ip().is_unspecified())
        .map(|(index, listener)| (family_and_port(listener.address), index))
        .collect();
    for listener in listeners.iter_mut().filter(|listener| !listener.address.ip().is_unspecified()) {
        // Port 0 is a port of its own for each address.
        if listener.address.port() != 0 {
            listener.within = wildcards.get(&family_and_port(listener.address)).copied();
        }
    }
}

fn family_and_port(address: SocketAddr) -> (bool, u16) {
    (address.is_ipv6(), address.port())
}

/// A host without its port and without the final dot of a full name.
fn bare_host(host: &[u8]) -> &[u8] {
    let end = match host.first() {
        Some(b'[') => host.iter().position(|&byte| byte == b']').map(|bracket| bracket + 1),
        _ => host.iter().position(|&byte| byte == b':'),
    };
    let host = &host[..end.unwrap_or(host.len())];
    host.strip_suffix(b".").unwrap_or(host)
}

#[cfg(test)]
mod tests;
