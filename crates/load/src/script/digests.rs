//! Digests by the names that k6 gives them, and keyed ones.

use aws_lc_rs::{digest as fast, hmac as keyed};
use md4::Md4;
use md5::Md5;
use ripemd::Ripemd160;

/// All of them.
pub(super) const NAMES: [&str; 9] =
    ["md4", "md5", "ripemd160", "sha1", "sha256", "sha384", "sha512", "sha512_224", "sha512_256"];

/// The digest of a text; `None` where there is none of that name.
pub(super) fn digest(name: &str, input: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match name {
        "md4" => return Some(<Md4 as md4::Digest>::digest(input).to_vec()),
        "md5" => return Some(<Md5 as md5::Digest>::digest(input).to_vec()),
        "ripemd160" => return Some(<Ripemd160 as ripemd::Digest>::digest(input).to_vec()),
        "sha512_224" => return Some(<sha2::Sha512_224 as sha2::Digest>::digest(input).to_vec()),
        "sha1" => &fast::SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => &fast::SHA256,
        "sha384" => &fast::SHA384,
        "sha512" => &fast::SHA512,
        "sha512_256" => &fast::SHA512_256,
        _ => return None,
    };
    Some(fast::digest(algorithm, input).as_ref().to_vec())
}

/// The digest of a text under a key.
pub(super) fn hmac(name: &str, key: &[u8], input: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match name {
        "sha1" => keyed::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => keyed::HMAC_SHA256,
        "sha384" => keyed::HMAC_SHA384,
        "sha512" => keyed::HMAC_SHA512,
        name if name.starts_with("sha512_") => return keyed_by::<128>(name, key, input),
        _ => return keyed_by::<64>(name, key, input),
    };
    Some(keyed::sign(&keyed::Key::new(algorithm, key), input).as_ref().to_vec())
}

/// RFC 2104, over a digest whose blocks have so many bytes.
fn keyed_by<const BLOCK: usize>(name: &str, key: &[u8], input: &[u8]) -> Option<Vec<u8>> {
    let mut block = [0_u8; BLOCK];
    let short = if key.len() > BLOCK { digest(name, key)? } else { key.to_vec() };
    block[..short.len()].copy_from_slice(&short);
    let padded = |with: u8| block.map(|byte| byte ^ with).to_vec();
    let inner = digest(name, &[&padded(0x36), input].concat())?;
    digest(name, &[padded(0x5c), inner].concat())
}

#[cfg(test)]
mod tests {
    use super::super::base64::hex;
    use super::*;

    #[test]
    fn digests_are_those_of_their_standards() {
        for (name, expected) in [
            ("md4", "a448017aaf21d8525fc10ae87aa6729d"),
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("ripemd160", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
            ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("sha512_224", "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa"),
            ("sha512_256", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"),
        ] {
            assert_eq!(digest(name, b"abc").map(|made| hex(&made)).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(digest("nothing", b""), None);
    }

    #[test]
    fn keys_of_any_length_are_taken() {
        // RFC 2202, cases 2 and 6.
        let made = |name, key: &[u8], input: &[u8]| hmac(name, key, input).map(|made| hex(&made));
        let expected = "750c783e6ab0b503eaa86e310a5db738";
        assert_eq!(made("md5", b"Jefe", b"what do ya want for nothing?").as_deref(), Some(expected));
        let expected = "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd";
        let input = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(made("md5", &[0xaa; 80], input).as_deref(), Some(expected));
        assert_eq!(made("sha512_224", b"k", b"abc").map(|made| made.len()), Some(56));
        assert_eq!(made("nothing", b"k", b"abc"), None);
    }
}
