//! Counts of one thread that others may read at any moment, and their totals.

use metrics::Cell;

use crate::report::Value;

/// Counts of one thread; only that thread writes.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) iterations: Cell,
    pub(crate) interrupted: Cell,
    pub(crate) dropped: Cell,
    pub(crate) requests: Cell,
    pub(crate) failed: Cell,
    pub(crate) data_sent: Cell,
    pub(crate) data_received: Cell,
    /// Users at work now.
    pub(crate) active: Cell,
    /// Users made, those promised beforehand included.
    pub(crate) users: Cell,
}

/// The sum over all threads, and the gauges sampled once a second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) iterations: u64,
    pub(crate) interrupted: u64,
    pub(crate) dropped: u64,
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) data_sent: u64,
    pub(crate) data_received: u64,
    pub(crate) active: u64,
    pub(crate) users: u64,
    vus: Option<Gauge>,
    vus_max: Option<Gauge>,
}

#[derive(Debug, Clone, Copy)]
struct Gauge {
    value: u64,
    min: u64,
    max: u64,
}

impl Totals {
    /// Reads all threads' counts; gauges stay as they were sampled.
    pub(crate) fn read<'a>(&mut self, threads: impl Iterator<Item = &'a Live>) {
        let mut sum = Self { vus: self.vus, vus_max: self.vus_max, ..Self::default() };
        for live in threads {
            sum.iterations += live.iterations.get();
            sum.interrupted += live.interrupted.get();
            sum.dropped += live.dropped.get();
            sum.requests += live.requests.get();
            sum.failed += live.failed.get();
            sum.data_sent += live.data_sent.get();
            sum.data_received += live.data_received.get();
            sum.active += live.active.get();
            sum.users += live.users.get();
        }
        *self = sum;
    }

    /// Samples `vus` and `vus_max`: once a second, first after one.
    pub(crate) fn sample_gauges(&mut self) {
        self.vus = Some(Gauge::with(self.vus, self.active));
        self.vus_max = Some(Gauge::with(self.vus_max, self.users));
    }

    /// A counter by its metric's name.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        match name {
            "iterations" => self.iterations,
            "dropped_iterations" => self.dropped,
            "http_reqs" => self.requests,
            "data_sent" => self.data_sent,
            "data_received" => self.data_received,
            _ => 0,
        }
    }

    /// A gauge by its metric's name, if it was sampled.
    pub(crate) fn gauge(&self, name: &str) -> Option<Value> {
        let gauge = if name == "vus" { self.vus } else { self.vus_max };
        gauge.map(|Gauge { value, min, max }| Value::Gauge { value, min, max })
    }
}

impl Gauge {
    fn with(before: Option<Self>, value: u64) -> Self {
        before.map_or(Self { value, min: value, max: value }, |before| Self {
            value,
            min: before.min.min(value),
            max: before.max.max(value),
        })
    }
}
