//! Certificates with their keys, tried as `run` will use them, and what is wrong with them in words. Dates, names and
//! chains are not looked at: clients do.

use std::collections::HashSet;
use std::path::Path;

use conf::span::Place;
use conf::tree::{Config, ProxyTls};
use conf::{Diagnostic, Loaded, Loader, NeededFile};
use net::tls::{CertificateError, passwords as passwords_of, read_identity, read_trusted};

use crate::files;

/// A finding for each pair that is of no use.
pub(super) fn findings(config: &Config, loaded: &Loaded) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    let servers = config.http.servers.iter().filter_map(|server| server.tls.as_ref()).flat_map(|tls| &tls.certificates);
    let servers = servers.map(|pair| Pair {
        certificate: &pair.certificate,
        key: &pair.key,
        passwords: pair.passwords.as_deref(),
        place: &pair.place,
    });
    let proxies = config.http.proxy_tls.iter().filter_map(|tls| of_proxy(tls, loaded));
    let pairs = servers.chain(proxies).filter(|pair| seen.insert((pair.certificate, pair.key)));
    let trusted = config.http.proxy_tls.iter().filter_map(|tls| of_trusted(tls, loaded));
    let others = loaded.needs.iter().filter_map(of_need);
    pairs.flat_map(|pair| of_pair(&pair, loaded)).chain(trusted).chain(others).collect()
}

/// What is wrong with a file that nginx reads whether or not it is used.
fn of_need(need: &NeededFile) -> Option<Diagnostic> {
    let bytes = || files::System.read(&need.path).ok();
    let wrong = match need.directive {
        "ssl_trusted_certificate" | "ssl_client_certificate" => read_trusted(&bytes()?).err()?.to_string(),
        "ssl_dhparam" if !has_parameters(&bytes()?) => "no PEM block of DH PARAMETERS is in it".to_owned(),
        _ => return None,
    };
    let message = format!("{} {}: {wrong}", need.directive, need.path.display());
    let found = Diagnostic::error("certificate-unusable", &need.place, message);
    Some(match need.directive {
        "ssl_dhparam" => found.help("remove the directive: it has no effect"),
        _ => found,
    })
}

/// Whether a file has parameters of a key exchange, which nobody looks at any closer: they are not used.
fn has_parameters(pem: &[u8]) -> bool {
    const LABEL: &str = "DH PARAMETERS-----";
    let text = String::from_utf8_lossy(pem);
    let mut blocks = text.split("-----BEGIN ").skip(1).filter_map(|block| {
        let (label, rest) = block.split_at_checked(block.find('\n')?)?;
        label.trim_end().ends_with(LABEL).then(|| rest.split_once("-----END ")).flatten()
    });
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(&byte);
    // A sequence in DER begins with "M" when written so.
    blocks.any(|(body, end)| {
        let is_whole = body.trim_start().starts_with('M') && body.bytes().all(is_base64);
        is_whole && end.contains(LABEL)
    })
}

/// A certificate with its key, and where it was written.
struct Pair<'a> {
    certificate: &'a Path,
    key: &'a Path,
    passwords: Option<&'a Path>,
    place: &'a Place,
}

fn of_proxy<'a>(tls: &'a ProxyTls, loaded: &'a Loaded) -> Option<Pair<'a>> {
    let (certificate, key) = (tls.certificate.as_ref()?, tls.key.as_ref()?);
    let passwords = tls.passwords.as_deref();
    Some(Pair { certificate, key, passwords, place: place_of(certificate, "ssl_certificate", loaded)? })
}

/// Where a file is named by a directive whose name ends so.
fn place_of<'a>(path: &Path, directive: &str, loaded: &'a Loaded) -> Option<&'a Place> {
    let is_it = |need: &&NeededFile| need.path == path && need.directive.ends_with(directive);
    loaded.needs.iter().find(is_it).map(|need| &need.place)
}

/// What is wrong with authorities' certificates that servers are verified with.
fn of_trusted(tls: &ProxyTls, loaded: &Loaded) -> Option<Diagnostic> {
    let path = tls.trusted.as_ref().filter(|_| tls.verify)?;
    let error = read_trusted(&files::System.read(path).ok()?).err()?;
    let message = format!("certificates {}: {error}", path.display());
    Some(Diagnostic::error("certificate-unusable", place_of(path, "trusted_certificate", loaded)?, message))
}

fn of_pair(tls: &Pair<'_>, loaded: &Loaded) -> Vec<Diagnostic> {
    // Files that cannot be read are told already.
    let (Ok(certificate), Ok(key)) = (files::System.read(tls.certificate), files::System.read(tls.key)) else {
        return Vec::new();
    };
    let passwords = tls.passwords.and_then(|path| files::System.read(path).ok()).unwrap_or_default();
    let Err(error) = read_identity(&certificate, &key, &passwords_of(&passwords)) else { return Vec::new() };
    let key_place = place_of(tls.key, "certificate_key", loaded).unwrap_or(tls.place);
    let files = [
        File { name: "certificate", block: "CERTIFICATE", path: tls.certificate, place: tls.place }.wrong(&certificate),
        File { name: "key", block: "PRIVATE KEY", path: tls.key, place: key_place }.wrong(&key),
    ];
    let found: Vec<Diagnostic> = files.into_iter().flatten().collect();
    if found.is_empty() { vec![pair(&error, tls, key_place)] } else { found }
}

/// One file of a pair.
struct File<'a> {
    name: &'static str,
    /// How the label of its PEM block ends.
    block: &'static str,
    path: &'a Path,
    place: &'a Place,
}

impl File<'_> {
    /// What can be seen by looking at this file alone.
    fn wrong(&self, bytes: &[u8]) -> Option<Diagnostic> {
        let text = String::from_utf8_lossy(bytes);
        let has = |label: &str| text.contains(&format!("{label}-----"));
        let path = self.path.display();
        let openssl = if self.block == "CERTIFICATE" { "x509" } else { "pkey" };
        let (what, help) = if bytes.is_empty() {
            ("the file is empty".to_owned(), None)
        } else if bytes.starts_with(&[0x30, 0x82]) || bytes.starts_with(&[0x30, 0x81]) {
            let help = format!("write it as PEM: openssl {openssl} -inform der -in {path} -out {path}.pem");
            ("it is in DER form, and PEM is wanted".to_owned(), Some(help))
        } else if !has(self.block) && (has("CERTIFICATE") || has("PRIVATE KEY")) {
            let holds = if has("CERTIFICATE") { "a certificate" } else { "a private key" };
            let help = "are ssl_certificate and ssl_certificate_key swapped?".to_owned();
            (format!("it holds {holds}, not a {}", self.name), Some(help))
        } else if !has(self.block) {
            (format!("no PEM block of a {} is in it", self.name), None)
        } else if text.matches("-----BEGIN ").count() != text.matches("-----END ").count() {
            ("it is cut off: a PEM block lacks its last line, \"-----END ...\"".to_owned(), None)
        } else {
            return None;
        };
        let found = Diagnostic::error("certificate-unusable", self.place, format!("{} {path}: {what}", self.name));
        Some(help.into_iter().fold(found, Diagnostic::help))
    }
}

/// What only both files together show.
fn pair(error: &CertificateError, tls: &Pair<'_>, key_place: &Place) -> Diagnostic {
    let (certificate, key) = (tls.certificate.display(), tls.key.display());
    let wrong = |place, message: String| Diagnostic::error("certificate-unusable", place, message);
    let text = error.to_string();
    match error {
        CertificateError::Unusable(_) if text.contains("KeyMismatch") => {
            wrong(key_place, format!("key {key}: it is not the key of the certificate {certificate}")).help(
                "these must print the same: openssl x509 -noout -pubkey -in CERTIFICATE, openssl pkey -pubout -in KEY",
            )
        }
        CertificateError::Unusable(_) if text.contains("private key") => {
            wrong(key_place, format!("key {key}: a key of this kind or size cannot be used"))
                .help("RSA with 2048 to 8192 bits, ECDSA (P-256, P-384, P-521) and Ed25519 are taken")
        }
        CertificateError::Encrypted | CertificateError::WrongPassword => wrong(key_place, format!("key {key}: {text}"))
            .help("write the passphrase into a file, on a line of its own, and \"ssl_password_file FILE;\""),
        CertificateError::UnknownEncryption => wrong(key_place, format!("key {key}: {text}")),
        _ => wrong(tls.place, format!("certificate {certificate} with key {key}: {text}"))
            .help("is a file cut off, or a line of it changed? \"openssl x509 -in FILE\" shows whether it is whole"),
    }
}
