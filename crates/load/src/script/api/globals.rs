//! `__VU`, `__ITER` and `__ENV`: looked up when they are asked for, so that an iteration that does not pays nothing.

use rquickjs::object::{Accessor, Property};
use rquickjs::{Ctx, IntoJs, Object, Result, Value};

use super::super::host::{Stage, host};

/// Where `__ENV` is kept once it was asked for.
const ENV: &str = "@@env";

pub(super) fn install(ctx: &Ctx<'_>) -> Result<()> {
    let globals = ctx.globals();
    // Bundles look for it to find out where they run.
    globals.prop("global", Property::from(globals.clone()).writable().configurable())?;
    globals.prop("__VU", Accessor::from(vu).enumerable().configurable())?;
    globals.prop("__ITER", Accessor::from(iter).enumerable().configurable())?;
    globals.prop("__ENV", Accessor::from(env).enumerable().configurable())
}

#[allow(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
fn vu(ctx: Ctx<'_>) -> f64 {
    host(&ctx).who.get().vu as f64
}

#[allow(clippy::cast_precision_loss, reason = "iterations are fewer than 2^53")]
fn iter<'js>(ctx: Ctx<'js>) -> Result<Value<'js>> {
    let host = host(&ctx);
    match host.stage.get() {
        Stage::Iteration => (host.who.get().iter as f64).into_js(&ctx),
        Stage::Init | Stage::Setup | Stage::Teardown | Stage::Summary => Ok(Value::new_undefined(ctx.clone())),
    }
}

/// The environment; a scenario's own comes first. It is made anew where the scenario has changed.
fn env<'js>(ctx: Ctx<'js>) -> Result<Object<'js>> {
    let host = host(&ctx);
    let globals = ctx.globals();
    let own = std::sync::Arc::clone(&host.env.borrow());
    let made_for = own.as_ptr().addr();
    if let Ok(known) = globals.get::<_, Object<'js>>(ENV)
        && host.env_of.get() == made_for
    {
        return Ok(known);
    }
    let env = Object::new(ctx.clone())?;
    for (name, value) in host.program.env.iter().chain(&*own) {
        env.set(name.as_str(), value.as_str())?;
    }
    host.env_of.set(made_for);
    globals.prop(ENV, Property::from(env.clone()).writable().configurable())?;
    Ok(env)
}
