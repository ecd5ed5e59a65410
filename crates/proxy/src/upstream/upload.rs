//! A request's body on its way from the client to the upstream, beyond what came with its head.

use std::io;
use std::task::{Context, Poll, ready};

use net::{Buffer, Stream};
use wire::{Body, encode};

use crate::channel::Channel;

/// A body on its way. Memory is bounded: no more is read from the client than the upstream has taken.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Body,
    is_chunked: bool,
    /// `client_max_body_size`, 0 for none, and how much there was of it.
    limit: u64,
    length: u64,
    out: Vec<u8>,
    written: usize,
    /// Something was taken from the client that only one server has seen: there is no going back.
    pub(crate) has_begun: bool,
    /// Waits for the client, not for the upstream.
    pub(crate) waits_for_client: bool,
    /// Everything is with the upstream.
    pub(crate) is_done: bool,
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
}

impl Upload {
    /// Goes on where `body` stands after what was here.
    pub(crate) fn new(body: Body, is_chunked: bool, limit: u64, length: u64) -> Self {
        let is_done = body.ended();
        Self {
            body,
            is_chunked,
            limit,
            length,
            out: Vec::new(),
            written: 0,
            has_begun: false,
            waits_for_client: false,
            is_done,
        }
    }

    /// Moves on as far as both sides allow; ready when the whole body is with the upstream.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Channel,
        buffer: &mut Buffer,
        upstream: &mut Stream,
    ) -> Poll<Result<(), UploadError>> {
        while !self.is_done {
            self.waits_for_client = false;
            while self.written < self.out.len() {
                let n = ready!(upstream.poll_write(cx, &self.out[self.written..])).map_err(UploadError::Upstream)?;
                self.written += n;
            }
            self.out.clear();
            self.written = 0;
            if self.body.ended() {
                ready!(upstream.poll_flush(cx)).map_err(UploadError::Upstream)?;
                self.is_done = true;
                break;
            }
            if !self.take(buffer)? {
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

    /// Takes from the buffer what the body has there; false when that is nothing.
    fn take(&mut self, buffer: &mut Buffer) -> Result<bool, UploadError> {
        let piece = self.body.next(buffer.data()).map_err(|_| UploadError::Malformed)?;
        if piece.consumed == 0 {
            return Ok(false);
        }
        self.length += piece.data.len() as u64;
        if self.limit > 0 && self.length > self.limit {
            return Err(UploadError::TooLarge);
        }
        append_piece(&mut self.out, &buffer.data()[piece.data.clone()], &self.body, self.is_chunked);
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
        out.extend_from_slice(b"0\r\n");
        out.extend_from_slice(body.trailers());
        out.extend_from_slice(b"\r\n");
    }
}
