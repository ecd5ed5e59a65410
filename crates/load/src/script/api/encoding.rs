//! The module `k6/encoding`.

use rquickjs::function::Opt;
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::{ArrayBuffer, Coerced, Ctx, Exception, IntoJs, Result, Value};

use super::super::base64::Form;
use super::super::bytes;
use super::Exporter;

/// The module.
pub(super) struct Encoding;

impl ModuleDef for Encoding {
    fn declare<'js>(declarations: &Declarations<'js>) -> Result<()> {
        for name in ["default", "b64encode", "b64decode"] {
            declarations.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let exporter = Exporter::new(ctx, exports)?;
        exporter.function("b64encode", encode)?;
        exporter.function("b64decode", decode)?;
        exporter.done()
    }
}

fn form(name: Option<Coerced<String>>) -> Form {
    // A name that is none means the usual form, as in k6.
    name.and_then(|name| Form::of(&name.0)).unwrap_or(Form::STD)
}

fn encode<'js>(value: Value<'js>, name: Opt<Coerced<String>>) -> Result<String> {
    Ok(form(name.0).encode(&bytes::of_any(&value)?))
}

fn decode<'js>(
    ctx: Ctx<'js>,
    text: Coerced<String>,
    name: Opt<Coerced<String>>,
    format: Opt<Coerced<String>>,
) -> Result<Value<'js>> {
    let decoded = form(name.0).decode(&text.0);
    let decoded = decoded.ok_or_else(|| Exception::throw_message(&ctx, "illegal base64 data"))?;
    if format.0.is_some_and(|format| format.0 == "s") {
        return (*String::from_utf8_lossy(&decoded)).into_js(&ctx);
    }
    ArrayBuffer::new(ctx.clone(), decoded)?.into_js(&ctx)
}
