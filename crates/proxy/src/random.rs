//! Random bytes for `$request_id`: from the kernel, fetched for many requests at once.

use rustix::rand::{GetRandomFlags, getrandom};

const BATCH: usize = 4096;

/// The two hexadecimal digits of each byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// A thread's store of random bytes.
#[derive(Debug)]
pub(crate) struct Random {
    bytes: Vec<u8>,
    used: usize,
}

impl Random {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; BATCH], used: BATCH }
    }

    /// 16 random bytes as 32 hexadecimal digits.
    pub(crate) fn request_id(&mut self) -> [u8; 32] {
        let mut id = [0; 32];
        let (pairs, _) = id.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.take::<16>()) {
            *pair = HEX[usize::from(byte)];
        }
        id
    }

    /// A random number.
    pub(crate) fn number(&mut self) -> u64 {
        u64::from_ne_bytes(self.take())
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        if self.used + N > self.bytes.len() {
            self.refill();
        }
        let mut taken = [0; N];
        taken.copy_from_slice(&self.bytes[self.used..self.used + N]);
        self.used += N;
        taken
    }

    fn refill(&mut self) {
        let mut filled = 0;
        while filled < self.bytes.len() {
            // Without flags it fails only when interrupted.
            filled += getrandom(&mut self.bytes[filled..], GetRandomFlags::empty()).unwrap_or(0);
        }
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_differ_and_are_hexadecimal() {
        let mut random = super::Random::new();
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| random.request_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().flatten().all(u8::is_ascii_hexdigit));
    }
}
