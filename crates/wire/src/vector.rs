//! Sixteen bytes of a text at a time.

use wide::u8x16;

/// How many bytes are looked at in one step.
pub(crate) const WIDTH: usize = 16;

/// Up to sixteen bytes of a text. A mask of them has a bit for each byte that is meant, the first one's lowest.
#[derive(Clone, Copy)]
pub(crate) struct Bytes {
    vector: u8x16,
    /// How many bytes in front of the first one are in the vector too: near a text's end its last sixteen are loaded.
    skip: u32,
}

impl Bytes {
    /// The bytes from there on; fewer than sixteen at the text's end, where no mask has bits beyond it.
    #[inline]
    pub(crate) fn at(text: &[u8], at: usize) -> Self {
        match text.get(at..).and_then(<[u8]>::first_chunk) {
            Some(whole) => Self { vector: u8x16::new(*whole), skip: 0 },
            None => Self::last(text, at),
        }
    }

    #[inline(never)]
    fn last(text: &[u8], at: usize) -> Self {
        let left = text.len().saturating_sub(at);
        let skip = (WIDTH - left) as u32;
        match text.last_chunk() {
            Some(last) => Self { vector: u8x16::new(*last), skip },
            None => Self { vector: padded(&text[text.len() - left..]), skip },
        }
    }

    /// Those that are this byte.
    #[inline]
    pub(crate) fn equal(self, byte: u8) -> u32 {
        self.mask(self.vector.simd_eq(u8x16::splat(byte)))
    }

    /// Those that are at most `limit`, or DEL.
    #[inline]
    pub(crate) fn at_most_or_del(self, limit: u8) -> u32 {
        let low = self.vector.min(u8x16::splat(limit)).simd_eq(self.vector);
        self.mask(low | self.vector.simd_eq(u8x16::splat(0x7f)))
    }

    /// Those that are no ASCII.
    #[inline]
    pub(crate) fn foreign(self) -> u32 {
        self.mask(self.vector)
    }

    /// Letters and digits.
    #[inline]
    pub(crate) fn alphanumeric(self) -> u32 {
        let is_within = |vector: u8x16, first: u8, count: u8| {
            let above = vector - u8x16::splat(first);
            above.min(u8x16::splat(count - 1)).simd_eq(above)
        };
        let letters = is_within(self.vector | u8x16::splat(0x20), b'a', 26);
        self.mask(letters | is_within(self.vector, b'0', 10))
    }

    #[inline]
    fn mask(self, vector: u8x16) -> u32 {
        vector.to_bitmask() >> self.skip
    }
}

/// A text shorter than a vector, at its end.
#[cold]
fn padded(text: &[u8]) -> u8x16 {
    let mut bytes = [0; WIDTH];
    bytes[WIDTH - text.len()..].copy_from_slice(text);
    u8x16::new(bytes)
}

/// Whether a byte is at most `limit`, or DEL.
#[inline]
pub(crate) fn any_at_most_or_del(text: &[u8], limit: u8) -> bool {
    (0..text.len()).step_by(WIDTH).any(|at| Bytes::at(text, at).at_most_or_del(limit) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mask made byte by byte.
    fn expected(text: &[u8], at: usize, is_meant: impl Fn(u8) -> bool) -> u32 {
        text[at..].iter().take(WIDTH).enumerate().map(|(n, byte)| u32::from(is_meant(*byte)) << n).sum()
    }

    #[test]
    fn masks_have_a_bit_for_each_byte_that_is_meant_wherever_it_stands() {
        let all: Vec<u8> = (0..=255).collect();
        for length in (0..40).chain([256]) {
            for text in [&all[..length], &all[256 - length..]] {
                for at in 0..=length {
                    let bytes = Bytes::at(text, at);
                    assert_eq!(bytes.equal(b'#'), expected(text, at, |byte| byte == b'#'));
                    assert_eq!(bytes.at_most_or_del(32), expected(text, at, |byte| byte <= 32 || byte == 127));
                    assert_eq!(bytes.foreign(), expected(text, at, |byte| byte >= 128));
                    assert_eq!(bytes.alphanumeric(), expected(text, at, |byte| byte.is_ascii_alphanumeric()));
                }
                let low = text.iter().any(|byte| *byte <= 32 || *byte == 127);
                assert_eq!(any_at_most_or_del(text, 32), low);
            }
        }
    }
}
