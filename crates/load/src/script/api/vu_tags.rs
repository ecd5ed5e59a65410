//! `exec.vu.tags` and `exec.vu.metrics.metadata`: objects whose names are those of the user's samples from there on.
//!
//! They are made when a script first asks for them. What is set stays until it is deleted, or until the user goes on to
//! another scenario.

use rquickjs::function::Opt;
use rquickjs::object::Property;
use rquickjs::{Ctx, Exception, Function, Object, Result, Value};

use super::super::host::host;
use super::values::text;
use crate::metric::METADATA;

/// An object whose properties are elsewhere.
const ELSEWHERE: &str = "(get, set, names) => new Proxy({}, {
  get: (_, name) => (typeof name === 'string' ? get(name) : undefined),
  set(_, name, value) { set(name, value); return true; },
  has: (_, name) => typeof name === 'string' && get(name) !== undefined,
  deleteProperty(_, name) { set(name); return true; },
  ownKeys: () => names(),
  getOwnPropertyDescriptor(_, name) {
    const value = typeof name === 'string' ? get(name) : undefined;
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true };
  },
})";

/// The object `tags` or `metadata` of the script's user.
pub(super) fn kept<'js>(ctx: &Ctx<'js>, kind: &'static str) -> Result<Object<'js>> {
    let globals = ctx.globals();
    let place = format!("@@{kind}");
    if let Some(known) = globals.get::<_, Option<Object<'js>>>(place.as_str())? {
        return Ok(known);
    }
    let is_metadata = kind == "metadata";
    let inner = move |name: &str| if is_metadata { format!("{METADATA}{name}") } else { name.to_owned() };
    let get = move |ctx: Ctx<'js>, name: String| {
        host(&ctx).all_tags().get(inner(&name).as_str()).map(|value| value.to_string())
    };
    let set = move |ctx: Ctx<'js>, name: String, value: Opt<Value<'js>>| {
        let value = value.0.map(|value| written(&ctx, kind, &name, &value)).transpose()?;
        host(&ctx).set_tag(&inner(&name), value.map(Into::into));
        Ok::<_, rquickjs::Error>(())
    };
    let names = move |ctx: Ctx<'js>| {
        let all = host(&ctx).all_tags();
        let own = all.keys().filter(|name| name.starts_with(METADATA) == is_metadata);
        own.map(|name| name.trim_start_matches(METADATA).to_owned()).collect::<Vec<String>>()
    };
    let make: Function<'js> = ctx.eval(ELSEWHERE)?;
    let (get, set) = (Function::new(ctx.clone(), get)?, Function::new(ctx.clone(), set)?);
    let made: Object<'js> = make.call((get, set, Function::new(ctx.clone(), names)?))?;
    globals.prop(place.as_str(), Property::from(made.clone()))?;
    Ok(made)
}

/// The value of a tag as a text.
fn written<'js>(ctx: &Ctx<'js>, kind: &str, name: &str, value: &Value<'js>) -> Result<String> {
    if value.is_string() || value.is_number() || value.is_bool() {
        return text(value);
    }
    let text = format!("invalid value for `{name}` of exec.vu.metrics.{kind}: want a text, a number or a boolean");
    Err(Exception::throw_type(ctx, &text))
}
