//! The event loop of one thread: epoll, the tasks that wait on it, timers, a clock that ticks once a turn.
//!
//! tokio does all this too, for threads that share their tasks: its readiness and task states are atomics and locks,
//! 1,500 instructions a request of the balancer. Here everything belongs to one thread; only a [`std::task::Waker`] may
//! be used from elsewhere. What it leaves out: files, processes, signals, sharing of work. Futures that need no runtime
//! of their own (tokio's channels, h2) run here as they are.

mod ready;
mod slots;
mod source;
mod task;
mod timers;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

pub use task::{Task, spawn};
pub use timers::{Elapsed, sleep, timeout, yield_now};

pub(crate) use source::{Interest, Source};

use crate::{clock, deadline};
use ready::{MAIN, TaskWaker, WAKE_UP};
use slots::Slots;

/// Events taken from the kernel at once: more than one thread has ready in one turn under full load.
const BATCH: usize = 512;

thread_local! {
    static CURRENT: RefCell<Option<Rc<EventLoop>>> = const { RefCell::new(None) };
}

/// What the tasks of a thread share.
struct EventLoop {
    epoll: OwnedFd,
    ready: Rc<ready::Local>,
    sources: RefCell<Slots<Rc<Source>>>,
    /// Those with something to send when the tasks of this turn have run.
    to_send: RefCell<Vec<Rc<Source>>>,
    tasks: RefCell<Slots<task::Slot>>,
    timers: RefCell<timers::Timers>,
}

/// Runs `main` and all it spawns ([`spawn`]) on this thread until `main` ends; what is left of the tasks is dropped.
///
/// # Panics
/// When called from within itself.
pub fn block_on<F: Future>(main: F) -> io::Result<F::Output> {
    let event_loop = Rc::new(EventLoop::new()?);
    CURRENT.with_borrow_mut(|current| {
        assert!(current.is_none(), "an event loop runs on this thread already");
        *current = Some(Rc::clone(&event_loop));
    });
    let _leave = Leave(Rc::clone(&event_loop));
    clock::tick();
    event_loop.run(main)
}

/// This thread's event loop.
fn current<T>(with: impl FnOnce(&Rc<EventLoop>) -> T) -> T {
    CURRENT
        .with_borrow(|current| with(current.as_ref().expect("sockets and tasks belong to a thread that runs block_on")))
}

/// The same, where there may be none any more: a socket that is dropped after its loop.
fn try_current(with: impl FnOnce(&Rc<EventLoop>)) {
    let _ = CURRENT.try_with(|current| {
        if let Ok(current) = current.try_borrow()
            && let Some(event_loop) = current.as_ref()
        {
            with(event_loop);
        }
    });
}

/// Drops the tasks while their event loop is still there, then that.
struct Leave(Rc<EventLoop>);

impl Drop for Leave {
    fn drop(&mut self) {
        loop {
            let slots = std::mem::take(&mut *self.0.tasks.borrow_mut());
            if slots.is_empty() {
                break;
            }
            drop(slots);
        }
        let left = CURRENT.with_borrow_mut(Option::take);
        drop(left);
    }
}

impl EventLoop {
    fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (ready, wake_up) = ready::Local::new()?;
        epoll::add(&epoll, wake_up, epoll::EventData::new_u64(WAKE_UP), epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        Ok(Self {
            epoll,
            ready: Rc::new(ready),
            sources: RefCell::default(),
            to_send: RefCell::default(),
            tasks: RefCell::default(),
            timers: RefCell::default(),
        })
    }

    fn run<F: Future>(&self, main: F) -> io::Result<F::Output> {
        let mut main = pin!(main);
        let (waker, main_woken) = TaskWaker::new(MAIN, self.ready.shared());
        let mut events = Vec::with_capacity(BATCH);
        waker.wake_by_ref();
        let mut next_sweep_ms = clock::coarse_ms() + deadline::SWEEP_MS;
        loop {
            for token in self.ready.take() {
                if token != MAIN {
                    self.poll_task(token);
                    continue;
                }
                main_woken.clear();
                if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Ok(output);
                }
            }
            self.to_send.borrow_mut().drain(..).for_each(|source| source.send_now());
            self.turn(&mut events, next_sweep_ms)?;
            if clock::coarse_ms() >= next_sweep_ms {
                deadline::sweep(clock::coarse_ms());
                next_sweep_ms = clock::coarse_ms() + deadline::SWEEP_MS;
            }
        }
    }

    /// Waits for events, until the next timer or sweep at the longest, and wakes the tasks they are for.
    fn turn(&self, events: &mut Vec<epoll::Event>, next_sweep_ms: u64) -> io::Result<()> {
        let wait_ms = if self.ready.is_empty() {
            let until_ms = self.timers.borrow().next_ms().map_or(next_sweep_ms, |ms| ms.min(next_sweep_ms));
            until_ms.saturating_sub(clock::coarse_ms())
        } else {
            0
        };
        // A wait for so many milliseconds ends within the millisecond in which it is over: one more makes sure.
        let wait_ms = if wait_ms == 0 { 0 } else { wait_ms + 1 };
        let wait =
            Timespec { tv_sec: (wait_ms / 1000).cast_signed(), tv_nsec: (wait_ms % 1000 * 1_000_000).cast_signed() };
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        clock::tick();
        for event in events.iter() {
            self.dispatch(event);
        }
        self.timers.borrow_mut().wake_due(clock::coarse_ms());
        Ok(())
    }

    fn dispatch(&self, event: &epoll::Event) {
        let token = event.data.u64();
        if token == WAKE_UP {
            return self.ready.take_remote();
        }
        // The source may be gone: a task dropped it while this batch was on its way.
        if let Some(source) = self.sources.borrow().get(token) {
            source.happened(event.flags);
        }
    }
}

#[cfg(test)]
mod tests;
