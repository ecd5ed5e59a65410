//! The directives: one declaration each, which gives the parser its rules, the documentation its text and the tests
//! their examples.

mod access;
mod answers;
mod api;
mod buffering;
mod charsets;
mod client;
mod core;
mod differences;
mod errors;
mod failures;
mod files;
mod gzip;
mod health;
mod http2;
mod limits;
mod listen;
mod logs;
mod methods;
mod pages;
mod pending;
mod proxy;
mod proxy_request;
mod proxy_tls;
mod reference;
mod resolver;
mod rewrite;
mod rewriting;
mod server;
mod sticky;
mod tls;
mod tls_clients;
mod tls_commands;
mod tls_keys;
mod upstream;

use std::collections::HashMap;
use std::fmt;
use std::ops::BitOr;
use std::sync::LazyLock;

use crate::build::{Actions, Call, Cx, Inherited, MainDraft, Outcome, ServerDraft, UpstreamDraft};
use crate::tree::Events;

/// A directive of nginx's that is served, or accepted for it has no effect.
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Where it may be written.
    pub contexts: Contexts,
    /// Its arguments.
    pub takes: Takes,
    /// Whether it may be written more than once in a block.
    pub repeats: bool,
    /// What holds where it is not written; empty when nothing does.
    pub default: &'static str,
    /// What it does, in one line.
    pub doc: &'static str,
    /// A line that works in each of its contexts.
    pub example: &'static str,
    pub(crate) apply: Apply,
}

/// A set of contexts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Contexts(u16);

/// How many arguments a directive takes, and whether a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// At least so many.
    pub least: usize,
    /// At most so many; `usize::MAX` is any number.
    pub most: usize,
    /// Whether a block follows in place of the semicolon.
    pub block: bool,
}

/// Whether a directive does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Served,
    /// It is accepted and changes nothing; the text says why.
    NoEffect(&'static str),
}

/// What a directive does to the configuration being built.
#[derive(Clone, Copy)]
pub(crate) enum Apply {
    Main(fn(&mut MainDraft, &Call<'_>, &mut Cx<'_>) -> Outcome),
    Events(fn(&mut Events, &Call<'_>, &mut Cx<'_>) -> Outcome),
    /// Settings that lower levels inherit.
    Inherited(fn(&mut Inherited, &Call<'_>, &mut Cx<'_>) -> Outcome),
    Server(fn(&mut ServerDraft, &Call<'_>, &mut Cx<'_>) -> Outcome),
    /// What a server or a location does with a request, which nothing inherits.
    Action(fn(&mut Actions, &Call<'_>, &mut Cx<'_>) -> Outcome),
    Upstream(fn(&mut UpstreamDraft, &Call<'_>, &mut Cx<'_>) -> Outcome),
    Block(Block),
    /// Why it changes nothing, and what its value must be all the same.
    NoEffect(&'static str, Ignored),
}

/// What the value of a directive without effect must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ignored {
    Switch,
    Number,
    Size,
    /// A number of buffers, and their size.
    Buffers,
    Time,
    EventMethod,
    Text,
    /// Texts with variables.
    Templates,
}

/// The blocks, each with rules of its own in `build`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    Events,
    Http,
    Map,
    Geo,
    SplitClients,
    CharsetMap,
    Upstream,
    Server,
    Location,
    If,
    LimitExcept,
    Match,
}

/// What a name means in a context.
pub(crate) enum Found {
    Directive(&'static Directive),
    /// nginx's, and not served; the text names the area that is to come.
    NotYet(&'static str),
    /// Known, and not allowed here but there.
    Misplaced(Contexts),
    Unknown,
}

pub use answers::rate_of;
pub use api::{ServerAddress, seconds_of, server_address, time_of};
pub(crate) use errors::CHARSET_TYPES;
pub(crate) use pending::outlook;
pub use proxy_request::bind_address;
pub(crate) use proxy_tls::check as check_proxy_tls;
pub use reference::{explain, reference};

/// All directives, by subject.
pub fn directives() -> impl Iterator<Item = &'static Directive> {
    [
        core::DIRECTIVES,
        client::DIRECTIVES,
        buffering::DIRECTIVES,
        server::DIRECTIVES,
        rewrite::DIRECTIVES,
        errors::DIRECTIVES,
        charsets::DIRECTIVES,
        files::DIRECTIVES,
        access::DIRECTIVES,
        api::DIRECTIVES,
        pages::DIRECTIVES,
        gzip::DIRECTIVES,
        limits::DIRECTIVES,
        listen::DIRECTIVES,
        logs::DIRECTIVES,
        tls::DIRECTIVES,
        tls_clients::DIRECTIVES,
        tls_commands::DIRECTIVES,
        tls_keys::DIRECTIVES,
        http2::DIRECTIVES,
        upstream::DIRECTIVES,
        methods::DIRECTIVES,
        sticky::DIRECTIVES,
        health::DIRECTIVES,
        failures::DIRECTIVES,
        proxy::DIRECTIVES,
        proxy_request::DIRECTIVES,
        proxy_tls::DIRECTIVES,
        rewriting::DIRECTIVES,
        resolver::DIRECTIVES,
        answers::DIRECTIVES,
    ]
    .into_iter()
    .flatten()
}

/// Looks a name up.
pub(crate) fn find(name: &str, context: Contexts) -> Found {
    static INDEX: LazyLock<HashMap<&'static str, Vec<&'static Directive>>> = LazyLock::new(|| {
        let mut index: HashMap<_, Vec<_>> = HashMap::new();
        for directive in directives() {
            index.entry(directive.name).or_default().push(directive);
        }
        index
    });
    let declared = INDEX.get(name).map(Vec::as_slice).unwrap_or_default();
    if let Some(directive) = declared.iter().find(|directive| directive.contexts.contains(context)) {
        return Found::Directive(directive);
    }
    if let Some(area) = pending::area(name, context) {
        return Found::NotYet(area);
    }
    let contexts = declared.iter().map(|directive| directive.contexts).reduce(BitOr::bitor);
    contexts.map_or(Found::Unknown, Found::Misplaced)
}

/// All names that mean something in a context, for a suggestion.
pub(crate) fn names(context: Contexts) -> impl Iterator<Item = &'static str> {
    let declared = directives().filter(move |directive| directive.contexts.contains(context));
    declared.map(|directive| directive.name).chain(pending::names(context))
}

/// Whether a word is a directive's name somewhere.
pub(crate) fn is_name(word: &str) -> bool {
    !matches!(find(word, Contexts::ALL), Found::Unknown)
}

/// A directive of one argument that is accepted since files have it, and that changes nothing here.
const fn no_effect(
    name: &'static str,
    contexts: Contexts,
    ignored: Ignored,
    example: &'static str,
    reason: &'static str,
) -> Directive {
    let doc = "Accepted, without effect.";
    let apply = Apply::NoEffect(reason, ignored);
    Directive { name, contexts, takes: Takes::exactly(1), repeats: false, default: "", doc, example, apply }
}

impl Directive {
    /// The same with other arguments.
    const fn taking(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// The same, any number of times.
    const fn repeating(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// Whether it does what it says.
    pub fn support(&self) -> Support {
        match self.apply {
            Apply::NoEffect(reason, _) => Support::NoEffect(reason),
            _ => Support::Served,
        }
    }

    /// In what it is other than nginx's, in one line.
    pub fn difference(&self) -> Option<&'static str> {
        differences::of(self)
    }
}

impl Contexts {
    /// Outside of any block.
    pub const MAIN: Self = Self(1);
    /// `events`.
    pub const EVENTS: Self = Self(2);
    /// `http`.
    pub const HTTP: Self = Self(4);
    /// `server`.
    pub const SERVER: Self = Self(8);
    /// `location`.
    pub const LOCATION: Self = Self(16);
    /// `upstream`.
    pub const UPSTREAM: Self = Self(32);
    /// `if` in a server, which holds rules only.
    pub const SERVER_IF: Self = Self(64);
    /// `if` in a location.
    pub const LOCATION_IF: Self = Self(128);
    /// `limit_except` in a location.
    pub const LIMIT_EXCEPT: Self = Self(256);
    /// `http`, `server` and `location`.
    pub const REQUEST: Self = Self(4 | 8 | 16);
    /// These, and `if` in a location.
    pub const REQUEST_IF: Self = Self(4 | 8 | 16 | 128);
    /// `http`, `server`, `location`, and `limit_except` in it.
    pub const GATES: Self = Self(4 | 8 | 16 | 256);
    /// `location`, and `if` and `limit_except` in it.
    pub const CONTENTS: Self = Self(16 | 128 | 256);
    /// Where rules about a request may stand.
    pub const RULES: Self = Self(8 | 16 | 64 | 128);
    /// There, and in `http`.
    pub const ALL_RULES: Self = Self(4 | 8 | 16 | 64 | 128);
    /// `location`, and `if` in it.
    pub const PARTS: Self = Self(16 | 128);
    /// `server` and `location`.
    pub const PLACES: Self = Self(8 | 16);
    /// `http` and `server`.
    pub const SERVERS: Self = Self(4 | 8);
    /// Everywhere.
    pub const ALL: Self = Self(511);

    const NAMES: [(Self, &'static str); 9] = [
        (Self::MAIN, "main"),
        (Self::EVENTS, "events"),
        (Self::HTTP, "http"),
        (Self::SERVER, "server"),
        (Self::LOCATION, "location"),
        (Self::SERVER_IF, "if in server"),
        (Self::LOCATION_IF, "if in location"),
        (Self::LIMIT_EXCEPT, "limit_except"),
        (Self::UPSTREAM, "upstream"),
    ];

    /// Whether one context of the other set is in this one.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the contexts, outermost first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(context, _)| self.contains(*context)).map(|(_, name)| name)
    }
}

impl BitOr for Contexts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Debug for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contexts({self})")
    }
}

impl Takes {
    /// Exactly so many arguments.
    pub const fn exactly(count: usize) -> Self {
        Self { least: count, most: count, block: false }
    }

    /// From so many to so many arguments.
    pub const fn between(least: usize, most: usize) -> Self {
        Self { least, most, block: false }
    }

    /// So many arguments or more.
    pub const fn at_least(least: usize) -> Self {
        Self { least, most: usize::MAX, block: false }
    }

    /// From so many to so many arguments and a block.
    pub const fn block(least: usize, most: usize) -> Self {
        Self { least, most, block: true }
    }
}

impl fmt::Display for Takes {
    /// `1 argument`, `2 or 3 arguments`, `at least 1 argument`, `no arguments`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        match (self.least, self.most) {
            (0, 0) => f.write_str("no arguments"),
            (least, most) if least == most => write!(f, "{least} argument{}", plural(least)),
            (least, usize::MAX) => write!(f, "at least {least} argument{}", plural(least)),
            (least, most) if most == least + 1 => write!(f, "{least} or {most} argument{}", plural(most)),
            (least, most) => write!(f, "{least} to {most} arguments"),
        }
    }
}

#[cfg(test)]
mod tests;
