//! Certificates of clients: asked for in the handshake, judged behind it.
//!
//! As in nginx, a handshake goes on whatever the certificate: the answer says what is wrong with it. That the client
//! holds the certificate's key is asked for in the handshake all the same. A session that is resumed brings the
//! certificate of its first handshake, which is judged anew, by the settings and the time of the new one.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath, anchor_from_trusted_cert,
};

use super::config::{CertificateError, provider};
use super::x509;

/// What clients' certificates are judged by.
pub struct ClientAuthorities {
    anchors: Vec<TrustAnchor<'static>>,
    trusted: Vec<CertificateDer<'static>>,
    revoked: Vec<CertRevocationList<'static>>,
    /// Authorities that there may be between a certificate and one that is trusted.
    depth: u32,
    /// Whom clients are told of.
    named: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for ClientAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthorities").field("anchors", &self.anchors.len()).finish_non_exhaustive()
    }
}

/// What a client's certificate is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// An authority stands for it.
    Good,
    /// No authority that is known does; nothing else is wrong with it.
    Unknown(&'static str),
    /// Something else is wrong with it: what, in OpenSSL's words.
    Bad(&'static str),
}

impl ClientAuthorities {
    /// From PEM files: authorities that clients are told of, those that they are not, and revocations.
    ///
    /// # Errors
    /// When a file has nothing of its kind, or is damaged.
    pub fn read(
        named: Option<&[u8]>,
        unnamed: Option<&[u8]>,
        revocations: Option<&[u8]>,
        depth: u32,
    ) -> Result<Self, CertificateError> {
        let read = |pem: Option<&[u8]>| pem.map_or(Ok(Vec::new()), super::read_trusted);
        let (mut trusted, unnamed) = (read(named)?, read(unnamed)?);
        let subject = |certificate| Ok(DistinguishedName::in_sequence(anchor(certificate)?.subject.as_ref()));
        let named = trusted.iter().map(subject).collect::<Result<Vec<_>, CertificateError>>()?;
        trusted.extend(unnamed);
        let anchors = trusted.iter().map(|certificate| anchor(certificate).map(|anchor| anchor.to_owned()));
        let anchors = anchors.collect::<Result<Vec<_>, _>>()?;
        let revoked = revocations.map_or(Ok(Vec::new()), read_revocations)?;
        Ok(Self { anchors, trusted, revoked, depth, named, provider: provider() })
    }

    /// Judges what a client has shown, its own certificate first; `now_s` is the time since 1970.
    pub fn judge(&self, shown: &[CertificateDer<'_>], now_s: u64) -> Judged {
        let Some((own, chain)) = shown.split_first() else { return Judged::Bad("no certificate") };
        match self.verify(own, chain, now_s) {
            Ok(()) => Judged::Good,
            // Who signs his own certificate with OpenSSL's defaults makes it an authority's; its dates are looked at
            // before.
            Err(webpki::Error::CaUsedAsEndEntity) if self.trusted.contains(own) => Judged::Good,
            Err(webpki::Error::UnknownIssuer) => Judged::Unknown(match () {
                () if x509::is_self_signed(own) => "self-signed certificate",
                () if chain.is_empty() => "unable to verify the first certificate",
                () => "unable to get local issuer certificate",
            }),
            Err(error) => Judged::Bad(in_openssl_s_words(&error)),
        }
    }

    fn verify(&self, own: &CertificateDer<'_>, chain: &[CertificateDer<'_>], now_s: u64) -> Result<(), webpki::Error> {
        let end = EndEntityCert::try_from(own)?;
        let revoked: Vec<&CertRevocationList<'_>> = self.revoked.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&revoked).ok().map(|builder| {
            builder
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let is_short = |path: &VerifiedPath<'_>| match path.intermediate_certificates().count() {
            count if count <= self.depth as usize => Ok(()),
            _ => Err(webpki::Error::MaximumPathDepthExceeded),
        };
        end.verify_for_usage(
            self.provider.signature_verification_algorithms.all,
            &self.anchors,
            chain,
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(now_s)),
            KeyUsage::client_auth(),
            revocation,
            Some(&is_short),
        )
        .map(drop)
    }
}

fn anchor<'a>(certificate: &'a CertificateDer<'a>) -> Result<TrustAnchor<'a>, CertificateError> {
    anchor_from_trusted_cert(certificate)
        .map_err(|error| rustls::Error::General(format!("an authority's certificate is of no use: {error}")).into())
}

fn read_revocations(pem: &[u8]) -> Result<Vec<CertRevocationList<'static>>, CertificateError> {
    let lists = CertificateRevocationListDer::pem_slice_iter(pem).map(|list| {
        let list = list.map_err(CertificateError::Damaged)?;
        let read = OwnedCertRevocationList::from_der(&list);
        let read =
            read.map_err(|error| rustls::Error::General(format!("a list of revocations is of no use: {error}")))?;
        Ok(CertRevocationList::from(read))
    });
    let lists = lists.collect::<Result<Vec<_>, CertificateError>>()?;
    if lists.is_empty() { Err(CertificateError::NoRevocations) } else { Ok(lists) }
}

fn in_openssl_s_words(error: &webpki::Error) -> &'static str {
    use webpki::Error;
    match error {
        Error::CertExpired { .. } => "certificate has expired",
        Error::CertNotValidYet { .. } => "certificate is not yet valid",
        Error::CertRevoked => "certificate revoked",
        Error::CrlExpired { .. } => "CRL has expired",
        Error::UnknownRevocationStatus | Error::IssuerNotCrlSigner => "unable to get certificate CRL",
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => "unsuitable certificate purpose",
        Error::CaUsedAsEndEntity => "unsuitable certificate purpose",
        Error::MaximumPathDepthExceeded => "certificate chain too long",
        Error::EndEntityUsedAsCa => "invalid CA certificate",
        Error::PathLenConstraintViolated => "path length constraint exceeded",
        Error::NameConstraintViolation => "permitted subtree violation",
        Error::InvalidSignatureForPublicKey => "certificate signature failure",
        _ => "certificate rejected",
    }
}

/// Asks for a certificate in the handshake, and takes any whose key the client holds.
#[derive(Debug)]
pub(super) struct Asking(pub(super) Arc<ClientAuthorities>);

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.0.named
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.0.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.0.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.provider.signature_verification_algorithms.supported_schemes()
    }
}
