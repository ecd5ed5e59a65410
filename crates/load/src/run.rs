//! The whole of a load test: threads, the merge of what they measure, thresholds, progress, the end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use net::clock::now_ns;
use tokio::sync::watch;

use crate::error::Error;
use crate::failure::Failure;
use crate::live::{Live, Totals};
use crate::plan::{Plan, Source, Users};
use crate::pool::Budget;
use crate::report::{self, Metric, Outcome, Report};
use crate::samples::Samples;
use crate::worker::{LAST, Message, Phase, Worker};

/// Time between two calls of the progress function.
const TICK_NS: u64 = 200_000_000;
/// Time between two judgements of the thresholds.
const JUDGE_NS: u64 = 2_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Kinds of failure that are told of while the test runs; the report has them all.
const MOST_TOLD: usize = 10;

/// Stops a running load test from elsewhere: a signal handler, the end of a drill.
#[derive(Debug, Clone)]
pub struct StopHandle(Arc<watch::Sender<Phase>>);

impl StopHandle {
    /// A handle for one test.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Ready)))
    }

    /// Stops the test at once, iterations under way included; what was measured is still reported.
    pub fn stop(&self) {
        self.0.send_replace(Phase::Stopped);
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow() == Phase::Stopped
    }

    /// Begins the test, unless it was stopped already.
    fn start(&self, start_ns: u64) {
        self.0.send_if_modified(|phase| {
            let ready = *phase == Phase::Ready;
            if ready {
                *phase = Phase::Running { start_ns };
            }
            ready
        });
    }
}

impl Default for StopHandle {
    fn default() -> Self {
        Self::new()
    }
}

/// How a test is getting on.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Since the schedule's beginning.
    pub elapsed_ns: u64,
    /// The schedule's length.
    pub duration_ns: u64,
    /// Starts a second that the schedule asks for now.
    pub target_per_s: f64,
    /// Users at work.
    pub active: u64,
    /// Users made, or promised beforehand.
    pub users: u64,
    /// Iterations done.
    pub iterations: u64,
    /// Iterations cut off.
    pub interrupted: u64,
    /// Starts dropped.
    pub dropped: u64,
    /// Requests done.
    pub requests: u64,
    /// Requests that failed.
    pub failed: u64,
    /// The last whole second, once there is one.
    pub last_second: Option<LastSecond>,
    /// Metrics with a threshold that is crossed as things stand.
    pub crossed: Vec<String>,
    /// What the user should know and has not been told yet.
    pub warnings: Vec<String>,
}

/// One second of a test.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LastSecond {
    /// Requests answered, failed ones included.
    pub requests: u64,
    /// Of these, the failed ones.
    pub failed: u64,
    /// 95% of them took at most this long.
    pub p95_ms: f64,
}

/// Runs a load test to its end; `progress` is called a few times a second, on this thread.
pub fn run(plan: Plan, stop: StopHandle, progress: impl FnMut(&Progress)) -> Result<Report, Error> {
    plan.check()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = u32::try_from(plan.threads(cores)).unwrap_or(1);
    let (sender, messages) = channel();
    let budget = Arc::new(Budget::new(plan.users));
    let mut test = Test::new(Arc::new(plan), stop, messages);
    for thread in 0..threads {
        test.spawn(thread, threads, &budget, sender.clone())?;
    }
    drop(sender);
    test.conduct(progress);
    test.finish()
}

/// One thread as seen from here.
#[derive(Debug)]
struct Thread {
    handle: JoinHandle<()>,
    live: Arc<Live>,
    spare: Sender<Box<Samples>>,
}

/// A second that not all threads have handed over yet.
#[derive(Debug)]
struct Second {
    index: u64,
    samples: Samples,
    threads: usize,
}

#[derive(Debug)]
struct Test {
    plan: Arc<Plan>,
    stop: StopHandle,
    threads: Vec<Thread>,
    messages: Receiver<(u32, Message)>,
    samples: Samples,
    /// At most a few: threads are never many seconds apart.
    seconds: VecDeque<Second>,
    totals: Totals,
    latest: Progress,
    /// Kinds of failure that the user was told of.
    told: Vec<Failure>,
    start_ns: u64,
    ready: usize,
    ended: usize,
    failure: Option<Error>,
}

impl Test {
    fn new(plan: Arc<Plan>, stop: StopHandle, messages: Receiver<(u32, Message)>) -> Self {
        let latest = Progress { duration_ns: plan.schedule.duration_ns(), ..Progress::default() };
        Self {
            plan,
            stop,
            threads: Vec::new(),
            messages,
            samples: Samples::default(),
            seconds: VecDeque::new(),
            totals: Totals::default(),
            latest,
            told: Vec::new(),
            start_ns: 0,
            ready: 0,
            ended: 0,
            failure: None,
        }
    }

    fn spawn(
        &mut self,
        thread: u32,
        threads: u32,
        budget: &Arc<Budget>,
        messages: Sender<(u32, Message)>,
    ) -> Result<(), Error> {
        let promised = match self.plan.users {
            Users::Promised { pre_allocated, .. } => {
                pre_allocated / threads + u32::from(thread < pre_allocated % threads)
            }
            Users::OnDemand => 0,
        };
        let (spare, spares) = channel();
        let live = Arc::new(Live::default());
        live.users.set(u64::from(promised));
        let worker = Worker {
            plan: Arc::clone(&self.plan),
            thread,
            threads,
            promised,
            budget: Arc::clone(budget),
            live: Arc::clone(&live),
            phase: self.stop.0.subscribe(),
            messages,
            spare: spares,
        };
        let started = std::thread::Builder::new().name(format!("load-{thread}")).spawn(move || worker.run());
        match started {
            Ok(handle) => self.threads.push(Thread { handle, live, spare }),
            Err(error) => {
                self.stop.stop();
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Listens to the threads until all of them have ended.
    fn conduct(&mut self, mut progress: impl FnMut(&Progress)) {
        let (mut next_tick, mut next_gauge, mut next_judge) = (0, SECOND_NS, JUDGE_NS);
        while self.ended < self.threads.len() {
            let elapsed = self.elapsed_ns();
            if self.start_ns > 0 && elapsed >= next_gauge {
                self.read_counts();
                self.totals.sample_gauges();
                next_gauge += SECOND_NS;
            }
            if elapsed >= next_judge {
                self.latest.crossed = self.judge(elapsed);
                next_judge += JUDGE_NS;
            }
            if self.start_ns > 0 && elapsed >= next_tick {
                self.report_progress(elapsed, &mut progress);
                next_tick = elapsed - elapsed % TICK_NS + TICK_NS;
            }
            let next = next_tick.min(next_gauge).min(next_judge);
            let wait = Duration::from_nanos(next.saturating_sub(self.elapsed_ns()).clamp(100_000, TICK_NS));
            match self.messages.recv_timeout(wait) {
                Ok((thread, message)) => self.hear(thread, message),
                Err(RecvTimeoutError::Timeout) => {}
                // A thread that panicked says nothing any more.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.report_progress(self.elapsed_ns(), &mut progress);
    }

    fn finish(mut self) -> Result<Report, Error> {
        let elapsed_ns = self.elapsed_ns();
        let interrupted = self.stop.is_stopped();
        let mut panicked = false;
        for thread in self.threads.drain(..) {
            panicked |= thread.handle.join().is_err();
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if panicked {
            return Err(Error::Panicked);
        }
        let metrics = report::metrics(&self.totals, &self.samples, elapsed_ns, &self.plan.thresholds);
        let crossed = metrics.iter().any(Metric::is_crossed);
        let outcome = match (interrupted, crossed) {
            (true, _) => Outcome::Interrupted,
            (false, true) => Outcome::Crossed,
            (false, false) => Outcome::Passed,
        };
        let (interrupted, users_max) = (self.totals.interrupted, self.totals.users);
        Ok(Report { outcome, elapsed_ns, metrics, failures: self.samples.failures(), interrupted, users_max })
    }

    fn hear(&mut self, thread: u32, message: Message) {
        match message {
            Message::Ready => {
                self.ready += 1;
                if self.ready == self.threads.len() {
                    self.start_ns = now_ns();
                    self.stop.start(self.start_ns);
                }
            }
            Message::Samples { second, samples } => self.merge(thread, second, samples),
            Message::Warning(warning) => self.latest.warnings.push(warning),
            Message::Ended(result) => {
                self.ended += 1;
                if let Err(error) = result {
                    self.failure.get_or_insert(Error::Thread(error));
                    self.stop.stop();
                }
            }
        }
    }

    fn merge(&mut self, thread: u32, index: u64, mut samples: Box<Samples>) {
        self.samples.merge(&samples);
        self.warn_of_failures(&samples);
        if self.seconds.iter().all(|second| second.index != index) {
            self.seconds.push_back(Second { index, samples: Samples::default(), threads: 0 });
        }
        if let Some(second) = self.seconds.iter_mut().find(|second| second.index == index) {
            second.samples.merge(&samples);
            second.threads += 1;
            if second.threads == self.threads.len() && index != LAST {
                self.latest.last_second = Some(second.samples.last_second());
                // Seconds are whole in their order: a thread hands over one after the other.
                self.seconds.retain(|second| second.index > index);
            }
        }
        samples.clear();
        let thread = usize::try_from(thread).ok().and_then(|thread| self.threads.get(thread));
        if let Some(thread) = thread {
            let _ = thread.spare.send(samples);
        }
    }

    /// One line for each kind of failure; a status is an answer, which the summary counts.
    fn warn_of_failures(&mut self, samples: &Samples) {
        let Source::Plain(request) = &self.plan.source;
        for count in samples.failures() {
            let failure = count.failure;
            if !failure.is_status() && !self.told.contains(&failure) && self.told.len() < MOST_TOLD {
                self.latest.warnings.push(format!("Request Failed: GET {}: {}", request.url, failure.text));
                self.told.push(failure);
            }
        }
    }

    fn judge(&self, elapsed_ns: u64) -> Vec<String> {
        if self.plan.thresholds.is_empty() {
            return Vec::new();
        }
        let metrics = report::metrics(&self.totals, &self.samples, elapsed_ns, &self.plan.thresholds);
        metrics.into_iter().filter(Metric::is_crossed).map(|metric| metric.name).collect()
    }

    fn report_progress(&mut self, elapsed_ns: u64, progress: &mut impl FnMut(&Progress)) {
        self.read_counts();
        let latest = &mut self.latest;
        latest.elapsed_ns = elapsed_ns;
        latest.target_per_s = self.plan.schedule.rate_per_s(elapsed_ns.min(latest.duration_ns));
        latest.active = self.totals.active;
        latest.users = self.totals.users;
        latest.iterations = self.totals.iterations;
        latest.interrupted = self.totals.interrupted;
        latest.dropped = self.totals.dropped;
        latest.requests = self.totals.requests;
        latest.failed = self.totals.failed;
        progress(latest);
        latest.warnings.clear();
    }

    fn read_counts(&mut self) {
        self.totals.read(self.threads.iter().map(|thread| &*thread.live));
    }

    fn elapsed_ns(&self) -> u64 {
        if self.start_ns == 0 { 0 } else { now_ns().saturating_sub(self.start_ns) }
    }
}
