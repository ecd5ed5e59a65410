//! The virtual users of one thread: which are idle, when another is made, when a start is dropped.
//!
//! Making a user takes next to nothing, so those promised beforehand are made when they are first needed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::live::Live;
use crate::plan::Users;

/// Users that all threads together may still make.
#[derive(Debug)]
pub(crate) struct Budget {
    extra: AtomicU32,
    warned: AtomicBool,
    max: u32,
    drops_to_grow: bool,
}

impl Budget {
    /// What is left beyond the users promised to the threads.
    pub(crate) fn new(users: Users) -> Self {
        let (extra, drops_to_grow) = match users {
            Users::Promised { pre_allocated, max } => (max - pre_allocated, true),
            Users::OnDemand => (users.max(), false),
        };
        Self { extra: AtomicU32::new(extra), warned: AtomicBool::new(false), max: users.max(), drops_to_grow }
    }

    /// An atomic read-modify-write, but only when a user is made.
    fn take(&self) -> bool {
        self.extra.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |extra| extra.checked_sub(1)).is_ok()
    }

    /// The warning to give, the first time.
    fn exhausted(&self) -> Option<String> {
        let first = !self.warned.swap(true, Ordering::Relaxed);
        first.then(|| format!("Insufficient VUs, reached {} active VUs and cannot initialize more", self.max))
    }
}

/// Where a user waits for its next start.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    due_ns: Cell<Option<u64>>,
    waker: RefCell<Option<Waker>>,
}

impl Seat {
    /// Waits for a start; gives the time at which it was due.
    pub(crate) fn poll_start(&self, cx: &mut Context<'_>) -> Poll<u64> {
        if let Some(due_ns) = self.due_ns.take() {
            return Poll::Ready(due_ns);
        }
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn start(&self, due_ns: u64) {
        self.due_ns.set(Some(due_ns));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// What becomes of a start.
#[derive(Debug)]
pub(crate) enum Taken {
    /// This user, who was idle, does it.
    Idle(Rc<Seat>),
    /// A user to be made does it.
    New(Rc<Seat>),
    /// It is dropped; a user may have to be made for later ones, and there may be something to warn of.
    Dropped { new: Option<Rc<Seat>>, warning: Option<String> },
}

/// The users of one thread.
#[derive(Debug)]
pub(crate) struct Pool {
    /// The most recently used last.
    idle: RefCell<Vec<Rc<Seat>>>,
    /// Users promised to this thread that were not needed so far.
    unmade: Cell<u32>,
    active: Cell<u64>,
    all_idle: Notify,
}

impl Pool {
    /// A pool with the right to make `promised` users of its own.
    pub(crate) fn new(promised: u32) -> Self {
        Self { idle: RefCell::default(), unmade: Cell::new(promised), active: Cell::new(0), all_idle: Notify::new() }
    }

    /// Finds somebody for a start.
    pub(crate) fn take(&self, budget: &Budget, live: &Live) -> Taken {
        if let Some(seat) = self.idle.borrow_mut().pop() {
            self.set_active(self.active.get() + 1, live);
            return Taken::Idle(seat);
        }
        if self.unmade.get() > 0 {
            self.unmade.set(self.unmade.get() - 1);
            return self.make(live);
        }
        if !budget.take() {
            return Taken::Dropped { new: None, warning: budget.exhausted() };
        }
        live.users.add(1);
        if !budget.drops_to_grow {
            return self.make(live);
        }
        let seat = Rc::new(Seat::default());
        self.idle.borrow_mut().push(Rc::clone(&seat));
        Taken::Dropped { new: Some(seat), warning: None }
    }

    /// Takes a user back who has done an iteration.
    pub(crate) fn put(&self, seat: Rc<Seat>, live: &Live) {
        self.idle.borrow_mut().push(seat);
        self.set_active(self.active.get() - 1, live);
        if self.active.get() == 0 {
            self.all_idle.notify_one();
        }
    }

    /// Waits until nobody is at work.
    pub(crate) async fn all_idle(&self) {
        while self.active.get() > 0 {
            self.all_idle.notified().await;
        }
    }

    /// Users at work.
    pub(crate) fn active(&self) -> u64 {
        self.active.get()
    }

    fn make(&self, live: &Live) -> Taken {
        self.set_active(self.active.get() + 1, live);
        Taken::New(Rc::new(Seat::default()))
    }

    fn set_active(&self, active: u64, live: &Live) {
        self.active.set(active);
        live.active.set(active);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(taken: &Taken) -> &'static str {
        match taken {
            Taken::Idle(_) => "idle",
            Taken::New(_) => "new",
            Taken::Dropped { new: Some(_), .. } => "dropped, one made",
            Taken::Dropped { warning: Some(_), .. } => "dropped, warned",
            Taken::Dropped { .. } => "dropped",
        }
    }

    #[test]
    fn promised_users_come_first_then_one_for_each_drop_then_a_warning() {
        let live = Live::default();
        let budget = Budget::new(Users::Promised { pre_allocated: 1, max: 2 });
        let pool = Pool::new(1);
        let seen: Vec<&str> = (0..5).map(|_| name(&pool.take(&budget, &live))).collect();
        assert_eq!(seen, ["new", "dropped, one made", "idle", "dropped, warned", "dropped"]);
        // The promised one is counted where the promise is made.
        assert_eq!((live.users.get(), live.active.get()), (1, 2));
    }

    #[test]
    fn on_demand_nothing_is_dropped_below_the_limit() {
        let live = Live::default();
        let budget = Budget::new(Users::OnDemand);
        let pool = Pool::new(0);
        assert_eq!(name(&pool.take(&budget, &live)), "new");
        assert_eq!(name(&pool.take(&budget, &live)), "new");
        assert_eq!(live.users.get(), 2);
    }

    #[test]
    fn the_most_recently_used_user_is_next() {
        let live = Live::default();
        let budget = Budget::new(Users::OnDemand);
        let pool = Pool::new(2);
        let seats: Vec<Rc<Seat>> = (0..2)
            .filter_map(|_| match pool.take(&budget, &live) {
                Taken::New(seat) => Some(seat),
                _ => None,
            })
            .collect();
        for seat in &seats {
            pool.put(Rc::clone(seat), &live);
        }
        assert!(matches!(pool.take(&budget, &live), Taken::Idle(seat) if Rc::ptr_eq(&seat, &seats[1])));
        assert_eq!(pool.active(), 1);
    }
}
