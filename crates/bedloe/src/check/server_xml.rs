//! Liberty's `server.xml` beside the balancer's configuration: what of the two does not fit together.
//!
//! Matched are a server of an upstream and a file by the address and port, or by the `route=` that is a clone id.

mod liberty;
mod reader;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::span::Place;
use conf::tree::{Config, PeerAddress, Upstream};
use conf::{Diagnostic, Loaded};

use liberty::{Liberty, Told};

/// Reads the files, adds them to those that are shown, and gives what was found.
pub(super) fn findings(paths: &[PathBuf], loaded: &mut Loaded) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut servers = Vec::new();
    for path in paths {
        let (server, more) = liberty::read(path, &mut loaded.files);
        found.extend(more);
        servers.extend(server);
    }
    found.extend(servers.iter().flat_map(alone));
    found.extend(together(&servers));
    if let Some(config) = &loaded.config {
        servers.iter().for_each(|server| beside(server, config, &mut found));
    }
    found
}

/// What is amiss with a server by itself.
fn alone(server: &Liberty) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if !server.features.iter().any(|feature| is_health(feature)) {
        let message = "no feature mpHealth: /health/ready tells nobody whether the server is ready";
        let help = "add <feature>mpHealth-4.0</feature> to <featureManager>";
        found.push(Diagnostic::warning("no-mphealth", &server.features_place, message).help(help));
    }
    for Told { text, place } in &server.unknown {
        let message = format!("{text} is not known here, and nothing is said of it");
        let help = "bootstrap.properties beside the file, or a <variable>, would say it";
        found.push(Diagnostic::note("server-xml-variable", place, message).help(help));
    }
    if let Some(place) = &server.no_clone_ids {
        let message = "noAdditionalInfo=\"true\" leaves the clone id out of the session cookie: no balancer finds the \
                       server that has a session";
        found.push(Diagnostic::warning("no-clone-id", place, message));
    }
    found
}

/// `microProfile-4.0` and its like bring it along.
fn is_health(feature: &str) -> bool {
    let name = feature.rsplit_once(':').map_or(feature, |(_, name)| name).to_ascii_lowercase();
    ["mphealth", "microprofile"].iter().any(|known| name == *known || name.starts_with(&format!("{known}-")))
}

/// Clone ids that are the same, or a part of one another: IBM's plug-in looks for them as parts of a text.
fn together(servers: &[Liberty]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        let Some(own) = &server.clone_id else { continue };
        let others = servers.iter().enumerate().filter(|(other, _)| *other != index);
        for (other, each) in others.filter_map(|(other, each)| Some((other, each.clone_id.as_ref()?))) {
            if own.text == each.text && index > other {
                let message = format!("the clone id {} is that of {}:{} too", own.text, shown(each), each.place.line);
                found.push(Diagnostic::warning("clone-id-twice", &own.place, message));
            } else if own.text != each.text && each.text.contains(&own.text) {
                let message = format!(
                    "the clone id {} is a part of {} of {}:{}: IBM's plug-in takes the one for the other",
                    own.text,
                    each.text,
                    shown(each),
                    each.place.line
                );
                let help = "give all clone ids one length: s01, s02, ... s10";
                found.push(Diagnostic::warning("clone-id-part", &own.place, message).help(help));
            }
        }
    }
    found
}

fn shown(told: &Told) -> String {
    told.place.file.display().to_string()
}

/// What does not fit to the balancer's configuration.
fn beside(server: &Liberty, config: &Config, found: &mut Vec<Diagnostic>) {
    let upstreams: Vec<&Upstream> = config.http.upstreams.iter().collect();
    let peers = || upstreams.iter().flat_map(|upstream| &upstream.servers);
    let addresses: Vec<std::net::SocketAddr> = peers()
        .filter_map(|peer| match &peer.address {
            PeerAddress::Ip(address) => Some(*address),
            PeerAddress::Unix(_) => None,
        })
        .collect();
    if addresses.is_empty() {
        return;
    }
    let ports: Vec<u16> = addresses.iter().map(std::net::SocketAddr::port).collect();
    for endpoint in &server.endpoints {
        let on_port: Vec<_> = addresses
            .iter()
            .filter(|address| endpoint.ports.iter().any(|port| port.text == address.port().to_string()))
            .collect();
        if on_port.is_empty() && !endpoint.ports.is_empty() {
            let own: Vec<&str> = endpoint.ports.iter().map(|port| port.text.as_str()).collect();
            let mut theirs: Vec<String> = ports.iter().map(u16::to_string).collect();
            theirs.sort();
            theirs.dedup();
            let message =
                format!("no server of an upstream has port {}: they have {}", own.join(" or "), theirs.join(", "));
            found.push(Diagnostic::warning("port-differs", &endpoint.ports[0].place, message));
        }
        if is_of_this_machine(&endpoint.host.text) && on_port.iter().any(|address| !address.ip().is_loopback()) {
            let Some(address) = on_port.iter().find(|address| !address.ip().is_loopback()) else { continue };
            let host = &endpoint.host.text;
            let message = format!("host \"{host}\" is not reached from other machines, and an upstream has {address}");
            let help = "write host=\"*\", or the address of the machine";
            found.push(Diagnostic::warning("host-unreachable", &endpoint.host.place, message).help(help));
        }
    }
    for upstream in upstreams.iter().filter(|upstream| serves(upstream, server)) {
        idle(server, upstream, found);
        clones(server, upstream, found);
    }
}

fn is_of_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an upstream sends requests to this server, as far as can be told.
fn serves(upstream: &Upstream, server: &Liberty) -> bool {
    let has_clone = |route: &str| server.clone_id.as_ref().is_some_and(|clone| clone.text == route);
    upstream.servers.iter().any(|peer| {
        let PeerAddress::Ip(address) = &peer.address else { return false };
        has_clone(&peer.route)
            || server
                .endpoints
                .iter()
                .any(|endpoint| endpoint.ports.iter().any(|port| port.text == address.port().to_string()))
    })
}

/// Liberty closes an idle connection without a word: whoever keeps it for longer sends into a closed one.
fn idle(server: &Liberty, upstream: &Upstream, found: &mut Vec<Diagnostic>) {
    if upstream.keepalive == 0 {
        return;
    }
    let ours = upstream.keepalive_timeout_ms;
    for endpoint in &server.endpoints {
        let Told { text, place } = &endpoint.persist_timeout;
        let Some(theirs) = liberty::duration_ms(text) else { continue };
        if theirs <= ours {
            let message = format!(
                "Liberty closes idle connections after {} s (persistTimeout), and the upstream \"{}\" keeps them for \
                 {} s",
                theirs as f64 / 1000.0,
                upstream.name,
                ours as f64 / 1000.0
            );
            let help = "write `keepalive_timeout 20s;` in the upstream, or a longer persistTimeout in <httpOptions>";
            found.push(Diagnostic::warning("persist-timeout", place, message).help(help));
        }
    }
}

fn clones(server: &Liberty, upstream: &Upstream, found: &mut Vec<Diagnostic>) {
    let routes: Vec<&str> =
        upstream.servers.iter().map(|peer| peer.route.as_str()).filter(|route| !route.is_empty()).collect();
    // Where none is written, clone ids are learnt, also those that Liberty makes up.
    if routes.is_empty() {
        return;
    }
    match &server.clone_id {
        None => {
            let message = "no cloneId: Liberty makes one up, which no `route=` of the balancer can name";
            let help = "add <httpSession cloneId=\"s1\"/>";
            found.push(Diagnostic::warning("no-clone-id", &server.place, message).help(help));
        }
        Some(told) if server.unknown.contains(told) => {}
        Some(Told { text, place }) if !routes.is_empty() && !routes.contains(&text.as_str()) => {
            let message = format!(
                "the clone id {text} is no `route=` of the upstream \"{}\", which has {}: sessions of this server stay \
                 with no one",
                upstream.name,
                routes.join(", ")
            );
            found.push(Diagnostic::warning("clone-id-no-route", place, message));
        }
        Some(_) => {}
    }
}

/// A place in a file as a whole.
fn nowhere(path: &Path) -> Place {
    Place { file: Arc::new(path.to_owned()), line: 1, column: 1, length: 1 }
}
