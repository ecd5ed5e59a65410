//! The injector of a lab: the `load` crate in a thread of its own, watched by the lab's event loop.

use std::thread::JoinHandle;
use std::time::Duration;

use load::schedule::ConstantArrivalRate;
use load::{Executor, Outcome, Plan, Progress, Request, RequestOptions, Schedule, StopHandle, Threshold, Users};
use tokio::sync::{mpsc, oneshot};

/// Progress that waits to be looked at; newer is dropped when the lab is busy.
const PROGRESS_MAX: usize = 16;
/// The part of a second's requests that may be under way at once, each by a user with a connection of its own. After a
/// stall of everything on a small machine more users would mean more TLS handshakes than it has cores for, so that the
/// stall feeds itself; with this many it is over within a second.
const USERS_PART: u64 = 4;
/// Users in the slowest load: what it takes to wait for a server that is paused.
const USERS_MIN: u64 = 200;
/// What a lab asks of every load: metric and expression.
pub const THRESHOLDS: [(&str, &str); 2] = [("http_req_failed", "rate<0.01"), ("http_req_duration", "p(95)<1000")];

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum InjectorError {
    #[error("the injector")]
    Load(#[from] load::Error),
    #[error("the injector")]
    Schedule(#[from] load::schedule::Impossible),
    #[error("the injector's thread")]
    Thread(#[from] std::io::Error),
    #[error("the injector's thread has panicked")]
    Panicked,
}

/// A load under way. Dropping it stops the load.
pub(crate) struct Injector {
    stop: StopHandle,
    progress: mpsc::Receiver<Progress>,
    done: oneshot::Receiver<Result<load::Report, load::Error>>,
    thread: Option<JoinHandle<()>>,
}

/// What an injector has to say.
pub(crate) enum News {
    Progress(Box<Progress>),
    Done(Box<load::Report>),
}

impl Injector {
    /// Starts `rate` requests a second of `url` for `duration`.
    pub(crate) fn start(url: &str, rate: u64, duration: Duration) -> Result<Self, InjectorError> {
        Self::run(plan(url, rate, duration)?)
    }

    /// Starts a load that is planned already.
    pub(crate) fn run(plan: Plan) -> Result<Self, InjectorError> {
        let stop = StopHandle::new();
        let (progress, to_read) = mpsc::channel(PROGRESS_MAX);
        let (done, to_await) = oneshot::channel();
        let handle = stop.clone();
        let thread = std::thread::Builder::new().name("injector".into()).spawn(move || {
            let report = load::run(plan, handle, |latest| {
                let _ = progress.try_send(latest.clone());
            });
            let _ = done.send(report);
        })?;
        Ok(Self { stop, progress: to_read, done: to_await, thread: Some(thread) })
    }

    /// Waits until its users begin, behind a script's setup; the report where it ends before they do.
    pub(crate) async fn begun(&mut self) -> Result<Option<Box<load::Report>>, InjectorError> {
        tokio::select! {
            biased;
            () = self.stop.begun() => Ok(None),
            done = &mut self.done => match done {
                Ok(report) => Ok(Some(Box::new(report?))),
                Err(_) => Err(InjectorError::Panicked),
            },
        }
    }

    /// Waits for progress or the end; may be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<News, InjectorError> {
        tokio::select! {
            biased;
            Some(progress) = self.progress.recv() => Ok(News::Progress(Box::new(progress))),
            done = &mut self.done => match done {
                Ok(report) => Ok(News::Done(Box::new(report?))),
                Err(_) => Err(InjectorError::Panicked),
            },
        }
    }

    /// Stops the load; what was measured is still reported.
    pub(crate) fn stop(&self) {
        self.stop.stop();
    }

    /// Whether it was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether a load came to its end and all thresholds held.
pub fn passed(report: &load::Report) -> bool {
    report.outcome == Outcome::Passed
}

/// Users of a load at `rate`, each with a connection.
pub(crate) fn users(rate: u64) -> u32 {
    let most = load::ON_DEMAND_USERS;
    u32::try_from((rate / USERS_PART).max(USERS_MIN)).unwrap_or(most).min(most)
}

fn plan(url: &str, rate: u64, duration: Duration) -> Result<Plan, InjectorError> {
    const SECOND_NS: u64 = 1_000_000_000;
    let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    // The certificate was made a moment ago, and signed by itself.
    let options = RequestOptions { skip_verify: true, ..RequestOptions::default() };
    let thresholds = THRESHOLDS.iter().map(|(metric, expression)| Threshold::parse(metric, expression));
    let schedule = Schedule::Constant(ConstantArrivalRate::new(rate, SECOND_NS, duration_ns)?);
    let users = Users::Promised { pre_allocated: users(rate), max: users(rate) };
    let thresholds = thresholds.collect::<Result<_, _>>().map_err(load::Error::from)?;
    Ok(Plan { thresholds, ..Plan::plain(Executor::Arrivals { schedule, users }, Request::get(url, &options)?) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_at_the_end_is_lost() {
        // It is connected to, and says nothing.
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", deaf.local_addr().unwrap());
        let mut plan = plan(&url, 4, Duration::from_secs(1)).unwrap();
        plan.scenarios[0].graceful_stop_ns = 50_000_000;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let report = runtime.block_on(async {
            let mut injector = Injector::run(plan).unwrap();
            loop {
                if let News::Done(report) = injector.next().await.unwrap() {
                    return report;
                }
            }
        });
        assert!(report.interrupted >= 4 && report.count("http_reqs") == 0, "{}", report.interrupted);
        assert_eq!(crate::report::lost(&report), report.interrupted);
    }
}
