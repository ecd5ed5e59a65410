//! What a script passes to the functions of `k6/http`: address, body, params, as a [`Call`].

use std::rc::Rc;

use rquickjs::{Coerced, Ctx, Object, Result, Value};

use super::super::bytes;
use super::super::host::Host;
use super::values::{is_nothing, is_true, tags_of, text};
use crate::coding;
use crate::fetch::{Call, Expected, Login, Wants};
use crate::jar::is_token;
use crate::url::Url;

/// How long a request may take unless told otherwise.
const TIMEOUT_MS: u64 = 60_000;
/// The longest time-out: longer than any test.
const LONGEST_TIMEOUT_MS: u64 = 1 << 40;

/// k6's code of a request that it cannot send.
pub(super) const UNSENT: u16 = 1000;

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
    let value = url;
    let (url, name) = address(value)?;
    let method = if method.is_empty() { "GET" } else { method };
    if !is_token(method) {
        return Err(Refused::Failed { code: UNSENT, text: format!("`{method}` is no method: {url}"), url });
    }
    let target = host.sites.target(&url);
    // An address with no scheme, or an unknown one, is an address; one that begins with a colon is none.
    let code = if value.is_string() && Url::is_of_other_scheme(&url) { UNSENT } else { 1020 };
    let target = target.map_err(|why| Refused::Failed { code, text: format!("{why}: {url}"), url })?;
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
    // What is no object says nothing.
    for pair in params.and_then(|params| params.as_object()).into_iter().flat_map(Object::props::<String, Value<'js>>) {
        let (name, value) = pair?;
        if name == "responseCallback" && value.is_null() {
            call.expected = Expected::Unsaid;
        } else if !is_nothing(&value) {
            param(ctx, &mut call, &name, &value)?;
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
        "headers" => headers(call, value)?,
        "tags" => {
            let failed = |text| Refused::Failed { code: 0, text, url: call.target.url.to_string() };
            let mut own = tags_of(value)?.map_err(failed)?;
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
        "cookies" => cookies(call, value)?,
        "responseType" => call.wants = response_type(call, value)?,
        "responseCallback" => {
            call.expected = super::http::expected(ctx, value).map_err(|_| {
                ctx.catch();
                let text = "a response callback is what http.expectedStatuses() returns".to_owned();
                Refused::Failed { code: 0, text, url: call.target.url.to_string() }
            })?;
        }
        "jar" => {
            if let Some(jar) = super::cookies::of(value) {
                call.jar = jar;
            }
        }
        // User and password in the address are sent in any case, but for a digest at once.
        "auth" if text(value)?.eq_ignore_ascii_case("digest") => call.login = Login::Digest,
        "compression" => compress(call, &text(value)?)?,
        _ => {}
    }
    Ok(())
}

fn headers(call: &mut Call, value: &Value<'_>) -> std::result::Result<(), Refused> {
    for pair in value.as_object().into_iter().flat_map(Object::props::<String, Value<'_>>) {
        let (name, value) = pair?;
        let value = text(&value)?;
        let value = value.trim_matches([' ', '\t']);
        let what = if !is_token(&name) {
            "name"
        } else if value.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control()) {
            "value"
        } else {
            let name = canonical(&name);
            // The length is that of the body, whatever the script says.
            if !["Content-Length", "Transfer-Encoding"].contains(&name.as_str()) {
                set_field(call, &name, value.to_owned());
            }
            continue;
        };
        let text = format!("invalid {what} of the header field `{name}`");
        return Err(Refused::Failed { code: UNSENT, text, url: call.target.url.to_string() });
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
fn cookies(call: &mut Call, value: &Value<'_>) -> Result<()> {
    for pair in value.as_object().into_iter().flat_map(Object::props::<String, Value<'_>>) {
        let (name, value) = pair?;
        if is_nothing(&value) {
            continue;
        }
        let (value, replaces) = match value.as_object() {
            Some(cookie) => {
                let replaces = is_true(&cookie.get::<_, Value<'_>>("replace")?);
                (text(&cookie.get::<_, Value<'_>>("value")?)?, replaces)
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
pub(crate) fn canonical(name: &str) -> String {
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
