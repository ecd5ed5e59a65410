//! What was measured, added up: a sink a metric, a sub-metric, a scope; groups and checks; what went wrong. A thread
//! fills them for a second and hands them over.

use std::collections::BTreeMap;

use super::definitions::{Catalog, Definition, MetricId};
use super::groups::Groups;
use super::sink::Sink;
use super::{BUILTINS, id};
use crate::failure::Failures;

/// Scopes (scenarios and groups) that the full summary tells apart; a script with more names groups after data.
pub(super) const MOST_SCOPES: usize = 1000;

/// The times of one request; all in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Until a connection was there; dialling and TLS included.
    pub blocked: u64,
    /// Dialling.
    pub connecting: u64,
    /// The TLS handshake.
    pub tls_handshaking: u64,
    /// Until the request was written.
    pub sending: u64,
    /// From the last byte sent to the first received.
    pub waiting: u64,
    /// From the first byte received to the last.
    pub receiving: u64,
}

impl Timings {
    /// `http_req_duration`.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.sending + self.waiting + self.receiving
    }
}

/// A part of a test that the full summary shows on its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The scenario; empty in setup and teardown.
    pub scenario: Box<str>,
    /// The group's path; empty for all of the scenario.
    pub group: Box<str>,
}

/// Samples, added up.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// At the places of the metrics' ids; those that had no sample may be missing.
    metrics: Vec<Sink>,
    /// At the places of the catalog's sub-metrics.
    subs: Vec<Sink>,
    scopes: BTreeMap<Scope, BTreeMap<MetricId, Sink>>,
    pub(crate) groups: Groups,
    pub(crate) failures: Failures,
}

impl Samples {
    /// The sink of a metric.
    #[must_use]
    pub fn metric(&self, id: MetricId) -> Option<&Sink> {
        self.metrics.get(id.index())
    }

    /// The sink of the catalog's n-th sub-metric.
    #[must_use]
    pub fn sub(&self, at: usize) -> Option<&Sink> {
        self.subs.get(at)
    }

    /// The sinks of each scope.
    #[must_use]
    pub fn scopes(&self) -> &BTreeMap<Scope, BTreeMap<MetricId, Sink>> {
        &self.scopes
    }

    /// Groups and checks.
    #[must_use]
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Gets ready for samples of all metrics.
    pub(crate) fn fit(&mut self, definitions: &[Definition], catalog: &Catalog) {
        for (at, definition) in definitions.iter().enumerate().skip(self.metrics.len()) {
            self.metrics.push(sink(at, definition));
        }
        for sub in &catalog.subs[self.subs.len().min(catalog.subs.len())..] {
            self.subs.push(sink(sub.parent.index(), &definitions[sub.parent.index()]));
        }
    }

    pub(crate) fn metric_mut(&mut self, id: MetricId) -> Option<&mut Sink> {
        self.metrics.get_mut(id.index())
    }

    pub(crate) fn sub_mut(&mut self, at: usize) -> Option<&mut Sink> {
        self.subs.get_mut(at)
    }

    /// The sink of a metric in a scope.
    pub(crate) fn scoped_mut(&mut self, scope: &Scope, id: MetricId) -> Option<&mut Sink> {
        if !self.scopes.contains_key(scope) && self.scopes.len() < MOST_SCOPES {
            self.scopes.insert(scope.clone(), BTreeMap::new());
        }
        let like = self.metrics.get(id.index())?;
        let sinks = self.scopes.get_mut(scope)?;
        Some(sinks.entry(id).or_insert_with(|| {
            let mut empty = like.clone();
            empty.clear();
            empty
        }))
    }

    /// Adds what another thread, or an earlier second, measured.
    pub(crate) fn merge(&mut self, other: &Self) {
        merge_lists(&mut self.metrics, &other.metrics);
        merge_lists(&mut self.subs, &other.subs);
        for (scope, sinks) in &other.scopes {
            let mine = self.scopes.entry(scope.clone()).or_default();
            for (id, sink) in sinks {
                match mine.get_mut(id) {
                    Some(known) => known.merge(sink),
                    None => drop(mine.insert(*id, sink.clone())),
                }
            }
        }
        self.groups.merge(&other.groups);
        self.failures.merge(&other.failures);
    }

    /// Forgets everything, keeping the memory.
    pub(crate) fn clear(&mut self) {
        let scoped = self.scopes.values_mut().flat_map(BTreeMap::values_mut);
        self.metrics.iter_mut().chain(&mut self.subs).chain(scoped).for_each(Sink::clear);
        self.groups.clear();
        self.failures.clear();
    }

    /// Requests answered, of these the failed ones, and the time that 95% of them took at most, in milliseconds.
    pub(crate) fn requests(&self) -> (u64, u64, f64) {
        let (total, p95) = match self.metric(id::HTTP_REQ_DURATION) {
            Some(Sink::Trend(durations)) => (durations.count(), durations.percentile(95.0)),
            _ => (0, 0.0),
        };
        let failed = match self.metric(id::HTTP_REQ_FAILED) {
            Some(Sink::Rate { hits, .. }) => *hits,
            _ => 0,
        };
        (total, failed, p95)
    }
}

fn sink(at: usize, definition: &Definition) -> Sink {
    Sink::new(definition.kind, definition.unit, at < BUILTINS.len())
}

fn merge_lists(mine: &mut Vec<Sink>, theirs: &[Sink]) {
    let known = mine.len().min(theirs.len());
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.merge(theirs));
    mine.extend_from_slice(&theirs[known..]);
}
