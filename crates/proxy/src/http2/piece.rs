//! A piece of an answer's body on its way through h2: a copy, or a block of the upstream's bytes as it is.

use bytes::{Buf, Bytes};
use net::Buffer;

/// Bytes for a DATA frame.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A copy of its own size.
    Copy(Bytes),
    /// The front of a block.
    Block {
        /// What it lies in.
        buffer: Buffer,
        /// How much of it.
        length: usize,
    },
}

impl Piece {
    pub(super) fn empty() -> Self {
        Self::Copy(Bytes::new())
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match self {
            Self::Copy(bytes) => bytes.len(),
            Self::Block { length, .. } => *length,
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Copy(bytes) => bytes,
            Self::Block { buffer, length } => &buffer.data()[..*length],
        }
    }

    fn advance(&mut self, n: usize) {
        match self {
            Self::Copy(bytes) => bytes.advance(n),
            Self::Block { buffer, length } => {
                buffer.consume(n);
                *length -= n;
                if *length == 0 {
                    // h2 may keep the empty piece for a while; the block is wanted elsewhere.
                    *buffer = Buffer::new();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_same_bytes() {
        let mut buffer = Buffer::new();
        buffer.append(b"hello, world");
        let mut block = Piece::Block { buffer, length: 5 };
        let mut copy = Piece::Copy(Bytes::from_static(b"hello"));
        for piece in [&mut block, &mut copy] {
            assert_eq!((piece.remaining(), piece.chunk()), (5, &b"hello"[..]));
            piece.advance(4);
            assert_eq!((piece.remaining(), piece.chunk()), (1, &b"o"[..]));
            piece.advance(1);
            assert_eq!((piece.remaining(), piece.chunk()), (0, &b""[..]));
        }
    }
}
