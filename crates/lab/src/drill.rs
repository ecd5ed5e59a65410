//! Drills: one fault at a time, each under load on a lab of its own, at bedloe and at programs that it is compared
//! with, and what came of it.
//!
//! The servers are stand-ins, which do wrong as they are told. What is measured is seen from outside, by the load's own
//! records, but for the time in which a server that fails is noticed: that is each balancer's own word.

mod balancer;
mod config;
mod fault;
mod load;
mod record;
mod site;
mod word;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

pub use balancer::Program;
pub use fault::{Fault, Unknown};
pub use record::{BACK_MAX_MS, NOTICED_MAX_MS, Row};

use crate::plan::{self, Plan, PlanError};
use crate::preflight::{self, Obstacles};
use crate::processes::ProcessError;
use crate::signals::Signals;
use load::{Load, Order};
use record::Seen;
use site::Site;

/// The load before a fault: sessions begin, connections are made. Checks, which are made once a second from the
/// balancer's start on, have just been made then: what is wrong from here on they see as late as they can.
const BEFORE: Duration = Duration::from_millis(2_200);
/// The load after the servers' return.
const AFTER: Duration = Duration::from_secs(3);
/// Of so many requests a second there is one session.
const SESSION_PART: u64 = 10;
/// The fewest servers: one fails, others do not.
const SERVERS_MIN: usize = 2;

/// What is drilled.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program to run bedloe and the stand-ins with.
    pub program: PathBuf,
    /// Where configurations and logs go, a folder a drill.
    pub folder: PathBuf,
    /// The balancer's address; the servers take those that follow.
    pub address: Ipv4Addr,
    /// How many servers.
    pub servers: usize,
    /// Requests a second.
    pub rate: u64,
    /// For how long a fault is there.
    pub lasts: Duration,
    /// The faults.
    pub faults: Vec<Fault>,
    /// The programs beside bedloe.
    pub against: Vec<Program>,
}

/// Why drills came to no end.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum Error {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("a drill needs at least {SERVERS_MIN} servers")]
    Servers,
    #[error(transparent)]
    Obstacles(#[from] Obstacles),
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the certificate")]
    Certificate(#[from] rcgen::Error),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("the process of {0} cannot be found")]
    Lost(&'static str),
    #[error("{0} was told to start anew and did not; its logs are in the lab's folder")]
    NotReplaced(&'static str),
    #[error("cannot send a signal to {name}")]
    Signal { name: &'static str, source: io::Error },
    #[error("{server} cannot be told what to do wrong")]
    Order { server: String, source: io::Error },
    #[error("the load")]
    Load(#[source] io::Error),
    #[error("cannot start")]
    Start(#[from] io::Error),
    #[error("interrupted")]
    Interrupted,
}

/// What drills tell while they run.
pub enum Event<'a> {
    /// A drill begins.
    Begins {
        /// The fault.
        fault: Fault,
        /// The balancer.
        balancer: &'static str,
    },
    /// It is over.
    Row(&'a Row),
}

/// Drills each fault at each balancer, bedloe first; rows in that order.
pub fn run(options: &Options, tell: &mut dyn FnMut(&Event<'_>)) -> Result<Vec<Row>, Error> {
    if options.servers < SERVERS_MIN {
        return Err(Error::Servers);
    }
    let plan = plan(options, None)?;
    preflight::check(&plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut signals = Signals::new()?;
        tokio::select! {
            biased;
            // What is dropped then kills its processes.
            () = signals.first() => Err(Error::Interrupted),
            rows = Box::pin(all(options, tell)) => rows,
        }
    })
}

async fn all(options: &Options, tell: &mut dyn FnMut(&Event<'_>)) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for fault in &options.faults {
        for program in [Program::Bedloe].iter().chain(&options.against) {
            let (fault, program) = (*fault, *program);
            tell(&Event::Begins { fault, balancer: program.name() });
            let row = Box::pin(one(options, fault, program)).await?;
            tell(&Event::Row(&row));
            rows.push(row);
        }
    }
    Ok(rows)
}

/// One fault at one balancer.
async fn one(options: &Options, fault: Fault, program: Program) -> Result<Row, Error> {
    let plan = plan(options, Some(format!("{fault}-{}", program.name())))?;
    let Some(file) = program.find(&plan) else {
        return Ok(Row::empty(fault, program.name(), "not installed"));
    };
    preflight::check(&plan)?;
    let mut site = Site::start(&plan, program, &file, fault).await?;
    let epoch = Instant::now();
    let word = word::Word::listen(program, &plan, epoch);
    let sessions = (options.rate / SESSION_PART).max(1) as usize;
    let servers = plan.servers.iter().map(|server| server.name.clone()).collect();
    let order = Order { target: config::target(&plan), rate: options.rate, sessions, servers, epoch };
    let load = Load::start(order).map_err(Error::Load)?;
    tokio::time::sleep(BEFORE).await;
    let window = site.suffer(fault, options.lasts, epoch).await?;
    tokio::time::sleep(AFTER).await;
    // It waits for its last answers, which this thread's own tasks are not to wait for.
    let sent = tokio::task::spawn_blocking(|| load.end()).await.map_err(io::Error::other)?.map_err(Error::Load)?;
    let seen = Seen {
        window,
        noticed: word.said(),
        retried: word::retried(program, &plan).await,
        sessions,
        unsent: sent.unsent,
        orders: site.orders(),
    };
    site.stop().await?;
    let mut row = Row::of(fault, program.name(), &sent.records, &seen);
    if program == Program::Haproxy && fault == Fault::Upgrade {
        row.note = Some("by its reload, with which its master becomes a new program".to_owned());
    }
    Ok(row)
}

/// The lab of a drill, in a folder of its own.
fn plan(options: &Options, name: Option<String>) -> Result<Plan, Error> {
    let folder = name.map_or_else(|| options.folder.clone(), |name| options.folder.join(name));
    Ok(Plan::new(plan::Options {
        program: options.program.clone(),
        folder,
        address: options.address,
        servers: options.servers,
        rate: options.rate,
        duration: BEFORE + options.lasts + AFTER,
        warm_up: Duration::ZERO,
        faults: Some(Vec::new()),
        liberty: None,
        load: None,
        roll: false,
    })?)
}
