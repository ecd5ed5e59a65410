//! One thread of the injector: drives its part of all scenarios, hands over what was measured once a second, and ends
//! gracefully or at once.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use net::clock::now_ns;
use net::event_loop;
use tokio::sync::{Notify, watch};

use crate::desk::{Desk, Shared};
use crate::drive::Scene;
use crate::live::Live;
use crate::metric::{Catalog, Recorder, Samples};
use crate::plan::Plan;
use crate::reserve;

const SECOND_NS: u64 = 1_000_000_000;
/// The index of what is handed over at the end, which is no whole second.
pub(crate) const LAST: u64 = u64::MAX;

/// What a thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Get ready.
    Ready,
    /// The test begins at this time.
    Running { start_ns: u64 },
    /// Stop at once.
    Stopped,
}

/// What a thread tells.
#[derive(Debug)]
pub(crate) enum Message {
    /// It can begin.
    Ready,
    /// What it measured in a second (counted from 0); the box comes back empty.
    Samples { second: u64, samples: Box<Samples> },
    /// Something the user should know.
    Warning(String),
    /// It has ended.
    Ended(io::Result<()>),
}

/// What a thread works with.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) plan: Arc<Plan>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) catalog: Arc<Catalog>,
    /// This thread of so many.
    pub(crate) thread: u32,
    pub(crate) threads: u32,
    pub(crate) live: Arc<Live>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) messages: Sender<(u32, Message)>,
    pub(crate) spare: Receiver<Box<Samples>>,
}

impl Worker {
    /// Works to the end of the test.
    pub(crate) fn run(self) {
        let recorder = Rc::new(Recorder::new(Arc::clone(&self.catalog), Arc::clone(&self.live)));
        let result = event_loop::block_on(self.drive(Rc::clone(&recorder))).and_then(|result| result);
        // The event loop is gone, and with it all users and connections: their last bytes are counted.
        let empty = self.spare.try_recv().unwrap_or_default();
        self.tell(Message::Samples { second: LAST, samples: recorder.finish(empty) });
        self.tell(Message::Ended(result));
    }

    async fn drive(&self, recorder: Rc<Recorder>) -> io::Result<()> {
        let mut phase = self.phase.clone();
        let (plan, shared, live) = (Arc::clone(&self.plan), Arc::clone(&self.shared), Arc::clone(&self.live));
        let desk = Rc::new(Desk::new(plan, shared, live, recorder));
        reserve::before_start(&desk, (self.thread, self.threads), phase.clone()).await;
        self.tell(Message::Ready);
        let Some(start_ns) = wait_for_start(&mut phase).await else { return Ok(()) };
        tokio::select! {
            result = self.drive_scenarios(start_ns, &desk) => result,
            () = self.hand_over_each_second(start_ns, &desk.recorder) => Ok(()),
        }
    }

    /// All scenarios side by side, to the end of the last one.
    async fn drive_scenarios(&self, start_ns: u64, desk: &Rc<Desk>) -> io::Result<()> {
        let all =
            Rc::new(Running { left: self.plan.scenarios.len().into(), result: Ok(()).into(), ended: Notify::new() });
        for index in 0..self.plan.scenarios.len() {
            let place = (self.thread, self.threads);
            let scene = Rc::new(Scene::new(desk, index, start_ns, place, self.messages.clone()));
            let (all, phase) = (Rc::clone(&all), self.phase.clone());
            event_loop::spawn(async move { all.end(scene.drive(phase).await) });
        }
        while all.left.get() > 0 {
            all.ended.notified().await;
        }
        all.result.replace(Ok(()))
    }

    /// Hands over what was measured at the end of each second.
    async fn hand_over_each_second(&self, start_ns: u64, recorder: &Recorder) {
        for second in 0.. {
            let end_ns = start_ns + (second + 1) * SECOND_NS;
            event_loop::sleep(Duration::from_nanos(end_ns.saturating_sub(now_ns()))).await;
            self.hand_over(second, recorder);
        }
    }

    fn hand_over(&self, second: u64, recorder: &Recorder) {
        let empty = self.spare.try_recv().unwrap_or_default();
        self.tell(Message::Samples { second, samples: recorder.hand_over(empty) });
    }

    /// Nobody listens any more once the test was given up: then there is nothing to tell.
    fn tell(&self, message: Message) {
        let _ = self.messages.send((self.thread, message));
    }
}

/// Scenarios that have not ended.
#[derive(Debug)]
struct Running {
    left: std::cell::Cell<usize>,
    result: std::cell::RefCell<io::Result<()>>,
    ended: Notify,
}

impl Running {
    fn end(&self, result: io::Result<()>) {
        if result.is_err() {
            drop(self.result.replace(result));
        }
        self.left.set(self.left.get() - 1);
        self.ended.notify_one();
    }
}

async fn wait_for_start(phase: &mut watch::Receiver<Phase>) -> Option<u64> {
    let told = phase.wait_for(|phase| *phase != Phase::Ready).await.ok()?;
    match *told {
        Phase::Running { start_ns } => Some(start_ns),
        Phase::Ready | Phase::Stopped => None,
    }
}
