//! The head of an answer, as a proxy or a client reads it.

use crate::scan::Scan;
use crate::{Field, Framing, Limits, Malformed, Span, Version};

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
        let _ = (bytes, request_was_head, limits, &self.scan);
        Ok(None)
    }
}
