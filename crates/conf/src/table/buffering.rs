//! Directives for what is kept of bodies on their way: request bodies before a server is picked, answers ahead of a
//! slow client. Answers are never kept: more is read of one when its client has taken what came before.

use super::{Apply, Contexts, Directive, Ignored, Takes, no_effect};

const NO_READ_AHEAD: &str = "answers are passed on as they come, at the client's pace, and never kept in a file";
const ONE_PIECE: &str = "a body in memory is always in one piece";
/// A path, and up to three levels of folders below it.
const PATH_WORDS: usize = 4;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "proxy_request_buffering",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether a request's body is read whole before a server is picked, so that it can be sent again.",
        example: "proxy_request_buffering off;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.request_buffering = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "client_body_buffer_size",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "16k",
        doc: "How much of a request's body is kept in memory; a longer one goes to a temporary file.",
        example: "client_body_buffer_size 128k;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.client_body_buffer_size = call.size(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "client_body_temp_path",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, PATH_WORDS),
        repeats: false,
        default: "",
        doc: "The folder of those temporary files. They have no names, so that levels of folders mean nothing.",
        example: "client_body_temp_path /var/lib/nginx/body;",
        apply: Apply::Inherited(|level, call, cx| {
            for level in 1..call.args().len() {
                call.number_to(level, 1, 3)?;
            }
            let path = cx.options.prefix.join(call.text(0));
            cx.writes(&path, "client_body_temp_path", &call.word(0).place);
            level.settings.client_body_temp_path = path.into();
            Ok(())
        }),
    },
    Directive {
        name: "proxy_buffer_size",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The largest head of an answer; at least 32k and at most 64k whatever is written.",
        example: "proxy_buffer_size 8k;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.buffer_size = call.size(0)?;
            Ok(())
        }),
    },
    no_effect("proxy_buffering", Contexts::REQUEST, Ignored::Switch, "proxy_buffering off;", NO_READ_AHEAD),
    no_effect("proxy_buffers", Contexts::REQUEST, Ignored::Buffers, "proxy_buffers 8 16k;", NO_READ_AHEAD)
        .taking(Takes::exactly(2)),
    no_effect(
        "proxy_busy_buffers_size",
        Contexts::REQUEST,
        Ignored::Size,
        "proxy_busy_buffers_size 16k;",
        NO_READ_AHEAD,
    ),
    no_effect(
        "proxy_max_temp_file_size",
        Contexts::REQUEST,
        Ignored::Size,
        "proxy_max_temp_file_size 0;",
        NO_READ_AHEAD,
    ),
    no_effect(
        "proxy_temp_file_write_size",
        Contexts::REQUEST,
        Ignored::Size,
        "proxy_temp_file_write_size 16k;",
        NO_READ_AHEAD,
    ),
    no_effect(
        "proxy_temp_path",
        Contexts::REQUEST,
        Ignored::Text,
        "proxy_temp_path /var/lib/nginx/proxy 1 2;",
        NO_READ_AHEAD,
    )
    .taking(Takes::between(1, PATH_WORDS)),
    no_effect(
        "client_body_in_single_buffer",
        Contexts::REQUEST,
        Ignored::Switch,
        "client_body_in_single_buffer on;",
        ONE_PIECE,
    ),
];
