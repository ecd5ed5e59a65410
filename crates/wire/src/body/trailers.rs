//! Trailers (RFC 9110 6.5): checked like the fields of a head, and kept when they may be forwarded.
//!
//! What frames or routes a message, says who somebody is or concerns one connection has no business behind the body:
//! the decisions are made by then. Such trailers are dropped, not refused. So are names that nginx drops in heads.

use memchr::memchr;

use crate::field::NameKind;
use crate::scan::is_control;
use crate::{BodyError, Known};

/// The most bytes of trailers, line ends included: one line of a head.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// The most trailer fields.
pub const TRAILER_FIELDS_MAX: usize = 64;

/// The trailers of one body. Nothing is allocated before the first one.
#[derive(Debug, Default)]
pub(super) struct Trailers {
    /// The lines to forward, then the line that is being read.
    bytes: Vec<u8>,
    /// Where that line starts.
    kept: u32,
    /// All bytes of trailers so far, dropped ones too.
    taken: u32,
    fields: u32,
}

impl Trailers {
    pub(super) fn kept(&self) -> &[u8] {
        &self.bytes[..self.kept as usize]
    }

    /// Lines of this side's own, which nothing that comes can put aside.
    pub(super) fn add(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
        self.kept = self.bytes.len() as u32;
    }

    /// Reads on in a line: how many bytes were taken, and whether its end was among them.
    #[cold]
    pub(super) fn take(&mut self, input: &[u8]) -> Result<(usize, bool), BodyError> {
        let feed = memchr(b'\n', input);
        let taken = feed.map_or(input.len(), |feed| feed + 1);
        if taken > TRAILER_BYTES_MAX - self.taken as usize {
            return Err(BodyError::Trailer);
        }
        self.taken += taken as u32;
        self.bytes.extend_from_slice(&input[..taken]);
        if feed.is_some() {
            self.settle()?;
        }
        Ok((taken, feed.is_some()))
    }

    /// Checks a whole line, and drops it or writes it anew.
    fn settle(&mut self) -> Result<(), BodyError> {
        let start = self.kept as usize;
        let line = self.bytes[start..].strip_suffix(b"\r\n").ok_or(BodyError::Trailer)?;
        let colon = memchr(b':', line).ok_or(BodyError::Trailer)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let kind = NameKind::of(name).ok_or(BodyError::Trailer)?;
        self.fields += 1;
        if line[colon..].iter().any(|&byte| is_control(byte)) || self.fields as usize > TRAILER_FIELDS_MAX {
            return Err(BodyError::Trailer);
        }
        if kind != NameKind::Plain || !may_be_trailer(Known::of(name)) {
            self.bytes.truncate(start);
            return Ok(());
        }
        let value_length = value.len();
        let value_start = start + colon + 1 + leading_space(&line[colon + 1..]);
        self.bytes.truncate(value_start + value_length);
        self.bytes.splice(start + colon..value_start, *b": ");
        self.bytes.extend_from_slice(b"\r\n");
        self.kept = self.bytes.len() as u32;
        Ok(())
    }
}

fn leading_space(value: &[u8]) -> usize {
    value.len() - value.trim_ascii_start().len()
}

/// RFC 9110 6.5.1: not what is needed before the body, or decides where it goes.
fn may_be_trailer(known: Known) -> bool {
    matches!(
        known,
        Known::Other | Known::Etag | Known::Expires | Known::LastModified | Known::Date | Known::AcceptRanges
    )
}
