//! Rules about a request before it is served: what it is changed to, and on which conditions.

use super::{Apply, Block, Contexts, Directive, Ignored, Takes};
use crate::build::{Actions, Call, Cx, Outcome, compiled, settable};
use crate::template::{Part, Template};
use crate::tree::{AfterRewrite, Return, Rewrite, Rule};

/// nginx's own bound for the status of `return`.
const MAX_STATUS: u64 = 999;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "return",
        contexts: Contexts::RULES,
        takes: Takes::between(1, 2),
        repeats: true,
        default: "",
        doc: "Answers with a status and a text, or with a redirect.",
        example: "return 301 https://$host$request_uri;",
        apply: Apply::Action(returns),
    },
    Directive {
        name: "set",
        contexts: Contexts::RULES,
        takes: Takes::exactly(2),
        repeats: true,
        default: "",
        doc: "Sets a variable for the rest of the request.",
        example: "set $example $host;",
        apply: Apply::Action(set),
    },
    Directive {
        name: "rewrite",
        contexts: Contexts::RULES,
        takes: Takes::between(2, 3),
        repeats: true,
        default: "",
        doc: "Changes a path that a regular expression matches, or redirects the client.",
        example: "rewrite ^/old/(.*)$ /new/$1 last;",
        apply: Apply::Action(rewrite),
    },
    Directive {
        name: "break",
        contexts: Contexts::RULES,
        takes: Takes::exactly(0),
        repeats: true,
        default: "",
        doc: "Ends the rules: the request stays where it is.",
        example: "break;",
        apply: Apply::Action(|actions, _, _| {
            actions.rules.push(Rule::Break);
            Ok(())
        }),
    },
    Directive {
        name: "if",
        contexts: Contexts::PLACES,
        takes: Takes::block(1, usize::MAX),
        repeats: true,
        default: "",
        doc: "Rules and settings for requests that meet a condition.",
        example: "if ($request_method = POST) { return 405; }",
        apply: Apply::Block(Block::If),
    },
    Directive {
        name: "rewrite_log",
        contexts: Contexts::ALL_RULES,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Accepted, without effect.",
        example: "rewrite_log on;",
        apply: Apply::NoEffect("rules are not logged", Ignored::Switch),
    },
    Directive {
        name: "uninitialized_variable_warn",
        contexts: Contexts::ALL_RULES,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Accepted, without effect.",
        example: "uninitialized_variable_warn off;",
        apply: Apply::NoEffect("a variable that was not set is empty, and nothing is logged", Ignored::Switch),
    },
];

/// `return CODE`, `return CODE TEXT`, `return URL`.
fn returns(actions: &mut Actions, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let first = call.text(0);
    let returns = if call.args().len() == 1 && is_address(first) {
        Return { status: 302, text: Some(cx.template(call.word(0))?) }
    } else {
        let status = call.number_to(0, 0, MAX_STATUS).map_err(|wrong| {
            wrong.help(
                "write a status such as 404, a status and a text, or an address that begins with http:// or https://",
            )
        })?;
        let text = call.args().get(1).map(|word| cx.template(word)).transpose()?;
        Return { status: u16::try_from(status).unwrap_or_default(), text }
    };
    actions.rules.push(Rule::Return(returns));
    Ok(())
}

/// Whether the client is sent elsewhere.
fn is_address(text: &str) -> bool {
    ["http://", "https://", "$scheme"].iter().any(|prefix| text.starts_with(prefix))
}

/// `set $NAME VALUE`.
fn set(actions: &mut Actions, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let variable = settable(call.word(0), cx)?;
    let value = cx.template(call.word(1))?;
    actions.rules.push(Rule::Set { variable, value });
    Ok(())
}

/// `rewrite PATTERN REPLACEMENT [last|break|redirect|permanent]`.
fn rewrite(actions: &mut Actions, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    const FLAGS: [&str; 4] = ["last", "break", "redirect", "permanent"];
    let pattern = compiled(call.word(0), call.text(0), false)?;
    let written = call.text(1);
    let then = match call.args().get(2).map(|word| word.text.as_str()) {
        Some("permanent") => AfterRewrite::Redirect(301),
        Some("redirect") => AfterRewrite::Redirect(302),
        None | Some("last" | "break") if is_address(written) => AfterRewrite::Redirect(302),
        None => AfterRewrite::GoOn,
        Some("last") => AfterRewrite::Last,
        Some("break") => AfterRewrite::Break,
        Some(_) => return Err(call.unknown_word(2, "flag of \"rewrite\"", FLAGS)),
    };
    let mut template = cx.template(call.word(1))?;
    // The last "?" is no part of the replacement: it drops the arguments that the request had.
    let keeps_args = !strip_last_mark(&mut template);
    let (path, args) = match then {
        AfterRewrite::Redirect(_) => (template, None),
        _ => split_at_mark(template),
    };
    actions.rules.push(Rule::Rewrite(Box::new(Rewrite { pattern, path, args, keeps_args, then })));
    Ok(())
}

/// Takes a `?` off the end; whether there was one.
fn strip_last_mark(template: &mut Template) -> bool {
    let Some(Part::Text(text)) = template.parts.last_mut() else { return false };
    let had = text.ends_with('?');
    if had {
        text.pop();
    }
    if text.is_empty() {
        template.parts.pop();
    }
    had
}

/// The path before the first `?`, and the arguments behind it.
fn split_at_mark(template: Template) -> (Template, Option<Template>) {
    let mut parts = template.parts;
    let found = parts.iter().enumerate().find_map(|(index, part)| match part {
        Part::Text(text) => text.find('?').map(|at| (index, at)),
        _ => None,
    });
    let Some((index, at)) = found else { return (Template { parts }, None) };
    let mut args = parts.split_off(index);
    if let Some(Part::Text(text)) = args.first_mut() {
        let behind = text.split_off(at + 1);
        text.pop();
        let before = std::mem::replace(text, behind);
        parts.extend(Some(Part::Text(before)).filter(|part| *part != Part::Text(String::new())));
    }
    args.retain(|part| *part != Part::Text(String::new()));
    (Template { parts }, Some(Template { parts: args }))
}
