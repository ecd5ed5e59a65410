//! The virtual users of one thread and one scenario with arrivals: which are idle, when another is made, when a start
//! is dropped.
//!
//! Users promised beforehand are made when they are first needed, or ahead of demand ([`crate::reserve`]).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

use crate::plan::Users;
use crate::seat::Seat;

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

/// What becomes of a start.
#[derive(Debug)]
pub(crate) enum Taken {
    /// This user, who was idle, does it.
    Idle(Rc<Seat>),
    /// A user to be made does it.
    New {
        /// Its place.
        seat: Rc<Seat>,
        /// Whether it is one beyond those that were promised.
        is_extra: bool,
    },
    /// It is dropped; a user may have to be made for later ones, and there may be something to warn of.
    Dropped { new: Option<Rc<Seat>>, warning: Option<String> },
}

/// The users of one thread.
#[derive(Debug)]
pub(crate) struct Pool {
    /// The most recently used last.
    idle: RefCell<VecDeque<Rc<Seat>>>,
    /// Users promised to this thread that were not needed so far.
    unmade: Cell<u32>,
    /// Idle users there should be at least.
    wanted: Cell<usize>,
    /// Told when there are fewer.
    low: Notify,
    /// No starts come any more.
    closed: Cell<bool>,
}

impl Pool {
    /// A pool with the right to make `promised` users of its own.
    pub(crate) fn new(promised: u32) -> Self {
        Self {
            idle: RefCell::default(),
            unmade: Cell::new(promised),
            wanted: Cell::new(0),
            low: Notify::new(),
            closed: Cell::new(false),
        }
    }

    /// Finds somebody for a start.
    pub(crate) fn take(&self, budget: &Budget) -> Taken {
        if let Some(seat) = self.idle.borrow_mut().pop_back() {
            return Taken::Idle(seat);
        }
        if self.unmade.get() > 0 {
            self.unmade.set(self.unmade.get() - 1);
            return Taken::New { seat: Rc::default(), is_extra: false };
        }
        if !budget.take() {
            return Taken::Dropped { new: None, warning: budget.exhausted() };
        }
        if !budget.drops_to_grow {
            return Taken::New { seat: Rc::default(), is_extra: true };
        }
        let seat = Rc::new(Seat::default());
        self.idle.borrow_mut().push_back(Rc::clone(&seat));
        Taken::Dropped { new: Some(seat), warning: None }
    }

    /// Takes a user back who has done an iteration.
    pub(crate) fn put(&self, seat: Rc<Seat>) {
        self.idle.borrow_mut().push_back(seat);
    }

    /// Takes a user who has just been made, and whom nobody needs before all others are at work.
    pub(crate) fn put_last(&self, seat: Rc<Seat>) {
        self.idle.borrow_mut().push_front(seat);
    }

    /// Says how many idle users there should be.
    pub(crate) fn want(&self, idle: usize) {
        self.wanted.set(idle);
        if self.is_low() {
            self.low.notify_one();
        }
    }

    /// No more users are needed.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.low.notify_one();
    }

    /// Waits until a user is to be made ahead of demand: its place, and whether it is one beyond those promised; `None`
    /// once no more are needed.
    pub(crate) async fn ahead(&self, budget: &Budget) -> Option<(Rc<Seat>, bool)> {
        loop {
            if self.closed.get() {
                return None;
            }
            if self.is_low() {
                if self.unmade.get() > 0 {
                    self.unmade.set(self.unmade.get() - 1);
                    return Some((Rc::default(), false));
                }
                // Beyond those promised, each is made for a start that was dropped.
                if !budget.drops_to_grow && budget.take() {
                    return Some((Rc::default(), true));
                }
            }
            self.low.notified().await;
        }
    }

    fn is_low(&self) -> bool {
        self.idle.borrow().len() < self.wanted.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(taken: &Taken) -> &'static str {
        match taken {
            Taken::Idle(_) => "idle",
            Taken::New { is_extra: false, .. } => "new",
            Taken::New { is_extra: true, .. } => "one more",
            Taken::Dropped { new: Some(_), .. } => "dropped, one made",
            Taken::Dropped { warning: Some(_), .. } => "dropped, warned",
            Taken::Dropped { .. } => "dropped",
        }
    }

    #[test]
    fn promised_users_come_first_then_one_for_each_drop_then_a_warning() {
        let budget = Budget::new(Users::Promised { pre_allocated: 1, max: 2 });
        let pool = Pool::new(1);
        let seen: Vec<&str> = (0..5).map(|_| name(&pool.take(&budget))).collect();
        assert_eq!(seen, ["new", "dropped, one made", "idle", "dropped, warned", "dropped"]);
    }

    #[test]
    fn on_demand_nothing_is_dropped_below_the_limit() {
        let budget = Budget::new(Users::OnDemand);
        let pool = Pool::new(0);
        assert_eq!(name(&pool.take(&budget)), "one more");
        assert_eq!(name(&pool.take(&budget)), "one more");
    }

    #[test]
    fn the_most_recently_used_user_is_next() {
        let budget = Budget::new(Users::OnDemand);
        let pool = Pool::new(2);
        let seats: Vec<Rc<Seat>> = (0..2)
            .filter_map(|_| match pool.take(&budget) {
                Taken::New { seat, .. } => Some(seat),
                _ => None,
            })
            .collect();
        for seat in &seats {
            pool.put(Rc::clone(seat));
        }
        assert!(matches!(pool.take(&budget), Taken::Idle(seat) if Rc::ptr_eq(&seat, &seats[1])));
    }
}
