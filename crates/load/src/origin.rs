//! Where requests go: a host and a port, and what TLS with it needs. Names are looked up when they are first dialled.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls_pki_types::ServerName;

use crate::failure::Failure;
use crate::names;
use crate::url::Url;

/// A host that connections are made to. Two of the same address are two: whoever makes them keeps them.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Known from the beginning: the host is an address, or was looked up before the test.
    pub(crate) address: Option<SocketAddr>,
    /// For `https`.
    pub(crate) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
}

impl Origin {
    /// The host of an address; `tls` is for those of `https`.
    pub(crate) fn new(url: &Url, tls: &Arc<rustls::ClientConfig>) -> Result<Self, &'static str> {
        let name = || ServerName::try_from(url.host.clone()).map_err(|_| NO_NAME);
        let tls = if url.tls { Some((Arc::clone(tls), name()?)) } else { None };
        let address = url.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, url.port));
        Ok(Self { host: url.host.clone(), port: url.port, address, tls })
    }

    /// The address to dial.
    pub(crate) async fn address(&self) -> Result<SocketAddr, Failure> {
        match self.address {
            Some(address) => Ok(address),
            None => names::lookup(&self.host).await.map(|ip| SocketAddr::new(ip, self.port)),
        }
    }
}

/// Why a host cannot be asked over TLS.
pub(crate) const NO_NAME: &str = "the host is no name that a certificate could have";
