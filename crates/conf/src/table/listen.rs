//! `listen`.

use super::{Apply, Contexts, Directive, Takes};
use crate::address::{self, Address};
use crate::build::{Call, Cx, DEFAULT_BACKLOG, ListenDraft, Outcome, ServerDraft};
use crate::tree::Listen;
use crate::value;

pub(super) const DIRECTIVES: &[Directive] = &[Directive {
    name: "listen",
    contexts: Contexts::SERVER,
    takes: Takes::at_least(1),
    repeats: true,
    default: "*:80",
    doc: "An address and port on which a server answers.",
    example: "listen 127.0.0.1:8080 default_server backlog=1024;",
    apply: Apply::Server(listen),
}];

const PARAMETERS: [&str; 10] = [
    "default_server",
    "ssl",
    "http2",
    "backlog=",
    "reuseport",
    "proxy_protocol",
    "quic",
    "so_keepalive=",
    "deferred",
    "ipv6only=",
];

fn listen(draft: &mut ServerDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let text = call.text(0);
    if text.starts_with("unix:") {
        return Err(call.not_yet(0, "listening on unix sockets"));
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') && text.contains('-') {
        return Err(call.not_yet(0, "ranges of ports"));
    }
    let addresses = match address::parse_listen(text).map_err(|error| call.invalid(0, error))? {
        Address::Socket(address) => vec![address],
        Address::Unix(_) => return Err(call.not_yet(0, "listening on unix sockets")),
        Address::Name { host, port } => cx.resolve(call.word(0), &host, port)?,
    };
    let mut listen = Listen {
        address: addresses[0],
        ssl: false,
        http2: false,
        default_server: false,
        backlog: DEFAULT_BACKLOG,
        place: call.node.name.place.clone(),
    };
    let mut backlog = None;
    for index in 1..call.args().len() {
        if let Err(wrong) = parameter(&mut listen, &mut backlog, call, index, cx) {
            cx.report(wrong);
        }
    }
    for address in addresses {
        let listen = Listen { address, ..listen.clone() };
        if draft.listens.iter().any(|other| other.listen.address == address) {
            let message = format!("this server listens on {address} already");
            return Err(crate::Diagnostic::error("duplicate-listen", &call.word(0).place, message));
        }
        draft.listens.push(ListenDraft { listen, backlog });
    }
    Ok(())
}

fn parameter(
    listen: &mut Listen,
    backlog: &mut Option<u32>,
    call: &Call<'_>,
    index: usize,
    cx: &mut Cx<'_>,
) -> Outcome {
    let text = call.text(index);
    let name = text.split('=').next().unwrap_or_default();
    match name {
        _ if text == "default_server" || text == "default" => listen.default_server = true,
        _ if text == "ssl" => listen.ssl = true,
        _ if text == "http2" => listen.http2 = true,
        _ if text == "reuseport" => {
            cx.no_effect(&call.word(index).place, "reuseport", "every thread accepts by itself");
        }
        _ if text == "bind" || text == "ipv6only=on" => {}
        "backlog" if text != name => {
            let most = u64::from(i32::MAX.unsigned_abs());
            let count =
                value::number(&text["backlog=".len()..], 1, most).map_err(|error| call.invalid(index, error))?;
            *backlog = u32::try_from(count).ok();
        }
        "quic" | "proxy_protocol" | "deferred" | "setfib" | "fastopen" | "rcvbuf" | "sndbuf" | "accept_filter"
        | "so_keepalive" | "ipv6only" | "multipath" => {
            return Err(call.not_yet(index, "this parameter of listen"));
        }
        _ => return Err(call.unknown_word(index, "parameter of \"listen\"", PARAMETERS)),
    }
    Ok(())
}
