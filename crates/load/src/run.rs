//! The whole of a load test: threads, the merge of what they measure, thresholds, progress, the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use net::clock::now_ns;
use tokio::sync::watch;

use crate::desk::Shared;
use crate::error::Error;
use crate::failure::Failure;
use crate::live::{Live, Totals};
use crate::metric::{Catalog, Pairs, Point, Samples, Who, id};
use crate::plan::{Executor, Plan, Source};
use crate::progress::{Progress, ScenarioProgress};
use crate::report::{Measured, Metric, Outcome, Report};
use crate::script::Counts;
use crate::series::{self, Course, Step};
use crate::stages::{self, Staged};
use crate::worker::{Message, Phase, Worker};

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

    /// Waits until users begin, behind a script's setup, or the test is stopped.
    pub async fn begun(&self) {
        // It ends with its sender, which is this handle's own.
        let _ = self.0.subscribe().wait_for(|phase| *phase != Phase::Ready).await;
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

/// Runs a load test to its end; `progress` is called a few times a second, on this thread.
pub fn run(mut plan: Plan, stop: StopHandle, progress: impl FnMut(&Progress)) -> Result<Report, Error> {
    plan.check()?;
    let catalog = Arc::new(plan.catalog()?);
    let (start_ns, staged) = match &mut plan.source {
        Source::Script(run) => {
            let start_ns = now_ns();
            run.script.program.start_ns.store(start_ns, Ordering::Relaxed);
            run.script.program.may_stop(stop.clone());
            (start_ns, stages::setup(run, &catalog, stop.0.subscribe())?)
        }
        Source::Plain(_) => (0, (None, Box::default())),
    };
    let mut test = Test::new(Arc::new(plan), catalog, stop);
    test.start_ns = start_ns;
    test.stage(staged);
    if test.ended_by.is_none() {
        test.run_users(progress)?;
        if let Source::Script(run) = &test.plan.source {
            let staged = stages::teardown(run, &test.catalog)?;
            test.stage(staged);
        }
    }
    test.finish()
}

/// One thread as seen from here.
#[derive(Debug)]
struct Thread {
    handle: JoinHandle<()>,
    live: Arc<Live>,
    spare: Sender<Box<Samples>>,
}

#[derive(Debug)]
struct Test {
    plan: Arc<Plan>,
    catalog: Arc<Catalog>,
    stop: StopHandle,
    threads: Vec<Thread>,
    samples: Samples,
    /// The tags of what is measured of the test as a whole, by name.
    tags: Pairs,
    course: Course,
    totals: Totals,
    latest: Progress,
    /// Kinds of failure that the user was told of.
    told: Vec<Failure>,
    start_ns: u64,
    /// When threads were begun.
    spawned_ns: u64,
    /// When scenarios began: after a script's setup.
    begin_ns: u64,
    /// When the last user had ended.
    ended_ns: u64,
    ready: usize,
    ended: usize,
    /// A threshold that asks for it has ended the test.
    is_aborted: bool,
    failure: Option<Error>,
    /// What a script's setup or teardown has made of the test.
    ended_by: Option<Outcome>,
}

impl Test {
    fn new(plan: Arc<Plan>, catalog: Arc<Catalog>, stop: StopHandle) -> Self {
        let latest = Progress::default();
        let mut samples = Samples::default();
        samples.fit(&catalog.definitions.all(), &catalog);
        let mut tags: Vec<_> =
            plan.tags.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
        tags.sort();
        Self {
            plan,
            catalog,
            stop,
            threads: Vec::new(),
            samples,
            tags: tags.into(),
            course: Course::default(),
            totals: Totals::default(),
            latest,
            told: Vec::new(),
            start_ns: 0,
            spawned_ns: 0,
            begin_ns: 0,
            ended_ns: 0,
            ready: 0,
            ended: 0,
            is_aborted: false,
            failure: None,
            ended_by: None,
        }
    }

    /// What a stage measured counts, and its end may be that of the test.
    fn stage(&mut self, (outcome, samples): Staged) {
        self.samples.merge(&samples);
        if self.elapsed_ns() >= SECOND_NS {
            self.sample_gauges(false);
        }
        if let Some(outcome) = outcome {
            self.ended_by.get_or_insert(outcome);
        }
    }

    /// All threads, from their start to their end.
    fn run_users(&mut self, progress: impl FnMut(&Progress)) -> Result<(), Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = u32::try_from(self.plan.threads(cores)).unwrap_or(1);
        let (sender, messages) = channel();
        self.spawned_ns = now_ns();
        let shared = Arc::new(Shared::new(&self.plan));
        for thread in 0..threads {
            self.spawn(thread, threads, &shared, sender.clone())?;
        }
        drop(sender);
        self.let_scripts_watch();
        self.conduct(&messages, progress);
        self.ended_ns = now_ns();
        Ok(())
    }

    /// Lets scripts ask how the test stands.
    fn let_scripts_watch(&self) {
        let Source::Script(run) = &self.plan.source else { return };
        let lives: Vec<Arc<Live>> = self.threads.iter().map(|thread| Arc::clone(&thread.live)).collect();
        let initial = u64::from(self.plan.initial_users());
        run.script.program.let_watch(Arc::new(move || {
            let Totals { iterations, interrupted, active, extra_users, .. } =
                Totals::read(&lives.iter().map(|live| &**live), 0);
            Counts { iterations, interrupted, active, users: initial + extra_users }
        }));
    }

    fn spawn(
        &mut self,
        thread: u32,
        threads: u32,
        shared: &Arc<Shared>,
        messages: Sender<(u32, Message)>,
    ) -> Result<(), Error> {
        let (spare, spares) = channel();
        let live = Arc::new(Live::new(self.plan.scenarios.len()));
        let worker = Worker {
            plan: Arc::clone(&self.plan),
            shared: Arc::clone(shared),
            catalog: Arc::clone(&self.catalog),
            thread,
            threads,
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
    fn conduct(&mut self, messages: &Receiver<(u32, Message)>, mut progress: impl FnMut(&Progress)) {
        let (mut next_tick, mut next_gauge, mut next_judge) = (0, SECOND_NS, JUDGE_NS);
        while self.ended < self.threads.len() {
            let elapsed = self.elapsed_ns();
            if self.begin_ns > 0 && elapsed >= next_gauge {
                self.sample_gauges(true);
                next_gauge += SECOND_NS;
            }
            if self.begin_ns > 0 && elapsed >= next_judge {
                self.judge(elapsed);
                next_judge += JUDGE_NS;
            }
            if self.begin_ns > 0 && elapsed >= next_tick {
                self.report_progress(elapsed, &mut progress);
                next_tick = elapsed - elapsed % TICK_NS + TICK_NS;
            }
            // Before it has begun there is nothing but messages.
            let next = if self.begin_ns == 0 { u64::MAX } else { next_tick.min(next_gauge).min(next_judge) };
            let wait = Duration::from_nanos(next.saturating_sub(self.elapsed_ns()).clamp(100_000, TICK_NS));
            match messages.recv_timeout(wait) {
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
        let interrupted = self.stop.is_stopped() && !self.is_aborted;
        let mut panicked = false;
        let mut lives = Vec::new();
        for thread in self.threads.drain(..) {
            panicked |= thread.handle.join().is_err();
            lives.push(thread.live);
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if panicked {
            return Err(Error::Panicked);
        }
        self.totals = Totals::read(&lives.iter().map(|live| &**live), self.plan.scenarios.len());
        self.show_metrics(elapsed_ns);
        let measured = self.measured(elapsed_ns);
        let (metrics, scopes) = (measured.metrics(), measured.scopes());
        let crossed = self.is_aborted || metrics.iter().any(Metric::is_crossed);
        let program = match &self.plan.source {
            Source::Script(run) => Some(&run.script.program),
            Source::Plain(_) => None,
        };
        let outcome = match (self.ended_by.take(), interrupted, crossed) {
            _ if program.is_some_and(|program| program.is_aborted()) => Outcome::Aborted,
            (Some(outcome), ..) => outcome,
            (None, false, _) if program.is_some_and(|program| program.is_failed()) => Outcome::Failed,
            (None, true, _) => Outcome::Interrupted,
            (None, false, true) => Outcome::Crossed,
            (None, false, false) => Outcome::Passed,
        };
        // One that was stopped before it began has no steps.
        let users_ns = if self.begin_ns == 0 { 0 } else { self.ended_ns.saturating_sub(self.begin_ns) };
        let steps = std::mem::take(&mut self.course)
            .finish(users_ns as f64 / 1e9, |at_s, for_s| series::asked_per_s(&self.plan, at_s, for_s));
        let groups = self.samples.groups();
        let setup_data = match &self.plan.source {
            Source::Script(run) => run.data.clone(),
            Source::Plain(_) => None,
        };
        Ok(Report {
            is_aborted: self.is_aborted,
            setup_data,
            outcome,
            elapsed_ns,
            setup_ns: self.begin_ns.saturating_sub(self.start_ns),
            steps,
            metrics,
            scopes,
            checks: groups.checks().to_vec(),
            groups: groups.paths().to_vec(),
            failures: self.samples.failures.list(),
            interrupted: self.totals.interrupted,
            users_max: self.users(),
        })
    }

    fn hear(&mut self, thread: u32, message: Message) {
        match message {
            Message::Ready => {
                self.ready += 1;
                if self.ready == self.threads.len() {
                    let now = now_ns();
                    // Making users is no part of the test.
                    let made_ns = if self.start_ns == 0 { 0 } else { now - self.spawned_ns };
                    self.start_ns = if self.start_ns == 0 { now } else { self.start_ns + made_ns };
                    self.begin_ns = now;
                    if let Source::Script(run) = &self.plan.source {
                        run.script.program.start_ns.store(self.start_ns, Ordering::Relaxed);
                    }
                    self.read_counts();
                    self.stop.start(self.begin_ns);
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
        if let Some((second, step)) = self.course.take(index, &samples, self.threads.len()) {
            self.latest.last_second = Some(second);
            self.read_counts();
            let asked_per_s = series::asked_per_s(&self.plan, step.at_s, step.for_s);
            let (vus, vus_max) = (self.totals.active, self.users());
            self.course.note(Step { asked_per_s, vus, vus_max, ..step });
        }
        samples.clear();
        let thread = usize::try_from(thread).ok().and_then(|thread| self.threads.get(thread));
        if let Some(thread) = thread {
            let _ = thread.spare.send(samples);
        }
    }

    /// One line for each kind of failure; a status is an answer, which the summary counts.
    fn warn_of_failures(&mut self, samples: &Samples) {
        let Source::Plain(request) = &self.plan.source else { return };
        for count in samples.failures.list() {
            let failure = count.failure;
            if !failure.is_status() && !self.told.contains(&failure) && self.told.len() < MOST_TOLD {
                self.latest.warnings.push(format!("Request Failed: GET {}: {}", request.url, failure.text));
                self.told.push(failure);
            }
        }
    }

    /// Looks at the thresholds, and ends the test where one of them asks for it.
    fn judge(&mut self, elapsed_ns: u64) {
        if self.plan.thresholds.is_empty() {
            return;
        }
        let metrics = self.measured(elapsed_ns).metrics();
        let is_last_straw = |metric: &Metric| {
            let of_this = self.plan.thresholds.iter().filter(|threshold| threshold.metric == metric.name);
            let mut pairs = of_this.zip(&metric.verdicts);
            pairs.any(|(threshold, verdict)| {
                !verdict.holds && threshold.abort_on_fail && elapsed_ns >= threshold.delay_abort_ns
            })
        };
        let aborts = metrics.iter().any(is_last_straw);
        self.latest.crossed = metrics.into_iter().filter(Metric::is_crossed).map(|metric| metric.name).collect();
        if aborts && !self.stop.is_stopped() {
            self.is_aborted = true;
            self.stop.stop();
        }
    }

    fn measured(&self, elapsed_ns: u64) -> Measured<'_> {
        Measured { samples: &self.samples, catalog: &self.catalog, thresholds: &self.plan.thresholds, elapsed_ns }
    }

    /// Samples `vus` and `vus_max`: once a second, first after one.
    #[allow(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
    fn sample_gauges(&mut self, is_written: bool) {
        self.read_counts();
        let now = now_ns();
        for (metric, value) in [(id::VUS, self.totals.active), (id::VUS_MAX, self.users())] {
            if let Some(sink) = self.samples.metric_mut(metric) {
                sink.add(value as f64, now);
            }
        }
        if let Some(points) = self.plan.points.as_ref().filter(|_| is_written) {
            let point = |(metric, value): (_, u64)| {
                let tags = Pairs::clone(&self.tags);
                Point { metric, value: value as f64, at_ns: now, tags, who: Who::default() }
            };
            (points.0)([(id::VUS, self.totals.active), (id::VUS_MAX, self.users())].map(point).into());
        }
        self.show_metrics(self.elapsed_ns());
    }

    /// All metrics as they stand, for whoever watches them.
    fn show_metrics(&self, elapsed_ns: u64) {
        if let Some(watch) = &self.plan.watch {
            (watch.0)(self.measured(elapsed_ns).metrics());
        }
    }

    /// Users made, or promised beforehand.
    fn users(&self) -> u64 {
        u64::from(self.plan.initial_users()) + self.totals.extra_users
    }

    fn report_progress(&mut self, elapsed_ns: u64, progress: &mut impl FnMut(&Progress)) {
        self.read_counts();
        let totals = &self.totals;
        let scenarios = (0..self.plan.scenarios.len()).map(|at| self.scenario_progress(at, elapsed_ns)).collect();
        self.latest = Progress {
            elapsed_ns,
            duration_ns: self.plan.duration_ns(),
            active: totals.active,
            users: self.users(),
            iterations: totals.iterations,
            interrupted: totals.interrupted,
            dropped: totals.dropped,
            requests: totals.requests,
            failed: totals.failed,
            scenarios,
            ..std::mem::take(&mut self.latest)
        };
        progress(&self.latest);
        self.latest.warnings.clear();
    }

    fn scenario_progress(&self, at: usize, elapsed_ns: u64) -> ScenarioProgress {
        let (scenario, totals) = (&self.plan.scenarios[at], &self.totals.scenarios[at]);
        let setup_ns = self.begin_ns.saturating_sub(self.start_ns);
        let since_ns = elapsed_ns.checked_sub(scenario.start_ns + setup_ns);
        let running_ns = since_ns.unwrap_or(0).min(scenario.executor.duration_ns());
        let target_per_s = match &scenario.executor {
            Executor::Arrivals { schedule, .. } => schedule.rate_per_s(running_ns),
            Executor::Looping(_) => 0.0,
        };
        ScenarioProgress {
            elapsed_ns: since_ns,
            ended_ns: totals.ended_ns.map(|ns| ns.saturating_sub(scenario.start_ns)),
            cut_off: totals.cut_off,
            target_per_s,
            active: totals.active,
            users: u64::from(scenario.executor.initial_users()) + totals.extra_users,
            iterations: totals.iterations,
        }
    }

    fn read_counts(&mut self) {
        self.totals = Totals::read(&self.threads.iter().map(|thread| &*thread.live), self.plan.scenarios.len());
    }

    fn elapsed_ns(&self) -> u64 {
        if self.start_ns == 0 { 0 } else { now_ns().saturating_sub(self.start_ns) }
    }
}
