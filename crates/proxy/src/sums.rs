//! Counts of all threads together, and their beginning anew: a thread's cells are its own, so what is set back is what
//! is taken off their sum.

use std::sync::{Arc, Mutex, PoisonError};

use crate::counters::{PeerCounters, STATUSES, TLS_FAILURES, ThreadCounters, TlsCounters, ZoneCounters};

/// What a sum begins from. It outlives a change of the configuration as the counters do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Baseline(Arc<Mutex<Vec<u64>>>);

impl Baseline {
    /// The sums since the last time that they began anew.
    pub(crate) fn since(&self, mut sums: Vec<u64>) -> Vec<u64> {
        let base = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sums.iter_mut().zip(base.iter()).for_each(|(sum, base)| *sum = sum.wrapping_sub(*base));
        sums
    }

    /// Has them begin anew.
    pub(crate) fn begin(&self, sums: Vec<u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sums;
    }
}

/// Counts as numbers, always the same ones in the same order.
pub(crate) trait Counted {
    fn append(&self, out: &mut Vec<u64>);
}

/// The sums over threads.
pub(crate) fn sums<'a, C: Counted + 'a>(threads: impl Iterator<Item = &'a C>) -> Vec<u64> {
    let mut all: Vec<u64> = Vec::new();
    let mut own = Vec::new();
    for thread in threads {
        own.clear();
        thread.append(&mut own);
        all.resize(own.len().max(all.len()), 0);
        all.iter_mut().zip(&own).for_each(|(sum, count)| *sum = sum.wrapping_add(*count));
    }
    all
}

/// Counts of TLS in a sum: handshakes, failed ones, resumed ones, and what the failed ones failed of.
pub(crate) const TLS_COUNTS: usize = 3 + TLS_FAILURES;
/// The counts of a zone before those of TLS: requests, discarded, received, sent.
pub(crate) const ZONE_COUNTS: usize = 4;
/// Those of a server: requests, failures, sent, received, times that it became unavailable, the sum and number of times
/// to heads of answers, and of times to their ends.
pub(crate) const PEER_COUNTS: usize = 9;
/// Those of a thread: accepted connections, requests.
pub(crate) const THREAD_COUNTS: usize = 2;

impl Counted for TlsCounters {
    fn append(&self, out: &mut Vec<u64>) {
        out.extend([self.handshakes.get(), self.failed.get(), self.resumed.get()]);
        out.extend(self.why.iter().map(metrics::counter::Cell::get));
    }
}

impl Counted for ThreadCounters {
    fn append(&self, out: &mut Vec<u64>) {
        out.extend([self.accepted.get(), self.requests.get()]);
        self.tls.append(out);
    }
}

impl Counted for ZoneCounters {
    fn append(&self, out: &mut Vec<u64>) {
        out.extend([self.requests.get(), self.discarded.get(), self.received.get(), self.sent.get()]);
        self.tls.append(out);
        out.extend(self.responses.get());
    }
}

impl Counted for PeerCounters {
    fn append(&self, out: &mut Vec<u64>) {
        out.extend([self.requests.get(), self.failures.get()]);
        match self.detail.get() {
            None => out.extend(std::iter::repeat_n(0, PEER_COUNTS - 2 + TLS_COUNTS + STATUSES)),
            Some(detail) => {
                let cells = [&detail.sent, &detail.received, &detail.unavailable];
                let times = [&detail.header_ms, &detail.headers, &detail.response_ms, &detail.whole];
                out.extend(cells.into_iter().chain(times).map(metrics::counter::Cell::get));
                detail.tls.append(out);
                out.extend(detail.responses.get());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_begin_anew() {
        let threads = [ZoneCounters::default(), ZoneCounters::default()];
        threads.iter().for_each(|thread| {
            thread.requests.add(3);
            thread.responses.count(404);
            thread.responses.count(99);
            thread.responses.count(600);
        });
        let all = || sums(threads.iter());
        let base = Baseline::default();
        assert_eq!(all().len(), ZONE_COUNTS + TLS_COUNTS + STATUSES);
        assert_eq!((base.since(all())[0], all().iter().sum::<u64>()), (6, 8));
        assert_eq!(all()[ZONE_COUNTS + TLS_COUNTS + 304], 2);
        base.clone().begin(all());
        assert_eq!(base.since(all()).iter().sum::<u64>(), 0);
        threads[1].requests.add(1);
        assert_eq!(base.since(all())[0], 1);
    }

    #[test]
    fn a_servers_counts_have_one_length() {
        let (plain, detailed) = (PeerCounters::default(), PeerCounters::default());
        detailed.detail.get_or_init(Box::default).responses.count(100);
        let length = PEER_COUNTS + TLS_COUNTS + STATUSES;
        let all = sums([&plain, &detailed].into_iter());
        assert_eq!((sums([&plain].into_iter()).len(), all.len(), all[PEER_COUNTS + TLS_COUNTS]), (length, length, 1));
        assert_eq!(sums([&ThreadCounters::default()].into_iter()).len(), THREAD_COUNTS + TLS_COUNTS);
    }
}
