//! Time as one thread sees it: exact nanoseconds on demand, and milliseconds read once an event-loop turn.
//!
//! Only this crate reads the clock on the data path; everything above takes `now` from here and passes it down.

use std::cell::Cell;

use rustix::time::{ClockId, clock_gettime};

thread_local! {
    static COARSE_MS: Cell<u64> = const { Cell::new(0) };
    static COARSE_US: Cell<u64> = const { Cell::new(0) };
}

/// Nanoseconds since some fixed point, never going backwards.
pub fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// Milliseconds on the same scale as [`now_ns`].
pub fn now_ms() -> u64 {
    now_ns() / 1_000_000
}

/// The same, read when this thread's event loop last woke.
#[inline]
pub fn coarse_ms() -> u64 {
    match COARSE_MS.get() {
        0 => tick(),
        now_ms => now_ms,
    }
}

/// Microseconds of the same reading as [`coarse_ms`].
#[inline]
pub fn coarse_us() -> u64 {
    match COARSE_US.get() {
        0 => {
            tick();
            COARSE_US.get()
        }
        now_us => now_us,
    }
}

/// Nanoseconds since 1970.
pub fn unix_ns() -> u64 {
    let time = clock_gettime(ClockId::Realtime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// Milliseconds since 1970.
pub fn unix_ms() -> u64 {
    unix_ns() / 1_000_000
}

/// Reads the clock for [`coarse_ms`]; the event loop calls it at each turn.
#[cold]
pub fn tick() -> u64 {
    let now_us = now_ns() / 1_000;
    let now_ms = now_us / 1_000;
    COARSE_US.set(now_us);
    COARSE_MS.set(now_ms);
    now_ms
}

#[cfg(test)]
mod tests {
    #[test]
    fn coarse_time_follows_the_ticks() {
        let first = super::tick();
        assert_eq!((super::coarse_ms(), super::coarse_us() / 1_000), (first, first));
        assert!(super::now_ms() >= first);
        assert!(super::unix_ns() > 1_600_000_000_000_000_000);
    }
}
