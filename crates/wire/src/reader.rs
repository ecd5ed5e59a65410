//! Reads the lines of a head in one pass: each byte is looked at once, eight at a time where that pays.
//!
//! It knows what may stand where; what a head means is [`Summary`]'s and its callers'. Saying what exactly is wrong
//! with a malformed line is left to [`crate::scan`]: that is no hurry.

use crate::field::{NameKind, is_token_byte};
use crate::scan::is_control;
use crate::summary::Summary;
use crate::swar::{HIGH, below, equal, word};
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
        while let Some(word) = word(self.bytes, self.at) {
            let stop = below(word, 0x21) | equal(word, 0x7f);
            // Only what comes before the stop counts.
            let before = (stop & stop.wrapping_neg()).wrapping_sub(1);
            let (hashes, questions) = (equal(word, b'#'), equal(word, b'?'));
            if (hashes | questions | (word & HIGH)) & before != 0 {
                target.is_foreign |= word & HIGH & before != 0;
                target.has_hash |= hashes & before != 0;
                if questions & before != 0 && target.question.is_none() {
                    target.question = Some((self.at as u32) + questions.trailing_zeros() / 8);
                }
            }
            if stop != 0 {
                self.at += (stop.trailing_zeros() / 8) as usize;
                return self.end_target(start, target);
            }
            self.at += 8;
        }
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte <= b' ' || byte == 0x7f {
                return self.end_target(start, target);
            }
            target.is_foreign |= byte >= 0x80;
            target.has_hash |= byte == b'#';
            if byte == b'?' {
                target.question.get_or_insert(self.at as u32);
            }
            self.at += 1;
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
        let version = match self.bytes.get(self.at..self.at + 8) {
            Some(b"HTTP/1.1") => Version::Http11,
            Some(b"HTTP/1.0") => Version::Http10,
            Some(_) => return Err(Unread::FirstLine),
            None if b"HTTP/1.".starts_with(&self.bytes[self.at..]) => return Err(Unread::Partial),
            None => return Err(Unread::FirstLine),
        };
        self.at += 8;
        Ok(version)
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
    pub(crate) fn fields(&mut self, limits: &Limits, fields: &mut Vec<Field>) -> Result<Summary, Unread> {
        let mut summary = Summary::default();
        fields.clear();
        loop {
            match self.bytes.get(self.at) {
                Some(b'\r' | b'\n') => break,
                None => return Err(Unread::Partial),
                Some(_) if fields.len() >= limits.fields.min(FIELDS_MAX) => return Err(Unread::TooManyFields),
                Some(_) => {}
            }
            let (name, known, kind) = self.name()?;
            let value = self.value()?;
            summary.take(known, value, value.of(self.bytes));
            fields.push(Field { name, value, known, kind, hop: known.is_hop_by_hop() });
        }
        self.line_end(Unread::Field)?;
        Ok(summary)
    }

    /// A name and the colon behind it. A name that is known needs no look at its letters.
    #[inline]
    fn name(&mut self) -> Result<(Span, Known, NameKind), Unread> {
        let start = self.at;
        let end = self.colon(start)?;
        let name = &self.bytes[start..end];
        let known = Known::of(name);
        let kind = match known {
            Known::Other => NameKind::of(name).ok_or(Unread::Field)?,
            _ => NameKind::Plain,
        };
        self.at = end + 1;
        Ok((Span::new(start, end), known, kind))
    }

    #[inline]
    fn colon(&self, start: usize) -> Result<usize, Unread> {
        let mut at = start;
        while let Some(word) = word(self.bytes, at) {
            let found = equal(word, b':');
            if found != 0 {
                return Ok(at + (found.trailing_zeros() / 8) as usize);
            }
            at += 8;
        }
        let rest = &self.bytes[at..];
        if let Some(found) = rest.iter().position(|byte| *byte == b':') {
            return Ok(at + found);
        }
        let is_name = self.bytes[start..].iter().all(|byte| is_token_byte(*byte));
        Err(if is_name { Unread::Partial } else { Unread::Field })
    }

    /// A value without the white space around it, and the line's end.
    #[inline]
    fn value(&mut self) -> Result<Span, Unread> {
        let mut start = self.at;
        while matches!(self.bytes.get(start), Some(b' ' | b'\t')) {
            start += 1;
        }
        self.at = start;
        let mut end = self.text(Unread::Field)?;
        while end > start && matches!(self.bytes[end - 1], b' ' | b'\t') {
            end -= 1;
        }
        Ok(Span::new(start, end))
    }

    /// Bytes to the end of the line, which is read too. Gives where they end.
    #[inline]
    fn text(&mut self, fault: Unread) -> Result<usize, Unread> {
        loop {
            while let Some(word) = word(self.bytes, self.at) {
                let stop = below(word, 0x20) | equal(word, 0x7f);
                if stop != 0 {
                    self.at += (stop.trailing_zeros() / 8) as usize;
                    break;
                }
                self.at += 8;
            }
            match self.bytes.get(self.at) {
                None => return Err(Unread::Partial),
                Some(b'\r' | b'\n') => break,
                Some(&byte) if is_control(byte) => return Err(fault),
                Some(_) => self.at += 1,
            }
        }
        let end = self.at;
        self.line_end(fault)?;
        Ok(end)
    }
}

#[cfg(test)]
mod tests;
