//! Timers: `setTimeout`, `setInterval` and what clears them, as globals and as the module `k6/timers`.

use rquickjs::function::{Args, Opt, Rest};
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::{Coerced, Ctx, Exception, Function, Result, Value};

use super::super::fiber::Begun;
use super::super::turns;
use super::Exporter;

/// The longest timer: longer than any test.
const LONGEST_MS: f64 = 1e12;

/// The module.
pub(super) struct Timers;

impl ModuleDef for Timers {
    fn declare<'js>(declarations: &Declarations<'js>) -> Result<()> {
        for name in ["default", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] {
            declarations.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let exporter = Exporter::new(ctx, exports)?;
        for name in ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] {
            exporter.value(name, ctx.globals().get::<_, Value<'js>>(name)?)?;
        }
        exporter.done()
    }
}

pub(super) fn install<'js>(ctx: &Ctx<'js>) -> Result<()> {
    let put = |name: &str, function: Function<'js>| ctx.globals().set(name, function.with_name(name)?);
    put("setTimeout", Function::new(ctx.clone(), set_timeout)?)?;
    put("clearTimeout", Function::new(ctx.clone(), clear)?)?;
    put("setInterval", Function::new(ctx.clone(), set_interval)?)?;
    put("clearInterval", Function::new(ctx.clone(), clear)?)
}

fn set_timeout<'js>(
    ctx: Ctx<'js>,
    callback: Value<'js>,
    ms: Opt<Coerced<f64>>,
    values: Rest<Value<'js>>,
) -> Result<u64> {
    let callback = function(&ctx, &callback)?;
    let bound = bound(&ctx, callback, values.0)?;
    turns::begin(&ctx, Begun::Timer(ns(ms.0)), bound.into_value())
}

/// An interval goes by the number of its first timer: each of its timers begins the next under that.
fn set_interval<'js>(
    ctx: Ctx<'js>,
    callback: Value<'js>,
    ms: Opt<Coerced<f64>>,
    values: Rest<Value<'js>>,
) -> Result<u64> {
    let callback = function(&ctx, &callback)?;
    let bound = bound(&ctx, callback, values.0)?;
    turns::begin_again(&ctx, ns(ms.0), bound)
}

fn clear(ctx: Ctx<'_>, number: Opt<Coerced<f64>>) -> Result<()> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no timer has another number")]
    let number = number.0.map_or(0, |number| number.0.max(0.0) as u64);
    turns::give_up(&ctx, number)
}

fn function<'a, 'js>(ctx: &Ctx<'js>, callback: &'a Value<'js>) -> Result<&'a Function<'js>> {
    callback.as_function().ok_or_else(|| Exception::throw_type(ctx, "a timer wants a function"))
}

/// The function with its arguments.
fn bound<'js>(ctx: &Ctx<'js>, callback: &Function<'js>, values: Vec<Value<'js>>) -> Result<Function<'js>> {
    if values.is_empty() {
        return Ok(callback.clone());
    }
    let bind: Function<'js> = callback.get("bind")?;
    let mut args = Args::new(ctx.clone(), values.len() + 1);
    args.this(callback.clone())?;
    args.push_arg(Value::new_undefined(ctx.clone()))?;
    args.push_args(values)?;
    bind.call_arg(args)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn ns(ms: Option<Coerced<f64>>) -> u64 {
    let ms = ms.map_or(0.0, |ms| ms.0);
    if ms > 0.0 { (ms.min(LONGEST_MS) * 1e6) as u64 } else { 0 }
}
