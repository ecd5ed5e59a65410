//! Where requests go: a host and a port, and what TLS with it needs. Names are looked up when they are first dialled.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use crate::failure::Failure;
use crate::routes::Routes;
use crate::url::Url;

/// A host that connections are made to. Two of the same address are two: whoever makes them keeps them.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) way: Way,
    /// For `https`.
    pub(crate) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
}

/// How the address of a host is found.
#[derive(Debug)]
pub(crate) enum Way {
    /// Known from the beginning: the host is an address, or was looked up before the test, or the options say so.
    Known(SocketAddr),
    /// The options say that it is not to be reached.
    Refused(Failure),
    /// It is looked up.
    Name(Arc<Routes>),
}

impl Origin {
    /// The host of an address; `tls` is for those of `https`.
    pub(crate) fn new(url: &Url, tls: &Arc<rustls::ClientConfig>, routes: &Arc<Routes>) -> Result<Self, &'static str> {
        let name = || ServerName::try_from(url.host.clone()).map_err(|_| NO_NAME);
        let tls = if url.tls { Some((Arc::clone(tls), name()?)) } else { None };
        let way = match routes.known(&url.host, url.port) {
            Some(Ok(address)) => Way::Known(address),
            Some(Err(failure)) => Way::Refused(failure),
            None => Way::Name(Arc::clone(routes)),
        };
        Ok(Self { host: url.host.clone(), port: url.port, way, tls })
    }

    /// The address to dial.
    pub(crate) async fn address(&self) -> Result<SocketAddr, Failure> {
        match &self.way {
            Way::Known(address) => Ok(*address),
            Way::Refused(failure) => Err(failure.clone()),
            Way::Name(routes) => routes.look_up(&self.host, self.port).await,
        }
    }
}

/// Why a host cannot be asked over TLS.
pub(crate) const NO_NAME: &str = "the host is no name that a certificate could have";
