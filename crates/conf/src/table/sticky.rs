//! `sticky`: the server that has a request's session comes before the one that would be its turn.

use super::limits::name_and_size;
use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Outcome, UpstreamDraft};
use crate::lexer::Word;
use crate::template::Template;
use crate::tree::{CookieAge, Sticky, StickyCookie, StickyLearn};
use crate::value;

pub(super) const DIRECTIVES: &[Directive] = &[Directive {
    name: "sticky",
    contexts: Contexts::UPSTREAM,
    takes: Takes::at_least(1),
    repeats: false,
    default: "",
    doc: "Sends a request to the server that has its session: the one whose route, or clone id that was learnt \
          (state=FILE keeps them), is in Liberty's cookie (cookie=NAME where it is not JSESSIONID) or in ;jsessionid= \
          of the address; the one whose route the first variable gives that is not empty; the one that a cookie of \
          bedloe's own names; or the one whose answer began the session (learn).",
    example: "sticky cookie srv_id expires=1h path=/ httponly secure;",
    apply: Apply::Upstream(sticky),
}];

const KINDS: [&str; 4] = ["liberty", "route", "cookie", "learn"];
const COOKIE: &str = "JSESSIONID";
const SAME_SITE: [&str; 3] = ["samesite=strict", "samesite=lax", "samesite=none"];
const LEARN_TIMEOUT_MS: u64 = 600_000;

fn sticky(draft: &mut UpstreamDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let sticky = match call.text(0) {
        "liberty" => liberty(call, cx)?,
        "route" => Sticky::Route(routes(call, cx)?),
        "cookie" => Sticky::Cookie(cookie(call, cx)?),
        "learn" => Sticky::Learn(learn(call, cx)?),
        _ => return Err(call.unknown_word(0, "kind of affinity", KINDS)),
    };
    draft.sticky = Some((sticky, call.node.name.place.clone()));
    Ok(())
}

fn liberty(call: &Call<'_>, cx: &Cx<'_>) -> Result<Sticky, Diagnostic> {
    let (mut cookie, mut state) = (None, None);
    for index in 1..call.args().len() {
        match call.text(index).split_once('=') {
            Some(("cookie", name)) => once(call, index, &mut cookie, cookie_name(call, index, name)?)?,
            Some(("state", "")) => return Err(call.invalid(index, "a file has a name")),
            Some(("state", path)) => once(call, index, &mut state, cx.folder.join(path))?,
            _ => return Err(call.unknown_word(index, "parameter of \"sticky liberty\"", ["cookie=", "state="])),
        }
    }
    Ok(Sticky::Liberty { cookie: cookie.unwrap_or_else(|| COOKIE.to_owned()), state })
}

fn routes(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<Vec<Template>, Diagnostic> {
    let variables = &call.args()[1..];
    if variables.is_empty() {
        let message = "\"sticky route\" names no variable";
        let help = "write the variables that may hold a route, such as \"sticky route $cookie_route;\"";
        return Err(Diagnostic::error("wrong-arguments", &call.word(0).place, message).help(help));
    }
    variables.iter().map(|word| cx.template(word)).collect()
}

/// `sticky cookie NAME [expires=TIME] [domain=DOMAIN] [httponly] [samesite=...] [secure] [path=PATH]`.
fn cookie(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<StickyCookie, Diagnostic> {
    let Some(name) = call.args().get(1) else {
        let help = "write a name, such as \"sticky cookie srv_id expires=1h;\"";
        return Err(Diagnostic::error("wrong-arguments", &call.word(0).place, "the cookie has no name").help(help));
    };
    let name = cookie_name(call, 1, &name.text)?;
    let (mut age, mut domain, mut path, mut same_site) = (None, None, None, None);
    let (mut http_only, mut secure) = (None, None);
    for index in 2..call.args().len() {
        let text = call.text(index);
        match text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value))) {
            ("expires", Some(text)) => once(call, index, &mut age, cookie_age(call, index, text)?)?,
            ("domain", Some(_)) => once(call, index, &mut domain, attribute(call, index, cx)?)?,
            ("path", Some(_)) => once(call, index, &mut path, attribute(call, index, cx)?)?,
            ("samesite", Some(value)) if value.contains('$') || SAME_SITE.contains(&text) => {
                once(call, index, &mut same_site, attribute(call, index, cx)?)?;
            }
            ("samesite", Some(_)) => return Err(call.unknown_word(index, "parameter", SAME_SITE)),
            ("httponly", None) => once(call, index, &mut http_only, true)?,
            ("secure", None) => once(call, index, &mut secure, true)?,
            _ => {
                let words = ["expires=", "domain=", "httponly", "samesite=", "secure", "path="];
                return Err(call.unknown_word(index, "parameter of \"sticky cookie\"", words));
            }
        }
    }
    let (http_only, secure) = (http_only.is_some(), secure.is_some());
    Ok(StickyCookie { name, age, domain, path, same_site, http_only, secure })
}

/// `sticky learn create=$V... lookup=$V... zone=NAME:SIZE [timeout=TIME] [header] [sync]`.
fn learn(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<StickyLearn, Diagnostic> {
    let (mut create, mut lookup) = (Vec::new(), Vec::new());
    let (mut zone, mut timeout_ms, mut by_head) = (None, None, None);
    for index in 1..call.args().len() {
        let text = call.text(index);
        match text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value))) {
            ("create", Some(_)) => create.push(variable(call, index, cx)?),
            ("lookup", Some(_)) => lookup.push(variable(call, index, cx)?),
            ("zone", Some(_)) => {
                let (name, bytes) = name_and_size(call, index)?;
                cx.same_zone(&name, bytes, call.word(index))?;
                once(call, index, &mut zone, (name, bytes))?;
            }
            ("timeout", Some(text)) => {
                let ms = value::time_ms(text).map_err(|error| call.invalid(index, error))?;
                once(call, index, &mut timeout_ms, ms)?;
            }
            ("header", None) => once(call, index, &mut by_head, true)?,
            ("sync", None) => return Err(call.not_yet(index, "sessions shared by machines")),
            _ => {
                let words = ["create=", "lookup=", "zone=", "timeout=", "header", "sync"];
                return Err(call.unknown_word(index, "parameter of \"sticky learn\"", words));
            }
        }
    }
    let missing = |what: &str| {
        let help = "such as \"sticky learn create=$upstream_cookie_id lookup=$cookie_id zone=sessions:1m;\"";
        Diagnostic::error("wrong-arguments", &call.word(0).place, format!("there is no \"{what}\"")).help(help)
    };
    let (zone, bytes) = zone.ok_or_else(|| missing("zone="))?;
    if create.is_empty() || lookup.is_empty() {
        return Err(missing(if create.is_empty() { "create=" } else { "lookup=" }));
    }
    let (timeout_ms, by_head) = (timeout_ms.unwrap_or(LEARN_TIMEOUT_MS), by_head.is_some());
    Ok(StickyLearn { create, lookup, zone, bytes, timeout_ms, by_head })
}

/// Takes a parameter that may be written once.
fn once<T>(call: &Call<'_>, index: usize, slot: &mut Option<T>, value: T) -> Outcome {
    if slot.is_some() {
        return Err(call.invalid(index, "it is said twice"));
    }
    *slot = Some(value);
    Ok(())
}

/// A name that a cookie may have (RFC 6265 4.1.1: a token).
fn cookie_name(call: &Call<'_>, index: usize, name: &str) -> Result<String, Diagnostic> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match name {
        "" => Err(call.invalid(index, "a cookie has a name")),
        _ if !name.bytes().all(is_token) => Err(call.invalid(index, "a cookie's name has no such characters")),
        _ => Ok(name.to_owned()),
    }
}

fn cookie_age(call: &Call<'_>, index: usize, text: &str) -> Result<CookieAge, Diagnostic> {
    if text == "max" {
        return Ok(CookieAge::Max);
    }
    let ms = value::seconds_ms(text).map_err(|error| call.invalid(index, error))?;
    Ok(CookieAge::Seconds(ms / 1000))
}

/// The value of an attribute of a cookie, which may have variables.
fn attribute(call: &Call<'_>, index: usize, cx: &mut Cx<'_>) -> Result<Template, Diagnostic> {
    let value = value_of(call, index);
    if value.text.is_empty() || value.text.contains(';') {
        return Err(call.invalid(index, "an attribute of a cookie is not empty, and has no \";\""));
    }
    cx.template(&value)
}

/// What names a session: without a variable all would have the same.
fn variable(call: &Call<'_>, index: usize, cx: &mut Cx<'_>) -> Result<Template, Diagnostic> {
    let value = value_of(call, index);
    if !value.text.starts_with('$') {
        return Err(call.invalid(index, "write a variable, such as $cookie_id"));
    }
    cx.template(&value)
}

/// What stands behind the `=` of a parameter.
fn value_of(call: &Call<'_>, index: usize) -> Word {
    let word = call.word(index);
    let start = word.text.split_inclusive('=').next().unwrap_or_default();
    word.behind(start).unwrap_or_else(|| word.clone())
}
