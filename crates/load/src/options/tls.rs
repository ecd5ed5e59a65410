//! Options that say how TLS is spoken: `tlsVersion`, `tlsCipherSuites`, `tlsAuth`.

use net::tls::{Identity, read_identity};
use rustls::CipherSuite;
use serde_json::Value as Json;

use super::value::{text, texts};
use super::{Layer, Wrong, noted, wrong};
use crate::tls::TlsOptions;

/// Versions by k6's names, the oldest first. Those before TLS 1.2 are not spoken here.
const VERSIONS: [&str; 4] = ["tls1.0", "tls1.1", "tls1.2", "tls1.3"];
/// Where in this list TLS 1.2 and 1.3 are.
const TLS12: usize = 2;
const TLS13: usize = 3;

/// Cipher suites of TLS 1.2 by their names in k6.
const SUITES: [(&str, CipherSuite); 8] = [
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];
/// Those of TLS 1.3, which are always offered, as by k6.
const SUITES13: [&str; 3] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

pub(super) fn tls(json: &Layer, takes_any: bool) -> Result<TlsOptions, Wrong> {
    let mut problems = Vec::new();
    let (tls12, tls13) = noted(versions(json), &mut problems).unwrap_or((true, true));
    let suites = noted(suites(json), &mut problems).flatten();
    let identities = noted(identities(json), &mut problems).unwrap_or_default();
    if problems.is_empty() {
        Ok(TlsOptions { takes_any, tls12, tls13, suites, identities })
    } else {
        Err(Wrong(problems))
    }
}

/// Whether TLS 1.2 and 1.3 are offered.
fn versions(json: &Layer) -> Result<(bool, bool), Wrong> {
    let at = |name: &str| match VERSIONS.iter().position(|each| *each == name) {
        Some(at) => Ok(at),
        None => wrong(format!("tlsVersion: `{name}` is none of {}", VERSIONS.join(", "))),
    };
    let (min, max) = match json.get("tlsVersion") {
        None | Some(Json::Null) => return Ok((true, true)),
        Some(Json::String(version)) if version.is_empty() => return Ok((true, true)),
        Some(Json::String(version)) => (at(version)?, at(version)?),
        Some(Json::Object(range)) => {
            let bound =
                |name: &str| text(range, name)?.filter(|text| !text.is_empty()).map(|text| at(&text)).transpose();
            (bound("min")?.unwrap_or(0), bound("max")?.unwrap_or(TLS13))
        }
        Some(other) => return wrong(format!("tlsVersion: want a text, or an object with min and max, not {other}")),
    };
    let offers = |version: usize| (min..=max).contains(&version);
    if !offers(TLS12) && !offers(TLS13) {
        return wrong("tlsVersion: this leaves neither tls1.2 nor tls1.3, and no other is spoken here".into());
    }
    Ok((offers(TLS12), offers(TLS13)))
}

fn suites(json: &Layer) -> Result<Option<Vec<CipherSuite>>, Wrong> {
    let Some(names) = texts(json, "tlsCipherSuites")? else { return Ok(None) };
    let mut all = Vec::new();
    for name in names {
        if let Some((_, suite)) = SUITES.iter().find(|(each, _)| *each == name) {
            all.push(*suite);
        } else if !SUITES13.contains(&name.as_str()) {
            let served: Vec<&str> = SUITES.iter().map(|(name, _)| *name).chain(SUITES13).collect();
            return wrong(format!("tlsCipherSuites: `{name}` is not served: want some of {}", served.join(", ")));
        }
    }
    Ok(Some(all))
}

/// Certificates of ours. As in k6, `domains` choose none: a server gets the first that it could take.
fn identities(json: &Layer) -> Result<Vec<Identity>, Wrong> {
    let entries = match json.get("tlsAuth") {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(entries)) => entries,
        Some(other) => return wrong(format!("tlsAuth: want a list of objects with cert and key, not {other}")),
    };
    let identity = |(at, entry): (usize, &Json)| {
        let Some(fields) = entry.as_object() else {
            return wrong(format!("tlsAuth[{at}]: want an object with cert and key, not {entry}"));
        };
        if text(fields, "password")?.is_some_and(|password| !password.is_empty()) {
            let mend = "`openssl pkey` writes the key without one";
            return wrong(format!("tlsAuth[{at}]: keys with a `password` are not served: {mend}"));
        }
        let pem = |name: &str| Ok::<_, Wrong>(text(fields, name)?.unwrap_or_default().into_bytes());
        read_identity(&pem("cert")?, &pem("key")?, &[]).map_err(|error| Wrong(vec![format!("tlsAuth[{at}]: {error}")]))
    };
    entries.iter().enumerate().map(identity).collect()
}
