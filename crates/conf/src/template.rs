//! A text with variables, cut into its parts: `https://$host$request_uri`.
//!
//! Names are checked against the variables known when the configuration is read; values are `route`'s business.

use std::ops::Range;

use thiserror::Error;

/// A text with variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Template {
    /// The parts in order; none for an empty text.
    pub parts: Vec<Part>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Fixed text.
    Text(String),
    /// `$name` or `${name}`, without the sign.
    Variable(String),
    /// `$1` to `$9`: a capture of the regular expression that matched.
    Capture(u8),
}

/// Why a text is no template. Offsets and lengths are bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A `$` that no name follows.
    #[error("a variable name must follow \"$\"")]
    NoName {
        /// Where the `$` is.
        offset: usize,
    },
    /// A `${` without its `}`.
    #[error("the closing brace of \"${{{name}\" is missing")]
    NoBrace {
        /// Where the `$` is.
        offset: usize,
        /// The name as far as it goes.
        name: String,
    },
}

impl TemplateError {
    /// Where in the text the trouble begins.
    pub fn offset(&self) -> usize {
        match self {
            Self::NoName { offset } | Self::NoBrace { offset, .. } => *offset,
        }
    }
}

impl Template {
    /// Cuts a text into its parts.
    ///
    /// # Errors
    /// When a `$` is followed by no name, or a `${` is not closed. nginx has no way to write a plain `$` either.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Ok(Self { parts: spanned(text)?.into_iter().map(|(part, _)| part).collect() })
    }

    /// The text, if it has no variables.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The names of its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) | Part::Capture(_) => None,
        })
    }
}

/// The parts of a text, each with the bytes that it was made of.
pub(crate) fn spanned(text: &str) -> Result<Vec<(Part, Range<usize>)>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = 0;
    while let Some(found) = text[rest..].find('$') {
        let sign = rest + found;
        push_text(&mut parts, text, rest..sign);
        let (part, end) = variable_at(text, sign)?;
        parts.push((part, sign..end));
        rest = end;
    }
    push_text(&mut parts, text, rest..text.len());
    Ok(parts)
}

fn push_text(parts: &mut Vec<(Part, Range<usize>)>, text: &str, range: Range<usize>) {
    if !range.is_empty() {
        parts.push((Part::Text(text[range.clone()].to_owned()), range));
    }
}

/// The variable whose `$` is at `sign`, and where the text goes on.
fn variable_at(text: &str, sign: usize) -> Result<(Part, usize), TemplateError> {
    let after = &text[sign + 1..];
    if let Some(braced) = after.strip_prefix('{') {
        let name = name_of(braced);
        if !braced[name.len()..].starts_with('}') {
            return Err(TemplateError::NoBrace { offset: sign, name: name.to_owned() });
        }
        if name.is_empty() {
            return Err(TemplateError::NoName { offset: sign });
        }
        let part = capture(name).filter(|_| name.len() == 1).unwrap_or_else(|| Part::Variable(name.to_owned()));
        return Ok((part, sign + 2 + name.len() + 1));
    }
    // As in nginx, `$10` is the first capture and a zero.
    if let Some(part) = capture(after) {
        return Ok((part, sign + 2));
    }
    let name = name_of(after);
    if name.is_empty() {
        return Err(TemplateError::NoName { offset: sign });
    }
    Ok((Part::Variable(name.to_owned()), sign + 1 + name.len()))
}

fn capture(text: &str) -> Option<Part> {
    match text.bytes().next() {
        Some(digit @ b'1'..=b'9') => Some(Part::Capture(digit - b'0')),
        _ => None,
    }
}

fn name_of(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::Part::{Capture, Text, Variable};
    use super::*;

    fn text(text: &str) -> Part {
        Text(text.to_owned())
    }

    fn variable(name: &str) -> Part {
        Variable(name.to_owned())
    }

    #[test]
    fn texts_are_cut_at_variables() {
        let table: &[(&str, Vec<Part>)] = &[
            ("", vec![]),
            ("plain", vec![text("plain")]),
            ("$host", vec![variable("host")]),
            ("https://$host$request_uri", vec![text("https://"), variable("host"), variable("request_uri")]),
            ("${host}name", vec![variable("host"), text("name")]),
            ("$host-x", vec![variable("host"), text("-x")]),
            ("a$1b", vec![text("a"), Capture(1), text("b")]),
            ("$10", vec![Capture(1), text("0")]),
            ("${2}0", vec![Capture(2), text("0")]),
            ("é$host}", vec![text("é"), variable("host"), text("}")]),
        ];
        for (input, parts) in table {
            assert_eq!(Template::parse(input).as_ref().map(|t| &t.parts), Ok(parts), "{input}");
        }
    }

    #[test]
    fn signs_without_names_are_refused() {
        let table = [("$", 0), ("a$", 1), ("a$-b", 1), ("x${host", 1), ("${}", 0), ("${a b}", 0), ("$$host", 0)];
        for (input, offset) in table {
            assert_eq!(Template::parse(input).map_err(|e| e.offset()), Err(offset), "{input}");
        }
    }
}
