//! `proxy_*`: the request to an upstream server.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Actions, Call, Cx, Inherited, Outcome};
use crate::tree::{NextUpstream, PassTo, ProxyPass};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "proxy_pass",
        contexts: Contexts::CONTENTS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Passes requests to an upstream; a path in it replaces what the location matched.",
        example: "proxy_pass http://127.0.0.1:9080;",
        apply: Apply::Action(proxy_pass),
    },
    Directive {
        name: "proxy_http_version",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1.1",
        doc: "The version of HTTP that is spoken to the upstream: 1.0 or 1.1.",
        example: "proxy_http_version 1.1;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.http11 = match call.text(0) {
                "1.1" => true,
                "1.0" => false,
                "2" | "2.0" => return Err(call.not_yet(0, "HTTP/2 to upstreams")),
                _ => return Err(call.invalid(0, "it must be 1.0 or 1.1")),
            };
            Ok(())
        }),
    },
    Directive {
        name: "proxy_method",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The method of the request to the upstream, in place of the client's.",
        example: "proxy_method HEAD;",
        apply: Apply::Inherited(|level, call, cx| {
            let method = cx.template(call.word(0))?;
            if method.literal().is_some_and(|text| text.is_empty() || !text.bytes().all(is_token)) {
                return Err(call.invalid(0, "it must be a method such as GET or HEAD"));
            }
            level.proxy.method = Some(method);
            Ok(())
        }),
    },
    Directive {
        name: "proxy_set_header",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(2),
        repeats: true,
        default: "Host $proxy_host",
        doc: "A header of the request to the upstream; an empty value leaves it out. One puts aside all from above.",
        example: "proxy_set_header X-Forwarded-Proto $scheme;",
        apply: Apply::Inherited(set_header),
    },
    Directive {
        name: "proxy_connect_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "60s",
        doc: "The time in which an upstream server must accept a connection.",
        example: "proxy_connect_timeout 5s;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.connect_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_send_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "60s",
        doc: "The longest pause between two writes to an upstream server.",
        example: "proxy_send_timeout 60s;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.send_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_read_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "60s",
        doc: "The longest pause between two reads from an upstream server.",
        example: "proxy_read_timeout 60s;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.read_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_next_upstream",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: false,
        default: "error timeout",
        doc: "When a request goes to the next server of the upstream.",
        example: "proxy_next_upstream error timeout http_502 http_503 http_504;",
        apply: Apply::Inherited(next_upstream),
    },
    Directive {
        name: "proxy_next_upstream_tries",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "0",
        doc: "Servers that a request is tried on at most, the first included; 0 is no limit.",
        example: "proxy_next_upstream_tries 2;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.next_upstream_tries = call.number_u32(0, 0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_next_upstream_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "0",
        doc: "The time after which a request goes to no further server; 0 is no limit.",
        example: "proxy_next_upstream_timeout 2s;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.next_upstream_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
];

/// `proxy_pass http://HOST[:PORT][/URI]`.
fn proxy_pass(actions: &mut Actions, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let text = call.text(0);
    if text.contains('$') {
        let lower = text.to_ascii_lowercase();
        // Which way of TLS, which resolver and which settings it is, is known when the whole location is read.
        let tls = (!lower.starts_with("http://")).then_some(0);
        let to = PassTo::Variable { text: cx.template(call.word(0))?, resolver: None };
        let settings = cx.proxy_defaults.clone();
        actions.proxy = Some(ProxyPass { to, host: String::new(), uri: None, tls, settings });
        return Ok(());
    }
    let scheme = text.split("://").next().unwrap_or_default();
    let is_tls = scheme.eq_ignore_ascii_case("https");
    if !(is_tls || scheme.eq_ignore_ascii_case("http")) || scheme.len() == text.len() {
        let help = format!("write \"proxy_pass http://{text};\"");
        return Err(call.invalid(0, "it must begin with http:// or https://").help(help));
    }
    let rest = &text[scheme.len() + "://".len()..];
    let (host, uri) = authority_and_uri(rest);
    let uri = match uri.bytes().next() {
        None => None,
        Some(b'?') => Some(format!("/{uri}")),
        Some(_) => Some(uri.to_owned()),
    };
    if uri.as_deref().is_some_and(|uri| uri.bytes().any(|b| b <= b' ' || b == 0x7f)) {
        return Err(call.invalid(0, "there is a space or control character in its path"));
    }
    let upstream = cx.upstream(call, host, if is_tls { 443 } else { 80 })?;
    // Which way of TLS and which settings it is, is known when the whole location is read.
    let tls = is_tls.then_some(0);
    let (to, settings) = (PassTo::Upstream(upstream), cx.proxy_defaults.clone());
    actions.proxy = Some(ProxyPass { to, host: host.to_owned(), uri, tls, settings });
    Ok(())
}

/// A path follows the path of a unix socket behind a colon.
fn authority_and_uri(rest: &str) -> (&str, &str) {
    if let Some(path) = rest.strip_prefix("unix:") {
        let end = path.find(':').unwrap_or(path.len());
        return (&rest[.."unix:".len() + end], path[end..].strip_prefix(':').unwrap_or_default());
    }
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

fn set_header(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let headers = &mut level.proxy.set_headers;
    if call.first {
        headers.clear();
    }
    check_field(call)?;
    let value = cx.template(call.word(1))?;
    headers.push((call.text(0).to_owned(), value));
    Ok(())
}

/// Whether the first two arguments can be a header.
pub(super) fn check_field(call: &Call<'_>) -> Outcome {
    let name = call.text(0);
    if name.is_empty() || !name.bytes().all(is_token) {
        let bare = name.trim_end_matches(':');
        let wrong = call.invalid(0, "a header's name has letters, digits and hyphens");
        return Err(if bare == name { wrong } else { wrong.help(format!("write \"{bare}\" without the colon")) });
    }
    if call.text(1).bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f) {
        return Err(call.invalid(1, "a header's value has no line breaks or control characters"));
    }
    Ok(())
}

fn next_upstream(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    const STATUSES: [u16; 7] = [403, 404, 429, 500, 502, 503, 504];
    const WORDS: [&str; 12] = [
        "error",
        "timeout",
        "invalid_header",
        "non_idempotent",
        "off",
        "http_403",
        "http_404",
        "http_429",
        "http_500",
        "http_502",
        "http_503",
        "http_504",
    ];
    let mut next = NextUpstream::default();
    let mut off = false;
    for (index, word) in call.args().iter().enumerate() {
        if call.args()[..index].iter().any(|earlier| earlier.text == word.text) {
            let message = format!("\"{}\" is listed twice", word.text);
            cx.report(Diagnostic::warning("listed-twice", &word.place, message));
            continue;
        }
        let status = word.text.strip_prefix("http_").and_then(|digits| digits.parse().ok());
        match word.text.as_str() {
            "error" => next.error = true,
            "timeout" => next.timeout = true,
            "invalid_header" => next.invalid_header = true,
            "non_idempotent" => next.non_idempotent = true,
            "off" => off = true,
            "updating" => cx.report(call.not_yet(index, "caching")),
            _ => match status.filter(|status| STATUSES.contains(status)) {
                Some(status) => next.statuses.push(status),
                None => cx.report(call.unknown_word(index, "word of \"proxy_next_upstream\"", WORDS)),
            },
        }
    }
    // As in nginx, `off` among other words puts them all aside.
    level.proxy.next_upstream = if off { NextUpstream::default() } else { next };
    level.next_upstream_place = Some(call.node.name.place.clone());
    Ok(())
}

/// A character of a token of RFC 9110, which names of headers and methods are made of.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
