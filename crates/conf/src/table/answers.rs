//! Directives for answers of upstream servers: which of their fields go on to the client, which of them command
//! (`X-Accel-*`), how fast a client is served.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Inherited, Outcome};
use crate::template::Template;
use crate::value;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "proxy_hide_header",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "A header of the upstream's answer that the client does not get. One puts aside all from above.",
        example: "proxy_hide_header X-Powered-By;",
        apply: Apply::Inherited(|level, call, _| add(&mut level.proxy.hide_headers, call)),
    },
    Directive {
        name: "proxy_pass_header",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "A header of the upstream's answer that is passed on though it is hidden by default (Server, Date).",
        example: "proxy_pass_header Server;",
        apply: Apply::Inherited(|level, call, _| add(&mut level.proxy.pass_headers, call)),
    },
    Directive {
        name: "proxy_ignore_headers",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: false,
        default: "",
        doc: "Headers of the upstream's answer that command nothing: X-Accel-Redirect and its like.",
        example: "proxy_ignore_headers X-Accel-Redirect X-Accel-Limit-Rate;",
        apply: Apply::Inherited(ignore_headers),
    },
    Directive {
        name: "limit_rate",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::exactly(1),
        repeats: false,
        default: "0",
        doc: "Bytes a second at which one answer is sent at most; 0 is no limit.",
        example: "limit_rate 100k;",
        apply: Apply::Inherited(|level, call, cx| {
            level.settings.limit_rate = rate(call, cx)?;
            Ok(())
        }),
    },
    Directive {
        name: "limit_rate_after",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::exactly(1),
        repeats: false,
        default: "0",
        doc: "How much of an answer is sent before limit_rate holds.",
        example: "limit_rate_after 500k;",
        apply: Apply::Inherited(|level, call, cx| {
            level.settings.limit_rate_after = rate(call, cx)?;
            Ok(())
        }),
    },
    Directive {
        name: "internal",
        contexts: Contexts::LOCATION,
        takes: Takes::exactly(0),
        repeats: false,
        default: "",
        doc: "Only rules, error pages and an answer's X-Accel-Redirect lead here; for clients it is a 404.",
        example: "internal;",
        apply: Apply::Action(|actions, _, _| {
            actions.is_internal = true;
            Ok(())
        }),
    },
];

/// The most names that one level hides or passes: each is compared with fields of every answer.
const NAMES_MAX: usize = 256;

fn add(names: &mut Vec<String>, call: &Call<'_>) -> Outcome {
    if call.first {
        names.clear();
    }
    if names.len() == NAMES_MAX {
        return Err(call.invalid(0, format!("there are {NAMES_MAX} of them already")));
    }
    names.push(call.text(0).to_ascii_lowercase());
    Ok(())
}

fn ignore_headers(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    const NAMES: [&str; 9] = [
        "X-Accel-Redirect",
        "X-Accel-Expires",
        "X-Accel-Limit-Rate",
        "X-Accel-Buffering",
        "X-Accel-Charset",
        "Expires",
        "Cache-Control",
        "Set-Cookie",
        "Vary",
    ];
    let ignored = &mut level.proxy.ignore_headers;
    ignored.clear();
    for (index, word) in call.args().iter().enumerate() {
        if ignored.iter().any(|earlier| word.text.eq_ignore_ascii_case(earlier)) {
            let message = format!("\"{}\" is listed twice", word.text);
            cx.report(Diagnostic::warning("listed-twice", &word.place, message));
        } else if NAMES.iter().any(|name| word.text.eq_ignore_ascii_case(name)) {
            ignored.push(word.text.to_ascii_lowercase());
        } else {
            cx.report(call.unknown_word(index, "header of \"proxy_ignore_headers\"", NAMES));
        }
    }
    Ok(())
}

/// A size, or a text with variables that is one when a request comes. 0 is none.
fn rate(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<Option<Template>, Diagnostic> {
    if !call.text(0).contains('$') && call.size(0)? == 0 {
        return Ok(None);
    }
    cx.template(call.word(0)).map(Some)
}

/// The number of bytes that a rendered rate stands for; one that is none limits nothing, as in nginx.
pub fn rate_of(text: &[u8]) -> u64 {
    std::str::from_utf8(text).ok().and_then(|text| value::size(text).ok()).unwrap_or(0)
}
