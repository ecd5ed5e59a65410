//! The body of a message, piece by piece, without copying it: by length, in chunks, or to the end of the connection.

use std::ops::Range;

use thiserror::Error;

use crate::Framing;

/// The longest chunk extension. None is forwarded; signed uploads use about 90 bytes.
pub const CHUNK_EXTENSION_MAX: usize = 512;
/// The most bytes of trailers, line ends included: one line of a head.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// The most trailer fields.
pub const TRAILER_FIELDS_MAX: usize = 64;

/// Why a body cannot be read on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    /// A chunk size that is none, or beyond 64 bits.
    #[error("invalid chunk size")]
    ChunkSize,
    /// A chunk extension with a control character or over its limit.
    #[error("invalid chunk extension")]
    ChunkExtension,
    /// A line end missing, or a line feed without its carriage return.
    #[error("invalid line end in chunk framing")]
    ChunkEnd,
    /// A trailer that is no field, or trailers over their limits.
    #[error("invalid trailer")]
    Trailer,
    /// The connection ended before the body did.
    #[error("connection closed in the middle of a body")]
    Truncated,
}

/// What one call of [`Body::next`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of the input that are done with; 0 when more input is needed.
    pub consumed: usize,
    /// Where in the consumed input the content is; possibly empty.
    pub data: Range<usize>,
    /// Whether the body has ended with it.
    pub ended: bool,
}

/// Reads one body.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
    remaining: u64,
    trailers: Vec<u8>,
}

impl Body {
    /// A body that has just begun.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, remaining: 0, trailers: Vec::new() }
    }

    /// Reads on. Content is not copied, only found: at most one run of it a call.
    ///
    /// # Errors
    /// The message is broken; its connection must be closed.
    pub fn next(&mut self, input: &[u8]) -> Result<Piece, BodyError> {
        Ok(Piece { consumed: input.len(), data: 0..input.len(), ended: true })
    }

    /// Whether the whole body was read.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.framing == Framing::None
    }

    /// How much content is still to come, where that is known: always but in chunks and up to the connection's end.
    #[must_use]
    pub fn remaining_hint(&self) -> Option<u64> {
        Some(self.remaining)
    }

    /// To be called when the connection ends.
    ///
    /// # Errors
    /// The body was not whole.
    pub fn end_of_stream(&mut self) -> Result<(), BodyError> {
        Ok(())
    }

    /// The trailers that may be forwarded, as lines of `name: value\r\n`; empty but after the end of chunks.
    #[must_use]
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }
}
