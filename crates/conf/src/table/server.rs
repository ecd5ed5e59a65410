//! The blocks of `http`, the names of a server, and what it answers by itself.

use super::{Apply, Block, Contexts, Directive, Takes};
use crate::build::{Actions, Call, Cx, Outcome, ServerDraft};
use crate::tree::Return;

/// nginx's own bound for the status of `return`.
const MAX_STATUS: u64 = 999;

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
        contexts: Contexts::SERVER,
        takes: Takes::block(1, 2),
        repeats: true,
        default: "",
        doc: "What is done with paths that begin with a prefix, or with one path (=).",
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
        name: "server_name",
        contexts: Contexts::SERVER,
        takes: Takes::at_least(1),
        repeats: true,
        default: "\"\"",
        doc: "The names of a virtual server.",
        example: "server_name example.com www.example.com;",
        apply: Apply::Server(server_name),
    },
    Directive {
        name: "return",
        contexts: Contexts::SERVER,
        takes: Takes::between(1, 2),
        repeats: true,
        default: "",
        doc: "Answers with a status and a text, or with a redirect.",
        example: "return 301 https://$host$request_uri;",
        apply: Apply::Action(returns),
    },
    Directive {
        name: "return",
        contexts: Contexts::LOCATION,
        takes: Takes::between(1, 2),
        repeats: true,
        default: "",
        doc: "Answers with a status and a text, or with a redirect.",
        example: "return 200 \"ok\\n\";",
        apply: Apply::Action(returns),
    },
];

fn server_name(draft: &mut ServerDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    for (index, word) in call.args().iter().enumerate() {
        let text = word.text.as_str();
        let refused = match text {
            _ if text.starts_with('~') => Some("names by regular expression"),
            _ if text.contains('*') || text.starts_with('.') => Some("names with wildcards"),
            _ if text.contains('$') => Some("variables in names"),
            _ => None,
        };
        if let Some(area) = refused {
            cx.report(call.not_yet(index, area));
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

/// `return CODE`, `return CODE TEXT`, `return URL`. The first one written is the one that answers.
fn returns(actions: &mut Actions, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let first = call.text(0);
    let is_url = ["http://", "https://", "$scheme"].iter().any(|prefix| first.starts_with(prefix));
    let returns = if call.args().len() == 1 && is_url {
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
    actions.returns.get_or_insert(returns);
    Ok(())
}
