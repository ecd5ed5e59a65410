//! The lab on hosts of its own: network namespaces with addresses and links, two balancers with keepalived and an
//! address that moves, servers behind them; hosts are cut off, lose packets, are stopped and come back.
//!
//! The way of it: [`plan`] says which hosts and faults there are; [`hosts`] makes the namespaces and links; [`site`]
//! starts what runs on them; [`probe`] asks the shared address all the time, as a new client and as one with a session;
//! the [`journal`] makes figures of what was seen. The lab itself, and with it the load, is on the host `injector`.
//!
//! A namespace has no name: it is gone with the process that holds it, and that ends with the lab, however the lab
//! ends.

mod hosts;
mod journal;
mod plan;
mod probe;
mod site;
mod verdict;

use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::injector::{Injector, InjectorError, News};
use crate::liberty::{self, Liberty};
use crate::preflight::Obstacle;
use crate::processes::ProcessError;
use crate::report::millis;
use crate::signals::Signals;

pub use hosts::{HostsError, READY};
pub use journal::{Report, Row};
pub use plan::{Act, Fault, FaultError, Options, SHARED};

use journal::Journal;
use probe::{Client, Probes, Sessions};
use site::Site;

/// How often it is looked who has the shared address.
const LOOK: Duration = Duration::from_millis(20);
/// How long the two balancers may take until one of them has the address.
const SETTLE: Duration = Duration::from_secs(20);

/// Why such a lab came to no end.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum Error {
    #[error("--netns makes network namespaces, which only root may: run it as root")]
    NotRoot,
    #[error("there is no `{0}`: --netns needs it (on Debian: apt-get install {1})")]
    NoProgram(&'static str, &'static str),
    #[error(transparent)]
    Fault(#[from] FaultError),
    #[error(transparent)]
    Hosts(#[from] HostsError),
    #[error("nothing was started: {0}")]
    Folder(Obstacle),
    #[error(transparent)]
    Liberty(#[from] liberty::InstallError),
    #[error("the certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("no client can be made with the certificate")]
    Client(#[from] net::tls::CertificateError),
    #[error("cannot write {}", path.display())]
    Write { path: std::path::PathBuf, source: std::io::Error },
    #[error("`bedloe ha keepalived` failed: {0}")]
    Keepalived(String),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("nobody answers at {SHARED} {SETTLE:?} after the start; the logs are in {}", .0.display())]
    Silent(std::path::PathBuf),
    #[error(transparent)]
    Injector(#[from] InjectorError),
    #[error("cannot start")]
    Start(#[from] std::io::Error),
    #[error("interrupted")]
    Interrupted,
}

/// What such a lab tells while it runs.
pub enum Event<'a> {
    /// What is being got ready.
    Preparing(String),
    /// The load begins.
    Load,
    /// How the load is getting on, and who has the shared address.
    Progress {
        /// What the injector says.
        progress: &'a load::Progress,
        /// The hosts that have the address.
        masters: String,
    },
    /// Something happened, so long after the load began.
    Moment(u64, String),
    /// A signal ends the load.
    Stopping,
    /// Something is odd.
    Warning(String),
}

/// Runs such a lab to its end and takes it all down again.
pub fn run(options: &Options, tell: &mut dyn FnMut(Event<'_>)) -> Result<Report, Error> {
    options.check()?;
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    for (program, package) in [("ip", "iproute2"), ("nft", "nftables"), ("keepalived", "keepalived")] {
        if !site::is_there(program) {
            return Err(Error::NoProgram(program, package));
        }
    }
    let wanted = options.liberty.as_ref();
    let liberty = wanted.map(|wanted| liberty::find(wanted, &mut |text| tell(Event::Preparing(text)))).transpose()?;
    let site = Site::lay_out(options)?;
    tell(Event::Preparing(site.shown()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, Box::pin(conduct(options, site, liberty.as_ref(), tell)))
}

async fn conduct(
    options: &Options,
    site: Site,
    liberty: Option<&Liberty>,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Report, Error> {
    let counted = Signals::new()?;
    let mut signals = counted.clone();
    let report = Box::pin(in_order(options, site, liberty, &mut signals, tell));
    counted.until_second(report).await.unwrap_or(Err(Error::Interrupted))
}

async fn in_order(
    options: &Options,
    mut site: Site,
    liberty: Option<&Liberty>,
    signals: &mut Signals,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Report, Error> {
    let client = Rc::new(site.client()?);
    let sessions = tokio::select! {
        ready = ready(options, &mut site, liberty, &client, tell) => ready?,
        () = signals.first() => return Err(Error::Interrupted),
    };
    let report = measured(options, &mut site, &client, sessions, signals, tell).await?;
    site.stop().await?;
    Ok(report)
}

/// Everything runs, one balancer has the address, and sessions have begun.
async fn ready(
    options: &Options,
    site: &mut Site,
    liberty: Option<&Liberty>,
    client: &Rc<Client>,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Rc<Sessions>, Error> {
    site.start(liberty, &mut |text| tell(Event::Preparing(text))).await?;
    let end = Instant::now() + SETTLE;
    while !(site.masters().len() == 1 && client.answers().await) {
        site.check()?;
        if Instant::now() > end {
            return Err(Error::Silent(options.folder.join("logs")));
        }
        tokio::time::sleep(LOOK).await;
    }
    let sessions = Rc::new(Sessions::begin(Rc::clone(client), options.sessions).await);
    tell(Event::Preparing(format!("{} has {SHARED}; {} sessions have begun", site.master(), sessions.count())));
    Ok(sessions)
}

async fn measured(
    options: &Options,
    site: &mut Site,
    client: &Rc<Client>,
    sessions: Rc<Sessions>,
    signals: &mut Signals,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Report, Error> {
    let start = Instant::now();
    let mut journal = Journal::new(site.masters(), site.loss(), options.rate);
    let probes = Probes::start(client, start);
    let keeper = tokio::task::spawn_local(Rc::clone(&sessions).keep());
    let mut injector = Injector::start(&plan::url(), options.rate, options.duration)?;
    tell(Event::Load);
    let faults = options.faults();
    let mut faults = faults.iter().peekable();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = 0;
    let load = loop {
        let next = faults.peek().map(|fault| start + fault.at);
        tokio::select! {
            biased;
            () = signals.first(), if !injector.is_stopped() => {
                tell(Event::Stopping);
                injector.stop();
            }
            () = tokio::time::sleep_until(next.unwrap_or(start)), if next.is_some() => {
                let Some(fault) = faults.next() else { continue };
                let host = site.resolved(fault);
                let at_ms = millis(start.elapsed());
                journal.fault(at_ms, fault.act, &host, failed, sessions.lost());
                let by = if let Act::Drop(_) = fault.act { format!(" ({})", site.loss()) } else { String::new() };
                tell(Event::Moment(at_ms, format!("{host} {}{by}", fault.act.what())));
                site.carry_out(fault.act, &host)?;
            }
            _ = look.tick() => {
                site.go_on()?;
                let at_ms = millis(start.elapsed());
                if let Some(text) = journal.masters(at_ms, site.masters()) {
                    tell(Event::Moment(at_ms, text));
                }
                site.ended().into_iter().for_each(|text| tell(Event::Warning(text)));
            }
            news = injector.next() => match news? {
                News::Done(report) => break *report,
                News::Progress(progress) => {
                    failed = progress.failed;
                    journal.failed(millis(start.elapsed()), failed);
                    tell(Event::Progress { progress: &progress, masters: site.masters().join(" ") });
                }
            },
        }
    };
    let end_ms = millis(start.elapsed());
    keeper.abort();
    let probes = probes.stop();
    sessions.visit_all().await;
    Ok(journal.finish(end_ms, load, &probes, (sessions.count(), sessions.lost())))
}
