//! `ssl_*` that asks clients for certificates.

use std::path::PathBuf;

use super::{Apply, Contexts, Directive, Takes};
use crate::build::{Call, Cx, Inherited, Outcome};
use crate::tree::VerifyClient;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "ssl_verify_client",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether clients are asked for certificates: on, optional, optional_no_ca.",
        example: "ssl_verify_client off;",
        apply: Apply::Inherited(|level, call, _| {
            const WORDS: [(&str, VerifyClient); 4] = [
                ("off", VerifyClient::Off),
                ("on", VerifyClient::On),
                ("optional", VerifyClient::Optional),
                ("optional_no_ca", VerifyClient::OptionalNoCa),
            ];
            let Some((_, verify)) = WORDS.iter().find(|(word, _)| *word == call.text(0)) else {
                return Err(call.unknown_word(0, "word of ssl_verify_client", WORDS.map(|(word, _)| word)));
            };
            level.server.tls.settings.clients.verify = *verify;
            level.server.tls.verify_place = Some(call.word(0).place.clone());
            Ok(())
        }),
    },
    Directive {
        name: "ssl_verify_depth",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1",
        doc: "How many authorities may be between a client's certificate and one that is trusted.",
        example: "ssl_verify_depth 2;",
        apply: Apply::Inherited(|level, call, _| {
            level.server.tls.settings.clients.depth = call.number_u32(0, 0)?;
            Ok(())
        }),
    },
    Directive {
        name: "ssl_client_certificate",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The PEM file of authorities that stand for clients; clients are told their names.",
        example: "ssl_client_certificate /etc/nginx/ssl/example.crt;",
        apply: Apply::Inherited(|level, call, cx| {
            level.server.tls.settings.clients.authorities = Some(file(level, call, cx));
            Ok(())
        }),
    },
    Directive {
        name: "ssl_trusted_certificate",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The PEM file of more such authorities, whose names clients are not told.",
        example: "ssl_trusted_certificate /etc/nginx/ssl/example.crt;",
        apply: Apply::Inherited(|level, call, cx| {
            level.server.tls.settings.clients.trusted = Some(file(level, call, cx));
            Ok(())
        }),
    },
    Directive {
        name: "ssl_crl",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The PEM file of lists of certificates that are revoked, one of each authority.",
        example: "ssl_crl /etc/nginx/ssl/example.crl;",
        apply: Apply::Inherited(|level, call, cx| -> Outcome {
            level.server.tls.settings.clients.revoked = Some(file(level, call, cx));
            Ok(())
        }),
    },
];

/// A path relative to the folder of the main file. As in nginx it must be there where a server has a certificate.
pub(super) fn file(level: &mut Inherited, call: &Call<'_>, cx: &Cx<'_>) -> PathBuf {
    let path = cx.folder.join(call.text(0));
    let files = &mut level.server.tls.files;
    files.retain(|(name, ..)| *name != call.name);
    files.push((call.name, path.clone(), call.word(0).place.clone()));
    path
}
