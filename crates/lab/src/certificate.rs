//! The balancer's certificate, made on the spot and signed by itself.

use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

/// The name that the seed's configuration serves.
const NAME: &str = "liberty.example.com";

/// A certificate and its key, both as PEM.
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// Makes a certificate for the seed's name, `localhost` and the balancer's address.
pub fn make(address: IpAddr) -> Result<Certificate, rcgen::Error> {
    let mut params = CertificateParams::new(vec![NAME.to_owned(), "localhost".to_owned()])?;
    params.subject_alt_names.push(SanType::IpAddress(address));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.distinguished_name.push(DnType::OrganizationName, "bedloe lab, for trying only");
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Certificate { certificate: certificate.pem(), key: key.serialize_pem() })
}
