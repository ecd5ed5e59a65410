//! CommonJS: `require`, and files that say what they export by `module.exports`.
//!
//! As in k6, `require` is for the init code and takes what `import` takes; a file runs once a user, whoever asks for it
//! first.

#![allow(clippy::needless_pass_by_value, reason = "the engine hands arguments over by value")]

use rquickjs::function::This;
use rquickjs::{Coerced, Ctx, Exception, Function, Module, Object, Result, Value};

use super::host::{Host, Stage, host};
use super::source::Form;
use super::{modules, raw};

/// Where the modules that have run are kept, by name.
const MODULES: &str = "@@modules";

/// Puts `require` in place, for modules that use it beside `import`.
pub(super) fn install(ctx: &Ctx<'_>) -> Result<()> {
    ctx.globals().prop("require", Function::new(ctx.clone(), from_caller)?.with_name("require")?)
}

fn from_caller<'js>(ctx: Ctx<'js>, name: Coerced<String>) -> Result<Value<'js>> {
    let caller = ctx.script_or_module_name(0).map(|name| name.to_string()).transpose()?;
    let base = caller.unwrap_or_else(|| host(&ctx).program.entry.clone());
    require(&ctx, &base, &name.0)
}

/// What a module exports that one in `base` asks for by this name.
fn require<'js>(ctx: &Ctx<'js>, base: &str, name: &str) -> Result<Value<'js>> {
    let host = host(ctx);
    if host.stage.get() != Stage::Init {
        return Err(Exception::throw_message(ctx, "require() must be called in the init code"));
    }
    let full = modules::resolve(base, name).map_err(|why| Exception::throw_message(ctx, &why))?;
    if modules::form(ctx, &host, &full)? == Form::CommonJs {
        return exports(ctx, &host, &full);
    }
    let promise = Module::import(ctx, full.as_str())?;
    while ctx.execute_pending_job() {}
    promise.result().unwrap_or_else(|| {
        let text = format!("require: the module `{full}` waits for something, and is to be imported");
        Err(Exception::throw_message(ctx, &text))
    })
}

/// What a CommonJS file exports; it runs where it has not.
pub(super) fn exports<'js>(ctx: &Ctx<'js>, host: &Host, name: &str) -> Result<Value<'js>> {
    let modules = kept(ctx)?;
    if let Some(module) = modules.get::<_, Option<Object<'js>>>(name)? {
        return module.get("exports");
    }
    let (opened, _) = modules::open(ctx, host, name)?;
    let module = Object::new(ctx.clone())?;
    let exports = Object::new(ctx.clone())?;
    module.set("exports", exports.clone())?;
    // Before it runs: files may ask for each other.
    modules.set(name, module.clone())?;
    let base = name.to_owned();
    let own = Function::new(ctx.clone(), move |ctx: Ctx<'js>, name: Coerced<String>| require(&ctx, &base, &name.0))?;
    let body: Function<'js> = raw::run(ctx, &opened.bytecode)?.get()?;
    let args = (This(exports.clone()), module.clone(), exports, own.with_name("require")?);
    if let Err(error) = body.call::<_, Value<'js>>(args) {
        modules.remove(name)?;
        return Err(error);
    }
    module.get("exports")
}

/// The text of a module that exports what a CommonJS file exports: that is how others import it.
pub(super) fn facade(ctx: &Ctx<'_>, host: &Host, name: &str) -> Result<String> {
    let exported = exports(ctx, host, name)?;
    let own = serde_json::Value::from(name);
    let mut text = format!("const exported = globalThis['{MODULES}'][{own}].exports;\n");
    let mut has_default = false;
    for (at, key) in exported.as_object().into_iter().flat_map(|object| object.keys::<String>().flatten()).enumerate() {
        has_default |= key == "default";
        if is_name(&key) {
            text.push_str(&format!("const each{at} = exported.{key};\nexport {{ each{at} as {key} }};\n"));
        }
    }
    if !has_default && name != host.program.entry {
        text.push_str("export { exported as default };\n");
    }
    Ok(text)
}

fn is_name(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_' || letter == '$';
    text.starts_with(is_letter) && text.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit())
}

fn kept<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let globals = ctx.globals();
    if let Some(kept) = globals.get::<_, Option<Object<'js>>>(MODULES)? {
        return Ok(kept);
    }
    let kept = Object::new(ctx.clone())?;
    globals.prop(MODULES, kept.clone())?;
    Ok(kept)
}
