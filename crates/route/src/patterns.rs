//! The regular expressions of server names, locations and rules.

use crate::map::Scratch;
use crate::matcher::Matcher;

/// All of them. A thread keeps a clone of its own, whose expressions then share no cache with another thread's.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    all: Vec<Matcher>,
}

impl Patterns {
    pub(crate) fn new(all: Vec<Matcher>) -> Self {
        Self { all }
    }

    /// Whether an expression matches anywhere in the text. If so, its groups are the request's `$1` to `$9` from now
    /// on, and those with names are variables.
    pub(crate) fn matches(&self, index: usize, text: &[u8], scratch: &mut Scratch) -> bool {
        self.all[index].matches(text, scratch)
    }

    /// The same, without any trace of it.
    pub(crate) fn is_match(&self, index: usize, text: &[u8]) -> bool {
        self.all[index].is_match(text)
    }
}
