//! The global `crypto`: random values, and `subtle` with digests, HMAC, AES (CBC, CTR, GCM) and PBKDF2.
//!
//! Left out: keys in pairs (RSA, ECDSA, ECDH), wrapped keys, tags of AES-GCM other than of 128 bits.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptionContext, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{hmac, rand};
use rquickjs::object::{Accessor, Property};
use rquickjs::{ArrayBuffer, Ctx, Exception, Function, Object, Result};

use super::super::base64::Form;
use super::super::digests;
use super::super::host::{host, stop};

/// Its shape.
const SHAPE: &str = include_str!("webcrypto.js");
/// Bytes at once that are random, or derived.
const MOST_BYTES: usize = 1 << 20;
/// Rounds of a derivation before others may have their turn: some 100 us.
const ROUNDS_A_TURN: u32 = 256;

/// Puts it in place; it is made when it is first asked for.
pub(super) fn install(ctx: &Ctx<'_>) -> Result<()> {
    ctx.globals().prop("crypto", Accessor::from(made).enumerable().configurable())
}

fn made<'js>(ctx: Ctx<'js>) -> Result<Object<'js>> {
    let native = Object::new(ctx.clone())?;
    native.set("digest", Function::new(ctx.clone(), digest)?)?;
    native.set("hmac", Function::new(ctx.clone(), hmac)?)?;
    native.set("cipher", Function::new(ctx.clone(), crypt)?)?;
    native.set("pbkdf2", Function::new(ctx.clone(), derive)?)?;
    native.set("random", Function::new(ctx.clone(), random)?)?;
    native.set("base64", Function::new(ctx.clone(), |bytes: ArrayBuffer<'js>| Form::RAW_URL.encode(of(&bytes)))?)?;
    native.set("unbase64", Function::new(ctx.clone(), decoded)?)?;
    let shape: Function<'js> = ctx.eval(SHAPE)?;
    let crypto: Object<'js> = shape.call((native,))?;
    let globals = ctx.globals();
    globals.prop("crypto", Property::from(crypto.clone()).writable().enumerable().configurable())?;
    Ok(crypto)
}

fn of<'a>(buffer: &'a ArrayBuffer<'_>) -> &'a [u8] {
    buffer.as_bytes().unwrap_or_default()
}

/// A digest's name as k6/crypto has it: `SHA-256` is `sha256`.
fn plain(name: &str) -> String {
    name.replace('-', "").to_ascii_lowercase()
}

fn digest<'js>(ctx: Ctx<'js>, name: String, input: ArrayBuffer<'js>) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new(ctx, digests::digest(&plain(&name), of(&input)).unwrap_or_default())
}

fn hmac<'js>(ctx: Ctx<'js>, name: String, key: ArrayBuffer<'js>, input: ArrayBuffer<'js>) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new(ctx, digests::hmac(&plain(&name), of(&key), of(&input)).unwrap_or_default())
}

fn decoded<'js>(ctx: Ctx<'js>, text: String) -> Result<ArrayBuffer<'js>> {
    let bytes = Form::RAW_URL.decode(text.trim_end_matches('='));
    ArrayBuffer::new(ctx.clone(), bytes.ok_or_else(|| Exception::throw_message(&ctx, "the key is not base64url"))?)
}

/// So many bytes, to be filled.
fn room(ctx: &Ctx<'_>, count: usize) -> Result<Vec<u8>> {
    if count > MOST_BYTES {
        return Err(Exception::throw_range(ctx, &format!("want at most {MOST_BYTES} bytes at once, not {count}")));
    }
    Ok(vec![0; count])
}

fn random<'js>(ctx: Ctx<'js>, count: usize) -> Result<ArrayBuffer<'js>> {
    let mut bytes = room(&ctx, count)?;
    rand::fill(&mut bytes).map_err(|_| Exception::throw_message(&ctx, "no random bytes are to be had"))?;
    ArrayBuffer::new(ctx, bytes)
}

fn derive<'js>(
    ctx: Ctx<'js>,
    name: String,
    secret: ArrayBuffer<'js>,
    salt: ArrayBuffer<'js>,
    rounds: u32,
    count: usize,
) -> Result<ArrayBuffer<'js>> {
    let algorithm = match name.as_str() {
        "SHA-1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "SHA-384" => hmac::HMAC_SHA384,
        "SHA-512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let mut bytes = room(&ctx, count)?;
    let host = host(&ctx);
    if pbkdf2(algorithm, (of(&secret), of(&salt)), rounds, &mut bytes, || host.interrupts()) {
        ArrayBuffer::new(ctx, bytes)
    } else {
        Err(stop(&ctx))
    }
}

/// PBKDF2 (RFC 8018 5.2), in pieces: rounds are as many as a script wants, and aws-lc-rs would not stop before the
/// last. `false` where `is_to_stop` said so.
fn pbkdf2(
    algorithm: hmac::Algorithm,
    (secret, salt): (&[u8], &[u8]),
    rounds: u32,
    out: &mut [u8],
    is_to_stop: impl Fn() -> bool,
) -> bool {
    let key = hmac::Key::new(algorithm, secret);
    for (block, number) in out.chunks_mut(algorithm.digest_algorithm().output_len()).zip(1_u32..) {
        let mut last = hmac::sign(&key, &[salt, &number.to_be_bytes()].concat());
        let mut sum = last.as_ref().to_vec();
        for round in 1..rounds {
            if round % ROUNDS_A_TURN == 0 && is_to_stop() {
                return false;
            }
            last = hmac::sign(&key, last.as_ref());
            sum.iter_mut().zip(last.as_ref()).for_each(|(sum, byte)| *sum ^= byte);
        }
        block.copy_from_slice(&sum[..block.len()]);
        if is_to_stop() {
            return false;
        }
    }
    true
}

/// Encrypts or decrypts; nothing where key, start and data do not fit.
fn crypt<'js>(
    ctx: Ctx<'js>,
    name: String,
    is_sealing: bool,
    key: ArrayBuffer<'js>,
    start: ArrayBuffer<'js>,
    extra: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<Option<ArrayBuffer<'js>>> {
    let (key, start, data) = (of(&key), of(&start), of(&data).to_vec());
    let made = match name.as_str() {
        "AES-GCM" => gcm(is_sealing, key, start, of(&extra), data),
        "AES-CTR" => counted(key, start, data),
        _ => chained(is_sealing, key, start, data),
    };
    made.ok().map(|bytes| ArrayBuffer::new(ctx, bytes)).transpose()
}

fn gcm(
    is_sealing: bool,
    key: &[u8],
    start: &[u8],
    extra: &[u8],
    mut data: Vec<u8>,
) -> std::result::Result<Vec<u8>, Unspecified> {
    let algorithm = match key.len() {
        16 => &aead::AES_128_GCM,
        24 => &aead::AES_192_GCM,
        _ => &aead::AES_256_GCM,
    };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key)?);
    let nonce = Nonce::try_assume_unique_for_key(start)?;
    if is_sealing {
        key.seal_in_place_append_tag(nonce, Aad::from(extra), &mut data)?;
    } else {
        let length = key.open_in_place(nonce, Aad::from(extra), &mut data)?.len();
        data.truncate(length);
    }
    Ok(data)
}

fn unbound(key: &[u8]) -> std::result::Result<UnboundCipherKey, Unspecified> {
    let algorithm = match key.len() {
        16 => &cipher::AES_128,
        24 => &cipher::AES_192,
        _ => &cipher::AES_256,
    };
    UnboundCipherKey::new(algorithm, key)
}

/// CTR, which is the same both ways.
fn counted(key: &[u8], start: &[u8], mut data: Vec<u8>) -> std::result::Result<Vec<u8>, Unspecified> {
    let context = EncryptionContext::Iv128(FixedLength::try_from(start)?);
    cipher::EncryptingKey::ctr(unbound(key)?)?.less_safe_encrypt(&mut data, context)?;
    Ok(data)
}

/// CBC, padded.
fn chained(is_sealing: bool, key: &[u8], start: &[u8], mut data: Vec<u8>) -> std::result::Result<Vec<u8>, Unspecified> {
    let start = FixedLength::try_from(start)?;
    if is_sealing {
        let key = cipher::PaddedBlockEncryptingKey::cbc_pkcs7(unbound(key)?)?;
        key.less_safe_encrypt(&mut data, EncryptionContext::Iv128(start))?;
    } else {
        let key = cipher::PaddedBlockDecryptingKey::cbc_pkcs7(unbound(key)?)?;
        let length = key.decrypt(&mut data, DecryptionContext::Iv128(start))?.len();
        data.truncate(length);
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::num::NonZeroU32;

    use aws_lc_rs::pbkdf2 as whole;

    use super::*;

    #[test]
    fn keys_are_derived_as_in_one_piece() {
        let one = NonZeroU32::MIN;
        for (algorithm, known) in [
            (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, whole::PBKDF2_HMAC_SHA1),
            (hmac::HMAC_SHA256, whole::PBKDF2_HMAC_SHA256),
            (hmac::HMAC_SHA384, whole::PBKDF2_HMAC_SHA384),
            (hmac::HMAC_SHA512, whole::PBKDF2_HMAC_SHA512),
        ] {
            for (rounds, count) in [(1, 7), (2, 64), (300, 65), (1000, 200), (1, 0)] {
                let (mut ours, mut theirs) = (vec![0; count], vec![0; count]);
                assert!(pbkdf2(algorithm, (b"secret", b"salt"), rounds, &mut ours, || false));
                let rounds = NonZeroU32::new(rounds).unwrap_or(one);
                if count > 0 {
                    whole::derive(known, rounds, b"salt", b"secret", &mut theirs);
                }
                assert_eq!(ours, theirs, "{rounds} rounds, {count} bytes");
            }
        }
    }

    #[test]
    fn a_derivation_stops_within_a_turn() {
        let asked = Cell::new(0);
        let is_to_stop = || {
            asked.set(asked.get() + 1);
            asked.get() == 3
        };
        assert!(!pbkdf2(hmac::HMAC_SHA256, (b"", b""), u32::MAX, &mut [0; 32], is_to_stop));
        assert_eq!(asked.get(), 3);
    }
}
