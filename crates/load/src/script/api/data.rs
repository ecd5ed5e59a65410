//! The module `k6/data`: `SharedArray`, whose elements are kept once for all users, as JSON; and `open`.

use std::sync::Arc;

use rquickjs::function::{Constructor, Opt};
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::{Array, ArrayBuffer, Coerced, Ctx, Exception, Function, IntoJs, Object, Result, Value};

use super::super::host::{Stage, host};
use super::super::inspect::text_of;
use super::super::program;
use super::Exporter;

/// An array that reads its elements when they are asked for, and that nobody can change.
const SHARED: &str = "(length, read) => {
  const index = (name) => (typeof name === 'string' && /^(0|[1-9][0-9]*)$/.test(name) ? Number(name) : -1);
  const refuse = () => { throw new TypeError('a SharedArray cannot be changed'); };
  return new Proxy([], {
    get(target, name, receiver) {
      if (name === 'length') return length;
      const at = index(name);
      if (at < 0) return Reflect.get(target, name, receiver);
      return at < length ? read(at) : undefined;
    },
    has(target, name) { const at = index(name); return at < 0 ? Reflect.has(target, name) : at < length; },
    set: refuse,
    defineProperty: refuse,
    deleteProperty: refuse,
  });
}";

/// The module.
pub(super) struct Data;

impl ModuleDef for Data {
    fn declare<'js>(declarations: &Declarations<'js>) -> Result<()> {
        for name in ["default", "SharedArray"] {
            declarations.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let exporter = Exporter::new(ctx, exports)?;
        let array: Object<'js> = ctx.globals().get("Array")?;
        let prototype = Object::new_proto(ctx.clone(), array.get::<_, Option<Object<'js>>>("prototype")?.as_ref())?;
        let constructor = Constructor::new_prototype(ctx, prototype, shared_array)?;
        exporter.value("SharedArray", constructor)?;
        exporter.done()
    }
}

pub(super) fn install(ctx: &Ctx<'_>) -> Result<()> {
    ctx.globals().set("open", Function::new(ctx.clone(), open)?.with_name("open")?)
}

fn shared_array<'js>(ctx: Ctx<'js>, name: Coerced<String>, make: Value<'js>) -> Result<Object<'js>> {
    let host = host(&ctx);
    if host.stage.get() != Stage::Init {
        return Err(Exception::throw_message(&ctx, "new SharedArray must be called in the init code"));
    }
    if name.0.is_empty() {
        return Err(Exception::throw_message(&ctx, "a SharedArray wants a name"));
    }
    let Some(make) = make.as_function() else {
        return Err(Exception::throw_type(&ctx, "a SharedArray wants a name and a function"));
    };
    let elements = match host.program.shared(&name.0) {
        Some(elements) => elements,
        None => {
            let made: Value<'js> = make.call(())?;
            let Some(list) = made.as_array() else {
                return Err(Exception::throw_type(&ctx, "the function of a SharedArray must return an array"));
            };
            host.program.share(&name.0, elements(&ctx, list)?)
        }
    };
    let length = elements.len();
    let read = move |ctx: Ctx<'js>, at: usize| match elements.get(at) {
        Some(json) => ctx.json_parse(json.as_bytes()),
        None => Ok(Value::new_undefined(ctx)),
    };
    let shared: Function<'js> = ctx.eval(SHARED)?;
    shared.call((length, Function::new(ctx.clone(), read)?))
}

fn elements<'js>(ctx: &Ctx<'js>, list: &Array<'js>) -> Result<Vec<Box<str>>> {
    let mut all = Vec::with_capacity(list.len());
    for element in list.iter::<Value<'js>>() {
        let json = ctx.json_stringify(element?)?;
        all.push(json.map_or_else(|| "null".into(), |json| text_of(&json).into()));
    }
    Ok(all)
}

/// `open(path)` is a text, `open(path, 'b')` bytes.
fn open<'js>(ctx: Ctx<'js>, name: Coerced<String>, mode: Opt<Coerced<String>>) -> Result<Value<'js>> {
    let host = host(&ctx);
    if host.stage.get() != Stage::Init {
        return Err(Exception::throw_message(&ctx, "open() must be called in the init code"));
    }
    let folder = program::path(&host.program.entry).and_then(|path| path.parent().map(std::path::Path::to_owned));
    let path = program::joined(&folder.unwrap_or_default(), name.0.trim_start_matches("file://"));
    let file: Arc<[u8]> = host.program.file(&path).map_err(|why| Exception::throw_message(&ctx, &why))?;
    if mode.0.is_some_and(|mode| mode.0 == "b") {
        return ArrayBuffer::new_copy(ctx.clone(), &*file)?.into_js(&ctx);
    }
    (*String::from_utf8_lossy(&file)).into_js(&ctx)
}
