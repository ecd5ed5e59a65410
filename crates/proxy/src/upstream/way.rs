//! The way to a server beyond its address: over TLS or not, under which name, from which address. A kept connection
//! serves only requests that go the same way.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use net::dial::{self, Endpoint};
use net::{Stream, tls};
use route::{ProxyRule, Text};
use rustls::ClientConfig;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::proxy_protocol;
use crate::request::Routed;

/// The way to a server; most go the plain one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Way(Option<Box<Detail>>);

#[derive(Debug, PartialEq, Eq)]
struct Detail {
    tls: Option<Tls>,
    from: Option<SocketAddr>,
    /// What is said of the client's connection before anything else.
    told: Option<Vec<u8>>,
}

/// What TLS is spoken with, and the name that is asked for.
struct Tls {
    config: Arc<ClientConfig>,
    name: Vec<u8>,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.name == other.name
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &String::from_utf8_lossy(&self.name)).finish_non_exhaustive()
    }
}

/// What of making a connection failed.
pub(crate) enum Unmade {
    Connect(io::Error),
    Handshake(io::Error),
}

impl Way {
    /// The way of a check, which no client has a say in: what TLS is spoken with, under which name, from where, and
    /// whether the PROXY protocol comes first.
    pub(crate) fn fixed(
        tls: Option<(Arc<ClientConfig>, Vec<u8>)>,
        from: Option<SocketAddr>,
        proxy_protocol: bool,
    ) -> Self {
        let tls = tls.map(|(config, name)| Tls { config, name });
        let told = proxy_protocol.then(|| proxy_protocol::of_nobody().to_vec());
        let is_plain = tls.is_none() && from.is_none() && told.is_none();
        Self((!is_plain).then(|| Box::new(Detail { tls, from, told })))
    }

    /// The way of a request to a server.
    #[inline]
    pub(crate) fn of(
        connection: &Downstream,
        exchange: &mut Exchange,
        routed: &Routed<'_>,
        rule: &ProxyRule,
        to: &Endpoint,
    ) -> Self {
        if rule.tls.is_none() && rule.bind.is_none() && !rule.proxy_protocol {
            return Self(None);
        }
        Self(Some(Box::new(Detail::of(connection, exchange, routed, rule, to))))
    }

    /// Whether it is one over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.as_ref().is_some_and(|detail| detail.tls.is_some())
    }

    /// Makes a connection.
    pub(crate) async fn connect(&self, to: &Endpoint, keepalive: bool) -> Result<Stream, Unmade> {
        let from = self.0.as_ref().and_then(|detail| detail.from);
        let socket = dial::connect(to, dial::Options { from, keepalive }).await.map_err(Unmade::Connect)?;
        let mut stream = Stream::plain(socket);
        if let Some(told) = self.0.as_ref().and_then(|detail| detail.told.as_ref()) {
            stream.write_all(told).await.map_err(Unmade::Connect)?;
        }
        let Some(Tls { config, name }) = self.0.as_ref().and_then(|detail| detail.tls.as_ref()) else {
            return Ok(stream);
        };
        let name = tls::name_to_ask_for(&String::from_utf8_lossy(name));
        stream.start_tls_client(Arc::clone(config), name).map_err(Unmade::Handshake)?;
        // In a box: a task that waits for plain servers must not be larger for it.
        let handshake: std::pin::Pin<Box<dyn Future<Output = _>>> = Box::pin(stream.handshake());
        handshake.await.map_err(Unmade::Handshake)?;
        Ok(stream)
    }
}

impl Detail {
    fn of(
        connection: &Downstream,
        exchange: &mut Exchange,
        routed: &Routed<'_>,
        rule: &ProxyRule,
        to: &Endpoint,
    ) -> Self {
        let is_tls = exchange.record.proxied.as_ref().is_none_or(|proxied| proxied.is_tls);
        let mut render = |text: &Text| {
            let Exchange { request, path, maps, record, .. } = &mut *exchange;
            let facts = connection.facts(request, routed, path, record, Some(rule));
            let mut out = Vec::new();
            text.render(&facts, &routed.site.maps, maps, &mut out);
            out
        };
        // A text that is no address binds nothing, as in nginx.
        let from = rule.bind.as_ref().and_then(|address| conf::table::bind_address(&render(address)));
        let tls = rule.tls.as_ref().filter(|_| is_tls).map(|tls| {
            let name = render(&tls.name);
            let name = crate::facts::without_port(&name).to_vec();
            Tls { config: routed.site.tls_client(tls.way, to), name }
        });
        let told = rule.proxy_protocol.then(|| proxy_protocol::of_client(&connection.client));
        Self { tls, from, told }
    }
}
