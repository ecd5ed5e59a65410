//! Takes the samples of one thread and adds each to its metric, and to the sub-metrics and scopes that its tags name.
//!
//! Nothing is allocated for a sample whose tags were seen before.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::definitions::{Catalog, Definition, MetricError, MetricId};
use super::points::{Pairs, Point, PointLog};
use super::samples::{Samples, Timings};
use super::sink::Sink;
use super::tags::{SystemTags, TagSet, TagTable, TagsId};
use super::{Kind, id};
use crate::failure::Failure;
use crate::live::Live;

/// Whose sample it is, for outputs that tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Who {
    /// The user.
    pub vu: u64,
    /// Its iteration.
    pub iter: u64,
}

/// One request that is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestSample {
    /// What it took.
    pub timings: Timings,
    /// When it was over.
    pub ended_ns: u64,
    /// Whether it failed; `None` where nothing says what a failure is.
    pub failed: Option<bool>,
    /// k6's code of what went wrong; 0 for nothing.
    pub error_code: u16,
}

/// One iteration that is over; times as the clock gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IterationSample {
    /// When it was due, where a schedule said so.
    pub due_ns: Option<u64>,
    /// When it began.
    pub began_ns: u64,
    /// When its first request was over.
    pub first_over_ns: Option<u64>,
    /// When it ended.
    pub ended_ns: u64,
}

/// Takes the samples of one thread.
#[derive(Debug)]
pub struct Recorder {
    catalog: Arc<Catalog>,
    live: Arc<Live>,
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    samples: Box<Samples>,
    tags: TagTable,
    /// All metrics that this thread knows.
    definitions: Vec<Definition>,
    names: HashMap<String, MetricId>,
    /// Where samples are written one by one.
    log: Option<PointLog>,
    /// The tags of the iteration that ended last, for bytes of those that do not end.
    last_tags: TagsId,
}

impl Recorder {
    pub(crate) fn new(catalog: Arc<Catalog>, live: Arc<Live>) -> Self {
        let definitions = catalog.definitions.all();
        let mut samples = Box::<Samples>::default();
        samples.fit(&definitions, &catalog);
        let tags = TagTable::new(&catalog);
        let log = catalog.points.clone().map(PointLog::new);
        let (names, last_tags) = (HashMap::new(), TagsId::NONE);
        let inner = RefCell::new(Inner { samples, tags, definitions, names, log, last_tags });
        Self { catalog, live, inner }
    }

    /// A recorder for init code that runs before anything is known of the test; its samples go nowhere.
    #[must_use]
    pub fn for_init(catalog: Arc<Catalog>) -> Self {
        Self::new(catalog, Arc::default())
    }

    /// Finds or makes the set `base` with `pairs` on top: a pair replaces one of the same name. Tags that nothing looks
    /// at may be left out.
    pub fn tags(&self, base: TagsId, pairs: &[(&str, &str)]) -> TagsId {
        self.inner.borrow_mut().tags.derive(base, pairs, &self.catalog)
    }

    /// Finds or makes a metric; for init code.
    pub fn metric(&self, name: &str, kind: Kind, is_time: bool) -> Result<MetricId, MetricError> {
        let id = self.catalog.definitions.declare(name, kind, is_time)?;
        let mut inner = self.inner.borrow_mut();
        if id.index() >= inner.definitions.len() {
            let inner = &mut *inner;
            inner.definitions = self.catalog.definitions.all();
            inner.samples.fit(&inner.definitions, &self.catalog);
        }
        inner.names.entry(name.to_owned()).or_insert(id);
        Ok(id)
    }

    /// Adds a sample; times are in milliseconds.
    pub fn add(&self, metric: MetricId, value: f64, tags: TagsId, who: Who) {
        let now_ns = net::clock::now_ns();
        self.inner.borrow_mut().add(metric, tags, Sample { value, now_ns, who });
    }

    /// A check was made; `tags` hold the tag `check` already.
    pub fn check(&self, name: &str, group: &str, passed: bool, tags: TagsId, who: Who) {
        let now_ns = net::clock::now_ns();
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let scenario = inner.tags.set(tags).find("scenario").unwrap_or("");
        inner.samples.groups.check(scenario, group, name, passed);
        inner.add(id::CHECKS, tags, Sample { value: f64::from(u8::from(passed)), now_ns, who });
    }

    /// A group was left; its path is `::a::b`.
    pub fn group(&self, path: &str, duration_ns: u64, tags: TagsId, who: Who) {
        let now_ns = net::clock::now_ns();
        let mut inner = self.inner.borrow_mut();
        inner.samples.groups.enter(path);
        inner.add_ns(id::GROUP_DURATION, tags, duration_ns, now_ns, who);
    }

    /// A request is over.
    pub fn request(&self, request: &RequestSample, tags: TagsId, who: Who) {
        let mut inner = self.inner.borrow_mut();
        let (timings, at) = (&request.timings, request.ended_ns);
        inner.add(id::HTTP_REQS, tags, Sample { value: 1.0, now_ns: at, who });
        for (metric, ns) in [
            (id::HTTP_REQ_DURATION, timings.duration()),
            (id::HTTP_REQ_BLOCKED, timings.blocked),
            (id::HTTP_REQ_CONNECTING, timings.connecting),
            (id::HTTP_REQ_TLS_HANDSHAKING, timings.tls_handshaking),
            (id::HTTP_REQ_SENDING, timings.sending),
            (id::HTTP_REQ_WAITING, timings.waiting),
            (id::HTTP_REQ_RECEIVING, timings.receiving),
        ] {
            inner.add_ns(metric, tags, ns, at, who);
        }
        if let Some(failed) = request.failed {
            let value = f64::from(u8::from(failed));
            inner.add(id::HTTP_REQ_FAILED, tags, Sample { value, now_ns: at, who });
        }
        self.live.requests.add(1);
        self.live.failed.add(u64::from(request.failed == Some(true)));
    }

    /// Bytes that went over sockets.
    pub fn data(&self, sent: u64, received: u64, tags: TagsId, who: Who) {
        let now_ns = net::clock::now_ns();
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        #[allow(clippy::cast_precision_loss, reason = "bytes of one iteration are far below 2^53")]
        let bytes = [sent as f64, received as f64];
        for (metric, value) in [(id::DATA_SENT, bytes[0]), (id::DATA_RECEIVED, bytes[1])] {
            inner.each_sink(metric, tags, |sink| sink.add(value, now_ns));
        }
        inner.last_tags = tags;
        if let Some(log) = &mut inner.log {
            log.bytes(who, bytes);
        }
    }

    /// What is measured.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Which tags requests get.
    #[must_use]
    pub fn system_tags(&self) -> SystemTags {
        self.catalog.system_tags
    }

    /// What went wrong with a request, in words, for the list at the end.
    pub(crate) fn failed(&self, failure: &Failure) {
        self.inner.borrow_mut().samples.failures.add(failure);
    }

    /// An iteration is over.
    pub(crate) fn iteration(&self, iteration: &IterationSample, tags: TagsId, who: Who) {
        let mut inner = self.inner.borrow_mut();
        let at = iteration.ended_ns;
        let inner = &mut *inner;
        if let Some(log) = &mut inner.log {
            log.end_bytes(at, &inner.tags.set(tags).pairs, who);
        }
        if self.catalog.keeps_scopes {
            // The full summary has the bytes of scenarios without requests too.
            for metric in [id::DATA_SENT, id::DATA_RECEIVED] {
                inner.each_sink(metric, tags, |sink| sink.add(0.0, at));
            }
        }
        inner.add_ns(id::ITERATION_DURATION, tags, at.saturating_sub(iteration.began_ns), at, who);
        inner.add(id::ITERATIONS, tags, Sample { value: 1.0, now_ns: at, who });
        if let Some(due_ns) = iteration.due_ns {
            inner.add_ns(id::START_DELAY, tags, iteration.began_ns.saturating_sub(due_ns), at, who);
            if let Some(first_over_ns) = iteration.first_over_ns {
                inner.add_ns(id::SCHEDULED_DURATION, tags, first_over_ns.saturating_sub(due_ns), at, who);
            }
        }
        self.live.iterations.add(1);
    }

    /// Starts that found nobody.
    pub(crate) fn dropped(&self, count: u64, tags: TagsId) {
        let now_ns = net::clock::now_ns();
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        let sample = Sample { value: count as f64, now_ns, who: Who::default() };
        self.inner.borrow_mut().add(id::DROPPED_ITERATIONS, tags, sample);
        self.live.dropped.add(count);
    }

    /// Hands over what was measured, and goes on with empty samples.
    pub(crate) fn hand_over(&self, mut empty: Box<Samples>) -> Box<Samples> {
        let mut inner = self.inner.borrow_mut();
        empty.fit(&inner.definitions, &self.catalog);
        if let Some(log) = &mut inner.log {
            log.hand_over();
        }
        std::mem::replace(&mut inner.samples, empty)
    }
}

impl Recorder {
    /// The last hand-over: also what is known of iterations that do not end any more.
    pub(crate) fn finish(&self, empty: Box<Samples>) -> Box<Samples> {
        let mut inner = self.inner.borrow_mut();
        let Inner { log, tags, last_tags, .. } = &mut *inner;
        if let Some(log) = log {
            log.end_all_bytes(net::clock::now_ns(), &tags.set(*last_tags).pairs);
        }
        drop(inner);
        self.hand_over(empty)
    }
}

/// One value.
#[derive(Debug, Clone, Copy)]
struct Sample {
    value: f64,
    now_ns: u64,
    who: Who,
}

impl Inner {
    fn add(&mut self, metric: MetricId, tags: TagsId, sample: Sample) {
        self.each_sink(metric, tags, |sink| sink.add(sample.value, sample.now_ns));
        if let Some(log) = &mut self.log {
            let Sample { value, now_ns, who } = sample;
            log.add(Point { metric, value, at_ns: now_ns, tags: Pairs::clone(&self.tags.set(tags).pairs), who });
        }
    }

    fn add_ns(&mut self, metric: MetricId, tags: TagsId, ns: u64, now_ns: u64, who: Who) {
        self.each_sink(metric, tags, |sink| sink.add_ns(ns));
        if let Some(log) = &mut self.log {
            #[allow(clippy::cast_precision_loss, reason = "durations stay far below 2^53 ns")]
            let value = ns as f64 / 1e6;
            log.add(Point { metric, value, at_ns: now_ns, tags: Pairs::clone(&self.tags.set(tags).pairs), who });
        }
    }

    fn each_sink(&mut self, metric: MetricId, tags: TagsId, mut add: impl FnMut(&mut Sink)) {
        let TagSet { subs, scopes, .. } = self.tags.set(tags);
        if let Some(sink) = self.samples.metric_mut(metric) {
            add(sink);
        }
        for (_, at) in subs.iter().filter(|(parent, _)| *parent == metric) {
            if let Some(sink) = self.samples.sub_mut(*at) {
                add(sink);
            }
        }
        for scope in scopes {
            if let Some(sink) = self.samples.scoped_mut(scope, metric) {
                add(sink);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::sub_metric::SubMetric;
    use super::*;

    #[test]
    fn a_sample_goes_to_its_metric_and_to_the_sub_metrics_of_its_tags() {
        let mut catalog = Catalog { keeps_scopes: true, ..Catalog::default() };
        let sub = SubMetric::of("http_reqs{expected_response:true}", &catalog.definitions).unwrap().1.unwrap();
        catalog.subs.push(sub);
        let recorder = Recorder::for_init(Arc::new(catalog));
        let mine = recorder.metric("mine", Kind::Trend, false).unwrap();
        let base = recorder.tags(TagsId::NONE, &[("scenario", "default"), ("group", "")]);
        for (expected, failed) in [("true", false), ("false", true), ("true", false)] {
            let tags = recorder.tags(base, &[("expected_response", expected), ("url", "x")]);
            recorder.request(&RequestSample { failed: Some(failed), ..RequestSample::default() }, tags, Who::default());
        }
        recorder.add(mine, -1.5, base, Who::default());
        recorder.check("ok", "", true, base, Who::default());
        let samples = recorder.hand_over(Box::default());
        let sum = |sink: Option<&Sink>| match sink {
            Some(Sink::Counter { sum, .. }) => *sum,
            Some(Sink::Rate { hits: 1, .. }) => 1.0,
            Some(Sink::Trend(values)) => values.sum(),
            _ => f64::NAN,
        };
        let same = |left: f64, right: f64| assert!((left - right).abs() < 1e-9, "{left} is not {right}");
        same(sum(samples.metric(id::HTTP_REQS)), 3.0);
        same(sum(samples.metric(id::HTTP_REQ_FAILED)), 1.0);
        same(sum(samples.sub(0)), 2.0);
        same(sum(samples.metric(mine)), -1.5);
        let scope = &samples.scopes()[&super::super::Scope { scenario: "default".into(), group: "".into() }];
        same(sum(scope.get(&id::HTTP_REQS)), 3.0);
        assert_eq!(samples.groups().checks()[0].passes, 1);
        assert!(recorder.hand_over(samples).metric(id::HTTP_REQS).unwrap().is_empty());
    }
}
