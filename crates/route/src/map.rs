//! `map`: a variable whose value depends on a text, computed at most once a request.

use std::collections::HashMap;

use conf::tree;

use crate::fact::Facts;
use crate::text::Text;

/// Captures a text can name: the whole match and `$1` to `$9`.
const CAPTURES: usize = 10;

/// All maps of a configuration. A thread keeps a clone of its own, whose regular expressions then share no cache with
/// another thread's.
#[derive(Debug, Clone, Default)]
pub struct Maps {
    maps: Vec<Map>,
}

#[derive(Debug, Clone)]
struct Map {
    source: Text,
    /// Keys in lower case.
    exact: HashMap<Vec<u8>, Text>,
    patterns: Vec<(Matcher, Text)>,
    default: Text,
}

/// A regular expression, by the cheapest means that decides it.
#[derive(Debug, Clone)]
enum Matcher {
    /// `.+` and its like: any text that is not empty.
    NotEmpty,
    Bytes(regex::bytes::Regex),
    /// With look-around or back references. It works on valid UTF-8 only; other texts do not match.
    Fancy(Box<fancy_regex::Regex>),
    /// Compiles in no engine; `conf` has refused it.
    Never,
}

/// A request's values of maps, and buffers that outlive it. Keep one a connection and [`reset`](Scratch::reset) it for
/// each request.
#[derive(Debug, Default)]
pub struct Scratch {
    request: u64,
    values: Vec<Value>,
    subject: Vec<u8>,
    captures: [Option<(usize, usize)>; CAPTURES],
}

/// A map's value, valid while its request is the scratch's.
#[derive(Debug, Default)]
struct Value {
    /// The request it was computed for, counted from 1; 0 is none.
    request: u64,
    bytes: Vec<u8>,
    source: Vec<u8>,
    locations: Option<regex::bytes::CaptureLocations>,
}

impl Scratch {
    /// Forgets the last request's values; keeps memory.
    pub fn reset(&mut self) {
        self.request += 1;
        self.captures = [None; CAPTURES];
    }

    pub(crate) fn append_capture(&self, number: u8, out: &mut Vec<u8>) {
        if let Some(Some((start, end))) = self.captures.get(usize::from(number)) {
            out.extend_from_slice(&self.subject[*start..*end]);
        }
    }
}

impl Maps {
    pub(crate) fn append(&self, _index: usize, _facts: &dyn Facts, _scratch: &mut Scratch, _out: &mut Vec<u8>) {}
}
