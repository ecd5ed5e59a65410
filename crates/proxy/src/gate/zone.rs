//! The counts of limits, by key: nginx's leaky buckets of `limit_req`, and requests under way of `limit_conn`.
//!
//! All threads share a zone behind a lock, which is held for a look-up: the limit is one for all of them, as it is for
//! nginx's workers. A zone has as many keys as it has room for; of buckets the one goes that was used least lately.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::lru::{self, ENTRY_BYTES, Lru};

/// The longest key that is counted, as in nginx.
const KEY_MAX: usize = 65_535;
/// A clock that goes back by more was set anew.
const BACK_MAX_MS: u64 = 60_000;

/// What became of a request that a zone has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Passed,
    Delayed,
    Rejected,
    DelayedDryRun,
    RejectedDryRun,
}

/// What became of a zone's requests, for `api`.
#[derive(Debug, Default)]
pub(crate) struct Fates([AtomicU64; 5]);

impl Fates {
    pub(crate) fn add(&self, fate: Fate) {
        self.0[fate as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn get(&self, fate: Fate) -> u64 {
        self.0[fate as usize].load(Relaxed)
    }

    pub(crate) fn begin_anew(&self) {
        self.0.iter().for_each(|count| count.store(0, Relaxed));
    }
}

/// Buckets of `limit_req`.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    buckets: Mutex<Lru<Bucket>>,
    pub(crate) fates: Fates,
}

/// What is counted of a key.
#[derive(Debug, Default)]
struct Bucket {
    /// Thousandths of a request that have not left.
    excess: u64,
    last_ms: u64,
}

/// A zone as it is used now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    /// Thousandths of a request that leave in a second.
    pub(crate) rate: u64,
    /// Memory of the zone.
    pub(crate) bytes: u64,
    pub(crate) now_ms: u64,
}

impl Rates {
    /// What a request of this key would come to: thousandths of a request in excess. A key that the zone has no room
    /// for, were it empty, is beyond any: who may choose it must not go uncounted.
    pub(crate) fn look(&self, key: &[u8], flow: Flow) -> u64 {
        if !lru::fits(key, flow.bytes) {
            return u64::MAX;
        }
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = buckets.look(key) else { return 0 };
        excess(bucket, flow)
    }

    /// Counts a request, unless its excess is beyond `burst`; the excess either way.
    pub(crate) fn count(&self, key: &[u8], flow: Flow, burst: u64) -> u64 {
        if !lru::fits(key, flow.bytes) {
            return u64::MAX;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = buckets.touch(key) else {
            buckets.add(key, Bucket { excess: 0, last_ms: flow.now_ms }, flow.bytes);
            return 0;
        };
        let excess = excess(bucket, flow);
        if excess <= burst {
            *bucket = Bucket { excess, last_ms: flow.now_ms };
        }
        excess
    }
}

/// nginx's arithmetic: what was there, less what has left since, and this request.
fn excess(bucket: &Bucket, flow: Flow) -> u64 {
    let passed_ms = match flow.now_ms.checked_sub(bucket.last_ms) {
        Some(passed_ms) => passed_ms,
        None if bucket.last_ms - flow.now_ms > BACK_MAX_MS => 1,
        None => 0,
    };
    (bucket.excess + 1000).saturating_sub(flow.rate.saturating_mul(passed_ms) / 1000)
}

/// Whether a key is counted: an empty one is not.
pub(crate) fn is_counted(key: &[u8]) -> bool {
    (1..=KEY_MAX).contains(&key.len())
}

/// Requests under way of `limit_conn`.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    counts: Mutex<Counts>,
    pub(crate) fates: Fates,
}

#[derive(Debug, Default)]
struct Counts {
    by_key: HashMap<Arc<[u8]>, u64>,
    bytes: u64,
}

/// A request that is counted for as long as this is there.
#[derive(Debug)]
pub(crate) struct Counted {
    zone: Arc<UnderWay>,
    key: Arc<[u8]>,
}

impl UnderWay {
    /// Counts a request, unless so many are under way or the zone is full.
    pub(crate) fn enter(self: &Arc<Self>, key: &[u8], most: u64, bytes: u64) -> Option<Counted> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = match counts.by_key.get_key_value(key) {
            Some((_, count)) if *count >= most => return None,
            Some((key, _)) => Arc::clone(key),
            None => {
                let taken = ENTRY_BYTES + key.len() as u64;
                if counts.bytes + taken > bytes {
                    return None;
                }
                counts.bytes += taken;
                key.into()
            }
        };
        *counts.by_key.entry(Arc::clone(&key)).or_default() += 1;
        Some(Counted { zone: Arc::clone(self), key })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.zone.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.by_key.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.by_key.remove(&self.key);
                counts.bytes -= ENTRY_BYTES + self.key.len() as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now_ms: u64) -> Flow {
        Flow { rate: 2000, bytes: 1 << 20, now_ms }
    }

    #[test]
    fn a_bucket_leaks_as_nginx_has_it() {
        let rates = Rates::default();
        // Two requests a second, and a burst of one: time, excess, whether it is counted.
        let table = [(0, 0), (0, 1000), (0, 2000), (250, 1500), (500, 1000), (500, 2000), (1_500, 0), (1_500, 1000)];
        for (now_ms, excess) in table {
            assert_eq!(rates.count(b"a", at(now_ms), 1000), excess, "{now_ms}");
        }
        assert_eq!(rates.count(b"b", at(1_500), 1000), 0, "another key");
        assert_eq!(rates.look(b"a", at(2_000)), 1000);
        assert_eq!(rates.look(b"a", at(2_000)), 1000, "looking counts nothing");
        assert_eq!(rates.count(b"a", at(1_400), 5000), 2000, "a clock that goes back a little");
    }

    #[test]
    fn a_full_zone_forgets_what_was_used_least_lately() {
        let rates = Rates::default();
        let flow = Flow { bytes: 3 * (ENTRY_BYTES + 1), ..at(0) };
        for key in [b"a", b"b", b"c", b"a", b"d"] {
            rates.count(key, flow, 10_000);
        }
        let buckets = rates.buckets.lock().unwrap();
        assert_eq!([b"a", b"b", b"c", b"d"].map(|key| buckets.look(key).is_some()), [true, false, true, true]);
        assert_eq!(buckets.bytes(), flow.bytes);
    }

    #[test]
    fn a_key_larger_than_its_zone_is_refused() {
        let rates = Rates::default();
        let flow = Flow { bytes: ENTRY_BYTES + 2, ..at(0) };
        for (key, excess) in [(&b"a"[..], 0), (b"abc", u64::MAX), (b"a", 1000), (b"ab", 0)] {
            assert_eq!(rates.look(key, flow), excess);
            assert_eq!(rates.count(key, flow, 10_000), excess);
        }
    }

    #[test]
    fn requests_under_way_are_counted() {
        let zone = Arc::new(UnderWay::default());
        let one = zone.enter(b"a", 2, 1000).unwrap();
        let two = zone.enter(b"a", 2, 1000).unwrap();
        assert!(zone.enter(b"a", 2, 1000).is_none());
        let other = zone.enter(b"b", 2, 2 * (ENTRY_BYTES + 1)).unwrap();
        assert!(zone.enter(b"c", 2, 2 * (ENTRY_BYTES + 1)).is_none(), "it is full");
        drop((one, two));
        assert!(zone.enter(b"c", 2, 2 * (ENTRY_BYTES + 1)).is_some());
        drop(other);
        assert_eq!(zone.counts.lock().unwrap().bytes, 0);
    }
}
