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

fn check<'js>(ctx: Ctx<'js>, value: Value<'js>, checks: Value<'js>, own: Opt<Value<'js>>) -> Result<bool> {
    let host = host(&ctx);
    let checks = match checks.as_object() {
        Some(checks) if host.stage.get() != Stage::Init => checks,
        Some(_) => return Err(Exception::throw_message(&ctx, "`check` is not available in the init code")),
        None => return Err(Exception::throw_type(&ctx, "check: want an object of names with functions")),
    };
    let mut base = host.tags.get();
    if let Some(own) = own.0 {
        base = with_tags(&ctx, &host, &own)?;
    }
    let mut all = true;
    for pair in checks.props::<String, Value<'js>>() {
        let (name, condition) = pair?;
        let (passed, thrown) = match condition.as_function() {
            None => (is_true(&condition), None),
            Some(function) => match function.call::<_, Value<'js>>((value.clone(),)) {
                Ok(value) => (is_true(&value), None),
                Err(error) => (false, Some(error)),
            },
        };
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

fn group<'js>(ctx: Ctx<'js>, name: Coerced<String>, function: Value<'js>) -> Result<Value<'js>> {
    let host = host(&ctx);
    if host.stage.get() == Stage::Init {
        return Err(Exception::throw_message(&ctx, "`group` is not available in the init code"));
    }
    if name.0.contains("::") {
        return Err(Exception::throw_message(&ctx, "a group's name must not contain `::`"));
    }
    let Some(function) = function.as_function() else {
        return Err(Exception::throw_type(&ctx, "group: want a name and a function"));
    };
    if is_async(function) {
        let text = "group() does not take async functions: what they do may be over after the group";
        return Err(Exception::throw_message(&ctx, text));
    }
    let (outer_tags, outer_length) = (host.tags.get(), host.group.borrow().len());
    host.group.borrow_mut().push_str(&format!("::{}", name.0));
    if host.recorder.system_tags().has(SystemTag::Group) {
        host.tags.set(host.recorder.tags(outer_tags, &[("group", &host.group.borrow())]));
    }
    let began_ns = now_ns();
    let returned = function.call::<_, Value<'js>>(());
    if !host.is_killed() {
        let taken_ns = now_ns().saturating_sub(began_ns);
        host.recorder.group(&host.group.borrow(), taken_ns, host.tags.get(), host.who.get());
    }
    host.group.borrow_mut().truncate(outer_length);
    host.tags.set(outer_tags);
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
fn random_seed(ctx: Ctx<'_>, seed: Coerced<f64>) -> Result<()> {
    // Zero would stay zero.
    host(&ctx).random.set((seed.0 as i64).cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
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
