//! An answer as scripts see it. Each part of it is made when it is looked at: most scripts look at two or three.
//!
//! A part that is an object is made once, and is then an own property of the answer, as all parts are in k6.

use rquickjs::class::{JsClass, Readable};
use rquickjs::function::{Constructor, Opt, This};
use rquickjs::object::{Accessor, Property};
use rquickjs::{Array, ArrayBuffer, Class, Ctx, Exception, Function, IntoJs, Object, Result, Value};
use wire::{Limits, ResponseHead, Version};

use super::super::gjson;
use super::super::raw::Held;
use super::params::canonical;
use super::values::text;
use crate::exchange::Answer;
use crate::fetch::{Reply, Wants};
use crate::jar::Cookie;
use crate::metric::Timings;

/// What is kept of an answer.
#[derive(Debug)]
pub(super) struct Response {
    method: Box<str>,
    url: Box<str>,
    /// The head of the request.
    sent: Vec<u8>,
    sent_body: Vec<u8>,
    status: u16,
    answer: Answer,
    timings: Timings,
    error: String,
    error_code: u16,
    wants: Wants,
}

type Make = for<'a, 'js> fn(&'a Ctx<'js>, &'a Response) -> Result<Value<'js>>;

/// Parts that are numbers and short texts, made each time.
const PLAIN: [(&str, Make); 11] = [
    ("remote_ip", |ctx, of| of.answer.remote.map(|address| address.ip().to_string()).unwrap_or_default().into_js(ctx)),
    ("remote_port", |ctx, of| of.answer.remote.map_or(0, |address| address.port()).into_js(ctx)),
    ("url", |ctx, of| (&*of.url).into_js(ctx)),
    ("status", |ctx, of| of.status.into_js(ctx)),
    ("status_text", |ctx, of| status_text(&of.answer.head).into_js(ctx)),
    ("proto", |ctx, of| proto(of).into_js(ctx)),
    ("tls_version", |ctx, of| of.answer.tls.into_js(ctx)),
    ("tls_cipher_suite", |ctx, of| of.answer.suite.into_js(ctx)),
    ("error", |ctx, of| of.error.as_str().into_js(ctx)),
    ("error_code", |ctx, of| of.error_code.into_js(ctx)),
    ("ocsp", ocsp),
];
/// Parts that are made once.
const KEPT: [(&str, Make); 5] =
    [("headers", headers), ("cookies", cookies), ("body", body), ("timings", timings), ("request", request)];
/// The order of all parts.
const ORDER: [&str; 16] = [
    "remote_ip",
    "remote_port",
    "url",
    "status",
    "status_text",
    "proto",
    "headers",
    "cookies",
    "body",
    "timings",
    "tls_version",
    "tls_cipher_suite",
    "ocsp",
    "error",
    "error_code",
    "request",
];
const UNSERVED: [&str; 3] = ["html", "submitForm", "clickLink"];

/// The answer to a request.
pub(super) fn from_reply<'js>(ctx: &Ctx<'js>, reply: Reply) -> Result<Value<'js>> {
    let Reply { method, target, sent, body, status, answer, timings, failure, wants, .. } = reply;
    let error_code = failure.as_ref().map_or(0, |failure| failure.code);
    let error = failure.filter(|failure| !failure.is_status()).map(|failure| failure.text).unwrap_or_default();
    let url = target.page().into();
    Response { method, url, sent, sent_body: body, status, answer, timings, error, error_code, wants }.into_value(ctx)
}

impl Response {
    /// What a request comes to that could not be made.
    pub(super) fn refused<'js>(
        ctx: &Ctx<'js>,
        method: &str,
        url: &str,
        error_code: u16,
        error: String,
    ) -> Result<Value<'js>> {
        let (answer, timings, wants) = (Answer::default(), Timings::default(), Wants::Text);
        let (method, url) = (method.into(), url.into());
        let (sent, sent_body) = (Vec::new(), Vec::new());
        Self { method, url, sent, sent_body, status: 0, answer, timings, error, error_code, wants }.into_value(ctx)
    }

    fn into_value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(Class::instance(ctx.clone(), Held(self))?.into_value())
    }

    fn has_body(&self) -> bool {
        self.status != 0 && self.wants != Wants::Nothing && !matches!(self.status, 204 | 304)
    }
}

type Of<'js> = This<Class<'js, Held<Response>>>;

impl<'js> JsClass<'js> for Held<Response> {
    const NAME: &'static str = "Response";

    type Mutable = Readable;

    fn prototype(ctx: &Ctx<'js>) -> Result<Option<Object<'js>>> {
        let prototype = Object::new(ctx.clone())?;
        for name in ORDER {
            if let Some((_, make)) = PLAIN.iter().find(|(each, _)| *each == name) {
                let get = move |ctx: Ctx<'js>, this: Of<'js>| make(&ctx, &this.0.borrow().0);
                prototype.prop(name, Accessor::new(get, set(name)).enumerable())?;
            } else if let Some((_, make)) = KEPT.iter().find(|(each, _)| *each == name) {
                let get = move |ctx: Ctx<'js>, this: Of<'js>| {
                    let value = make(&ctx, &this.0.borrow().0)?;
                    keep(&this, name, value.clone()).map(|()| value)
                };
                prototype.prop(name, Accessor::new(get, set(name)).enumerable())?;
            }
        }
        prototype.prop("json", Function::new(ctx.clone(), json)?.with_name("json")?)?;
        prototype.prop("toJSON", Function::new(ctx.clone(), to_json)?.with_name("toJSON")?)?;
        for name in UNSERVED {
            let refuse = move |ctx: Ctx<'js>| -> Result<()> {
                Err(Exception::throw_message(&ctx, &format!("{name}() is not served: there is no reader of HTML")))
            };
            prototype.prop(name, Function::new(ctx.clone(), refuse)?.with_name(name)?)?;
        }
        Ok(Some(prototype))
    }

    fn constructor(_ctx: &Ctx<'js>) -> Result<Option<Constructor<'js>>> {
        Ok(None)
    }
}

/// Scripts may put something else in the place of a part.
fn set<'js>(name: &'static str) -> impl Fn(Of<'js>, Value<'js>) -> Result<()> {
    move |this, value| keep(&this, name, value)
}

fn keep<'js>(this: &Of<'js>, name: &'static str, value: Value<'js>) -> Result<()> {
    this.0.prop(name, Property::from(value).writable().enumerable().configurable())
}

fn proto(of: &Response) -> &'static str {
    match (of.status, of.answer.version) {
        (0, _) => "",
        (_, Version::Http10) => "HTTP/1.0",
        (_, Version::Http11) => "HTTP/1.1",
        (_, Version::Http2) => "HTTP/2.0",
    }
}

/// `200 OK`, as the server said it.
fn status_text(head: &[u8]) -> String {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    text.split_once(' ').map(|(_, text)| text.to_owned()).unwrap_or_default()
}

fn headers<'js>(ctx: &Ctx<'js>, of: &Response) -> Result<Value<'js>> {
    let made = Object::new(ctx.clone())?;
    for (name, value) in fields(&of.answer.head) {
        let known: Option<String> = made.get(name.as_str())?;
        match known {
            Some(known) => made.set(name, format!("{known}, {value}"))?,
            None => made.set(name, value)?,
        }
    }
    made.into_js(ctx)
}

/// The fields of an answer's head, under names as Go writes them.
pub(super) fn fields(bytes: &[u8]) -> Vec<(String, String)> {
    let mut head = ResponseHead::new();
    if !matches!(head.parse(bytes, false, &Limits::default()), Ok(Some(_))) {
        return Vec::new();
    }
    let text = |span: wire::Span| String::from_utf8_lossy(span.of(bytes)).into_owned();
    head.fields.iter().map(|field| (canonical(&text(field.name)), text(field.value))).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a number of seconds")]
fn cookies<'js>(ctx: &Ctx<'js>, of: &Response) -> Result<Value<'js>> {
    let made = Object::new(ctx.clone())?;
    let lines = fields(&of.answer.head).into_iter().filter(|(name, _)| name == "Set-Cookie");
    for set in lines.filter_map(|(_, line)| Cookie::parse(&line)) {
        let cookie = Object::new(ctx.clone())?;
        cookie.set("name", set.name.as_str())?;
        cookie.set("value", set.value.as_str())?;
        cookie.set("domain", set.domain.as_str())?;
        cookie.set("path", set.path.as_str())?;
        cookie.set("http_only", set.http_only)?;
        cookie.set("secure", set.secure)?;
        cookie.set("max_age", set.max_age_s as f64)?;
        cookie.set("expires", 0)?;
        let list: Option<Array<'js>> = made.get(set.name.as_str())?;
        let list = list.map_or_else(|| Array::new(ctx.clone()), Ok)?;
        list.set(list.len(), cookie)?;
        made.set(set.name, list)?;
    }
    made.into_js(ctx)
}

fn body<'js>(ctx: &Ctx<'js>, of: &Response) -> Result<Value<'js>> {
    if !of.has_body() {
        return Ok(Value::new_null(ctx.clone()));
    }
    match of.wants {
        Wants::Binary => ArrayBuffer::new_copy(ctx.clone(), &of.answer.body)?.into_js(ctx),
        _ => (*String::from_utf8_lossy(&of.answer.body)).into_js(ctx),
    }
}

#[allow(clippy::cast_precision_loss, reason = "durations stay far below 2^53 ns")]
fn timings<'js>(ctx: &Ctx<'js>, of: &Response) -> Result<Value<'js>> {
    let made = Object::new(ctx.clone())?;
    let Timings { blocked, connecting, tls_handshaking, sending, waiting, receiving } = of.timings;
    let ms = |ns: u64| ns as f64 / 1e6;
    for (name, ns) in [
        ("duration", of.timings.duration()),
        ("blocked", blocked),
        ("looking_up", blocked.saturating_sub(connecting + tls_handshaking)),
        ("connecting", connecting),
        ("tls_handshaking", tls_handshaking),
        ("sending", sending),
        ("waiting", waiting),
        ("receiving", receiving),
    ] {
        made.set(name, ms(ns))?;
    }
    made.into_js(ctx)
}

fn request<'js>(ctx: &Ctx<'js>, of: &Response) -> Result<Value<'js>> {
    // One that could not be made is none.
    if of.sent.is_empty() {
        return Ok(Value::new_null(ctx.clone()));
    }
    let made = Object::new(ctx.clone())?;
    made.set("method", &*of.method)?;
    made.set("url", &*of.url)?;
    let headers = Object::new(ctx.clone())?;
    let text = String::from_utf8_lossy(&of.sent);
    for line in text.lines().skip(1) {
        if let Some((name, value)) =
            line.split_once(": ").filter(|(name, _)| !["Host", "Content-Length"].contains(name))
        {
            let list = Array::new(ctx.clone())?;
            list.set(0, value)?;
            headers.set(name, list)?;
        }
    }
    made.set("headers", headers)?;
    made.set("body", &*String::from_utf8_lossy(&of.sent_body))?;
    made.set("cookies", Object::new(ctx.clone())?)?;
    made.into_js(ctx)
}

fn ocsp<'js>(ctx: &Ctx<'js>, _of: &Response) -> Result<Value<'js>> {
    let made = Object::new(ctx.clone())?;
    for name in ["produced_at", "this_update", "next_update", "revoked_at"] {
        made.set(name, 0)?;
    }
    made.set("revocation_reason", "")?;
    made.set("status", "")?;
    made.into_js(ctx)
}

/// The body as JSON, or what a path finds in it.
fn json<'js>(ctx: Ctx<'js>, this: Of<'js>, path: Opt<Value<'js>>) -> Result<Value<'js>> {
    let of = this.0.borrow();
    if !of.0.has_body() {
        return Err(Exception::throw_message(&ctx, "the body is null so we can't transform it to JSON"));
    }
    let Some(path) = path.0.filter(|path| !path.is_undefined()) else {
        return ctx.json_parse(of.0.answer.body.as_slice());
    };
    let path = text(&path)?;
    let whole = serde_json::from_slice(&of.0.answer.body);
    let whole = whole.map_err(|error| Exception::throw_message(&ctx, &format!("cannot parse json: {error}")))?;
    match gjson::find(&whole, &path) {
        Some(found) => ctx.json_parse(found.to_string()),
        None => Ok(Value::new_undefined(ctx.clone())),
    }
}

/// All parts as a plain object.
fn to_json<'js>(ctx: Ctx<'js>, this: Of<'js>, _key: Opt<Value<'js>>) -> Result<Object<'js>> {
    let made = Object::new(ctx)?;
    for name in ORDER {
        made.set(name, this.0.get::<_, Value<'js>>(name)?)?;
    }
    Ok(made)
}
