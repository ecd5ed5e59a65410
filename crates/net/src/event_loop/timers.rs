//! Timers in steps of a millisecond. For microseconds there is [`crate::timer::Timer`].

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::current;
use crate::clock;

/// [`timeout`]'s time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// Waits for so long, up to a millisecond more.
pub async fn sleep(duration: Duration) {
    let at_ms = (clock::now_ns() + u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)).div_ceil(1_000_000);
    let place = Rc::new(RefCell::new(None));
    current(|event_loop| event_loop.timers.borrow_mut().add(at_ms, Rc::clone(&place)));
    poll_fn(|cx| {
        if clock::coarse_ms() >= at_ms {
            return Poll::Ready(());
        }
        *place.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

/// Waits for the future, but no longer than so.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let (mut future, mut over) = (pin!(future), pin!(sleep(duration)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => over.as_mut().poll(cx).map(|()| Err(Elapsed)),
    })
    .await
}

/// Lets the others run, and epoll be looked at.
pub async fn yield_now() {
    let mut is_second = false;
    poll_fn(|cx| {
        if is_second {
            return Poll::Ready(());
        }
        is_second = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The sleepers of a thread. One that was dropped stays until its time, without a task.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Entry>,
    added: u64,
}

struct Entry {
    at: Reverse<(u64, u64)>,
    place: Rc<RefCell<Option<Waker>>>,
}

impl Timers {
    fn add(&mut self, at_ms: u64, place: Rc<RefCell<Option<Waker>>>) {
        self.added += 1;
        self.heap.push(Entry { at: Reverse((at_ms, self.added)), place });
    }

    /// When the next one is due.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.heap.peek().map(|entry| entry.at.0.0)
    }

    pub(super) fn wake_due(&mut self, now_ms: u64) {
        while self.next_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            if let Some(waker) = self.heap.pop().and_then(|entry| entry.place.take()) {
                waker.wake();
            }
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
