//! Addresses to listen on, and the servers behind each.

use std::collections::HashMap;
use std::net::SocketAddr;

/// Names longer than this are no server's: a domain name has at most 253 characters.
pub(crate) const MAX_NAME: usize = 255;

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
    pub(crate) names: HashMap<Vec<u8>, usize>,
}
