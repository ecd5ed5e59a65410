//! `server` and the locations in it.

use std::collections::HashSet;
use std::fmt;

use super::cx::{Cx, ProxyFacts};
use super::draft::{Actions, Inherited, ServerDraft, ServerWide, TlsDraft};
use super::listens::BuiltServer;
use super::pattern::compiled;
use super::rules::{self, Around};
use super::{Contexts, each};
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::table::{Apply, Block};
use crate::tree::{
    Handler, LibertyHeaders, Location, LocationKind, NextUpstream, PassTo, ProxyPass, Server, VerifyClient,
};

/// Builds a server, but for what depends on the other servers at its addresses.
pub(super) fn server(node: &Node, above: &Inherited, cx: &mut Cx<'_>) -> BuiltServer {
    let mut level = above.below();
    let mut draft = ServerDraft::default();
    let mut actions = Actions::default();
    let (mut blocks, mut ifs) = (Vec::new(), Vec::new());
    each(node.block.as_deref().unwrap_or_default(), Contexts::SERVER, cx, |directive, call, cx| {
        match directive.apply {
            Apply::Inherited(apply) => apply(&mut level, call, cx),
            Apply::Server(apply) => apply(&mut draft, call, cx),
            Apply::Action(apply) => apply(&mut actions, call, cx),
            Apply::Block(Block::If) => {
                ifs.push(actions.place_of(call.node));
                Ok(())
            }
            Apply::Block(_) => {
                blocks.push(call.node);
                Ok(())
            }
            _ => Ok(()),
        }
    });
    level.buffers.read(node.block.as_deref().unwrap_or_default(), cx);
    for (index, node) in ifs {
        actions.put(index, rules::if_block(node, None, cx));
    }
    let locations = locations(&blocks, None, &level, cx);
    let handler = content(&mut actions, cx);
    certificates(&level.server.tls, cx);
    if let Some(place) = &level.server.invalid_headers_place {
        let is_stripped = level.server.liberty_headers == Some(LibertyHeaders::Strip);
        cx.facts.invalid_headers_of_servers.push((place.clone(), is_stripped));
    }
    let server = Server {
        listens: Vec::new(),
        names: Vec::new(),
        tls: None,
        rules: actions.rules,
        try_files: actions.try_files,
        handler,
        locations,
        settings: level.settings,
        client_header_timeout_ms: level.server.client_header_timeout_ms,
        http2_max_concurrent_streams: level.server.http2_max_concurrent_streams,
        http2_body_preread_size: level.server.http2_body_preread_size,
        ignore_invalid_headers: level.server.ignore_invalid_headers,
        liberty_headers: level.server.liberty_headers,
        underscores_in_headers: level.server.underscores_in_headers,
        merge_slashes: level.server.merge_slashes,
        header_line_max: level.server.large_header_buffers.1.max(level.server.header_buffer),
        header_max: header_max(&level.server),
        status_zone: draft.status_zone,
        place: node.name.place.clone(),
    };
    let http2 = level.server.http2;
    BuiltServer { server, listens: draft.listens, names: draft.names, http2, tls: level.server.tls.clone() }
}

/// The first buffer, and the large ones that the rest goes to.
fn header_max(server: &ServerWide) -> u64 {
    let (count, size) = server.large_header_buffers;
    count.saturating_mul(size).saturating_add(server.header_buffer)
}

/// As nginx does, the files must be there even where no `listen` has `ssl`.
fn certificates(tls: &TlsDraft, cx: &mut Cx<'_>) {
    for (index, (path, place)) in tls.certificates.iter().enumerate() {
        cx.need(path, "ssl_certificate", place);
        match tls.keys.get(index) {
            Some((key, place)) => cx.need(key, "ssl_certificate_key", place),
            None => {
                let message = format!("no \"ssl_certificate_key\" is there for the certificate {}", path.display());
                cx.report(Diagnostic::error("no-certificate-key", place, message));
            }
        }
    }
    match (&tls.stapling, &tls.stapling_file) {
        (Some(_), Some((path, place))) => cx.need(path, "ssl_stapling_file", place),
        (Some(place), None) => {
            let reason = "no authority is asked: \"ssl_stapling_file\" names an answer of one that is shown to clients";
            cx.no_effect(place, "ssl_stapling", reason);
        }
        (None, _) => {}
    }
    let clients = &tls.settings.clients;
    // Without a certificate nginx reads none of them, and without a question none of those who may answer it.
    let reads = !tls.certificates.is_empty() || tls.settings.rejects;
    let is_read = |name: &str| name != "ssl_client_certificate" || clients.verify != VerifyClient::Off;
    for (name, path, place) in tls.files.iter().filter(|(name, ..)| reads && is_read(name)) {
        cx.need(path, name, place);
    }
    let asks = matches!(clients.verify, VerifyClient::On | VerifyClient::Optional);
    if let (true, None, None, Some(place)) = (asks, &clients.authorities, &clients.trusted, &tls.verify_place) {
        let message = "no authority is there that could stand for a client";
        let help = "add \"ssl_client_certificate FILE;\"";
        cx.report(Diagnostic::error("no-client-authority", place, message).help(help));
    }
    let settings = &tls.settings;
    let no_suite = settings.ciphers.as_ref().is_some_and(Vec::is_empty);
    let place = tls.ciphers_place.as_ref().filter(|_| settings.tls12 && no_suite);
    if let Some(place) = place {
        let message = "none of these suites is here: those of TLS 1.2 are ECDHE with AES-GCM or ChaCha20-Poly1305";
        let help = "write \"ssl_ciphers HIGH:!aNULL;\"";
        cx.report(if settings.tls13 {
            let message = format!("TLS 1.2 is not offered, for {message}");
            Diagnostic::warning("no-cipher", place, message).help(help)
        } else {
            Diagnostic::error("no-cipher", place, message).help(help)
        });
    }
}

/// The locations of one level; `parent` is the one that they are in.
fn locations(nodes: &[&Node], parent: Option<&Head<'_>>, above: &Inherited, cx: &mut Cx<'_>) -> Vec<Location> {
    let mut seen = HashSet::new();
    let mut locations = Vec::with_capacity(nodes.len());
    for node in nodes {
        let head = head(node).and_then(|head| check_nesting(&head, parent).map(|()| head));
        let head = head.map_err(|wrong| cx.report(wrong)).ok();
        // What is inside is checked even where the head is wrong.
        let built = location(node, head.as_ref(), above, cx);
        let (Some(head), Some(built)) = (head, built) else { continue };
        if !matches!(head.kind, LocationKind::Pattern(_)) && !seen.insert((head.class(), head.path)) {
            let message = format!("the location \"{head}\" is there already");
            cx.report(Diagnostic::error("duplicate-location", &node.name.place, message));
        }
        locations.push(built);
    }
    locations
}

/// What is written between `location` and its brace.
pub(super) struct Head<'n> {
    pub(super) kind: LocationKind,
    pub(super) path: &'n str,
    word: &'n Word,
}

impl Head<'_> {
    /// Two of one class must differ in their paths.
    fn class(&self) -> u8 {
        match self.kind {
            LocationKind::Prefix | LocationKind::FirmPrefix | LocationKind::Pattern(_) => 0,
            LocationKind::Exact => 1,
            LocationKind::Named => 2,
        }
    }
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match &self.kind {
            LocationKind::Prefix => "",
            LocationKind::FirmPrefix => "^~ ",
            LocationKind::Exact => "= ",
            LocationKind::Pattern(pattern) if pattern.ignore_case => "~* ",
            LocationKind::Pattern(_) => "~ ",
            LocationKind::Named => "@",
        };
        write!(f, "{sign}{}", self.path)
    }
}

/// `SIGN PATH`, or the sign glued to the path.
fn head(node: &Node) -> Result<Head<'_>, Diagnostic> {
    let (sign, path, word) = match node.args.as_slice() {
        [sign, path] => (sign.text.as_str(), path.text.as_str(), path),
        [word] => {
            let sign = ["=", "^~", "~*", "~", "@"].into_iter().find(|sign| word.text.starts_with(sign));
            let sign = sign.unwrap_or_default();
            (sign, &word.text[sign.len()..], word)
        }
        // The table has told what is wrong.
        _ => ("", "", &node.name),
    };
    let kind = match sign {
        "" => LocationKind::Prefix,
        "^~" => LocationKind::FirmPrefix,
        "=" if path.is_empty() => {
            return Err(Diagnostic::error("invalid-value", &word.place, "the path behind \"=\" is missing"));
        }
        "=" => LocationKind::Exact,
        "~" | "~*" => LocationKind::Pattern(compiled(word, path, sign == "~*")?),
        "@" if node.args.len() == 1 => LocationKind::Named,
        _ => {
            let message = format!("\"{sign}\" is no sign of a location");
            let help = "there are: = for one path, ^~ and none for a prefix, ~ and ~* for a regular expression";
            return Err(Diagnostic::error("invalid-value", &node.args[0].place, message).help(help));
        }
    };
    Ok(Head { kind, path, word })
}

/// What is within a location must be able to serve some of its paths.
fn check_nesting(head: &Head<'_>, parent: Option<&Head<'_>>) -> Result<(), Diagnostic> {
    let Some(parent) = parent else { return Ok(()) };
    let what = match (&parent.kind, &head.kind) {
        (LocationKind::Exact, _) => "cannot be inside of a location for one path",
        (LocationKind::Named, _) => "cannot be inside of a named location",
        (_, LocationKind::Named) => "can only be in the server itself",
        (_, LocationKind::Pattern(_)) => return Ok(()),
        _ if head.path.starts_with(parent.path) => return Ok(()),
        _ => "is outside of the one that it is written in",
    };
    let message = format!("the location \"{head}\" {what}, \"{parent}\"");
    Err(Diagnostic::error("misplaced-location", &head.word.place, message))
}

/// A location with all that is in it; none where its head is wrong.
fn location(node: &Node, head: Option<&Head<'_>>, above: &Inherited, cx: &mut Cx<'_>) -> Option<Location> {
    let mut level = above.below();
    let mut actions = Actions::default();
    let (mut blocks, mut ifs, mut except) = (Vec::new(), Vec::new(), None);
    let block = node.block.as_deref().unwrap_or_default();
    each(block, Contexts::LOCATION, cx, |directive, call, cx| match directive.apply {
        Apply::Inherited(apply) => apply(&mut level, call, cx),
        Apply::Action(apply) => apply(&mut actions, call, cx),
        Apply::Block(Block::If) => {
            ifs.push(actions.place_of(call.node));
            Ok(())
        }
        Apply::Block(Block::LimitExcept) => {
            except = Some(call.node);
            Ok(())
        }
        Apply::Block(_) => {
            blocks.push(call.node);
            Ok(())
        }
        _ => Ok(()),
    });
    level.buffers.read(block, cx);
    super::files::finish_alias(&mut level, node, head, cx);
    if actions.is_internal && !level.settings.is_internal {
        level.settings.is_internal = true;
    }
    if let Some(proxy) = &mut actions.proxy {
        super::proxy::finish(proxy, &level, &node.name.place, cx);
    }
    if let Some(check) = actions.health.take() {
        super::health::finish(check, actions.proxy.as_ref(), &level, cx);
    }
    let handler = content(&mut actions, cx);
    for (index, node) in ifs {
        let around = Around { level: &level, handler: &handler };
        actions.put(index, rules::if_block(node, Some(around), cx));
    }
    let around = Around { level: &level, handler: &handler };
    let limit_except = except.map(|node| Box::new(rules::limit_except(node, &around, cx)));
    let locations = locations(&blocks, head, &level, cx);
    let head = head?;
    if let (Handler::Api(_), LocationKind::Pattern(_) | LocationKind::Named) = (&handler, &head.kind) {
        let message = format!("\"api\" stands in the location \"{head}\", whose path is not fixed");
        let help = "give it a location such as \"location /api/ { ... }\": what is asked for stands behind that path";
        cx.report(Diagnostic::error("misplaced-directive", &node.name.place, message).help(help));
    }
    if let Handler::Proxy(proxy) = &handler {
        check_uri(head, node, proxy, cx);
        note_proxy(node, head, proxy, &level, cx);
    }
    Some(Location {
        kind: head.kind.clone(),
        path: head.path.to_owned(),
        rules: actions.rules,
        try_files: actions.try_files,
        limit_except,
        handler,
        settings: level.settings,
        locations,
        place: node.name.place.clone(),
    })
}

/// What the location does; it can do one thing.
fn content(actions: &mut Actions, cx: &mut Cx<'_>) -> Handler {
    let mut others = std::mem::take(&mut actions.contents).into_iter();
    let first = match actions.proxy.take() {
        Some(proxy) => Some((Handler::Proxy(proxy), "proxy_pass")),
        None => others.next().map(|(handler, name, _)| (handler, name)),
    };
    let Some((handler, first)) = first else { return Handler::Files };
    for (_, name, place) in others {
        let message = format!("\"{name}\" and \"{first}\" are both here: a location has one content");
        let help = format!("give \"{name}\" a location of its own");
        cx.report(Diagnostic::error("two-contents", &place, message).help(help));
    }
    handler
}

/// A URI takes the place of the path that matched; where no fixed one has matched, there is nothing to take it of.
fn check_uri(head: &Head<'_>, node: &Node, proxy: &ProxyPass, cx: &mut Cx<'_>) {
    let whose = match head.kind {
        LocationKind::Pattern(_) => "given by a regular expression",
        LocationKind::Named => "that is named",
        _ => return,
    };
    if proxy.uri.is_some() {
        let passes = node.block.iter().flatten().find(|inner| inner.name.text == "proxy_pass");
        let place = passes.and_then(|pass| pass.args.first()).map_or(&node.name.place, |word| &word.place);
        let message = format!("\"proxy_pass\" cannot have a URI in a location {whose}");
        let help = "leave out what follows the host, and change the path with \"rewrite\" where it must be another";
        cx.report(Diagnostic::error("invalid-value", place, message).help(help));
    }
}

fn note_proxy(node: &Node, head: &Head<'_>, proxy: &ProxyPass, level: &Inherited, cx: &mut Cx<'_>) {
    let settings = &level.proxy;
    cx.facts.proxies.push(ProxyFacts {
        place: node.name.place.clone(),
        kind: head.kind.clone(),
        path: head.path.to_owned(),
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
