//! The way to and from a client for one request: an HTTP/1.1 connection, or a stream of an HTTP/2 one.
//!
//! Who serves a request reads its body, sends the answer and watches for the client's going away through this, and
//! asks for the protocol only where the answer's shape depends on it. It is an enum, not a trait object: HTTP/1.1 must
//! pay nothing for the other ways there are.

use std::io;
use std::task::{Context, Poll, ready};

use net::{Buffer, Stream};

use crate::http2;

/// The way to and from a client.
#[derive(Debug)]
pub(crate) enum Channel {
    /// A connection that carries one request after the other.
    Http1(Stream),
    /// A stream, which carries one. In a box, for HTTP/1.1 connections must not be larger for it.
    Http2(Box<http2::Stream>),
    /// What is sent goes nowhere: a subrequest's answer. The way to the client is kept, to see it close; not where more
    /// of its request is to come over a connection, which must stay in the socket.
    Aside { client: Option<Box<Channel>>, watches: bool },
}

impl Channel {
    /// Has what is sent go nowhere, until [`Channel::put_back`].
    pub(crate) fn put_aside(&mut self, watches: bool) {
        let client = std::mem::replace(self, Self::Aside { client: None, watches });
        *self = Self::Aside { client: Some(Box::new(client)), watches };
    }

    /// Ends [`Channel::put_aside`].
    pub(crate) fn put_back(&mut self) {
        if let Self::Aside { client, .. } = self
            && let Some(client) = client.take()
        {
            *self = *client;
        }
    }

    /// Whether heads are fields without lines, and bodies have no framing of their own.
    pub(crate) fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// The connection itself, where it carries one request at a time and so can change its protocol.
    pub(crate) fn as_stream(&mut self) -> Option<&mut Stream> {
        match self {
            Self::Http1(stream) => Some(stream),
            Self::Http2(_) | Self::Aside { .. } => None,
        }
    }

    /// Has the connection reset when it is dropped, where it carries one request at a time.
    pub(crate) fn reset_on_drop(&mut self) {
        if let Some(stream) = self.as_stream() {
            stream.socket().reset_on_drop();
        }
    }

    /// Reads on in the request's body; 0 is the end of what the client sends.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut Buffer) -> Poll<io::Result<usize>> {
        match self {
            Self::Http1(stream) => stream.poll_read(cx, into),
            Self::Http2(stream) => stream.poll_read(cx, into),
            Self::Aside { .. } => Poll::Ready(Ok(0)),
        }
    }

    /// Takes some of an answer's bytes; `is_last` when it ends with them. They may still be here:
    /// [`Channel::poll_flush`] sees them off.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8], is_last: bool) -> Poll<io::Result<usize>> {
        match self {
            Self::Http1(stream) => stream.poll_write(cx, bytes),
            Self::Http2(stream) => stream.poll_write(cx, bytes, is_last),
            Self::Aside { .. } => Poll::Ready(Ok(bytes.len())),
        }
    }

    /// Takes all of an answer's bytes to be sent when the other tasks of this turn have run; false where
    /// [`Channel::poll_write`] is to be used. The connection has to go on after the answer: should it fail, the next
    /// read says so.
    pub(crate) fn write_later(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::Http1(stream) => !bytes.is_empty() && stream.write_later(bytes),
            Self::Http2(_) | Self::Aside { .. } => false,
        }
    }

    /// [`Channel::poll_write`] of the first `length` bytes of a buffer, which are then gone from it.
    pub(crate) fn poll_write_front(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Buffer,
        length: usize,
        is_last: bool,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Http1(stream) => {
                let n = ready!(stream.poll_write(cx, &from.data()[..length]))?;
                from.consume(n);
                Poll::Ready(Ok(n))
            }
            Self::Http2(stream) => stream.poll_write_front(cx, from, length, is_last),
            Self::Aside { .. } => {
                from.consume(length);
                Poll::Ready(Ok(length))
            }
        }
    }

    /// Sees off what was written. An HTTP/2 connection does so for all its streams.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Http1(stream) => stream.poll_flush(cx),
            Self::Http2(_) | Self::Aside { .. } => Poll::Ready(Ok(())),
        }
    }

    /// Ends an answer all of whose bytes were written; `trailers` are those that no chunk carries.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>, trailers: &[u8]) -> Poll<io::Result<()>> {
        match self {
            Self::Http1(stream) => stream.poll_flush(cx),
            Self::Http2(stream) => Poll::Ready(stream.send_end(trailers)),
            Self::Aside { .. } => Poll::Ready(Ok(())),
        }
    }

    /// Tells a client that waits for it to send the body (RFC 9110 10.1.1); `written` is where the last call left it.
    pub(crate) fn poll_continue(&mut self, cx: &mut Context<'_>, written: &mut usize) -> Poll<io::Result<()>> {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        match self {
            Self::Http1(stream) => {
                while *written < CONTINUE.len() {
                    *written += ready!(stream.poll_write(cx, &CONTINUE[*written..]))?;
                }
                stream.poll_flush(cx)
            }
            Self::Http2(stream) => Poll::Ready(stream.send_continue()),
            Self::Aside { .. } => Poll::Ready(Ok(())),
        }
    }

    /// Whether the client went away, as far as can be seen without waiting. `watches` becomes false when there is
    /// nothing more to be seen: bytes of a next request came, which are kept in `input`.
    pub(crate) fn is_gone(&mut self, cx: &mut Context<'_>, input: &mut Buffer, watches: &mut bool) -> bool {
        match self {
            Self::Http1(stream) => {
                if input.spare().is_empty() {
                    *watches = false;
                    return false;
                }
                match stream.poll_read(cx, input) {
                    Poll::Pending => false,
                    Poll::Ready(Ok(n)) if n > 0 => {
                        *watches = false;
                        false
                    }
                    Poll::Ready(_) => true,
                }
            }
            Self::Http2(stream) => stream.is_gone(cx),
            Self::Aside { client, watches: may_watch } => {
                *watches = *may_watch;
                *may_watch && client.as_mut().is_some_and(|client| client.is_gone(cx, input, watches))
            }
        }
    }

    /// Says that nothing more will be sent on the connection.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Http1(stream) => stream.shutdown().await,
            Self::Http2(_) | Self::Aside { .. } => Ok(()),
        }
    }
}
