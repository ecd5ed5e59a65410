//! The module `k6/http`: a request suspends the user until its answer is there.

use rquickjs::function::{Opt, Rest};
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::{Array, Class, Ctx, Exception, Object, Promise, Result, Value};

use wire::Version;

use super::super::fiber::{Answer, Ask, Begun};
use super::super::host::{Host, Stage, host, stop};
use super::super::log::Level;
use super::super::raw::Held;
use super::super::turns;
use super::Exporter;
use super::cookies::{self, CookieJar};
use super::files;
use super::params::{Refused, UNSENT, call, statuses};
use super::response::{Response, from_reply};
use super::values::{is_nothing, object, text};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::fetch::{Call, Expected, Reply};
use crate::record::{About, record};

/// The module.
pub(super) struct Http;

const NAMES: [&str; 17] = [
    "default",
    "file",
    "CookieJar",
    "cookieJar",
    "asyncRequest",
    "request",
    "get",
    "head",
    "post",
    "put",
    "patch",
    "del",
    "options",
    "batch",
    "url",
    "expectedStatuses",
    "setResponseCallback",
];

/// Texts that answers are compared with: versions of TLS, and what a server says of its certificate.
const TEXTS: [(&str, &str); 18] = [
    ("TLS_1_0", "tls1.0"),
    ("TLS_1_1", "tls1.1"),
    ("TLS_1_2", "tls1.2"),
    ("TLS_1_3", "tls1.3"),
    ("OCSP_STATUS_GOOD", "good"),
    ("OCSP_STATUS_REVOKED", "revoked"),
    ("OCSP_STATUS_SERVER_FAILED", "server_failed"),
    ("OCSP_STATUS_UNKNOWN", "unknown"),
    ("OCSP_REASON_UNSPECIFIED", "unspecified"),
    ("OCSP_REASON_KEY_COMPROMISE", "key_compromise"),
    ("OCSP_REASON_CA_COMPROMISE", "ca_compromise"),
    ("OCSP_REASON_AFFILIATION_CHANGED", "affiliation_changed"),
    ("OCSP_REASON_SUPERSEDED", "superseded"),
    ("OCSP_REASON_CESSATION_OF_OPERATION", "cessation_of_operation"),
    ("OCSP_REASON_CERTIFICATE_HOLD", "certificate_hold"),
    ("OCSP_REASON_REMOVE_FROM_CRL", "remove_from_crl"),
    ("OCSP_REASON_PRIVILEGE_WITHDRAWN", "privilege_withdrawn"),
    ("OCSP_REASON_AA_COMPROMISE", "aa_compromise"),
];

impl ModuleDef for Http {
    fn declare<'js>(declarations: &Declarations<'js>) -> Result<()> {
        for name in NAMES.into_iter().chain(TEXTS.map(|(name, _)| name)) {
            declarations.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let exporter = Exporter::new(ctx, exports)?;
        exporter.function("request", request)?;
        exporter.function("asyncRequest", async_request)?;
        for (name, method) in [("get", "GET"), ("head", "HEAD")] {
            let plain = move |ctx: Ctx<'js>, url: Value<'js>, params: Opt<Value<'js>>| {
                send(&ctx, method, &url, None, params.0.as_ref())
            };
            exporter.function(name, plain)?;
        }
        for (name, method) in
            [("post", "POST"), ("put", "PUT"), ("patch", "PATCH"), ("del", "DELETE"), ("options", "OPTIONS")]
        {
            let full = move |ctx: Ctx<'js>, url: Value<'js>, body: Opt<Value<'js>>, params: Opt<Value<'js>>| {
                send(&ctx, method, &url, body.0.as_ref(), params.0.as_ref())
            };
            exporter.function(name, full)?;
        }
        exporter.function("cookieJar", cookies::own)?;
        exporter.value("CookieJar", Class::<Held<CookieJar>>::create_constructor(ctx)?)?;
        exporter.function("file", files::file)?;
        exporter.function("batch", batch)?;
        exporter.function("url", url)?;
        exporter.function("expectedStatuses", expected_statuses)?;
        exporter.function("setResponseCallback", set_response_callback)?;
        for (name, text) in TEXTS {
            exporter.value(name, text)?;
        }
        exporter.done()
    }
}

fn request<'js>(
    ctx: Ctx<'js>,
    method: Value<'js>,
    url: Value<'js>,
    body: Opt<Value<'js>>,
    params: Opt<Value<'js>>,
) -> Result<Value<'js>> {
    send(&ctx, &named(&method)?, &url, body.0.as_ref(), params.0.as_ref())
}

fn send<'js>(
    ctx: &Ctx<'js>,
    method: &str,
    url: &Value<'js>,
    body: Option<&Value<'js>>,
    params: Option<&Value<'js>>,
) -> Result<Value<'js>> {
    let host = host(ctx);
    may_send(ctx, &host)?;
    let call = match call(ctx, &host, method, url, body, params) {
        Ok(call) => call,
        Err(refused) => return refuse(ctx, &host, method, refused),
    };
    match host.ask(Ask::Fetch(Box::new(call))) {
        Some(Answer::Fetched(reply)) => answered(ctx, &host, *reply),
        _ => Err(stop(ctx)),
    }
}

/// A method; nothing is `GET`.
fn named(method: &Value<'_>) -> Result<String> {
    if is_nothing(method) { Ok(String::new()) } else { text(method) }
}

/// The same, without waiting for it.
fn async_request<'js>(
    ctx: Ctx<'js>,
    method: Value<'js>,
    url: Value<'js>,
    body: Opt<Value<'js>>,
    params: Opt<Value<'js>>,
) -> Result<Promise<'js>> {
    let host = host(&ctx);
    may_send(&ctx, &host)?;
    let (promise, resolve, reject) = ctx.promise()?;
    let method = named(&method)?;
    match call(&ctx, &host, &method, &url, body.0.as_ref(), params.0.as_ref()) {
        Ok(call) => {
            let callback = Object::new(ctx.clone())?;
            callback.set("resolve", resolve)?;
            callback.set("reject", reject)?;
            turns::begin(&ctx, Begun::Fetch(Box::new(call)), callback.into_value())?;
        }
        Err(refused) => match refuse(&ctx, &host, &method, refused) {
            Ok(value) => resolve.call::<_, ()>((value,))?,
            Err(_) => reject.call::<_, ()>((ctx.catch(),))?,
        },
    }
    Ok(promise)
}

fn may_send(ctx: &Ctx<'_>, host: &Host) -> Result<()> {
    match host.stage.get() {
        Stage::Init => Err(Exception::throw_message(ctx, "making http requests in the init context is not supported")),
        Stage::Summary => Err(Exception::throw_message(ctx, "there are no requests in handleSummary")),
        _ => Ok(()),
    }
}

/// A request that cannot be made at all: an answer without a status, as k6 gives it.
fn refuse<'js>(ctx: &Ctx<'js>, host: &Host, method: &str, refused: Refused) -> Result<Value<'js>> {
    let (code, text, url) = match refused {
        Refused::Thrown(error) => return Err(error),
        Refused::Failed { code, text, url } => (code, text, url),
    };
    if code == UNSENT {
        count_unsent(host, method, &url, &text);
    }
    if host.sites.options.throws {
        return Err(Exception::throw_message(ctx, &text));
    }
    host.log(Level::Warning, "Request Failed", vec![("error", text.clone())]);
    Response::refused(ctx, &url, code, text)
}

/// k6 counts a request that it cannot send, though not one that has no address.
fn count_unsent(host: &Host, method: &str, url: &str, text: &str) {
    let about = About {
        method: if method.is_empty() { "GET" } else { method },
        url,
        name: url,
        version: Version::default(),
        tls: "",
        remote: None,
        is_expected: (*host.expected.borrow() != Expected::Unsaid).then_some(false),
        own: &[],
    };
    let exchange = Exchange::unsent(Failure::other(text));
    record(&exchange, &about, &host.recorder, host.tags.get(), host.who.get());
}

pub(super) fn answered<'js>(ctx: &Ctx<'js>, host: &Host, reply: Reply) -> Result<Value<'js>> {
    if host.first_over_ns.get().is_none() {
        host.first_over_ns.set(Some(reply.ended_ns));
    }
    for (number, text) in &reply.debug {
        log_debug(host, number, text);
    }
    if let Some(warning) = &reply.warning {
        host.log(Level::Warning, warning.clone(), vec![("url", reply.target.url.to_string())]);
    }
    if let Some(failure) = reply.failure.as_ref().filter(|failure| !failure.is_status()) {
        let text = format!("{} \"{}\": {}", go_method(&reply.method), reply.target.url, failure.text);
        if host.sites.options.throws {
            return Err(Exception::throw_message(ctx, &text));
        }
        host.log(Level::Warning, "Request Failed", vec![("error", text)]);
    }
    from_reply(ctx, reply)
}

/// In k6's words, for the option `httpDebug`.
fn log_debug(host: &Host, number: &str, text: &str) {
    let who = host.who.get();
    let fields = vec![
        ("group", host.group.borrow().clone()),
        ("iter", who.iter.to_string()),
        ("request_id", number.to_owned()),
        ("scenario", host.scene_name.borrow().to_string()),
        ("source", "http-debug".to_owned()),
        ("vu", who.vu.to_string()),
    ];
    host.log(Level::Info, text, fields);
}

/// `GET` as `Get`.
fn go_method(method: &str) -> String {
    let (first, rest) = method.split_at(method.len().min(1));
    format!("{first}{}", rest.to_ascii_lowercase())
}

/// Requests side by side: a list, or an object of names, of addresses, of lists as `request` takes them, or of objects.
fn batch<'js>(ctx: Ctx<'js>, requests: Value<'js>, _more: Rest<Value<'js>>) -> Result<Value<'js>> {
    let host = host(&ctx);
    may_send(&ctx, &host)?;
    let mut keys: Vec<String> = Vec::new();
    let mut entries = Vec::new();
    match (requests.as_array(), requests.as_object()) {
        (Some(list), _) => {
            for entry in list.iter::<Value<'js>>() {
                entries.push(entry?);
            }
        }
        (None, Some(named)) => {
            for pair in named.props::<String, Value<'js>>() {
                let (key, entry) = pair?;
                keys.push(key);
                entries.push(entry);
            }
        }
        _ => return Err(Exception::throw_type(&ctx, "batch: want a list or an object of requests")),
    }
    let responses = send_all(&ctx, &host, &entries)?;
    if requests.is_array() {
        let list = Array::new(ctx.clone())?;
        for (at, response) in responses.into_iter().enumerate() {
            list.set(at, response)?;
        }
        return Ok(list.into_value());
    }
    let named = Object::new(ctx.clone())?;
    for (key, response) in keys.iter().zip(responses) {
        named.set(key.as_str(), response)?;
    }
    Ok(named.into_value())
}

fn send_all<'js>(ctx: &Ctx<'js>, host: &Host, entries: &[Value<'js>]) -> Result<Vec<Value<'js>>> {
    let mut responses: Vec<Option<Value<'js>>> = Vec::new();
    let mut calls = Vec::new();
    for entry in entries {
        let (method, made) = batch_call(ctx, host, entry)?;
        match made {
            Ok(call) => {
                calls.push(call);
                responses.push(None);
            }
            Err(refused) => responses.push(Some(refuse(ctx, host, &method, refused)?)),
        }
    }
    let Some(Answer::FetchedAll(replies)) = host.ask(Ask::FetchAll(calls)) else { return Err(stop(ctx)) };
    let mut replies = replies.into_iter();
    let mut all = Vec::new();
    for refused in responses {
        match refused {
            Some(refused) => all.push(refused),
            None => {
                let reply = replies.next().ok_or_else(|| stop(ctx))?;
                all.push(answered(ctx, host, reply)?);
            }
        }
    }
    Ok(all)
}

type Made = (String, std::result::Result<Call, Refused>);

fn batch_call<'js>(ctx: &Ctx<'js>, host: &Host, entry: &Value<'js>) -> Result<Made> {
    let (method, url, body, params) = if let Some(list) = entry.as_array() {
        let part = |at: usize| list.get::<Value<'js>>(at);
        (named(&part(0)?)?, part(1)?, Some(part(2)?), Some(part(3)?))
    } else if let Some(fields) = entry.as_object().filter(|fields| !fields.contains_key("name").unwrap_or(false)) {
        let part = |name: &str| fields.get::<_, Value<'js>>(name);
        let method = part("method")?;
        (named(&method)?, part("url")?, Some(part("body")?), Some(part("params")?))
    } else {
        ("GET".to_owned(), entry.clone(), None, None)
    };
    let made = call(ctx, host, &method, &url, body.as_ref(), params.as_ref());
    Ok((method, made))
}

/// ``http.url`.../${id}` ``: the address, tagged by what it was made of.
fn url<'js>(ctx: Ctx<'js>, parts: Value<'js>, values: Rest<Value<'js>>) -> Result<Object<'js>> {
    let Some(list) = parts.as_array() else {
        return Err(Exception::throw_type(&ctx, "url: want a template, as in http.url`...`"));
    };
    let (mut url, mut name) = (String::new(), String::new());
    for (at, part) in list.iter::<String>().enumerate() {
        let part = part?;
        url.push_str(&part);
        name.push_str(&part);
        if let Some(value) = values.0.get(at) {
            url.push_str(&text(value)?);
            name.push_str("${}");
        }
    }
    let made = Object::new(ctx)?;
    made.set("url", url)?;
    made.set("name", name)?;
    Ok(made)
}

/// Where the statuses of an expectation are kept.
const STATUSES: &str = "statuses";

/// `expectedStatuses(200, { min: 300, max: 399 })`.
fn expected_statuses<'js>(ctx: Ctx<'js>, given: Rest<Value<'js>>) -> Result<Object<'js>> {
    let list = Array::new(ctx.clone())?;
    if given.0.is_empty() {
        return Err(Exception::throw_message(&ctx, "expectedStatuses: want at least one status"));
    }
    for (at, value) in given.0.iter().enumerate() {
        let (from, to) = match (value.as_number(), value.as_object()) {
            (Some(status), _) => (status, status),
            (None, Some(range)) => (range.get("min")?, range.get("max")?),
            _ => return Err(Exception::throw_type(&ctx, "expectedStatuses: want statuses, or { min, max }")),
        };
        let pair = Array::new(ctx.clone())?;
        pair.set(0, from)?;
        pair.set(1, to)?;
        list.set(at, pair)?;
    }
    let made = Object::new(ctx)?;
    made.set(STATUSES, list)?;
    Ok(made)
}

fn set_response_callback<'js>(ctx: Ctx<'js>, callback: Value<'js>) -> Result<()> {
    let expected = expected(&ctx, &callback)?;
    host(&ctx).expected.replace(expected);
    Ok(())
}

/// What an expectation says; `null` says nothing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(super) fn expected<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Expected> {
    if is_nothing(value) {
        return Ok(Expected::Unsaid);
    }
    let list: Option<Array<'js>> = object(ctx, value, "responseCallback")?.get(STATUSES)?;
    let Some(list) = list else {
        return Err(Exception::throw_type(ctx, "a response callback is what http.expectedStatuses() returns"));
    };
    let mut all = Vec::new();
    for pair in list.iter::<Array<'js>>() {
        let pair = pair?;
        let status = |at| pair.get::<f64>(at).map(|status| status.clamp(0.0, 999.0) as u16);
        all.push((status(0)?, status(1)?));
    }
    Ok(statuses(all))
}
