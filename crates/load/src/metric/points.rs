//! Samples one by one, for outputs that write each of them: a thread gathers them and hands them over in pieces.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::definitions::MetricId;
use super::id;
use super::recorder::Who;

/// Samples that a thread gathers before it hands them over, so that a second of a fast test is no single piece.
const MOST_GATHERED: usize = 4096;

/// Tags by name.
pub type Pairs = Arc<[(Box<str>, Box<str>)]>;

/// One sample.
#[derive(Debug, Clone)]
pub struct Point {
    /// Of this metric.
    pub metric: MetricId,
    /// Times are in milliseconds.
    pub value: f64,
    /// When, by the monotonic clock.
    pub at_ns: u64,
    /// Its tags, by name.
    pub tags: Pairs,
    /// Whose it is.
    pub who: Who,
}

/// Takes samples, on any thread of a test; it must not wait.
#[derive(Clone)]
pub struct PointSink(pub Arc<dyn Fn(Vec<Point>) + Send + Sync>);

impl fmt::Debug for PointSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointSink").finish_non_exhaustive()
    }
}

/// What a thread has gathered.
#[derive(Debug)]
pub(super) struct PointLog {
    sink: PointSink,
    gathered: Vec<Point>,
    /// Bytes of users whose iteration is not over: k6 has one sample of them an iteration.
    bytes: HashMap<u64, [f64; 2]>,
}

impl PointLog {
    pub(super) fn new(sink: PointSink) -> Self {
        Self { sink, gathered: Vec::new(), bytes: HashMap::new() }
    }

    pub(super) fn add(&mut self, point: Point) {
        self.gathered.push(point);
        if self.gathered.len() >= MOST_GATHERED {
            self.hand_over();
        }
    }

    /// Bytes of a user, sent and received.
    pub(super) fn bytes(&mut self, who: Who, bytes: [f64; 2]) {
        let sum = self.bytes.entry(who.vu).or_default();
        *sum = [sum[0] + bytes[0], sum[1] + bytes[1]];
    }

    /// A user's iteration is over: so are its bytes.
    pub(super) fn end_bytes(&mut self, at_ns: u64, tags: &Pairs, who: Who) {
        let sum = self.bytes.remove(&who.vu).unwrap_or_default();
        for (metric, value) in [(id::DATA_SENT, sum[0]), (id::DATA_RECEIVED, sum[1])] {
            self.add(Point { metric, value, at_ns, tags: Arc::clone(tags), who });
        }
    }

    /// Bytes of iterations that do not end any more.
    pub(super) fn end_all_bytes(&mut self, at_ns: u64, tags: &Pairs) {
        for vu in self.bytes.keys().copied().collect::<Vec<_>>() {
            self.end_bytes(at_ns, tags, Who { vu, iter: 0 });
        }
    }

    pub(super) fn hand_over(&mut self) {
        if !self.gathered.is_empty() {
            (self.sink.0)(std::mem::take(&mut self.gathered));
        }
    }
}
