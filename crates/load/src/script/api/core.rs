//! The module `k6`: `check`, `group`, `sleep`, `fail`, `randomSeed`.

use net::clock::now_ns;
use rquickjs::function::Opt;
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::{Coerced, Ctx, Exception, Function, Object, Result, Value};

use super::super::fiber::Ask;
use super::super::host::{Host, Stage, host, stop};
use super::Exporter;
use super::values::{is_true, tags, text};
use crate::metric::{SystemTag, TagsId};

/// The longest sleep: longer than any test.
const LONGEST_SLEEP_S: f64 = 1e9;

/// The module.
pub(super) struct K6;

impl ModuleDef for K6 {
    fn declare<'js>(declarations: &Declarations<'js>) -> Result<()> {
        for name in ["default", "check", "group", "sleep", "fail", "randomSeed"] {
            declarations.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let exporter = Exporter::new(ctx, exports)?;
        exporter.function("check", check)?;
        exporter.function("group", group)?;
        exporter.function("sleep", sleep)?;
        exporter.function("fail", fail)?;
        exporter.function("randomSeed", random_seed)?;
        exporter.done()
    }
}

fn check<'js>(ctx: Ctx<'js>, value: Opt<Value<'js>>, checks: Opt<Value<'js>>, own: Opt<Value<'js>>) -> Result<bool> {
    let host = host(&ctx);
    if host.stage.get() == Stage::Init {
        return Err(Exception::throw_message(&ctx, "`check` is not available in the init code"));
    }
    let Some(checks) = checks.0.as_ref().and_then(Value::as_object) else {
        return Err(Exception::throw_type(&ctx, "check: want an object of names with functions"));
    };
    let value = value.0.unwrap_or_else(|| Value::new_undefined(ctx.clone()));
    let base = match &own.0 {
        Some(own) => with_tags(&ctx, &host, own)?,
        None => host.tags.get(),
    };
    let mut all = true;
    for pair in checks.props::<String, Value<'js>>() {
        let (name, condition) = pair?;
        if name.contains("::") {
            return Err(Exception::throw_message(&ctx, "the name of a check must not contain `::`"));
        }
        let (passed, thrown) = passes(&ctx, &condition, &value)?;
        all &= passed;
        if host.is_killed() {
            return Err(thrown.unwrap_or_else(|| stop(&ctx)));
        }
        record(&host, &name, passed, base);
        if let Some(error) = thrown {
            return Err(error);
        }
    }
    Ok(all)
}

/// Whether a condition holds, and what it has thrown.
fn passes<'js>(ctx: &Ctx<'js>, condition: &Value<'js>, value: &Value<'js>) -> Result<(bool, Option<rquickjs::Error>)> {
    let Some(function) = condition.as_function() else { return Ok((is_true(condition), None)) };
    if is_async(function) {
        let text = "check() does not take async functions: await what they give, and check that";
        return Err(Exception::throw_message(ctx, text));
    }
    Ok(match function.call::<_, Value<'js>>((value.clone(),)) {
        Ok(value) => (is_true(&value), None),
        Err(error) => (false, Some(error)),
    })
}

/// The tags of now with some on top.
pub(super) fn with_tags<'js>(ctx: &Ctx<'js>, host: &Host, own: &Value<'js>) -> Result<TagsId> {
    let own = tags(ctx, own)?;
    let pairs: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    Ok(host.recorder.tags(host.tags.get(), &pairs))
}

fn record(host: &Host, name: &str, passed: bool, base: TagsId) {
    let recorder = &host.recorder;
    let has_tag = recorder.system_tags().has(SystemTag::Check);
    let tags = if has_tag { recorder.tags(base, &[("check", name)]) } else { base };
    recorder.check(name, &host.group.borrow(), passed, tags, host.who.get());
}

fn group<'js>(ctx: Ctx<'js>, name: Opt<Coerced<String>>, function: Opt<Value<'js>>) -> Result<Value<'js>> {
    let host = host(&ctx);
    if host.stage.get() == Stage::Init {
        return Err(Exception::throw_message(&ctx, "`group` is not available in the init code"));
    }
    let name = name.0.map(|name| name.0).unwrap_or_default();
    if name.contains("::") {
        return Err(Exception::throw_message(&ctx, "a group's name must not contain `::`"));
    }
    let Some(function) = function.0.as_ref().and_then(Value::as_function) else {
        return Err(Exception::throw_type(&ctx, "group: want a name and a function"));
    };
    if is_async(function) {
        let text = "group() does not take async functions: what they do may be over after the group";
        return Err(Exception::throw_message(&ctx, text));
    }
    let outer_length = host.group.borrow().len();
    host.change_group(|group| group.push_str(&format!("::{name}")));
    let began_ns = now_ns();
    let returned = function.call::<_, Value<'js>>(());
    if !host.is_killed() {
        let taken_ns = now_ns().saturating_sub(began_ns);
        host.recorder.group(&host.group.borrow(), taken_ns, host.tags.get(), host.who.get());
    }
    host.change_group(|group| group.truncate(outer_length));
    returned
}

fn is_async(function: &Function<'_>) -> bool {
    let constructor = function.get::<_, Object<'_>>("constructor");
    constructor.and_then(|constructor| constructor.get::<_, String>("name")).is_ok_and(|name| name == "AsyncFunction")
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped, and a sleep is never negative")]
fn sleep(ctx: Ctx<'_>, seconds: Opt<Coerced<f64>>) -> Result<()> {
    let seconds = seconds.0.map_or(0.0, |seconds| seconds.0);
    let ns = if seconds > 0.0 { (seconds.min(LONGEST_SLEEP_S) * 1e9) as u64 } else { 0 };
    match host(&ctx).ask(Ask::Sleep(ns)) {
        Some(_) => Ok(()),
        None => Err(stop(&ctx)),
    }
}

fn fail<'js>(ctx: Ctx<'js>, message: Opt<Value<'js>>) -> Result<()> {
    let message = message.0.map(|message| text(&message)).transpose()?.unwrap_or_default();
    Err(Exception::throw_message(&ctx, &message))
}

/// From here on `Math.random` gives the numbers of this seed.
#[allow(clippy::cast_possible_truncation, reason = "a seed's bits, whatever they are")]
fn random_seed(ctx: Ctx<'_>, seed: Opt<Coerced<f64>>) -> Result<()> {
    let seed = seed.0.map_or(0.0, |seed| seed.0);
    // Zero would stay zero.
    host(&ctx).random.set((seed as i64).cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let math: Object<'_> = ctx.globals().get("Math")?;
    math.set("random", Function::new(ctx.clone(), seeded)?.with_name("random")?)
}

/// xorshift64*: the next number from 0 to 1.
#[allow(clippy::cast_precision_loss, reason = "53 bits are what a number has")]
fn seeded(ctx: Ctx<'_>) -> f64 {
    let host = host(&ctx);
    let mut state = host.random.get();
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    host.random.set(state);
    (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
}
