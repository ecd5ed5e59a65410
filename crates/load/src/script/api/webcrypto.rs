//! The global `crypto`: random values, and `subtle` with digests, HMAC, AES (CBC, CTR, GCM) and PBKDF2.
//!
//! Left out: keys in pairs (RSA, ECDSA, ECDH), wrapped keys, tags of AES-GCM other than of 128 bits.

use std::num::NonZeroU32;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptionContext, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{pbkdf2, rand};
use rquickjs::object::{Accessor, Property};
use rquickjs::{ArrayBuffer, Ctx, Exception, Function, Object, Result};

use super::super::base64::Form;
use super::super::digests;

/// Its shape.
const SHAPE: &str = include_str!("webcrypto.js");
/// Bytes at once that are random, or derived.
const MOST_BYTES: usize = 1 << 20;

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
        "SHA-1" => pbkdf2::PBKDF2_HMAC_SHA1,
        "SHA-384" => pbkdf2::PBKDF2_HMAC_SHA384,
        "SHA-512" => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => pbkdf2::PBKDF2_HMAC_SHA256,
    };
    let mut bytes = room(&ctx, count)?;
    let rounds = NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(algorithm, rounds, of(&salt), of(&secret), &mut bytes);
    ArrayBuffer::new(ctx, bytes)
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
