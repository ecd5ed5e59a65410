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

/// The names and values of an object of tags, or the name of one that is no tag; what is no object has none.
pub(super) fn tags_of(value: &Value<'_>) -> Result<std::result::Result<Tags, String>> {
    let Some(object) = value.as_object().filter(|object| !object.is_array()) else { return Ok(Ok(Vec::new())) };
    let mut pairs = Vec::new();
    for pair in object.props::<String, Value<'_>>() {
        let (name, value) = pair?;
        if value.is_object() || is_nothing(&value) {
            return Ok(Err(format!("the value of the tag `{name}` is no text, number or boolean")));
        }
        pairs.push((name.into(), text(&value)?.into()));
    }
    Ok(Ok(pairs))
}

/// The same, where one that is no tag is an exception.
pub(super) fn tags<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Tags> {
    tags_of(value)?.map_err(|why| Exception::throw_message(ctx, &why))
}

/// Tags by name.
pub(super) type Tags = Vec<(Box<str>, Box<str>)>;

/// An object, or an exception that says what should be one.
pub(super) fn object<'a, 'js>(ctx: &Ctx<'js>, value: &'a Value<'js>, what: &str) -> Result<&'a Object<'js>> {
    value.as_object().ok_or_else(|| Exception::throw_type(ctx, &format!("{what}: want an object")))
}
