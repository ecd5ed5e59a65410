//! The servers of an upstream as they are now: those of the configuration, the addresses of those with `resolve`, and
//! what was changed while it runs. Each keeps its number for as long as it is there.

use std::cmp::Ordering;

use conf::tree::{PeerAddress, UpstreamServer};
use route::UpstreamRule;

use crate::sums::Baseline;

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// What `api` knows it by.
    pub(crate) id: u64,
    pub(crate) server: UpstreamServer,
    /// The server with `resolve` that it is an address of, by its index in the rule.
    pub(crate) origin: Option<usize>,
    /// What its counts begin from.
    pub(crate) base: Baseline,
    order: Order,
}

/// A server with `resolve`, which gives its addresses their settings.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) id: u64,
    pub(crate) server: UpstreamServer,
}

/// Where a server stands among the others: as written, each one with `resolve` in its place by its addresses; those
/// that were added come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    position: usize,
    is_written: bool,
    origin: usize,
}

/// All servers of an upstream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members {
    pub(crate) all: Vec<Member>,
    pub(crate) parents: Vec<Parent>,
    next_id: u64,
}

impl Members {
    /// Those of a rule, and the addresses that are known of its servers with `resolve`. Where `before` has the same
    /// server, it is the same.
    pub(crate) fn of(rule: &UpstreamRule, known: &[Vec<PeerAddress>], before: Option<&Self>) -> Self {
        let mut members = Self { next_id: before.map_or(0, |before| before.next_id), ..Self::default() };
        let mut resolved = rule.resolved.iter().zip(known).enumerate().peekable();
        for position in 0..=rule.servers.len() {
            while let Some((origin, (resolved, addresses))) =
                resolved.next_if(|(_, (resolved, _))| resolved.position <= position)
            {
                let is_parent = |parent: &&Parent| parent.server.name == resolved.server.name;
                let parent = before.and_then(|before| before.parents.iter().find(is_parent));
                let id = parent.map_or_else(|| members.number(), |parent| parent.id);
                members.parents.push(Parent { id, server: resolved.server.clone() });
                let order = Order { position, is_written: false, origin };
                for address in addresses {
                    let server = UpstreamServer { address: address.clone(), ..resolved.server.clone() };
                    let old = members.known(before, &server);
                    members.push(old, server, Some(origin), order);
                }
            }
            if let Some(server) = rule.servers.get(position) {
                let old = members.known(before, server);
                members.push(old, server.clone(), None, Order { position, is_written: true, origin: 0 });
            }
        }
        members
    }

    /// Adds a server behind the others; its number.
    pub(crate) fn add(&mut self, server: UpstreamServer) -> u64 {
        self.push(None, server, None, Order { position: usize::MAX, is_written: true, origin: 0 });
        self.next_id - 1
    }

    /// The same with other addresses of a server with `resolve`; nothing where they are those.
    pub(crate) fn with_addresses(&self, origin: usize, position: usize, addresses: &[PeerAddress]) -> Option<Self> {
        let is_own = |member: &&Member| member.origin == Some(origin);
        if self.all.iter().filter(is_own).map(|member| &member.server.address).eq(addresses) {
            return None;
        }
        let mut changed = Self { all: Vec::new(), ..self.clone() };
        changed.all.extend(self.all.iter().filter(|member| !is_own(member)).cloned());
        let parent = &self.parents.get(origin)?.server;
        let order = Order { position, is_written: false, origin };
        for address in addresses {
            let old = self.all.iter().filter(is_own).find(|member| member.server.address == *address);
            let server = UpstreamServer { address: address.clone(), ..parent.clone() };
            // What was changed of it stays.
            let server = old.map_or(server, |old| old.server.clone());
            changed.push(old, server, Some(origin), order);
        }
        changed.all.sort_by_key(|member| member.order);
        Some(changed)
    }

    /// Where a server is.
    pub(crate) fn index_of(&self, id: u64) -> Option<usize> {
        self.all.iter().position(|member| member.id == id)
    }

    /// Whether servers come from the same places in both: written, or from the same ones with `resolve`.
    pub(crate) fn has_origins_of(&self, other: &Self) -> bool {
        let origins = self.all.iter().map(|member| member.origin);
        let same = |a: &Parent, b: &Parent| a.server.name == b.server.name && compare(&a.server, &b.server).is_eq();
        origins.eq(other.all.iter().map(|member| member.origin))
            && self.parents.len() == other.parents.len()
            && self.parents.iter().zip(&other.parents).all(|(a, b)| same(a, b))
    }

    /// A server as it was before, if none of these is it yet: the same may be written twice.
    fn known<'a>(&self, before: Option<&'a Self>, server: &UpstreamServer) -> Option<&'a Member> {
        let is_free = |other: &&Member| self.index_of(other.id).is_none();
        before?.all.iter().filter(|other| is_same(&other.server, server)).find(is_free)
    }

    fn number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn push(&mut self, old: Option<&Member>, server: UpstreamServer, origin: Option<usize>, order: Order) {
        let (id, base) = match old {
            Some(old) => (old.id, old.base.clone()),
            None => (self.number(), Baseline::default()),
        };
        self.all.push(Member { id, server, origin, base, order });
    }
}

/// Whether it is one server: of the same name and address.
pub(crate) fn is_same(a: &UpstreamServer, b: &UpstreamServer) -> bool {
    a.name == b.name && a.address == b.address
}

/// Settings of servers beside each other, without the place that they were written at.
fn compare(a: &UpstreamServer, b: &UpstreamServer) -> Ordering {
    let settings = |server: &UpstreamServer| {
        let UpstreamServer {
            weight, max_conns, max_fails, fail_timeout_ms, backup, down, drain, slow_start_ms, ..
        } = *server;
        (weight, max_conns, max_fails, fail_timeout_ms, backup, down, drain, slow_start_ms)
    };
    settings(a).cmp(&settings(b)).then_with(|| a.route.cmp(&b.route))
}

#[cfg(test)]
mod tests;
