//! Finding lines and the end of a head that comes in pieces, without looking at any byte twice.
//!
//! A head mostly comes whole, so the full parse is tried first. Only when it runs out of bytes does this look for the
//! empty line, and the next full parse waits until that is there or the bytes have doubled (so that nonsense is still
//! refused early). All of it stays linear in the size of the head, however it trickles in.

use memchr::{memchr, memchr_iter};

use crate::field::is_token_byte;
use crate::{Limits, Refusal};

/// How far a head that is not whole yet was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// No empty line ends before this offset.
    looked: usize,
    /// Where the line that `looked` is in starts.
    line_start: usize,
    /// How many bytes the last full parse had; 0 before the first.
    tried: usize,
}

/// Which limit was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooLong {
    FirstLine,
    Field,
    Head,
}

impl Scan {
    /// Whether a full parse of `bytes` (the head starts at `start`) can bring something new.
    #[inline]
    pub(crate) fn worth_trying(&mut self, bytes: &[u8], start: usize, limits: &Limits) -> Result<bool, TooLong> {
        if self.tried == 0 {
            return Ok(true);
        }
        if bytes.len() < self.looked {
            *self = Self::default();
            return Ok(true);
        }
        Ok(self.find_end(bytes, start, limits)? || bytes.len() >= 2 * self.tried)
    }

    /// Takes note that a full parse needs more bytes than these.
    #[cold]
    pub(crate) fn needs_more(&mut self, bytes: &[u8], start: usize, limits: &Limits) -> Result<(), TooLong> {
        self.tried = bytes.len();
        self.find_end(bytes, start, limits)?;
        Ok(())
    }

    /// Looks for the empty line, from where it last stopped.
    fn find_end(&mut self, bytes: &[u8], start: usize, limits: &Limits) -> Result<bool, TooLong> {
        if self.looked < start {
            (self.looked, self.line_start) = (start, start);
        }
        while let Some(found) = memchr(b'\n', &bytes[self.looked..]) {
            let feed = self.looked + found;
            check_line(feed + 1 - self.line_start, self.line_start == start, limits)?;
            match &bytes[feed + 1..] {
                [b'\n', ..] | [b'\r', b'\n', ..] => return Ok(true),
                [] | [b'\r'] => {
                    self.looked = feed;
                    return check_head(bytes, limits);
                }
                _ => (self.looked, self.line_start) = (feed + 1, feed + 1),
            }
        }
        self.looked = bytes.len();
        check_line(bytes.len() - self.line_start, self.line_start == start, limits)?;
        check_head(bytes, limits)
    }
}

/// Checks the sizes of a whole head.
#[inline]
pub(crate) fn check_sizes(bytes: &[u8], start: usize, limits: &Limits) -> Result<(), TooLong> {
    if bytes.len() - start <= limits.line { Ok(()) } else { check_lines(bytes, start, limits) }
}

#[cold]
fn check_lines(bytes: &[u8], start: usize, limits: &Limits) -> Result<(), TooLong> {
    let mut line_start = start;
    for feed in memchr_iter(b'\n', &bytes[start..]) {
        let next = start + feed + 1;
        check_line(next - line_start, line_start == start, limits)?;
        line_start = next;
    }
    if bytes.len() > limits.head { Err(TooLong::Head) } else { Ok(()) }
}

fn check_line(length: usize, first: bool, limits: &Limits) -> Result<(), TooLong> {
    match (length > limits.line, first) {
        (false, _) => Ok(()),
        (true, true) => Err(TooLong::FirstLine),
        (true, false) => Err(TooLong::Field),
    }
}

/// A head without its end in that many bytes is longer than they are.
fn check_head(bytes: &[u8], limits: &Limits) -> Result<bool, TooLong> {
    if bytes.len() >= limits.head { Err(TooLong::Head) } else { Ok(false) }
}

/// Where the first line starts that is not empty; none while there is no such line.
///
/// A client may send empty lines before a request (RFC 9112 2.2); more than a few are no mistake any more.
pub(crate) fn skip_empty_lines(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    const EMPTY_LINES_MAX: usize = 4;
    let mut start = 0;
    for _ in 0..=EMPTY_LINES_MAX {
        match &bytes[start..] {
            [] | [b'\r'] => return Ok(None),
            [b'\n', ..] => start += 1,
            [b'\r', b'\n', ..] => start += 2,
            [b'\r', ..] => return Err(Refusal::BareCr),
            _ => return Ok(Some(start)),
        }
    }
    Err(Refusal::TooManyEmptyLines)
}

/// Says what is wrong with the field lines of a malformed head.
#[cold]
pub(crate) fn field_fault(bytes: &[u8]) -> Option<Refusal> {
    let fields = bytes.split_inclusive(|&byte| byte == b'\n').skip(1);
    fields.map_while(|line| if matches!(line, b"\n" | b"\r\n") { None } else { Some(line) }).find_map(line_fault)
}

fn line_fault(line: &[u8]) -> Option<Refusal> {
    let whole = line.ends_with(b"\n");
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.contains(&b'\r') {
        return Some(Refusal::BareCr);
    }
    let name_end = line.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(line.len());
    match &line[name_end..] {
        [] => whole.then_some(Refusal::FieldName),
        [b':', value @ ..] if name_end > 0 => value.iter().any(|&byte| is_control(byte)).then_some(Refusal::FieldValue),
        [b' ' | b'\t', ..] if name_end == 0 => Some(Refusal::Folded),
        [b' ' | b'\t', rest @ ..] if rest.trim_ascii_start().first().is_none_or(|&byte| byte == b':') => {
            Some(Refusal::SpaceBeforeColon)
        }
        _ => Some(Refusal::FieldName),
    }
}

/// Whether the byte may not be in a field's value.
pub(crate) fn is_control(byte: u8) -> bool {
    byte == 0x7f || (byte < b' ' && byte != b'\t')
}
