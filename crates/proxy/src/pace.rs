//! `limit_rate`: how much of an answer may have been sent by now.
//!
//! Room comes in steps of a deadline's sweep, a fifth of a second; nginx gives it by the second.

use std::task::{Context, Poll, ready};

use net::deadline::SWEEP_MS;
use net::{Deadline, clock};

/// The pace of one answer.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Bytes a second, at least 1.
    rate: u64,
    /// Bytes that go at once.
    after: u64,
    started_ms: u64,
    next: Deadline,
}

impl Pace {
    /// A pace that begins now.
    pub(crate) fn new(rate: u64, after: u64) -> Self {
        Self { rate: rate.max(1), after, started_ms: clock::coarse_ms(), next: Deadline::new() }
    }

    /// How much more may be sent when so much was.
    pub(crate) fn room(&self, sent: u64) -> usize {
        let passed_ms = clock::coarse_ms().saturating_sub(self.started_ms);
        let allowed = allowed(self.rate, self.after, passed_ms);
        usize::try_from(allowed.saturating_sub(sent)).unwrap_or(usize::MAX)
    }

    /// How much of `wanted` may be sent now, some of it at least, when so much was sent.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>, sent: u64, wanted: usize) -> Poll<usize> {
        loop {
            let room = self.room(sent);
            if room > 0 {
                return Poll::Ready(room.min(wanted));
            }
            ready!(self.poll_wait(cx));
        }
    }

    /// Wakes the task when there may be more room.
    fn poll_wait(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.next.set(SWEEP_MS);
        self.next.poll_passed(cx)
    }
}

/// One step is there from the start, so that an answer begins at once.
fn allowed(rate: u64, after: u64, passed_ms: u64) -> u64 {
    let steps = passed_ms / SWEEP_MS + 1;
    let paced = u128::from(rate).saturating_mul(u128::from(steps) * u128::from(SWEEP_MS)) / 1_000;
    after.saturating_add(u64::try_from(paced).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn room_grows_with_time() {
        let table = [
            (1_000, 0, 0, 200),
            (1_000, 0, 199, 200),
            (1_000, 0, 1_000, 1_200),
            (1_000, 500, 0, 700),
            (1, 0, 0, 0),
            (1, 0, 800, 1),
            (u64::MAX, u64::MAX, u64::MAX, u64::MAX),
        ];
        for (rate, after, passed_ms, expected) in table {
            assert_eq!(allowed(rate, after, passed_ms), expected, "{rate} {after} {passed_ms}");
        }
    }
}
