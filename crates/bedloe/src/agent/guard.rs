//! Who may read an agent: a token, or a certificate of an authority. What is served to whom is `page`'s.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::secrets::{read_authorities, read_identity, read_secret};

/// The shortest token: 16 letters of base64 are 96 bits.
const TOKEN_MIN: usize = 16;
/// The longest: it goes into the head of a request.
const TOKEN_MAX: usize = 1024;

/// What clients must show.
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token")
    }
}

impl Token {
    /// Reads it from the first line of a file.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let line = read_secret(file)?;
        let token = line.trim_ascii();
        let is_token = (TOKEN_MIN..=TOKEN_MAX).contains(&token.len()) && token.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(token) {
            Ok(token) if is_token => Ok(Self(token.to_owned())),
            _ => bail!(
                "the first line of {shown} must be a token of {TOKEN_MIN} to {TOKEN_MAX} letters and digits: \
                 `openssl rand -hex 32` makes one"
            ),
        }
    }

    /// The value of `Authorization` that shows it.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether a value of `Authorization` shows it. All of it is compared, however early it differs: the time that an
    /// answer takes tells nothing of the token but its length.
    pub(super) fn is_shown_by(&self, value: &[u8]) -> bool {
        let Some((scheme, shown)) = value.split_at_checked("Bearer ".len()) else { return false };
        let (shown, own) = (shown.trim_ascii(), self.0.as_bytes());
        let differs = |differs: u8, (left, right): (&u8, &u8)| std::hint::black_box(differs | (left ^ right));
        let is_equal = shown.len() == own.len() && shown.iter().zip(own).fold(0, differs) == 0;
        scheme.eq_ignore_ascii_case(b"Bearer ") && is_equal
    }
}

/// TLS with the certificate in `chain`, for clients of `authorities` alone where these are given.
pub(super) fn tls(chain: &Path, key: &Path, authorities: Option<&Path>) -> anyhow::Result<TlsAcceptor> {
    let identity = read_identity(chain, key)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = match authorities {
        None => config.with_no_client_auth(),
        Some(file) => {
            let bad = || format!("cannot use the authorities in {}", file.display());
            let mut roots = RootCertStore::empty();
            for certificate in read_authorities(file)? {
                roots.add(certificate).with_context(bad)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().with_context(bad)?)
        }
    };
    let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::path::Path;

    use super::Token;

    #[test]
    fn a_token_is_shown_whole_or_not_at_all() {
        let token = Token("0123456789abcdef".to_owned());
        let cases = [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef", true),
            (&token.header(), true),
            ("Bearer 0123456789abcdeF", false),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Basic 0123456789abcdef", false),
            ("Bearer ", false),
            ("Bear", false),
            ("", false),
        ];
        for (value, is_shown) in cases {
            assert_eq!(token.is_shown_by(value.as_bytes()), is_shown, "{value}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn a_weak_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let long = "x".repeat(1025);
        for (text, is_good) in [
            ("0123456789abcdef\n", true),
            (" 0123456789abcdef \r\nmore", true),
            ("", false),
            ("short\n", false),
            ("\n0123456789abcdef\n", false),
            ("0123456789 abcdef\n", false),
            ("0123456789äbcdefg\n", false),
            (&long, false),
            (" \t \n", false),
            (&"\n".repeat(10_000), false),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(Token::read(&file).is_ok(), is_good, "{text:?}");
        }
        std::fs::write(&file, b"0123456789abcdef\n\xff").unwrap();
        assert!(Token::read(&file).is_ok(), "what is behind the first line is nobody's business");
        assert!(Token::read(&folder.path().join("none")).is_err());
        assert!(Token::read(Path::new("/dev/zero")).is_err(), "a file without an end");
    }
}
