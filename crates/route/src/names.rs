//! What the names of a configuration stand for, while it is compiled.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use conf::Shared;
use conf::tree::{Http, LocationSettings, Pattern};

use crate::fact::Fact;
use crate::files::Files;
use crate::gates::Gates;
use crate::matcher::Matcher;
use crate::patterns::Patterns;

/// Where files are by some settings, and what stands before them.
type Places = (Arc<Files>, Option<Arc<Gates>>);

/// Indexes of the names that a configuration defines, and its regular expressions as they are found.
#[derive(Debug, Default)]
pub(crate) struct Names {
    maps: HashMap<String, usize>,
    /// Index, and whether it is empty rather than missing before it has a value.
    variables: HashMap<String, (usize, bool)>,
    patterns: RefCell<Vec<Matcher>>,
    places: RefCell<HashMap<*const LocationSettings, Places>>,
    keeps: Cell<Keeps>,
}

/// What has to be kept of a request, for a variable somewhere speaks of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeps {
    /// The fields that a client is sent, and trailers.
    pub sent: bool,
    /// Those of an upstream server's answer.
    pub upstream: bool,
    /// The request's body.
    pub body: bool,
    /// The name that a client asks for over TLS.
    pub server_name: bool,
    /// What it offers there.
    pub hello: bool,
}

impl Names {
    pub(crate) fn of(http: &Http) -> Self {
        let maps = http.maps.iter().enumerate().map(|(index, map)| (map.name.to_ascii_lowercase(), index));
        let variables = http.variables.iter().enumerate().map(|(index, own)| (own.name.clone(), (index, own.is_set)));
        Self {
            maps: maps.collect(),
            variables: variables.collect(),
            patterns: RefCell::default(),
            places: RefCell::default(),
            keeps: Cell::default(),
        }
    }

    /// The map of a variable's name, in lower case.
    pub(crate) fn map(&self, name: &str) -> Option<usize> {
        self.maps.get(name).copied()
    }

    /// The variable of that name, in lower case, which `set` or a named group defines.
    pub(crate) fn variable(&self, name: &str) -> Option<usize> {
        self.variables.get(name).map(|(index, _)| *index)
    }

    /// Whether such a variable is empty, rather than missing, before it has a value.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(|(_, is_set)| *is_set)
    }

    /// The fact of a variable's name.
    pub(crate) fn fact(&self, name: &str) -> Option<Fact> {
        let fact = Fact::parse(name);
        let mut keeps = self.keeps.get();
        match &fact {
            Some(Fact::SentField(_) | Fact::SentTrailer(_)) => keeps.sent = true,
            Some(Fact::UpstreamField(_) | Fact::UpstreamCookie(_) | Fact::UpstreamTrailer(_)) => keeps.upstream = true,
            Some(Fact::RequestBody) => keeps.body = true,
            Some(Fact::SslCiphers | Fact::SslCurves) => keeps.hello = true,
            Some(Fact::SslServerName) => keeps.server_name = true,
            _ => {}
        }
        self.keeps.set(keeps);
        fact
    }

    /// What the variables need that were compiled so far.
    pub(crate) fn keeps(&self) -> Keeps {
        self.keeps.get()
    }

    /// Compiles a regular expression; its index in [`Patterns`].
    pub(crate) fn add_pattern(&self, pattern: &Pattern) -> usize {
        let mut patterns = self.patterns.borrow_mut();
        patterns.push(Matcher::new(pattern, self));
        patterns.len() - 1
    }

    /// Where files are by these settings, and what stands before them: once for all locations that share them.
    pub(crate) fn places(&self, settings: &Shared<LocationSettings>) -> Places {
        // The tree is there for as long as it is compiled, and so is what is at this address.
        let key = std::ptr::from_ref::<LocationSettings>(settings);
        if let Some(places) = self.places.borrow().get(&key) {
            return places.clone();
        }
        let places = (Arc::new(Files::compile(settings, self)), Gates::compile(settings, self).map(Arc::new));
        self.places.borrow_mut().insert(key, places.clone());
        places
    }

    /// All expressions that were added.
    pub(crate) fn into_patterns(self) -> Patterns {
        Patterns::new(self.patterns.into_inner())
    }
}
