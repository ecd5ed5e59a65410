//! `http`: its settings, then its maps and upstreams, then the servers that use them.

use super::cx::{Cx, UpstreamFacts};
use super::draft::{self, Inherited, UpstreamDraft};
use super::{Contexts, api, charsets, each, geo, health, listens, location, map, pattern, split, sticky};
use crate::diagnostic::Diagnostic;
use crate::parser::Node;
use crate::table::{Apply, Block};
use crate::tree::{AccessLog, Http, LogTarget, Main, Map, OwnVariable, Resolver};

/// Builds the whole block.
pub(super) fn build(nodes: &[Node], main: &Main, cx: &mut Cx<'_>) -> Http {
    pattern::declare_variables(nodes, cx);
    // A map may be used above it, and by another that is written below it.
    let is_map = |node: &&Node| matches!(node.name.text.as_str(), "map" | "geo" | "split_clients");
    nodes.iter().filter(is_map).for_each(|node| map::declare(node, cx));
    let mut level = draft::inherited(cx.options, main.error_logs.clone(), cx.proxy_defaults.clone());
    let to = LogTarget::File(cx.options.access_log_default.clone());
    level.settings.access_logs = vec![cx.access_log(AccessLog { to, format: None, condition: None })];
    let mut blocks = Vec::new();
    each(nodes, Contexts::HTTP, cx, |directive, call, cx| match directive.apply {
        Apply::Inherited(apply) => apply(&mut level, call, cx),
        Apply::Block(block) => {
            blocks.push((block, call.node));
            Ok(())
        }
        _ => Ok(()),
    });
    level.buffers.read(nodes, cx);
    let of = |kind: Block| blocks.iter().filter(move |(block, _)| *block == kind).map(|(_, node)| *node);
    let maps = maps(&blocks, cx);
    for node in of(Block::Upstream) {
        upstream(node, &level, cx);
    }
    of(Block::Match).for_each(|node| health::block(node, cx));
    let charset_maps = charsets::all(of(Block::CharsetMap), cx);
    let servers = servers(of(Block::Server), &level, cx);
    cx.check_zones();
    let (resolvers, proxy_tls) = (std::mem::take(&mut cx.resolvers), std::mem::take(&mut cx.proxy_tls));
    let own = cx.set_variables.iter();
    let variables = own.map(|(name, is_set)| OwnVariable { name: name.clone(), is_set: *is_set }).collect();
    let (rates, connections) = (std::mem::take(&mut cx.rate_zones), std::mem::take(&mut cx.connection_zones));
    let rate_zones = super::cx::declared(rates, "limit_req_zone", cx);
    let connection_zones = super::cx::declared(connections, "limit_conn_zone", cx);
    Http {
        charset_maps,
        rate_zones,
        connection_zones,
        server_zones: std::mem::take(&mut cx.server_zones),
        location_zones: std::mem::take(&mut cx.location_zones),
        log_formats: std::mem::take(&mut cx.log_formats),
        access_logs: std::mem::take(&mut cx.access_logs),
        maps,
        resolvers,
        proxy_tls,
        upstreams: std::mem::take(&mut cx.upstreams),
        health_checks: std::mem::take(&mut cx.health_checks),
        matches: std::mem::take(&mut cx.matches),
        servers,
        variables,
    }
}

fn maps(blocks: &[(Block, &Node)], cx: &mut Cx<'_>) -> Vec<Map> {
    let mut maps: Vec<Map> = Vec::new();
    let mut places = Vec::new();
    for (block, node) in blocks {
        let built = match block {
            Block::Map => map::build(node, cx),
            Block::Geo => geo::build(node, cx),
            Block::SplitClients => split::build(node, cx),
            _ => None,
        };
        if let Some(map) = built {
            maps.push(map);
            places.push(&node.name.place);
        }
    }
    map::check_chains(&maps, &places, cx);
    map::without_overridden(maps, &places, cx)
}

fn upstream(node: &Node, above: &Inherited, cx: &mut Cx<'_>) {
    let Some(name) = node.args.first() else { return };
    let mut draft = UpstreamDraft::new();
    each(node.block.as_deref().unwrap_or_default(), Contexts::UPSTREAM, cx, |directive, call, cx| {
        match directive.apply {
            Apply::Upstream(apply) => apply(&mut draft, call, cx),
            _ => Ok(()),
        }
    });
    let lower = name.text.to_ascii_lowercase();
    if cx.upstream_index.contains_key(&lower) {
        let message = format!("the upstream \"{}\" is declared twice", name.shown());
        return cx.report(Diagnostic::error("duplicate-upstream", &name.place, message));
    }
    api::read_state(&mut draft, cx);
    check_servers(node, &draft, cx);
    sticky::check(node, &draft, cx);
    give_resolver(&mut draft, above, cx);
    check_method(&draft, cx);
    check_several(&draft, cx);
    let index = cx.upstreams.len();
    cx.facts.upstreams.push(UpstreamFacts {
        upstream: index,
        hash_place: draft.hash_place.clone(),
        keepalive_place: draft.keepalive_place.clone(),
        keepalive_timeout_place: draft.keepalive_timeout_place.clone(),
        has_zone: draft.zone.is_some(),
    });
    cx.upstream_index.insert(lower, index);
    cx.upstreams.push(draft.finish(name.text.clone(), true, node.name.place.clone()));
}

/// What only makes sense where servers are chosen by their weights.
fn check_method(draft: &UpstreamDraft, cx: &mut Cx<'_>) {
    let Some((method @ ("hash" | "ip_hash" | "random"), _)) = &draft.method else { return };
    if let Some(place) = &draft.backup_place {
        let message = format!("\"{method}\" does not support \"backup\" servers");
        let help = "remove \"backup\", or balance in turns or with \"least_conn\"";
        cx.report(Diagnostic::error("backup-with-hash", place, message).help(help));
    }
    if let Some(place) = &draft.slow_start_place {
        let message = format!("\"{method}\" does not support \"slow_start\"");
        let help = "remove \"slow_start\", or balance in turns or with \"least_conn\"";
        cx.report(Diagnostic::error("slow-start-with-hash", place, message).help(help));
    }
}

/// What does nothing where there are no two servers, and `api` cannot add one.
fn check_several(draft: &UpstreamDraft, cx: &mut Cx<'_>) {
    if !draft.resolved.is_empty() || draft.zone.is_some() {
        return;
    }
    let used = |backup| draft.servers.iter().filter(|server| !server.down && server.backup == backup).count();
    let (primaries, backups) = (used(false), used(true));
    for (name, place) in &draft.for_several {
        let missing = match *name {
            _ if primaries + backups < 2 => "no two servers are in use",
            // Backup servers are judged among themselves.
            "outlier_ejection" if primaries.max(backups) < 2 => "no two primary servers are in use, nor two backups",
            _ => continue,
        };
        let message = format!("{missing}: \"{name}\" does nothing");
        let help = "remove it, or add a server, or a \"zone\" so that \"api\" can add one";
        cx.report(Diagnostic::warning("one-server", place, message).help(help));
    }
}

/// Servers with `resolve` need somebody to ask, and, as in nginx, a zone.
fn give_resolver(draft: &mut UpstreamDraft, above: &Inherited, cx: &mut Cx<'_>) {
    let resolver = draft.resolver.clone().or_else(|| above.resolver.clone());
    let timeout_ms = draft.resolver_timeout_ms.unwrap_or(above.resolver_timeout_ms);
    for resolved in &mut draft.resolved {
        let place = &resolved.server.place;
        match &resolver {
            Some(resolver) => resolved.resolver = Resolver { timeout_ms, ..resolver.clone() },
            None => {
                let message = "no resolver is there for a server with \"resolve\"";
                let help = "write \"resolver ADDRESS;\" in the upstream or in \"http\"";
                cx.report(Diagnostic::error("no-resolver", place, message).help(help));
            }
        }
        if draft.zone.is_none() {
            let message = "a server with \"resolve\" needs a \"zone\" in its upstream, as in nginx";
            cx.report(Diagnostic::error("no-zone", place, message).help("write \"zone NAME 64k;\" in the upstream"));
        }
    }
}

fn check_servers(node: &Node, draft: &UpstreamDraft, cx: &mut Cx<'_>) {
    // Servers that are wrong in themselves were told already.
    let written = node.block.iter().flatten().any(|inner| inner.name.text == "server");
    let message = if draft.state.is_some() {
        // They come and go while the program runs.
        return;
    } else if !written {
        "there are no servers in this upstream"
    } else if !draft.servers.is_empty() && draft.resolved.is_empty() && draft.servers.iter().all(|server| server.backup)
    {
        "all servers of this upstream are backups"
    } else {
        return;
    };
    cx.report(Diagnostic::error("no-servers", &node.name.place, message));
}

fn servers<'n>(nodes: impl Iterator<Item = &'n Node>, level: &Inherited, cx: &mut Cx<'_>) -> Vec<crate::tree::Server> {
    let mut built = Vec::new();
    for node in nodes {
        built.push(location::server(node, level, cx));
    }
    listens::finish(built, cx)
}
