//! The steps of a roll, one server after the other: drain, down, the command, ready, in service, slow start.
//!
//! ```text
//! up -> draining -> down, nothing in flight -> restarted -> [probed] -> [draining, checks pass] -> up -> [slow start]
//! ```
//!
//! Until the command runs, a failure puts the server back; from then on it leaves the server down, for nobody knows
//! what it is.

use std::time::Duration;

use anyhow::{anyhow, bail};
use tokio::time::{Instant, sleep};

use super::balancer::{Balancer, SOON};
use super::notes::Notes;
use super::plan::{Target, enough};
use super::ready::{Passes, probe};
use super::report::{Left, Row};
use super::template::values;
use super::view::{Marks, Server};
use super::{Settings, command};

/// How often the interface is asked.
const LOOK: Duration = Duration::from_millis(100);
/// For how long nothing is in flight before that counts: threads take a change up one by one.
const SETTLED: Duration = Duration::from_millis(500);
/// The time between two probes.
const PROBE: Duration = Duration::from_millis(250);

const UP: Marks = Marks { down: false, drain: false };
const DRAIN: Marks = Marks { down: false, drain: true };
const DOWN: Marks = Marks { down: true, drain: false };
/// Whatever is said of it.
const ANY: [Marks; 4] = [UP, DRAIN, DOWN, Marks { down: true, drain: true }];

/// Why a roll ends early.
pub(super) enum Stop {
    Interrupted,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// A roll under way.
pub(super) struct Roll<'a> {
    pub(super) balancer: &'a Balancer<'a>,
    pub(super) settings: &'a Settings,
    pub(super) signals: lab::Signals,
    pub(super) notes: Notes,
    /// Whose turn it is, once there is one.
    pub(super) at: Option<usize>,
    /// What was last said of that server.
    pub(super) marks: Marks,
}

impl Roll<'_> {
    /// Restarts one server after the other. Each row says how far that came.
    pub(super) async fn all(&mut self, targets: &[Target], rows: &mut [Row]) -> Result<(), Stop> {
        for (index, (target, row)) in targets.iter().zip(rows).enumerate() {
            self.unless_interrupted()?;
            self.at = Some(index);
            self.one(target, row).await?;
        }
        Ok(())
    }

    async fn one(&mut self, target: &Target, row: &mut Row) -> Result<(), Stop> {
        self.wait_for_others(target).await?;
        if let Err(stop) = self.set_aside(target, row).await {
            self.put_back(target, row).await;
            return Err(stop);
        }
        if let Err(error) = self.restart(target, row).await {
            self.leave_down(target, row).await;
            return Err(error.into());
        }
        row.left = Left::Unknown;
        self.balancer.mark(&target.server, &[self.marks], UP).await?;
        row.left = Left::Restarted;
        self.settle(target).await
    }

    /// Puts a server back that was not restarted. One of which somebody else has said something meanwhile, such as that
    /// it is down, stays as it is.
    async fn put_back(&self, target: &Target, row: &mut Row) {
        let set: &[Marks] = if self.marks == DOWN { &[DRAIN, DOWN] } else { &[DRAIN] };
        let marked = self.balancer.mark_within(SOON, &target.server, set, UP).await;
        row.left = if marked.is_ok() { Left::AsBefore } else { Left::Unknown };
        match marked {
            Ok(()) => self.say(target, "is put back"),
            Err(error) => self.say(target, &format!("could not be put back: {error:#}")),
        }
    }

    /// Leaves a server without requests whose command has begun; where the balancer is gone, or another roll has it,
    /// nobody knows.
    pub(super) async fn leave_down(&self, target: &Target, row: &mut Row) {
        let marked = self.balancer.mark_within(SOON, &target.server, &ANY, DOWN).await;
        row.left = if marked.is_ok() { Left::Down } else { Left::Unknown };
    }

    /// Enough of the others have to be up before this one goes.
    async fn wait_for_others(&mut self, target: &Target) -> Result<(), Stop> {
        let end = Instant::now() + self.settings.ready_timeout;
        loop {
            let view = self.unless_signal(self.balancer.look()).await?;
            // Since the roll began somebody may have taken it out of service.
            view.own(&target.server, &[UP])?;
            match enough(&view, &target.server, self.settings.min_up) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= end => return Err(error.into()),
                Err(_) => self.pause().await?,
            }
        }
    }

    /// Takes a server out of service, its sessions last.
    async fn set_aside(&mut self, target: &Target, row: &mut Row) -> Result<(), Stop> {
        row.left = Left::Unknown;
        self.mark(target, UP, DRAIN).await?;
        self.say(target, "drains");
        let began = Instant::now();
        row.sessions_cut = self.drain(target).await?;
        self.mark(target, DRAIN, DOWN).await?;
        self.finish(target).await?;
        row.drain_ms = Some(millis(began));
        let is_cut = row.sessions_cut == Some(true);
        self.say(target, if is_cut { "is down; its sessions go elsewhere" } else { "is down" });
        Ok(())
    }

    /// Changes what is said of a server whose command does not run yet.
    async fn mark(&mut self, target: &Target, from: Marks, to: Marks) -> Result<(), Stop> {
        self.marks = to;
        self.unless_signal(self.balancer.mark(&target.server, &[from], to)).await
    }

    /// Waits until nothing is in flight and sessions are idle. Whether some were still in use at the end of the time
    /// that they have; nobody knows where the balancer sees none, or was not to wait.
    async fn drain(&mut self, target: &Target) -> Result<Option<bool>, Stop> {
        let is_sticky = self.unless_signal(self.balancer.look()).await?.is_sticky;
        let idle = self.settings.idle_of(is_sticky);
        let in_flight = self.quiet(target, DRAIN, idle).await?;
        Ok((is_sticky && !idle.is_zero()).then_some(in_flight.is_some()))
    }

    /// Waits until what a server has begun is over.
    async fn finish(&mut self, target: &Target) -> Result<(), Stop> {
        match self.quiet(target, DOWN, Duration::ZERO).await? {
            None => Ok(()),
            Some(left) => Err(anyhow!("{left} requests are still in flight after --drain-timeout").into()),
        }
    }

    /// Waits until a server that is set aside has had nothing to do for so long; the requests in flight where it does
    /// not come to that in its time. Enough of the others have to be up all the while.
    async fn quiet(&mut self, target: &Target, marks: Marks, idle: Duration) -> Result<Option<u64>, Stop> {
        let mut quiet = Quiet::default();
        let end = Instant::now() + self.settings.drain_timeout;
        loop {
            let view = self.unless_signal(self.balancer.look()).await?;
            enough(&view, &target.server, self.settings.min_up)?;
            let server = view.own(&target.server, &[marks])?;
            let quiet = quiet.with(server);
            if quiet >= idle.max(SETTLED) {
                return Ok(None);
            }
            // However short the time is: what is quiet may show that it stays so.
            let is_settling = idle.is_zero() && server.active == 0 && Instant::now() < end + SETTLED * 2;
            if Instant::now() >= end && !is_settling {
                return Ok(Some(server.active));
            }
            self.pause().await?;
        }
    }

    /// Runs the command and waits until the server is ready. An interrupt waits for that too.
    async fn restart(&mut self, target: &Target, row: &mut Row) -> anyhow::Result<()> {
        let (began, end) = (Instant::now(), Instant::now() + self.settings.ready_timeout);
        self.say(target, &format!("is restarted: {}", target.command));
        let values = values(&target.server);
        row.left = Left::Down;
        command::run(&target.command, &values, end, &self.notes).await?;
        row.command_ms = Some(millis(began));
        if let Some(path) = self.settings.probed(&target.server) {
            self.probed(target, path, end).await?;
        }
        if target.server.is_checked() {
            row.left = Left::Unknown;
            // A reload has put it in service again, or nothing has.
            self.balancer.mark(&target.server, &[DOWN, UP], DRAIN).await?;
            self.marks = DRAIN;
            self.checked(target, end).await?;
        }
        row.ready_ms = Some(millis(began));
        self.say(target, &format!("is ready after {:.1} s", began.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Waits until the server itself has answered so often in a row.
    async fn probed(&self, target: &Target, path: &str, end: Instant) -> anyhow::Result<()> {
        let mut passed = 0;
        while passed < self.settings.passes {
            let probed = probe(&target.server.address, path).await;
            passed = if probed.is_ok() { passed + 1 } else { 0 };
            if passed < self.settings.passes && Instant::now() >= end {
                let few = || anyhow!("{passed} of {} probes have passed in a row", self.settings.passes);
                let error = probed.err().unwrap_or_else(few);
                return Err(error.context(format!("it is not ready within --ready-timeout, at {path}")));
            }
            sleep(PROBE).await;
        }
        Ok(())
    }

    /// Waits until so many of the balancer's checks have passed in a row.
    async fn checked(&self, target: &Target, end: Instant) -> anyhow::Result<()> {
        let mut passes: Option<Passes> = None;
        loop {
            let view = self.balancer.look().await?;
            let server = view.own(&target.server, &[DRAIN])?;
            let passed = passes.get_or_insert_with(|| Passes::since(server.checks)).with(server.checks);
            if passed >= self.settings.passes && server.state == "draining" {
                return Ok(());
            }
            if Instant::now() >= end {
                bail!(
                    "it is not ready within --ready-timeout: {passed} of {} checks have passed in a row, and it is {}",
                    self.settings.passes,
                    server.state
                );
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until the server bears its share; one that fails then is no server to go on after.
    async fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        let slow = target.server.slow_start;
        let text = if slow.is_zero() { String::new() } else { format!("; slow start for {:.0} s", slow.as_secs_f64()) };
        self.say(target, &format!("is in service{text}"));
        let (settled, end) = (Instant::now() + slow, Instant::now() + slow + self.settings.ready_timeout);
        loop {
            let view = self.unless_signal(self.balancer.look()).await?;
            let server = view.own(&target.server, &[UP])?;
            let is_up = server.state == "up";
            if is_up && Instant::now() >= settled {
                return Ok(());
            }
            if server.state == "unhealthy" || (!is_up && Instant::now() >= end) {
                return Err(anyhow!("it was in service again and is {} now", server.state).into());
            }
            self.pause().await?;
        }
    }

    /// The time between two looks; cut short by a signal.
    async fn pause(&self) -> Result<(), Stop> {
        let pause = async {
            sleep(LOOK).await;
            Ok(())
        };
        self.unless_signal(pause).await
    }

    /// What comes first: what is asked for, or a signal.
    async fn unless_signal<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> Result<T, Stop> {
        let mut signals = self.signals.clone();
        tokio::select! {
            biased;
            () = signals.first() => Err(Stop::Interrupted),
            done = work => Ok(done?),
        }
    }

    fn unless_interrupted(&self) -> Result<(), Stop> {
        if self.signals.have_come() { Err(Stop::Interrupted) } else { Ok(()) }
    }

    fn say(&self, target: &Target, what: &str) {
        self.notes.say(&format!("{} {what}", target.server.shown()));
    }
}

/// Since when a server has nothing to do.
#[derive(Default)]
struct Quiet {
    requests: u64,
    since: Option<Instant>,
}

impl Quiet {
    fn with(&mut self, server: &Server) -> Duration {
        if server.active > 0 || server.requests != self.requests || self.since.is_none() {
            *self = Self { requests: server.requests, since: Some(Instant::now()) };
        }
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
