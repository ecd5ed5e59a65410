//! Where a user waits for its next iteration, and how one that is under way is cut off.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// One iteration to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// Its number in the scenario, from 0.
    pub(crate) number: u64,
    /// When it was due, where a schedule says so.
    pub(crate) due_ns: Option<u64>,
}

/// One user's place.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    order: Cell<Option<Order>>,
    /// No more orders come.
    closed: Cell<bool>,
    /// When the iteration under way began, from the scenario's beginning.
    began_ns: Cell<Option<u64>>,
    waiting: RefCell<Option<Waker>>,
    cut_off: Cell<bool>,
    working: RefCell<Option<Waker>>,
}

impl Seat {
    /// Waits for an order; `None` when no more come.
    pub(crate) async fn next(&self) -> Option<Order> {
        poll_fn(|cx| {
            if let Some(order) = self.order.take() {
                return Poll::Ready(Some(order));
            }
            if self.closed.get() {
                return Poll::Ready(None);
            }
            wait(&self.waiting, cx)
        })
        .await
    }

    /// Gives it an order.
    pub(crate) fn start(&self, order: Order) {
        self.order.set(Some(order));
        wake(&self.waiting);
    }

    /// Tells it that no more orders come.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        wake(&self.waiting);
    }

    /// An iteration is under way from here on, until [`Seat::rest`].
    pub(crate) fn work(&self, began_ns: u64) {
        self.began_ns.set(Some(began_ns));
        self.cut_off.set(false);
    }

    pub(crate) fn rest(&self) {
        self.began_ns.set(None);
    }

    /// When the iteration under way began, if one is.
    pub(crate) fn began_ns(&self) -> Option<u64> {
        self.began_ns.get()
    }

    /// Cuts the iteration under way off.
    pub(crate) fn cut_off(&self) {
        self.cut_off.set(true);
        wake(&self.working);
    }

    /// Waits until it is to be cut off.
    pub(crate) async fn until_cut_off(&self) {
        poll_fn(|cx| if self.cut_off.get() { Poll::Ready(()) } else { wait(&self.working, cx) }).await;
    }
}

fn wait<T>(place: &RefCell<Option<Waker>>, cx: &mut Context<'_>) -> Poll<T> {
    let mut waker = place.borrow_mut();
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
    Poll::Pending
}

fn wake(place: &RefCell<Option<Waker>>) {
    if let Some(waker) = &*place.borrow() {
        waker.wake_by_ref();
    }
}
