//! A count that one thread writes and any thread reads: no lock, no atomic read-modify-write, no shared cache line
//! that two writers fight over. A total over threads is the sum of their cells, made when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter with a single writer. A second writing thread would lose counts (never memory safety): give each thread
/// cells of its own and sum them on reading.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Cell {
    /// A counter at `start`.
    #[must_use]
    pub const fn new(start: u64) -> Self {
        Self(AtomicU64::new(start))
    }

    /// Adds `n`, wrapping at 2^64. Only the owning thread calls it.
    #[inline]
    pub fn add(&self, n: u64) {
        // A plain load and store, since there is no other writer: an atomic addition would lock the cache line.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Takes `n` away, for counts that fall again such as requests in flight. Only the owning thread calls it.
    #[inline]
    pub fn sub(&self, n: u64) {
        self.add(n.wrapping_neg());
    }

    /// Replaces the value. Only the owning thread calls it.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value as last written; readable from any thread.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Cell;

    #[test]
    fn adds_and_takes_away() {
        let cell = Cell::new(3);
        cell.add(4);
        cell.sub(2);
        assert_eq!(cell.get(), 5);
        cell.set(9);
        assert_eq!(cell.get(), 9);
    }

    #[test]
    fn is_read_from_another_thread() {
        let cell = Cell::default();
        std::thread::scope(|scope| {
            for _ in 0..1000 {
                cell.add(1);
            }
            let seen = scope.spawn(|| cell.get()).join();
            assert_eq!(seen.ok(), Some(1000));
        });
    }
}
