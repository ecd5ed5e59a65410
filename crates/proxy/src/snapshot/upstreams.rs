//! An upstream as all threads share it, and what of it stays when a new configuration has it too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use balance::{Checks, Group, Method, PeerSettings};
use conf::tree::{self, PeerAddress, UpstreamServer};
use net::dial::Endpoint;
use net::resolver::Settings;
use route::{Algorithm, UpstreamRule};

use crate::counters::PeerCounters;

/// An upstream, shared by all threads.
#[derive(Debug)]
pub(crate) struct UpstreamSnapshot {
    pub(crate) name: String,
    pub(crate) group: Arc<Group>,
    pub(crate) addresses: Vec<Endpoint>,
    /// By thread, then by server. A server's counts go on under a new configuration.
    pub(crate) counters: Vec<Vec<Arc<PeerCounters>>>,
    /// Why a server last went down, for people.
    pub(crate) reasons: Mutex<HashMap<usize, Reason>>,
    declared: bool,
    /// `keepalive` and what belongs to it.
    keepalive: [u64; 4],
}

/// Why and when a server's state changed.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    pub(crate) why: String,
    pub(crate) unix_ms: u64,
}

impl UpstreamSnapshot {
    /// The upstream of a new configuration: the very same one where nothing of it has changed, else one that knows what
    /// was known of its servers.
    pub(crate) fn after(rule: &UpstreamRule, threads: usize, before: &[Arc<Self>]) -> Arc<Self> {
        let is_named = |old: &&Arc<Self>| old.name == rule.name && old.declared == rule.declared;
        let Some(old) = before.iter().find(is_named) else { return Arc::new(Self::new(rule, &rule.servers, threads)) };
        // Until names are looked up again they lead where they led.
        Self::renewed(rule, &servers(rule, &old.known(rule)), threads, old)
    }

    /// The addresses of a rule's servers with `resolve`, as far as they are known here.
    pub(crate) fn known(&self, rule: &UpstreamRule) -> Vec<Vec<PeerAddress>> {
        rule.resolved.iter().map(|resolved| self.addresses_of(&resolved.server.name)).collect()
    }

    /// The upstream with these servers: the very same one where none of them is new.
    pub(crate) fn renewed(
        rule: &UpstreamRule,
        servers: &[UpstreamServer],
        threads: usize,
        old: &Arc<Self>,
    ) -> Arc<Self> {
        let fresh = Self::new(rule, servers, threads);
        if fresh.is_same(old) { Arc::clone(old) } else { Arc::new(fresh.knowing(old)) }
    }

    /// Servers that no configuration names.
    pub(crate) fn of_addresses(name: &str, addresses: Vec<Endpoint>) -> Self {
        let settings = |address: &Endpoint| PeerSettings {
            name: address.to_string(),
            weight: 1,
            max_conns: 0,
            max_fails: 1,
            fail_timeout_ms: 10_000,
            backup: false,
            down: false,
            slow_start_ms: 0,
            route: String::new(),
            checks: Checks::None,
        };
        Self {
            name: name.to_owned(),
            group: Arc::new(Group::new(addresses.iter().map(settings).collect(), Method::RoundRobin)),
            counters: vec![addresses.iter().map(|_| Arc::default()).collect()],
            addresses,
            reasons: Mutex::default(),
            declared: false,
            keepalive: [0; 4],
        }
    }

    /// The addresses of a server that was written so.
    fn addresses_of(&self, name: &str) -> Vec<PeerAddress> {
        let peers = self.group.peers().iter().zip(&self.addresses).filter(|(peer, _)| peer.settings().name == name);
        peers
            .filter_map(|(_, endpoint)| match endpoint {
                Endpoint::Ip(address) => Some(PeerAddress::Ip(*address)),
                Endpoint::Unix(_) => None,
            })
            .collect()
    }

    fn new(rule: &UpstreamRule, servers: &[UpstreamServer], threads: usize) -> Self {
        let method = match rule.algorithm {
            Algorithm::RoundRobin => Method::RoundRobin,
            Algorithm::Hash { consistent, .. } => Method::Hash { consistent },
            Algorithm::IpHash => Method::IpHash,
            Algorithm::LeastConn => Method::LeastConn,
            Algorithm::Random { two } => Method::Random { two },
        };
        let counters = || servers.iter().map(|_| Arc::default()).collect();
        Self {
            name: rule.name.clone(),
            group: Arc::new(Group::new(servers.iter().map(|server| peer(server, rule)).collect(), method)),
            addresses: servers.iter().map(endpoint).collect(),
            counters: std::iter::repeat_with(counters).take(threads).collect(),
            reasons: Mutex::default(),
            declared: rule.declared,
            keepalive: [
                u64::from(rule.keepalive),
                rule.keepalive_timeout_ms,
                rule.keepalive_requests,
                rule.keepalive_time_ms,
            ],
        }
    }

    fn is_same(&self, old: &Self) -> bool {
        let settings = |upstream: &Self| -> Vec<PeerSettings> {
            upstream.group.peers().iter().map(|peer| peer.settings().clone()).collect()
        };
        self.addresses == old.addresses
            && self.keepalive == old.keepalive
            && self.group.method() == old.group.method()
            && self.counters.len() == old.counters.len()
            && settings(self) == settings(old)
    }

    /// Health, counts and reasons of the servers that the old one has too: those of the same name and address.
    fn knowing(mut self, old: &Self) -> Self {
        let key = |upstream: &Self, index: usize| {
            (upstream.group.peers()[index].settings().name.clone(), upstream.addresses[index].clone())
        };
        let known: HashMap<_, usize> = (0..old.addresses.len()).map(|index| (key(old, index), index)).collect();
        let from = |index: usize| known.get(&key(&self, index)).copied();
        let from: Vec<Option<usize>> = (0..self.addresses.len()).map(from).collect();
        let settings = self.group.peers().iter().map(|peer| peer.settings().clone()).collect();
        self.group = Arc::new(Group::after(settings, self.group.method(), &old.group, |index| from[index]));
        let reasons = old.reasons.lock().map(|reasons| reasons.clone()).unwrap_or_default();
        for (index, other) in from.iter().enumerate().filter_map(|(index, other)| Some((index, (*other)?))) {
            for (counters, before) in self.counters.iter_mut().zip(&old.counters) {
                counters[index] = Arc::clone(&before[other]);
            }
            if let (Some(reason), Ok(own)) = (reasons.get(&other), self.reasons.get_mut()) {
                own.insert(index, reason.clone());
            }
        }
        self
    }
}

/// An upstream's servers, each one with `resolve` in its place by the addresses that are known of it.
pub(crate) fn servers(rule: &UpstreamRule, known: &[Vec<PeerAddress>]) -> Vec<UpstreamServer> {
    let mut servers = Vec::new();
    let mut resolved = rule.resolved.iter().zip(known).peekable();
    for position in 0..=rule.servers.len() {
        while let Some((resolved, addresses)) = resolved.next_if(|(resolved, _)| resolved.position <= position) {
            let at = |address: &PeerAddress| UpstreamServer { address: address.clone(), ..resolved.server.clone() };
            servers.extend(addresses.iter().map(at));
        }
        servers.extend(rule.servers.get(position).cloned());
    }
    servers
}

/// A resolver as the network knows it.
pub(crate) fn resolver_settings(resolver: &tree::Resolver) -> Arc<Settings> {
    let tree::Resolver { servers, valid_ms, ipv4, ipv6, timeout_ms } = resolver;
    let (valid_ms, ipv4, ipv6, timeout_ms) = (*valid_ms, *ipv4, *ipv6, *timeout_ms);
    Arc::new(Settings { servers: servers.clone(), valid_ms, ipv4, ipv6, timeout_ms })
}

fn endpoint(server: &UpstreamServer) -> Endpoint {
    match &server.address {
        PeerAddress::Ip(address) => Endpoint::Ip(*address),
        PeerAddress::Unix(path) => Endpoint::Unix(Arc::from(path.as_path())),
    }
}

fn peer(server: &UpstreamServer, rule: &UpstreamRule) -> PeerSettings {
    let checks = match rule.is_checked {
        false => Checks::None,
        true if rule.is_checked_first => Checks::Mandatory,
        true => Checks::Watched,
    };
    PeerSettings {
        name: server.name.clone(),
        weight: server.weight,
        max_conns: server.max_conns,
        max_fails: server.max_fails,
        fail_timeout_ms: server.fail_timeout_ms,
        backup: server.backup,
        down: server.down,
        slow_start_ms: server.slow_start_ms,
        route: server.route.clone(),
        checks,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::net::SocketAddr;
    use std::path::{Path, PathBuf};

    use balance::{Attempts, Balancer, Outcome, State};

    use super::*;
    use crate::snapshot::Snapshot;

    /// A configuration of which the upstream is given.
    struct Text<'a>(&'a str);

    impl conf::Loader for Text<'_> {
        fn read(&self, _: &Path) -> std::io::Result<Vec<u8>> {
            let Self(upstream) = self;
            let server = "server { listen 127.0.0.1:8080; location / { proxy_pass http://app; } }";
            Ok(format!("events {{}} http {{ upstream app {{ {upstream} }} {server} }}").into_bytes())
        }

        fn glob(&self, _: &Path) -> std::io::Result<Vec<PathBuf>> {
            Ok(Vec::new())
        }

        fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
            Ok(Vec::new())
        }
    }

    fn snapshot(upstream: &str, previous: Option<&Snapshot>) -> Snapshot {
        let loaded = conf::load(Path::new("nginx.conf"), &Text(upstream), &conf::Options::default());
        let config = loaded.config.unwrap();
        Snapshot::build_after(&config, 2, &mut |_: &Path| unreachable!("no file is named"), previous).unwrap()
    }

    #[test]
    fn an_unchanged_upstream_is_the_same_and_a_changed_one_knows_its_servers() {
        let two = "server 127.0.0.1:1 max_fails=1; server 127.0.0.1:2;";
        let first = snapshot(two, None);
        let mut balancer = Balancer::new(Arc::clone(&first.upstreams[0].group));
        assert_eq!(balancer.pick(&mut Attempts::default(), b"", 1_000), Some(0));
        balancer.release(0, Outcome::Failure, 1_000);
        first.upstreams[0].counters[1][0].failures.add(1);

        let same = snapshot(two, Some(&first));
        assert!(Arc::ptr_eq(&first.upstreams[0], &same.upstreams[0]));

        let changed = snapshot("server 127.0.0.1:3; server 127.0.0.1:1 max_fails=1 weight=2;", Some(&same));
        let upstream = &changed.upstreams[0];
        assert!(!Arc::ptr_eq(upstream, &same.upstreams[0]));
        let states: Vec<State> = upstream.group.peers().iter().map(|peer| peer.state(1_001)).collect();
        assert_eq!(states, [State::Up, State::Unavailable]);
        assert_eq!(upstream.counters[1][1].failures.get(), 1);
        assert_eq!(upstream.counters[1][0].failures.get(), 0);
    }
}
