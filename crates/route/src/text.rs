//! Texts with variables, compiled: literal parts, facts of the request, maps, captures.

use std::collections::HashMap;

use conf::template::{Part, Template};

use crate::fact::{Fact, Facts};
use crate::map::{Maps, Scratch};

/// A compiled template.
#[derive(Debug, Clone, Default)]
pub struct Text {
    pieces: Vec<Piece>,
}

/// A part of a text.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Literal(Vec<u8>),
    Fact(Fact),
    /// Index into the maps.
    Map(usize),
    /// `$1` to `$9` of the regular expression that matched last.
    Capture(u8),
}

impl Text {
    /// A text of fixed bytes.
    pub fn literal(bytes: &[u8]) -> Self {
        Self { pieces: if bytes.is_empty() { Vec::new() } else { vec![Piece::Literal(bytes.to_vec())] } }
    }

    /// Appends the text's value for a request.
    pub fn render(&self, facts: &dyn Facts, maps: &Maps, scratch: &mut Scratch, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(bytes) => out.extend_from_slice(bytes),
                Piece::Fact(fact) => {
                    facts.append(fact, out);
                }
                Piece::Map(index) => maps.append(*index, facts, scratch, out),
                Piece::Capture(number) => scratch.append_capture(*number, out),
            }
        }
    }

    /// Its value when it holds no variable.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [] => Some(b""),
            [Piece::Literal(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Compiles a template; `maps` are the names of the maps and their indexes. A name that is neither a map's nor a
    /// known variable's renders empty: `conf` has refused those.
    pub(crate) fn compile(template: &Template, maps: &HashMap<String, usize>) -> Self {
        let piece = |part: &Part| match part {
            Part::Text(text) => Some(Piece::Literal(text.as_bytes().to_vec())),
            Part::Variable(name) => match maps.get(&name.to_ascii_lowercase()) {
                Some(&map) => Some(Piece::Map(map)),
                None => Fact::parse(name).map(Piece::Fact),
            },
            Part::Capture(number) => Some(Piece::Capture(*number)),
        };
        Self { pieces: template.parts.iter().filter_map(piece).collect() }
    }

    pub(crate) fn from_pieces(pieces: Vec<Piece>) -> Self {
        Self { pieces }
    }
}
