//! The module `k6/crypto`: digests, keyed ones, random bytes.

use std::cell::RefCell;

use rquickjs::class::{JsClass, Readable};
use rquickjs::function::{Constructor, Opt, This};
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::{ArrayBuffer, Class, Coerced, Ctx, Exception, Function, IntoJs, Object, Result, Value};

use super::super::base64::{Form, hex};
use super::super::bytes;
use super::super::digests;
use super::super::raw::Held;
use super::Exporter;

/// The most random bytes at once.
const MOST_RANDOM: f64 = 16_777_216.0;

/// The module.
pub(super) struct Crypto;

/// A digest in the making: what came so far.
pub(super) struct Hasher {
    algorithm: String,
    /// For a keyed one.
    secret: Option<Vec<u8>>,
    input: RefCell<Vec<u8>>,
}

impl ModuleDef for Crypto {
    fn declare<'js>(declarations: &Declarations<'js>) -> Result<()> {
        for name in
            ["default", "createHash", "createHMAC", "hmac", "hexEncode", "randomBytes"].iter().chain(&digests::NAMES)
        {
            declarations.declare(*name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let exporter = Exporter::new(ctx, exports)?;
        for name in digests::NAMES {
            let digest = move |ctx: Ctx<'js>, input: Value<'js>, encoding: Opt<Coerced<String>>| {
                let made = digested(&ctx, name, &bytes::of_any(&input)?)?;
                encoded(&ctx, made, encoding.0)
            };
            exporter.function(name, digest)?;
        }
        exporter.function("createHash", create_hash)?;
        exporter.function("createHMAC", create_hmac)?;
        exporter.function("hmac", keyed)?;
        exporter.function("hexEncode", |input: Value<'js>| Ok::<_, rquickjs::Error>(hex(&bytes::of_any(&input)?)))?;
        exporter.function("randomBytes", random_bytes)?;
        exporter.done()
    }
}

fn digested(ctx: &Ctx<'_>, algorithm: &str, input: &[u8]) -> Result<Vec<u8>> {
    digests::digest(algorithm, input).ok_or_else(|| unknown(ctx, algorithm))
}

fn signed(ctx: &Ctx<'_>, algorithm: &str, secret: &[u8], input: &[u8]) -> Result<Vec<u8>> {
    digests::hmac(algorithm, secret, input).ok_or_else(|| unknown(ctx, algorithm))
}

fn unknown(ctx: &Ctx<'_>, algorithm: &str) -> rquickjs::Error {
    let names = digests::NAMES.join(", ");
    Exception::throw_message(ctx, &format!("invalid algorithm: {algorithm}, want one of {names}"))
}

fn encoded<'js>(ctx: &Ctx<'js>, made: Vec<u8>, encoding: Option<Coerced<String>>) -> Result<Value<'js>> {
    match encoding.as_ref().map_or("", |encoding| encoding.0.as_str()) {
        "hex" => hex(&made).into_js(ctx),
        "base64" => Form::STD.encode(&made).into_js(ctx),
        "base64url" => Form::URL.encode(&made).into_js(ctx),
        "base64rawurl" => Form::RAW_URL.encode(&made).into_js(ctx),
        "binary" => ArrayBuffer::new(ctx.clone(), made)?.into_js(ctx),
        other => Err(Exception::throw_message(ctx, &format!("invalid output encoding: {other}"))),
    }
}

fn keyed<'js>(
    ctx: Ctx<'js>,
    algorithm: Coerced<String>,
    secret: Value<'js>,
    input: Value<'js>,
    encoding: Opt<Coerced<String>>,
) -> Result<Value<'js>> {
    let made = signed(&ctx, &algorithm.0, &bytes::of_any(&secret)?, &bytes::of_any(&input)?)?;
    encoded(&ctx, made, encoding.0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
fn random_bytes<'js>(ctx: Ctx<'js>, count: Coerced<f64>) -> Result<ArrayBuffer<'js>> {
    if !(1.0..=MOST_RANDOM).contains(&count.0) {
        return Err(Exception::throw_message(&ctx, "randomBytes: want a size from 1 to 16777216"));
    }
    let mut random = vec![0_u8; count.0 as usize];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Exception::throw_message(&ctx, "no random bytes are to be had"))?;
    ArrayBuffer::new(ctx, random)
}

type Of<'js> = This<Class<'js, Held<Hasher>>>;

impl<'js> JsClass<'js> for Held<Hasher> {
    const NAME: &'static str = "Hasher";

    type Mutable = Readable;

    fn prototype(ctx: &Ctx<'js>) -> Result<Option<Object<'js>>> {
        let prototype = Object::new(ctx.clone())?;
        prototype.prop("update", Function::new(ctx.clone(), update)?.with_name("update")?)?;
        prototype.prop("digest", Function::new(ctx.clone(), digest_of)?.with_name("digest")?)?;
        Ok(Some(prototype))
    }

    fn constructor(_ctx: &Ctx<'js>) -> Result<Option<Constructor<'js>>> {
        Ok(None)
    }
}

fn create_hash<'js>(ctx: Ctx<'js>, algorithm: Coerced<String>) -> Result<Class<'js, Held<Hasher>>> {
    // Said at once rather than at the end.
    digested(&ctx, &algorithm.0, b"")?;
    Class::instance(ctx, Held(Hasher { algorithm: algorithm.0, secret: None, input: RefCell::default() }))
}

fn create_hmac<'js>(ctx: Ctx<'js>, algorithm: Coerced<String>, secret: Value<'js>) -> Result<Class<'js, Held<Hasher>>> {
    signed(&ctx, &algorithm.0, b"", b"")?;
    let secret = Some(bytes::of_any(&secret)?);
    Class::instance(ctx, Held(Hasher { algorithm: algorithm.0, secret, input: RefCell::default() }))
}

fn update<'js>(this: Of<'js>, input: Value<'js>) -> Result<()> {
    let more = bytes::of_any(&input)?;
    this.0.borrow().0.input.borrow_mut().extend_from_slice(&more);
    Ok(())
}

fn digest_of<'js>(ctx: Ctx<'js>, this: Of<'js>, encoding: Opt<Coerced<String>>) -> Result<Value<'js>> {
    let hasher = this.0.borrow();
    let Held(Hasher { algorithm, secret, input }) = &*hasher;
    let made = match secret {
        Some(secret) => signed(&ctx, algorithm, secret, &input.borrow())?,
        None => digested(&ctx, algorithm, &input.borrow())?,
    };
    encoded(&ctx, made, encoding.0)
}
