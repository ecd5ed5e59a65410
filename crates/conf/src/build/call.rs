//! One use of a directive, with its arguments as values.

use std::fmt::Display;

use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::suggest;
use crate::value::{self, ValueError};

/// What applying a directive gives: nothing, or what is wrong with it.
pub(crate) type Outcome = Result<(), Diagnostic>;

/// A directive as written.
pub(crate) struct Call<'n> {
    pub(crate) name: &'static str,
    pub(crate) node: &'n Node,
    /// Whether it is the first of its name in its block.
    pub(crate) first: bool,
}

impl<'n> Call<'n> {
    pub(crate) fn args(&self) -> &'n [Word] {
        &self.node.args
    }

    /// An argument; the table has made sure that it is there.
    pub(crate) fn word(&self, index: usize) -> &'n Word {
        self.node.args.get(index).unwrap_or(&self.node.name)
    }

    pub(crate) fn text(&self, index: usize) -> &'n str {
        &self.word(index).text
    }

    pub(crate) fn time_ms(&self, index: usize) -> Result<u64, Diagnostic> {
        self.value(index, value::time_ms)
    }

    pub(crate) fn seconds_ms(&self, index: usize) -> Result<u64, Diagnostic> {
        self.value(index, value::seconds_ms)
    }

    pub(crate) fn size(&self, index: usize) -> Result<u64, Diagnostic> {
        self.value(index, value::size)
    }

    pub(crate) fn switch(&self, index: usize) -> Result<bool, Diagnostic> {
        self.value(index, value::switch)
    }

    pub(crate) fn number(&self, index: usize, least: u64) -> Result<u64, Diagnostic> {
        self.number_to(index, least, i64::MAX.unsigned_abs())
    }

    pub(crate) fn number_to(&self, index: usize, least: u64, most: u64) -> Result<u64, Diagnostic> {
        self.value(index, |text| value::number(text, least, most))
    }

    pub(crate) fn number_u32(&self, index: usize, least: u32) -> Result<u32, Diagnostic> {
        self.value(index, |text| value::number_u32(text, least))
    }

    fn value<T>(&self, index: usize, parse: impl Fn(&str) -> Result<T, ValueError>) -> Result<T, Diagnostic> {
        parse(self.text(index)).map_err(|error| self.invalid(index, error))
    }

    /// An argument that cannot be; the reason is a sentence.
    pub(crate) fn invalid(&self, index: usize, reason: impl Display) -> Diagnostic {
        let word = self.word(index);
        let message = format!("invalid value \"{}\" in \"{}\": {reason}", word.shown(), self.name);
        Diagnostic::error("invalid-value", &word.place, message)
    }

    /// An argument that means something to nginx and is to come.
    pub(crate) fn not_yet(&self, index: usize, what: &str) -> Diagnostic {
        let word = self.word(index);
        let message = format!("\"{}\" in \"{}\" is not served by bedloe yet", word.shown(), self.name);
        Diagnostic::error("not-served-yet", &word.place, message).help(format!("{what}: to come"))
    }

    /// An argument that is none of some words.
    pub(crate) fn unknown_word<'a>(
        &self,
        index: usize,
        kind: &str,
        words: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Diagnostic {
        let word = self.word(index);
        let message = format!("\"{}\" is no {kind}", word.shown());
        let wrong = Diagnostic::error("invalid-value", &word.place, message);
        // A parameter with a value is compared by its name.
        let name = word.text.split_inclusive('=').next().unwrap_or_default();
        match suggest::nearest(name, words.clone()) {
            Some(near) => wrong.help(format!("did you mean \"{near}\"?")),
            None => wrong.help(format!("there are: {}", words.into_iter().collect::<Vec<_>>().join(", "))),
        }
    }
}
