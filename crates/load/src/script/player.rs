//! One user's script at work: goes on with its coroutine, and does what that waits for.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use net::event_loop;

use super::fiber::{Answer, Ask, Fiber};
use super::host::{Host, Scene};
use super::thrown::Thrown;
use super::vm::{self, Work};
use crate::exchange::Client;
use crate::fetch::{fetch, fetch_all};
use crate::seat::Seat;

/// A user's script, with its connections.
#[derive(Debug)]
pub(crate) struct Player {
    /// Dropped first: its script may still reach the host.
    fiber: Fiber,
    client: Client,
    host: Rc<Host>,
    has_begun: bool,
}

impl Player {
    /// A script that has not begun.
    pub(crate) fn new(host: Rc<Host>) -> io::Result<Self> {
        let inside = Rc::clone(&host);
        let fiber = Fiber::new(move |yielder| inside.hatch.open(yielder, || vm::live(&inside)))?;
        Ok(Self { fiber, client: Client::new(Rc::clone(&host.recorder)), host, has_begun: false })
    }

    /// Runs the init code, the first time.
    pub(crate) async fn begin(&mut self, seat: &Seat) -> Result<(), Thrown> {
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        self.drive(Answer::Go, seat).await.map(drop)
    }

    /// Gets ready for something to be done.
    pub(crate) fn enter(&self, scene: &Scene) {
        self.host.enter(scene);
        self.client.account(scene.tags, scene.who);
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
            let done = tokio::select! {
                biased;
                done = self.serve(ask) => done,
                () = seat.until_cut_off() => Ok(Answer::Cut),
            };
            answer = match done {
                Ok(answer) => answer,
                Err(done) => return done,
            };
        }
    }

    /// Does what a script asks for; the error is what it came to.
    async fn serve(&self, ask: Ask) -> Result<Answer, Result<Option<String>, Thrown>> {
        let (sites, recorder) = (&*self.host.sites, &*self.host.recorder);
        Ok(match ask {
            Ask::Done(done) => return Err(done),
            Ask::Fetch(call) => Answer::Fetched(Box::new(fetch(*call, &self.client, sites, recorder).await)),
            Ask::FetchAll(calls) => Answer::FetchedAll(fetch_all(calls, &self.client, sites, recorder).await),
            Ask::Sleep(ns) => {
                event_loop::sleep(Duration::from_nanos(ns)).await;
                Answer::Go
            }
            Ask::Turn => {
                event_loop::yield_now().await;
                Answer::Go
            }
        })
    }
}
