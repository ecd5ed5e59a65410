//! One user's script at work: goes on with its coroutine, and does what that waits for.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use net::event_loop;

use super::fiber::{Answer, Ask, Begun, Event, Fiber};
use super::host::{Host, Scene};
use super::thrown::Thrown;
use super::vm::{self, Work};
use crate::exchange::Client;
use crate::fetch::{fetch, fetch_all};
use crate::seat::Seat;

/// A user's script, with its connections.
pub(crate) struct Player {
    /// Dropped first: its script may still reach the host.
    fiber: Fiber,
    client: Rc<Client>,
    host: Rc<Host>,
    has_begun: bool,
    /// What the script has begun and does not wait for where it stands.
    under_way: Vec<(u64, UnderWay)>,
    /// What of it is over.
    happened: Vec<(u64, Event)>,
}

type UnderWay = Pin<Box<dyn Future<Output = Event>>>;

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Player {
    /// A script that has not begun.
    pub(crate) fn new(host: Rc<Host>) -> io::Result<Self> {
        let inside = Rc::clone(&host);
        let fiber = Fiber::new(move |yielder| inside.hatch.open(yielder, || vm::live(&inside)))?;
        let client = Rc::new(Client::new(Rc::clone(&host.recorder)));
        Ok(Self { fiber, client, host, has_begun: false, under_way: Vec::new(), happened: Vec::new() })
    }

    /// Runs the init code, the first time.
    pub(crate) async fn begin(&mut self, seat: &Seat) -> Result<(), Thrown> {
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        self.drive(Answer::Go, seat).await.map(drop)
    }

    /// Whether the init code has run, or runs.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Gets ready for something to be done.
    pub(crate) fn enter(&self, scene: &Scene) {
        self.host.enter(scene);
        self.client.account(self.host.tags(), scene.who);
    }

    /// Does something; what it gives is JSON where it was asked for.
    pub(crate) async fn work(&mut self, work: Work, seat: &Seat) -> Result<Option<String>, Thrown> {
        let done = self.drive(Answer::Work(work), seat).await;
        if !self.host.sites.options.reuse_between_iterations {
            self.client.close();
        }
        done
    }

    /// When the first request was over.
    pub(crate) fn first_over_ns(&self) -> Option<u64> {
        self.host.first_over_ns()
    }

    /// The world of its script.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    async fn drive(&mut self, first: Answer, seat: &Seat) -> Result<Option<String>, Thrown> {
        let mut answer = first;
        loop {
            let Some(ask) = self.fiber.resume(answer) else {
                return Err(Thrown::new("the script has ended for good"));
            };
            let ask = match ask {
                Ask::Done(done) => {
                    self.under_way.clear();
                    self.happened.clear();
                    return done;
                }
                ask => ask,
            };
            self.take_over();
            answer = tokio::select! {
                biased;
                answer = self.serve(ask) => answer,
                () = seat.until_cut_off() => Answer::Cut,
            };
        }
    }

    /// Makes what the script has begun the user's own.
    fn take_over(&mut self) {
        for (number, begun) in self.host.begun.borrow_mut().drain(..) {
            let future: UnderWay = match begun {
                Begun::Timer(ns) => Box::pin(async move {
                    event_loop::sleep(Duration::from_nanos(ns)).await;
                    Event::Time
                }),
                Begun::Fetch(call) => {
                    let (client, host) = (Rc::clone(&self.client), Rc::clone(&self.host));
                    Box::pin(async move {
                        Event::Fetched(Box::new(fetch(*call, &client, &host.sites, &host.recorder).await))
                    })
                }
            };
            self.under_way.push((number, future));
        }
    }

    /// Does what a script asks for, and goes on meanwhile with what it has begun.
    async fn serve(&mut self, ask: Ask) -> Answer {
        let Self { client, host, under_way, happened, .. } = self;
        if let Ask::Wait = ask {
            poll_fn(|cx| {
                advance(under_way, happened, cx);
                if happened.is_empty() && !under_way.is_empty() { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            return Answer::Happened(std::mem::take(happened));
        }
        let mut answer = pin!(answer(ask, client, host));
        poll_fn(|cx| {
            advance(under_way, happened, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }
}

async fn answer(ask: Ask, client: &Client, host: &Host) -> Answer {
    let (sites, recorder) = (&*host.sites, &*host.recorder);
    match ask {
        Ask::Fetch(call) => Answer::Fetched(Box::new(fetch(*call, client, sites, recorder).await)),
        Ask::FetchAll(calls) => Answer::FetchedAll(fetch_all(calls, client, sites, recorder).await),
        Ask::Sleep(ns) => {
            event_loop::sleep(Duration::from_nanos(ns)).await;
            Answer::Go
        }
        Ask::Turn => {
            event_loop::yield_now().await;
            Answer::Go
        }
        Ask::Done(_) | Ask::Wait => Answer::Go,
    }
}

fn advance(under_way: &mut Vec<(u64, UnderWay)>, happened: &mut Vec<(u64, Event)>, cx: &mut Context<'_>) {
    under_way.retain_mut(|(number, future)| match future.as_mut().poll(cx) {
        Poll::Ready(event) => {
            happened.push((*number, event));
            false
        }
        Poll::Pending => true,
    });
}
