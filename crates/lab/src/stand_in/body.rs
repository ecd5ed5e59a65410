//! The bodies a stand-in sends: a few bytes, or a stream of as many as were asked for.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::connections::Busy;

/// One piece of a stream: big enough that its cost is the copying, small enough to be held once a connection.
const PIECE: &[u8; 64 * 1024] = &[b'x'; 64 * 1024];

/// The body of an answer. Its connection counts as in use until it is dropped.
pub(super) struct Body {
    content: Content,
    busy: Option<Busy>,
}

enum Content {
    Whole(Option<Bytes>),
    Stream { left: u64, sized: bool },
}

impl Body {
    /// A body at hand.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Whole(Some(bytes.into())), busy: None }
    }

    /// `length` bytes, made as they are sent; `sized` announces them, else they go in chunks.
    pub(super) fn stream(length: u64, sized: bool) -> Self {
        Self { content: Content::Stream { left: length, sized }, busy: None }
    }

    /// Keeps the connection marked as in use until the body is gone.
    pub(super) fn holding(mut self, busy: Busy) -> Self {
        self.busy = Some(busy);
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => bytes.take(),
            Content::Stream { left: 0, .. } => None,
            Content::Stream { left, .. } => {
                let now = (*left).min(PIECE.len() as u64);
                *left -= now;
                Some(Bytes::from_static(PIECE).slice(..now as usize))
            }
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Content::Stream { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Content::Stream { left, sized: true } => SizeHint::with_exact(*left),
            Content::Stream { .. } => SizeHint::default(),
        }
    }
}
