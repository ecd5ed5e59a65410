//! `split_clients`: a value by the hash of a text.

use conf::tree::Share;

/// Shares of all hashes, in the order written.
#[derive(Debug, Clone)]
pub(crate) struct Shares(Vec<(Option<u32>, Vec<u8>)>);

impl Shares {
    pub(crate) fn compile(shares: &[Share]) -> Self {
        Self(shares.iter().map(|share| (share.below, share.value.clone().into_bytes())).collect())
    }

    /// The value of the share that a text falls into; nothing where it falls into none.
    pub(crate) fn find(&self, text: &[u8]) -> &[u8] {
        let hash = murmur2(text);
        let found = self.0.iter().find(|(below, _)| below.is_none_or(|below| hash < below));
        found.map_or(b"", |(_, value)| value)
    }
}

/// MurmurHash2 (Austin Appleby, public domain) with the seed 0: which client has which share must not change when it
/// moves here from nginx.
fn murmur2(text: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let (words, rest) = text.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_others() {
        // Made by another implementation of MurmurHash2 with the seed 0.
        let table: [(&[u8], u32); 4] = [(b"", 0), (b"a", 0x9268_5f5e), (b"abcd", 0x2687_3021), (b"abcde", 0x5f09_a8de)];
        for (text, expected) in table {
            assert_eq!(murmur2(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_first_share_that_is_large_enough_has_it() {
        let share = |below, value: &str| Share { below, value: value.to_owned() };
        let shares = Shares::compile(&[share(Some(murmur2(b"a")), "small"), share(Some(u32::MAX), "large")]);
        assert_eq!(shares.find(b"a"), b"large");
        assert_eq!(Shares::compile(&[share(Some(0), "x")]).find(b"a"), b"");
        assert_eq!(Shares::compile(&[share(Some(0), "x"), share(None, "rest")]).find(b"a"), b"rest");
    }
}
