//! `ssl_conf_command` and `proxy_ssl_conf_command`: those of OpenSSL's commands that have a counterpart here. What has
//! none is refused, or warned of where it would change nothing that a client or a server sees.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Outcome};
use crate::ciphers;
use crate::tree::Cipher;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "ssl_conf_command",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(2),
        repeats: true,
        default: "",
        doc: "A command of OpenSSL's: Ciphersuites, MinProtocol, MaxProtocol; Options change nothing.",
        example: "ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;",
        apply: Apply::Inherited(|level, call, cx| -> Outcome {
            let tls = &mut level.server.tls;
            obey(call, cx, &mut tls.settings.ciphers13, &mut tls.without)
        }),
    },
    Directive {
        name: "proxy_ssl_conf_command",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(2),
        repeats: true,
        default: "",
        doc: "The same for TLS to servers.",
        example: "proxy_ssl_conf_command MinProtocol TLSv1.3;",
        apply: Apply::Inherited(|level, call, cx| -> Outcome {
            let tls = &mut level.proxy.tls;
            obey(call, cx, &mut tls.ciphers13, &mut tls.without)
        }),
    },
];

/// A command that has an effect.
enum Command {
    Suites(Vec<Cipher>),
    /// No version below TLS 1.3.
    Least,
    /// No version above TLS 1.2.
    Most,
}

/// Does what the command says to suites and versions.
fn obey(call: &Call<'_>, cx: &mut Cx<'_>, suites: &mut Option<Vec<Cipher>>, without: &mut (bool, bool)) -> Outcome {
    match command(call, cx)? {
        Some(Command::Suites(chosen)) => *suites = Some(chosen),
        Some(Command::Least) => without.0 = true,
        Some(Command::Most) => without.1 = true,
        None => {}
    }
    Ok(())
}

fn command(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<Option<Command>, Diagnostic> {
    const VERSIONS: [&str; 5] = ["TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1", "None"];
    let name = call.text(0);
    let version = || match VERSIONS.iter().find(|version| version.eq_ignore_ascii_case(call.text(1))) {
        Some(version) => Ok(*version),
        None => Err(call.unknown_word(1, "protocol", VERSIONS)),
    };
    match () {
        () if name.eq_ignore_ascii_case("Ciphersuites") => {
            let chosen: Vec<_> = call.text(1).split(':').filter_map(ciphers::tls13).collect();
            if chosen.is_empty() {
                return Err(call.invalid(1, "no suite of TLS 1.3 is left, such as TLS_AES_256_GCM_SHA384"));
            }
            Ok(Some(Command::Suites(chosen)))
        }
        () if name.eq_ignore_ascii_case("MinProtocol") => Ok((version()? == "TLSv1.3").then_some(Command::Least)),
        () if name.eq_ignore_ascii_case("MaxProtocol") => match version()? {
            "TLSv1.2" => Ok(Some(Command::Most)),
            "TLSv1.1" | "TLSv1" => Err(call.invalid(1, "TLS 1.2 and 1.3 are all there is")),
            _ => Ok(None),
        },
        () if name.eq_ignore_ascii_case("Options") => {
            cx.no_effect(&call.node.name.place, call.name, "options of OpenSSL mean nothing here");
            Ok(None)
        }
        () => Err(call.not_yet(0, "other commands of OpenSSL")),
    }
}
