//! Values as `console.log` shows them: objects as `{ a: 1, b: [ 1, 2 ], c: "x" }`, errors and functions by a word.

use rquickjs::function::This;
use rquickjs::{Array, Coerced, Ctx, Exception, FromJs, Function, Object, Value};

/// Objects within objects that are shown; deeper ones are most often a circle.
const DEEPEST: usize = 32;

/// A value as an argument of `console.log`: texts are shown as they are.
pub(super) fn shown(value: &Value<'_>) -> String {
    let mut out = String::new();
    match value.as_string() {
        Some(text) => out = text_of(text),
        None => write(&mut out, value, 0),
    }
    out
}

fn write(out: &mut String, value: &Value<'_>, depth: usize) {
    let ctx = value.ctx();
    if let Some(text) = value.as_string() {
        out.push_str(&quoted(&text_of(text)));
    } else if value.is_function() {
        out.push_str("[object Function]");
    } else if let Some(symbol) = value.as_symbol() {
        out.push_str(&symbol.description().ok().map(|text| shown(&text)).unwrap_or_default());
    } else if let Some(object) = value.as_object() {
        if depth > DEEPEST {
            out.push_str("[object Object]");
        } else {
            write_object(out, ctx, object, depth);
        }
    } else {
        out.push_str(&Coerced::<String>::from_js(ctx, value.clone()).map(|text| text.0).unwrap_or_default());
    }
}

fn write_object(out: &mut String, ctx: &Ctx<'_>, object: &Object<'_>, depth: usize) {
    if let Some(error) = Exception::from_object(object.clone()) {
        let name: String = error.get("name").unwrap_or_else(|_| "Error".to_owned());
        let message = error.message().unwrap_or_default();
        out.push_str(&if message.is_empty() { name } else { format!("{name}: {message}") });
        return;
    }
    if let Some(array) = object.as_array() {
        return write_array(out, array, depth);
    }
    if let Ok(to_json) = object.get::<_, Function<'_>>("toJSON")
        && let Ok(plain) = to_json.call::<_, Value<'_>>((This(object.clone()), ""))
    {
        return write(out, &plain, depth + 1);
    }
    let mut first = true;
    for (key, value) in object.props::<String, Value<'_>>().flatten() {
        out.push_str(if first { "{ " } else { ", " });
        first = false;
        out.push_str(&key);
        out.push_str(": ");
        write_inner(out, &value, depth);
    }
    out.push_str(if first { "{}" } else { " }" });
    let _ = ctx;
}

fn write_array(out: &mut String, array: &Array<'_>, depth: usize) {
    if array.is_empty() {
        return out.push_str("[]");
    }
    for (at, value) in array.iter::<Value<'_>>().flatten().enumerate() {
        out.push_str(if at == 0 { "[ " } else { ", " });
        write_inner(out, &value, depth);
    }
    out.push_str(" ]");
}

/// A value within another, where nothing is null.
fn write_inner(out: &mut String, value: &Value<'_>, depth: usize) {
    if value.is_undefined() {
        out.push_str("null");
    } else {
        write(out, value, depth + 1);
    }
}

/// A text of the engine's; halves of characters become the replacement character.
pub(super) fn text_of(text: &rquickjs::String<'_>) -> String {
    text.to_string().unwrap_or_else(|_| "\u{fffd}".to_owned())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
