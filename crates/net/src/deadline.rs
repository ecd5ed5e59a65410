//! Deadlines without a timer each: a slot a connection, swept a few times a second.
//!
//! A connection owns one [`Deadline`] and moves it as it goes along (header, body, keep-alive, upstream ...). Setting
//! it is a store; waiting on it costs nothing until it passes. Times are [`clock::coarse_ms`], so a deadline is late
//! by up to [`SWEEP_MS`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::clock;

/// Time between two sweeps: fine enough for time-outs in seconds, and 10,000 slots cost some 20 us each time.
pub const SWEEP_MS: u64 = 200;
const NEVER: u64 = u64::MAX;

thread_local! {
    static SLOTS: RefCell<Vec<Rc<Slot>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct Slot {
    at_ms: Cell<u64>,
    /// Since when the connection has nothing to do; [`NEVER`] while it has.
    idle_since_ms: Cell<u64>,
    waker: RefCell<Option<Waker>>,
}

/// The time by which something has to happen on one connection.
#[derive(Debug)]
pub struct Deadline {
    slot: Rc<Slot>,
}

impl Deadline {
    /// A deadline that is not set.
    pub fn new() -> Self {
        let slot =
            Rc::new(Slot { at_ms: Cell::new(NEVER), idle_since_ms: Cell::new(NEVER), waker: RefCell::new(None) });
        SLOTS.with(|slots| slots.borrow_mut().push(Rc::clone(&slot)));
        Self { slot }
    }

    /// Sets it `ms` from now.
    pub fn set(&self, ms: u64) {
        self.set_at(clock::coarse_ms().saturating_add(ms));
    }

    /// Sets it to a time on the scale of [`clock::coarse_ms`].
    pub fn set_at(&self, at_ms: u64) {
        self.slot.at_ms.set(at_ms);
    }

    /// Unsets it; nobody is woken.
    pub fn clear(&self) {
        self.slot.at_ms.set(NEVER);
        self.slot.waker.take();
    }

    /// Sets it `ms` from now for a connection that has nothing to do: it may be ended early ([`end_idle`]).
    pub fn set_idle(&self, ms: u64) {
        self.set(ms);
        self.slot.idle_since_ms.set(clock::coarse_ms());
    }

    /// The connection has something to do.
    pub fn set_busy(&self) {
        self.slot.idle_since_ms.set(NEVER);
    }

    /// When it passes, if it is set.
    pub fn at_ms(&self) -> Option<u64> {
        Some(self.slot.at_ms.get()).filter(|at| *at != NEVER)
    }

    /// Whether it has passed; if not, the task is woken when it does.
    pub fn poll_passed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if clock::coarse_ms() >= self.slot.at_ms.get() {
            return Poll::Ready(());
        }
        let mut waker = self.slot.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits for `io`, but not beyond the deadline: then the error is `TimedOut`.
    pub async fn limit<T>(&self, mut io: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
        poll_fn(|cx| match io(cx) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => self.poll_passed(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        })
        .await
    }

    /// Waits until it passes.
    pub async fn passed(&self) {
        poll_fn(|cx| self.poll_passed(cx)).await;
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Self::new()
    }
}

/// Has the deadlines of so many idle connections pass at once, those that have been idle for longest first; how many
/// there were. It looks at all connections of the thread, so it is for when there are too many.
pub fn end_idle(count: usize) -> usize {
    let mut idle: Vec<Rc<Slot>> = SLOTS.with(|slots| {
        let slots = slots.borrow();
        slots.iter().filter(|slot| slot.idle_since_ms.get() != NEVER && Rc::strong_count(slot) > 1).cloned().collect()
    });
    let count = count.min(idle.len());
    if count > 0 && count < idle.len() {
        idle.select_nth_unstable_by_key(count - 1, |slot| slot.idle_since_ms.get());
    }
    for slot in &idle[..count] {
        slot.at_ms.set(0);
        slot.idle_since_ms.set(NEVER);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }
    count
}

/// Wakes all tasks of this thread that wait on a deadline, for something that concerns each of them.
pub fn wake_all() {
    SLOTS.with(|slots| {
        let wakers = slots.borrow().iter().filter_map(|slot| slot.waker.take()).collect::<Vec<_>>();
        wakers.into_iter().for_each(Waker::wake);
    });
}

/// Wakes the tasks whose deadline passed. The event loop calls it each [`SWEEP_MS`].
pub(crate) fn sweep(now_ms: u64) {
    SLOTS.with(|slots| {
        slots.borrow_mut().retain(|slot| {
            let is_owned = Rc::strong_count(slot) > 1;
            if is_owned && slot.at_ms.get() <= now_ms {
                // A wake only marks the task as runnable: it does not run here, so the borrow is safe.
                if let Some(waker) = slot.waker.take() {
                    waker.wake();
                }
            }
            is_owned
        });
        let mut slots = slots.borrow_mut();
        if slots.len() * 4 < slots.capacity() {
            slots.shrink_to(64);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_forgets_dropped_deadlines() {
        let kept = Deadline::new();
        drop(Deadline::new());
        assert_eq!(SLOTS.with(|slots| slots.borrow().len()), 2);
        sweep(0);
        assert_eq!(SLOTS.with(|slots| slots.borrow().len()), 1);
        assert_eq!(kept.at_ms(), None);
    }

    #[test]
    fn the_longest_idle_end_first_and_busy_ones_never() {
        let deadlines: Vec<_> = (0..4).map(|_| Deadline::new()).collect();
        for (n, idle_ms) in [(0, 5), (1, 3), (2, 4), (3, 1)] {
            deadlines[n].set_idle(60_000);
            deadlines[n].slot.idle_since_ms.set(idle_ms);
        }
        deadlines[3].set_busy();
        let ended = || deadlines.iter().map(|deadline| deadline.at_ms() == Some(0)).collect::<Vec<_>>();
        assert_eq!(end_idle(0), 0);
        assert_eq!((end_idle(2), ended()), (2, vec![false, true, true, false]));
        assert_eq!((end_idle(9), ended()), (1, vec![true, true, true, false]));
        assert_eq!(end_idle(9), 0);
    }

    #[test]
    fn waiting_ends_when_the_deadline_passes() {
        crate::event_loop::block_on(async {
            let deadline = Deadline::new();
            deadline.set(1);
            deadline.passed().await;
            deadline.set(1);
            let never: io::Result<()> = deadline.limit(|_| Poll::Pending).await;
            assert_eq!(never.unwrap_err().kind(), io::ErrorKind::TimedOut);
        })
        .unwrap();
    }
}
