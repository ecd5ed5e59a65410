//! Directives for HTTP/2 to clients.

use super::{Apply, Contexts, Directive, Ignored, Takes, no_effect};

const FRAMES: &str = "the sizes of frames follow what the client takes";
const BUFFERS: &str = "bedloe's buffers have sizes of their own";
const PUSH: &str = "server push is obsolete, and no browser takes it";
const HEADS: &str = "it is obsolete in nginx: the limits of all request heads apply";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "http2",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether HTTP/2 is offered on the addresses of the server: by ALPN, and without TLS by its preface.",
        example: "http2 on;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.http2 = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "http2_max_concurrent_streams",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "128",
        doc: "The most requests under way at a time on one HTTP/2 connection, up to 1024.",
        example: "http2_max_concurrent_streams 64;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.http2_max_concurrent_streams = call.number_u32(0, 1)?;
            Ok(())
        }),
    },
    Directive {
        name: "http2_body_preread_size",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "64k",
        doc: "How much of a body an HTTP/2 client may send before a server has taken it, from 16k to 16m.",
        example: "http2_body_preread_size 128k;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.http2_body_preread_size = u32::try_from(call.size(0)?).unwrap_or(u32::MAX);
            Ok(())
        }),
    },
    no_effect("http2_chunk_size", Contexts::REQUEST, Ignored::Size, "http2_chunk_size 16k;", FRAMES),
    no_effect("http2_recv_buffer_size", Contexts::HTTP, Ignored::Size, "http2_recv_buffer_size 128k;", BUFFERS),
    no_effect("http2_pool_size", Contexts::SERVERS, Ignored::Size, "http2_pool_size 8k;", BUFFERS),
    no_effect("http2_streams_index_size", Contexts::SERVERS, Ignored::Number, "http2_streams_index_size 32;", BUFFERS),
    no_effect("http2_max_field_size", Contexts::SERVERS, Ignored::Size, "http2_max_field_size 8k;", HEADS),
    no_effect("http2_max_header_size", Contexts::SERVERS, Ignored::Size, "http2_max_header_size 32k;", HEADS),
    no_effect(
        "http2_max_requests",
        Contexts::SERVERS,
        Ignored::Number,
        "http2_max_requests 2000;",
        "it is obsolete in nginx: keepalive_requests applies",
    ),
    no_effect(
        "http2_recv_timeout",
        Contexts::SERVERS,
        Ignored::Time,
        "http2_recv_timeout 30s;",
        "it is obsolete in nginx: client_header_timeout applies",
    ),
    no_effect(
        "http2_idle_timeout",
        Contexts::SERVERS,
        Ignored::Time,
        "http2_idle_timeout 3m;",
        "it is obsolete in nginx: keepalive_timeout applies",
    ),
    no_effect("http2_push", Contexts::REQUEST, Ignored::Text, "http2_push off;", PUSH),
    no_effect("http2_push_preload", Contexts::REQUEST, Ignored::Switch, "http2_push_preload off;", PUSH),
    no_effect(
        "http2_max_concurrent_pushes",
        Contexts::SERVERS,
        Ignored::Number,
        "http2_max_concurrent_pushes 10;",
        PUSH,
    ),
];
