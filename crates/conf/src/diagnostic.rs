//! What is wrong, doubtful or worth knowing in a configuration, each with its place. How it looks is the caller's
//! business.

use std::fmt;

use crate::span::Place;

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, and something in it does other than it seems to.
    Warning,
    /// Something to know: a directive without effect, a feature to come.
    Note,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// A stable name for its kind, in kebab case: what scripts compare.
    pub code: &'static str,
    /// What is the matter, in one sentence without a full stop.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to write instead, or the nearest name.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, place, message.into())
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, place, message.into())
    }

    /// A note at a place.
    pub fn note(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, place, message.into())
    }

    /// The same, with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn new(severity: Severity, code: &'static str, place: &Place, message: String) -> Self {
        Self { severity, code, message, place: place.clone(), help: None }
    }
}

impl Severity {
    /// The word for it: `error`, `warning`, `note`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Diagnostic {
    /// One line, as compilers write it: `file:line:column: error[code]: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column, .. } = &self.place;
        if *line > 0 {
            write!(f, "{}:{line}:{column}: ", file.display())?;
        }
        write!(f, "{}[{}]: {}", self.severity.name(), self.code, self.message)
    }
}
