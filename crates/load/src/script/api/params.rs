//! What a script passes to the functions of `k6/http`: address, body, params, as a [`Call`].

use std::rc::Rc;

use rquickjs::{Coerced, Ctx, Exception, Object, Result, Value};

use super::super::bytes;
use super::super::host::Host;
use super::values::{is_nothing, is_true, object, tags, text};
use crate::coding;
use crate::fetch::{Call, Expected, Login, Wants};

/// How long a request may take unless told otherwise.
const TIMEOUT_MS: u64 = 60_000;
/// The longest time-out: longer than any test.
const LONGEST_TIMEOUT_MS: u64 = 1 << 40;

/// Why there is no call.
pub(super) enum Refused {
    /// An exception is on its way.
    Thrown(rquickjs::Error),
    /// The request fails with k6's code, and does not throw unless asked to.
    Failed { code: u16, text: String, url: String },
}

impl From<rquickjs::Error> for Refused {
    fn from(error: rquickjs::Error) -> Self {
        Self::Thrown(error)
    }
}

/// Makes a call of what was passed.
pub(super) fn call<'js>(
    ctx: &Ctx<'js>,
    host: &Host,
    method: &str,
    url: &Value<'js>,
    body: Option<&Value<'js>>,
    params: Option<&Value<'js>>,
) -> std::result::Result<Call, Refused> {
    let (url, name) = address(url)?;
    let target = host.sites.target(&url);
    let target = target.map_err(|why| Refused::Failed { code: 1020, text: format!("{why}: {url}"), url })?;
    let options = &host.sites.options;
    let mut call = Call {
        method: method.into(),
        target,
        name,
        fields: Vec::new(),
        body: Vec::new(),
        timeout_ms: TIMEOUT_MS,
        redirects: options.max_redirects,
        has_usual_redirects: true,
        tags: Vec::new(),
        expected: host.expected.borrow().clone(),
        wants: if options.discards_bodies { Wants::Nothing } else { Wants::Text },
        base: host.tags.get(),
        who: host.who.get(),
        jar: Rc::clone(&host.jar),
        cookies: Vec::new(),
        plain: None,
        login: Login::Basic,
        referer: None,
    };
    if let Some(body) = body.filter(|body| !is_nothing(body)) {
        set_body(&mut call, body)?;
    }
    if let Some(params) = params.filter(|params| !is_nothing(params)) {
        let params = object(ctx, params, "params")?;
        for pair in params.props::<String, Value<'js>>() {
            let (name, value) = pair?;
            if name == "responseCallback" && value.is_null() {
                call.expected = Expected::Unsaid;
            } else if !is_nothing(&value) {
                param(ctx, &mut call, &name, &value)?;
            }
        }
    }
    Ok(call)
}

/// A text, or what `http.url` made: `{ url, name }`.
fn address(value: &Value<'_>) -> Result<(String, Option<Box<str>>)> {
    match value.as_object() {
        Some(object) if object.contains_key("url")? => {
            let url: Value<'_> = object.get("url")?;
            let name: Option<String> = object.get("name")?;
            Ok((text(&url)?, name.map(Into::into)))
        }
        _ => Ok((text(value)?, None)),
    }
}

fn param<'js>(ctx: &Ctx<'js>, call: &mut Call, name: &str, value: &Value<'js>) -> std::result::Result<(), Refused> {
    match name {
        "headers" => headers(ctx, call, value)?,
        "tags" => {
            let mut own = tags(ctx, value)?;
            if let Some(at) = own.iter().position(|(key, _)| &**key == "name") {
                call.name = Some(own.swap_remove(at).1);
            }
            call.tags = own;
        }
        "timeout" => call.timeout_ms = timeout(call, value)?,
        "redirects" => {
            let number = value.get::<Coerced<f64>>()?.0;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let number = number.clamp(0.0, 1000.0) as u32;
            (call.redirects, call.has_usual_redirects) = (number, false);
        }
        "cookies" => cookies(ctx, call, value)?,
        "responseType" => call.wants = response_type(call, value)?,
        "responseCallback" => call.expected = super::http::expected(ctx, value)?,
        "jar" => call.jar = super::cookies::of(ctx, value)?,
        // User and password in the address are sent in any case.
        "auth" => match text(value)?.to_ascii_lowercase().as_str() {
            "digest" => call.login = Login::Digest,
            "" | "basic" => {}
            other => {
                let text = format!("the param `auth` of a request may be basic or digest, not {other}");
                return Err(Exception::throw_message(ctx, &text).into());
            }
        },
        "compression" => compress(call, &text(value)?)?,
        _ => {}
    }
    Ok(())
}

fn headers<'js>(ctx: &Ctx<'js>, call: &mut Call, value: &Value<'js>) -> Result<()> {
    for pair in object(ctx, value, "headers")?.props::<String, Value<'js>>() {
        let (name, value) = pair?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(Exception::throw_message(ctx, &format!("`{name}` is no name of a header field")));
        }
        if is_nothing(&value) {
            continue;
        }
        let name = canonical(&name);
        // The length is that of the body, whatever the script says.
        if !["Content-Length", "Transfer-Encoding"].contains(&name.as_str()) {
            set_field(call, &name, text(&value)?);
        }
    }
    Ok(())
}

fn set_field(call: &mut Call, name: &str, value: String) {
    match call.fields.iter_mut().find(|(field, _)| **field == *name) {
        Some(known) => known.1 = value.into(),
        None => call.fields.push((name.into(), value.into())),
    }
}

/// `{ name: 'value' }`, or `{ name: { value, replace } }`.
fn cookies<'js>(ctx: &Ctx<'js>, call: &mut Call, value: &Value<'js>) -> Result<()> {
    for pair in object(ctx, value, "cookies")?.props::<String, Value<'js>>() {
        let (name, value) = pair?;
        let (value, replaces) = match value.as_object() {
            Some(cookie) => {
                let replaces = is_true(&cookie.get::<_, Value<'js>>("replace")?);
                (text(&cookie.get::<_, Value<'js>>("value")?)?, replaces)
            }
            None => (text(&value)?, false),
        };
        call.cookies.push((name.into(), value.into(), replaces));
    }
    Ok(())
}

/// Compresses the body, by one way or by several with commas between them.
fn compress(call: &mut Call, ways: &str) -> std::result::Result<(), Refused> {
    let ways: Vec<&str> = ways.split(',').map(str::trim).filter(|way| !way.is_empty()).collect();
    let url = || call.target.url.to_string();
    if let Some(other) = ways.iter().find(|way| !coding::ENCODERS.contains(way)) {
        let text = format!("unknown compression algorithm {other}: want one of {}", coding::ENCODERS.join(", "));
        return Err(Refused::Failed { code: 0, text, url: url() });
    }
    if ways.is_empty() || call.body.is_empty() {
        return Ok(());
    }
    let mut body = call.body.clone();
    for way in &ways {
        body = coding::encoded(&body, way).map_err(|error| Refused::Failed {
            code: 0,
            text: format!("the body cannot be compressed by {way}: {error}"),
            url: url(),
        })?;
    }
    call.plain = Some(std::mem::replace(&mut call.body, body));
    if !call.fields.iter().any(|(name, _)| &**name == "Content-Encoding") {
        set_field(call, "Content-Encoding", ways.join(", "));
    }
    Ok(())
}

/// A number of milliseconds, or a text such as `10s`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn timeout(call: &Call, value: &Value<'_>) -> std::result::Result<u64, Refused> {
    if let Some(ms) = value.as_number() {
        return Ok((ms.clamp(1.0, LONGEST_TIMEOUT_MS as f64)) as u64);
    }
    let given = text(value)?;
    match crate::duration::parse(&given) {
        Ok(ns) => Ok((ns / 1_000_000).clamp(1, LONGEST_TIMEOUT_MS)),
        Err(error) => {
            let text = format!("invalid timeout value: {error}");
            Err(Refused::Failed { code: 0, text, url: call.target.url.to_string() })
        }
    }
}

fn response_type(call: &Call, value: &Value<'_>) -> std::result::Result<Wants, Refused> {
    match text(value)?.as_str() {
        "text" => Ok(Wants::Text),
        "binary" => Ok(Wants::Binary),
        "none" => Ok(Wants::Nothing),
        other => {
            let text = format!("invalid responseType: {other} is none of text, binary and none");
            Err(Refused::Failed { code: 0, text, url: call.target.url.to_string() })
        }
    }
}

fn set_body(call: &mut Call, body: &Value<'_>) -> Result<()> {
    if let Some(form) = body.as_object().filter(|form| super::files::has_file(form)) {
        let (bytes, kind) = super::files::multipart(form)?;
        call.body = bytes;
        set_field(call, "Content-Type", kind);
        return Ok(());
    }
    let plain = body.as_object().filter(|object| !object.is_array() && bytes::of(body).is_none());
    match plain {
        Some(form) => {
            call.body = form_of(form)?.into_bytes();
            set_field(call, "Content-Type", "application/x-www-form-urlencoded".to_owned());
        }
        None => call.body = bytes::of_any(body)?,
    }
    Ok(())
}

/// `a=1&b=2`, keys in their order, lists repeating their key.
fn form_of(form: &Object<'_>) -> Result<String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in form.props::<String, Value<'_>>() {
        let (name, value) = pair?;
        match value.as_array() {
            Some(list) => {
                for each in list.iter::<Value<'_>>() {
                    pairs.push((name.clone(), text(&each?)?));
                }
            }
            None => pairs.push((name, text(&value)?)),
        }
    }
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    let pair = |(name, value): &(String, String)| format!("{}={}", escaped(name), escaped(value));
    Ok(pairs.iter().map(pair).collect::<Vec<_>>().join("&"))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A field's name as Go writes it: `content-type` is `Content-Type`.
pub(super) fn canonical(name: &str) -> String {
    let mut starts = true;
    let letter = |letter: char| {
        let shown = if starts { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
        starts = letter == '-';
        shown
    };
    name.chars().map(letter).collect()
}

/// Which answers are expected: those of `http.expectedStatuses`.
pub(super) fn statuses(list: Vec<(u16, u16)>) -> Expected {
    Expected::Statuses(Rc::from(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_go_writes_them() {
        for (name, expected) in [("content-type", "Content-Type"), ("X-REAL-ip", "X-Real-Ip"), ("a", "A")] {
            assert_eq!(canonical(name), expected);
        }
    }

    #[test]
    fn forms_are_escaped() {
        assert_eq!(escaped("a b&ä~"), "a+b%26%C3%A4~");
    }
}
