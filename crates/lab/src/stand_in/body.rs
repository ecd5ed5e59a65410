//! The bodies a stand-in sends: a few bytes, a stream of as many as were asked for, or the first half of either.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

use super::connections::Busy;
use super::fault::Broken;

/// What lies between half a body and the end of its connection, so that the half is on its way by then.
const CUT_AFTER: Duration = Duration::from_millis(2);

/// One piece of a stream: big enough that its cost is the copying, small enough to be held once a connection.
const PIECE: &[u8; 64 * 1024] = &[b'x'; 64 * 1024];

/// The body of an answer. Its connection counts as in use until it is dropped.
pub(super) struct Body {
    content: Content,
    busy: Option<Busy>,
}

enum Content {
    Whole(Option<Bytes>),
    Stream {
        left: u64,
        sized: bool,
    },
    /// What is there of a body that ends before its announced length.
    Cut {
        half: Option<Bytes>,
        length: u64,
        end: Option<Pin<Box<Sleep>>>,
    },
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

    /// The first half of it, and then nothing but the connection's end.
    pub(super) fn cut(self) -> Self {
        let length = self.size_hint().exact().unwrap_or(PIECE.len() as u64);
        let half = match self.content {
            Content::Whole(Some(bytes)) => bytes.slice(..bytes.len() / 2),
            _ => Bytes::from_static(&PIECE[..PIECE.len().min(length as usize / 2)]),
        };
        Self { content: Content::Cut { half: Some(half), length, end: None }, busy: self.busy }
    }

    /// Keeps the connection marked as in use until the body is gone.
    pub(super) fn holding(mut self, busy: Busy) -> Self {
        self.busy = Some(busy);
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => bytes.take(),
            Content::Stream { left: 0, .. } => None,
            Content::Stream { left, .. } => {
                let now = (*left).min(PIECE.len() as u64);
                *left -= now;
                Some(Bytes::from_static(PIECE).slice(..now as usize))
            }
            Content::Cut { half, end, .. } => {
                let end = end.get_or_insert_with(|| Box::pin(tokio::time::sleep(CUT_AFTER)));
                match half.take() {
                    Some(half) => Some(half),
                    None => {
                        ready!(end.as_mut().poll(cx));
                        return Poll::Ready(Some(Err(Broken)));
                    }
                }
            }
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Content::Stream { left, .. } => *left == 0,
            Content::Cut { length, .. } => *length == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Content::Stream { left, sized: true } => SizeHint::with_exact(*left),
            Content::Cut { length, .. } => SizeHint::with_exact(*length),
            Content::Stream { .. } => SizeHint::default(),
        }
    }
}
