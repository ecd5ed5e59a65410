//! The head of an answer, as a proxy or a client reads it.

use crate::reader::{Reader, Unread};
use crate::scan::{Scan, TooLong, check_sizes, field_fault};
use crate::summary::Summary;
use crate::{Field, Framing, KnownSet, Limits, Malformed, Refusal, Span, Version};

/// The head of an answer; all spans lie in the bytes that it was parsed from. Made to be used again and again.
#[derive(Debug, Default)]
pub struct ResponseHead {
    /// The status, 100 to 999.
    pub status: u16,
    /// The reason phrase, possibly empty.
    pub reason: Span,
    /// The version.
    pub version: Version,
    /// The fields in their order.
    pub fields: Vec<Field>,
    /// Which known names they have: where one is missing, the fields need not be searched.
    pub seen: KnownSet,
    /// How the end of the body is found.
    pub framing: Framing,
    /// Whether the connection can serve another request after this answer.
    pub keep_alive: bool,
    /// Whether the connection changes its protocol after this head (status 101).
    pub upgrade: bool,
    scan: Scan,
}

impl ResponseHead {
    /// An empty head.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets a head that was given up before its end; needed only then, before the same value reads another
    /// connection.
    pub fn clear(&mut self) {
        self.scan = Scan::default();
    }

    /// Whether another head follows for the same request: status 100 to 199, but 101.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && !self.upgrade
    }

    /// Reads the head at the start of `bytes`, as [`crate::RequestHead::parse`] does.
    ///
    /// # Errors
    /// The answer must not be used, nor the connection.
    pub fn parse(&mut self, bytes: &[u8], request_was_head: bool, limits: &Limits) -> Result<Option<usize>, Malformed> {
        let result = self.read(bytes, request_was_head, limits);
        if !matches!(result, Ok(None)) {
            self.scan = Scan::default();
        }
        result
    }

    fn read(&mut self, bytes: &[u8], request_was_head: bool, limits: &Limits) -> Result<Option<usize>, Malformed> {
        match bytes.first() {
            None => return Ok(None),
            Some(b'H') => {}
            Some(_) => return Err(Malformed::StatusLine),
        }
        if !self.scan.worth_trying(bytes, 0, limits)? {
            return Ok(None);
        }
        let mut summary = Summary::default();
        match self.read_lines(bytes, limits, &mut summary) {
            Ok(end) => {
                let bytes = &bytes[..end];
                check_sizes(bytes, 0, limits)?;
                self.accept(&mut summary, bytes, request_was_head)?;
                Ok(Some(end))
            }
            Err(Unread::Partial) => {
                self.scan.needs_more(bytes, 0, limits)?;
                Ok(None)
            }
            Err(unread) => Err(malformed(unread, bytes)),
        }
    }

    /// Where the head ends.
    #[inline]
    fn read_lines(&mut self, bytes: &[u8], limits: &Limits, summary: &mut Summary) -> Result<usize, Unread> {
        let mut reader = Reader::new(bytes, 0);
        if let Some(reason) = reader.usual_status_line() {
            (self.version, self.status, self.reason) = (Version::Http11, 200, reason);
        } else {
            self.version = reader.version()?;
            (self.status, self.reason) = reader.status()?;
        }
        reader.fields(limits, &mut self.fields, summary)?;
        Ok(reader.at())
    }

    /// Checks what was read; `bytes` are the whole head.
    #[inline]
    fn accept(&mut self, summary: &mut Summary, bytes: &[u8], request_was_head: bool) -> Result<(), Malformed> {
        summary.finish(&mut self.fields, bytes)?;
        self.seen = summary.seen;
        self.upgrade = self.status == 101;
        let stated = summary.framing(bytes, self.version)?;
        let bodiless = matches!(self.status, 100..=199 | 204);
        self.framing = match stated {
            _ if bodiless || request_was_head || self.status == 304 => Framing::None,
            Some(framing) => framing,
            None => Framing::UntilClose,
        };
        // A server that announces content where there can be none may send it all the same.
        let consistent = !bodiless || matches!(stated, None | Some(Framing::Length(0)));
        self.keep_alive =
            summary.keeps_alive(self.version) && self.framing != Framing::UntilClose && consistent && !self.upgrade;
        Ok(())
    }
}

impl From<TooLong> for Malformed {
    fn from(too_long: TooLong) -> Self {
        match too_long {
            TooLong::FirstLine => Self::StatusLineTooLong,
            TooLong::Field => Self::Head(Refusal::FieldTooLong),
            TooLong::Head => Self::Head(Refusal::HeadTooLarge),
        }
    }
}

/// Names what is wrong with a head that was not read.
#[cold]
fn malformed(unread: Unread, bytes: &[u8]) -> Malformed {
    match unread {
        Unread::TooManyFields => Refusal::TooManyFields.into(),
        Unread::FirstLine | Unread::Partial => Malformed::StatusLine,
        Unread::Field => field_fault(bytes).unwrap_or(Refusal::FieldValue).into(),
    }
}

#[cfg(test)]
mod tests;
