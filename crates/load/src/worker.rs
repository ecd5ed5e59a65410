//! One thread of the injector: hands out its share of the starts, hands over what was measured once a second, and ends
//! gracefully or at once.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use net::clock::now_ns;
use net::event_loop;
use net::timer::Timer;
use tokio::sync::watch;

use crate::live::Live;
use crate::plan::Plan;
use crate::pool::{Budget, Pool, Taken};
use crate::samples::Samples;
use crate::schedule::Share;
use crate::user::{Desk, work};

/// Starts due within this time go out in one wake-up, which saves most of the wake-ups and delays a start by at most
/// half a millisecond, the wake-up itself included.
const BATCH_NS: u64 = 400_000;
/// Starts handed out before users get their turn, when many are due: enough to be quick, few enough to stay responsive.
const MOST_AT_ONCE: usize = 256;
const SECOND_NS: u64 = 1_000_000_000;
/// The index of what is handed over at the end, which is no whole second.
pub(crate) const LAST: u64 = u64::MAX;

/// What a thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Get ready.
    Ready,
    /// The schedule begins at this time.
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
    /// This thread of so many.
    pub(crate) thread: u32,
    pub(crate) threads: u32,
    pub(crate) promised: u32,
    pub(crate) budget: Arc<Budget>,
    pub(crate) live: Arc<Live>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) messages: Sender<(u32, Message)>,
    pub(crate) spare: Receiver<Box<Samples>>,
}

impl Worker {
    /// Works to the end of the test.
    pub(crate) fn run(self) {
        let (messages, thread) = (self.messages.clone(), self.thread);
        let result = event_loop::block_on(self.drive()).and_then(|result| result);
        // The event loop is gone, and with it all users and connections: their last bytes are counted.
        let _ = messages.send((thread, Message::Ended(result)));
    }

    async fn drive(mut self) -> io::Result<()> {
        self.tell(Message::Ready);
        let Some(start_ns) = wait_for_start(&mut self.phase).await else { return Ok(()) };
        let desk = Rc::new(Desk {
            source: self.plan.source.clone(),
            pool: Pool::new(self.promised),
            live: Arc::clone(&self.live),
            samples: std::cell::RefCell::default(),
        });
        let mut phase = self.phase.clone();
        let result = tokio::select! {
            result = self.work(start_ns, &desk) => result,
            () = stopped(&mut phase) => Ok(()),
        };
        self.live.interrupted.add(desk.pool.active());
        self.live.active.set(0);
        self.hand_over(LAST, &desk);
        result
    }

    /// The schedule, then the graceful stop; all the while handing over.
    async fn work(&self, start_ns: u64, desk: &Rc<Desk>) -> io::Result<()> {
        let graceful = Duration::from_millis(self.plan.graceful_stop_ms);
        let test = async {
            self.pace(start_ns, desk).await?;
            let _ = event_loop::timeout(graceful, desk.pool.all_idle()).await;
            io::Result::Ok(())
        };
        tokio::select! {
            result = test => result,
            () = self.hand_over_each_second(start_ns, desk) => Ok(()),
        }
    }

    /// Hands out the starts as they become due, to the end of the schedule.
    async fn pace(&self, start_ns: u64, desk: &Rc<Desk>) -> io::Result<()> {
        let mut timer = Timer::new()?;
        let mut share = Share::new(&self.plan.schedule, u64::from(self.thread), u64::from(self.threads)).peekable();
        while let Some(due_ns) = share.peek() {
            timer.until(start_ns + due_ns + BATCH_NS).await?;
            let now = now_ns().saturating_sub(start_ns);
            for _ in 0..MOST_AT_ONCE {
                let Some(due_ns) = share.next_if(|due_ns| *due_ns <= now) else { break };
                self.start(start_ns + due_ns, desk);
            }
            event_loop::yield_now().await;
        }
        timer.until(start_ns + self.plan.schedule.duration_ns()).await
    }

    fn start(&self, due_ns: u64, desk: &Rc<Desk>) {
        match desk.pool.take(&self.budget, &self.live) {
            Taken::Idle(seat) => seat.start(due_ns),
            Taken::New(seat) => {
                seat.start(due_ns);
                event_loop::spawn(work(seat, Rc::clone(desk)));
            }
            Taken::Dropped { new, warning } => {
                self.live.dropped.add(1);
                if let Some(seat) = new {
                    event_loop::spawn(work(seat, Rc::clone(desk)));
                }
                if let Some(warning) = warning {
                    self.tell(Message::Warning(warning));
                }
            }
        }
    }

    /// Hands over what was measured at the end of each second.
    async fn hand_over_each_second(&self, start_ns: u64, desk: &Rc<Desk>) {
        for second in 0.. {
            let end_ns = start_ns + (second + 1) * SECOND_NS;
            event_loop::sleep(Duration::from_nanos(end_ns.saturating_sub(now_ns()))).await;
            self.hand_over(second, desk);
        }
    }
}

impl Worker {
    fn hand_over(&self, second: u64, desk: &Rc<Desk>) {
        let empty = self.spare.try_recv().unwrap_or_default();
        let mut samples = Box::new(desk.samples.replace(*empty));
        samples.settle();
        self.tell(Message::Samples { second, samples });
    }

    /// Nobody listens any more once the test was given up: then there is nothing to tell.
    fn tell(&self, message: Message) {
        let _ = self.messages.send((self.thread, message));
    }
}

async fn wait_for_start(phase: &mut watch::Receiver<Phase>) -> Option<u64> {
    let told = phase.wait_for(|phase| *phase != Phase::Ready).await.ok()?;
    match *told {
        Phase::Running { start_ns } => Some(start_ns),
        Phase::Ready | Phase::Stopped => None,
    }
}

/// Ends when the test is stopped, or when whoever could stop it is gone.
async fn stopped(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Stopped).await;
}
