//! What one thread measured since it last handed over: the trends, and what went wrong.

use metrics::Trend;

use crate::failure::{Failure, FailureCount, Failures};
use crate::metric;
use crate::run::LastSecond;

/// The times of one request; all in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Timings {
    /// Until a connection was there; dialling and TLS included.
    pub(crate) blocked: u64,
    pub(crate) connecting: u64,
    pub(crate) tls_handshaking: u64,
    pub(crate) sending: u64,
    /// From the last byte sent to the first received.
    pub(crate) waiting: u64,
    pub(crate) receiving: u64,
}

/// Trends, and failures by code.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    /// `http_req_duration` is kept as two, and made of both when asked for: one recording less a request.
    expected: Trend,
    unexpected: Trend,
    /// Requests over a kept connection, whose three times of 0 are recorded all at once by [`Samples::settle`].
    reused: u64,
    blocked: Trend,
    connecting: Trend,
    tls_handshaking: Trend,
    sending: Trend,
    waiting: Trend,
    receiving: Trend,
    iteration_duration: Trend,
    start_delay: Trend,
    scheduled_duration: Trend,
    failures: Failures,
}

impl Samples {
    /// Records a request.
    pub(crate) fn request(&mut self, timings: &Timings, failure: Option<&Failure>) {
        let duration = timings.sending + timings.waiting + timings.receiving;
        match failure {
            None => self.expected.record(duration),
            Some(failure) => {
                self.unexpected.record(duration);
                self.failures.add(failure);
            }
        }
        if timings.blocked == 0 {
            self.reused += 1;
        } else {
            self.blocked.record(timings.blocked);
            self.connecting.record(timings.connecting);
            self.tls_handshaking.record(timings.tls_handshaking);
        }
        self.sending.record(timings.sending);
        self.waiting.record(timings.waiting);
        self.receiving.record(timings.receiving);
    }

    /// Records an iteration: when it was due, when it began, when its first request was over, when it ended.
    pub(crate) fn iteration(&mut self, due_ns: u64, began_ns: u64, first_over_ns: u64, ended_ns: u64) {
        self.start_delay.record(began_ns.saturating_sub(due_ns));
        self.scheduled_duration.record(first_over_ns.saturating_sub(due_ns));
        self.iteration_duration.record(ended_ns.saturating_sub(began_ns));
    }

    /// Records what was put off; to be called before the samples are handed over.
    pub(crate) fn settle(&mut self) {
        let reused = std::mem::take(&mut self.reused);
        for trend in [&mut self.blocked, &mut self.connecting, &mut self.tls_handshaking] {
            trend.record_many(0, reused);
        }
    }

    /// Adds what another thread, or an earlier second, measured.
    pub(crate) fn merge(&mut self, other: &Self) {
        debug_assert_eq!(other.reused, 0, "settle comes before merge");
        for (mine, theirs) in self.trends_mut().into_iter().zip(other.trends()) {
            mine.merge(theirs);
        }
        self.failures.merge(&other.failures);
    }

    /// Forgets everything, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.reused = 0;
        for trend in self.trends_mut() {
            trend.clear();
        }
        self.failures.clear();
    }

    /// A trend by its metric's name; empty where there is none of that name.
    pub(crate) fn trend(&self, name: &str) -> Trend {
        match name {
            "http_req_duration" => {
                let mut all = self.expected.clone();
                all.merge(&self.unexpected);
                all
            }
            metric::EXPECTED => self.expected.clone(),
            metric::UNEXPECTED => self.unexpected.clone(),
            "http_req_blocked" => self.blocked.clone(),
            "http_req_connecting" => self.connecting.clone(),
            "http_req_tls_handshaking" => self.tls_handshaking.clone(),
            "http_req_sending" => self.sending.clone(),
            "http_req_waiting" => self.waiting.clone(),
            "http_req_receiving" => self.receiving.clone(),
            "iteration_duration" => self.iteration_duration.clone(),
            "start_delay" => self.start_delay.clone(),
            "scheduled_duration" => self.scheduled_duration.clone(),
            _ => Trend::default(),
        }
    }

    /// These samples as those of one second.
    pub(crate) fn last_second(&self) -> LastSecond {
        let all = self.trend("http_req_duration");
        LastSecond { requests: all.count(), failed: self.unexpected.count(), p95_ms: all.percentile_ns(95.0) / 1e6 }
    }

    /// Failures so far, the most frequent first.
    pub(crate) fn failures(&self) -> Vec<FailureCount> {
        self.failures.list()
    }

    fn trends(&self) -> [&Trend; 11] {
        [
            &self.expected,
            &self.unexpected,
            &self.blocked,
            &self.connecting,
            &self.tls_handshaking,
            &self.sending,
            &self.waiting,
            &self.receiving,
            &self.iteration_duration,
            &self.start_delay,
            &self.scheduled_duration,
        ]
    }

    fn trends_mut(&mut self) -> [&mut Trend; 11] {
        [
            &mut self.expected,
            &mut self.unexpected,
            &mut self.blocked,
            &mut self.connecting,
            &mut self.tls_handshaking,
            &mut self.sending,
            &mut self.waiting,
            &mut self.receiving,
            &mut self.iteration_duration,
            &mut self.start_delay,
            &mut self.scheduled_duration,
        ]
    }
}
