//! Directives that say who may enter: by address, by name and password, by method.

use super::{Apply, Block, Contexts, Directive, Takes};
use crate::Net;
use crate::build::{Call, Inherited, Outcome, path_template_below};
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
            level.settings.access.user_file = Some(path_template_below(&folder, call.word(0), cx)?);
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
