//! The addresses to listen on, tried as `run` will use them. That somebody listens there already is no finding: it may
//! be the balancer that is to be reloaded.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;

use conf::Diagnostic;
use conf::span::Place;
use conf::tree::Config;
use net::listen::{Options, try_bind};

/// A finding for each that this process cannot have.
pub(super) fn findings(config: &Config) -> Vec<Diagnostic> {
    let listens = config.http.servers.iter().flat_map(|server| &server.listens);
    let mut places: HashMap<SocketAddr, &Place> = HashMap::new();
    let mut addresses = Vec::new();
    for listen in listens {
        places.entry(listen.address).or_insert_with(|| {
            addresses.push((listen.address, listen.options.takes_ipv4));
            &listen.place
        });
    }
    let wildcards: HashSet<(bool, u16)> = addresses
        .iter()
        .filter(|(address, _)| address.ip().is_unspecified())
        .map(|(address, _)| (address.is_ipv6(), address.port()))
        .collect();
    // The wildcard's socket serves those of its port.
    let has_own = |address: &SocketAddr| {
        address.ip().is_unspecified() || !wildcards.contains(&(address.is_ipv6(), address.port()))
    };
    let tried = addresses.iter().filter(|(address, _)| has_own(address)).filter_map(|&(address, takes_ipv4)| {
        let error = try_bind(address, &Options { takes_ipv4, ..Options::default() }).err()?;
        (error.kind() != io::ErrorKind::AddrInUse).then_some((address, error))
    });
    tried.map(|(address, error)| told(address, &error, places[&address])).collect()
}

fn told(address: SocketAddr, error: &io::Error, place: &Place) -> Diagnostic {
    let found = Diagnostic::error("cannot-listen", place, format!("cannot listen on {address}: {error}"));
    match advice(address, error) {
        "" => found,
        advice => found.help(advice),
    }
}

/// What to do about it.
pub(crate) fn advice(address: SocketAddr, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            "a port below 1024 needs root or CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrInUse => "another program listens there: `ss -ltnp` shows which",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        _ => "",
    }
}
