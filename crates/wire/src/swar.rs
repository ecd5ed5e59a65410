//! Eight bytes of a text at a time, in one machine word.

/// The high bit of each byte.
pub(crate) const HIGH: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Eight bytes from there on, the first one lowest.
#[inline]
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A bit for each byte below `limit` (at most 0x80). Bits above the lowest one may be wrong: a borrow passes on.
#[inline]
pub(crate) fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH
}

/// A bit for each byte that is this one; like [`below`], exact up to the lowest.
#[inline]
pub(crate) fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

/// Whether a byte is below `limit`, or DEL.
#[inline]
pub(crate) fn any_below_or_del(bytes: &[u8], limit: u8) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().any(|word| {
        let word = u64::from_le_bytes(*word);
        below(word, limit) | equal(word, 0x7f) != 0
    }) || rest.iter().any(|&byte| byte < limit || byte == 0x7f)
}
