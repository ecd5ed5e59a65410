//! Directives of the process: its user, its threads, its files, and the blocks that all else is in.

use super::{Apply, Block, Contexts, Directive, Ignored, Takes, no_effect};
use crate::lexer::Word;
use crate::tree::Account;

/// Threads are one a core; more than this is a slip of the finger.
const MAX_WORKERS: u64 = 1024;

const MODULES: &str = "what bedloe has is compiled in; a directive of another module is told where it stands";
const ENGINE: &str = "it tunes nginx's own engine";
const SCHEDULER: &str = "the kernel places the threads";
const CORES: &str = "a panic ends one connection and is logged: there are no core files";
const NO_DEBUG: &str = "the error log has no level of debugging";
const OLD_BROWSERS: &str = "it is for browsers that are no more";
const SOCKETS: &str = "bedloe sets up its sockets itself";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "user",
        contexts: Contexts::MAIN,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "",
        doc: "The user and group that the worker process runs as.",
        example: "user www-data www-data;",
        apply: Apply::Main(|draft, call, _| {
            let account = |word: &Word| Account { name: word.text.clone(), place: word.place.clone() };
            draft.user = Some((account(call.word(0)), call.args().get(1).map(account)));
            Ok(())
        }),
    },
    Directive {
        name: "worker_processes",
        contexts: Contexts::MAIN,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1",
        doc: "The number of worker threads, or auto for one a core.",
        example: "worker_processes auto;",
        apply: Apply::Main(|draft, call, _| {
            let count = if call.text(0) == "auto" { None } else { Some(call.number_to(0, 1, MAX_WORKERS)?) };
            draft.worker_processes = count.and_then(|count| u32::try_from(count).ok());
            Ok(())
        }),
    },
    Directive {
        name: "worker_rlimit_nofile",
        contexts: Contexts::MAIN,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The limit of open files of the worker process.",
        example: "worker_rlimit_nofile 200000;",
        apply: Apply::Main(|draft, call, cx| {
            let limit = call.number(0, 0)?;
            draft.worker_rlimit_nofile = Some(limit);
            cx.facts.nofile = Some((limit, call.word(0).place.clone()));
            Ok(())
        }),
    },
    Directive {
        name: "pid",
        contexts: Contexts::MAIN,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The file that holds the number of the master process.",
        example: "pid /run/nginx.pid;",
        apply: Apply::Main(|draft, call, cx| {
            draft.pid = cx.options.prefix.join(call.text(0));
            cx.writes(&draft.pid, "pid", &call.word(0).place);
            Ok(())
        }),
    },
    Directive {
        name: "daemon",
        contexts: Contexts::MAIN,
        takes: Takes::exactly(1),
        repeats: false,
        // The tree tells whether it is written at all.
        default: "",
        doc: "Whether nginx goes to the background: on by default. bedloe run does only where -g says so.",
        example: "daemon off;",
        apply: Apply::Main(|draft, call, _| {
            draft.daemon = Some((call.switch(0)?, call.word(0).place.clone()));
            Ok(())
        }),
    },
    Directive {
        name: "master_process",
        contexts: Contexts::MAIN,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether connections are served by a worker process of its own, which the master looks after.",
        example: "master_process on;",
        apply: Apply::Main(|draft, call, _| {
            draft.master_process = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "worker_shutdown_timeout",
        contexts: Contexts::MAIN,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "How long a worker that drains waits for its connections before it closes them.",
        example: "worker_shutdown_timeout 30s;",
        apply: Apply::Main(|draft, call, _| {
            draft.worker_shutdown_timeout_ms = call.time_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "events",
        contexts: Contexts::MAIN,
        takes: Takes::block(0, 0),
        repeats: false,
        default: "",
        doc: "The block of settings for connections as such.",
        example: "events { }",
        apply: Apply::Block(Block::Events),
    },
    Directive {
        name: "worker_connections",
        contexts: Contexts::EVENTS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "512",
        doc: "Connections a worker, clients' and upstreams' together.",
        example: "worker_connections 65535;",
        apply: Apply::Events(|events, call, _| {
            events.worker_connections = call.number_u32(0, 1)?;
            Ok(())
        }),
    },
    Directive {
        name: "http",
        contexts: Contexts::MAIN,
        takes: Takes::block(0, 0),
        repeats: false,
        default: "",
        doc: "The block of all that is HTTP.",
        example: "http { }",
        apply: Apply::Block(Block::Http),
    },
    no_effect("use", Contexts::EVENTS, Ignored::EventMethod, "use epoll;", "bedloe always uses epoll"),
    no_effect("multi_accept", Contexts::EVENTS, Ignored::Switch, "multi_accept on;", ENGINE),
    no_effect("accept_mutex", Contexts::EVENTS, Ignored::Switch, "accept_mutex off;", ENGINE),
    no_effect("accept_mutex_delay", Contexts::EVENTS, Ignored::Time, "accept_mutex_delay 500ms;", ENGINE),
    no_effect("pcre_jit", Contexts::MAIN, Ignored::Switch, "pcre_jit on;", ENGINE),
    no_effect("timer_resolution", Contexts::MAIN, Ignored::Time, "timer_resolution 100ms;", ENGINE),
    no_effect("load_module", Contexts::MAIN, Ignored::Text, "load_module modules/x.so;", MODULES).repeating(),
    no_effect("lock_file", Contexts::MAIN, Ignored::Text, "lock_file /run/nginx.lock;", ENGINE),
    no_effect("sendfile", Contexts::REQUEST, Ignored::Switch, "sendfile on;", ENGINE),
    no_effect("sendfile_max_chunk", Contexts::REQUEST, Ignored::Size, "sendfile_max_chunk 2m;", ENGINE),
    no_effect("tcp_nopush", Contexts::REQUEST, Ignored::Switch, "tcp_nopush on;", SOCKETS),
    no_effect("tcp_nodelay", Contexts::REQUEST, Ignored::Switch, "tcp_nodelay on;", "bedloe always sets it"),
    no_effect("types_hash_max_size", Contexts::REQUEST, Ignored::Number, "types_hash_max_size 2048;", ENGINE),
    no_effect("types_hash_bucket_size", Contexts::REQUEST, Ignored::Number, "types_hash_bucket_size 64;", ENGINE),
    no_effect("server_names_hash_max_size", Contexts::HTTP, Ignored::Number, "server_names_hash_max_size 512;", ENGINE),
    no_effect(
        "server_names_hash_bucket_size",
        Contexts::HTTP,
        Ignored::Number,
        "server_names_hash_bucket_size 64;",
        ENGINE,
    ),
    no_effect("variables_hash_max_size", Contexts::HTTP, Ignored::Number, "variables_hash_max_size 1024;", ENGINE),
    no_effect("variables_hash_bucket_size", Contexts::HTTP, Ignored::Number, "variables_hash_bucket_size 64;", ENGINE),
    no_effect("map_hash_max_size", Contexts::HTTP, Ignored::Number, "map_hash_max_size 2048;", ENGINE),
    no_effect("map_hash_bucket_size", Contexts::HTTP, Ignored::Number, "map_hash_bucket_size 64;", ENGINE),
    no_effect("connection_pool_size", Contexts::SERVERS, Ignored::Size, "connection_pool_size 512;", ENGINE),
    no_effect("request_pool_size", Contexts::SERVERS, Ignored::Size, "request_pool_size 4k;", ENGINE),
    no_effect("postpone_output", Contexts::REQUEST, Ignored::Size, "postpone_output 1460;", ENGINE),
    no_effect(
        "proxy_headers_hash_max_size",
        Contexts::REQUEST,
        Ignored::Number,
        "proxy_headers_hash_max_size 512;",
        ENGINE,
    ),
    no_effect(
        "proxy_headers_hash_bucket_size",
        Contexts::REQUEST,
        Ignored::Number,
        "proxy_headers_hash_bucket_size 64;",
        ENGINE,
    ),
    no_effect("worker_cpu_affinity", Contexts::MAIN, Ignored::Text, "worker_cpu_affinity auto;", SCHEDULER)
        .taking(Takes::at_least(1)),
    no_effect("worker_priority", Contexts::MAIN, Ignored::Text, "worker_priority -5;", SCHEDULER),
    no_effect("worker_rlimit_core", Contexts::MAIN, Ignored::Size, "worker_rlimit_core 500m;", CORES),
    no_effect("working_directory", Contexts::MAIN, Ignored::Text, "working_directory /tmp;", CORES),
    no_effect("debug_points", Contexts::MAIN, Ignored::Text, "debug_points stop;", CORES),
    no_effect("debug_connection", Contexts::EVENTS, Ignored::Text, "debug_connection 127.0.0.1;", NO_DEBUG).repeating(),
    no_effect("worker_aio_requests", Contexts::EVENTS, Ignored::Number, "worker_aio_requests 32;", ENGINE),
    no_effect("thread_pool", Contexts::MAIN, Ignored::Text, "thread_pool files threads=4;", ENGINE)
        .taking(Takes::between(2, 3))
        .repeating(),
    no_effect("env", Contexts::MAIN, Ignored::Text, "env TZ;", "no module reads the environment").repeating(),
    no_effect("msie_padding", Contexts::REQUEST, Ignored::Switch, "msie_padding on;", OLD_BROWSERS),
    no_effect("msie_refresh", Contexts::REQUEST, Ignored::Switch, "msie_refresh off;", OLD_BROWSERS),
    no_effect(
        "subrequest_output_buffer_size",
        Contexts::REQUEST,
        Ignored::Size,
        "subrequest_output_buffer_size 4k;",
        "no answer of a subrequest is kept",
    ),
    no_effect(
        "log_subrequest",
        Contexts::REQUEST,
        Ignored::Switch,
        "log_subrequest off;",
        "subrequests of auth_request are not in the access log",
    ),
];
