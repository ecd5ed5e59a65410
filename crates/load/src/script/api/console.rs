//! `console`: every line goes to the log, as it is called.

use rquickjs::function::Rest;
use rquickjs::{Ctx, Function, Object, Result, Value};

use super::super::host::host;
use super::super::inspect::shown;
use super::super::log::Level;

pub(super) fn install(ctx: &Ctx<'_>) -> Result<()> {
    let console = Object::new(ctx.clone())?;
    let put = |name: &str, level: Level| {
        let write = move |ctx: Ctx<'_>, values: Rest<Value<'_>>| write(&ctx, level, &values.0);
        console.set(name, Function::new(ctx.clone(), write)?.with_name(name)?)
    };
    put("log", Level::Info)?;
    put("info", Level::Info)?;
    put("debug", Level::Debug)?;
    put("warn", Level::Warning)?;
    put("error", Level::Error)?;
    ctx.globals().set("console", console)
}

fn write(ctx: &Ctx<'_>, level: Level, values: &[Value<'_>]) {
    let texts: Vec<String> = values.iter().map(shown).collect();
    host(ctx).log(level, texts.join(" "), vec![("source", "console".to_owned())]);
}
