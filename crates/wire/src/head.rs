//! The small types that requests and responses share: spans, versions, framing, limits.

/// A range of bytes of a message head. 32 bits are enough: a head is limited to far less than 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes of this span; `bytes` are the ones that the head was parsed from.
    #[inline]
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// The number of bytes.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there is no byte in it.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }
}

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: connections close unless both sides say otherwise, no chunked coding.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2: of a request that was translated; no head on the wire of HTTP/1 has it.
    Http2,
}

impl Version {
    /// As it is written on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// How the end of a message's body is found (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// So many bytes follow.
    Length(u64),
    /// The body comes in chunks.
    Chunked,
    /// The body ends when the connection does; answers only.
    UntilClose,
}

/// The longest line: one of nginx's large header buffers.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// The largest head: all four of nginx's large header buffers.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The most fields in one head: nginx 1.29's `max_headers`.
pub const FIELDS_MAX: usize = 1000;

/// What a head may not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole head, the empty line at its end included.
    pub head: usize,
    /// Bytes of one line, its line end included.
    pub line: usize,
    /// Number of fields; more than [`FIELDS_MAX`] is never allowed.
    pub fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: HEAD_BYTES_MAX, line: LINE_BYTES_MAX, fields: FIELDS_MAX }
    }
}
