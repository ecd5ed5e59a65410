//! `map`, `geo` and `split_clients`: variables whose value depends on a text, computed at most once a request unless
//! they are volatile.

use std::collections::HashMap;
use std::mem;

use conf::tree;

use crate::fact::Facts;
use crate::geo::Geo;
use crate::matcher::{Captures, Matcher};
use crate::names::Names;
use crate::rules::Variable;
use crate::shares::Shares;
use crate::text::Text;

/// All maps of a configuration. A thread keeps a clone of its own, whose regular expressions then share no cache with
/// another thread's.
#[derive(Debug, Clone, Default)]
pub struct Maps {
    maps: Vec<Map>,
}

#[derive(Debug, Clone)]
struct Map {
    source: Text,
    is_volatile: bool,
    lookup: Lookup,
}

#[derive(Debug, Clone)]
enum Lookup {
    Texts(Box<Texts>),
    Addresses(Box<Geo>),
    Shares(Shares),
}

/// The entries of a `map`; keys are in lower case.
#[derive(Debug, Clone)]
struct Texts {
    are_hosts: bool,
    exact: HashMap<Vec<u8>, Text>,
    /// `.example.com` for all below it.
    leading: HashMap<Vec<u8>, Text>,
    /// `example.` for all that begins so.
    trailing: HashMap<Vec<u8>, Text>,
    patterns: Vec<(Matcher, Text)>,
    default: Text,
}

/// A request's values of maps, and buffers that outlive it. Keep one a connection and [`reset`](Scratch::reset) it for
/// each request.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Counts requests; values of an earlier one are not valid.
    request: u64,
    values: Vec<Value>,
    pub(crate) captures: Captures,
    /// Variables that `set` and named groups define.
    variables: Vec<Value>,
    /// What rules put together: a path or a value, and arguments.
    pub(crate) text: Vec<u8>,
    pub(crate) args: Vec<u8>,
}

/// One map's value and the buffers it is computed in.
#[derive(Debug, Default)]
struct Value {
    /// The request it was computed for, plus one, so that 0 is none.
    computed_for: u64,
    /// It is under way: a map that needs itself must come to an end.
    is_under_way: bool,
    bytes: Vec<u8>,
    source: Vec<u8>,
}

impl Value {
    fn set(&mut self, request: u64, bytes: &[u8]) {
        self.computed_for = request + 1;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }
}

impl Scratch {
    /// Forgets the last request's values; keeps memory.
    pub fn reset(&mut self) {
        self.request += 1;
        self.captures.clear();
    }

    /// Whether an expression matches; if so, its captures are those that texts name.
    pub(crate) fn matches(&mut self, matcher: &Matcher, text: &[u8]) -> bool {
        matcher.matches(text, self)
    }

    /// Sets a variable for the rest of the request; the request's arguments are the caller's.
    pub fn set(&mut self, variable: Variable, bytes: &[u8]) {
        match variable {
            Variable::Own(index) => self.set_variable(index, bytes),
            Variable::Map(index) => self.set_map(index, bytes),
            Variable::Args | Variable::LimitRate => {}
        }
    }

    /// Takes the captures of the expression that matched last, so that another request may use the rest.
    pub fn take_captures(&mut self) -> Captures {
        mem::take(&mut self.captures)
    }

    /// Puts captures back.
    pub fn put_captures(&mut self, captures: Captures) {
        self.captures = captures;
    }

    /// Sets a map's variable for the rest of the request, whatever the map says.
    pub(crate) fn set_map(&mut self, index: usize, bytes: &[u8]) {
        if self.values.len() <= index {
            self.values.resize_with(index + 1, Value::default);
        }
        self.values[index].set(self.request, bytes);
    }

    /// Sets a variable for the rest of the request.
    pub(crate) fn set_variable(&mut self, index: usize, bytes: &[u8]) {
        if self.variables.len() <= index {
            self.variables.resize_with(index + 1, Value::default);
        }
        self.variables[index].set(self.request, bytes);
    }

    /// Appends a variable's value; nothing, and false, where this request has not set it.
    pub(crate) fn append_variable(&self, index: usize, out: &mut Vec<u8>) -> bool {
        let value = self.variables.get(index).filter(|value| value.computed_for == self.request + 1);
        out.extend_from_slice(value.map_or(b"", |value| &value.bytes));
        value.is_some()
    }

    /// Makes a variable of a group that matched.
    pub(crate) fn set_from_capture(&mut self, index: usize, group: u8) {
        let captures = std::mem::take(&mut self.captures);
        self.set_variable(index, captures.get(group));
        self.captures = captures;
    }

    pub(crate) fn append_capture(&self, number: u8, out: &mut Vec<u8>) {
        out.extend_from_slice(self.captures.get(number));
    }
}

impl Maps {
    /// Compiles the maps; `names` are their names and indexes.
    pub(crate) fn compile(maps: &[tree::Map], names: &Names) -> Self {
        Self { maps: maps.iter().map(|map| Map::compile(map, names)).collect() }
    }

    /// Appends a map's value, computing it unless this request has done so already.
    pub(crate) fn append(&self, index: usize, facts: &dyn Facts, scratch: &mut Scratch, out: &mut Vec<u8>) {
        if scratch.values.len() < self.maps.len() {
            scratch.values.resize_with(self.maps.len(), Value::default);
        }
        let value = &scratch.values[index];
        let is_known = value.computed_for == scratch.request + 1;
        if !is_known || (self.maps[index].is_volatile && !value.is_under_way) {
            self.compute(index, facts, scratch);
        }
        out.extend_from_slice(&scratch.values[index].bytes);
    }

    fn compute(&self, index: usize, facts: &dyn Facts, scratch: &mut Scratch) {
        let map = &self.maps[index];
        let value = &mut scratch.values[index];
        // Marked before it is computed: a map that leads back to itself finds its own value empty, and ends.
        value.computed_for = scratch.request + 1;
        value.is_under_way = true;
        let mut source = mem::take(&mut value.source);
        let mut bytes = mem::take(&mut value.bytes);
        source.clear();
        map.source.render(facts, self, scratch, &mut source);
        match &map.lookup {
            Lookup::Texts(texts) => {
                let result = texts.choose(&source, &mut bytes, scratch);
                bytes.clear();
                result.render(facts, self, scratch, &mut bytes);
            }
            Lookup::Addresses(geo) => {
                let found = geo.find(&source, facts, &mut bytes);
                bytes.clear();
                bytes.extend_from_slice(found);
            }
            Lookup::Shares(shares) => {
                bytes.clear();
                bytes.extend_from_slice(shares.find(&source));
            }
        }
        let value = &mut scratch.values[index];
        value.is_under_way = false;
        value.source = source;
        value.bytes = bytes;
    }
}

impl Map {
    fn compile(map: &tree::Map, names: &Names) -> Self {
        let lookup = match &map.lookup {
            tree::Lookup::Texts(texts) => Lookup::Texts(Box::new(Texts::compile(texts, names))),
            tree::Lookup::Addresses(addresses) => Lookup::Addresses(Box::new(Geo::compile(addresses))),
            tree::Lookup::Shares(shares) => Lookup::Shares(Shares::compile(shares)),
        };
        Self { source: Text::compile(&map.source, names), is_volatile: map.is_volatile, lookup }
    }
}

impl Texts {
    fn compile(texts: &tree::Texts, names: &Names) -> Self {
        let keyed = |written: &[(String, _)]| {
            let mut all = HashMap::new();
            for (key, result) in written {
                all.entry(key.to_ascii_lowercase().into_bytes()).or_insert_with(|| Text::compile(result, names));
            }
            all
        };
        let pattern =
            |(pattern, result): &(tree::Pattern, _)| (Matcher::new(pattern, names), Text::compile(result, names));
        Self {
            are_hosts: texts.are_hosts,
            exact: keyed(&texts.exact),
            leading: keyed(&texts.leading),
            trailing: keyed(&texts.trailing),
            patterns: texts.patterns.iter().map(pattern).collect(),
            default: Text::compile(&texts.default, names),
        }
    }

    /// The result for a source: a key's, else the first matching pattern's, else the default.
    fn choose(&self, source: &[u8], lower: &mut Vec<u8>, scratch: &mut Scratch) -> &Text {
        let source = source.strip_suffix(b".").filter(|_| self.are_hosts).unwrap_or(source);
        self.by_key(source, lower)
            .or_else(|| {
                self.patterns.iter().find(|(matcher, _)| matcher.matches(source, scratch)).map(|(_, text)| text)
            })
            .unwrap_or(&self.default)
    }

    /// An exact key's; else that of the longest one with a star at its front, else at its end.
    fn by_key(&self, source: &[u8], lower: &mut Vec<u8>) -> Option<&Text> {
        if self.exact.is_empty() && !self.are_hosts {
            return None;
        }
        lower.clear();
        lower.extend(source.iter().map(u8::to_ascii_lowercase));
        let exact = self.exact.get(lower.as_slice());
        if exact.is_some() || !self.are_hosts {
            return exact;
        }
        let leading = || memchr::memchr_iter(b'.', lower);
        let trailing = || memchr::memrchr_iter(b'.', lower);
        leading()
            .find_map(|dot| self.leading.get(&lower[dot..]))
            .or_else(|| trailing().find_map(|dot| self.trailing.get(&lower[..=dot])))
    }
}

#[cfg(test)]
mod tests;
