//! The body of a message, piece by piece, without copying it: by length, in chunks, or to the end of the connection.
//!
//! RFC 9112 6 and 7. Chunk framing is read strictly (CR and LF, digits only, a limited extension), since a reader that
//! is laxer than the next one lets a body end in two places. Extensions are dropped; trailers are checked and kept.

use std::ops::Range;

use thiserror::Error;

use crate::Framing;
use crate::scan::is_control;
use trailers::Trailers;

mod trailers;

pub use trailers::{TRAILER_BYTES_MAX, TRAILER_FIELDS_MAX};

/// The longest extension of one chunk. None is forwarded; signed uploads use about 90 bytes.
pub const CHUNK_EXTENSION_MAX: usize = 512;
/// The most digits of a chunk's size, leading zeros included: those of 64 bits.
const CHUNK_SIZE_DIGITS_MAX: u8 = 16;

/// Why a body cannot be read on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    /// A chunk size that is none, or beyond 63 bits.
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
    /// Bytes of the input that are done with; 0 when more input is needed (or the body has ended).
    pub consumed: usize,
    /// Where in the consumed input the content is; possibly empty.
    pub data: Range<usize>,
    /// Whether the body has ended with it.
    pub ended: bool,
}

/// Where in the body the next byte is.
///
/// ```text
/// Size -> (SizeSpace ->) (Extension ->) SizeFeed -> Data -> DataReturn -> DataFeed -> Size
///                                       SizeFeed of the last chunk -> TrailerStart -> Ended
///                                                    TrailerStart -> TrailerLine -> TrailerStart
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Counted,
    UntilClose,
    Size,
    SizeSpace,
    Extension,
    SizeFeed,
    Data,
    DataReturn,
    DataFeed,
    TrailerStart,
    TrailerLine,
    LastFeed,
    Ended,
}

/// Reads one body.
#[derive(Debug)]
pub struct Body {
    state: State,
    /// Digits of the size that is being read.
    digits: u8,
    /// Bytes of the extension that is being read.
    extension: u16,
    /// Content still to come: of the body when it is counted, of the chunk when it is chunked.
    remaining: u64,
    trailers: Trailers,
}

impl Body {
    /// A body that has just begun.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let (state, remaining) = match framing {
            Framing::None | Framing::Length(0) => (State::Ended, 0),
            Framing::Length(length) => (State::Counted, length),
            Framing::Chunked => (State::Size, 0),
            Framing::UntilClose => (State::UntilClose, 0),
        };
        Self { state, digits: 0, extension: 0, remaining, trailers: Trailers::default() }
    }

    /// Reads on. Content is not copied, only found: at most one run of it a call, with the framing around it.
    ///
    /// # Errors
    /// The message is broken; its connection must be closed.
    #[inline]
    pub fn next(&mut self, input: &[u8]) -> Result<Piece, BodyError> {
        let consumed = match self.state {
            State::Counted => {
                let taken = self.take(input.len());
                if self.remaining == 0 {
                    self.state = State::Ended;
                }
                taken
            }
            State::UntilClose => input.len(),
            State::Ended => 0,
            _ => return self.next_chunked(input),
        };
        Ok(Piece { consumed, data: 0..consumed, ended: self.ended() })
    }

    /// Whether the whole body was read.
    #[inline]
    #[must_use]
    pub fn ended(&self) -> bool {
        self.state == State::Ended
    }

    /// How much content is still to come, where that is known; not in chunks or up to the connection's end.
    #[must_use]
    pub fn remaining_hint(&self) -> Option<u64> {
        match self.state {
            State::Counted => Some(self.remaining),
            State::Ended => Some(0),
            _ => None,
        }
    }

    /// To be called when the connection ends.
    ///
    /// # Errors
    /// The body was not whole.
    pub fn end_of_stream(&mut self) -> Result<(), BodyError> {
        match self.state {
            State::UntilClose | State::Ended => {
                self.state = State::Ended;
                Ok(())
            }
            _ => Err(BodyError::Truncated),
        }
    }

    /// Has lines of this side's own stand before the trailers that come.
    pub fn add_trailers(&mut self, lines: &[u8]) {
        self.trailers.add(lines);
    }

    /// The trailers that may be forwarded, as lines of `name: value\r\n`; empty but after the end of chunks.
    #[must_use]
    pub fn trailers(&self) -> &[u8] {
        if self.ended() { self.trailers.kept() } else { &[] }
    }

    fn take(&mut self, available: usize) -> usize {
        let taken = usize::try_from(self.remaining).map_or(available, |remaining| remaining.min(available));
        self.remaining -= taken as u64;
        taken
    }

    fn next_chunked(&mut self, input: &[u8]) -> Result<Piece, BodyError> {
        let mut data = 0..0;
        let mut at = 0;
        while at < input.len() && self.state != State::Ended {
            match self.state {
                State::Data if !data.is_empty() => break,
                State::Data => {
                    let taken = self.take(input.len() - at);
                    data = at..at + taken;
                    at += taken;
                    if self.remaining == 0 {
                        self.state = State::DataReturn;
                    }
                }
                State::TrailerLine => {
                    let (taken, whole) = self.trailers.take(&input[at..])?;
                    at += taken;
                    if whole {
                        self.state = State::TrailerStart;
                    }
                }
                // The byte is looked at again, as the first of a trailer.
                State::TrailerStart if input[at] != b'\r' => self.state = State::TrailerLine,
                _ => {
                    self.state = self.framing_byte(input[at])?;
                    at += 1;
                }
            }
        }
        Ok(Piece { consumed: at, data, ended: self.ended() })
    }

    /// Takes one byte between the runs of content.
    #[inline]
    fn framing_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        match (self.state, byte) {
            (State::Size, _) => self.size_byte(byte),
            (State::SizeSpace, b' ' | b'\t') => self.extension_byte(State::SizeSpace),
            (State::SizeSpace, b';') => self.extension_byte(State::Extension),
            (State::SizeSpace, _) => Err(BodyError::ChunkSize),
            (State::Extension, b'\r') => Ok(State::SizeFeed),
            (State::Extension, b'\n') => Err(BodyError::ChunkEnd),
            (State::Extension, _) if is_control(byte) => Err(BodyError::ChunkExtension),
            (State::Extension, _) => self.extension_byte(State::Extension),
            (State::SizeFeed, b'\n') => {
                (self.digits, self.extension) = (0, 0);
                Ok(if self.remaining == 0 { State::TrailerStart } else { State::Data })
            }
            (State::DataReturn, b'\r') => Ok(State::DataFeed),
            (State::DataFeed, b'\n') => Ok(State::Size),
            (State::TrailerStart, b'\r') => Ok(State::LastFeed),
            (State::LastFeed, b'\n') => Ok(State::Ended),
            _ => Err(BodyError::ChunkEnd),
        }
    }

    #[inline]
    fn size_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if self.digits > 0 => return Ok(State::SizeFeed),
            b';' if self.digits > 0 => return Ok(State::Extension),
            b' ' | b'\t' if self.digits > 0 => return Ok(State::SizeSpace),
            b'\n' => return Err(BodyError::ChunkEnd),
            _ => return Err(BodyError::ChunkSize),
        };
        // Four more bits must fit into the 63 that sizes have everywhere.
        if self.digits == CHUNK_SIZE_DIGITS_MAX || self.remaining >> 59 != 0 {
            return Err(BodyError::ChunkSize);
        }
        self.digits += 1;
        self.remaining = self.remaining << 4 | u64::from(digit);
        Ok(State::Size)
    }

    fn extension_byte(&mut self, next: State) -> Result<State, BodyError> {
        self.extension += 1;
        if usize::from(self.extension) > CHUNK_EXTENSION_MAX { Err(BodyError::ChunkExtension) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests;
