//! TLS to servers that a configuration names: whom to trust, what to show, which name to ask for.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, IpAddr, Ipv4Addr, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedCipherSuite};

use super::config::{AnyCertificate, CertificateError, Identity, provider, versions};

/// Sessions kept for each server and way of speaking TLS to it; each is used once.
const SESSIONS: usize = 32;

/// How TLS is spoken to a server.
#[derive(Debug)]
pub struct ClientOptions {
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
    /// Whether the server is told the name that is asked for.
    pub server_name: bool,
    /// The authorities that its certificate is verified with, those of browsers where the list is empty; `None` takes
    /// any certificate.
    pub trusted: Option<Vec<CertificateDer<'static>>>,
    /// Lists of certificates that are revoked; where there are any, each authority of a chain must have one.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
    /// What it is shown.
    pub identity: Option<Identity>,
    /// The cipher suites of TLS 1.2 that are offered; `None` for all.
    pub suites: Option<Vec<CipherSuite>>,
    /// Those of TLS 1.3, in order.
    pub suites13: Option<Vec<CipherSuite>>,
}

impl ClientOptions {
    /// Both versions, all suites, the server's name told; whom to trust as [`ClientOptions::trusted`] has it.
    pub fn new(trusted: Option<Vec<CertificateDer<'static>>>) -> Self {
        Self {
            tls12: true,
            tls13: true,
            server_name: true,
            trusted,
            revoked: Vec::new(),
            identity: None,
            suites: None,
            suites13: None,
        }
    }
}

/// The certificates of a PEM file of authorities.
pub fn read_trusted(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(CertificateError::Damaged)?;
    if certificates.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    roots(&certificates)?;
    Ok(certificates)
}

/// The lists of a PEM file of revocations.
pub fn read_revoked(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, CertificateError> {
    let lists = CertificateRevocationListDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(CertificateError::Damaged)?;
    if lists.is_empty() { Err(CertificateError::NoRevocations) } else { Ok(lists) }
}

/// A client's configuration. It resumes no sessions: [`with_sessions`] makes one that does, for one server.
pub fn upstream_config(options: ClientOptions) -> Result<ClientConfig, CertificateError> {
    let versions = versions(options.tls12, options.tls13);
    let mut offered = (*provider()).clone();
    if let Some(suites) = &options.suites {
        offered.cipher_suites.retain(|each| each.tls13().is_some() || suites.contains(&each.suite()));
    }
    if let Some(suites) = &options.suites13 {
        let rank = |each: &SupportedCipherSuite| suites.iter().position(|suite| *suite == each.suite());
        offered.cipher_suites.retain(|each| each.tls13().is_none() || rank(each).is_some());
        offered.cipher_suites.sort_by_key(|each| (each.tls13().is_none(), rank(each)));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(offered)).with_protocol_versions(&versions)?;
    let verifier: Arc<dyn ServerCertVerifier> = match options.trusted {
        None => Arc::new(AnyCertificate(provider())),
        Some(trusted) => {
            let browsers = || RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            let roots = Arc::new(if trusted.is_empty() { browsers() } else { roots(&trusted)? });
            let chains = WebPkiServerVerifier::builder_with_provider(roots, provider());
            // As in OpenSSL, a list whose time is over says nothing any more.
            let chains = chains.with_crls(options.revoked).enforce_revocation_expiration().build();
            let chains = chains.map_err(|error| rustls::Error::General(error.to_string()))?;
            Arc::new(Trusting { chains, trusted })
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match options.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
    };
    config.enable_sni = options.server_name;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The same for one server, with sessions of its own.
pub fn with_sessions(config: &ClientConfig) -> ClientConfig {
    let mut own = config.clone();
    own.resumption = Resumption::in_memory_sessions(SESSIONS);
    own
}

/// The name to ask a server for. One that can be no name in a certificate is asked for by none.
pub fn name_to_ask_for(name: &str) -> ServerName<'static> {
    let unnamed = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0, 0, 0, 0])));
    ServerName::try_from(name.to_owned()).unwrap_or(unnamed)
}

fn roots(trusted: &[CertificateDer<'static>]) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    trusted.iter().try_for_each(|certificate| roots.add(certificate.clone()))?;
    Ok(roots)
}

/// Takes chains to an authority, and certificates that are trusted themselves: who signs his own certificate with
/// OpenSSL's defaults makes it an authority's, which a server may not have by the rules of the web.
#[derive(Debug)]
struct Trusting {
    chains: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Trusting {
    /// Whether that was all that is wrong with a certificate: its dates were looked at before.
    fn is_own_authority(&self, end_entity: &CertificateDer<'_>, error: &rustls::Error) -> bool {
        self.trusted.contains(end_entity) && format!("{error:?}").contains("CaUsedAsEndEntity")
    }
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.chains.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(error) if self.is_own_authority(end_entity, &error) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
