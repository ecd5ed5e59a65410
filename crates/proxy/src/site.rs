//! One thread's view of a configuration: the shared snapshot, and what of it the thread has for itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use balance::Balancer;
use net::dial::Endpoint;
use net::tls;
use route::{Keeps, Maps, Patterns, UpstreamRule};
use rustls::ClientConfig;

use crate::counters::PeerCounters;
use crate::exchange::ROUTE_END;
pub(crate) use crate::held::Held;
use crate::limits::TLS_CLIENTS_MAX;
use crate::names::Names;
use crate::snapshot::{Snapshot, UpstreamSnapshot};
use crate::upstream::pool::Pool;
use crate::upstream::queue::Line;

/// A configuration as one thread serves it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The thread's number.
    pub(crate) thread: usize,
    pub(crate) maps: Maps,
    pub(crate) patterns: Patterns,
    pub(crate) keeps: Keeps,
    pub(crate) upstreams: Vec<Rc<Upstream>>,
    /// TLS to servers, with the sessions of each: by the way it is spoken and by the server.
    tls_clients: RefCell<HashMap<(usize, Endpoint), Arc<ClientConfig>>>,
    /// Names that requests have led to.
    pub(crate) names: RefCell<Names>,
}

/// An upstream as one thread uses it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) shared: Arc<UpstreamSnapshot>,
    thread: usize,
    pub(crate) balancer: RefCell<Balancer>,
    /// The same as before a change of the servers' settings.
    pub(crate) pool: Rc<RefCell<Pool>>,
    /// Requests that wait for a server.
    pub(crate) line: Line,
}

impl Site {
    /// The server that speaks for a listener before a name is known.
    pub(crate) fn default_server(&self, listener: usize) -> &route::Server {
        let router = &self.snapshot.router;
        &router.servers()[router.listeners()[listener].default]
    }

    pub(crate) fn new(snapshot: Arc<Snapshot>, thread: usize) -> Self {
        Self::after(snapshot, thread, &[])
    }

    /// The site of a new configuration. Upstreams that have not changed are the very same, with their turns and their
    /// kept connections.
    pub(crate) fn after(snapshot: Arc<Snapshot>, thread: usize, before: &[Rc<Upstream>]) -> Self {
        let maps = snapshot.router.maps().clone();
        let patterns = snapshot.router.patterns().clone();
        let keeps = snapshot.router.keeps();
        let upstreams = snapshot.upstreams.iter().zip(snapshot.router.upstreams()).map(|(shared, rule)| {
            let same = before.iter().find(|old| Arc::ptr_eq(&old.shared, shared));
            same.cloned().unwrap_or_else(|| Rc::new(Upstream::after(shared, rule, thread, before)))
        });
        let upstreams = upstreams.collect();
        let (tls_clients, names) = (RefCell::default(), RefCell::default());
        Self { snapshot, thread, maps, patterns, keeps, upstreams, tls_clients, names }
    }

    /// Takes over what was learnt under the same rules: TLS sessions and names.
    pub(crate) fn adopt(&self, before: &Self) {
        if Arc::ptr_eq(&self.snapshot.router, &before.snapshot.router) {
            self.tls_clients.swap(&before.tls_clients);
            self.names.swap(&before.names);
        }
    }

    /// What a server is spoken to with over TLS.
    pub(crate) fn tls_client(&self, way: usize, to: &Endpoint) -> Arc<ClientConfig> {
        let config = &self.snapshot.proxy_tls[way];
        if !self.snapshot.router.proxy_tls()[way].session_reuse {
            return Arc::clone(config);
        }
        let mut clients = self.tls_clients.borrow_mut();
        if clients.len() >= TLS_CLIENTS_MAX {
            clients.clear();
        }
        let client = clients.entry((way, to.clone()));
        Arc::clone(client.or_insert_with(|| Arc::new(tls::with_sessions(config))))
    }

    /// Closes the kept connections of upstreams that the new site does not have.
    pub(crate) fn retire(&self, new: &Self) {
        for upstream in &self.upstreams {
            if !new.upstreams.iter().any(|other| Rc::ptr_eq(&other.pool, &upstream.pool)) {
                upstream.pool.borrow_mut().retire();
            }
        }
    }

    /// The listener that serves what a listener of another site did: the same address, TLS or not as it was.
    pub(crate) fn listener_like(&self, other: &Self, listener: usize) -> Option<usize> {
        let old = &other.snapshot.router.listeners()[listener];
        let listeners = self.snapshot.router.listeners();
        listeners.iter().position(|own| own.address == old.address && own.ssl == old.ssl)
    }
}

impl Upstream {
    /// One that has changed: connections to servers that it had before are kept.
    fn after(shared: &Arc<UpstreamSnapshot>, rule: &UpstreamRule, thread: usize, before: &[Rc<Self>]) -> Self {
        let new = || Pool::new(rule, shared.addresses.len());
        let pool = match before.iter().find(|old| shared.keeps_connections_of(&old.shared)) {
            None => Rc::new(RefCell::new(new())),
            Some(old) if old.shared.addresses == shared.addresses => Rc::clone(&old.pool),
            Some(old) => {
                let known = |address| old.shared.addresses.iter().position(|other| other == address);
                let known: Vec<_> = shared.addresses.iter().map(known).collect();
                Rc::new(RefCell::new(new().with_idle_of(&mut old.pool.borrow_mut(), &known)))
            }
        };
        let balancer = RefCell::new(Balancer::new(Arc::clone(&shared.group)));
        Self { shared: Arc::clone(shared), thread, balancer, pool, line: Line::default() }
    }

    /// Servers that no configuration names, for one request.
    pub(crate) fn of_addresses(name: &str, addresses: Vec<Endpoint>) -> Self {
        let peers = addresses.len();
        let shared = Arc::new(UpstreamSnapshot::of_addresses(name, addresses));
        let balancer = RefCell::new(Balancer::new(Arc::clone(&shared.group)));
        let pool = Rc::new(RefCell::new(Pool::none(peers)));
        Self { shared, thread: 0, balancer, pool, line: Line::default() }
    }

    /// Picks a server for a request's next attempt.
    pub(crate) fn pick(
        &self,
        attempts: &mut balance::Attempts,
        routes: &[u8],
        key: &[u8],
        now_ms: u64,
    ) -> Option<Held<'_>> {
        let mut balancer = self.balancer.borrow_mut();
        let bound = if routes.is_empty() {
            None
        } else {
            balancer.pick_bound(attempts, route::listed(routes, ROUTE_END), now_ms)
        };
        let peer = bound.or_else(|| balancer.pick(attempts, key, now_ms))?;
        drop(balancer);
        if bound.is_none() && !routes.is_empty() {
            self.note_stray(routes);
        }
        let counters = self.counters(peer);
        counters.requests.add(1);
        counters.in_flight.add(1);
        if let Some(detail) = counters.detail.get() {
            detail.selected_ms.set(now_ms);
        }
        Some(Held::new(self, peer, now_ms))
    }

    /// Counts a request whose session is of no server that is here.
    #[cold]
    fn note_stray(&self, routes: &[u8]) {
        if !route::listed(routes, ROUTE_END).any(|route| self.shared.group.has_route(route)) {
            self.shared.strays.fetch_add(1, Relaxed);
        }
    }

    /// This thread's counts of a server.
    pub(crate) fn counters(&self, peer: usize) -> &PeerCounters {
        &self.shared.counters[self.thread][peer]
    }
}
