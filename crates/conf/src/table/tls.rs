//! `ssl_*`: what is shown to clients over TLS.

use std::path::PathBuf;

use super::{Apply, Contexts, Directive, Ignored, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Inherited, Outcome};
use crate::span::Place;
use crate::value;

/// nginx's own count of sessions in a MiB of shared memory.
const SESSIONS_A_MIB: u64 = 4_000;
/// What nginx's `builtin` holds where no number is given.
const BUILTIN_SESSIONS: u64 = 20_480;
/// nginx refuses smaller zones: eight pages.
pub(super) const LEAST_ZONE_BYTES: u64 = 8 * 4096;
/// Sessions take some 200 bytes each here; more than this is a slip.
const MOST_SESSIONS: u64 = 100_000_000;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "ssl_certificate",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "The PEM file with the certificate and its chain.",
        example: "ssl_certificate /etc/nginx/ssl/example.crt; ssl_certificate_key /etc/nginx/ssl/example.key;",
        apply: Apply::Inherited(|level, call, cx| {
            level.server.tls.certificate = Some(pem_path(call, cx));
            Ok(())
        }),
    },
    Directive {
        name: "ssl_certificate_key",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "The PEM file with the private key of the certificate.",
        example: "ssl_certificate /etc/nginx/ssl/example.crt; ssl_certificate_key /etc/nginx/ssl/example.key;",
        apply: Apply::Inherited(|level, call, cx| {
            level.server.tls.key = Some(pem_path(call, cx));
            Ok(())
        }),
    },
    Directive {
        name: "ssl_protocols",
        contexts: Contexts::SERVERS,
        takes: Takes::at_least(1),
        repeats: false,
        default: "TLSv1.2 TLSv1.3",
        doc: "The protocols that are offered.",
        example: "ssl_protocols TLSv1.2 TLSv1.3;",
        apply: Apply::Inherited(protocols),
    },
    Directive {
        name: "ssl_session_timeout",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "5m",
        doc: "How long a client may resume a session.",
        example: "ssl_session_timeout 1d;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.tls.session_timeout_ms = call.seconds_ms(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "ssl_session_cache",
        contexts: Contexts::SERVERS,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "none",
        doc: "The sessions that are kept for resumption.",
        example: "ssl_session_cache shared:SSL:10m;",
        apply: Apply::Inherited(session_cache),
    },
    Directive {
        name: "ssl_prefer_server_ciphers",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Accepted, without effect.",
        example: "ssl_prefer_server_ciphers on;",
        apply: Apply::NoEffect("every cipher that is offered is a strong one", Ignored::Switch),
    },
];

/// The path of a certificate or key, which nginx takes as relative to the folder of the main configuration file. One
/// that is refused is kept all the same, for it is there.
fn pem_path(call: &Call<'_>, cx: &mut Cx<'_>) -> (PathBuf, Place) {
    let text = call.text(0);
    let elsewhere = ["data:", "engine:", "store:"].iter().any(|prefix| text.starts_with(prefix));
    let refused = match text {
        _ if !call.first => Some(call.not_yet(0, "more than one certificate a server")),
        _ if text.contains('$') => Some(call.not_yet(0, "variables in the paths of certificates")),
        _ if elsewhere => Some(call.not_yet(0, "certificates and keys from elsewhere than files")),
        "" => Some(call.invalid(0, "the path is empty")),
        _ => None,
    };
    if let Some(wrong) = refused {
        cx.report(wrong);
    }
    (cx.folder.join(text), call.word(0).place.clone())
}

fn protocols(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let tls = &mut level.server.tls;
    (tls.tls12, tls.tls13) = versions(call, cx);
    Ok(())
}

/// Whether TLS 1.2 and 1.3 are listed.
pub(super) fn versions(call: &Call<'_>, cx: &mut Cx<'_>) -> (bool, bool) {
    const NAMES: [&str; 6] = ["TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3", "SSLv2"];
    let listed = |name: &str| call.args().iter().any(|word| word.text.eq_ignore_ascii_case(name));
    let (tls12, tls13) = (listed("TLSv1.2"), listed("TLSv1.3"));
    for (index, word) in call.args().iter().enumerate() {
        let Some(name) = NAMES.iter().find(|name| word.text.eq_ignore_ascii_case(name)) else {
            cx.report(call.unknown_word(index, "protocol", NAMES));
            continue;
        };
        if matches!(*name, "TLSv1.2" | "TLSv1.3") {
            continue;
        }
        let message = format!("{name} is not offered: it is broken, and bedloe does not have it");
        let place = &word.place;
        let help = format!("write \"{} TLSv1.2 TLSv1.3;\"", call.name);
        cx.report(if tls12 || tls13 {
            Diagnostic::warning("old-protocol", place, message).help(help)
        } else {
            Diagnostic::error("old-protocol", place, message).help(help)
        });
    }
    (tls12, tls13)
}

/// `off`, `none`, `builtin[:COUNT]`, `shared:NAME:SIZE`, or the last two together.
fn session_cache(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let mut sessions = 0;
    for (index, word) in call.args().iter().enumerate() {
        let parts: Vec<&str> = word.text.split(':').collect();
        let added = match parts.as_slice() {
            ["off" | "none"] => 0,
            ["builtin"] => BUILTIN_SESSIONS,
            ["builtin", count] => value::number(count, 1, MOST_SESSIONS).map_err(|error| call.invalid(index, error))?,
            ["shared", name, size] if !name.is_empty() => {
                let bytes = value::size(size).map_err(|error| call.invalid(index, error))?;
                if bytes < LEAST_ZONE_BYTES {
                    return Err(call.invalid(index, "the zone must have at least 32k"));
                }
                cx.same_zone(name, bytes, word)?;
                (bytes / 1024).saturating_mul(SESSIONS_A_MIB) / 1024
            }
            _ => return Err(call.invalid(index, "it must be off, none, builtin, builtin:COUNT or shared:NAME:SIZE")),
        };
        sessions += added.min(MOST_SESSIONS);
    }
    level.server.tls.session_cache = usize::try_from(sessions).unwrap_or(usize::MAX);
    Ok(())
}
