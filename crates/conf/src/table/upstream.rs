//! `upstream` and what is in it: servers, the connections kept to them.

use std::net::SocketAddr;

use super::{Apply, Block, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::address::{self, Address};
use crate::build::{Call, Cx, Outcome, UpstreamDraft};
use crate::tree::{PeerAddress, Queue, ResolvedServer, Resolver, UpstreamServer};
use crate::value;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "upstream",
        contexts: Contexts::HTTP,
        takes: Takes::block(1, 1),
        repeats: true,
        default: "",
        doc: "A group of servers that requests are shared among.",
        example: "upstream example { server 127.0.0.1:9080; }",
        apply: Apply::Block(Block::Upstream),
    },
    Directive {
        name: "server",
        contexts: Contexts::UPSTREAM,
        takes: Takes::at_least(1),
        repeats: true,
        default: "",
        doc: "A server of the group, with weight, max_conns, max_fails, fail_timeout, slow_start, backup, down, drain, \
              resolve, route.",
        example: "server 127.0.0.1:9081 weight=2 max_fails=3 fail_timeout=30s;",
        apply: Apply::Upstream(server),
    },
    Directive {
        name: "keepalive",
        contexts: Contexts::UPSTREAM,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "32 local",
        doc: "Idle connections to the servers that each thread keeps; 0 keeps none.",
        example: "keepalive 64;",
        apply: Apply::Upstream(|draft, call, cx| {
            draft.keepalive = call.number_u32(0, 0)?;
            draft.keepalive_place = Some(call.node.name.place.clone());
            match call.args().get(1) {
                None => Ok(()),
                Some(word) if word.text == "local" => {
                    cx.no_effect(&word.place, "local", "connections are shared among locations");
                    Ok(())
                }
                Some(_) => Err(call.unknown_word(1, "parameter of \"keepalive\"", ["local"])),
            }
        }),
    },
    Directive {
        name: "keepalive_timeout",
        contexts: Contexts::UPSTREAM,
        takes: Takes::exactly(1),
        repeats: false,
        default: "60s",
        doc: "How long an idle connection to a server is kept.",
        example: "keepalive_timeout 20s;",
        apply: Apply::Upstream(|draft, call, _| {
            draft.keepalive_timeout_ms = call.time_ms(0)?;
            draft.keepalive_timeout_place = Some(call.node.name.place.clone());
            Ok(())
        }),
    },
    Directive {
        name: "keepalive_requests",
        contexts: Contexts::UPSTREAM,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1000",
        doc: "Requests on one connection to a server, after which it is closed.",
        example: "keepalive_requests 10000;",
        apply: Apply::Upstream(|draft, call, _| {
            draft.keepalive_requests = call.number(0, 0)?;
            Ok(())
        }),
    },
    Directive {
        name: "queue",
        contexts: Contexts::UPSTREAM,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "",
        doc: "So many requests wait, timeout= (60s) each at the most, while no server may be tried; then it is a 502.",
        example: "queue 100 timeout=10s;",
        apply: Apply::Upstream(queue),
    },
    Directive {
        name: "keepalive_time",
        contexts: Contexts::UPSTREAM,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1h",
        doc: "The age at which a connection to a server is closed after its request.",
        example: "keepalive_time 30m;",
        apply: Apply::Upstream(|draft, call, _| {
            draft.keepalive_time_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
];

const PARAMETERS: [&str; 10] = [
    "weight=",
    "max_conns=",
    "max_fails=",
    "fail_timeout=",
    "slow_start=",
    "backup",
    "down",
    "drain",
    "resolve",
    "route=",
];

fn queue(draft: &mut UpstreamDraft, call: &Call<'_>, _: &mut Cx<'_>) -> Outcome {
    let most = call.number_u32(0, 1)?;
    let timeout_ms = match call.args().get(1).map(|word| word.text.strip_prefix("timeout=")) {
        None => 60_000,
        Some(Some(text)) => value::time_ms(text).map_err(|error| call.invalid(1, error))?,
        Some(None) => return Err(call.unknown_word(1, "parameter of \"queue\"", ["timeout="])),
    };
    draft.queue = Some(Queue { most, timeout_ms });
    Ok(())
}

fn server(draft: &mut UpstreamDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let text = call.text(0);
    if text.contains("://") || (text.contains('/') && !text.starts_with("unix:")) {
        let help = "write the host and port alone, such as 10.0.0.11:9080";
        return Err(call.invalid(0, "a server has no scheme and no path").help(help));
    }
    let resolves = call.args().iter().skip(1).any(|word| word.text == "resolve");
    if let (true, Ok(Address::Name { host, port })) = (resolves, address::parse_peer(text, 80)) {
        return resolved(draft, call, cx, host, port);
    }
    let addresses = cx.peer_addresses(call, text, 80)?;
    let mut server = new_server(call, addresses[0].clone());
    for index in 1..call.args().len() {
        if let Err(wrong) = parameter(&mut server, draft, call, index) {
            cx.report(wrong);
        }
    }
    draft.servers.extend(addresses.into_iter().map(|address| UpstreamServer { address, ..server.clone() }));
    Ok(())
}

fn new_server(call: &Call<'_>, address: PeerAddress) -> UpstreamServer {
    UpstreamServer::new(call.text(0), address, call.node.name.place.clone())
}

/// A server whose name is looked up while the program runs.
fn resolved(draft: &mut UpstreamDraft, call: &Call<'_>, cx: &mut Cx<'_>, host: String, port: u16) -> Outcome {
    let nowhere = PeerAddress::Ip(SocketAddr::from(([0, 0, 0, 0], 0)));
    let mut server = new_server(call, nowhere);
    for index in 1..call.args().len() {
        if let Err(wrong) = parameter(&mut server, draft, call, index) {
            cx.report(wrong);
        }
    }
    let resolver = Resolver { servers: Vec::new(), valid_ms: None, ipv4: true, ipv6: true, timeout_ms: 0 };
    let position = draft.servers.len();
    draft.resolved.push(ResolvedServer { server, host, port, position, resolver });
    Ok(())
}

fn parameter(server: &mut UpstreamServer, draft: &mut UpstreamDraft, call: &Call<'_>, index: usize) -> Outcome {
    let text = call.text(index);
    let invalid = |error| call.invalid(index, error);
    match text.split_once('=') {
        Some(("weight", value)) => server.weight = value::number_u32(value, 1).map_err(invalid)?,
        Some(("max_conns", value)) => server.max_conns = value::number_u32(value, 0).map_err(invalid)?,
        Some(("max_fails", value)) => server.max_fails = value::number_u32(value, 0).map_err(invalid)?,
        Some(("fail_timeout", value)) => server.fail_timeout_ms = value::seconds_ms(value).map_err(invalid)?,
        None if text == "backup" => {
            server.backup = true;
            draft.backup_place.get_or_insert_with(|| call.word(index).place.clone());
        }
        None if text == "down" => server.down = true,
        None if text == "drain" => server.drain = true,
        // An address needs no looking up; a name is seen to elsewhere.
        None if text == "resolve" => {}
        Some(("route", "")) => return Err(call.invalid(index, "a route has a name")),
        Some(("route", value)) => value.clone_into(&mut server.route),
        Some(("slow_start", value)) => {
            server.slow_start_ms = value::time_ms(value).map_err(invalid)?;
            draft.slow_start_place.get_or_insert_with(|| call.word(index).place.clone());
        }
        Some(("service", _)) => return Err(call.not_yet(index, "this parameter of a server")),
        _ => return Err(unknown_parameter(call, index)),
    }
    Ok(())
}

fn unknown_parameter(call: &Call<'_>, index: usize) -> Diagnostic {
    call.unknown_word(index, "parameter of a server", PARAMETERS)
}
