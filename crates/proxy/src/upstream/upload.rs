//! A request's body on its way to the upstream, beyond what goes with its head: from the client as it comes, or from
//! where it is kept.

use std::io;
use std::task::{Context, Poll, ready};

use net::{Buffer, Stream};
use wire::{Body, Framing, encode};

use crate::channel::Channel;
use crate::limits::SPOOL_PIECES;
use crate::upstream::spool::Spool;

/// A body on its way. Memory is bounded: no more is read from the client than the upstream has taken.
#[derive(Debug)]
pub(crate) struct Upload {
    source: Source,
    is_chunked: bool,
    /// `client_max_body_size`, 0 for none, and how much there was of it.
    limit: u64,
    length: u64,
    out: Vec<u8>,
    written: usize,
    /// Bytes of this attempt that the upstream has taken.
    pub(crate) sent: u64,
    /// Something was taken from the client that only one server has seen: there is no going back.
    pub(crate) has_begun: bool,
    /// Waits for the client, not for the upstream.
    pub(crate) waits_for_client: bool,
    /// Everything is with the upstream.
    pub(crate) is_done: bool,
}

/// Where the body comes from.
#[derive(Debug)]
enum Source {
    /// From the client as it comes.
    Client(Body),
    /// From the spool: how much of it was taken, and whether the end of the chunks was written.
    Spool { at: u64, is_ended: bool },
}

/// Why an upload ended early.
#[derive(Debug)]
pub(crate) enum UploadError {
    /// The client closed or its connection broke.
    ClientGone,
    /// The client's body is malformed.
    Malformed,
    /// Over `client_max_body_size`.
    TooLarge,
    /// The upstream takes no more.
    Upstream(io::Error),
    /// The kept body cannot be read.
    Spool(io::Error),
}

impl Upload {
    /// Goes on where `body` stands after what was here.
    pub(crate) fn new(body: Body, is_chunked: bool, limit: u64, length: u64) -> Self {
        let is_done = body.ended();
        Self { is_done, limit, length, ..Self::from(Source::Client(body), is_chunked) }
    }

    /// The request is whole as it is.
    pub(crate) fn nothing() -> Self {
        Self::new(Body::new(Framing::None), false, 0, 0)
    }

    /// Sends what the spool holds.
    pub(crate) fn of_spool(is_chunked: bool) -> Self {
        Self::from(Source::Spool { at: 0, is_ended: false }, is_chunked)
    }

    fn from(source: Source, is_chunked: bool) -> Self {
        Self {
            source,
            is_chunked,
            limit: 0,
            length: 0,
            out: Vec::new(),
            written: 0,
            sent: 0,
            has_begun: false,
            waits_for_client: false,
            is_done: false,
        }
    }

    /// Whether nothing more of the body is to come from the client.
    pub(crate) fn is_taken(&self) -> bool {
        self.is_done || matches!(self.source, Source::Spool { .. })
    }

    /// Begins anew, for another attempt, where that is possible.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
        if let Source::Spool { at, is_ended } = &mut self.source {
            (*at, *is_ended) = (0, false);
            self.out.clear();
            self.written = 0;
            self.is_done = false;
        }
    }

    /// Moves on as far as both sides allow; ready when the whole body is with the upstream.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Channel,
        buffer: &mut Buffer,
        spool: &Spool,
        upstream: &mut Stream,
    ) -> Poll<Result<(), UploadError>> {
        let mut pieces = 0;
        while !self.is_done {
            if pieces == SPOOL_PIECES {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            pieces += 1;
            self.waits_for_client = false;
            while self.written < self.out.len() {
                let n = ready!(upstream.poll_write(cx, &self.out[self.written..])).map_err(UploadError::Upstream)?;
                self.written += n;
                self.sent += n as u64;
            }
            self.out.clear();
            self.written = 0;
            if self.is_at_end(spool) {
                ready!(upstream.poll_flush(cx)).map_err(UploadError::Upstream)?;
                self.is_done = true;
                break;
            }
            if !self.take(buffer, spool)? {
                self.waits_for_client = true;
                buffer.compact();
                match ready!(client.poll_read(cx, buffer)) {
                    Ok(n) if n > 0 => self.has_begun = true,
                    _ => return Poll::Ready(Err(UploadError::ClientGone)),
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether all of the body was taken, and its end where it has one of its own.
    fn is_at_end(&self, spool: &Spool) -> bool {
        match &self.source {
            Source::Client(body) => body.ended(),
            Source::Spool { at, is_ended } => *at == spool.length() && (*is_ended || !self.is_chunked),
        }
    }

    /// Takes from the buffer, or from the spool, what comes next; false when that is nothing.
    fn take(&mut self, buffer: &mut Buffer, spool: &Spool) -> Result<bool, UploadError> {
        match &mut self.source {
            Source::Client(_) => self.take_from_client(buffer),
            Source::Spool { at, is_ended } => {
                let n = spool.piece_length(*at);
                if self.is_chunked && n > 0 {
                    encode::chunk_start(&mut self.out, n as u64);
                }
                spool.copy(*at, n, &mut self.out).map_err(UploadError::Spool)?;
                *at += n as u64;
                if self.is_chunked && n > 0 {
                    self.out.extend_from_slice(encode::CHUNK_END);
                }
                if self.is_chunked && *at == spool.length() {
                    *is_ended = true;
                    append_end(&mut self.out, &spool.trailers);
                }
                Ok(true)
            }
        }
    }

    /// Takes from the buffer what the body has there; false when that is nothing.
    fn take_from_client(&mut self, buffer: &mut Buffer) -> Result<bool, UploadError> {
        let Source::Client(body) = &mut self.source else { return Ok(false) };
        let piece = body.next(buffer.data()).map_err(|_| UploadError::Malformed)?;
        if piece.consumed == 0 {
            return Ok(false);
        }
        self.length += piece.data.len() as u64;
        if self.limit > 0 && self.length > self.limit {
            return Err(UploadError::TooLarge);
        }
        append_piece(&mut self.out, &buffer.data()[piece.data.clone()], body, self.is_chunked);
        buffer.consume(piece.consumed);
        Ok(true)
    }
}

/// Appends a piece of a body: as it is, or as a chunk, with the last chunk and the trailers when the body has ended.
pub(crate) fn append_piece(out: &mut Vec<u8>, data: &[u8], body: &Body, is_chunked: bool) {
    if !is_chunked {
        out.extend_from_slice(data);
        return;
    }
    if !data.is_empty() {
        encode::chunk_start(out, data.len() as u64);
        out.extend_from_slice(data);
        out.extend_from_slice(encode::CHUNK_END);
    }
    if body.ended() {
        append_end(out, body.trailers());
    }
}

/// Appends the last chunk and the trailers.
fn append_end(out: &mut Vec<u8>, trailers: &[u8]) {
    out.extend_from_slice(encode::LAST_CHUNK_BEFORE_TRAILERS);
    out.extend_from_slice(trailers);
    out.extend_from_slice(encode::HEAD_END);
}
