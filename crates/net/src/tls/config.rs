//! TLS configurations: what a server offers (certificate, versions, sessions) and what a client verifies.
//!
//! Bytes in, configuration out: who reads the files is the caller's business.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion, version};

use super::key;

/// A certificate chain with its key, ready to sign.
pub type Identity = CertifiedKey;

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No certificate in the PEM file.
    #[error("no certificate found: the file must hold PEM blocks `BEGIN CERTIFICATE`")]
    NoCertificate,
    /// No private key in the PEM file.
    #[error("no private key found: the file must hold a PEM block `BEGIN PRIVATE KEY`")]
    NoKey,
    /// The key is encrypted, and there is no password.
    #[error("the key is encrypted with a passphrase, and no \"ssl_password_file\" is there that has it")]
    Encrypted,
    /// No password opens the key.
    #[error("the key is encrypted with a passphrase that is none of the password file's")]
    WrongPassword,
    /// The key is encrypted in a way that is not here.
    #[error("it is encrypted by DES, scrypt or the like: openssl pkey -aes256 -in KEY -out NEW writes it anew")]
    UnknownEncryption,
    /// No list of revocations in the PEM file.
    #[error("no list of revocations found: the file must hold PEM blocks `BEGIN X509 CRL`")]
    NoRevocations,
    /// A PEM block is damaged.
    #[error("the PEM file is damaged: {0}")]
    Damaged(rustls::pki_types::pem::Error),
    /// rustls cannot use the key, or it is not the certificate's.
    #[error("{0}")]
    Unusable(#[from] rustls::Error),
}

/// Reads a chain and its key from PEM and checks that they belong together; `passwords` are for an encrypted key.
pub fn read_identity(chain_pem: &[u8], key_pem: &[u8], passwords: &[Vec<u8>]) -> Result<Identity, CertificateError> {
    let chain =
        CertificateDer::pem_slice_iter(chain_pem).collect::<Result<Vec<_>, _>>().map_err(CertificateError::Damaged)?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    let key = key::read(key_pem, passwords)?;
    Ok(CertifiedKey::from_der(chain, key, &provider())?)
}

pub(super) fn versions(tls12: bool, tls13: bool) -> Vec<&'static SupportedProtocolVersion> {
    let offered = [(tls13, &version::TLS13), (tls12, &version::TLS12)];
    offered.into_iter().filter_map(|(is_offered, version)| is_offered.then_some(version)).collect()
}

/// What a client asks of a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// A chain to a root that browsers trust, and the right name.
    WebRoots,
    /// Nothing: any certificate will do (`--insecure-skip-tls-verify`).
    Nothing,
}

/// A client's configuration for HTTP/1.1.
pub fn client_config(verify: Verify) -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let builder = rustls::ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = match verify {
        Verify::WebRoots => {
            let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Verify::Nothing => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Takes any certificate, but still checks that the server holds its key.
#[derive(Debug)]
pub(super) struct AnyCertificate(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
