//! Drives one scenario on one thread: when it begins, its executor, its end with the graceful stop, what is cut off.

mod arrivals;
mod looping;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use net::clock::now_ns;
use net::event_loop;
use net::timer::Timer;
use tokio::sync::{Notify, watch};

use crate::desk::{Desk, SharedScenario};
use crate::live::ScenarioLive;
use crate::metric::TagsId;
use crate::plan::{Executor, Scenario};
use crate::seat::{Order, Seat};
use crate::user::{Duty, User};
use crate::worker::{Message, Phase};

/// A scenario as one thread sees it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) desk: Rc<Desk>,
    /// The scenario's place in the plan.
    pub(crate) index: usize,
    /// When it begins.
    pub(crate) start_ns: u64,
    /// This thread of so many.
    pub(crate) thread: u32,
    pub(crate) threads: u32,
    pub(crate) messages: Sender<(u32, Message)>,
    tags: TagsId,
    /// All seats, occupied or not.
    seats: RefCell<Vec<Rc<Seat>>>,
    /// Users at work.
    active: Cell<u64>,
    all_idle: Notify,
    /// Users that have not left the scenario.
    staff: Cell<u64>,
    all_gone: Notify,
    stopped: Cell<bool>,
}

impl Scene {
    pub(crate) fn new(
        desk: &Rc<Desk>,
        index: usize,
        begin_ns: u64,
        (thread, threads): (u32, u32),
        messages: Sender<(u32, Message)>,
    ) -> Self {
        let scenario = &desk.plan.scenarios[index];
        let pairs: Vec<(&str, &str)> = desk.role(index).tags.iter().map(|(name, value)| (&**name, &**value)).collect();
        Self {
            desk: Rc::clone(desk),
            index,
            start_ns: begin_ns + scenario.start_ns,
            // Users of scenarios with few of them do not all fall to the first thread.
            thread: (thread + u32::try_from(index).unwrap_or(0)) % threads,
            threads,
            messages,
            tags: desk.recorder.tags(TagsId::NONE, &pairs),
            seats: RefCell::default(),
            active: Cell::new(0),
            all_idle: Notify::new(),
            staff: Cell::new(0),
            all_gone: Notify::new(),
            stopped: Cell::new(false),
        }
    }

    /// The scenario from its beginning to its end, or until the test is stopped.
    pub(crate) async fn drive(self: &Rc<Self>, mut phase: watch::Receiver<Phase>) -> io::Result<()> {
        let result = tokio::select! {
            result = self.play() => result,
            () = stopped(&mut phase) => {
                self.live().cut_off.set(1);
                Ok(())
            }
        };
        self.stopped.set(true);
        for seat in &*self.seats.borrow() {
            self.cut_off(seat);
        }
        self.idle().await;
        for seat in &*self.seats.borrow() {
            seat.close();
        }
        while self.staff.get() > 0 {
            self.all_gone.notified().await;
        }
        looping::count_dropped(self);
        self.live().ended_ns.set(now_ns().saturating_sub(self.start_ns - self.scenario().start_ns).max(1));
        result
    }

    async fn play(self: &Rc<Self>) -> io::Result<()> {
        Timer::new()?.until(self.start_ns).await?;
        match &self.scenario().executor {
            Executor::Arrivals { schedule, users } => {
                arrivals::run(self, schedule, *users).await?;
                let graceful = Duration::from_nanos(self.scenario().graceful_stop_ns);
                let _ = event_loop::timeout(graceful, self.idle()).await;
                Ok(())
            }
            Executor::Looping(executor) => {
                looping::run(self, executor).await;
                Ok(())
            }
        }
    }

    pub(crate) fn scenario(&self) -> &Scenario {
        &self.desk.plan.scenarios[self.index]
    }

    pub(crate) fn shared(&self) -> &SharedScenario {
        &self.desk.shared.scenarios[self.index]
    }

    pub(crate) fn live(&self) -> &ScenarioLive {
        &self.desk.live.scenarios[self.index]
    }

    /// Time since the scenario's beginning.
    pub(crate) fn now_ns(&self) -> u64 {
        now_ns().saturating_sub(self.start_ns)
    }

    /// Nobody listens any more once the test was given up: then there is nothing to tell.
    fn tell(&self, message: Message) {
        let _ = self.messages.send((self.thread, message));
    }

    /// A user joins the scenario at a seat.
    fn join(&self, seat: &Rc<Seat>) {
        self.seats.borrow_mut().push(Rc::clone(seat));
        self.staff.set(self.staff.get() + 1);
    }

    /// A user leaves the scenario.
    fn leave(&self, user: User) {
        self.desk.release(user);
        self.staff.set(self.staff.get() - 1);
        if self.staff.get() == 0 {
            self.all_gone.notify_one();
        }
    }

    /// One iteration; the user counts as active from [`Scene::begin`] on.
    async fn iterate(&self, user: &mut User, order: Order, seat: &Seat) {
        let began_ns = now_ns();
        seat.work(began_ns.saturating_sub(self.start_ns));
        if self.stopped.get() {
            seat.cut_off();
        }
        let is_whole = user
            .iterate(&self.desk, Duty { scenario: self.index, tags: self.tags, start_ns: self.start_ns, order, seat })
            .await;
        if is_whole {
            self.live().iterations.add(1);
            let least_ns = self.desk.plan.min_iteration_ns;
            let rest_ns = (began_ns + least_ns).saturating_sub(if least_ns == 0 { began_ns } else { now_ns() });
            if rest_ns > 0 {
                tokio::select! {
                    () = event_loop::sleep(Duration::from_nanos(rest_ns)) => {}
                    () = seat.until_cut_off() => {}
                }
            }
        } else {
            self.desk.live.interrupted.add(1);
        }
        seat.rest();
    }

    fn begin(&self) {
        self.set_active(self.active.get() + 1);
    }

    fn end(&self) {
        self.set_active(self.active.get() - 1);
        if self.active.get() == 0 {
            self.all_idle.notify_one();
        }
    }

    fn set_active(&self, active: u64) {
        let live = &self.desk.live;
        live.active.set(live.active.get() + active - self.active.get());
        self.active.set(active);
        self.live().active.set(active);
    }

    /// Waits until nobody is at work.
    async fn idle(&self) {
        while self.active.get() > 0 {
            self.all_idle.notified().await;
        }
    }

    /// Cuts off what a user has under way.
    fn cut_off(&self, seat: &Seat) {
        if seat.began_ns().is_some() {
            self.live().cut_off.set(1);
        }
        seat.cut_off();
    }
}

/// Ends when the test is stopped, or when whoever could stop it is gone.
pub(crate) async fn stopped(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Stopped).await;
}
