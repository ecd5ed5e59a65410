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
    /// Other characters that a token may have, such as `$` in `$WSRA`.
    Unusual,
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
    pub(crate) fn of(name: &[u8]) -> Self {
        name.iter().map(|&byte| KINDS[byte as usize]).max().unwrap_or_default()
    }
}

const KINDS: [NameKind; 256] = {
    let mut kinds = [NameKind::Unusual; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'-' {
            kinds[byte] = NameKind::Plain;
        }
        byte += 1;
    }
    kinds[b'_' as usize] = NameKind::Underscore;
    kinds
};
