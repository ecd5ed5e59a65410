//! Locations: which one serves a path, and what it does.

use std::collections::HashMap;
use std::sync::Arc;

use conf::Shared;
use conf::tree::{self, LocationKind, LocationSettings};

use crate::escape::append_escaped;
use crate::fact::Fact;
use crate::files::{Files, TryFiles};
use crate::finish::Finish;
use crate::gates::Gates;
use crate::map::Scratch;
use crate::names::{Names, Places};
use crate::patterns::Patterns;
use crate::proxy_rule::ProxyRule;
use crate::rules::Rules;
use crate::text::{Piece, Text};

/// A location.
#[derive(Debug)]
pub struct Location {
    /// Its rules, which come before its content.
    pub rules: Rules,
    /// What it does.
    pub handler: Handler,
    /// Its settings, inherited ones included.
    pub settings: Arc<LocationSettings>,
    /// What becomes of its answers.
    pub finish: Arc<Finish>,
    /// Where its files are.
    pub files: Arc<Files>,
    /// What stands before it.
    pub gates: Option<Arc<Gates>>,
    /// `try_files`.
    pub try_files: Option<Box<TryFiles>>,
    /// `limit_except`.
    pub limit_except: Option<Box<LimitExcept>>,
    /// `^~`: where it is the longest prefix no pattern is tried.
    is_firm: bool,
    /// The locations in it.
    within: Option<Box<Level>>,
}

/// What a location does with a request.
#[derive(Debug)]
pub enum Handler {
    /// A file: no other handler is written.
    Files,
    /// A redirect to the path with a slash.
    Return(Return),
    /// To an upstream.
    Proxy(Box<ProxyRule>),
    /// The balancer's own state, and changes of it.
    Api(Api),
    /// A page about the balancer.
    Page(tree::Page),
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

/// `api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The location's path, without a slash at its end: what is asked for stands behind it.
    pub path: String,
    /// Whether it may change anything.
    pub writes: bool,
}

/// `limit_except`.
#[derive(Debug)]
pub struct LimitExcept {
    methods: Vec<String>,
    /// What takes the place of the location for all other methods.
    pub location: Location,
}

/// The locations of one server, looked up in time that hardly grows with their number.
#[derive(Debug)]
pub(crate) struct Locations {
    /// The first one is where no other matches.
    all: Vec<Location>,
    top: Level,
    /// The one that serves every path, where that is all there is.
    everywhere: Option<usize>,
    /// By what stands behind `@`.
    named: HashMap<Vec<u8>, usize>,
}

/// The locations of a server, or those that are in one location.
#[derive(Debug, Default)]
struct Level {
    exact: HashMap<Vec<u8>, usize>,
    /// Sorted by path, each path once.
    prefixes: Vec<Prefix>,
    /// Indexes of expressions and locations, in the order written.
    patterns: Vec<(usize, usize)>,
}

/// A location that was found, and whether it is final: no pattern of an outer level is tried then.
type Found = (usize, bool);

#[derive(Debug)]
struct Prefix {
    path: Vec<u8>,
    location: usize,
    /// Index of the longest other prefix that this one starts with.
    parent: Option<usize>,
}

impl LimitExcept {
    /// Whether it is for requests of this method.
    pub fn is_for(&self, method: &[u8]) -> bool {
        !self.methods.iter().any(|other| other.as_bytes() == method)
    }
}

impl Return {
    pub(crate) fn compile(returns: &tree::Return, maps: &Names) -> Self {
        Self { status: returns.status, text: returns.text.as_ref().map(|text| Text::compile(text, maps)) }
    }
}

impl Locations {
    pub(crate) fn compile(server: &tree::Server, names: &Names) -> Self {
        let none = Location {
            try_files: tries(server.try_files.as_ref(), names),
            ..Location::new(Handler::compile(&server.handler, "", &server.settings, names), &server.settings, names)
        };
        let mut all = Vec::with_capacity(1 + server.locations.len());
        all.push(none);
        let mut locations = Self { all, top: Level::default(), everywhere: None, named: HashMap::new() };
        locations.top = locations.compile_level(&server.locations, names);
        locations.everywhere = locations.only_root();
        locations
    }

    /// `location /`, where it is the only one.
    fn only_root(&self) -> Option<usize> {
        let Level { exact, prefixes, patterns } = &self.top;
        match prefixes.as_slice() {
            [root] if root.path == b"/" && exact.is_empty() && patterns.is_empty() => {
                Some(root.location).filter(|location| self.all[*location].within.is_none())
            }
            _ => None,
        }
    }

    fn compile_level(&mut self, written: &[tree::Location], names: &Names) -> Level {
        let mut level = Level::default();
        for location in written {
            let index = self.add(location, names);
            let path = location.path.clone().into_bytes();
            match &location.kind {
                LocationKind::Exact => {
                    level.exact.entry(path).or_insert(index);
                }
                LocationKind::Prefix | LocationKind::FirmPrefix => {
                    level.prefixes.push(Prefix { path, location: index, parent: None });
                }
                LocationKind::Pattern(pattern) => level.patterns.push((names.add_pattern(pattern), index)),
                LocationKind::Named => {
                    self.named.entry(path).or_insert(index);
                }
            }
        }
        level.prefixes.sort_by(|a, b| a.path.cmp(&b.path));
        level.prefixes.dedup_by(|later, earlier| later.path == earlier.path);
        link_parents(&mut level.prefixes);
        self.add_slash_redirects(&mut level);
        level
    }

    fn add(&mut self, location: &tree::Location, names: &Names) -> usize {
        let index = self.all.len();
        self.all.push(Location::compile(location, names));
        if !location.locations.is_empty() {
            let within = self.compile_level(&location.locations, names);
            self.all[index].within = Some(Box::new(within));
        }
        index
    }

    /// `location /name/` with `proxy_pass` sends `/name` to `/name/`, unless that has a location of its own.
    fn add_slash_redirects(&mut self, level: &mut Level) {
        let prefixes = level.prefixes.iter().map(|prefix| (&prefix.path, prefix.location));
        let exact = level.exact.iter().map(|(path, location)| (path, *location));
        let mut redirects = HashMap::new();
        for (path, location) in prefixes.chain(exact) {
            let Some(bare) = path.strip_suffix(b"/").filter(|bare| !bare.is_empty()) else { continue };
            let is_taken = level.exact.contains_key(bare) || level.has_prefix(bare);
            let of = &self.all[location];
            if !is_taken && matches!(of.handler, Handler::Proxy(_)) {
                let redirect = Location::sharing(slash_redirect(path), of);
                redirects.insert(bare.to_vec(), self.all.len());
                self.all.push(redirect);
            }
        }
        level.exact.extend(redirects);
    }

    /// The location of a normalized path: an exact one, else the first pattern that matches, else the longest prefix.
    pub(crate) fn find(&self, path: &[u8], patterns: &Patterns, scratch: &mut Scratch) -> &Location {
        if let (Some(location), [b'/', ..]) = (self.everywhere, path) {
            return &self.all[location];
        }
        let found = self.find_in(&self.top, path, patterns, scratch);
        &self.all[found.map_or(0, |(location, _)| location)]
    }

    /// The location of a name, without its `@`.
    pub(crate) fn find_named(&self, name: &[u8]) -> Option<usize> {
        self.named.get(name).copied()
    }

    pub(crate) fn at(&self, index: usize) -> &Location {
        &self.all[index]
    }

    fn find_in(&self, level: &Level, path: &[u8], patterns: &Patterns, scratch: &mut Scratch) -> Option<Found> {
        if let Some(exact) = level.find_exact(path) {
            return Some((exact, true));
        }
        let prefix = level.find_prefix(path);
        let mut best = prefix.map(|location| (location, false));
        if let Some(within) = prefix.and_then(|location| self.all[location].within.as_deref()) {
            match self.find_in(within, path, patterns, scratch) {
                Some((location, true)) => return Some((location, true)),
                inner => best = inner.or(best),
            }
        }
        if prefix.is_some_and(|location| self.all[location].is_firm) {
            return best;
        }
        let matching = level.patterns.iter().find(|(pattern, _)| patterns.matches(*pattern, path, scratch));
        let Some((_, location)) = matching else { return best };
        let within = self.all[*location].within.as_deref();
        let inner = within.and_then(|within| self.find_in(within, path, patterns, scratch));
        Some((inner.map_or(*location, |(inner, _)| inner), true))
    }
}

impl Level {
    fn find_exact(&self, path: &[u8]) -> Option<usize> {
        if self.exact.is_empty() { None } else { self.exact.get(path).copied() }
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
}

impl Location {
    fn compile(location: &tree::Location, names: &Names) -> Self {
        let handler = Handler::compile(&location.handler, &location.path, &location.settings, names);
        Self {
            rules: Rules::compile(&location.rules, &location.path, names),
            try_files: tries(location.try_files.as_ref(), names),
            limit_except: location.limit_except.as_ref().map(|limit| {
                let location = Location::of_if(&limit.content, &location.path, names);
                Box::new(LimitExcept { methods: limit.methods.clone(), location })
            }),
            is_firm: location.kind == LocationKind::FirmPrefix,
            ..Self::new(handler, &location.settings, names)
        }
    }

    fn new(handler: Handler, settings: &Shared<LocationSettings>, names: &Names) -> Self {
        let Places { finish, files, gates } = names.places(settings);
        Self {
            rules: Rules::default(),
            handler,
            settings: settings.to_arc(),
            finish,
            files,
            gates,
            try_files: None,
            limit_except: None,
            is_firm: false,
            within: None,
        }
    }

    /// One beside another, with its settings.
    fn sharing(handler: Handler, other: &Self) -> Self {
        Self {
            rules: Rules::default(),
            handler,
            settings: Arc::clone(&other.settings),
            finish: Arc::clone(&other.finish),
            files: Arc::clone(&other.files),
            gates: other.gates.clone(),
            try_files: None,
            limit_except: None,
            is_firm: false,
            within: None,
        }
    }

    /// What an `if` within a location makes of it.
    pub(crate) fn of_if(content: &(tree::Handler, Shared<LocationSettings>), path: &str, names: &Names) -> Self {
        let (handler, settings) = content;
        Self::new(Handler::compile(handler, path, settings, names), settings, names)
    }
}

impl Handler {
    /// `path` is the location's, which a URI of `proxy_pass` takes the place of.
    fn compile(handler: &tree::Handler, path: &str, settings: &LocationSettings, names: &Names) -> Self {
        match handler {
            tree::Handler::Files => Self::Files,
            tree::Handler::Page(page) => Self::Page(*page),
            tree::Handler::Api(api) => {
                Self::Api(Api { path: path.trim_end_matches('/').to_owned(), writes: api.writes })
            }
            tree::Handler::Proxy(pass) => Self::Proxy(Box::new(ProxyRule::compile(pass, path, settings, names))),
        }
    }
}

fn tries(tries: Option<&tree::TryFiles>, names: &Names) -> Option<Box<TryFiles>> {
    tries.map(|tries| Box::new(TryFiles::compile(tries, names)))
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
