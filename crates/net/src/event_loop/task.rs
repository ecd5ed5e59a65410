//! Tasks: futures that the event loop polls when they were woken. A panic ends the task it is in, and no other.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::ready::TaskWaker;
use super::{EventLoop, current, try_current};

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// A task's place in the loop.
pub(super) struct Slot {
    /// The future and what wakes it; elsewhere while it is polled.
    run: Option<(Boxed, Waker)>,
    woken: Arc<TaskWaker>,
}

/// A task that was spawned. Dropping this leaves the task alone.
#[derive(Debug)]
pub struct Task {
    token: u64,
}

impl Task {
    /// Drops the task's future now; nothing happens if it has ended. A task cannot abort itself.
    pub fn abort(self) {
        try_current(|event_loop| {
            let slot = event_loop.tasks.borrow_mut().remove(self.token);
            drop(slot);
        });
    }
}

/// Runs a future on this thread beside the others, from its event loop's next turn on.
pub fn spawn(future: impl Future<Output = ()> + 'static) -> Task {
    current(|event_loop| {
        let token = event_loop.tasks.borrow_mut().insert(|token| {
            let (waker, woken) = TaskWaker::new(token, event_loop.ready.shared());
            waker.wake_by_ref();
            Slot { run: Some((Box::pin(future), waker)), woken }
        });
        Task { token }
    })
}

impl EventLoop {
    /// Polls a task that was woken; its slot is free for others' use meanwhile.
    pub(super) fn poll_task(&self, token: u64) {
        let Some((mut future, waker)) = self.tasks.borrow_mut().get_mut(token).and_then(|slot| {
            slot.woken.clear();
            slot.run.take()
        }) else {
            return;
        };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker)))).map_err(
            |panic| {
                drop(panic);
            },
        );
        match polled {
            Ok(Poll::Pending) => {
                if let Some(slot) = self.tasks.borrow_mut().get_mut(token) {
                    slot.run = Some((future, waker));
                }
            }
            Ok(Poll::Ready(())) | Err(()) => {
                let slot = self.tasks.borrow_mut().remove(token);
                drop(slot);
                // A future that panicked may panic again when it is dropped.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
            }
        }
    }
}
