//! What servers at the same address have in common: one socket with one set of options, one default server, names
//! that tell them apart.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::DEFAULT_BACKLOG;
use super::cx::Cx;
use super::draft::{ListenDraft, TlsDraft};
use crate::diagnostic::Diagnostic;
use crate::span::Place;
use crate::tree::{Certificate, Listen, ListenAddress, Server, SocketOptions, Tls};

/// A server that does not know its neighbours yet.
pub(super) struct BuiltServer {
    pub(super) server: Server,
    pub(super) listens: Vec<ListenDraft>,
    pub(super) names: Vec<(String, Place)>,
    /// `http2 on`.
    pub(super) http2: bool,
    pub(super) tls: TlsDraft,
}

/// What the `listen`s of one address say together.
#[derive(Default)]
struct AddressState {
    ssl: bool,
    http2: bool,
    proxy_protocol: bool,
    backlog: Option<u32>,
    options: Option<(SocketOptions, Place)>,
    default_server: Option<Place>,
    /// The server that answers where no name fits: the one that says so, or the first.
    default_index: usize,
}

/// Brings the servers together.
pub(super) fn finish(mut servers: Vec<BuiltServer>, cx: &mut Cx<'_>) -> Vec<Server> {
    for built in &mut servers {
        if built.listens.is_empty() {
            built.listens.push(default_listen(&built.server.place));
        }
        if built.names.is_empty() {
            built.names.push((String::new(), built.server.place.clone()));
        }
    }
    let states = addresses(&servers, cx);
    names(&servers, cx);
    let tls: Vec<Option<Tls>> = servers.iter().map(|built| tls(&built.tls)).collect();
    servers.into_iter().enumerate().map(|(index, built)| complete(built, index, &states, &tls, cx)).collect()
}

fn default_listen(place: &Place) -> ListenDraft {
    let listen = Listen {
        address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80)).into(),
        ssl: false,
        http2: false,
        proxy_protocol: false,
        default_server: false,
        backlog: DEFAULT_BACKLOG,
        options: SocketOptions::default(),
        place: place.clone(),
    };
    ListenDraft { listen, backlog: None, has_options: false }
}

fn addresses(servers: &[BuiltServer], cx: &mut Cx<'_>) -> HashMap<ListenAddress, AddressState> {
    let mut states: HashMap<ListenAddress, AddressState> = HashMap::new();
    for (index, built) in servers.iter().enumerate() {
        for ListenDraft { listen, backlog, has_options } in &built.listens {
            let Listen { address, place, .. } = listen;
            let state = states
                .entry(address.clone())
                .or_insert_with(|| AddressState { default_index: index, ..AddressState::default() });
            state.ssl |= listen.ssl || built.tls.is_on;
            state.http2 |= listen.http2 || built.http2;
            state.proxy_protocol |= listen.proxy_protocol;
            if *has_options {
                match &state.options {
                    Some((_, first)) => cx.report(told_twice("listen options", address, place, first)),
                    None => (state.backlog, state.options) = (*backlog, Some((listen.options, place.clone()))),
                }
            }
            if listen.default_server {
                match &state.default_server {
                    Some(first) => cx.report(told_twice("default server", address, place, first)),
                    None => {
                        state.default_server = Some(place.clone());
                        state.default_index = index;
                    }
                }
            }
        }
    }
    states
}

fn told_twice(what: &str, address: &ListenAddress, place: &Place, first: &Place) -> Diagnostic {
    let code = if what == "default server" { "duplicate-default-server" } else { "duplicate-listen-options" };
    let message = format!("duplicate {what} for {address}");
    let help = format!("the other is in {}, line {}", first.file.display(), first.line);
    Diagnostic::error(code, place, message).help(help)
}

fn names(servers: &[BuiltServer], cx: &mut Cx<'_>) {
    let mut seen = HashSet::new();
    for built in servers {
        for ListenDraft { listen, .. } in &built.listens {
            for (name, place) in &built.names {
                if !seen.insert((&listen.address, name.as_str())) {
                    let message =
                        format!("conflicting server name \"{name}\" on {}: this one is ignored", listen.address);
                    cx.report(Diagnostic::warning("conflicting-server-name", place, message));
                }
            }
        }
    }
}

/// What a server can show by itself: nothing where it has no certificate, and does not reject whoever comes.
fn tls(draft: &TlsDraft) -> Option<Tls> {
    let pairs = draft.certificates.iter().zip(&draft.keys);
    let pair = |((certificate, place), (key, _)): (&(PathBuf, Place), &(PathBuf, Place))| Certificate {
        certificate: certificate.clone(),
        key: key.clone(),
        passwords: draft.passwords.clone(),
        place: place.clone(),
    };
    let certificates: Vec<Certificate> = pairs.map(pair).collect();
    let stapling_file = draft.stapling_file.as_ref().filter(|_| draft.stapling.is_some()).map(|(path, _)| path.clone());
    // Suites that are none leave nothing of TLS 1.2.
    let tls12 = draft.settings.tls12
        && !draft.without.0
        && draft.settings.ciphers.as_ref().is_none_or(|ciphers| !ciphers.is_empty());
    let tls13 = draft.settings.tls13 && !draft.without.1;
    let is_shown = !certificates.is_empty() || draft.settings.rejects;
    is_shown.then(|| Tls { certificates, stapling_file, tls12, tls13, ..draft.settings.clone() })
}

/// Gives a server what its addresses say, and the certificate that it shows there.
fn complete(
    built: BuiltServer,
    index: usize,
    states: &HashMap<ListenAddress, AddressState>,
    tls: &[Option<Tls>],
    cx: &mut Cx<'_>,
) -> Server {
    let mut server = built.server;
    for ListenDraft { mut listen, .. } in built.listens {
        if let Some(state) = states.get(&listen.address) {
            listen.ssl = state.ssl;
            listen.http2 = state.http2;
            listen.proxy_protocol = state.proxy_protocol;
            listen.backlog = state.backlog.unwrap_or(DEFAULT_BACKLOG);
            listen.options = state.options.as_ref().map(|(options, _)| *options).unwrap_or_default();
            if listen.ssl && server.tls.is_none() {
                // A server without a certificate of its own shows that of the default server, as in nginx.
                // One that rejects all handshakes has none to show.
                let defaults = tls[state.default_index].as_ref().filter(|tls| !tls.certificates.is_empty());
                let shown = tls[index].as_ref().or(defaults);
                // What it asks of clients is its own affair.
                let clients = built.tls.settings.clients.clone();
                server.tls = shown.map(|shown| Tls { clients, ..shown.clone() });
                if shown.is_none() && built.tls.certificates.is_empty() {
                    let message = format!("no \"ssl_certificate\" is there for this server on {}", listen.address);
                    let help = "add ssl_certificate and ssl_certificate_key, or remove \"ssl\"";
                    cx.report(Diagnostic::error("no-certificate", &listen.place, message).help(help));
                }
            }
        }
        server.listens.push(listen);
    }
    server.names = built.names.into_iter().map(|(name, _)| name).collect();
    super::api::check(&server, cx);
    server
}
