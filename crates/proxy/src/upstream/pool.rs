//! Kept connections to the servers of one upstream, one thread's.
//!
//! `keepalive N` is how many stay idle. Requests come in bursts, and a burst's connections are all idle for an instant:
//! closing those beyond N at once would have the next burst dial them again (one request in twenty, measured with
//! `keepalive 64`, three servers and 64 clients). So up to twice as many are kept, for as long as each is used at least
//! once in a second.

use std::collections::VecDeque;

use net::Stream;
use route::UpstreamRule;

use crate::limits::{POOL_BURST, POOL_BURST_MS};
use crate::upstream::way::Way;

/// What a kept connection is asked before it is used again; a simulation has others than sockets.
pub(crate) trait Quiet {
    /// Whether nothing has come since the last answer, neither bytes nor the end.
    fn is_quiet(&mut self) -> bool;
}

impl Quiet for Stream {
    fn is_quiet(&mut self) -> bool {
        Self::is_quiet(self)
    }
}

/// A connection to an upstream server.
#[derive(Debug)]
pub(crate) struct Link<S = Stream> {
    pub(crate) stream: S,
    /// Requests it has carried.
    pub(crate) requests: u64,
    pub(crate) created_ms: u64,
    /// How it was made.
    pub(crate) way: Way,
    /// When it was last in use.
    used_ms: u64,
}

impl<S> Link<S> {
    #[cfg(test)]
    pub(crate) fn new(stream: S, now_ms: u64) -> Self {
        Self::by(Way::default(), stream, now_ms)
    }

    /// A connection that was made this way.
    pub(crate) fn by(way: Way, stream: S, now_ms: u64) -> Self {
        Self { stream, requests: 0, created_ms: now_ms, way, used_ms: now_ms }
    }
}

/// The idle connections, by server; of each the one used last is used next.
#[derive(Debug)]
pub(crate) struct Pool<S = Stream> {
    /// In boxes, for they are handed on from step to step.
    idle: Vec<VecDeque<Box<Link<S>>>>,
    count: usize,
    limit: usize,
    timeout_ms: u64,
    requests: u64,
    time_ms: u64,
}

impl<S: Quiet> Pool<S> {
    pub(crate) fn new(rule: &UpstreamRule, peers: usize) -> Self {
        Self {
            idle: (0..peers).map(|_| VecDeque::new()).collect(),
            count: 0,
            limit: rule.keepalive as usize,
            timeout_ms: rule.keepalive_timeout_ms,
            requests: rule.keepalive_requests,
            time_ms: rule.keepalive_time_ms,
        }
    }

    /// The same with the idle connections of another pool, to servers that are in both: by their numbers there.
    pub(crate) fn with_idle_of(mut self, old: &mut Self, known: &[Option<usize>]) -> Self {
        for (own, other) in self.idle.iter_mut().zip(known) {
            if let Some(links) = other.and_then(|other| old.idle.get_mut(other)) {
                own.append(links);
            }
        }
        self.count = self.idle.iter().map(VecDeque::len).sum();
        old.count = old.idle.iter().map(VecDeque::len).sum();
        self
    }

    /// How many there are.
    pub(crate) fn idle(&self) -> u64 {
        self.count as u64
    }

    /// One that keeps nothing.
    pub(crate) fn none(peers: usize) -> Self {
        let idle = (0..peers).map(|_| VecDeque::new()).collect();
        Self { idle, count: 0, limit: 0, timeout_ms: 0, requests: 0, time_ms: 0 }
    }

    /// A connection to that server, made that way, that was in use within `idle_ms` and on which nothing has come
    /// since.
    pub(crate) fn take(&mut self, peer: usize, way: &Way, idle_ms: u64, now_ms: u64) -> Option<Box<Link<S>>> {
        let idle_ms = idle_ms.min(self.timeout_ms);
        let idle = &mut self.idle[peer];
        loop {
            let last = match idle.back() {
                Some(link) if link.way == *way => idle.len() - 1,
                _ => idle.iter().rposition(|link| link.way == *way)?,
            };
            if now_ms.saturating_sub(idle[last].used_ms) >= idle_ms {
                // All the others are older.
                return None;
            }
            let mut link = if last + 1 == idle.len() { idle.pop_back() } else { idle.remove(last) }?;
            self.count -= 1;
            if link.stream.is_quiet() {
                return Some(link);
            }
        }
    }

    /// Keeps a connection whose answer was read to its end, unless it has served its time.
    pub(crate) fn give(&mut self, peer: usize, mut link: Box<Link<S>>, now_ms: u64) {
        let is_spent = link.requests >= self.requests || now_ms.saturating_sub(link.created_ms) >= self.time_ms;
        if self.limit == 0 || is_spent {
            return;
        }
        if self.count >= self.limit * POOL_BURST {
            self.drop_oldest();
        }
        link.used_ms = now_ms;
        self.idle[peer].push_back(link);
        self.count += 1;
    }

    /// Closes all, and keeps none from now on: the configuration no longer has this upstream.
    pub(crate) fn retire(&mut self) {
        self.idle.iter_mut().for_each(VecDeque::clear);
        self.count = 0;
        self.limit = 0;
    }

    /// Closes what has been idle for too long, or was closed by its server, and what is beyond the limit and not used.
    pub(crate) fn sweep(&mut self, now_ms: u64) {
        for links in &mut self.idle {
            links.retain_mut(|link| now_ms.saturating_sub(link.used_ms) < self.timeout_ms && link.stream.is_quiet());
        }
        self.count = self.idle.iter().map(VecDeque::len).sum();
        while self.count > self.limit
            && self.oldest_used_ms().is_some_and(|ms| now_ms.saturating_sub(ms) > POOL_BURST_MS)
        {
            self.drop_oldest();
        }
    }

    /// How many are idle.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn oldest_used_ms(&self) -> Option<u64> {
        self.idle.iter().filter_map(|links| links.front()).map(|link| link.used_ms).min()
    }

    fn drop_oldest(&mut self) {
        let oldest = self.idle.iter_mut().filter(|links| !links.is_empty()).min_by_key(|links| links[0].used_ms);
        if oldest.and_then(VecDeque::pop_front).is_some() {
            self.count -= 1;
        }
    }
}
