//! More `proxy_*` of the request to an upstream: what of it is passed on, and over what kind of connection.

use super::{Apply, Contexts, Directive, Ignored, Takes, no_effect};
use crate::build::{Call, Cx, Inherited, Outcome};

const NO_CACHE: &str = "there is no cache whose answer could be bypassed or kept";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "proxy_set_body",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The body of the request to the upstream, in place of the client's.",
        example: "proxy_set_body $args;",
        apply: Apply::Inherited(|level, call, cx| {
            level.proxy.set_body = Some(cx.template(call.word(0))?);
            Ok(())
        }),
    },
    Directive {
        name: "proxy_pass_request_headers",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether the client's headers are passed on.",
        example: "proxy_pass_request_headers off;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.pass_request_headers = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_pass_request_body",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether the client's body is passed on.",
        example: "proxy_pass_request_body off;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.pass_request_body = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ignore_client_abort",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether a request goes on whose client has closed.",
        example: "proxy_ignore_client_abort on;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.ignore_client_abort = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_socket_keepalive",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether the system probes silent connections to servers (SO_KEEPALIVE).",
        example: "proxy_socket_keepalive on;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.socket_keepalive = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_bind",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "off",
        doc: "The address on this side of connections to servers.",
        example: "proxy_bind 127.0.0.1;",
        apply: Apply::Inherited(bind),
    },
    Directive {
        name: "proxy_protocol",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether servers are told by the PROXY protocol (version 1) where the client's connection comes from and \
              goes to.",
        example: "proxy_protocol on;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.proxy_protocol = call.switch(0)?;
            Ok(())
        }),
    },
    no_effect(
        "proxy_cache_bypass",
        Contexts::REQUEST,
        Ignored::Templates,
        "proxy_cache_bypass $http_upgrade;",
        NO_CACHE,
    )
    .taking(Takes::at_least(1)),
    no_effect("proxy_no_cache", Contexts::REQUEST, Ignored::Templates, "proxy_no_cache $arg_nocache;", NO_CACHE)
        .taking(Takes::at_least(1)),
    no_effect(
        "proxy_send_lowat",
        Contexts::REQUEST,
        Ignored::Size,
        "proxy_send_lowat 12000;",
        "Linux has no such mark, nor does nginx set it there",
    ),
];

fn bind(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let text = call.text(0);
    if call.args().len() == 2 {
        return Err(match call.text(1) {
            "transparent" => {
                call.not_yet(1, "addresses that this host does not have, for which the worker needs rights")
            }
            _ => call.unknown_word(1, "parameter of \"proxy_bind\"", ["transparent"]),
        });
    }
    if text == "off" {
        level.proxy.bind = None;
        return Ok(());
    }
    let address = cx.template(call.word(0))?;
    if !text.contains('$') && bind_address(text.as_bytes()).is_none() {
        return Err(call.invalid(0, "it must be an address of this host such as 10.0.0.5, or off"));
    }
    level.proxy.bind = Some(address);
    Ok(())
}

/// The address that `proxy_bind` gives, port 0 where none is written.
pub fn bind_address(text: &[u8]) -> Option<std::net::SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().or_else(|| text.parse().ok().map(|ip| std::net::SocketAddr::new(ip, 0)))
}
