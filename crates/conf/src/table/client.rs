//! Directives for the client's side of a request: its connection, its body.

use super::{Apply, Contexts, Directive, Ignored, Takes};
use crate::tree::{LibertyHeaders, LingeringClose};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "keepalive_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "75s",
        doc: "How long an idle client connection is kept; 0 closes it. The second value is told to the client.",
        example: "keepalive_timeout 65s 60s;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.keepalive_timeout_ms = call.time_ms(0)?;
            let told = if call.args().len() > 1 { Some(call.seconds_ms(1)? / 1000) } else { None };
            level.settings.keepalive_header_s = told;
            Ok(())
        }),
    },
    Directive {
        name: "keepalive_requests",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1000",
        doc: "Requests on one client connection, after which it is closed.",
        example: "keepalive_requests 100000;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.keepalive_requests = call.number(0, 0)?;
            Ok(())
        }),
    },
    Directive {
        name: "client_max_body_size",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1m",
        doc: "The largest request body, beyond which the answer is 413; 0 is no limit.",
        example: "client_max_body_size 10m;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.client_max_body_size = call.size(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "client_body_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "60s",
        doc: "The longest pause between two reads of a request body.",
        example: "client_body_timeout 30s;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.client_body_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "client_header_timeout",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "60s",
        doc: "The time in which a client must have sent the whole head of a request.",
        example: "client_header_timeout 10s;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.client_header_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "send_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "60s",
        doc: "The longest pause between two writes to a client.",
        example: "send_timeout 30s;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.send_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "keepalive_time",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1h",
        doc: "The age of a client connection from which on it is closed after an answer.",
        example: "keepalive_time 30m;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.keepalive_time_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "lingering_close",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether what a client still sends is thrown away for a time before its connection is closed.",
        example: "lingering_close always;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.lingering.close = match call.text(0) {
                "off" => LingeringClose::Off,
                "on" => LingeringClose::On,
                "always" => LingeringClose::Always,
                _ => return Err(call.unknown_word(0, "word of \"lingering_close\"", ["off", "on", "always"])),
            };
            Ok(())
        }),
    },
    Directive {
        name: "lingering_time",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "30s",
        doc: "How long in all what a client still sends is thrown away.",
        example: "lingering_time 10s;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.lingering.time_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "lingering_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "5s",
        doc: "The longest pause in what a client still sends.",
        example: "lingering_timeout 2s;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.lingering.timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "reset_timedout_connection",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether a client's connection that took too long is reset, so that nothing of it stays in the kernel.",
        example: "reset_timedout_connection on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.reset_timedout_connection = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "keepalive_disable",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: false,
        default: "",
        doc: "Accepted, without effect.",
        example: "keepalive_disable msie6;",
        apply: Apply::NoEffect("it is for browsers that are no more", Ignored::Text),
    },
    Directive {
        name: "send_lowat",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Accepted, without effect.",
        example: "send_lowat 0;",
        apply: Apply::NoEffect("Linux has no such mark", Ignored::Size),
    },
    Directive {
        name: "ignore_invalid_headers",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether request headers with other than letters, digits and hyphens in their names are dropped.",
        example: "ignore_invalid_headers on;",
        apply: Apply::Inherited(|level, call, cx| {
            level.server.ignore_invalid_headers = call.switch(0)?;
            level.server.invalid_headers_place = None;
            if !level.server.ignore_invalid_headers {
                level.server.invalid_headers_place = Some(call.node.name.place.clone());
                cx.facts.invalid_headers_pass.push(call.node.name.place.clone());
            }
            Ok(())
        }),
    },
    Directive {
        name: "liberty_headers",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Whether clients' $WS* headers, which Liberty believes, never go to servers (strip) or always do (pass), \
              whatever ignore_invalid_headers says.",
        example: "liberty_headers strip;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.liberty_headers = Some(match call.text(0) {
                "strip" => LibertyHeaders::Strip,
                "pass" => LibertyHeaders::Pass,
                _ => return Err(call.unknown_word(0, "value of \"liberty_headers\"", ["strip", "pass"])),
            });
            Ok(())
        }),
    },
    Directive {
        name: "client_header_buffer_size",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1k",
        doc: "Room for the head of a request, before large_client_header_buffers.",
        example: "client_header_buffer_size 2k;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.header_buffer = call.size(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "large_client_header_buffers",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(2),
        repeats: false,
        default: "4 8k",
        doc: "How large a line of a request's head may be, and how many of them there may be.",
        example: "large_client_header_buffers 4 16k;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.large_header_buffers = (call.number(0, 1)?, call.size(1)?);
            Ok(())
        }),
    },
    Directive {
        name: "chunked_transfer_encoding",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether HTTP/1.1 clients get answers of unknown length in chunks; else the connection's end is theirs.",
        example: "chunked_transfer_encoding off;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.chunked_transfer_encoding = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "underscores_in_headers",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether an underscore is valid in the name of a request header.",
        example: "underscores_in_headers on;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.underscores_in_headers = call.switch(0)?;
            Ok(())
        }),
    },
];
