//! Which tasks are to run: woken by their own thread without an atomic read-modify-write, by others through a lock and
//! an eventfd.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{BorrowedFd, OwnedFd};

/// Tokens that no slot gets: of the loop's main future, and of the eventfd that ends its wait.
pub(super) const MAIN: u64 = u64::MAX;
pub(super) const WAKE_UP: u64 = u64::MAX - 1;

thread_local! {
    /// The tokens woken by this thread itself, in order.
    static WOKEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// Address of this thread's [`Ready`]; 0 where no event loop runs.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// The part that wakers hold.
#[derive(Debug)]
pub(super) struct Ready {
    remote: Mutex<Vec<u64>>,
    wake_up: OwnedFd,
}

/// The part that the event loop holds.
pub(super) struct Local {
    shared: Arc<Ready>,
    /// The list that was run last, kept for its memory.
    spare: RefCell<Vec<u64>>,
}

impl Local {
    /// The lists of a new loop on this thread.
    pub(super) fn new() -> io::Result<(Self, WakeUp)> {
        let wake_up = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let shared = Arc::new(Ready { remote: Mutex::default(), wake_up });
        HERE.set(Arc::as_ptr(&shared).addr());
        WOKEN.with_borrow_mut(Vec::clear);
        let fd = WakeUp(Arc::clone(&shared));
        Ok((Self { shared, spare: RefCell::default() }, fd))
    }

    pub(super) fn shared(&self) -> &Arc<Ready> {
        &self.shared
    }

    pub(super) fn is_empty(&self) -> bool {
        WOKEN.with_borrow(Vec::is_empty)
    }

    /// The tokens to run now; what they wake runs after the next look at epoll.
    pub(super) fn take(&self) -> impl Iterator<Item = u64> + '_ {
        let mut batch = self.spare.take();
        WOKEN.with_borrow_mut(|woken| std::mem::swap(woken, &mut batch));
        Batch { local: self, batch, next: 0 }
    }

    /// Takes over what other threads woke.
    pub(super) fn take_remote(&self) {
        let mut count = [0; 8];
        // Nothing to read is as good as something: the list is what counts.
        let _ = rustix::io::read(&self.shared.wake_up, &mut count);
        let tokens = std::mem::take(&mut *self.shared.remote.lock().unwrap_or_else(PoisonError::into_inner));
        WOKEN.with_borrow_mut(|woken| woken.extend(tokens));
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        HERE.set(0);
    }
}

/// The eventfd, for registration.
pub(super) struct WakeUp(Arc<Ready>);

impl AsFd for WakeUp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.wake_up.as_fd()
    }
}

struct Batch<'a> {
    local: &'a Local,
    batch: Vec<u64>,
    next: usize,
}

impl Iterator for Batch<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let token = *self.batch.get(self.next)?;
        self.next += 1;
        Some(token)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        self.local.spare.replace(batch);
    }
}

/// What a waker of one task is.
#[derive(Debug)]
pub(super) struct TaskWaker {
    token: u64,
    ready: Arc<Ready>,
    /// Whether it is on its own thread's list. Only that thread uses it, so loads and stores are enough.
    is_woken: AtomicBool,
}

impl TaskWaker {
    /// A task's waker, and the handle by which the loop clears its mark.
    pub(super) fn new(token: u64, ready: &Arc<Ready>) -> (Waker, Arc<Self>) {
        let this = Arc::new(Self { token, ready: Arc::clone(ready), is_woken: AtomicBool::new(false) });
        (Waker::from(Arc::clone(&this)), this)
    }

    /// The task is about to run: from now on it can be woken again.
    pub(super) fn clear(&self) {
        self.is_woken.store(false, Ordering::Relaxed);
    }

    fn wake_here(&self) {
        if !self.is_woken.load(Ordering::Relaxed) {
            self.is_woken.store(true, Ordering::Relaxed);
            WOKEN.with_borrow_mut(|woken| woken.push(self.token));
        }
    }

    #[cold]
    fn wake_there(&self) {
        let mut remote = self.ready.remote.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = remote.is_empty();
        if remote.last() != Some(&self.token) {
            remote.push(self.token);
        }
        drop(remote);
        if is_first {
            // It cannot fail but for a counter at its end, which wakes all the same.
            let _ = rustix::io::write(&self.ready.wake_up, &1_u64.to_ne_bytes());
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The address cannot be another loop's: this waker keeps its own loop's lists alive.
        if HERE.try_with(Cell::get) == Ok(Arc::as_ptr(&self.ready).addr()) {
            self.wake_here();
        } else {
            self.wake_there();
        }
    }
}
