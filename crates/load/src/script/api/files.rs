//! Files in forms: `http.file`, and bodies that have some (RFC 7578).

use aws_lc_rs::rand;
use rquickjs::function::Opt;
use rquickjs::{Coerced, Ctx, Exception, Object, Result, Value};

use super::super::base64::hex;
use super::super::bytes;
use super::values::text;

/// What marks an object as a file.
const MARK: &str = "@@file";

/// `http.file(data, name, type)`.
pub(super) fn file<'js>(
    ctx: Ctx<'js>,
    data: Value<'js>,
    name: Opt<Coerced<String>>,
    kind: Opt<Coerced<String>>,
) -> Result<Object<'js>> {
    let made = Object::new(ctx.clone())?;
    made.set("data", data)?;
    made.set("filename", name.0.map_or_else(unique, |name| name.0))?;
    made.set("content_type", kind.0.map_or_else(|| "application/octet-stream".to_owned(), |kind| kind.0))?;
    made.prop(MARK, true)?;
    Ok(made)
}

fn is_file(value: &Value<'_>) -> bool {
    value.as_object().is_some_and(|object| object.get::<_, Option<bool>>(MARK).is_ok_and(|mark| mark == Some(true)))
}

/// Whether a form has a file.
pub(super) fn has_file(form: &Object<'_>) -> bool {
    !form.is_array() && form.props::<String, Value<'_>>().flatten().any(|(_, value)| is_file(&value))
}

/// The body of a form, and its type.
pub(super) fn multipart(form: &Object<'_>) -> Result<(Vec<u8>, String)> {
    let boundary = unique();
    let mut out = Vec::new();
    for pair in form.props::<String, Value<'_>>() {
        let (name, value) = pair?;
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        let name = quoted(form.ctx(), &name)?;
        if let Some(file) = value.as_object().filter(|_| is_file(&value)) {
            let (file_name, kind): (String, String) = (file.get("filename")?, file.get("content_type")?);
            let (file_name, kind) = (quoted(form.ctx(), &file_name)?, quoted(form.ctx(), &kind)?);
            let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\n");
            let head = format!("{head}Content-Type: {kind}\r\n\r\n");
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(&bytes::of_any(&file.get::<_, Value<'_>>("data")?)?);
        } else {
            out.extend_from_slice(format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes());
            out.extend_from_slice(text(&value)?.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((out, format!("multipart/form-data; boundary={boundary}")))
}

/// A text for between quotation marks of a head.
fn quoted(ctx: &Ctx<'_>, text: &str) -> Result<String> {
    if text.contains(['\r', '\n']) {
        return Err(Exception::throw_message(ctx, "the name or type of a file must not hold a line end"));
    }
    Ok(text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text that is nowhere else.
fn unique() -> String {
    let mut random = [0; 16];
    // Without random bytes the boundary is one that a body hardly holds.
    let _ = rand::fill(&mut random);
    hex(&random)
}
