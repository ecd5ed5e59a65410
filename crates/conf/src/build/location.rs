//! `server` and the locations in it.

use std::collections::HashSet;

use super::cx::{Cx, ProxyFacts};
use super::draft::{Actions, Inherited, ServerDraft, TlsDraft};
use super::listens::BuiltServer;
use super::{Contexts, each};
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::table::Apply;
use crate::tree::{Handler, Location, LocationKind, NextUpstream, PassTo, ProxyPass, Server};

/// Builds a server, but for what depends on the other servers at its addresses.
pub(super) fn server(node: &Node, above: &Inherited, cx: &mut Cx<'_>) -> BuiltServer {
    let mut level = above.clone();
    let mut draft = ServerDraft::default();
    let mut actions = Actions::default();
    let mut blocks = Vec::new();
    each(node.block.as_deref().unwrap_or_default(), Contexts::SERVER, cx, |directive, call, cx| {
        match directive.apply {
            Apply::Inherited(apply) => apply(&mut level, call, cx),
            Apply::Server(apply) => apply(&mut draft, call, cx),
            Apply::Action(apply) => apply(&mut actions, call, cx),
            Apply::Block(_) => {
                blocks.push(call.node);
                Ok(())
            }
            _ => Ok(()),
        }
    });
    level.buffers.read(node.block.as_deref().unwrap_or_default(), cx);
    let locations = locations(&blocks, &level, cx);
    if node.block.as_ref().is_some_and(|block| !block.iter().any(answers)) {
        cx.report(no_content(&node.name, "server"));
    }
    certificates(&level.server.tls, cx);
    let server = Server {
        listens: Vec::new(),
        names: Vec::new(),
        tls: None,
        returns: actions.returns,
        locations,
        settings: level.settings,
        client_header_timeout_ms: level.server.client_header_timeout_ms,
        http2_max_concurrent_streams: level.server.http2_max_concurrent_streams,
        http2_body_preread_size: level.server.http2_body_preread_size,
        ignore_invalid_headers: level.server.ignore_invalid_headers,
        underscores_in_headers: level.server.underscores_in_headers,
        place: node.name.place.clone(),
    };
    let http2 = level.server.http2;
    BuiltServer { server, listens: draft.listens, names: draft.names, http2, tls: level.server.tls }
}

/// As nginx does, the files must be there even where no `listen` has `ssl`.
fn certificates(tls: &TlsDraft, cx: &mut Cx<'_>) {
    if let Some((path, place)) = &tls.certificate {
        cx.need(path, "ssl_certificate", place);
        match &tls.key {
            Some((key, place)) => cx.need(key, "ssl_certificate_key", place),
            None => {
                let message = format!("no \"ssl_certificate_key\" is there for the certificate {}", path.display());
                cx.report(Diagnostic::error("no-certificate-key", place, message));
            }
        }
    }
}

fn locations(nodes: &[&Node], above: &Inherited, cx: &mut Cx<'_>) -> Vec<Location> {
    let mut seen = HashSet::new();
    let mut locations = Vec::with_capacity(nodes.len());
    for node in nodes {
        let head = kind_and_path(&node.args);
        // What is inside is checked even where the head is wrong.
        let (handler, level) = location(node, above, cx);
        match head {
            Err(wrong) => cx.report(wrong),
            Ok((kind, path)) => {
                if !seen.insert((kind == LocationKind::Exact, path)) {
                    let sign = if kind == LocationKind::Exact { "= " } else { "" };
                    let message = format!("the location \"{sign}{path}\" is there already");
                    cx.report(Diagnostic::error("duplicate-location", &node.name.place, message));
                }
                if let Handler::Proxy(proxy) = &handler {
                    note_proxy(node, kind, path, proxy, &level, cx);
                }
                let place = node.name.place.clone();
                locations.push(Location { kind, path: path.to_owned(), handler, settings: level.settings, place });
            }
        }
    }
    locations
}

/// `= /path`, `/path`, and the sign glued to the path.
fn kind_and_path(args: &[Word]) -> Result<(LocationKind, &str), Diagnostic> {
    let (sign, path, word) = match args {
        [sign, path] => (sign.text.as_str(), path.text.as_str(), sign),
        [word] => {
            let sign = ["=", "^~", "~*", "~", "@"].into_iter().find(|sign| word.text.starts_with(sign));
            let sign = sign.unwrap_or_default();
            (sign, &word.text[sign.len()..], word)
        }
        _ => return Ok((LocationKind::Prefix, "")),
    };
    let area = match sign {
        "" => return Ok((LocationKind::Prefix, path)),
        "=" if path.is_empty() => {
            return Err(Diagnostic::error("invalid-value", &word.place, "the path behind \"=\" is missing"));
        }
        "=" => return Ok((LocationKind::Exact, path)),
        "^~" => "prefixes that forgo regular expressions",
        "~" | "~*" => "locations by regular expression",
        "@" => "named locations",
        _ => {
            let message = format!("\"{sign}\" is no sign of a location");
            let help = "there are: = for one path; none for a prefix";
            return Err(Diagnostic::error("invalid-value", &word.place, message).help(help));
        }
    };
    let message = format!("\"location {sign}\" is not served by bedloe yet");
    Err(Diagnostic::error("not-served-yet", &word.place, message).help(format!("{area}: to come")))
}

fn location(node: &Node, above: &Inherited, cx: &mut Cx<'_>) -> (Handler, Inherited) {
    let mut level = above.clone();
    let mut actions = Actions::default();
    let block = node.block.as_deref().unwrap_or_default();
    each(block, Contexts::LOCATION, cx, |directive, call, cx| match directive.apply {
        Apply::Inherited(apply) => apply(&mut level, call, cx),
        Apply::Action(apply) => apply(&mut actions, call, cx),
        _ => Ok(()),
    });
    level.buffers.read(block, cx);
    level.settings.is_internal = actions.is_internal;
    if let Some(proxy) = &mut actions.proxy {
        super::proxy::finish(proxy, &level, &node.name.place, cx);
    }
    // `return` belongs to the rewriting of a request, which comes before its content.
    let handler = match (actions.returns, actions.proxy) {
        (Some(returns), _) => Handler::Return(returns),
        (None, Some(proxy)) => Handler::Proxy(proxy),
        (None, None) => Handler::None,
    };
    if !block.iter().any(answers) {
        cx.report(no_content(&node.name, "location"));
    }
    (handler, level)
}

/// Whether a directive answers, or holds what does, be it right or wrong or not served.
fn answers(node: &Node) -> bool {
    let is_setting = matches!(
        crate::table::find(&node.name.text, Contexts::SERVER | Contexts::LOCATION),
        crate::table::Found::Directive(directive)
            if matches!(directive.apply, Apply::Inherited(_) | Apply::Server(_) | Apply::NoEffect(..))
    );
    !is_setting
}

fn no_content(name: &Word, block: &str) -> Diagnostic {
    let message = format!("nothing in this {block} answers, so requests for it get 404: bedloe serves no files yet");
    Diagnostic::warning("no-content", &name.place, message).help("write \"proxy_pass\" or \"return\" in a location")
}

fn note_proxy(node: &Node, kind: LocationKind, path: &str, proxy: &ProxyPass, level: &Inherited, cx: &mut Cx<'_>) {
    let settings = &level.settings.proxy;
    cx.facts.proxies.push(ProxyFacts {
        place: node.name.place.clone(),
        kind,
        path: path.to_owned(),
        upstream: match proxy.to {
            PassTo::Upstream(upstream) => Some(upstream),
            PassTo::Variable { .. } => None,
        },
        uri: proxy.uri.clone(),
        method: settings.method.as_ref().and_then(|method| method.literal()).map(str::to_owned),
        next_upstream_place: level.next_upstream_place.clone(),
        retries: settings.next_upstream != NextUpstream::default(),
        non_idempotent: settings.next_upstream.non_idempotent,
    });
}
