//! What scripts and the injector have to say while a test runs; whoever prints it gives a [`Sink`].

use std::sync::Arc;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Shown on demand only.
    Debug,
    /// `console.log` and `console.info`.
    Info,
    /// `console.warn`.
    Warning,
    /// `console.error`.
    Error,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub text: String,
    /// What belongs to it, by name: `source`, `error`.
    pub fields: Vec<(&'static str, String)>,
}

/// Where lines go; called on any thread of the test.
pub type Sink = Arc<dyn Fn(&Log) + Send + Sync>;
