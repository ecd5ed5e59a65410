//! Buffers of bytes on their way, lent by the thread's pool while a message is in flight.
//!
//! An empty [`Buffer`] owns no memory; the first byte asked for takes a block from the pool, and dropping or releasing
//! the buffer gives it back. What is in a buffer is one contiguous run of bytes.

use std::cell::RefCell;

/// A block: room for the largest TLS record (16 KiB and 2 KiB of overhead, RFC 5246 6.2.3) and a header or two.
pub const BLOCK: usize = 20 * 1024;
/// A buffer never grows beyond this: a TLS handshake message of 64 KiB and its record headers.
pub const LARGEST: usize = 80 * 1024;
/// Free blocks a thread keeps; more go back to the allocator. 20 MiB at the most.
const POOL_BLOCKS: usize = 1024;

thread_local! {
    static POOL: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes between a socket and whoever reads or writes them.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Nothing, or at least a block. All of it is initialised.
    block: Box<[u8]>,
    /// 0 <= start <= end <= block.len()
    start: usize,
    end: usize,
}

impl Buffer {
    /// A buffer that owns no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes in it.
    pub fn data(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    /// The bytes in it, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.block[self.start..self.end]
    }

    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Takes the first `n` bytes away.
    pub fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len(), "consumed {n} of {}", self.len());
        self.start = (self.start + n).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Takes all bytes away; the memory stays.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Keeps the first `n` bytes only, in no more memory than they take: for what stays for long and is looked at once.
    pub fn keep_front(&mut self, n: usize) {
        let kept = self.data()[..n.min(self.len())].to_vec().into_boxed_slice();
        let end = kept.len();
        *self = Self { block: kept, start: 0, end };
    }

    /// Gives the memory back to the pool if nothing is in it.
    pub fn release_if_empty(&mut self) {
        if self.is_empty() {
            *self = Self::new();
        }
    }

    /// Room behind the data, as much as there is without moving anything; a block is taken if there is none yet.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.block.is_empty() {
            self.block = take_block();
        }
        &mut self.block[self.end..]
    }

    /// Room for at least `n` bytes: data moves to the front, and the buffer grows if it must and may.
    /// `None` when that takes more than [`LARGEST`].
    pub fn reserve(&mut self, n: usize) -> Option<&mut [u8]> {
        if self.block.is_empty() {
            self.block = take_block();
        }
        if self.block.len() - self.end < n {
            self.compact();
        }
        if self.block.len() - self.end < n {
            let wanted = self.end + n;
            if wanted > LARGEST {
                return None;
            }
            let mut larger = vec![0; wanted.next_multiple_of(BLOCK).min(LARGEST)].into_boxed_slice();
            larger[..self.end].copy_from_slice(&self.block[..self.end]);
            give_block(std::mem::replace(&mut self.block, larger));
        }
        Some(&mut self.block[self.end..])
    }

    /// Counts `n` bytes that were written into the room behind the data.
    pub fn filled(&mut self, n: usize) {
        debug_assert!(self.end + n <= self.block.len(), "filled beyond the end");
        self.end = (self.end + n).min(self.block.len());
    }

    /// Appends as much of `bytes` as there is room for without growing, and says how much that was.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let room = self.spare();
        let n = bytes.len().min(room.len());
        room[..n].copy_from_slice(&bytes[..n]);
        self.filled(n);
        n
    }

    /// Moves data over from another buffer, as much as there is room for without growing; how much that was. A buffer
    /// without memory takes over the other's.
    pub(crate) fn take_from(&mut self, other: &mut Self) -> usize {
        if self.block.is_empty() {
            std::mem::swap(self, other);
            return self.len();
        }
        let n = self.append(other.data());
        other.consume(n);
        n
    }

    /// Moves the data to the front, so that all the room lies behind it.
    pub fn compact(&mut self) {
        if self.start > 0 {
            self.block.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        if !self.block.is_empty() {
            give_block(std::mem::take(&mut self.block));
        }
    }
}

fn take_block() -> Box<[u8]> {
    POOL.with(|pool| pool.borrow_mut().pop()).unwrap_or_else(|| vec![0; BLOCK].into_boxed_slice())
}

fn give_block(block: Box<[u8]>) {
    if block.len() != BLOCK {
        return;
    }
    // A thread that ends drops its buffers after its pool: then the block just goes.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < POOL_BLOCKS {
            pool.push(block);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_buffer_owns_nothing_and_blocks_return_to_the_pool() {
        let mut buffer = Buffer::new();
        assert_eq!(buffer.block.len(), 0);
        assert_eq!(buffer.append(b"hello"), 5);
        buffer.consume(2);
        assert_eq!(buffer.data(), b"llo");
        buffer.consume(3);
        buffer.release_if_empty();
        assert_eq!(buffer.block.len(), 0);
        assert!(POOL.with(|pool| !pool.borrow().is_empty()));
    }

    #[test]
    fn what_is_kept_for_long_takes_no_block() {
        let mut buffer = Buffer::new();
        buffer.append(b"hello");
        buffer.consume(1);
        buffer.keep_front(3);
        assert_eq!((buffer.data(), buffer.block.len()), (&b"ell"[..], 3));
        buffer.consume(3);
        assert!(buffer.reserve(1).is_some(), "it can grow again");
    }

    #[test]
    fn reserve_moves_then_grows_then_refuses() {
        let mut buffer = Buffer::new();
        let n = buffer.spare().len();
        buffer.filled(n);
        buffer.data_mut()[n - 1] = b'z';
        buffer.consume(n - 1);
        assert!(buffer.reserve(BLOCK - 1).is_some(), "moving was enough");
        assert_eq!(buffer.data(), b"z");
        assert!(buffer.reserve(BLOCK).is_some(), "growing was allowed");
        assert_eq!(buffer.data(), b"z");
        assert!(buffer.reserve(LARGEST).is_none(), "but not without end");
    }
}
