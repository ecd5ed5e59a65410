//! The blocks of `http`, and the names of a server.

use super::{Apply, Block, Contexts, Directive, Takes};
use crate::build::{Call, Cx, Outcome, ServerDraft, compiled};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "server",
        contexts: Contexts::HTTP,
        takes: Takes::block(0, 0),
        repeats: true,
        default: "",
        doc: "A virtual server, found by address and name.",
        example: "server { return 404; }",
        apply: Apply::Block(Block::Server),
    },
    Directive {
        name: "location",
        contexts: Contexts::PLACES,
        takes: Takes::block(1, 2),
        repeats: true,
        default: "",
        doc: "What is done with paths: by prefix (^~ for good), one path (=), pattern (~, ~*), or by name (@).",
        example: "location = /example { return 404; }",
        apply: Apply::Block(Block::Location),
    },
    Directive {
        name: "map",
        contexts: Contexts::HTTP,
        takes: Takes::block(2, 2),
        repeats: true,
        default: "",
        doc: "A variable whose value is looked up by another's.",
        example: "map $http_upgrade $connection_upgrade { default upgrade; '' close; }",
        apply: Apply::Block(Block::Map),
    },
    Directive {
        name: "geo",
        contexts: Contexts::HTTP,
        takes: Takes::block(1, 2),
        repeats: true,
        default: "",
        doc: "A variable whose value is looked up by the client's address, or by that of a variable.",
        example: "geo $is_local { default 0; 127.0.0.0/8 1; ::1 1; }",
        apply: Apply::Block(Block::Geo),
    },
    Directive {
        name: "split_clients",
        contexts: Contexts::HTTP,
        takes: Takes::block(2, 2),
        repeats: true,
        default: "",
        doc: "A variable whose value is one of several, by shares of all that a text may be.",
        example: "split_clients $remote_addr $variant { 10% new; * old; }",
        apply: Apply::Block(Block::SplitClients),
    },
    Directive {
        name: "server_name",
        contexts: Contexts::SERVER,
        takes: Takes::at_least(1),
        repeats: true,
        default: "\"\"",
        doc: "The names of a virtual server.",
        example: "server_name example.com www.example.com;",
        apply: Apply::Server(server_name),
    },
];

fn server_name(draft: &mut ServerDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    for (index, word) in call.args().iter().enumerate() {
        let text = word.text.as_str();
        if let Some(source) = text.strip_prefix('~') {
            match compiled(word, source, true) {
                Ok(_) => draft.names.push((text.to_owned(), word.place.clone())),
                Err(wrong) => cx.report(wrong),
            }
            continue;
        }
        if text == "$hostname" {
            draft.names.push((cx.options.hostname.to_ascii_lowercase(), word.place.clone()));
            continue;
        }
        if text.contains('$') {
            cx.report(call.not_yet(index, "variables in names"));
            continue;
        }
        if !is_name_or_wildcard(text) {
            let wrong = call.invalid(index, "a star stands for whole parts, at one end: *.example.com, www.example.*");
            cx.report(wrong.help("for anything else write a regular expression behind \"~\""));
            continue;
        }
        if text.contains(['/', ':']) {
            let message = format!("no request has the server name \"{text}\"");
            let help = "write the host alone, without scheme, port or path";
            cx.report(crate::Diagnostic::warning("suspicious-server-name", &word.place, message).help(help));
        }
        draft.names.push((text.to_ascii_lowercase(), word.place.clone()));
    }
    Ok(())
}

/// A name without a star, `*.NAME`, `.NAME` or `NAME.*`.
fn is_name_or_wildcard(text: &str) -> bool {
    let bare = text.strip_prefix("*.").or_else(|| text.strip_suffix(".*")).or_else(|| text.strip_prefix('.'));
    let bare = bare.unwrap_or(text);
    !bare.contains('*') && !text.contains("..") && (!bare.is_empty() || text.is_empty())
}
