//! An upstream as all threads share it, and what of it stays when a new configuration has it too.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use balance::{Checks, Group, Method, OutlierRule, PeerSettings, RetryBudget, RetryShare, Time, Two};
use conf::tree::{self, AnswerTime, PeerAddress, UpstreamServer, Zone};
use metrics::counter::Cell;
use net::clock;
use net::dial::Endpoint;
use net::resolver::Settings;
use route::{Algorithm, Sticky, UpstreamRule};

use crate::affinity::{self, Clones, Memory, Sessions};
use crate::counters::PeerCounters;
use crate::snapshot::members::{Member, Members, is_same};
use crate::status::LastCheck;
use crate::upstream::queue::Queue;

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
    /// What the last check of a server came to.
    pub(crate) last_checks: Mutex<HashMap<usize, LastCheck>>,
    /// The servers, as in the group.
    pub(crate) members: Members,
    /// `zone` and `state`.
    pub(crate) zone: Zone,
    /// Counts of servers that are gone, for as long as they have requests in flight.
    pub(crate) gone: Vec<Vec<Arc<PeerCounters>>>,
    /// Kept connections that are idle, by thread; looked at a few times a second.
    pub(crate) idle: Vec<Arc<Cell>>,
    /// What `sticky` remembers.
    memory: Option<Memory>,
    /// Requests whose session names a server that is none of these.
    pub(crate) strays: Arc<AtomicU64>,
    /// Servers whose clone ids are to be learnt.
    learns: Vec<bool>,
    declared: bool,
    /// `queue`.
    pub(crate) queue: Option<Arc<Queue>>,
    /// `retry_budget`.
    pub(crate) budget: Option<RetryBudget>,
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
        let first =
            || Arc::new(Self::new(rule, Members::of(rule, &vec![Vec::new(); rule.resolved.len()], None), threads));
        let Some(old) = before.iter().find(is_named) else { return first() };
        // Until names are looked up again they lead where they led.
        let members = Members::of(rule, &old.known(rule), Some(&old.members));
        let fresh = Self::new(rule, members, threads);
        if fresh.is_same(old) { Arc::clone(old) } else { Arc::new(fresh.knowing(old)) }
    }

    /// The addresses of a rule's servers with `resolve`, as far as they are known here.
    pub(crate) fn known(&self, rule: &UpstreamRule) -> Vec<Vec<PeerAddress>> {
        rule.resolved.iter().map(|resolved| self.addresses_of(&resolved.server.name)).collect()
    }

    /// The upstream with other servers. One that is at another address is another one, whatever its number.
    pub(crate) fn with(&self, rule: &UpstreamRule, members: Members) -> Arc<Self> {
        Arc::new(Self::new(rule, members, self.counters.len()).knowing(self))
    }

    /// Servers that no configuration names.
    pub(crate) fn of_addresses(name: &str, addresses: Vec<Endpoint>) -> Self {
        let settings = |address: &Endpoint| PeerSettings::new(address.to_string());
        Self {
            name: name.to_owned(),
            group: Arc::new(Group::new(addresses.iter().map(settings).collect(), Method::RoundRobin)),
            counters: vec![addresses.iter().map(|_| Arc::default()).collect()],
            addresses,
            reasons: Mutex::default(),
            last_checks: Mutex::default(),
            members: Members::default(),
            zone: Zone::default(),
            gone: Vec::new(),
            idle: Vec::new(),
            memory: None,
            strays: Arc::default(),
            learns: Vec::new(),
            declared: false,
            queue: None,
            budget: None,
            keepalive: [0; 4],
        }
    }

    /// Whether the clone id of a server is to be learnt from its answers.
    pub(crate) fn learns(&self, peer: usize) -> bool {
        self.learns.get(peer) == Some(&true)
    }

    /// The clone ids that are learnt here.
    pub(crate) fn clones(&self) -> Option<&Arc<Clones>> {
        match &self.memory {
            Some(Memory::Clones(clones)) => Some(clones),
            _ => None,
        }
    }

    /// The sessions that are learnt here.
    pub(crate) fn sessions(&self) -> Option<&Sessions> {
        match &self.memory {
            Some(Memory::Sessions(_, sessions)) => Some(sessions),
            _ => None,
        }
    }

    /// Whether it is the upstream that another one was, and keeps connections as that did.
    pub(crate) fn keeps_connections_of(&self, old: &Self) -> bool {
        self.name == old.name && self.declared == old.declared && self.keepalive == old.keepalive
    }

    fn remembers_as(&self, old: &Self) -> bool {
        match (&self.memory, &old.memory) {
            (Some(own), Some(old)) => own.is_kept_with(old),
            (own, old) => own.is_none() && old.is_none(),
        }
    }

    /// The addresses of a server that was written so.
    fn addresses_of(&self, name: &str) -> Vec<PeerAddress> {
        let own = self.members.all.iter().filter(|member| member.origin.is_some() && member.server.name == name);
        own.map(|member| member.server.address.clone()).collect()
    }

    fn new(rule: &UpstreamRule, members: Members, threads: usize) -> Self {
        let servers = || members.all.iter().map(|member| &member.server);
        let counters = || servers().map(|_| Arc::default()).collect();
        let group = Group::new(servers().map(|server| peer(server, rule)).collect(), method(&rule.algorithm));
        let is_liberty = matches!(rule.sticky, Some(Sticky::Liberty { .. }));
        let learns: Vec<bool> = servers().map(|server| is_liberty && server.route.is_empty()).collect();
        Self {
            name: rule.name.clone(),
            group: Arc::new(group.ejecting(rule.outlier_ejection.map(outlier_rule))),
            addresses: servers().map(|server| endpoint(&server.address)).collect(),
            counters: std::iter::repeat_with(counters).take(threads).collect(),
            reasons: Mutex::default(),
            last_checks: Mutex::default(),
            zone: rule.zone.clone(),
            gone: Vec::new(),
            idle: (0..threads).map(|_| Arc::default()).collect(),
            memory: Memory::of(rule.sticky.as_ref(), !learns.contains(&true)),
            strays: Arc::default(),
            learns,
            declared: rule.declared,
            queue: rule.queue.map(|queue| Arc::new(Queue::new(queue.most, queue.timeout_ms))),
            budget: rule.retry_budget.map(budget),
            keepalive: [
                u64::from(rule.keepalive),
                rule.keepalive_timeout_ms,
                rule.keepalive_requests,
                rule.keepalive_time_ms,
            ],
            members,
        }
    }

    /// Has what only `api` shows be counted.
    pub(crate) fn count_all(&self) {
        if self.zone.name.is_some() {
            self.counters.iter().flatten().for_each(|counters| {
                counters.detail.get_or_init(Box::default);
            });
        }
    }

    fn retry_share(&self) -> Option<RetryShare> {
        self.budget.as_ref().map(RetryBudget::share)
    }

    fn is_same(&self, old: &Self) -> bool {
        let settings = |upstream: &Self| -> Vec<PeerSettings> {
            upstream.group.peers().iter().map(|peer| peer.settings().clone()).collect()
        };
        self.addresses == old.addresses
            && self.keepalive == old.keepalive
            && self.zone == old.zone
            && self.queue == old.queue
            && self.retry_share() == old.retry_share()
            && self.group.method() == old.group.method()
            && self.group.outlier_rule() == old.group.outlier_rule()
            && self.remembers_as(old)
            && self.counters.len() == old.counters.len()
            && settings(self) == settings(old)
            && self.members.has_origins_of(&old.members)
    }

    /// Health, counts, reasons and last checks of the servers that the old one has too.
    fn knowing(mut self, old: &Self) -> Self {
        let from = |member: &Member| {
            let index = old.members.index_of(member.id)?;
            is_same(&old.members.all[index].server, &member.server).then_some(index)
        };
        let from: Vec<Option<usize>> = self.members.all.iter().map(from).collect();
        let settings = self.group.peers().iter().map(|peer| peer.settings().clone()).collect();
        let group = Group::new(settings, self.group.method()).ejecting(self.group.outlier_rule());
        self.group = Arc::new(group.knowing(&old.group, |index| from[index], clock::coarse_ms()));
        self.memory = self.memory.map(|memory| memory.after(old.memory.as_ref()));
        self.strays = Arc::clone(&old.strays);
        let reasons = old.reasons.lock().map(|reasons| reasons.clone()).unwrap_or_default();
        let checks = old.last_checks.lock().map(|checks| checks.clone()).unwrap_or_default();
        for (index, other) in from.iter().enumerate().filter_map(|(index, other)| Some((index, (*other)?))) {
            for (counters, before) in self.counters.iter_mut().zip(&old.counters) {
                counters[index] = Arc::clone(&before[other]);
            }
            if let (Some(reason), Ok(own)) = (reasons.get(&other), self.reasons.get_mut()) {
                own.insert(index, reason.clone());
            }
            if let (Some(check), Ok(own)) = (checks.get(&other), self.last_checks.get_mut()) {
                own.insert(index, check.clone());
            }
        }
        if self.counters.len() == old.counters.len() {
            let left = (0..old.addresses.len()).filter(|index| !from.contains(&Some(*index)));
            let of = |index: usize| old.counters.iter().map(|thread| Arc::clone(&thread[index])).collect();
            self.gone =
                old.gone.iter().cloned().chain(left.map(of)).filter(|counters: &Vec<_>| is_busy(counters)).collect();
            self.idle.clone_from(&old.idle);
        }
        self.budget = self.budget.map(|budget| match &old.budget {
            Some(before) => budget.after(before),
            None => budget,
        });
        if self.queue == old.queue {
            self.queue.clone_from(&old.queue);
        }
        self
    }
}

fn method(algorithm: &Algorithm) -> Method {
    let time = |written| match written {
        AnswerTime::Header => Time::Header,
        AnswerTime::LastByte => Time::LastByte,
    };
    let two = |written| match written {
        tree::Two::LeastConn => Two::LeastConn,
        tree::Two::LeastTime(of) => Two::LeastTime(time(of)),
        tree::Two::PeakEwma => Two::PeakEwma,
    };
    match *algorithm {
        Algorithm::RoundRobin => Method::RoundRobin,
        Algorithm::Hash { consistent, .. } => Method::Hash { consistent },
        Algorithm::IpHash => Method::IpHash,
        Algorithm::LeastConn => Method::LeastConn,
        Algorithm::LeastTime { time: of, inflight } => Method::LeastTime { time: time(of), inflight },
        Algorithm::Random { two: written } => Method::Random { two: written.map(two) },
    }
}

fn outlier_rule(written: tree::OutlierEjection) -> OutlierRule {
    let tree::OutlierEjection { errors_percent, latency_times, min_requests, interval_ms, time_ms, max_time_ms } =
        written;
    OutlierRule { errors_percent, latency_times, min_requests, interval_ms, time_ms, max_time_ms }
}

fn budget(written: tree::RetryBudget) -> RetryBudget {
    RetryBudget::new(RetryShare { percent: written.percent, least: written.least })
}

/// Whether a server that is gone has requests in flight.
pub(crate) fn is_busy(counters: &[Arc<PeerCounters>]) -> bool {
    counters.iter().map(|thread| thread.in_flight.get()).fold(0_u64, u64::wrapping_add) > 0
}

/// A resolver as the network knows it.
pub(crate) fn resolver_settings(resolver: &tree::Resolver) -> Arc<Settings> {
    let tree::Resolver { servers, valid_ms, ipv4, ipv6, timeout_ms } = resolver;
    let (valid_ms, ipv4, ipv6, timeout_ms) = (*valid_ms, *ipv4, *ipv6, *timeout_ms);
    Arc::new(Settings { servers: servers.clone(), valid_ms, ipv4, ipv6, timeout_ms })
}

/// An address of the configuration as the network has it, and as it is shown.
pub(crate) fn endpoint(address: &PeerAddress) -> Endpoint {
    match address {
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
        drain: server.drain,
        slow_start_ms: server.slow_start_ms,
        route: match &rule.sticky {
            // The words of these do not come from the configuration.
            Some(Sticky::Liberty { .. } | Sticky::Cookie(_) | Sticky::Learn(_)) if server.route.is_empty() => {
                affinity::route_of(&endpoint(&server.address).to_string())
            }
            _ => server.route.clone(),
        },
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
        let states: Vec<State> = upstream.group.peers().iter().map(|peer| peer.state()).collect();
        assert_eq!(states, [State::Up, State::Unavailable]);
        assert_eq!(upstream.counters[1][1].failures.get(), 1);
        assert_eq!(upstream.counters[1][0].failures.get(), 0);
    }
}
