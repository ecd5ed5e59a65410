//! `ssl_*`: what is shown to clients over TLS.

use std::path::PathBuf;

use super::{Apply, Contexts, Directive, Ignored, Takes, no_effect};
use crate::Diagnostic;
use crate::build::{Call, Cx, Inherited, Outcome};
use crate::ciphers;
use crate::span::Place;
use crate::tree::Curve;
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
        doc: "A PEM file with a certificate and its chain; several are for keys of several kinds.",
        example: "ssl_certificate /etc/nginx/ssl/example.crt; ssl_certificate_key /etc/nginx/ssl/example.key;",
        apply: Apply::Inherited(|level, call, cx| {
            add_path(&mut level.server.tls.certificates, call, cx);
            Ok(())
        }),
    },
    Directive {
        name: "ssl_certificate_key",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "The PEM file with the private key of a certificate, in the certificates' order.",
        example: "ssl_certificate /etc/nginx/ssl/example.crt; ssl_certificate_key /etc/nginx/ssl/example.key;",
        apply: Apply::Inherited(|level, call, cx| {
            add_path(&mut level.server.tls.keys, call, cx);
            Ok(())
        }),
    },
    Directive {
        name: "ssl",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether all addresses of a server speak TLS: the word of old for \"ssl\" behind each \"listen\".",
        example: "ssl off;",
        apply: Apply::Inherited(|level, call, cx| {
            level.server.tls.is_on = call.switch(0)?;
            let message = "\"ssl\" is a directive of old, which nginx has no more since 1.25.1";
            let help = "write \"ssl\" behind the address of each \"listen\" that speaks TLS";
            cx.report(Diagnostic::warning("obsolete", &call.node.name.place, message).help(help));
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
            level.server.tls.settings.session_timeout_ms = call.seconds_ms(0)?;
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
        name: "ssl_session_tickets",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether clients may keep their sessions themselves.",
        example: "ssl_session_tickets off;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.tls.settings.session_tickets = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "ssl_prefer_server_ciphers",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether the order of ssl_ciphers comes before the client's.",
        example: "ssl_prefer_server_ciphers on;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.tls.settings.prefers_own_ciphers = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "ssl_ciphers",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "HIGH:!aNULL:!MD5",
        doc: "The suites of TLS 1.2 that are offered, in OpenSSL's words.",
        example: "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;",
        apply: Apply::Inherited(|level, call, _| {
            let Some(chosen) = ciphers::chosen(call.text(0)) else {
                let wrong = call.invalid(0, "there is no suite of these in OpenSSL either");
                return Err(wrong.help("for example: ssl_ciphers HIGH:!aNULL;"));
            };
            let is_all = ciphers::chosen("ALL").as_ref() == Some(&chosen);
            level.server.tls.settings.ciphers = Some(chosen).filter(|_| !is_all);
            level.server.tls.ciphers_place = Some(call.word(0).place.clone());
            Ok(())
        }),
    },
    Directive {
        name: "ssl_ecdh_curve",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "auto",
        doc: "The groups for key exchanges.",
        example: "ssl_ecdh_curve X25519:prime256v1:secp384r1;",
        apply: Apply::Inherited(curves),
    },
    Directive {
        name: "ssl_reject_handshake",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether handshakes for this server are refused.",
        example: "ssl_reject_handshake on;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.tls.settings.rejects = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "ssl_stapling",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether clients are shown an authority's word for the certificate.",
        example: "ssl_stapling off;",
        apply: Apply::Inherited(|level, call, _| {
            let place = &call.node.name.place;
            level.server.tls.stapling = call.switch(0)?.then(|| place.clone());
            Ok(())
        }),
    },
    Directive {
        name: "ssl_stapling_file",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The file with that word, in DER form, as \"openssl ocsp\" writes it.",
        example: "ssl_stapling_file /etc/nginx/ssl/example.ocsp;",
        apply: Apply::Inherited(|level, call, cx| {
            let path = (cx.folder.join(call.text(0)), call.word(0).place.clone());
            level.server.tls.stapling_file = Some(path);
            Ok(())
        }),
    },
    Directive {
        name: "ssl_dhparam",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Accepted, without effect.",
        example: "ssl_dhparam /etc/nginx/ssl/example.crt;",
        apply: Apply::Inherited(|level, call, cx| {
            super::tls_clients::file(level, call, cx);
            cx.no_effect(&call.node.name.place, call.name, "keys are exchanged over elliptic curves alone");
            Ok(())
        }),
    },
    no_effect(
        "ssl_stapling_verify",
        Contexts::SERVERS,
        Ignored::Switch,
        "ssl_stapling_verify on;",
        "clients verify what they are shown",
    ),
    no_effect(
        "ssl_stapling_responder",
        Contexts::SERVERS,
        Ignored::Text,
        "ssl_stapling_responder http://ocsp.example.com/;",
        "no authority is asked",
    ),
    no_effect(
        "ssl_early_data",
        Contexts::SERVERS,
        Ignored::Switch,
        "ssl_early_data off;",
        "early data may be somebody else's, sent again: it is never taken",
    ),
    no_effect(
        "ssl_buffer_size",
        Contexts::SERVERS,
        Ignored::Size,
        "ssl_buffer_size 4k;",
        "records are as long as writes",
    ),
];

/// Groups that OpenSSL has beside those that are here.
const OTHER_CURVES: &str = "P-521 secp521r1 X448 P-224 secp224r1 P-192 prime192v1 secp256k1 brainpoolP256r1 \
    brainpoolP384r1 brainpoolP512r1 ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192 x448 secp521r1mlkem1024 \
    SecP256r1MLKEM768 SecP384r1MLKEM1024";

fn curves(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    if call.text(0) == "auto" {
        level.server.tls.settings.curves = None;
        return Ok(());
    }
    let mut chosen = Vec::new();
    for name in call.text(0).split(':') {
        let curve = match name {
            "X25519" | "x25519" => Curve::X25519,
            "prime256v1" | "P-256" | "secp256r1" => Curve::P256,
            "secp384r1" | "P-384" => Curve::P384,
            "X25519MLKEM768" => Curve::X25519MlKem768,
            other if OTHER_CURVES.split_ascii_whitespace().any(|known| known == other) => {
                let message = format!("the group \"{other}\" is not here, and not offered");
                cx.report(Diagnostic::warning("no-curve", &call.word(0).place, message));
                continue;
            }
            other => return Err(call.invalid(0, format!("\"{other}\" is no group: X25519, prime256v1, secp384r1"))),
        };
        if !chosen.contains(&curve) {
            chosen.push(curve);
        }
    }
    if chosen.is_empty() {
        return Err(call.invalid(0, "no group is left: write X25519:prime256v1:secp384r1"));
    }
    level.server.tls.settings.curves = Some(chosen);
    Ok(())
}

/// Adds the path of a certificate or key, which nginx takes as relative to the folder of the main configuration file.
/// Those of a level take the place of those above it. One that is refused is kept all the same, for it is there.
fn add_path(paths: &mut Vec<(PathBuf, Place)>, call: &Call<'_>, cx: &mut Cx<'_>) {
    let text = call.text(0);
    let elsewhere = ["data:", "engine:", "store:"].iter().any(|prefix| text.starts_with(prefix));
    let refused = match text {
        _ if text.contains('$') => Some(call.not_yet(0, "variables in the paths of certificates")),
        _ if elsewhere => Some(call.not_yet(0, "certificates and keys from elsewhere than files")),
        "" => Some(call.invalid(0, "the path is empty")),
        _ => None,
    };
    if let Some(wrong) = refused {
        cx.report(wrong);
    }
    if call.first {
        paths.clear();
    }
    paths.push((cx.folder.join(text), call.word(0).place.clone()));
}

fn protocols(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let settings = &mut level.server.tls.settings;
    (settings.tls12, settings.tls13) = versions(call, cx);
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
    level.server.tls.settings.session_cache = usize::try_from(sessions).unwrap_or(usize::MAX);
    Ok(())
}
