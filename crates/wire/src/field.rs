//! One field of a head: where it is, and what is known of its name.

use crate::{Known, Span};

/// What a field's name is made of; nginx drops all but plain names unless it is told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// Letters, digits and hyphens.
    #[default]
    Plain,
    /// An underscore besides these: applications that follow CGI cannot tell it from a hyphen.
    Underscore,
    /// Other characters that a token may have.
    Unusual,
    /// `$WS` and more: what IBM's plug-in tells a server of the client (`$WSRA`, `$WSSC`), which believes it.
    Liberty,
}

/// One field of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The name as it was sent.
    pub name: Span,
    /// The value without white space around it.
    pub value: Span,
    /// The name, where it is one that has a meaning here.
    pub known: Known,
    /// What the name is made of.
    pub kind: NameKind,
    /// Whether the field concerns this connection only and must not be forwarded (RFC 9110 7.6.1).
    pub hop: bool,
}

/// The first field of that name, if any.
#[must_use]
pub fn find(fields: &[Field], known: Known) -> Option<&Field> {
    fields.iter().find(|field| field.known == known)
}

impl NameKind {
    /// What a name is made of; none if it is no token (RFC 9110 5.6.2).
    #[inline(never)]
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let classes = name.iter().fold(0, |classes, byte| classes | CLASSES[*byte as usize]);
        match classes {
            PLAIN => Some(Self::Plain),
            classes if classes >= NO_TOKEN || name.is_empty() => None,
            classes if classes >= UNUSUAL && is_liberty(name) => Some(Self::Liberty),
            classes if classes >= UNUSUAL => Some(Self::Unusual),
            _ => Some(Self::Underscore),
        }
    }
}

fn is_liberty(name: &[u8]) -> bool {
    name.first_chunk::<3>().is_some_and(|start| start.eq_ignore_ascii_case(b"$WS"))
}

/// Whether the byte may be in a token (RFC 9110 5.6.2).
#[inline]
pub(crate) fn is_token_byte(byte: u8) -> bool {
    CLASSES[byte as usize] < NO_TOKEN
}

const PLAIN: u8 = 1;
const UNDERSCORE: u8 = 2;
const UNUSUAL: u8 = 4;
const NO_TOKEN: u8 = 8;

/// One bit a byte; a name has those of all its bytes.
const CLASSES: [u8; 256] = {
    let mut classes = [NO_TOKEN; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => PLAIN,
            b'_' => UNDERSCORE,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'.' | b'^' | b'`' | b'|' | b'~' => UNUSUAL,
            _ => NO_TOKEN,
        };
        byte += 1;
    }
    classes
};
