//! Texts with variables, compiled: literal parts, facts of the request, maps, captures.

use conf::template::{Part, Template};

use crate::escape::append_escaped_argument;
use crate::fact::{Fact, Facts};
use crate::files::{append_path, is_path};
use crate::map::{Maps, Scratch};
use crate::names::Names;

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
    /// A fact that is made of the location's files.
    Path(Fact),
    /// Index into the maps.
    Map(usize),
    /// Index of a variable that `set` defines.
    Variable(usize),
    /// Index of one that only a named group does: it is missing where the group has matched nothing.
    Group(usize),
    /// `$1` to `$9` of the regular expression that matched last.
    Capture(u8),
}

impl Text {
    /// A text of fixed bytes.
    pub fn literal(bytes: &[u8]) -> Self {
        Self { pieces: if bytes.is_empty() { Vec::new() } else { vec![Piece::Literal(bytes.to_vec())] } }
    }

    /// Appends the text's value for a request.
    #[inline]
    pub fn render(&self, facts: &dyn Facts, maps: &Maps, scratch: &mut Scratch, out: &mut Vec<u8>) {
        // What most texts are that are rendered for each request.
        if let [Piece::Fact(fact)] = self.pieces.as_slice() {
            facts.append(fact, out);
            return;
        }
        self.render_escaping(false, facts, maps, scratch, out);
    }

    /// The same; with `escapes` what a regular expression captured is escaped for a query.
    pub(crate) fn render_escaping(
        &self,
        escapes: bool,
        facts: &dyn Facts,
        maps: &Maps,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) {
        for piece in &self.pieces {
            match piece {
                Piece::Capture(number) if escapes => append_escaped_argument(scratch.captures.get(*number), out),
                piece => {
                    piece.append(facts, maps, scratch, out);
                }
            }
        }
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Its value when it holds no variable.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [] => Some(b""),
            [Piece::Literal(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Whether its value can hold a line's end or NUL: what a request's head holds as it stands cannot, what was
    /// decoded, matched or configured can.
    pub(crate) fn may_break_lines(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Literal(bytes) => bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)),
            Piece::Fact(fact) => !fact.is_one_line(),
            _ => true,
        })
    }

    /// Compiles a template. A name that is none of the configuration's and no known variable's renders empty: `conf`
    /// has refused those.
    pub(crate) fn compile(template: &Template, names: &Names) -> Self {
        let piece = |part: &Part| match part {
            Part::Text(text) => Some(Piece::Literal(text.as_bytes().to_vec())),
            Part::Variable(name) => piece_of(&name.to_ascii_lowercase(), names),
            Part::Capture(number) => Some(Piece::Capture(*number)),
        };
        Self { pieces: template.parts.iter().filter_map(piece).collect() }
    }

    /// Whether a byte stands in it as written.
    pub(crate) fn has_literal(&self, byte: u8) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Literal(bytes) if bytes.contains(&byte)))
    }

    pub(crate) fn from_pieces(pieces: Vec<Piece>) -> Self {
        Self { pieces }
    }
}

impl Piece {
    /// Appends its value; false where there is none.
    #[inline]
    pub(crate) fn append(&self, facts: &dyn Facts, maps: &Maps, scratch: &mut Scratch, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Literal(bytes) => out.extend_from_slice(bytes),
            Self::Fact(fact) => return facts.append(fact, out),
            Self::Path(fact) => return append_path(fact, facts, maps, scratch, out),
            Self::Map(index) => maps.append(*index, facts, scratch, out),
            Self::Variable(index) => {
                scratch.append_variable(*index, out);
            }
            Self::Group(index) => return scratch.append_variable(*index, out),
            Self::Capture(number) => scratch.append_capture(*number, out),
        }
        true
    }
}

fn piece_of(name: &str, names: &Names) -> Option<Piece> {
    let map = names.map(name).map(Piece::Map);
    let kind = if names.is_set(name) { Piece::Variable } else { Piece::Group };
    let of_fact = |fact| if is_path(&fact) { Piece::Path(fact) } else { Piece::Fact(fact) };
    map.or_else(|| names.variable(name).map(kind)).or_else(|| names.fact(name).map(of_fact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_request_holds_as_it_stands_is_sure_to_be_one_line() {
        let text = |pieces: Vec<Piece>| Text::from_pieces(pieces).may_break_lines();
        let fact = |name: &str| Piece::Fact(Fact::parse(name).expect("a variable"));
        for name in ["host", "remote_addr", "http_x_y", "cookie_a", "request_uri", "proxy_add_x_forwarded_for"] {
            assert!(!text(vec![fact(name), Piece::Literal(b"; a".to_vec())]), "{name}");
        }
        for name in ["uri", "args", "arg_a", "server_name"] {
            assert!(text(vec![fact("host"), fact(name)]), "{name}");
        }
        for piece in [Piece::Map(0), Piece::Variable(0), Piece::Group(0), Piece::Capture(1)] {
            assert!(text(vec![piece]));
        }
        assert!(text(vec![Piece::Literal(b"a\nb".to_vec())]));
    }
}
