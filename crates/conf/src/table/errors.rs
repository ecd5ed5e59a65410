//! What becomes of errors, what every answer gets, and how redirects are written.

use super::{Apply, Contexts, Directive, Ignored, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Inherited, Outcome};
use crate::tree::{AddedHeader, ErrorPage, Expires, ExpiresRule};

/// The fields that one level adds: each is rendered for every answer.
const ADDED_MAX: usize = 256;
/// The pages of one level: each is looked through for every error.
const PAGES_MAX: usize = 256;

/// Types of one level: each is compared with that of every answer.
const TYPES_MAX: usize = 256;

const TOKENS: &str = "the name of the server has no version, whatever is written";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "error_page",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::at_least(2),
        repeats: true,
        default: "",
        doc: "Where a request goes on when an answer of these statuses is due. One puts aside all from above.",
        example: "error_page 500 502 503 504 =200 /50x.html;",
        apply: Apply::Inherited(error_page),
    },
    Directive {
        name: "recursive_error_pages",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether an error of an error page has an error page too.",
        example: "recursive_error_pages on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.recursive_error_pages = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_intercept_errors",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether error_page holds for answers of upstream servers too.",
        example: "proxy_intercept_errors on;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.intercept_errors = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "add_header",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::between(2, 3),
        repeats: true,
        default: "",
        doc: "A header added to answers: 2xx and 3xx, or all of them (always). One puts aside all from above.",
        example: "add_header X-Frame-Options DENY always;",
        apply: Apply::Inherited(add_header),
    },
    Directive {
        name: "add_trailer",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::between(2, 3),
        repeats: true,
        default: "",
        doc: "A field behind the body of a server's answer, in chunks or over HTTP/2: of 2xx and 3xx, or all (always).",
        example: "add_trailer X-Example $upstream_status always;",
        apply: Apply::Inherited(add_trailer),
    },
    Directive {
        name: "expires",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "off",
        doc: "How long clients may keep answers: Expires and Cache-Control.",
        example: "expires 30d;",
        apply: Apply::Inherited(expires),
    },
    Directive {
        name: "charset",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "The charset that a Content-Type gets which names none.",
        example: "charset utf-8;",
        apply: Apply::Inherited(|level, call, cx| {
            let charset = cx.template(call.word(0))?;
            if call.text(0).bytes().any(|byte| !byte.is_ascii_graphic()) {
                return Err(call.invalid(0, "a charset is a name such as utf-8"));
            }
            level.settings.charset = Some(charset).filter(|_| call.text(0) != "off");
            Ok(())
        }),
    },
    Directive {
        name: "charset_types",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: false,
        default: "text/html text/xml text/plain text/vnd.wap.wml application/javascript application/rss+xml",
        doc: "The types that charset is for, beside text/html; * is any.",
        example: "charset_types text/css application/json;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.charset_types = media_types(call)?.into();
            Ok(())
        }),
    },
    Directive {
        name: "server_tokens",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Accepted, without effect.",
        example: "server_tokens off;",
        apply: Apply::NoEffect(TOKENS, Ignored::Text),
    },
    Directive {
        name: "absolute_redirect",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether redirects to a path name scheme, host and port.",
        example: "absolute_redirect off;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.redirects.are_absolute = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "port_in_redirect",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether they name the port where it is not the scheme's own.",
        example: "port_in_redirect off;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.redirects.have_port = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "server_name_in_redirect",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether they name the server's first name, and not the host that was asked for.",
        example: "server_name_in_redirect on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.redirects.have_server_name = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "merge_slashes",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether two slashes in a path are as one.",
        example: "merge_slashes off;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.merge_slashes = call.switch(0)?;
            Ok(())
        }),
    },
];

/// `error_page CODE... [=[CODE]] TARGET`.
fn error_page(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let pages = &mut level.settings.error_pages;
    if call.first {
        pages.clear();
    }
    let last = call.args().len() - 1;
    let sign = call.text(last - 1).strip_prefix('=');
    let codes = if sign.is_some() { last - 1 } else { last };
    let status = match sign {
        None => None,
        Some("") => Some(0),
        Some(digits) => {
            let status = digits.parse().ok().filter(|_| digits.len() == 3);
            Some(status.ok_or_else(|| call.invalid(last - 1, "behind \"=\" stands a status such as 200, or nothing"))?)
        }
    };
    if codes == 0 {
        return Err(call.invalid(0, "the statuses that it is for must come first"));
    }
    let mut page = ErrorPage { statuses: Vec::new(), status, target: cx.template(call.word(last))? };
    for index in 0..codes {
        let status = call.number_to(index, 300, 599)?;
        if status == 499 {
            return Err(call.invalid(index, "of a client that is gone nobody would see a page"));
        }
        page.statuses.extend(u16::try_from(status));
    }
    if pages.len() == PAGES_MAX {
        return Err(call.invalid(0, format!("there are {PAGES_MAX} of them already")));
    }
    pages.push(page);
    Ok(())
}

/// `add_header NAME VALUE [always]`.
fn add_header(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    add_field(&mut level.settings.add_headers, call, cx)
}

/// `add_trailer NAME VALUE [always]`.
fn add_trailer(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    add_field(&mut level.settings.add_trailers, call, cx)
}

fn add_field(headers: &mut Vec<AddedHeader>, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    if call.first {
        headers.clear();
    }
    let always = match call.args().get(2).map(|word| word.text.as_str()) {
        None => false,
        Some("always") => true,
        Some(_) => return Err(call.unknown_word(2, &format!("parameter of \"{}\"", call.name), ["always"])),
    };
    if headers.len() == ADDED_MAX {
        return Err(call.invalid(0, format!("there are {ADDED_MAX} of them already")));
    }
    super::proxy::check_field(call)?;
    let (name, value) = (call.text(0), cx.template(call.word(1))?);
    if ["content-length", "transfer-encoding", "connection"].iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        // Many files have it of old, in their answers to OPTIONS.
        let message = format!("\"{name}\" is not added: bedloe writes this header itself, for it frames the answer");
        cx.report(Diagnostic::warning("not-added", &call.word(0).place, message).help("remove the line"));
        return Ok(());
    }
    headers.push(AddedHeader { name: name.to_owned(), value, always });
    Ok(())
}

/// `expires [modified] TIME|off|epoch|max`.
fn expires(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let last = call.args().len() - 1;
    let since_modified = last == 1;
    if since_modified && call.text(0) != "modified" {
        return Err(call.unknown_word(0, "word before a time", ["modified"]));
    }
    let text = cx.template(call.word(last))?;
    level.settings.expires = match text.literal() {
        None => Some(ExpiresRule::Text { text, since_modified }),
        Some(text) => match Expires::parse(text, since_modified).map_err(|why| call.invalid(last, why))? {
            Expires::Off => None,
            fixed => Some(ExpiresRule::Fixed(fixed)),
        },
    };
    Ok(())
}

/// What `charset_types` is where none is written.
pub(crate) const CHARSET_TYPES: [&str; 6] =
    ["text/html", "text/xml", "text/plain", "text/vnd.wap.wml", "application/javascript", "application/rss+xml"];

/// Types of content, in small letters; `text/html` is always among them, as in nginx.
pub(super) fn media_types(call: &Call<'_>) -> Result<Vec<String>, crate::Diagnostic> {
    let mut types = vec!["text/html".to_owned()];
    for (index, word) in call.args().iter().enumerate() {
        let text = word.text.to_ascii_lowercase();
        if text != "*" && text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(call.invalid(index, "a type is written as text/css, or * for any"));
        }
        if types.len() == TYPES_MAX {
            return Err(call.invalid(index, format!("there are {TYPES_MAX} of them already")));
        }
        if !types.contains(&text) {
            types.push(text);
        }
    }
    Ok(types)
}
