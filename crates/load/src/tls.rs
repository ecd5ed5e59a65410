//! How TLS is spoken to the hosts of a test: whom to trust, what is offered and shown.
//!
//! Trusted is what this host trusts, as in k6: the files of the system, or those that `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` name; where there is none, what browsers trust. No session is resumed: k6's connections are all new
//! ones, and cost the server as much.

use std::sync::{Arc, LazyLock};

use net::tls::{CertificateError, ClientOptions, Identity, upstream_config};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ClientConfig, RootCertStore, SignatureScheme};
use rustls_pki_types::CertificateDer;

/// What is offered by ALPN: the server chooses.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What the options of a test say about TLS.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// Any certificate is taken.
    pub takes_any: bool,
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
    /// The cipher suites of TLS 1.2 that are offered; `None` for all.
    pub suites: Option<Vec<CipherSuite>>,
    /// Certificates of ours, for servers that ask for one.
    pub identities: Vec<Identity>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { takes_any: false, tls12: true, tls13: true, suites: None, identities: Vec::new() }
    }
}

/// The authorities that this host trusts.
static TRUSTED: LazyLock<Vec<CertificateDer<'static>>> = LazyLock::new(|| {
    let mut all = rustls_native_certs::load_native_certs().certs;
    // What cannot be read is left out, as by Go: a chain that needs it is then refused.
    all.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    all
});

impl TlsOptions {
    /// What connections are made with.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, CertificateError> {
        let Self { takes_any, tls12, tls13, suites, identities } = self;
        let mut config = upstream_config(ClientOptions {
            tls12: *tls12,
            tls13: *tls13,
            suites: suites.clone(),
            ..ClientOptions::new((!takes_any).then(|| TRUSTED.clone()))
        })?;
        if !identities.is_empty() {
            config.client_auth_cert_resolver = Arc::new(Shown(identities.iter().cloned().map(Arc::new).collect()));
        }
        config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// Certificates of ours: the first that a server could take is shown to it.
#[derive(Debug)]
struct Shown(Vec<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // The name of who signed a certificate stands in it as it is.
        let names = |certificate: &CertificateDer<'_>, issuer: &[u8]| {
            certificate.windows(issuer.len().max(1)).any(|part| part == issuer)
        };
        let is_taken = |identity: &&Arc<CertifiedKey>| {
            let is_signed =
                issuers.is_empty() || issuers.iter().any(|issuer| identity.cert.iter().any(|each| names(each, issuer)));
            is_signed && identity.key.choose_scheme(schemes).is_some()
        };
        self.0.iter().find(is_taken).cloned()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
