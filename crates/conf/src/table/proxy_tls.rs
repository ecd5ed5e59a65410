//! `proxy_ssl_*`: TLS to upstream servers.

use std::path::PathBuf;

use super::{Apply, Contexts, Directive, Ignored, Takes, no_effect};
use crate::Diagnostic;
use crate::build::{Call, Cx, Inherited};
use crate::span::Place;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "proxy_ssl_server_name",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether servers are told over TLS which name is asked for (SNI).",
        example: "proxy_ssl_server_name on;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.tls.server_name = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_name",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "$proxy_host",
        doc: "The name that is asked for, and that a server's certificate must have.",
        example: "proxy_ssl_name $host;",
        apply: Apply::Inherited(|level, call, cx| {
            level.proxy.ssl_name = cx.template(call.word(0))?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_verify",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether servers' certificates are verified.",
        example: "proxy_ssl_verify on;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.tls.verify = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_trusted_certificate",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The certificates of the authorities that servers' certificates are verified with.",
        example: "proxy_ssl_trusted_certificate ca.pem;",
        apply: Apply::Inherited(|level, call, cx| {
            level.proxy.tls.trusted = Some(path(level, call, cx)?);
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_certificate",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The certificate that servers are shown, with its chain.",
        example: "proxy_ssl_certificate client.pem;",
        apply: Apply::Inherited(|level, call, cx| {
            level.proxy.tls.certificate = Some(path(level, call, cx)?);
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_certificate_key",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The key of that certificate.",
        example: "proxy_ssl_certificate_key client.key;",
        apply: Apply::Inherited(|level, call, cx| {
            level.proxy.tls.key = Some(path(level, call, cx)?);
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_protocols",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: false,
        default: "TLSv1.2 TLSv1.3",
        doc: "The versions of TLS that are spoken to servers.",
        example: "proxy_ssl_protocols TLSv1.2 TLSv1.3;",
        apply: Apply::Inherited(|level, call, cx| {
            let tls = &mut level.proxy.tls;
            (tls.tls12, tls.tls13) = super::tls::versions(call, cx);
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_session_reuse",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether sessions with servers are resumed.",
        example: "proxy_ssl_session_reuse off;",
        apply: Apply::Inherited(|level, call, _| {
            level.proxy.tls.session_reuse = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_password_file",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The file of passwords for that key, where it is encrypted, one a line.",
        example: "proxy_ssl_password_file passwords;",
        apply: Apply::Inherited(|level, call, cx| {
            level.proxy.tls.passwords = Some(path(level, call, cx)?);
            Ok(())
        }),
    },
    Directive {
        name: "proxy_ssl_crl",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The PEM file of lists of servers' certificates that are revoked, one of each authority.",
        example: "proxy_ssl_crl /etc/nginx/ssl/example.crl;",
        apply: Apply::Inherited(|level, call, cx| {
            level.proxy.tls.revoked = Some(path(level, call, cx)?);
            Ok(())
        }),
    },
    no_effect(
        "proxy_ssl_ciphers",
        Contexts::REQUEST,
        Ignored::Text,
        "proxy_ssl_ciphers HIGH:!aNULL;",
        "every cipher that is offered is a strong one",
    ),
    no_effect(
        "proxy_ssl_verify_depth",
        Contexts::REQUEST,
        Ignored::Number,
        "proxy_ssl_verify_depth 2;",
        "a chain may have as many certificates as it takes, up to six",
    ),
];

/// A file, relative to the folder of the main configuration file as certificates are.
fn path(level: &mut Inherited, call: &Call<'_>, cx: &Cx<'_>) -> Result<PathBuf, Diagnostic> {
    let text = call.text(0);
    match text {
        "" => return Err(call.invalid(0, "the path is empty")),
        _ if text.contains('$') => return Err(call.not_yet(0, "variables in the paths of certificates")),
        _ if ["data:", "engine:", "store:"].iter().any(|prefix| text.starts_with(prefix)) => {
            return Err(call.not_yet(0, "certificates and keys from elsewhere than files"));
        }
        _ => {}
    }
    level.ssl_places.retain(|(name, _)| *name != call.name);
    level.ssl_places.push((call.name, call.word(0).place.clone()));
    Ok(cx.folder.join(text))
}

/// What nginx asks for where a location speaks TLS to its servers, or may.
pub(crate) fn check(level: &Inherited, location: &Place, cx: &mut Cx<'_>) {
    let tls = &level.proxy.tls;
    let trusted = tls.trusted.as_ref().filter(|_| tls.verify);
    if tls.verify && trusted.is_none() {
        let message = "no \"proxy_ssl_trusted_certificate\" is there for \"proxy_ssl_verify on\"";
        let help = "write \"proxy_ssl_trusted_certificate FILE;\" with the authorities' certificates";
        cx.report(Diagnostic::error("no-trusted-certificate", location, message).help(help));
    }
    if let (Some(certificate), None) = (&tls.certificate, &tls.key) {
        let place = place_of("proxy_ssl_certificate", level).unwrap_or(location);
        let message =
            format!("no \"proxy_ssl_certificate_key\" is there for the certificate {}", certificate.display());
        cx.report(Diagnostic::error("no-certificate-key", place, message));
    }
    let of_identity = tls.certificate.as_ref().and(tls.key.as_ref());
    for (name, path) in [
        ("proxy_ssl_trusted_certificate", trusted),
        ("proxy_ssl_certificate", tls.certificate.as_ref()),
        ("proxy_ssl_certificate_key", of_identity),
        ("proxy_ssl_password_file", of_identity.and(tls.passwords.as_ref())),
        ("proxy_ssl_crl", trusted.and(tls.revoked.as_ref())),
    ] {
        if let (Some(path), Some(place)) = (path, place_of(name, level)) {
            cx.need(path, name, place);
        }
    }
}

fn place_of<'a>(name: &str, level: &'a Inherited) -> Option<&'a Place> {
    level.ssl_places.iter().find(|(other, _)| *other == name).map(|(_, place)| place)
}
