//! `queue`: requests for which no server may be tried wait until one may, in the order of their coming.
//!
//! The order is that of each thread, and the limit that of all: who came first on another thread is not known here. The
//! first in line looks when this thread gives a server back, and often enough to see what others do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use net::{clock, event_loop};
use route::ProxyRule;

use super::attempt::may_watch;
use super::upload::Upload;
use super::{CLIENT_CLOSED, Unanswered};
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::facts::Tried;
use crate::limits::QUEUE_LOOK_MS;
use crate::request::Routed;
use crate::site::{Held, Upstream};

/// What all threads share of an upstream's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    most: u32,
    timeout_ms: u64,
    /// Requests that wait.
    waiting: AtomicU32,
    /// Those that found it full.
    overflows: AtomicU64,
}

impl PartialEq for Queue {
    /// Whether they are written alike.
    fn eq(&self, other: &Self) -> bool {
        (self.most, self.timeout_ms) == (other.most, other.timeout_ms)
    }
}

impl Queue {
    pub(crate) fn new(most: u32, timeout_ms: u64) -> Self {
        Self { most, timeout_ms, waiting: AtomicU32::new(0), overflows: AtomicU64::new(0) }
    }

    /// Requests that wait, how many may, and how many found no room.
    pub(crate) fn counts(&self) -> (u32, u32, u64) {
        (self.waiting.load(Relaxed), self.most, self.overflows.load(Relaxed))
    }

    /// Counts those that find no room anew.
    pub(crate) fn begin_anew(&self) {
        self.overflows.store(0, Relaxed);
    }

    /// A place in it, given back when dropped.
    fn enter(&self) -> Option<Entered<'_>> {
        let one_more = |waiting: u32| (waiting < self.most).then_some(waiting + 1);
        if self.waiting.fetch_update(Relaxed, Relaxed, one_more).is_ok() {
            return Some(Entered(self));
        }
        self.overflows.fetch_add(1, Relaxed);
        None
    }
}

struct Entered<'a>(&'a Queue);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// One thread's requests that wait for a server of an upstream, first come first served.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: RefCell<VecDeque<(u64, Option<Waker>)>>,
    next: Cell<u64>,
    /// Whether anybody waits: looked at with each request.
    is_used: Cell<bool>,
}

impl Line {
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.is_used.get()
    }

    /// Has the first in line look for a server.
    #[cold]
    pub(crate) fn wake_first(&self) {
        if let Some(waker) = self.waiting.borrow_mut().front_mut().and_then(|(_, waker)| waker.take()) {
            waker.wake();
        }
    }

    fn enter(&self) -> Place<'_> {
        let number = self.next.get();
        self.next.set(number + 1);
        self.waiting.borrow_mut().push_back((number, None));
        self.is_used.set(true);
        Place { line: self, number }
    }
}

/// A request's place in the line.
struct Place<'a> {
    line: &'a Line,
    number: u64,
}

impl Place<'_> {
    /// Where it is in the line, which is in the order of its numbers: all that wait may look at once.
    fn find(&self, waiting: &VecDeque<(u64, Option<Waker>)>) -> Option<usize> {
        waiting.binary_search_by_key(&self.number, |(number, _)| *number).ok()
    }

    /// Whether it is this one's turn; it is woken when it is.
    fn is_first(&self, cx: &Context<'_>) -> bool {
        let mut waiting = self.line.waiting.borrow_mut();
        if let Some(at) = self.find(&waiting) {
            waiting[at].1 = Some(cx.waker().clone());
        }
        waiting.front().is_some_and(|(number, _)| *number == self.number)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.line.waiting.borrow_mut();
        if let Some(at) = self.find(&waiting) {
            waiting.remove(at);
        }
        self.line.is_used.set(!waiting.is_empty());
        drop(waiting);
        self.line.wake_first();
    }
}

/// Waits for a server, where there is a queue to wait in, and one that could come to be tried.
pub(super) async fn wait<'a>(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    upstream: &'a Upstream,
    upload: &Upload,
) -> Result<Held<'a>, Unanswered> {
    let queue = upstream.shared.queue.as_ref().filter(|_| upstream.shared.group.has_untried(&exchange.attempts));
    let what = match queue.map(|queue| (queue, queue.enter())) {
        None => "no live upstreams while connecting to upstream (all servers are down, full or failed lately)",
        Some((_, None)) => "upstream queue is full while connecting to upstream",
        Some((queue, Some(_entered))) => {
            match in_line(connection, exchange, rule, upstream, upload, queue.timeout_ms).await {
                Ok(held) => return Ok(held),
                Err(Some(unanswered)) => return Err(unanswered),
                Err(None) => "upstream queue timed out while connecting to upstream",
            }
        }
    };
    exchange.record.begin_attempt(Tried::Group(Arc::clone(&upstream.shared)));
    exchange.record.end_attempt(502);
    connection.log_failure(exchange, routed, what, Some(&upstream.shared.name));
    Err(Unanswered::Page(502))
}

/// `Err(None)` when the time is over.
async fn in_line<'a>(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    rule: &ProxyRule,
    upstream: &'a Upstream,
    upload: &Upload,
    timeout_ms: u64,
) -> Result<Held<'a>, Option<Unanswered>> {
    let place = upstream.line.enter();
    let mut watches = !rule.ignore_client_abort && upload.is_taken() && may_watch(exchange);
    let mut nap: Option<Pin<Box<dyn Future<Output = ()>>>> = None;
    connection.deadline.set(timeout_ms);
    poll_fn(|cx| {
        let Downstream { channel, input, deadline, .. } = &mut *connection;
        if watches && channel.is_gone(cx, input, &mut watches) {
            return Poll::Ready(Err(Some(Unanswered::Closed(CLIENT_CLOSED))));
        }
        if place.is_first(cx) {
            exchange.attempts.look_again();
            let Exchange { attempts, routes, key, .. } = &mut *exchange;
            if let Some(held) = upstream.pick(attempts, routes, key, clock::coarse_ms()) {
                return Poll::Ready(Ok(held));
            }
            let fresh = || -> Pin<Box<dyn Future<Output = ()>>> {
                Box::pin(event_loop::sleep(Duration::from_millis(QUEUE_LOOK_MS)))
            };
            while nap.get_or_insert_with(fresh).as_mut().poll(cx).is_ready() {
                nap = None;
            }
        }
        deadline.poll_passed(cx).map(|()| Err(None))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places() {
        let queue = Queue::new(2, 1_000);
        let (first, second) = (queue.enter(), queue.enter());
        assert!(first.is_some() && second.is_some() && queue.enter().is_none());
        assert_eq!(queue.counts(), (2, 2, 1));
        drop(first);
        assert!(queue.enter().is_some());
        drop(second);
        assert_eq!(queue.counts(), (0, 2, 1));
    }

    #[test]
    fn the_line_goes_on_with_whoever_came_next() {
        let line = Line::default();
        let cx = Context::from_waker(Waker::noop());
        let (first, second, third) = (line.enter(), line.enter(), line.enter());
        assert!(first.is_first(&cx) && !second.is_first(&cx) && line.is_used());
        drop(second);
        drop(first);
        assert!(third.is_first(&cx));
        drop(third);
        assert!(!line.is_used());
    }
}
