//! TLS to servers, made ready.

use std::sync::Arc;

use conf::tree::ProxyTls;
use net::tls::{ClientOptions, read_revoked, read_trusted, upstream_config};

use super::server::suite;
use super::{Read, SnapshotError, read_file, read_pair};

/// One way of speaking TLS to servers.
pub(super) fn config(way: &ProxyTls, read: &mut Read<'_>) -> Result<Arc<rustls::ClientConfig>, SnapshotError> {
    // Without verification there is nobody to trust.
    let trusted = match way.trusted.as_ref().filter(|_| way.verify) {
        None => None,
        Some(path) => {
            let read = read_trusted(&read_file(path, read)?);
            Some(read.map_err(|error| SnapshotError::Trusted { path: path.clone(), error })?)
        }
    };
    let identity = match (&way.certificate, &way.key) {
        (Some(certificate), Some(key)) => Some(read_pair(certificate, key, way.passwords.as_deref(), read)?),
        _ => None,
    };
    let revoked = match way.revoked.as_ref().filter(|_| way.verify) {
        None => Vec::new(),
        Some(path) => {
            let read = read_revoked(&read_file(path, read)?);
            read.map_err(|error| SnapshotError::Revoked { path: path.clone(), error })?
        }
    };
    let suites13 = way.ciphers13.as_ref().map(|ciphers| ciphers.iter().map(|cipher| suite(*cipher)).collect());
    let (tls12, tls13) = (way.tls12 && !way.without.0, way.tls13 && !way.without.1);
    let server_name = way.server_name;
    let options = ClientOptions { tls12, tls13, server_name, trusted, revoked, identity, suites: None, suites13 };
    upstream_config(options).map(Arc::new).map_err(SnapshotError::Client)
}
