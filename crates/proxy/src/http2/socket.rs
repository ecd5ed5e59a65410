//! The connection as h2 reads and writes it.
//!
//! What h2 writes piece by piece (frame heads, header blocks, bodies of several streams) is gathered and leaves in one
//! write, or one TLS record, when h2 flushes. What it reads is counted on the way ([`Scanner`]). Both buffers are the
//! thread's blocks, given back whenever they are empty.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use net::{Buffer, Stream, clock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http2::flood::{Flood, Scanner};
use crate::limits::{HTTP2_GATHER, HTTP2_LINGER_BYTES, LINGER_READS};

/// What there is to know of a socket that h2 has taken for itself.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    pub(super) flood: Cell<Option<Flood>>,
    /// The client takes no more for now.
    pub(super) is_stuck: Cell<bool>,
    /// Bytes that went onto the socket.
    pub(super) sent: Cell<u64>,
    /// The last of our bytes are on their way, or gone.
    pub(super) is_ending: Cell<bool>,
    /// A head or frame that has begun and not ended: which.
    pub(super) in_between: Cell<Option<u64>>,
}

/// A connection under h2.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    input: Buffer,
    output: Buffer,
    scanner: Scanner,
    gauge: Rc<Gauge>,
    end: End,
    /// Bytes that may still be thrown away after the end.
    linger_left: u64,
}

/// How far the end of what we send has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// TLS's farewell is behind what was written.
    Queued,
    /// The client knows; what it still sends is thrown away.
    Told,
}

impl Socket {
    /// `input` is what was read already.
    pub(super) fn new(stream: Stream, input: Buffer, gauge: Rc<Gauge>) -> Self {
        let scanner = Scanner::new(clock::coarse_ms());
        let output = Buffer::new();
        Self { stream, input, output, scanner, gauge, end: End::Open, linger_left: HTTP2_LINGER_BYTES }
    }

    /// Sees off what is gathered.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let drained = self.stream.poll_drain(cx, &mut self.output);
        self.gauge.is_stuck.set(drained.is_pending());
        self.gauge.sent.set(self.stream.bytes_out());
        self.output.release_if_empty();
        drained
    }

    /// Throws away what still comes after the last write, until the client closes: closing first would reset the
    /// connection, and the client might not read the GOAWAY that tells it why. A client that sends as fast as we read
    /// must not keep the thread from all others.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..LINGER_READS {
            self.input.clear();
            match self.stream.poll_read(cx, &mut self.input) {
                Poll::Pending => {
                    self.input.release_if_empty();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(n)) if n > 0 && self.linger_left > n as u64 => self.linger_left -= n as u64,
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        self.input.clear();
        self.input.release_if_empty();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, input, scanner, gauge, .. } = self.get_mut();
        // After a flood nothing more is read: whoever drives the connection sees it and ends it.
        if gauge.flood.get().is_some() {
            return Poll::Pending;
        }
        if input.is_empty() {
            match stream.poll_read(cx, input) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(read) => drop(read?),
                Poll::Pending => {
                    input.release_if_empty();
                    return Poll::Pending;
                }
            }
        }
        let n = input.len().min(into.remaining());
        let sent = stream.bytes_out().saturating_sub(gauge.sent.get());
        gauge.sent.set(stream.bytes_out());
        if let Err(flood) = scanner.take(&input.data()[..n], sent, clock::coarse_ms()) {
            gauge.flood.set(Some(flood));
            return Poll::Pending;
        }
        gauge.in_between.set(scanner.is_in_between().then(|| scanner.begun()));
        into.put_slice(&input.data()[..n]);
        input.consume(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.output.len() >= HTTP2_GATHER {
            ready!(this.poll_drain(cx))?;
        }
        // A socket that took some only has left the rest at the block's end.
        this.output.compact();
        let mut written = 0;
        for slice in slices {
            let room = HTTP2_GATHER.saturating_sub(this.output.len());
            let n = this.output.append(&slice[..slice.len().min(room)]);
            written += n;
            if n < slice.len() {
                break;
            }
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.gauge.is_ending.set(true);
        ready!(this.poll_drain(cx))?;
        if this.end == End::Open {
            this.stream.queue_close();
            this.end = End::Queued;
        }
        if this.end == End::Queued {
            ready!(this.stream.poll_close(cx))?;
            this.end = End::Told;
        }
        this.poll_linger(cx).map(Ok)
    }
}
