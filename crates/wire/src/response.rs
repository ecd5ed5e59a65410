//! The head of an answer, as a proxy or a client reads it.

use std::mem::MaybeUninit;

use httparse::{Error, Status};
use memchr::memchr;

use crate::scan::{FIELDS_USUAL, Scan, TooLong, check_sizes, field_fault};
use crate::summary::Summary;
use crate::{FIELDS_MAX, Field, Framing, Limits, Malformed, Refusal, Span, Version};

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
        self.read_with::<FIELDS_USUAL>(bytes, request_was_head, limits)
    }

    fn read_with<const SLOTS: usize>(
        &mut self,
        bytes: &[u8],
        request_was_head: bool,
        limits: &Limits,
    ) -> Result<Option<usize>, Malformed> {
        let mut slots = [const { MaybeUninit::uninit() }; SLOTS];
        let slots = &mut slots[..SLOTS.min(limits.fields)];
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        match config.parse_response_with_uninit_headers(&mut response, bytes, slots) {
            Ok(Status::Complete(length)) => {
                let bytes = &bytes[..length];
                check_sizes(bytes, 0, limits)?;
                self.accept(&response, bytes, request_was_head)?;
                Ok(Some(length))
            }
            Ok(Status::Partial) => {
                self.scan.needs_more(bytes, 0, limits)?;
                Ok(None)
            }
            Err(Error::TooManyHeaders) if SLOTS < limits.fields && SLOTS < FIELDS_MAX => {
                self.read_many(bytes, request_was_head, limits)
            }
            Err(error) => Err(malformed(error, bytes)),
        }
    }

    /// Reads a head with more fields than usual again, with all the slots that there can be.
    #[cold]
    #[inline(never)]
    fn read_many(&mut self, bytes: &[u8], request_was_head: bool, limits: &Limits) -> Result<Option<usize>, Malformed> {
        self.read_with::<FIELDS_MAX>(bytes, request_was_head, limits)
    }

    /// Checks what httparse found; `bytes` are the whole head.
    #[inline]
    fn accept(
        &mut self,
        response: &httparse::Response<'_, '_>,
        bytes: &[u8],
        request_was_head: bool,
    ) -> Result<(), Malformed> {
        let summary = Summary::of(response.headers, bytes, &mut self.fields)?;
        self.status = response.code.filter(|&code| code >= 100).ok_or(Malformed::StatusLine)?;
        self.version = if response.version == Some(0) { Version::Http10 } else { Version::Http11 };
        self.reason = reason(bytes);
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

/// The reason phrase, which httparse does not give where it has other letters than ASCII ones.
fn reason(bytes: &[u8]) -> Span {
    const STATUS_END: usize = "HTTP/1.1 200".len();
    let feed = memchr(b'\n', bytes).unwrap_or(STATUS_END);
    let end = if bytes[feed - 1] == b'\r' { feed - 1 } else { feed };
    Span::new(end.min(STATUS_END + 1), end)
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

/// Names what httparse did not accept.
#[cold]
fn malformed(error: Error, bytes: &[u8]) -> Malformed {
    match error {
        Error::TooManyHeaders => Refusal::TooManyFields.into(),
        Error::Token | Error::Version | Error::Status => Malformed::StatusLine,
        Error::HeaderName | Error::HeaderValue => field_fault(bytes).unwrap_or(Refusal::FieldValue).into(),
        Error::NewLine => field_fault(bytes).map_or(Malformed::StatusLine, Malformed::Head),
    }
}

#[cfg(test)]
mod tests;
