//! What the names of a configuration stand for, while it is compiled.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use conf::Shared;
use conf::tree::{Http, LocationSettings, Pattern, ProxySettings};

use crate::fact::Fact;
use crate::files::Files;
use crate::finish::Finish;
use crate::gates::Gates;
use crate::matcher::Matcher;
use crate::patterns::Patterns;
use crate::proxy_rule::Fields;
use crate::rewriting::Rewriting;

/// What is made of a location's settings, once for all that share them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// What becomes of answers.
    pub(crate) finish: Arc<Finish>,
    /// Where files are.
    pub(crate) files: Arc<Files>,
    /// What stands before them.
    pub(crate) gates: Option<Arc<Gates>>,
}

/// Settings of `proxy_*`, and what a redirect is by default: what rewriting is made of.
type RewritingKey = (*const ProxySettings, Option<(String, String)>);

/// Indexes of the names that a configuration defines, and its regular expressions as they are found.
#[derive(Debug, Default)]
pub(crate) struct Names {
    maps: HashMap<String, usize>,
    /// Index, and whether it is empty rather than missing before it has a value.
    variables: HashMap<String, (usize, bool)>,
    patterns: RefCell<Vec<Matcher>>,
    // The tree is there for as long as it is compiled, and so is what is at these addresses.
    places: RefCell<HashMap<*const LocationSettings, Places>>,
    fields: RefCell<HashMap<*const ProxySettings, Fields>>,
    rewritings: RefCell<HashMap<RewritingKey, Option<Arc<Rewriting>>>>,
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
        Self { maps: maps.collect(), variables: variables.collect(), ..Self::default() }
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

    /// What is made of these settings.
    pub(crate) fn places(&self, settings: &Shared<LocationSettings>) -> Places {
        let key = std::ptr::from_ref::<LocationSettings>(settings);
        if let Some(places) = self.places.borrow().get(&key) {
            return places.clone();
        }
        let places = Places {
            finish: Arc::new(Finish::compile(settings, self)),
            files: Arc::new(Files::compile(settings, self)),
            gates: Gates::compile(settings, self).map(Arc::new),
        };
        self.places.borrow_mut().insert(key, places.clone());
        places
    }

    /// What these settings say of fields.
    pub(crate) fn fields(&self, settings: &Shared<ProxySettings>) -> Fields {
        let key = std::ptr::from_ref::<ProxySettings>(settings);
        if let Some(fields) = self.fields.borrow().get(&key) {
            return fields.clone();
        }
        let fields = Fields::compile(settings, self);
        self.fields.borrow_mut().insert(key, fields.clone());
        fields
    }

    /// What these settings rewrite in answers, with what a redirect is by default.
    pub(crate) fn rewriting(
        &self,
        settings: &Shared<ProxySettings>,
        redirect_default: Option<(String, String)>,
    ) -> Option<Arc<Rewriting>> {
        let key = (std::ptr::from_ref::<ProxySettings>(settings), redirect_default);
        if let Some(rewriting) = self.rewritings.borrow().get(&key) {
            return rewriting.clone();
        }
        let rewriting = Rewriting::compile(settings, key.1.as_ref(), self).map(Arc::new);
        self.rewritings.borrow_mut().insert(key, rewriting.clone());
        rewriting
    }

    /// All expressions that were added.
    pub(crate) fn into_patterns(self) -> Patterns {
        Patterns::new(self.patterns.into_inner())
    }
}
