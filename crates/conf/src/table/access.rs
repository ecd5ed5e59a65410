//! Directives that say who may enter: by address, by name and password, by method.

use std::path::Path;

use super::{Apply, Block, Contexts, Directive, Takes};
use crate::Net;
use crate::build::{Call, Cx, Inherited, Outcome, path_template_below, settable};
use crate::tree::{AccessRule, Who};

/// Rules of one level: each is compared with the address of every request's client.
const RULES_MAX: usize = 10_000;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "allow",
        contexts: Contexts::GATES,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "Clients that may enter: an address, a range, unix: or all. The first rule that is meant holds.",
        example: "allow 10.0.0.0/8;",
        apply: Apply::Inherited(|level, call, _| rule(level, call, true)),
    },
    Directive {
        name: "deny",
        contexts: Contexts::GATES,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "Clients that get 403: an address, a range, unix: or all. The first rule that is meant holds.",
        example: "deny all;",
        apply: Apply::Inherited(|level, call, _| rule(level, call, false)),
    },
    Directive {
        name: "satisfy",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "all",
        doc: "Whether a client must pass all that bars its way, or any of it.",
        example: "satisfy any;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.access.is_any_enough = match call.text(0) {
                "all" => false,
                "any" => true,
                _ => return Err(call.unknown_word(0, "rule", ["all", "any"])),
            };
            Ok(())
        }),
    },
    Directive {
        name: "auth_basic",
        contexts: Contexts::GATES,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Asks for a name and a password, for this realm.",
        example: "auth_basic \"staff only\";",
        apply: Apply::Inherited(|level, call, cx| {
            let realm = cx.template(call.word(0))?;
            level.settings.access.realm = Some(realm).filter(|_| call.text(0) != "off");
            Ok(())
        }),
    },
    Directive {
        name: "auth_basic_user_file",
        contexts: Contexts::GATES,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The file of names and passwords, as htpasswd writes it.",
        example: "auth_basic_user_file /etc/nginx/htpasswd;",
        apply: Apply::Inherited(|level, call, cx| {
            let folder = cx.folder.clone();
            let path = path_template_below(&folder, call.word(0), cx)?;
            if let Some(path) = path.literal() {
                cx.reads(Path::new(path), "auth_basic_user_file", &call.word(0).place);
            }
            level.settings.access.user_file = Some(path);
            Ok(())
        }),
    },
    Directive {
        name: "auth_request",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Asks this path whether a request may enter: 2xx lets it in, 401 and 403 are passed on, else it is a 500.",
        example: "auth_request /auth;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.access.request = match call.text(0) {
                "off" => None,
                path if path.starts_with('/') => Some(path.to_owned()),
                _ => return Err(call.invalid(0, "a path of this server begins with \"/\"; or write off")),
            };
            Ok(())
        }),
    },
    Directive {
        name: "auth_request_set",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(2),
        repeats: true,
        default: "",
        doc: "Sets a variable to what is known when auth_request's path has answered. One puts aside all from above.",
        example: "auth_request_set $example $upstream_http_x_user;",
        apply: Apply::Inherited(|level, call, cx| {
            let variable = settable(call.word(0), cx)?;
            let value = cx.template(call.word(1))?;
            let sets = &mut level.settings.access.request_sets;
            if call.first {
                sets.clear();
            }
            sets.push((variable, value));
            Ok(())
        }),
    },
    Directive {
        name: "set_real_ip_from",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "Proxies whose word is taken for where a request comes from: an address, a range, a name or unix:.",
        example: "set_real_ip_from 10.0.0.0/8;",
        apply: Apply::Inherited(real_ip_from),
    },
    Directive {
        name: "real_ip_header",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "X-Real-IP",
        doc: "The header in which they say it; or proxy_protocol, for what stands before the connection's first byte.",
        example: "real_ip_header X-Forwarded-For;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.real_ip.header = call.text(0).to_owned();
            Ok(())
        }),
    },
    Directive {
        name: "real_ip_recursive",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether of several addresses in it the last is meant that is none of those proxies.",
        example: "real_ip_recursive on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.real_ip.is_recursive = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "limit_except",
        contexts: Contexts::LOCATION,
        takes: Takes::block(1, usize::MAX),
        repeats: false,
        default: "",
        doc: "What holds for all methods but these; GET brings HEAD with it.",
        example: "limit_except GET { deny all; }",
        apply: Apply::Block(Block::LimitExcept),
    },
];

fn rule(level: &mut Inherited, call: &Call<'_>, allows: bool) -> Outcome {
    let who = match call.text(0) {
        "all" => Who::All,
        "unix:" => Who::Unix,
        text => Who::Net(Net::parse(text).map_err(|why| call.invalid(0, why))?),
    };
    if !level.has_access_rules {
        level.has_access_rules = true;
        level.settings.access.rules.clear();
    }
    let rules = &mut level.settings.access.rules;
    if rules.len() == RULES_MAX {
        return Err(call.invalid(0, format!("there are {RULES_MAX} of them already")));
    }
    rules.push(AccessRule { who, allows });
    Ok(())
}

fn real_ip_from(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let word = call.word(0);
    let found = match word.text.as_str() {
        "unix:" => vec![Who::Unix],
        text => match Net::parse(text) {
            Ok(net) => vec![Who::Net(net)],
            Err(why) if text.contains(['/', ':']) || text.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err(call.invalid(0, why));
            }
            Err(_) => cx.resolve(word, text, 0)?.into_iter().map(|address| Who::Net(Net::one(address.ip()))).collect(),
        },
    };
    if call.first {
        level.settings.real_ip.from.clear();
    }
    let from = &mut level.settings.real_ip.from;
    if from.len() + found.len() > RULES_MAX {
        return Err(call.invalid(0, format!("there are {RULES_MAX} of them already")));
    }
    from.extend(found);
    Ok(())
}
