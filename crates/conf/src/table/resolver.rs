//! `resolver` and `resolver_timeout`: names that are looked up while the program runs.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::address::{self, Address};
use crate::build::{Call, Cx, Outcome};
use crate::tree::Resolver;
use crate::value;

const DNS_PORT: u16 = 53;
/// Name servers of one `resolver`; a host has a few.
const SERVERS_MAX: usize = 64;
const PARAMETERS: [&str; 4] = ["valid=", "ipv4=", "ipv6=", "status_zone="];

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "resolver",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: false,
        default: "",
        doc: "Name servers for names in proxy_pass that variables make, and for servers with \"resolve\".",
        example: "resolver 127.0.0.1 valid=30s ipv6=off;",
        apply: Apply::Inherited(|level, call, cx| resolver(&mut level.resolver, call, cx)),
    },
    Directive {
        name: "resolver_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "30s",
        doc: "How long looking a name up may take.",
        example: "resolver_timeout 5s;",
        apply: Apply::Inherited(|level, call, _| {
            level.resolver_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "resolver",
        contexts: Contexts::UPSTREAM,
        takes: Takes::at_least(1),
        repeats: false,
        default: "",
        doc: "Name servers for this upstream's servers with \"resolve\".",
        example: "resolver 127.0.0.1 valid=30s ipv6=off;",
        apply: Apply::Upstream(|draft, call, cx| resolver(&mut draft.resolver, call, cx)),
    },
    Directive {
        name: "resolver_timeout",
        contexts: Contexts::UPSTREAM,
        takes: Takes::exactly(1),
        repeats: false,
        default: "30s",
        doc: "How long looking up such a server may take.",
        example: "resolver_timeout 5s;",
        apply: Apply::Upstream(|draft, call, _| {
            draft.resolver_timeout_ms = Some(call.time_ms(0)?);
            Ok(())
        }),
    },
];

fn resolver(into: &mut Option<Resolver>, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let mut resolver = Resolver { servers: Vec::new(), valid_ms: None, ipv4: true, ipv6: true, timeout_ms: 0 };
    for (index, word) in call.args().iter().enumerate() {
        let invalid = |error| call.invalid(index, error);
        match word.text.split_once('=') {
            Some(("valid", time)) => resolver.valid_ms = Some(value::seconds_ms(time).map_err(invalid)?),
            Some(("ipv4", switch)) => resolver.ipv4 = value::switch(switch).map_err(invalid)?,
            Some(("ipv6", switch)) => resolver.ipv6 = value::switch(switch).map_err(invalid)?,
            Some(("status_zone", _)) => return Err(call.not_yet(index, "pages about name servers")),
            Some(_) => return Err(call.unknown_word(index, "parameter of \"resolver\"", PARAMETERS)),
            None => match address::parse_peer(&word.text, DNS_PORT).map_err(|error| call.invalid(index, error))? {
                Address::Socket(address) => resolver.servers.push(address),
                Address::Name { host, port } => resolver.servers.extend(cx.resolve(word, &host, port)?),
                Address::Unix(_) => return Err(call.invalid(index, "a name server has an address")),
            },
        }
    }
    if !resolver.ipv4 && !resolver.ipv6 {
        let message = "\"ipv4\" and \"ipv6\" cannot both be \"off\"";
        return Err(Diagnostic::error("invalid-value", &call.node.name.place, message));
    }
    if resolver.servers.is_empty() {
        return Err(Diagnostic::error("invalid-value", &call.node.name.place, "no name server is there")
            .help(format!("for example: {}", DIRECTIVES[0].example)));
    }
    resolver.servers.truncate(SERVERS_MAX);
    *into = Some(resolver);
    Ok(())
}
