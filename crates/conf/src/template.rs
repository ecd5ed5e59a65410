//! A text with variables, cut into its parts: `https://$host$request_uri`.
//!
//! Names are checked against the variables known when the configuration is read; values are `route`'s business.

/// A text with variables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    /// The parts in order; none for an empty text.
    pub parts: Vec<Part>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Fixed text.
    Text(String),
    /// `$name` or `${name}`, without the sign.
    Variable(String),
    /// `$1` to `$9`: a capture of the regular expression that matched.
    Capture(u8),
}
