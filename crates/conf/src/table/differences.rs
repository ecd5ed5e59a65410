//! Directives that are served and do not mean all that nginx means by them: in one line each, for the reference. The
//! reasons are in docs/differences.md.

use super::{Contexts, Directive};

/// In what a declaration differs.
pub(super) fn of(directive: &Directive) -> Option<&'static str> {
    let is_meant = |(name, contexts, _): &&(&str, Contexts, &str)| {
        *name == directive.name && contexts.contains(directive.contexts)
    };
    DIFFERENCES.iter().find(is_meant).map(|(_, _, difference)| *difference)
}

const RESOLVER: &str =
    "a name server that does not answer is left after 2 s; the other kind of address serves where one fails";

const COMMANDS: &str = "`Ciphersuites`, `MinProtocol`, `MaxProtocol` and `Options` alone";

/// Name, the contexts of the declaration that is meant, the difference.
const DIFFERENCES: &[(&str, Contexts, &str)] = &[
    (
        "access_log",
        Contexts::ALL,
        "a thread of their own writes lines up to a fifth of a second later, whatever `buffer` and `flush` say",
    ),
    ("add_trailer", Contexts::ALL, "for answers of servers alone; variables are those of the answer's beginning"),
    ("alias", Contexts::ALL, "`..` in what follows it is a 404"),
    ("api", Contexts::ALL, "changes ask for a unix socket, or for a password and an address; see docs/api.md"),
    ("auth_basic_user_file", Contexts::ALL, "DES and yescrypt are not known; slow ways have a thread of their own"),
    ("auth_request", Contexts::ALL, "never announces the body of the client's request; the path begins with a slash"),
    ("autoindex", Contexts::ALL, "a page of bedloe's own, of 4096 names at the most"),
    ("client_body_buffer_size", Contexts::ALL, "what fits behind a request's head, some 20 KiB, stays there"),
    ("client_body_temp_path", Contexts::ALL, "files have no names, and levels of folders mean nothing"),
    ("daemon", Contexts::ALL, "`bedloe run` stays in the foreground unless the command line says otherwise"),
    ("dashboard", Contexts::ALL, "bedloe's own"),
    ("error_page", Contexts::ALL, "not for requests that were not understood, nor for redirects"),
    ("gzip", Contexts::ALL, "what the server has sent leaves at once, as if it were not buffered"),
    ("hash", Contexts::ALL, "refused with `backup` in both orders of the lines"),
    (
        "health_check",
        Contexts::ALL,
        "connections are kept; who is out is asked every 250 ms; a reload forgets nothing; DOWN in a body fails",
    ),
    ("health_check_timeout", Contexts::ALL, "bedloe's own here: nginx has it for streams"),
    ("http2", Contexts::ALL, "one server's `on` holds for the whole address"),
    ("http2_body_preread_size", Contexts::ALL, "16k to 16m"),
    ("http2_max_concurrent_streams", Contexts::ALL, "at most 1024"),
    ("ip_hash", Contexts::ALL, "refused with `backup` in both orders of the lines"),
    ("keepalive", Contexts::UPSTREAM, "up to twice as many while they are in use"),
    ("large_client_header_buffers", Contexts::ALL, "a head of 64k at most"),
    ("least_conn", Contexts::ALL, "requests of all threads count, also without `zone`"),
    (
        "least_time",
        Contexts::ALL,
        "answers and requests of all threads count, also without `zone`; errors are not quick",
    ),
    ("liberty_headers", Contexts::ALL, "bedloe's own"),
    ("limit_req_zone", Contexts::ALL, "a key takes 64 bytes and its length"),
    ("lingering_close", Contexts::ALL, "`on` does what `always` does"),
    ("listen", Contexts::ALL, "port 0 is a free one"),
    ("max_ranges", Contexts::ALL, "at most 1024, and the boundary between parts is random"),
    ("outlier_ejection", Contexts::ALL, "bedloe's own"),
    ("prometheus", Contexts::ALL, "bedloe's own"),
    ("proxy_bind", Contexts::ALL, "kept connections are used again for the same address only"),
    ("proxy_buffer_size", Contexts::ALL, "32k to 64k, whatever is written"),
    ("proxy_cookie_flags", Contexts::ALL, "a flag that is none is refused"),
    ("proxy_method", Contexts::ALL, "`HEAD` for a GET announces no body"),
    ("proxy_pass_request_body", Contexts::ALL, "`off` sends no `Content-Length` either"),
    ("proxy_protocol", Contexts::ALL, "bedloe's own here: nginx has it for streams"),
    ("proxy_ssl_conf_command", Contexts::ALL, COMMANDS),
    ("proxy_ssl_name", Contexts::ALL, "kept connections are used again for the same name only"),
    ("proxy_ssl_verify", Contexts::ALL, "a name has to stand in subjectAltName, as browsers want it"),
    ("queue", Contexts::ALL, "the order is that of each thread; anywhere in the block"),
    (
        "random",
        Contexts::ALL,
        "refused with `backup` in both orders; with `two`, requests of all threads count; `peak_ewma` is bedloe's own",
    ),
    ("resolver", Contexts::REQUEST, RESOLVER),
    ("resolver", Contexts::UPSTREAM, RESOLVER),
    ("retry_budget", Contexts::ALL, "bedloe's own"),
    ("ssl_certificate_key", Contexts::ALL, "keys stand in the order of their certificates"),
    ("ssl_ciphers", Contexts::ALL, "there are ECDHE suites with AES-GCM and ChaCha20-Poly1305 alone"),
    ("ssl_conf_command", Contexts::ALL, COMMANDS),
    ("ssl_ecdh_curve", Contexts::ALL, "there are X25519, X25519MLKEM768, prime256v1 and secp384r1 alone"),
    ("ssl_session_timeout", Contexts::ALL, "a ticket holds for 12 hours at most"),
    ("ssl_stapling", Contexts::ALL, "no authority is asked: `ssl_stapling_file` has its answer"),
    (
        "ssl_verify_client",
        Contexts::ALL,
        "a certificate counts where it was asked for; asks without a certificate of its own too",
    ),
    ("worker_connections", Contexts::ALL, "new connections wait for room; those to servers are always made"),
    ("worker_processes", Contexts::ALL, "one process with as many threads"),
    ("worker_rlimit_nofile", Contexts::ALL, "counts for each thread"),
    ("zone", Contexts::UPSTREAM, "its size means nothing"),
];

#[test]
fn differences_are_of_directives_that_are_there() {
    for (name, contexts, _) in DIFFERENCES {
        let meant = super::directives().filter(|d| d.name == *name && contexts.contains(d.contexts));
        assert_eq!(meant.count(), 1, "{name}: none, or more than one is meant");
    }
    let names: Vec<&str> = DIFFERENCES.iter().map(|(name, _, _)| *name).collect();
    assert!(names.is_sorted(), "they stand in the order of their names");
}
