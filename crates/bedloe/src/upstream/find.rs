//! Where the `api` of a configuration answers on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, bail};
use conf::tree::{Config, Handler, ListenAddress, Location, Server};

use crate::fetch::Origin;
use crate::files::{Source, System};
use crate::findings;

/// The address of the interface that a configuration has: one that changes servers before one that shows them, a unix
/// socket before a loopback address.
pub(super) fn in_configuration(source: &Source) -> anyhow::Result<Origin> {
    let loaded = conf::load(&source.path, &System, &source.options());
    let Some(config) = &loaded.config else {
        findings::print(&loaded, conf::Severity::Error).context("writing to the standard error")?;
        bail!("{} cannot be read: name the interface by --api", source.path.display());
    };
    let mut found = all(config);
    found.sort_by_key(|(writes, address)| (!writes, !address.is_unix()));
    match found.into_iter().next() {
        Some((_, address)) => Ok(address),
        None => bail!(
            "{} has no \"api\" on a unix socket or a loopback address: add \"server {{ listen unix:/run/bedloe.sock; \
             location /api/ {{ api write=on; }} }}\", or name one by --api",
            source.path.display()
        ),
    }
}

/// All of them, and whether they change servers.
fn all(config: &Config) -> Vec<(bool, Origin)> {
    let mut found = Vec::new();
    for server in &config.http.servers {
        for (writes, path) in interfaces(&server.locations) {
            found.extend(addresses(server, &path).map(|address| (writes, address)));
        }
    }
    found
}

fn interfaces(locations: &[Location]) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for location in locations {
        if let Handler::Api(api) = &location.handler {
            found.push((api.writes, location.path.trim_end_matches('/').to_owned()));
        }
        found.extend(interfaces(&location.locations));
    }
    found
}

/// Where a path of a server can be reached from here, without TLS.
fn addresses(server: &Server, path: &str) -> impl Iterator<Item = Origin> {
    server.listens.iter().filter(|listen| !listen.ssl && !listen.proxy_protocol).filter_map(|listen| {
        match &listen.address {
            ListenAddress::Unix(socket) => Some(Origin::unix(socket.clone(), path.to_owned())),
            ListenAddress::Ip(address) => local(*address).map(|address| Origin::tcp(address, path.to_owned())),
        }
    })
}

fn local(address: SocketAddr) -> Option<SocketAddr> {
    let ip = match address.ip() {
        ip if ip.is_loopback() => ip,
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        _ => return None,
    };
    Some(SocketAddr::new(ip, address.port()))
}
