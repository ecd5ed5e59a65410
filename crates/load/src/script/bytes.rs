//! Bytes that scripts hand over: array buffers and views on them.

use rquickjs::{ArrayBuffer, Coerced, Object, TypedArray, Value};

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
pub(super) fn of_any(value: &Value<'_>) -> rquickjs::Result<Vec<u8>> {
    match of(value) {
        Some(bytes) => Ok(bytes),
        None => Ok(value.get::<Coerced<String>>()?.0.into_bytes()),
    }
}
