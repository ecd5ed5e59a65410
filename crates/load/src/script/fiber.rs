//! A user's coroutine: a script runs on it, and is suspended wherever it waits for something.
//!
//! The engine measures its stack from where it was made, so it is made, entered and freed on the coroutine.

use std::fmt;
use std::mem;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::thrown::Thrown;
use super::vm::Work;
use crate::fetch::{Call, Reply};

/// A coroutine's stack. Only what was used of it takes memory.
const STACK_BYTES: usize = 1 << 20;
/// What of it the script may use: the functions that it calls need some as well.
pub(super) const SCRIPT_STACK_BYTES: usize = 768 << 10;
/// How often a script that is to end is told so. Each time it is stopped where it stands, and once is enough unless it
/// catches that.
const MOST_TRIES: usize = 1000;

/// What a script wants.
#[derive(Debug)]
pub(super) enum Ask {
    /// It has done what it was told; the value as JSON where it was asked for.
    Done(Result<Option<String>, Thrown>),
    /// A request.
    Fetch(Box<Call>),
    /// Requests side by side.
    FetchAll(Vec<Call>),
    /// Time.
    Sleep(u64),
    /// To let others run.
    Turn,
    /// Something that it has begun: a timer, a request.
    Wait,
}

/// Something that a script has begun and does not wait for where it stands.
#[derive(Debug)]
pub(super) enum Begun {
    /// A timer of so many nanoseconds.
    Timer(u64),
    /// A request.
    Fetch(Box<Call>),
}

/// The end of it.
#[derive(Debug)]
pub(super) enum Event {
    /// The time is over.
    Time,
    /// What became of the request.
    Fetched(Box<Reply>),
}

/// What it gets.
#[derive(Debug)]
pub(super) enum Answer {
    /// Something to do.
    Work(Work),
    /// What became of the request.
    Fetched(Box<Reply>),
    /// What became of the requests.
    FetchedAll(Vec<Reply>),
    /// It may go on.
    Go,
    /// What happened of all that it has begun.
    Happened(Vec<(u64, Event)>),
    /// It is to stop at once.
    Cut,
    /// It is not needed any more.
    Quit,
}

/// A coroutine that is not dropped while it is suspended: it is told to end instead.
pub(super) struct Fiber(Option<Coroutine<Answer, Ask, ()>>);

impl fmt::Debug for Fiber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fiber").finish_non_exhaustive()
    }
}

impl Fiber {
    /// A coroutine that has not begun; the first answer begins it.
    pub(super) fn new(body: impl FnOnce(&Yielder<Answer, Ask>) + 'static) -> std::io::Result<Self> {
        let stack = DefaultStack::new(STACK_BYTES)?;
        Ok(Self(Some(Coroutine::with_stack(stack, move |yielder, _| body(yielder)))))
    }

    /// Goes on to the next thing that it wants; `None` once it has ended.
    pub(super) fn resume(&mut self, answer: Answer) -> Option<Ask> {
        let coroutine = self.0.as_mut().filter(|coroutine| !coroutine.done())?;
        match coroutine.resume(answer) {
            CoroutineResult::Yield(ask) => Some(ask),
            CoroutineResult::Return(()) => None,
        }
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        let has_begun = self.0.as_ref().is_some_and(|coroutine| coroutine.started() && !coroutine.done());
        if !has_begun {
            return;
        }
        for _ in 0..MOST_TRIES {
            match self.resume(Answer::Quit) {
                None => return,
                Some(Ask::Done(_) | Ask::Fetch(_) | Ask::FetchAll(_) | Ask::Sleep(_) | Ask::Turn | Ask::Wait) => {}
            }
        }
        // What cannot be ended is left where it is: unwinding through the engine is not possible.
        mem::forget(self.0.take());
    }
}
