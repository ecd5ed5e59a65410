//! An answer as scripts see it. Each part of it is made when it is looked at: most scripts look at two or three.
//!
//! A part that is an object is made once, and is then an own property of the answer, as all parts are in k6.

use rquickjs::class::{JsClass, Readable};
use rquickjs::function::{Constructor, Opt, This};
use rquickjs::object::{Accessor, Property};
use rquickjs::{Array, ArrayBuffer, Class, Ctx, Exception, Function, IntoJs, Object, Result, Value};
use wire::{Limits, ResponseHead, Version};

use super::super::gjson;
use super::super::host::host;
use super::super::raw::Held;
use super::params::canonical;
use super::values::text;
use crate::exchange::Answer;
use crate::fetch::{Asked, Reply, Wants};
use crate::jar::{Cookie, sent_value};
use crate::metric::Timings;

/// What is kept of an answer.
#[derive(Debug)]
pub(super) struct Response {
    url: Box<str>,
    /// `None` for what could not be asked.
    asked: Option<Asked>,
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
/// When cookies without a date are over, as k6 has it: the smallest time that fits.
const NO_DATE_MS: f64 = -6_795_364_578_871.0;
const UNSERVED: [&str; 3] = ["html", "submitForm", "clickLink"];

/// The answer to a request.
pub(super) fn from_reply<'js>(ctx: &Ctx<'js>, reply: Reply) -> Result<Value<'js>> {
    let Reply { asked, target, status, answer, timings, failure, wants, .. } = reply;
    let error_code = failure.as_ref().map_or(0, |failure| failure.code);
    let error = failure.filter(|failure| !failure.is_status()).map(|failure| failure.text).unwrap_or_default();
    let (url, asked) = (target.page().into(), Some(asked));
    Response { url, asked, status, answer, timings, error, error_code, wants }.into_value(ctx)
}

impl Response {
    /// What a request comes to that could not be made.
    pub(super) fn refused<'js>(ctx: &Ctx<'js>, url: &str, error_code: u16, error: String) -> Result<Value<'js>> {
        let (answer, timings, wants) = (Answer::default(), Timings::default(), Wants::Text);
        Self { url: url.into(), asked: None, status: 0, answer, timings, error, error_code, wants }.into_value(ctx)
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
        cookie.set("expires", set.expires_s.map_or(NO_DATE_MS, |seconds| seconds as f64 * 1000.0))?;
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
    let Some(asked) = &of.asked else { return Ok(Value::new_null(ctx.clone())) };
    let made = Object::new(ctx.clone())?;
    made.set("method", &*asked.method)?;
    made.set("url", &*asked.url)?;
    made.set("headers", sent_headers(ctx, asked)?)?;
    made.set("body", &*String::from_utf8_lossy(&asked.body))?;
    made.set("cookies", sent_cookies(ctx, asked)?)?;
    made.into_js(ctx)
}

/// Names with lists of one value: what the script has given, the agent, and all cookies.
fn sent_headers<'js>(ctx: &Ctx<'js>, asked: &Asked) -> Result<Object<'js>> {
    let made = Object::new(ctx.clone())?;
    let put = |name: &str, value: &str| {
        let list = Array::new(ctx.clone())?;
        list.set(0, value)?;
        made.set(name, list)
    };
    let host = host(ctx);
    if !host.sites.options.agent.is_empty() {
        put("User-Agent", &host.sites.options.agent)?;
    }
    let mut cookies = Vec::new();
    for (name, value) in &asked.fields {
        if &**name == "Cookie" {
            cookies.push(value.to_string());
        } else {
            put(name, value)?;
        }
    }
    cookies.extend(asked.cookies.iter().map(|(name, value)| format!("{name}={}", sent_value(value))));
    if !cookies.is_empty() {
        put("Cookie", &cookies.join("; "))?;
    }
    Ok(made)
}

/// Names with lists of what went under them.
fn sent_cookies<'js>(ctx: &Ctx<'js>, asked: &Asked) -> Result<Object<'js>> {
    let made = Object::new(ctx.clone())?;
    let by_hand = asked.fields.iter().filter(|(name, _)| &**name == "Cookie").flat_map(|(_, line)| line.split(';'));
    let by_hand = by_hand.filter_map(|pair| pair.trim().split_once('='));
    for (name, value) in by_hand.chain(asked.cookies.iter().map(|(name, value)| (&**name, &**value))) {
        let cookie = Object::new(ctx.clone())?;
        cookie.set("name", name)?;
        cookie.set("value", value)?;
        cookie.set("replace", false)?;
        let list: Option<Array<'js>> = made.get(name)?;
        let list = list.map_or_else(|| Array::new(ctx.clone()), Ok)?;
        list.set(list.len(), cookie)?;
        made.set(name, list)?;
    }
    Ok(made)
}

/// What a server says of its certificate is not asked for.
fn ocsp<'js>(ctx: &Ctx<'js>, of: &Response) -> Result<Value<'js>> {
    let made = Object::new(ctx.clone())?;
    for name in ["produced_at", "this_update", "next_update", "revoked_at"] {
        made.set(name, 0)?;
    }
    made.set("revocation_reason", "")?;
    made.set("status", if of.answer.tls.is_empty() { "" } else { "unknown" })?;
    made.into_js(ctx)
}

/// The body as JSON, or what a path finds in it.
fn json<'js>(ctx: Ctx<'js>, this: Of<'js>, path: Opt<Value<'js>>) -> Result<Value<'js>> {
    let of = this.0.borrow();
    if !of.0.has_body() {
        return Err(Exception::throw_message(&ctx, "the body is null so we can't transform it to JSON"));
    }
    let body = of.0.answer.body.as_slice();
    let Some(path) = path.0 else {
        return ctx.json_parse(body).map_err(|error| {
            ctx.catch();
            match serde_json::from_slice::<serde_json::Value>(body) {
                Err(why) => Exception::throw_message(&ctx, &not_json(&why)),
                Ok(_) => error,
            }
        });
    };
    // What is no JSON holds nothing.
    let whole = serde_json::from_slice(body).unwrap_or_default();
    match gjson::find(&whole, &text(&path)?) {
        Some(found) => ctx.json_parse(found.to_string()),
        None => Ok(Value::new_undefined(ctx.clone())),
    }
}

/// Why a body is no JSON, and where it stops to be.
fn not_json(why: &serde_json::Error) -> String {
    let text = why.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    format!("cannot parse json due to an error at line {}, character {}, error: {text}", why.line(), why.column())
}

/// All parts as a plain object.
fn to_json<'js>(ctx: Ctx<'js>, this: Of<'js>, _key: Opt<Value<'js>>) -> Result<Object<'js>> {
    let made = Object::new(ctx)?;
    for name in ORDER {
        made.set(name, this.0.get::<_, Value<'js>>(name)?)?;
    }
    Ok(made)
}
