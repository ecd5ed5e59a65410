//! k6's `rps`: how often requests may be sent, all users of a test together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use net::clock::now_ns;
use net::event_loop;

/// Turns that are handed out at even distances.
#[derive(Debug)]
pub struct Pace {
    gap_ns: u64,
    next_ns: AtomicU64,
}

impl Pace {
    /// So many turns a second; none where that is no limit.
    #[must_use]
    pub fn per_second(rate: u64) -> Option<Self> {
        let gap_ns = 1_000_000_000_u64.checked_div(rate)?;
        Some(Self { gap_ns, next_ns: AtomicU64::new(0) })
    }

    /// Waits for the next turn.
    pub(crate) async fn turn(&self) {
        let now = now_ns();
        let wait_ns = self.take(now).saturating_sub(now);
        if wait_ns > 0 {
            event_loop::sleep(Duration::from_nanos(wait_ns)).await;
        }
    }

    /// When it is the turn of who asks now. An atomic read-modify-write, where the options want threads to agree.
    fn take(&self, now: u64) -> u64 {
        let after = |next: u64| Some(next.max(now).saturating_add(self.gap_ns));
        let next = self.next_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        next.unwrap_or_default().max(now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn turns_are_at_even_distances_and_are_not_saved_up() {
        let pace = Pace::per_second(100).unwrap();
        let turns: Vec<u64> = [5, 5, 6, 100_000_000, 100_000_001].map(|now| pace.take(now)).to_vec();
        assert_eq!(turns, [5, 10_000_005, 20_000_005, 100_000_000, 110_000_000]);
        assert!(Pace::per_second(0).is_none());
    }
}
