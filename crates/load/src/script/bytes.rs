//! Bytes and texts that scripts hand over: array buffers, views on them, and what the language makes a text of.

use rquickjs::function::This;
use rquickjs::{ArrayBuffer, Coerced, Error, Function, Object, Result, TypedArray, Value};

/// The bytes of a value that holds some: an array buffer or a view of bytes.
pub(super) fn of(value: &Value<'_>) -> Option<Vec<u8>> {
    let object: &Object<'_> = value.as_object()?;
    if let Some(buffer) = ArrayBuffer::from_object(object.clone()) {
        return buffer.as_bytes().map(<[u8]>::to_vec);
    }
    let view = TypedArray::<u8>::from_object(object.clone()).ok()?;
    view.as_bytes().map(<[u8]>::to_vec)
}

/// The bytes of a value; those of a text where it is none.
pub(super) fn of_any(value: &Value<'_>) -> Result<Vec<u8>> {
    match of(value) {
        Some(bytes) => Ok(bytes),
        None => Ok(text(value)?.into_bytes()),
    }
}

/// A value as a text, as the language makes one of it. Half a surrogate pair, which a script may have cut out of a
/// text, becomes U+FFFD.
pub(super) fn text(value: &Value<'_>) -> Result<String> {
    match value.get::<Coerced<String>>() {
        Err(Error::Utf8(_)) => {
            let text: Coerced<rquickjs::String<'_>> = value.get()?;
            let class: Object<'_> = value.ctx().globals().get("String")?;
            let make_whole: Function<'_> = class.get::<_, Object<'_>>("prototype")?.get("toWellFormed")?;
            make_whole.call((This(text.0),))
        }
        made => made.map(|made| made.0),
    }
}
