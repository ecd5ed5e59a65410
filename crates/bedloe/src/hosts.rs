//! Hosts over time, for the dashboard and for reports: this machine, and those that an agent is asked of. Once a second
//! a point each, alike whatever it is from, and a bounded history. What is drawn of it is not here.

mod arguments;
mod figures;
mod source;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::fetch;
pub(crate) use arguments::AgentsArgs;
pub(crate) use figures::{CpuShares, Figures, ProcessFigures};
pub(crate) use source::Source;

/// How often a host is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long an agent may take for an answer; seconds that it misses have no point.
const PATIENCE: Duration = Duration::from_secs(2);
/// Points of the dashboard's history: 15 minutes.
pub(crate) const QUARTER_OF_AN_HOUR: usize = 900;
/// Characters of an error that is kept with each point.
const WHY_MAX: usize = 300;

/// One look at a host.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// When, by this machine's clock that is never set.
    pub(crate) at_ms: u64,
    /// What it does; none where it could not be asked.
    pub(crate) figures: Option<Figures>,
    /// Why it could not be.
    pub(crate) unreachable: Option<String>,
}

/// One host with what is remembered of it, the oldest point first.
#[derive(Debug, Clone)]
pub(crate) struct History {
    /// As it was named by who asked for it.
    pub(crate) name: String,
    /// Where its figures are from: an agent's URL, or `this machine`.
    pub(crate) source: String,
    pub(crate) points: VecDeque<Point>,
}

impl History {
    /// The last point with whether the host could be asked.
    pub(crate) fn last(&self) -> Option<&Point> {
        self.points.back()
    }

    fn push(&mut self, point: Point, points_max: usize) {
        while self.points.len() >= points_max.max(1) {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }
}

/// The histories of all hosts, in the order in which they were asked for.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Arc<Mutex<Vec<History>>>);

impl Hosts {
    /// Shows them as they are now. Points wait meanwhile: it is for copying out what is wanted.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&[History]) -> R) -> R {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, host: usize, point: Point, points_max: usize) {
        if let Some(history) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(host) {
            history.push(point, points_max);
        }
    }
}

/// Looks at hosts on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    hosts: Hosts,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Begins with a look at each; at most so many points of each are kept.
    pub(crate) fn start(sources: Vec<Source>, points_max: usize) -> anyhow::Result<Self> {
        let history = |source: &Source| History {
            name: source.name().to_owned(),
            source: source.shown(),
            points: VecDeque::new(),
        };
        let hosts = Hosts(Arc::new(Mutex::new(sources.iter().map(history).collect())));
        let (end, ended) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shown = hosts.clone();
        let look = move || {
            fetch::run(runtime, async {
                for (number, source) in sources.into_iter().enumerate() {
                    tokio::spawn(follow(source, number, shown.clone(), points_max));
                }
                let _ = ended.await;
            });
        };
        let thread = std::thread::Builder::new().name("hosts".to_owned()).spawn(look)?;
        Ok(Self { hosts, end: Some(end), thread: Some(thread) })
    }

    /// What it has seen, and will see.
    pub(crate) fn hosts(&self) -> Hosts {
        self.hosts.clone()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One host, for as long as the thread is there.
async fn follow(mut source: Source, number: usize, hosts: Hosts, points_max: usize) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = None;
    loop {
        ticks.tick().await;
        let looked = timeout(PATIENCE, source.look()).await;
        let (at_ms, at) = (net::clock::now_ms(), Instant::now());
        let point = match looked {
            Ok(Ok(totals)) => {
                let figures = Figures::between(before.as_ref(), &totals, at);
                before = Some((totals, at));
                Point { at_ms, figures: Some(figures), unreachable: None }
            }
            Ok(Err(error)) => unreachable(at_ms, &format!("{error:#}")),
            Err(_) => unreachable(at_ms, &format!("no answer within {} s", PATIENCE.as_secs())),
        };
        if point.unreachable.is_some() {
            before = None;
        }
        hosts.push(number, point, points_max);
    }
}

fn unreachable(at_ms: u64, why: &str) -> Point {
    Point { at_ms, figures: None, unreachable: Some(why.chars().take(WHY_MAX).collect()) }
}
