//! Directives that make addresses and cookies in an upstream's answer fit the client's side.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{self, Call, Cx, Inherited, Outcome};
use crate::template::{Part, Template};
use crate::tree::{CookieChange, CookieFlags, Pattern, Redirect, Replacement, SameSite, Subject};

/// The most rules of a kind that one level has: each is compared with fields of every answer.
const RULES_MAX: usize = 256;
/// What may be done to a cookie's flags.
const FLAGS: [&str; 8] =
    ["secure", "httponly", "samesite=strict", "samesite=lax", "samesite=none", "nosecure", "nohttponly", "nosamesite"];

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "proxy_redirect",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 2),
        repeats: true,
        default: "default",
        doc: "What becomes of addresses in the upstream's Location and Refresh. One puts aside all from above.",
        example: "proxy_redirect http://app:9080/ /;",
        apply: Apply::Inherited(redirect),
    },
    Directive {
        name: "proxy_cookie_domain",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 2),
        repeats: true,
        default: "off",
        doc: "What becomes of the Domain of the upstream's cookies. One puts aside all from above.",
        example: "proxy_cookie_domain app.internal www.example.com;",
        apply: Apply::Inherited(|level, call, cx| {
            let rules = &mut level.proxy.cookie_domains;
            let Some((from, to)) = pair(&mut level.off, rules, call, cx)? else { return Ok(()) };
            // As in nginx, a dot before a domain means nothing, and patterns ignore case.
            rules.push(match from {
                Subject::Pattern(pattern) => {
                    Replacement { from: Subject::Pattern(Pattern { ignore_case: true, ..pattern }), to }
                }
                Subject::Text(from) => Replacement { from: Subject::Text(without_dot(from)), to: without_dot(to) },
            });
            Ok(())
        }),
    },
    Directive {
        name: "proxy_cookie_path",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 2),
        repeats: true,
        default: "off",
        doc: "What becomes of the Path of the upstream's cookies. One puts aside all from above.",
        example: "proxy_cookie_path /app/ /;",
        apply: Apply::Inherited(|level, call, cx| {
            let rules = &mut level.proxy.cookie_paths;
            if let Some((from, to)) = pair(&mut level.off, rules, call, cx)? {
                rules.push(Replacement { from, to });
            }
            Ok(())
        }),
    },
    Directive {
        name: "proxy_cookie_flags",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 4),
        repeats: true,
        default: "off",
        doc: "Flags that the upstream's cookies of that name get or lose. One puts aside all from above.",
        example: "proxy_cookie_flags JSESSIONID secure samesite=lax;",
        apply: Apply::Inherited(flags),
    },
];

/// `off`, `default`, or an address and what it becomes.
fn redirect(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let rules = &mut level.proxy.redirects;
    begin(&mut level.off, rules, call)?;
    match call.text(0) {
        _ if call.args().len() == 2 => {
            let (from, to) = (subject(call, cx)?, cx.template(call.word(1))?);
            rules.push(Redirect::Rule(Replacement { from, to }));
        }
        "off" => {}
        "default" => rules.push(Redirect::Default),
        _ => return Err(call.unknown_word(0, "rule", ["default", "off"]).help("write what it becomes, too")),
    }
    Ok(())
}

/// A subject and what takes its place; `None` where `off` is written.
fn pair<T>(
    off: &mut Vec<&'static str>,
    rules: &mut Vec<T>,
    call: &Call<'_>,
    cx: &mut Cx<'_>,
) -> Result<Option<(Subject, Template)>, Diagnostic> {
    begin(off, rules, call)?;
    if call.args().len() == 1 {
        return only_off(call).map(|()| None);
    }
    Ok(Some((subject(call, cx)?, cx.template(call.word(1))?)))
}

fn flags(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let rules = &mut level.proxy.cookie_flags;
    begin(&mut level.off, rules, call)?;
    if call.args().len() == 1 {
        return only_off(call);
    }
    let cookie = subject(call, cx)?;
    let mut change = CookieChange::default();
    for (index, word) in call.args().iter().enumerate().skip(1) {
        match word.text.to_ascii_lowercase().as_str() {
            "secure" => change.secure = Some(true),
            "nosecure" => change.secure = Some(false),
            "httponly" => change.http_only = Some(true),
            "nohttponly" => change.http_only = Some(false),
            "samesite" | "samesite=strict" => change.same_site = Some(SameSite::Strict),
            "samesite=lax" => change.same_site = Some(SameSite::Lax),
            "samesite=none" => change.same_site = Some(SameSite::None),
            "nosamesite" => change.same_site = Some(SameSite::Removed),
            text if text.contains('$') => return Err(call.not_yet(index, "variables in the flags of cookies")),
            _ => return Err(call.unknown_word(index, "flag of a cookie", FLAGS)),
        }
    }
    rules.push(CookieFlags { cookie, change });
    Ok(())
}

/// The first of a block puts aside those from above. What stands beside `off` is refused, as in nginx.
fn begin<T>(off: &mut Vec<&'static str>, rules: &mut Vec<T>, call: &Call<'_>) -> Outcome {
    let is_off = call.args().len() == 1 && call.text(0) == "off";
    if call.first {
        rules.clear();
        off.retain(|name| *name != call.name);
    } else if is_off || off.contains(&call.name) {
        return Err(beside_off(call));
    }
    if is_off {
        off.push(call.name);
    }
    if rules.len() == RULES_MAX {
        return Err(call.invalid(0, format!("there are {RULES_MAX} of them already")));
    }
    Ok(())
}

fn only_off(call: &Call<'_>) -> Outcome {
    if call.text(0) == "off" {
        return Ok(());
    }
    Err(call.unknown_word(0, "rule", ["off"]).help("write what it becomes, too, or \"off\" alone"))
}

fn beside_off(call: &Call<'_>) -> Diagnostic {
    let message = format!("\"{}\" is duplicate: beside \"off\" there is none", call.name);
    Diagnostic::error("duplicate-directive", &call.node.name.place, message)
}

/// The first argument: a text, or a regular expression behind `~` or `~*`.
fn subject(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<Subject, Diagnostic> {
    let word = call.word(0);
    match word.text.strip_prefix('~') {
        // nginx's own documentation writes it for all cookies.
        Some("" | "*") => Ok(Subject::Pattern(Pattern { source: String::new(), ignore_case: false, has_names: false })),
        Some(pattern) => Ok(Subject::Pattern(build::pattern_of(word, pattern)?)),
        None => Ok(Subject::Text(cx.template(word)?)),
    }
}

fn without_dot(mut domain: Template) -> Template {
    if let Some(Part::Text(text)) = domain.parts.first_mut()
        && text.starts_with('.')
    {
        text.remove(0);
    }
    domain
}
