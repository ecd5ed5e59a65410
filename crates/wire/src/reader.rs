//! Reads the lines of a head in one pass: each byte is looked at once, sixteen at a time where that pays.
//!
//! It knows what may stand where; what a head means is [`Summary`]'s and its callers'. Saying what exactly is wrong
//! with a malformed line is left to [`crate::scan`]: that is no hurry.

use crate::field::{NameKind, is_token_byte};
use crate::summary::Summary;
use crate::vector::{Bytes, WIDTH};
use crate::{FIELDS_MAX, Field, Known, Limits, Span, Version};

/// Why there is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// More bytes are needed.
    Partial,
    /// The first line is malformed.
    FirstLine,
    /// A field line is malformed.
    Field,
    TooManyFields,
}

const HTTP_1_1: u64 = u64::from_ne_bytes(*b"HTTP/1.1");
const HTTP_1_0: u64 = u64::from_ne_bytes(*b"HTTP/1.0");

/// A place in the bytes of a head.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A request's target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) span: Span,
    /// It has bytes that are no ASCII.
    pub(crate) is_foreign: bool,
    /// It has a `#`.
    pub(crate) has_hash: bool,
    /// Where its first `?` is, if it has one.
    pub(crate) question: Option<u32>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where the next byte is.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// A token and the space behind it: the method.
    #[inline]
    pub(crate) fn method(&mut self) -> Result<Span, Unread> {
        let start = self.at;
        if self.bytes[start..].starts_with(b"GET ") {
            self.at += 4;
            return Ok(Span::new(start, start + 3));
        }
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte == b' ' && self.at > start {
                self.at += 1;
                return Ok(Span::new(start, self.at - 1));
            }
            if !is_token_byte(byte) {
                return Err(Unread::FirstLine);
            }
            self.at += 1;
        }
        Err(Unread::Partial)
    }

    /// The bytes to the next space, which is read too; none of them a control character.
    #[inline]
    pub(crate) fn target(&mut self) -> Result<Target, Unread> {
        let start = self.at;
        let mut target = Target { span: Span::default(), is_foreign: false, has_hash: false, question: None };
        while self.at < self.bytes.len() {
            let bytes = Bytes::at(self.bytes, self.at);
            let stops = bytes.at_most_or_del(b' ');
            // Only what comes before the stop counts.
            let before = (stops & stops.wrapping_neg()).wrapping_sub(1);
            target.is_foreign |= bytes.foreign() & before != 0;
            target.has_hash |= bytes.equal(b'#') & before != 0;
            let questions = bytes.equal(b'?') & before;
            if questions != 0 && target.question.is_none() {
                target.question = Some(self.at as u32 + questions.trailing_zeros());
            }
            if stops != 0 {
                self.at += stops.trailing_zeros() as usize;
                return self.end_target(start, target);
            }
            self.at += WIDTH;
        }
        Err(Unread::Partial)
    }

    fn end_target(&mut self, start: usize, target: Target) -> Result<Target, Unread> {
        if self.bytes[self.at] != b' ' || self.at == start {
            return Err(Unread::FirstLine);
        }
        self.at += 1;
        Ok(Target { span: Span::new(start, self.at - 1), ..target })
    }

    /// `HTTP/1.0` or `HTTP/1.1`.
    #[inline]
    pub(crate) fn version(&mut self) -> Result<Version, Unread> {
        let rest = &self.bytes[self.at..];
        let version = match rest.first_chunk().map(|word| u64::from_ne_bytes(*word)) {
            Some(HTTP_1_1) => Version::Http11,
            Some(HTTP_1_0) => Version::Http10,
            None if b"HTTP/1.".starts_with(rest) => return Err(Unread::Partial),
            _ => return Err(Unread::FirstLine),
        };
        self.at += 8;
        Ok(version)
    }

    /// The status line that most answers begin with; what of it is the reason.
    #[inline]
    pub(crate) fn usual_status_line(&mut self) -> Option<Span> {
        const LINE: &[u8] = b"HTTP/1.1 200 OK\r\n";
        if !self.bytes[self.at..].starts_with(LINE) {
            return None;
        }
        self.at += LINE.len();
        Some(Span::new(self.at - 4, self.at - 2))
    }

    /// A space, three digits, and a reason or none.
    #[inline]
    pub(crate) fn status(&mut self) -> Result<(u16, Span), Unread> {
        let Some(&[b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']) = self.bytes[self.at..].first_chunk()
        else {
            return Err(if self.is_cut_status() { Unread::Partial } else { Unread::FirstLine });
        };
        self.at += 4;
        let status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
        let start = match self.bytes.get(self.at) {
            Some(b' ') => self.at + 1,
            Some(b'\r' | b'\n') => self.at,
            Some(_) => return Err(Unread::FirstLine),
            None => return Err(Unread::Partial),
        };
        self.at = start;
        let end = self.text(Unread::FirstLine)?;
        Ok((status, Span::new(start, end)))
    }

    /// Whether what is here could go on as a status.
    fn is_cut_status(&self) -> bool {
        let rest = &self.bytes[self.at..];
        rest.len() < 4
            && rest.iter().enumerate().all(|(n, byte)| if n == 0 { *byte == b' ' } else { byte.is_ascii_digit() })
    }

    /// The end of a line.
    #[inline]
    pub(crate) fn line_end(&mut self, fault: Unread) -> Result<(), Unread> {
        self.at += match self.bytes[self.at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [] | [b'\r'] => return Err(Unread::Partial),
            _ => return Err(fault),
        };
        Ok(())
    }

    /// The field lines, and the empty line behind them.
    #[inline]
    pub(crate) fn fields(
        &mut self,
        limits: &Limits,
        fields: &mut Vec<Field>,
        summary: &mut Summary,
    ) -> Result<(), Unread> {
        let most = limits.fields.min(FIELDS_MAX);
        fields.clear();
        // On its own, for the compiler keeps it where it is fastest.
        let mut at = self.at;
        loop {
            match self.bytes.get(at) {
                Some(b'\r' | b'\n') => break,
                None => return Err(Unread::Partial),
                Some(_) if fields.len() >= most => return Err(Unread::TooManyFields),
                Some(_) => at = field(self.bytes, at, fields, summary)?,
            }
        }
        self.at = at;
        self.line_end(Unread::Field)
    }

    /// Bytes to the end of the line, which is read too. Gives where they end.
    fn text(&mut self, fault: Unread) -> Result<usize, Unread> {
        let (end, next) = text(self.bytes, self.at, fault)?;
        self.at = next;
        Ok(end)
    }
}

/// Reads the field line at a place. Gives where the next line is.
#[inline]
fn field(bytes: &[u8], start: usize, fields: &mut Vec<Field>, summary: &mut Summary) -> Result<usize, Unread> {
    let end = colon(bytes, start)?;
    let name = &bytes[start..end];
    let known = Known::of(name);
    // A name that is known needs no look at its letters.
    let kind = match known {
        Known::Other => NameKind::of(name).ok_or(Unread::Field)?,
        _ => NameKind::Plain,
    };
    let mut at = end + 1;
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    let (mut value_end, next) = text(bytes, at, Unread::Field)?;
    while value_end > at && matches!(bytes[value_end - 1], b' ' | b'\t') {
        value_end -= 1;
    }
    let (name, value) = (Span::new(start, end), Span::new(at, value_end));
    fields.push(Field { name, value, known, kind, hop: known.is_hop_by_hop() });
    summary.seen.insert(known);
    if known.shapes_message() {
        summary.take(known, value, bytes);
    }
    Ok(next)
}

/// Where the colon behind a name is.
#[inline]
fn colon(bytes: &[u8], start: usize) -> Result<usize, Unread> {
    let mut at = start;
    while at < bytes.len() {
        let colons = Bytes::at(bytes, at).equal(b':');
        if colons != 0 {
            return Ok(at + colons.trailing_zeros() as usize);
        }
        at += WIDTH;
    }
    let is_name = bytes[start..].iter().all(|byte| is_token_byte(*byte));
    Err(if is_name { Unread::Partial } else { Unread::Field })
}

/// Where the text to the end of the line ends, and where the next line is.
#[inline]
fn text(bytes: &[u8], start: usize, fault: Unread) -> Result<(usize, usize), Unread> {
    let mut at = start;
    while at < bytes.len() {
        let stops = Bytes::at(bytes, at).at_most_or_del(0x1f);
        if stops == 0 {
            at += WIDTH;
            continue;
        }
        at += stops.trailing_zeros() as usize;
        match bytes[at..] {
            [b'\r', b'\n', ..] => return Ok((at, at + 2)),
            [b'\n', ..] => return Ok((at, at + 1)),
            [b'\r'] => return Err(Unread::Partial),
            [b'\t', ..] => at += 1,
            _ => return Err(fault),
        }
    }
    Err(Unread::Partial)
}

#[cfg(test)]
mod tests;
