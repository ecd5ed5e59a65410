//! The master: keeps the privileges, the listening sockets and the logs, takes the signals, and sees to it that a
//! worker serves.
//!
//! One worker serves at a time. A reload hands it the new configuration; where that asks for what no running process
//! can change (threads, user, open files), a fresh worker takes over and the old one drains.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::bail;
use conf::tree::LogLevel;
use rustix::process::{Pid, getppid};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::admin::AdminSocket;
use super::crew::{Event, STOP_PATIENCE, Stage, Worker};
use super::message::{Order, Report};
use super::notify::Notify;
use super::pid::PidFile;
use super::plan::Plan;
use super::signals::{Asked, Signals};
use super::sockets::Sockets;
use super::upgrade::Start;
use super::voice::Voice;
use super::{daemon, logs};
use crate::files::Source;
use crate::hosts::AgentsArgs;

/// Events of workers that wait for the master.
const EVENTS: usize = 64;
/// A worker that ends within this time of its start may have something wrong with it.
const TOO_SOON: Duration = Duration::from_secs(1);
/// So many of them in a row are replaced at once: each may have been killed. The ones behind wait a while.
const SOON_ENDS: u32 = 5;
/// How long the next one then waits at first, and at most.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// How long a worker may take over a new configuration. One that stands still gets no second one.
const TAKE_UP_PATIENCE: Duration = Duration::from_secs(20);

/// What a master starts with.
pub(super) struct Setup {
    pub(super) start: Start,
    pub(super) source: Source,
    pub(super) plan: Plan,
    pub(super) sockets: Sockets,
    pub(super) admin: Vec<AdminSocket>,
    pub(super) hosts: AgentsArgs,
    pub(super) voice: Voice,
    /// Whether it went to the background, or took over from a program before it: then WINCH is nginx's signal, and not
    /// a terminal that changes its size.
    pub(super) is_daemon: bool,
    pub(super) is_second: bool,
    /// The program that this one took over from: its parent for as long as that lives.
    pub(super) predecessor: Option<Pid>,
}

/// Whether it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// WINCH: the workers go, the sockets stay, HUP brings it back.
    Resting,
    Draining,
    Stopping,
}

/// A configuration that a worker is about to take up.
struct Candidate {
    number: u64,
    plan: Plan,
    sockets: Sockets,
    /// The worker that takes it up.
    worker: u64,
    /// When it is given up.
    until: Instant,
}

struct Master {
    setup: Setup,
    notify: Notify,
    phase: Phase,
    /// Counts configurations and workers.
    last_number: u64,
    workers: Vec<Worker>,
    events: mpsc::Sender<Event>,
    pid: PidFile,
    candidate: Option<Candidate>,
    /// HUP came while a reload was under way.
    reload_again: bool,
    has_served: bool,
    /// Workers in a row that ended too soon.
    soon_ends: u32,
    /// Workers that died and were replaced.
    respawned: u64,
    respawn_at: Option<Instant>,
    kill_at: Option<Instant>,
    successor: Option<Child>,
}

/// Serves until a signal ends it.
pub(super) async fn run(setup: Setup) -> anyhow::Result<()> {
    // Taken before anybody can know that it serves: a signal must not find the process without them.
    let mut signals = Signals::take()?;
    let pid = PidFile::write(&setup.plan.config.main.pid)?;
    let (sender, mut events) = mpsc::channel(EVENTS);
    let mut master = Master::new(setup, sender, pid);
    master.start_worker(0)?;
    while !master.is_over() {
        let next = master.next_time();
        tokio::select! {
            asked = signals.next() => master.asked(asked),
            Some(event) = events.recv() => match event {
                Event::Reported(id, report) => master.reported(id, report)?,
                Event::Ended(id, status) => master.ended(id, status)?,
            },
            status = ended(&mut master.successor) => master.successor_ended(&status),
            () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                master.time_has_come();
            }
        }
    }
    if master.successor.is_some() {
        master.setup.admin.iter_mut().for_each(|admin| admin.is_ours = false);
    }
    master.say(LogLevel::Notice, "exit");
    Ok(())
}

/// Waits for the end of the new program, if there is one.
async fn ended(successor: &mut Option<Child>) -> String {
    match successor {
        Some(child) => match child.wait().await {
            Ok(status) => how(status),
            Err(error) => error.to_string(),
        },
        None => std::future::pending().await,
    }
}

/// How a process ended, in nginx's words.
fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("exited on signal {signal}"),
        (None, None) => format!("ended ({status})"),
    }
}

impl Master {
    fn new(setup: Setup, events: mpsc::Sender<Event>, pid: PidFile) -> Self {
        Self {
            setup,
            notify: Notify::from_environment(),
            phase: Phase::Serving,
            last_number: 0,
            workers: Vec::new(),
            events,
            pid,
            candidate: None,
            reload_again: false,
            has_served: false,
            soon_ends: 0,
            respawned: 0,
            respawn_at: None,
            kill_at: None,
            successor: None,
        }
    }

    fn asked(&mut self, asked: Asked) {
        match asked {
            Asked::Stop => self.stop(),
            Asked::Quit => self.quit(),
            Asked::Reload => self.reload(),
            Asked::Reopen => self.reopen(),
            Asked::Upgrade => self.upgrade(),
            Asked::EndWorkers if self.setup.is_daemon => self.rest(),
            Asked::EndWorkers => {}
        }
    }

    /// Starts a worker for the configuration that is served, or for the candidate of that number.
    fn start_worker(&mut self, candidate: u64) -> anyhow::Result<()> {
        self.last_number += 1;
        let id = self.last_number;
        let chosen = self.candidate.as_mut().filter(|chosen| chosen.number == candidate);
        let (number, plan, sockets) = match chosen {
            Some(chosen) => {
                (chosen.worker, chosen.until) = (id, Instant::now() + TAKE_UP_PATIENCE);
                (chosen.number, &chosen.plan, &chosen.sockets)
            }
            None => (id, &self.setup.plan, &self.setup.sockets),
        };
        let mut assignment = plan.assign(number, sockets)?;
        assignment.respawned = self.respawned;
        assignment.admin = self.setup.admin.iter().map(|admin| admin.listener.try_clone()).collect::<Result<_, _>>()?;
        let in_background = self.setup.voice.file().filter(|_| self.setup.is_second);
        let stderr = in_background.map(std::fs::File::try_clone).transpose()?;
        let worker =
            Worker::start(id, Order::Serve(Box::new(assignment)), stderr, &self.setup.hosts, self.events.clone())?;
        self.say(LogLevel::Info, &format!("start worker process {}", worker.pid));
        self.workers.push(worker);
        Ok(())
    }

    fn reported(&mut self, id: u64, report: Report) -> anyhow::Result<()> {
        match report {
            Report::Serving { number } => self.serves(id, number),
            Report::Refused { number, why } => {
                if !self.has_served {
                    bail!("{why}");
                }
                self.refused(id, number, &why);
                Ok(())
            }
        }
    }

    fn serves(&mut self, id: u64, number: u64) -> anyhow::Result<()> {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == id) else { return Ok(()) };
        if worker.stage == Stage::Starting {
            worker.stage = Stage::Serving;
        }
        if let Some(candidate) = self.candidate.take_if(|candidate| candidate.number == number) {
            self.commit(candidate);
        }
        if self.phase != Phase::Serving {
            // It was told to leave while it started.
            return Ok(());
        }
        if !self.has_served {
            self.has_served = true;
            self.announce()?;
        }
        if std::mem::take(&mut self.reload_again) {
            self.reload();
        }
        Ok(())
    }

    /// Lets everybody know that it serves for the first time.
    fn announce(&mut self) -> anyhow::Result<()> {
        let (path, threads) = (self.setup.source.path.display(), self.setup.plan.threads);
        let what = format!("serving {path} with {threads} threads, process {}", std::process::id());
        if self.setup.voice.is_foreground {
            crate::say(format_args!("{what}"));
        }
        if self.setup.is_second {
            daemon::serves(&mut self.setup.voice)?;
        }
        self.notify.ready(&what);
        Ok(())
    }

    /// The candidate is what is served now.
    fn commit(&mut self, candidate: Candidate) {
        let Candidate { plan, sockets, worker, .. } = candidate;
        self.setup.voice.follow(&plan.config.main.error_logs);
        if let Err(error) = self.pid.follow(&plan.config.main.pid) {
            self.say(LogLevel::Emerg, &format!("{error:#}"));
        }
        self.setup.plan = plan;
        // The sockets of listeners that are gone are closed here; the worker has taken what waited there.
        self.setup.sockets.remove_files(&sockets);
        self.setup.sockets = sockets;
        for other in self.workers.iter_mut().filter(|other| other.id != worker) {
            leave(other, Order::Drain { keep_admin: false });
        }
        let threads = self.setup.plan.threads;
        let what = format!("serving {} with {threads} threads", self.setup.source.path.display());
        self.say(LogLevel::Notice, "the new configuration is served");
        self.notify.ready(&what);
    }

    fn refused(&mut self, id: u64, number: u64, why: &str) {
        let Some(candidate) = self.candidate.take_if(|candidate| candidate.number == number) else {
            return self.say(LogLevel::Alert, &format!("worker process cannot serve: {why}"));
        };
        let was_asked_of = self.workers.iter().find(|worker| worker.id == id).map(|worker| worker.stage);
        if was_asked_of == Some(Stage::Serving) {
            // What a worker in its years cannot take up, a fresh one may.
            self.candidate = Some(candidate);
            match self.start_worker(number) {
                Ok(()) => return,
                Err(error) => {
                    self.candidate = None;
                    return self.keep_old(&format!("{error:#}"));
                }
            }
        }
        self.keep_old(why);
    }

    /// A reload came to nothing.
    fn keep_old(&mut self, why: &str) {
        self.say(LogLevel::Emerg, why);
        self.say(LogLevel::Error, "the new configuration is refused; the old one is served on");
        for worker in self.workers.iter().filter(|worker| worker.stage == Stage::Serving) {
            // One that takes no order has other troubles.
            let _ = worker.order(Order::Note { refused: why.to_owned() });
        }
        self.notify.ready("The new configuration is refused (see the error log); the old one is served on");
    }

    fn reload(&mut self) {
        if !matches!(self.phase, Phase::Serving | Phase::Resting) {
            return;
        }
        let serving = self.workers.iter().find(|worker| worker.stage == Stage::Serving).map(|worker| worker.id);
        let is_starting = self.workers.iter().any(|worker| worker.stage == Stage::Starting);
        if self.phase == Phase::Serving && (self.candidate.is_some() || is_starting) {
            self.reload_again = true;
            return;
        }
        // What the worker that is waited for would start with may be what this configuration mends.
        self.respawn_at = None;
        self.say(LogLevel::Notice, "signal 1 (SIGHUP) received, reconfiguring");
        self.notify.reloading();
        if self.phase == Phase::Resting && self.successor.is_some() {
            // As in nginx: the old program takes back what it had, not what is meant for the new one.
            self.phase = Phase::Serving;
            return self.restart_worker();
        }
        self.phase = Phase::Serving;
        match self.prepare() {
            Ok(None) => self.keep_old("the configuration has errors"),
            Ok(Some((plan, sockets))) => {
                if let Err(error) = self.hand_over(plan, sockets, serving) {
                    self.candidate = None;
                    self.keep_old(&format!("{error:#}"));
                }
            }
            Err(error) => self.keep_old(&format!("{error:#}")),
        }
        if self.candidate.is_none() && serving.is_none() {
            // It rested, and has nothing better than what it had.
            self.restart_worker();
        }
    }

    /// Reads the configuration and opens what it names.
    fn prepare(&self) -> anyhow::Result<Option<(Plan, Sockets)>> {
        let (loaded, plan) = Plan::read(&self.setup.source);
        self.setup.voice.tell_errors(&loaded);
        let Some(plan) = plan? else { return Ok(None) };
        let sockets = self.setup.sockets.follow(&plan.addresses)?;
        Ok(Some((plan, sockets)))
    }

    /// Gives a new configuration to the worker that serves, or to a fresh one.
    fn hand_over(&mut self, plan: Plan, sockets: Sockets, serving: Option<u64>) -> anyhow::Result<()> {
        self.last_number += 1;
        let number = self.last_number;
        let in_place = serving.filter(|_| self.setup.plan.can_become(&plan));
        let until = Instant::now() + TAKE_UP_PATIENCE;
        let candidate = Candidate { number, plan, sockets, worker: in_place.unwrap_or(0), until };
        let Some(worker) = self.workers.iter().find(|worker| Some(worker.id) == in_place) else {
            self.candidate = Some(candidate);
            return self.start_worker(number);
        };
        let assignment = candidate.plan.assign(number, &candidate.sockets)?;
        if !worker.order(Order::Serve(Box::new(assignment))) {
            bail!("worker process {} takes no orders", worker.pid);
        }
        self.candidate = Some(candidate);
        Ok(())
    }

    fn reopen(&mut self) {
        self.say(LogLevel::Notice, "signal 10 (SIGUSR1) received, reopening logs");
        let plan = &self.setup.plan;
        self.setup.voice.follow(&plan.config.main.error_logs);
        for worker in &self.workers {
            let tell = |what: String| self.say(LogLevel::Alert, &what);
            let files = logs::reopen(&plan.logs, plan.account.as_ref(), tell);
            worker.order(Order::Reopen(files));
        }
    }

    /// A worker is gone. One that was needed is replaced.
    fn ended(&mut self, id: u64, status: std::io::Result<ExitStatus>) -> anyhow::Result<()> {
        let Some(at) = self.workers.iter().position(|worker| worker.id == id) else { return Ok(()) };
        let worker = self.workers.swap_remove(at);
        let how = status.map_or_else(|error| error.to_string(), how);
        let what = format!("worker process {} {how}", worker.pid);
        if worker.stage == Stage::Leaving {
            self.say(LogLevel::Notice, &what);
            return Ok(());
        }
        self.say(LogLevel::Alert, &what);
        if !self.has_served && self.phase == Phase::Serving {
            bail!("{what} before it served");
        }
        if self.candidate.take_if(|candidate| candidate.worker == id).is_some() {
            if worker.stage == Stage::Starting {
                self.keep_old(&what);
            } else {
                self.reload_again = true;
            }
        }
        if self.phase == Phase::Serving && !self.workers.iter().any(|other| other.stage != Stage::Leaving) {
            self.replace(&worker);
        }
        Ok(())
    }

    /// At once, or after a while where workers end as soon as they start.
    fn replace(&mut self, ended: &Worker) {
        self.respawned += 1;
        let is_soon = ended.started.elapsed() < TOO_SOON;
        self.soon_ends = if is_soon { self.soon_ends.saturating_add(1) } else { 0 };
        if self.soon_ends <= SOON_ENDS {
            return self.restart_worker();
        }
        let doubled = (self.soon_ends - SOON_ENDS - 1).min(16);
        let wait = (BACK_OFF * 2_u32.pow(doubled)).min(BACK_OFF_MAX);
        let what = format!("workers end as soon as they start: the next one starts in {} ms", wait.as_millis());
        self.say(LogLevel::Alert, &what);
        self.respawn_at = Some(Instant::now() + wait);
    }

    fn restart_worker(&mut self) {
        if let Err(error) = self.start_worker(0) {
            self.say(LogLevel::Alert, &format!("{error:#}"));
            self.respawn_at = Some(Instant::now() + BACK_OFF_MAX);
        }
    }

    /// WINCH: the workers go, everything else stays.
    fn rest(&mut self) {
        self.say(LogLevel::Notice, "signal 28 (SIGWINCH) received, gracefully shutting down workers");
        if self.phase == Phase::Serving {
            self.phase = Phase::Resting;
            self.respawn_at = None;
            self.candidate = None;
            self.workers.iter_mut().for_each(|worker| leave(worker, Order::Drain { keep_admin: false }));
        }
    }

    fn quit(&mut self) {
        self.say(LogLevel::Notice, "signal 3 (SIGQUIT) received, gracefully shutting down");
        if matches!(self.phase, Phase::Serving | Phase::Resting) {
            self.tell_stopping("Finishing what is under way");
            self.leave_for_good(Phase::Draining);
            let keep_admin = self.successor.is_none();
            self.workers.iter_mut().for_each(|worker| leave(worker, Order::Drain { keep_admin }));
        }
    }

    fn stop(&mut self) {
        self.say(LogLevel::Notice, "signal 15 (SIGTERM) received, exiting");
        self.tell_stopping("Ending");
        self.leave_for_good(Phase::Stopping);
        self.workers.iter_mut().for_each(|worker| leave(worker, Order::Stop));
        self.kill_at = Some(Instant::now() + STOP_PATIENCE);
    }

    /// systemd then ends what is left of the service, so not while another program goes on with it.
    fn tell_stopping(&self, status: &str) {
        if !self.is_one_of_two() {
            self.notify.stopping(status);
        }
    }

    /// Whether the program before this one, or the one behind it, is there too.
    fn is_one_of_two(&self) -> bool {
        self.successor.is_some() || self.setup.predecessor.is_some_and(|pid| getppid() == Some(pid))
    }

    fn leave_for_good(&mut self, phase: Phase) {
        self.phase = phase;
        self.respawn_at = None;
        self.candidate = None;
        if !self.is_one_of_two() {
            self.setup.sockets.remove_files(&Sockets::default());
        }
        self.setup.sockets = Sockets::default();
    }

    /// USR2: the program is started anew beside this one.
    fn upgrade(&mut self) {
        self.say(LogLevel::Notice, "signal 12 (SIGUSR2) received, changing binary");
        // A third program would take the pid file of the first one's: `.oldbin` is one place only.
        if self.is_one_of_two() || !matches!(self.phase, Phase::Serving | Phase::Resting) {
            return self.say(LogLevel::Alert, "the changing binary signal is ignored: one of the two has to end first");
        }
        let path = self.setup.plan.config.main.pid.clone();
        let started = self.pid.set_aside(&path).and_then(|()| {
            let Setup { start, sockets, admin, .. } = &self.setup;
            start.successor(sockets, admin).inspect_err(|_| {
                // What fails here is told with the error.
                let _ = self.pid.take_back(&path);
            })
        });
        match started {
            Ok(child) => {
                self.say(LogLevel::Notice, &format!("start new binary process {}", child.id().unwrap_or(0)));
                self.successor = Some(child);
            }
            Err(error) => self.say(LogLevel::Alert, &format!("{error:#}")),
        }
    }

    /// The new program is gone: this one goes on as if it had never been.
    fn successor_ended(&mut self, how: &str) {
        self.successor = None;
        self.say(LogLevel::Alert, &format!("new binary process {how}"));
        let path = self.setup.plan.config.main.pid.clone();
        if let Err(error) = self.pid.take_back(&path) {
            self.say(LogLevel::Alert, &format!("{error:#}"));
        }
        if self.phase == Phase::Resting {
            self.phase = Phase::Serving;
            self.restart_worker();
        }
        if self.phase == Phase::Serving {
            // To the service manager the new one was the main process, with which the service ends.
            self.notify.ready("The new program has ended; the old one serves on");
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let given_up_at = self.candidate.as_ref().map(|candidate| candidate.until);
        [self.respawn_at, self.kill_at, given_up_at].into_iter().flatten().min()
    }

    fn time_has_come(&mut self) {
        let now = Instant::now();
        if self.respawn_at.take_if(|at| *at <= now).is_some() {
            if std::mem::take(&mut self.reload_again) { self.reload() } else { self.restart_worker() }
        }
        if self.kill_at.take_if(|at| *at <= now).is_some() {
            self.workers.iter().for_each(Worker::kill);
        }
        let late = self.candidate.as_ref().filter(|candidate| candidate.until <= now);
        if let Some((worker, number)) = late.map(|candidate| (candidate.worker, candidate.number)) {
            self.refused(worker, number, "the worker process does not take it up");
            // A fresh one that stands still must not serve a refused configuration when it goes on.
            let is_stuck = |other: &&mut Worker| other.id == worker && other.stage == Stage::Starting;
            if let Some(stuck) = self.workers.iter_mut().find(is_stuck) {
                stuck.stage = Stage::Leaving;
                stuck.kill();
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Draining | Phase::Stopping) && self.workers.is_empty()
    }

    fn say(&self, level: LogLevel, what: &str) {
        self.setup.voice.say(level, what);
    }
}

/// Tells a worker to go. One that takes no orders is ended.
fn leave(worker: &mut Worker, order: Order) {
    worker.stage = Stage::Leaving;
    if !worker.order(order) {
        worker.kill();
    }
}
