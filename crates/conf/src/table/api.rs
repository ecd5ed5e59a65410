//! `api`, and what it shows: counts of servers and locations by zones, servers of an upstream that are kept in a file.

use super::{Apply, Contexts, Directive, Takes};
use crate::address::{self, Address};
use crate::build::{Call, Cx, Outcome, UpstreamDraft};
use crate::tree::{Api, Handler, PeerAddress};
use crate::{Diagnostic, value};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "api",
        contexts: Contexts::LOCATION,
        takes: Takes::between(0, 1),
        repeats: false,
        default: "",
        doc: "Answers with the balancer's state as JSON; with write=on it changes servers and resets counts.",
        example: "api;",
        apply: Apply::Action(|actions, call, _| {
            let writes = match call.args().first().map(|word| word.text.as_str()) {
                None | Some("write=off") => false,
                Some("write=on") => true,
                Some(_) => return Err(call.unknown_word(0, "parameter of \"api\"", ["write=on", "write=off"])),
            };
            actions.contents.push((Handler::Api(Api { writes }), "api", call.node.name.place.clone()));
            Ok(())
        }),
    },
    Directive {
        name: "status_zone",
        contexts: Contexts::SERVER,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Counts the server's requests in a zone that \"api\" shows.",
        example: "status_zone site;",
        apply: Apply::Server(|draft, call, cx| {
            draft.status_zone = Some(cx.server_zone(named(call)?));
            Ok(())
        }),
    },
    Directive {
        name: "status_zone",
        contexts: Contexts::PARTS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Counts requests that end here, or in a location within, in a zone that \"api\" shows; off counts none.",
        example: "status_zone orders;",
        apply: Apply::Inherited(|level, call, cx| {
            level.settings.status_zone = match named(call)? {
                "off" => None,
                name => Some(cx.location_zone(name)),
            };
            Ok(())
        }),
    },
    Directive {
        name: "state",
        contexts: Contexts::UPSTREAM,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The file that the upstream's servers are kept in: read at the start, written when \"api\" changes them.",
        example: "state /var/lib/bedloe/app.conf;",
        apply: Apply::Upstream(state),
    },
];

fn named<'n>(call: &Call<'n>) -> Result<&'n str, Diagnostic> {
    match call.text(0) {
        "" => Err(call.invalid(0, "a zone has a name")),
        name => Ok(name),
    }
}

fn state(draft: &mut UpstreamDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    if call.text(0).is_empty() {
        return Err(call.invalid(0, "a file has a name"));
    }
    let path = cx.options.prefix.join(call.text(0));
    draft.state = Some((path, call.node.name.place.clone()));
    Ok(())
}

/// What a server's address may be, as it is written behind `server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// An address, with port 80 where none is written, or a unix socket.
    At(PeerAddress),
    /// A name that somebody would have to look up.
    Name,
    /// It is none.
    Wrong,
}

/// Reads a server's address.
pub fn server_address(text: &str) -> ServerAddress {
    let is_clean = text.chars().all(|letter| !letter.is_control() && !letter.is_whitespace());
    match address::parse_peer(text, 80) {
        _ if !is_clean || text.contains("://") => ServerAddress::Wrong,
        Ok(Address::Socket(address)) => ServerAddress::At(PeerAddress::Ip(address)),
        Ok(Address::Unix(path)) => ServerAddress::At(PeerAddress::Unix(path)),
        Ok(Address::Name { .. }) if !text.contains('/') => ServerAddress::Name,
        _ => ServerAddress::Wrong,
    }
}

/// Milliseconds of a time such as `fail_timeout` has.
pub fn seconds_of(text: &str) -> Option<u64> {
    value::seconds_ms(text).ok()
}

/// Milliseconds of a time such as `slow_start` has.
pub fn time_of(text: &str) -> Option<u64> {
    value::time_ms(text).ok()
}
