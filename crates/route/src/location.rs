//! Locations: which one serves a path, and what it does.

use std::collections::HashMap;
use std::sync::Arc;

use conf::tree::{self, LocationKind, LocationSettings};

use crate::escape::append_escaped;
use crate::fact::Fact;
use crate::proxy_rule::ProxyRule;
use crate::text::{Piece, Text};

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
#[derive(Debug)]
pub(crate) struct Locations {
    /// The first one is where no other matches.
    all: Vec<Location>,
    exact: HashMap<Vec<u8>, usize>,
    /// Sorted by path, each path once.
    prefixes: Vec<Prefix>,
}

#[derive(Debug)]
struct Prefix {
    path: Vec<u8>,
    location: usize,
    /// Index of the longest other prefix that this one starts with.
    parent: Option<usize>,
}

impl Return {
    pub(crate) fn compile(returns: &tree::Return, maps: &HashMap<String, usize>) -> Self {
        Self { status: returns.status, text: returns.text.as_ref().map(|text| Text::compile(text, maps)) }
    }
}

impl Locations {
    pub(crate) fn compile(server: &tree::Server, maps: &HashMap<String, usize>) -> Self {
        let settings = Arc::new(server.settings.clone());
        let mut all = vec![Location { handler: Handler::NotFound, settings }];
        let mut exact = HashMap::new();
        let mut prefixes = Vec::new();
        for (index, location) in server.locations.iter().enumerate().map(|(i, location)| (i + 1, location)) {
            all.push(Location::compile(location, maps));
            let path = location.path.clone().into_bytes();
            match location.kind {
                LocationKind::Exact => {
                    exact.entry(path).or_insert(index);
                }
                LocationKind::Prefix => prefixes.push(Prefix { path, location: index, parent: None }),
            }
        }
        prefixes.sort_by(|a, b| a.path.cmp(&b.path));
        prefixes.dedup_by(|later, earlier| later.path == earlier.path);
        link_parents(&mut prefixes);
        let mut locations = Self { all, exact, prefixes };
        locations.add_slash_redirects();
        locations
    }

    /// The location of a normalized path: an exact one, else the one with the longest prefix.
    pub(crate) fn find(&self, path: &[u8]) -> &Location {
        let exact = if self.exact.is_empty() { None } else { self.exact.get(path).copied() };
        &self.all[exact.or_else(|| self.find_prefix(path)).unwrap_or(0)]
    }

    fn find_prefix(&self, path: &[u8]) -> Option<usize> {
        // Every prefix of the path sorts at or before it, and whatever sorts between them starts with that prefix too:
        // so the last one at or before the path is the answer, or descends from it.
        let mut at = self.prefixes.partition_point(|prefix| prefix.path.as_slice() <= path).checked_sub(1);
        while let Some(index) = at {
            let prefix = &self.prefixes[index];
            if path.starts_with(&prefix.path) {
                return Some(prefix.location);
            }
            at = prefix.parent;
        }
        None
    }

    fn has_prefix(&self, path: &[u8]) -> bool {
        self.prefixes.binary_search_by(|prefix| prefix.path.as_slice().cmp(path)).is_ok()
    }

    /// `location /name/` with `proxy_pass` sends `/name` to `/name/`, unless that has a location of its own.
    fn add_slash_redirects(&mut self) {
        for index in 0..self.prefixes.len() {
            let Prefix { path, location, .. } = &self.prefixes[index];
            let Some(bare) = path.strip_suffix(b"/").filter(|bare| !bare.is_empty()) else { continue };
            let is_taken = self.exact.contains_key(bare) || self.has_prefix(bare);
            let Location { handler: Handler::Proxy(_), settings } = &self.all[*location] else { continue };
            if !is_taken {
                let redirect = Location { handler: slash_redirect(path), settings: Arc::clone(settings) };
                self.exact.insert(bare.to_vec(), self.all.len());
                self.all.push(redirect);
            }
        }
    }
}

impl Location {
    fn compile(location: &tree::Location, maps: &HashMap<String, usize>) -> Self {
        let handler = match &location.handler {
            tree::Handler::None => Handler::NotFound,
            tree::Handler::Return(returns) => Handler::Return(Return::compile(returns, maps)),
            tree::Handler::Proxy(pass) => {
                Handler::Proxy(Box::new(ProxyRule::compile(pass, &location.path, &location.settings, maps)))
            }
        };
        Self { handler, settings: Arc::new(location.settings.clone()) }
    }
}

fn slash_redirect(path: &[u8]) -> Handler {
    let mut escaped = Vec::new();
    append_escaped(path, &mut escaped);
    let pieces = vec![Piece::Literal(escaped), Piece::Fact(Fact::IsArgs), Piece::Fact(Fact::Args)];
    Handler::Return(Return { status: 301, text: Some(Text::from_pieces(pieces)) })
}

/// Sorted order puts a prefix right before everything that starts with it: a stack of open ones gives the parents.
fn link_parents(prefixes: &mut [Prefix]) {
    let mut open: Vec<usize> = Vec::new();
    for index in 0..prefixes.len() {
        while open.last().is_some_and(|&parent| !prefixes[index].path.starts_with(&prefixes[parent].path)) {
            open.pop();
        }
        prefixes[index].parent = open.last().copied();
        open.push(index);
    }
}

#[cfg(test)]
mod tests;
