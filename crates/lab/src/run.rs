//! The run of a lab from the first check to the last process: the order of things, and the one event loop.
//!
//! Processes are started from the thread that calls [`run`], for the kernel ties them to its life.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use net::clock::unix_ms;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::certificate;
use crate::config::{self, Difference};
use crate::crew::Crew;
use crate::injector::{Injector, InjectorError, News};
use crate::liberty::{self, Liberty};
use crate::plan::{Options, Plan, PlanError};
use crate::preflight::{self, Obstacles};
use crate::processes::ProcessError;
use crate::report::{Report, lost, millis};
use crate::roll::{self, Roll};
use crate::signals::Signals;
use crate::timeline::Moment;
use crate::watch::{self, Status, WatchError};

/// How often processes and counters are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// The part of the rate that a warm-up has.
const WARM_UP_PART: u64 = 4;
/// Events of the balancer that wait to be looked at; it waits when there are more.
const EVENTS_MAX: usize = 1_024;

/// Why a lab came to no end.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum Error {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Obstacles(#[from] Obstacles),
    #[error(transparent)]
    Liberty(#[from] liberty::InstallError),
    #[error("the certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error(transparent)]
    Injector(#[from] InjectorError),
    #[error("cannot start")]
    Start(#[from] std::io::Error),
    #[error("interrupted")]
    Interrupted,
}

/// What a lab tells while it runs.
pub enum Event<'a> {
    /// The configuration is written.
    Prepared {
        /// What was checked and laid out.
        plan: &'a Plan,
        /// How the configuration differs from the seed's.
        differences: &'a [Difference],
    },
    /// What is being got ready, where that takes a while.
    Preparing(String),
    /// Everything runs.
    Ready,
    /// A load that is not counted begins.
    WarmUp,
    /// The measured load begins.
    Load,
    /// How the load is getting on, a few times a second.
    Progress {
        /// What the injector says.
        progress: &'a load::Progress,
        /// Servers that the balancer sends requests to.
        up: usize,
        /// Servers.
        of: usize,
    },
    /// Something happened to a server.
    Moment(&'a Moment),
    /// A line of the rolling restart.
    Roll(String),
    /// A signal ends the load; another one would end the lab at once, without a result.
    Stopping,
    /// Something is odd and does not end the lab.
    Warning(String),
    /// The load is over.
    Done {
        /// What was asked for.
        plan: &'a Plan,
        /// What was measured.
        report: &'a Report,
    },
    /// Everything is left running until Ctrl-C.
    Kept {
        /// Where it all is.
        plan: &'a Plan,
    },
}

/// Runs a lab to its end and takes it all down again. `keep` leaves it running after the load, until Ctrl-C.
pub fn run(options: Options, keep: bool, tell: &mut dyn FnMut(Event<'_>)) -> Result<Report, Error> {
    let plan = Plan::new(options)?;
    let wanted = plan.options.liberty.as_ref();
    let liberty = wanted.map(|wanted| liberty::find(wanted, &mut |text| tell(Event::Preparing(text)))).transpose()?;
    preflight::check(&plan)?;
    let differences = write(&plan)?;
    if let Some(liberty) = &liberty {
        write_servers(&plan)?;
        let home = liberty.home.display();
        tell(Event::Preparing(format!("the servers are of {home}, on {}", liberty.java)));
    }
    tell(Event::Prepared { plan: &plan, differences: &differences });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, Box::pin(conduct(&plan, liberty.as_ref(), keep, tell)))
}

/// The lab in good order, given up at a second signal: what is dropped then kills its processes.
async fn conduct(
    plan: &Plan,
    liberty: Option<&Liberty>,
    keep: bool,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Report, Error> {
    let counted = Signals::new()?;
    let mut signals = counted.clone();
    let report = Box::pin(in_order(plan, liberty, keep, &mut signals, tell));
    counted.until_second(report).await.unwrap_or(Err(Error::Interrupted))
}

async fn in_order(
    plan: &Plan,
    liberty: Option<&Liberty>,
    keep: bool,
    signals: &mut Signals,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Report, Error> {
    let mut crew = tokio::select! {
        crew = Crew::start(plan, liberty, tell) => crew?,
        () = signals.first() => return Err(Error::Interrupted),
    };
    tell(Event::Ready);
    if !plan.options.warm_up.is_zero() {
        tell(Event::WarmUp);
        let warm_up = warm_up(plan, &mut crew);
        tokio::select! {
            done = warm_up => done?,
            () = signals.first() => return Err(Error::Interrupted),
        }
    }
    let report = measured(plan, &mut crew, signals, tell).await?;
    tell(Event::Done { plan, report: &report });
    if keep && report.load.outcome != load::Outcome::Interrupted {
        tell(Event::Kept { plan });
        let (mut look, end) = (every(LOOK), Instant::now());
        let mut told = crew.timeline.moments.len();
        while tokio::select! { () = signals.first() => false, _ = look.tick() => true } {
            crew.check(report.elapsed_ms + since(end))?;
            told = crew.tell_since(told, tell);
        }
    }
    crew.stop().await?;
    Ok(report)
}

/// A load at a part of the rate, so that connections and caches are as in a system that has run for a while.
async fn warm_up(plan: &Plan, crew: &mut Crew) -> Result<(), Error> {
    let rate = (plan.options.rate / WARM_UP_PART).max(1);
    let mut injector = Injector::start(&plan.url(), rate, plan.options.warm_up)?;
    while !matches!(injector.next().await?, News::Done(_)) {
        crew.check(0)?;
    }
    Ok(())
}

/// Starts the load. What a script's setup does is no part of it; the report where it ends before users begin.
async fn begin(
    plan: &Plan,
    crew: &mut Crew,
    signals: &mut Signals,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<(Injector, Option<Box<load::Report>>), Error> {
    let Some(load) = &plan.options.load else {
        crew.begin().await?;
        return Ok((Injector::start(&plan.url(), plan.options.rate, plan.options.duration)?, None));
    };
    let mut injector = Injector::run(load::Plan::clone(load))?;
    let over = tokio::select! {
        over = injector.begun() => over?,
        () = signals.first() => {
            tell(Event::Stopping);
            injector.stop();
            None
        }
    };
    crew.begin().await?;
    Ok((injector, over))
}

async fn measured(
    plan: &Plan,
    crew: &mut Crew,
    signals: &mut Signals,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Report, Error> {
    let (to, mut events) = mpsc::channel(EVENTS_MAX);
    let admin = plan.admin();
    let listener = tokio::task::spawn_local(async move { watch::events(&admin, to).await });
    let (mut injector, mut over) = begin(plan, crew, signals, tell).await?;
    let (start, start_unix_ms) = (Instant::now(), unix_ms());
    let mut statuses = statuses(plan.admin());
    if over.is_none() && !injector.is_stopped() {
        tell(Event::Load);
    }
    let mut roll = (plan.options.roll && over.is_none()).then(|| Roll::start(plan)).transpose()?;
    let mut rolled = plan.options.roll.then(roll::Outcome::default);
    let mut faults = plan.faults.iter().peekable();
    let (mut look, mut told) = (every(LOOK), 0);
    let load = loop {
        if let Some(report) = over.take() {
            break *report;
        }
        let next = faults.peek().map(|fault| start + fault.at);
        tokio::select! {
            biased;
            () = signals.first(), if !injector.is_stopped() => {
                tell(Event::Stopping);
                injector.stop();
            }
            () = tokio::time::sleep_until(next.unwrap_or(start)), if next.is_some() => {
                if let Some(fault) = faults.next() {
                    crew.fault(since(start), fault).await?;
                }
            }
            Some(event) = events.recv() => crew.event(event.at_ms.saturating_sub(start_unix_ms), &event),
            news = next_of(&mut roll) => rolled = take(news, rolled, start, crew, tell).await,
            Some(index) = crew.listening() => crew.listens(since(start), index),
            _ = look.tick() => crew.check(since(start))?,
            Some(status) = statuses.recv() => {
                crew.saw(since(start), status).into_iter().for_each(|odd| tell(Event::Warning(odd)));
            }
            news = injector.next() => match news? {
                News::Done(report) => break *report,
                News::Progress(progress) => {
                    crew.failed = progress.failed;
                    progress.warnings.iter().for_each(|odd| tell(Event::Warning(odd.clone())));
                    tell(Event::Progress { progress: &progress, up: crew.up(), of: plan.servers.len() });
                }
            },
        }
        told = crew.tell_since(told, tell);
    };
    crew.failed = lost(&load);
    crew.check(since(start))?;
    let last = watch::status(&plan.admin()).await;
    crew.saw(since(start), last).into_iter().for_each(|odd| tell(Event::Warning(odd)));
    listener.abort();
    Ok(Report { roll: rolled, ..crew.report(load, since(start)) })
}

/// What a roll tells next; for ever nothing where there is none.
async fn next_of(roll: &mut Option<Roll>) -> roll::News {
    match roll {
        Some(roll) => roll.next().await,
        None => std::future::pending().await,
    }
}

/// Does what a roll asks for, and notes its end.
async fn take(
    news: roll::News,
    before: Option<roll::Outcome>,
    start: Instant,
    crew: &mut Crew,
    tell: &mut dyn FnMut(Event<'_>),
) -> Option<roll::Outcome> {
    match news {
        roll::News::Line(line) => tell(Event::Roll(line)),
        roll::News::Restart(address, done) => {
            // Who asked may have been told to end meanwhile.
            let _ = done.send(crew.restart(start.elapsed(), &address).await);
        }
        roll::News::Ended(code, result) => {
            return Some(roll::Outcome { ended_ms: Some(since(start)), code, result });
        }
    }
    before
}

/// The balancer's state, asked for beside everything else: a balancer that hangs must not stop the lab.
fn statuses(admin: PathBuf) -> mpsc::Receiver<Result<Status, WatchError>> {
    let (to, from) = mpsc::channel(1);
    tokio::task::spawn_local(async move {
        let mut look = every(LOOK);
        loop {
            look.tick().await;
            if to.send(watch::status(&admin).await).await.is_err() {
                return;
            }
        }
    });
    from
}

/// Writes the files of the Liberty servers.
pub(crate) fn write_servers(plan: &Plan) -> Result<(), Error> {
    let secret = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    let memory_mib = host::memory_mib().unwrap_or(0);
    for server in &plan.servers {
        let folder = plan.options.folder.join(liberty::FOLDER).join("servers").join(&server.name);
        for file in liberty::files(server, plan.servers.len(), memory_mib, secret.trim()) {
            let path = folder.join(file.path);
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            made.map_err(|source| Error::Write { path: path.clone(), source })?;
            write_new(&path, &file.text)?;
        }
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    preflight::write_new(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Writes configuration, certificate and key.
fn write(plan: &Plan) -> Result<Vec<Difference>, Error> {
    let folder = &plan.options.folder;
    let (files, differences) = config::generate(plan);
    let pair = certificate::make(plan.https.ip())?;
    let texts = files.iter().map(|file| (file.path, file.text.as_str()));
    let all = texts.chain([("tls/liberty.crt", pair.certificate.as_str()), ("tls/liberty.key", pair.key.as_str())]);
    for (path, text) in all {
        write_new(&folder.join(path), text)?;
    }
    Ok(differences)
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut every = tokio::time::interval(period);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

fn since(start: Instant) -> u64 {
    millis(start.elapsed())
}
