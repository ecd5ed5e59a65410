//! Deadlines without a timer each: a slot a connection, looked at when it may have passed.
//!
//! A connection owns one [`Deadline`] and moves it as it goes along (header, body, keep-alive, upstream ...). Setting
//! it is a store; waiting on it costs nothing until it passes. Times are [`clock::coarse_ms`], so a deadline is late
//! by up to [`SWEEP_MS`].
//!
//! The slots of a thread stand in a wheel of buckets, one a sweep. Moving a deadline to a later time leaves its slot
//! where it is, and the sweep that comes by puts it where it belongs by then: a connection that has nothing to do is
//! looked at once in its time-out, however many there are. A sweep over all of them would hold up the others' requests
//! for milliseconds where there are 20,000, whose slots are in no cache.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::clock;

/// Time between two sweeps: fine enough for time-outs in seconds.
pub const SWEEP_MS: u64 = 200;
const NEVER: u64 = u64::MAX;
/// Buckets of a wheel, which goes round in 102 s: what is to come later is looked at once in a while.
const BUCKETS: usize = 512;
/// The bucket of slots that are not set, or have passed: no sweep looks at it.
const UNSET: usize = BUCKETS;

thread_local! {
    static WHEEL: RefCell<Wheel> = const { RefCell::new(Wheel { buckets: Vec::new(), swept: 0 }) };
}

#[derive(Debug)]
struct Slot {
    at_ms: Cell<u64>,
    /// Since when the connection has nothing to do; [`NEVER`] while it has.
    idle_since_ms: Cell<u64>,
    waker: RefCell<Option<Waker>>,
    /// When a sweep looks at it: no later than it passes. [`NEVER`] in the bucket that is not swept.
    looked_at_ms: Cell<u64>,
    /// Where it stands in the wheel: the bucket, and the place in it.
    bucket: Cell<u16>,
    place: Cell<u32>,
}

#[derive(Debug)]
struct Wheel {
    /// The one for the `n`th sweep is `n % BUCKETS`; the last is [`UNSET`].
    buckets: Vec<Vec<Rc<Slot>>>,
    /// Number of the last sweep: its time in units of [`SWEEP_MS`].
    swept: u64,
}

impl Wheel {
    /// Puts a slot where the first sweep finds it that may come behind its time.
    fn put(&mut self, slot: Rc<Slot>) {
        if self.buckets.is_empty() {
            self.buckets.resize_with(BUCKETS + 1, Vec::new);
        }
        let (bucket, looked_at_ms) = match slot.at_ms.get() {
            NEVER => (UNSET, NEVER),
            at_ms => {
                let sweep = (at_ms / SWEEP_MS).clamp(self.swept + 1, self.swept + BUCKETS as u64 - 1);
                (bucket_of(sweep), sweep * SWEEP_MS)
            }
        };
        slot.looked_at_ms.set(looked_at_ms);
        slot.bucket.set(u16::try_from(bucket).unwrap_or(u16::MAX));
        slot.place.set(u32::try_from(self.buckets[bucket].len()).unwrap_or(u32::MAX));
        self.buckets[bucket].push(slot);
    }

    /// Takes a slot from where it stands.
    fn take(&mut self, slot: &Slot) -> Option<Rc<Slot>> {
        let place = slot.place.get() as usize;
        let bucket = self.buckets.get_mut(usize::from(slot.bucket.get()))?;
        if !bucket.get(place).is_some_and(|found| std::ptr::eq(Rc::as_ptr(found), slot)) {
            return None;
        }
        let taken = bucket.swap_remove(place);
        if let Some(moved) = bucket.get(place) {
            moved.place.set(taken.place.get());
        }
        Some(taken)
    }

    fn sweep(&mut self, now_ms: u64) {
        let now = now_ms / SWEEP_MS;
        // After a long sleep each bucket is looked at, and none of them twice.
        let first = (self.swept + 1).max((now + 1).saturating_sub(BUCKETS as u64));
        self.swept = self.swept.max(now);
        for sweep in first..=now {
            let Some(bucket) = self.buckets.get_mut(bucket_of(sweep)) else { return };
            for slot in std::mem::take(bucket) {
                self.look(slot, now_ms);
            }
        }
        if let Some(unset) = self.buckets.get_mut(UNSET)
            && unset.len() * 4 < unset.capacity()
        {
            unset.shrink_to(64);
        }
    }

    /// Wakes the task of a slot that has passed; any other one is put where it belongs.
    fn look(&mut self, slot: Rc<Slot>, now_ms: u64) {
        if slot.at_ms.get() > now_ms {
            return self.put(slot);
        }
        // A wake only marks the task as runnable: it does not run here, so the borrow is safe.
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
        let at_ms = slot.at_ms.replace(NEVER);
        self.put(Rc::clone(&slot));
        slot.at_ms.set(at_ms);
    }

    fn slots(&self) -> impl Iterator<Item = &Rc<Slot>> {
        self.buckets.iter().flatten()
    }
}

fn bucket_of(sweep: u64) -> usize {
    usize::try_from(sweep % BUCKETS as u64).unwrap_or(UNSET)
}

/// The time by which something has to happen on one connection.
#[derive(Debug)]
pub struct Deadline {
    slot: Rc<Slot>,
}

impl Deadline {
    /// A deadline that is not set.
    pub fn new() -> Self {
        let slot = Rc::new(Slot {
            at_ms: Cell::new(NEVER),
            idle_since_ms: Cell::new(NEVER),
            waker: RefCell::new(None),
            looked_at_ms: Cell::new(NEVER),
            bucket: Cell::new(0),
            place: Cell::new(0),
        });
        WHEEL.with(|wheel| wheel.borrow_mut().put(Rc::clone(&slot)));
        Self { slot }
    }

    /// Sets it `ms` from now.
    pub fn set(&self, ms: u64) {
        self.set_at(clock::coarse_ms().saturating_add(ms));
    }

    /// Sets it to a time on the scale of [`clock::coarse_ms`].
    pub fn set_at(&self, at_ms: u64) {
        self.slot.at_ms.set(at_ms);
        if at_ms < self.slot.looked_at_ms.get() {
            self.look_sooner();
        }
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

    /// A deadline moves to an earlier time seldom: of several time-outs of a connection the shortest stays.
    #[cold]
    fn look_sooner(&self) {
        WHEEL.with(|wheel| {
            let mut wheel = wheel.borrow_mut();
            // No sweep is sooner than the next one.
            if self.slot.looked_at_ms.get() > (wheel.swept + 1) * SWEEP_MS
                && let Some(slot) = wheel.take(&self.slot)
            {
                wheel.put(slot);
            }
        });
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // Where the thread ends its wheel may be gone first.
        let _ = WHEEL.try_with(|wheel| wheel.try_borrow_mut().map(|mut wheel| wheel.take(&self.slot)));
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
    let mut idle: Vec<Rc<Slot>> = WHEEL.with(|wheel| {
        let wheel = wheel.borrow();
        wheel.slots().filter(|slot| slot.idle_since_ms.get() != NEVER).cloned().collect()
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
    WHEEL.with(|wheel| {
        let wakers = wheel.borrow().slots().filter_map(|slot| slot.waker.take()).collect::<Vec<_>>();
        wakers.into_iter().for_each(Waker::wake);
    });
}

/// Wakes the tasks whose deadline passed. The event loop calls it each [`SWEEP_MS`].
pub(crate) fn sweep(now_ms: u64) {
    WHEEL.with(|wheel| wheel.borrow_mut().sweep(now_ms));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl std::task::Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// A deadline that a task waits on, and how often that is woken.
    fn waited(at_ms: u64) -> (Deadline, Arc<Wakes>) {
        let (deadline, wakes) = (Deadline::new(), Arc::new(Wakes::default()));
        deadline.set_at(at_ms);
        wait(&deadline, &wakes);
        (deadline, wakes)
    }

    fn wait(deadline: &Deadline, wakes: &Arc<Wakes>) {
        deadline.slot.waker.replace(Some(Waker::from(Arc::clone(wakes))));
    }

    fn standing() -> usize {
        WHEEL.with(|wheel| wheel.borrow().slots().count())
    }

    #[test]
    fn a_dropped_deadline_is_forgotten_at_once() {
        let kept: Vec<_> = (0..4).map(|_| Deadline::new()).collect();
        kept.iter().for_each(|deadline| deadline.set_at(1_000));
        drop(Deadline::new());
        drop(kept.into_iter().nth(2));
        assert_eq!(standing(), 0);
        let mut kept: Vec<_> = (0..4).map(|_| waited(1_000)).collect();
        drop(kept.remove(0));
        assert_eq!(standing(), 3);
        sweep(1_200);
        assert!(kept.iter().all(|(_, wakes)| wakes.0.load(Relaxed) == 1), "those that have moved in their bucket too");
    }

    #[test]
    fn each_is_woken_by_the_first_sweep_behind_its_time_wherever_it_was_moved() {
        let base = 1_000_000;
        sweep(base);
        // First time and the one it is moved to, from the base; the sweep that wakes it.
        let table = [
            (0, 0, 200),
            (100, 100, 200),
            (200, 200, 200),
            (201, 201, 400),
            (60_000, 60_000, 60_000),
            (60_000, 1_000, 1_000),
            (1_000, 60_000, 60_000),
            (500_000, 500_000, 500_000),
            (500_000, 100, 200),
            (100, 500_000, 500_000),
            (NEVER - base, 400, 400),
        ];
        let all: Vec<_> = table
            .iter()
            .map(|(first, moved, _)| {
                let (deadline, wakes) = waited(base + first);
                deadline.set_at(base + moved);
                (deadline, wakes)
            })
            .collect();
        for step in 1..=2_500 {
            sweep(base + step * SWEEP_MS);
            for ((_, wakes), entry) in all.iter().zip(&table) {
                let is_due = step * SWEEP_MS >= entry.2;
                assert_eq!(wakes.0.load(Relaxed), usize::from(is_due), "{entry:?} at {}", step * SWEEP_MS);
            }
        }
        assert_eq!(standing(), all.len());
    }

    #[test]
    fn one_that_has_passed_can_be_set_again() {
        let (deadline, wakes) = waited(10_000);
        for round in 1..=3 {
            sweep(10_000 * round);
            assert_eq!(wakes.0.load(Relaxed) as u64, round);
            deadline.set_at(10_000 * (round + 1));
            wait(&deadline, &wakes);
            sweep(10_000 * round + 9_800);
            assert_eq!(wakes.0.load(Relaxed) as u64, round, "not before");
        }
        deadline.clear();
        wait(&deadline, &wakes);
        sweep(1_000_000);
        assert_eq!(wakes.0.load(Relaxed), 3, "one that is not set passes never");
    }

    #[test]
    fn after_a_long_sleep_all_that_have_passed_are_woken() {
        let all: Vec<_> = (0..1_000).map(|n| waited(n * 977)).collect();
        sweep(50_000_000);
        assert!(all.iter().all(|(_, wakes)| wakes.0.load(Relaxed) == 1));
    }

    #[test]
    fn one_sweep_looks_at_those_alone_that_may_have_passed() {
        sweep(1_000_000);
        let idle: Vec<_> = (0..1_000).map(|_| waited(1_075_000)).collect();
        sweep(1_000_200);
        // They are used again: none has to be moved for it.
        idle.iter().for_each(|(deadline, _)| deadline.set_at(1_095_000));
        let in_buckets = |sweep: u64| WHEEL.with(|wheel| wheel.borrow().buckets[bucket_of(sweep)].len());
        assert_eq!((in_buckets(1_075_000 / SWEEP_MS), in_buckets(1_095_000 / SWEEP_MS)), (1_000, 0));
        sweep(1_075_000);
        assert_eq!((in_buckets(1_075_000 / SWEEP_MS), in_buckets(1_095_000 / SWEEP_MS)), (0, 1_000));
        assert!(idle.iter().all(|(_, wakes)| wakes.0.load(Relaxed) == 0));
    }

    #[test]
    fn all_are_woken_whatever_they_wait_for() {
        let all = [waited(1_000), waited(NEVER), waited(10_000_000)];
        wake_all();
        assert!(all.iter().all(|(_, wakes)| wakes.0.load(Relaxed) == 1));
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
