//! Locations: which one serves a path, and what it does.

use std::collections::HashMap;
use std::sync::Arc;

use conf::tree::{self, LocationKind, LocationSettings};

use crate::proxy_rule::ProxyRule;
use crate::text::Text;

/// A location.
#[derive(Debug)]
pub struct Location {
    /// What it does.
    pub handler: Handler,
    /// Its settings, inherited ones included.
    pub settings: Arc<LocationSettings>,
}

/// What a location does with a request.
#[derive(Debug)]
pub enum Handler {
    /// 404: there is no handler, or no location.
    NotFound,
    /// A fixed answer.
    Return(Return),
    /// To an upstream.
    Proxy(Box<ProxyRule>),
}

/// `return`. For 301, 302, 303, 307 and 308 the text is the address to go to, which becomes absolute when it starts
/// with `/`; for other statuses it is the body.
#[derive(Debug, Clone)]
pub struct Return {
    /// The status.
    pub status: u16,
    /// The body or address.
    pub text: Option<Text>,
}

/// The locations of one server, looked up in time that hardly grows with their number.
#[derive(Debug, Default)]
pub(crate) struct Locations {
    all: Vec<Location>,
    exact: HashMap<Vec<u8>, usize>,
    /// Sorted by path.
    prefixes: Vec<Prefix>,
}

#[derive(Debug)]
struct Prefix {
    path: Vec<u8>,
    location: usize,
    /// Index of the longest other prefix that this one starts with.
    parent: Option<usize>,
}

impl Locations {
    pub(crate) fn find(&self, _path: &[u8]) -> &Location {
        &self.all[0]
    }
}
