//! Reading what scripts pass to functions.

use rquickjs::{Coerced, Ctx, Exception, Object, Result, Value};

pub(super) use super::super::bytes::text;

/// Whether the language takes it for true.
pub(super) fn is_true(value: &Value<'_>) -> bool {
    value.get::<Coerced<bool>>().is_ok_and(|value| value.0)
}

/// Whether it is undefined or null.
pub(super) fn is_nothing(value: &Value<'_>) -> bool {
    value.is_undefined() || value.is_null()
}

/// The names and values of an object of tags.
pub(super) fn tags<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Vec<(Box<str>, Box<str>)>> {
    if is_nothing(value) {
        return Ok(Vec::new());
    }
    let object = object(ctx, value, "tags")?;
    let mut pairs = Vec::new();
    for pair in object.props::<String, Value<'_>>() {
        let (name, value) = pair?;
        if value.is_object() {
            return Err(Exception::throw_message(ctx, &format!("the tag `{name}` has no text, number or boolean")));
        }
        pairs.push((name.into(), if is_nothing(&value) { "".into() } else { text(&value)?.into() }));
    }
    Ok(pairs)
}

/// An object, or an exception that says what should be one.
pub(super) fn object<'a, 'js>(ctx: &Ctx<'js>, value: &'a Value<'js>, what: &str) -> Result<&'a Object<'js>> {
    value.as_object().ok_or_else(|| Exception::throw_type(ctx, &format!("{what}: want an object")))
}
