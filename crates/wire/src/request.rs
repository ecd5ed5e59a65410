//! The head of a request, as a server or a proxy reads it.

use crate::scan::Scan;
use crate::{Field, Framing, Limits, Refusal, Span, Version};

/// The head of a request; all spans lie in the bytes that it was parsed from. Made to be used again and again.
#[derive(Debug, Default)]
pub struct RequestHead {
    /// The method, a token.
    pub method: Span,
    /// The target as it was sent.
    pub target: Span,
    /// The version.
    pub version: Version,
    /// The fields in their order.
    pub fields: Vec<Field>,
    /// How the end of the body is found; never `UntilClose`.
    pub framing: Framing,
    /// Whether the client lets the connection go on after this request.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// The authority of an absolute-form target, else the value of `Host` (RFC 9112 3.2.2). None on HTTP/1.0 only.
    pub host: Option<Span>,
    /// The path and query: the target in origin-form, the same part of one in absolute-form, the asterisk of
    /// `OPTIONS *`, the authority of `CONNECT`.
    pub path: Span,
    /// Whether the client asks to change the protocol: `Upgrade`, and `Connection` names it.
    pub upgrade: bool,
    scan: Scan,
}

impl RequestHead {
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

    /// Reads the head at the start of `bytes`: `Some(n)` when it is whole and takes n bytes, `None` when more is
    /// needed. Called again with the same bytes and more after them, it does not look at all of them again.
    ///
    /// # Errors
    /// The request must be refused; `RequestHead` is then ready for another connection.
    pub fn parse(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
        let _ = (bytes, limits, &self.scan);
        Ok(None)
    }
}
