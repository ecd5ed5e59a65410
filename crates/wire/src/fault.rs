//! Why a head is not accepted. A request gets the status that nginx would give; an answer is an upstream's failure.

use thiserror::Error;

/// Why a request is refused; nothing of it may be forwarded and the connection closes after the answer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{}", self.why())]
pub enum Refusal {
    /// The request line is longer than the limit.
    RequestLineTooLong,
    /// A field line is longer than the limit.
    FieldTooLong,
    /// The head is larger than the limit.
    HeadTooLarge,
    /// More fields than the limit.
    TooManyFields,
    /// More empty lines before the request than are skipped.
    TooManyEmptyLines,
    /// More options in `Connection` fields than are looked at.
    TooManyOptions,
    /// The request line is not `method target version`.
    RequestLine,
    /// The method is not a token.
    Method,
    /// The target has a character that none may have, or a form that its method does not allow.
    Target,
    /// The version is not of the form HTTP/1.0.
    Version,
    /// The version is well formed and not 1.0 or 1.1.
    VersionNotSupported,
    /// A field name is empty or has a character that is none of a token.
    FieldName,
    /// White space between a field's name and its colon.
    SpaceBeforeColon,
    /// A field continued on the next line.
    Folded,
    /// A control character in a field's value.
    FieldValue,
    /// A carriage return that no line feed follows.
    BareCr,
    /// An HTTP/1.1 request without `Host`.
    HostMissing,
    /// More than one `Host`.
    HostRepeated,
    /// A `Host` (or the authority in the target) that is no host and port.
    Host,
    /// A `Content-Length` that is no decimal number, or too large.
    ContentLength,
    /// More than one `Content-Length`, alike or not.
    ContentLengthRepeated,
    /// `Content-Length` beside `Transfer-Encoding`.
    BothLengths,
    /// A `Transfer-Encoding` that is malformed, repeated, or has `chunked` twice or not last.
    TransferEncoding,
    /// A transfer coding other than `chunked`.
    TransferCodingUnknown,
    /// `Transfer-Encoding` on HTTP/1.0.
    TransferEncodingHttp10,
}

impl Refusal {
    /// The status to answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::RequestLineTooLong => 414,
            Self::TransferCodingUnknown => 501,
            Self::VersionNotSupported => 505,
            _ => 400,
        }
    }

    /// The reason, for the error log.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::RequestLineTooLong => "request line too long",
            Self::FieldTooLong => "header field too long",
            Self::HeadTooLarge => "header too large",
            Self::TooManyFields => "too many header fields",
            Self::TooManyEmptyLines => "too many empty lines before the request",
            Self::TooManyOptions => "too many connection options",
            Self::RequestLine => "invalid request line",
            Self::Method => "invalid method",
            Self::Target => "invalid request target",
            Self::Version => "invalid HTTP version",
            Self::VersionNotSupported => "HTTP version not supported",
            Self::FieldName => "invalid header field name",
            Self::SpaceBeforeColon => "white space before the colon of a header field",
            Self::Folded => "folded header field",
            Self::FieldValue => "control character in a header field",
            Self::BareCr => "carriage return without line feed",
            Self::HostMissing => "no Host header field",
            Self::HostRepeated => "more than one Host header field",
            Self::Host => "invalid host",
            Self::ContentLength => "invalid Content-Length",
            Self::ContentLengthRepeated => "more than one Content-Length",
            Self::BothLengths => "both Content-Length and Transfer-Encoding",
            Self::TransferEncoding => "invalid Transfer-Encoding",
            Self::TransferCodingUnknown => "unknown transfer coding",
            Self::TransferEncodingHttp10 => "Transfer-Encoding in HTTP/1.0",
        }
    }
}

/// Why an upstream's answer is not accepted; the request counts as failed there, and the connection closes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// The first line is no status line of HTTP/1.0 or 1.1.
    #[error("invalid status line")]
    StatusLine,
    /// The status line is longer than the limit.
    #[error("status line too long")]
    StatusLineTooLong,
    /// What follows the first line is not accepted.
    #[error("{}", .0.why())]
    Head(Refusal),
}

impl Malformed {
    /// The reason, for the error log.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::StatusLine => "invalid status line",
            Self::StatusLineTooLong => "status line too long",
            Self::Head(refusal) => refusal.why(),
        }
    }
}

impl From<Refusal> for Malformed {
    fn from(refusal: Refusal) -> Self {
        Self::Head(refusal)
    }
}
