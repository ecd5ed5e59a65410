//! The streams of one HTTP/2 connection: futures that the connection's own task polls.
//!
//! A task for each would be woken through the event loop, and would wake the connection's task through it again. Here
//! a wake sets a bit, and one turn of the task polls what has its bit set: several answers leave in one write.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// What the wakers set.
#[derive(Debug)]
struct Marks {
    /// A bit for each stream that was woken.
    streams: Vec<AtomicU64>,
    /// The connection itself was woken.
    connection: AtomicBool,
    /// The task is in its turn: it looks at the marks before it ends, so nobody has to wake it.
    is_in_turn: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Marks {
    fn wake_task(&self) {
        if self.is_in_turn.load(Ordering::Acquire) {
            return;
        }
        if let Ok(task) = self.task.lock()
            && let Some(task) = &*task
        {
            task.wake_by_ref();
        }
    }
}

/// Wakes the connection.
struct WakeConnection(Arc<Marks>);

impl Wake for WakeConnection {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.connection.store(true, Ordering::Release);
        self.0.wake_task();
    }
}

/// Wakes one stream.
struct WakeStream {
    marks: Arc<Marks>,
    slot: usize,
}

impl Wake for WakeStream {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.marks.streams[self.slot / 64].fetch_or(1 << (self.slot % 64), Ordering::Release);
        self.marks.wake_task();
    }
}

/// The futures of a connection's streams.
pub(super) struct Streams<F> {
    marks: Arc<Marks>,
    connection: Waker,
    slots: Vec<Slot<F>>,
    free: Vec<usize>,
    limit: usize,
}

struct Slot<F> {
    /// Its memory stays for the next one.
    future: Pin<Box<Option<F>>>,
    waker: Waker,
}

impl<F: Future> Streams<F> {
    /// At most `limit` at a time.
    pub(super) fn new(limit: usize) -> Self {
        let marks = Arc::new(Marks {
            streams: (0..limit.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            connection: AtomicBool::new(true),
            is_in_turn: AtomicBool::new(false),
            task: Mutex::new(None),
        });
        let connection = Waker::from(Arc::new(WakeConnection(Arc::clone(&marks))));
        Self { marks, connection, slots: Vec::new(), free: Vec::new(), limit }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && self.slots.len() == self.limit
    }

    /// The waker for whoever drives the connection.
    pub(super) fn connection_waker(&self) -> Waker {
        self.connection.clone()
    }

    /// Has the connection driven in this turn or the next.
    pub(super) fn mark_connection(&self) {
        self.connection.wake_by_ref();
    }

    /// Whether the connection was woken since this was last asked.
    pub(super) fn take_connection_mark(&self) -> bool {
        self.marks.connection.swap(false, Ordering::Acquire)
    }

    /// Whether anything is marked.
    pub(super) fn is_marked(&self) -> bool {
        self.marks.connection.load(Ordering::Acquire)
            || self.marks.streams.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }

    /// Takes a future in; it is polled for the first time by the next [`Streams::poll_marked`]. There must be room.
    pub(super) fn push(&mut self, future: F) {
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = self.slots.len();
            let waker = Waker::from(Arc::new(WakeStream { marks: Arc::clone(&self.marks), slot }));
            self.slots.push(Slot { future: Box::pin(None), waker });
            slot
        });
        self.slots[slot].future.set(Some(future));
        self.slots[slot].waker.wake_by_ref();
    }

    /// Polls the streams that were woken; what they came to goes to `ended`. Whether there was one.
    pub(super) fn poll_marked(&mut self, mut ended: impl FnMut(F::Output)) -> bool {
        let mut any = false;
        for word in 0..self.marks.streams.len() {
            let mut marked = self.marks.streams[word].swap(0, Ordering::Acquire);
            any |= marked != 0;
            while marked != 0 {
                let slot = word * 64 + marked.trailing_zeros() as usize;
                marked &= marked - 1;
                if let Some(output) = self.poll_slot(slot) {
                    ended(output);
                }
            }
        }
        any
    }

    fn poll_slot(&mut self, slot: usize) -> Option<F::Output> {
        let Slot { future, waker } = self.slots.get_mut(slot)?;
        // A waker may outlive the stream that it was made for: then there is nothing, or another one, to poll.
        let running = future.as_mut().as_pin_mut()?;
        let Poll::Ready(output) = running.poll(&mut Context::from_waker(waker)) else { return None };
        future.set(None);
        self.free.push(slot);
        Some(output)
    }

    /// Gives back the memory of slots when no stream is left: an idle connection keeps none.
    pub(super) fn release_if_empty(&mut self) {
        if self.is_empty() {
            self.slots = Vec::new();
            self.free = Vec::new();
        }
    }

    /// Begins a turn of the task: until [`Streams::end_turn`], wakes only set marks.
    pub(super) fn begin_turn(&self, cx: &Context<'_>) {
        if let Ok(mut task) = self.marks.task.lock()
            && !task.as_ref().is_some_and(|task| task.will_wake(cx.waker()))
        {
            *task = Some(cx.waker().clone());
        }
        self.marks.is_in_turn.store(true, Ordering::Release);
    }

    /// Ends the turn. What is marked and was not seen to gets another one.
    pub(super) fn end_turn(&self) {
        self.marks.is_in_turn.store(false, Ordering::Release);
        if self.is_marked() {
            self.marks.wake_task();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::rc::Rc;

    use super::*;

    /// Counts its polls, and ends at the third; wakes itself when told to.
    fn third_poll(polls: &Rc<Cell<u32>>, wakes_itself: bool) -> impl Future<Output = u32> + use<> {
        let polls = Rc::clone(polls);
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            if wakes_itself {
                cx.waker().wake_by_ref();
            }
            if polls.get() == 3 { Poll::Ready(3) } else { Poll::Pending }
        })
    }

    #[test]
    fn only_what_was_woken_is_polled() {
        let (busy, idle) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let mut streams = Streams::new(100);
        streams.push(third_poll(&busy, true));
        let mut ended = 0;
        while streams.poll_marked(|output| ended += output) {}
        assert_eq!((busy.get(), ended, streams.is_empty()), (3, 3, true));
        streams.push(third_poll(&idle, false));
        while streams.poll_marked(|_| {}) {}
        assert_eq!((idle.get(), streams.is_empty()), (1, false));
    }

    #[test]
    fn wakes_within_a_turn_do_not_wake_the_task() {
        struct Counts(AtomicU64);
        impl Wake for Counts {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let task = Arc::new(Counts(AtomicU64::new(0)));
        let waker = Waker::from(Arc::clone(&task));
        let mut streams = Streams::new(1);
        let polls = Rc::new(Cell::new(0));
        streams.begin_turn(&Context::from_waker(&waker));
        assert!(streams.take_connection_mark());
        streams.push(third_poll(&polls, true));
        assert!(streams.is_full());
        streams.poll_marked(|_| {});
        assert_eq!(task.0.load(Ordering::Relaxed), 0);
        streams.end_turn();
        assert_eq!(task.0.load(Ordering::Relaxed), 1, "the stream's own wake was left over");
        streams.mark_connection();
        assert_eq!(task.0.load(Ordering::Relaxed), 2);
    }
}
