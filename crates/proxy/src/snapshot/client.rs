//! TLS to servers, made ready.

use std::sync::Arc;

use conf::tree::ProxyTls;
use net::tls::{ClientOptions, read_trusted, upstream_config};

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
        (Some(certificate), Some(key)) => Some(read_pair(certificate, key, read)?),
        _ => None,
    };
    let (tls12, tls13, server_name) = (way.tls12, way.tls13, way.server_name);
    let options = ClientOptions { tls12, tls13, server_name, trusted, identity, suites: None };
    upstream_config(options).map(Arc::new).map_err(SnapshotError::Client)
}
