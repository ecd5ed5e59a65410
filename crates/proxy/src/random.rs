//! Random bytes for `$request_id`: from the kernel, fetched for many requests at once.

use rustix::rand::{GetRandomFlags, getrandom};

const BATCH: usize = 4096;

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
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut id = [0; 32];
        for (pair, byte) in id.chunks_exact_mut(2).zip(self.take::<16>()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
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
