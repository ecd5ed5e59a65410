//! Whether the servers of an upstream with `sticky` have the routes that it finds them by.

use super::cx::Cx;
use super::draft::UpstreamDraft;
use crate::diagnostic::Diagnostic;
use crate::parser::Node;
use crate::tree::Sticky;

pub(super) fn check(node: &Node, draft: &UpstreamDraft, cx: &mut Cx<'_>) {
    let servers = || draft.servers.iter().chain(draft.resolved.iter().map(|resolved| &resolved.server));
    let Some((sticky, place)) = &draft.sticky else {
        let is_written = node.block.iter().flatten().any(|inner| inner.name.text == "sticky");
        if let Some(server) = servers().find(|server| !is_written && !server.route.is_empty()) {
            cx.no_effect(&server.place, "route", "there is no \"sticky\" in this upstream");
        }
        return;
    };
    let Some(without) = servers().find(|server| server.route.is_empty() && !server.down) else { return };
    match sticky {
        Sticky::Liberty { state, .. } => {
            let message = format!("the clone id of the server {} has to be learnt from its answers", without.name);
            let lost = match state {
                Some(_) => "",
                None => "; it is forgotten when bedloe starts anew: \"state=FILE\" would keep it",
            };
            let help = format!(
                "write \"route=\" and the server's cloneId (<httpSession cloneId=...> in server.xml) behind it{lost}"
            );
            cx.report(Diagnostic::warning("server-without-route", &without.place, message).help(help));
        }
        Sticky::Route(_) if servers().all(|server| server.route.is_empty()) => {
            let message = format!("no server of \"{}\" has a \"route=\" that \"sticky\" could find", name(node));
            cx.report(Diagnostic::warning("no-routes", place, message).help("write \"route=NAME\" behind each server"));
        }
        Sticky::Route(_) | Sticky::Cookie(_) | Sticky::Learn(_) => {}
    }
}

fn name(node: &Node) -> &str {
    node.args.first().map_or("", |word| word.text.as_str())
}
