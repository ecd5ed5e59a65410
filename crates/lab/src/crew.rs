//! All processes of a lab together, with what is known of them while the load runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::course::{Counts, Course};
use crate::faults::{Action, Fault};
use crate::liberty::Liberty;
use crate::plan::{Plan, Server};
use crate::processes::{Process, ProcessError, Recipe, Usage};
use crate::report::{ProcessRow, Report, lost};
use crate::run::Error;
use crate::timeline::{Seen, Timeline};
use crate::watch::{self, Event, ServerStatus, Status, WatchError};

/// How often a server that was started again is tried.
const TRY: Duration = Duration::from_millis(5);
/// The most that the user can be told of the admin socket before it is only repetition.
const WARNINGS_MAX: usize = 3;

/// The processes, what the balancer last said of the servers, and what has happened.
pub(crate) struct Crew {
    pub(crate) timeline: Timeline,
    course: Course,
    /// Failed requests of the load until now.
    pub(crate) failed: u64,
    balancer: Process,
    servers: Vec<Process>,
    status: Status,
    admin: PathBuf,
    before: Before,
    listening: (mpsc::Sender<usize>, mpsc::Receiver<usize>),
    warnings: usize,
}

/// How things stood when the measured load began.
#[derive(Default)]
struct Before {
    status: Status,
    lab: Usage,
    balancer: Usage,
    servers: Vec<Usage>,
}

impl Crew {
    /// Starts the servers, then the balancer, and waits until all are ready.
    pub(crate) async fn start(
        plan: &Plan,
        liberty: Option<&Liberty>,
        tell: &mut dyn FnMut(crate::Event<'_>),
    ) -> Result<Self, Error> {
        let (mut servers, began) = (Vec::new(), Instant::now());
        for server in &plan.servers {
            let recipe = liberty.map_or_else(|| stand_in(plan, server), |liberty| liberty.recipe(plan, server));
            servers.push(Process::start(recipe)?);
        }
        for server in &mut servers {
            server.ready().await?;
            if liberty.is_some() {
                let text = format!("{} is ready after {:.1} s", server.name(), began.elapsed().as_secs_f64());
                tell(crate::Event::Preparing(text));
            }
        }
        let mut balancer = Process::start(balancer(plan))?;
        balancer.ready().await?;
        let status = watch::status(&plan.admin()).await?;
        Ok(Self {
            timeline: Timeline::default(),
            course: Course::new(["injector", "balancer"].into_iter().chain(servers.iter().map(Process::name))),
            failed: 0,
            balancer,
            servers,
            status,
            admin: plan.admin(),
            before: Before::default(),
            listening: mpsc::channel(plan.servers.len()),
            warnings: 0,
        })
    }

    /// Notes how things stand as the measured load begins.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        self.status = watch::status(&self.admin).await?;
        self.before = Before {
            status: self.status.clone(),
            lab: Usage::own(),
            balancer: self.balancer.usage(),
            servers: self.servers.iter_mut().map(Process::usage).collect(),
        };
        self.note(0);
        Ok(())
    }

    /// Does a fault to a server.
    pub(crate) async fn fault(&mut self, at_ms: u64, fault: &Fault) -> Result<(), Error> {
        let Some(index) = self.servers.iter().position(|server| server.name() == fault.server) else { return Ok(()) };
        let nothing = ServerStatus::default();
        let status = self.status.server(&self.servers[index].address().to_string()).unwrap_or(&nothing);
        self.timeline.fault(at_ms, fault.action, Seen { server: &fault.server, status, lost: self.failed });
        let server = &mut self.servers[index];
        match fault.action {
            Action::Kill => server.kill()?,
            Action::Pause => server.pause()?,
            Action::Resume => server.resume()?,
            Action::Exit => {}
            Action::Restart => {
                server.restart().await?;
                tokio::task::spawn_local(try_until_listening(
                    server.address(),
                    server.ready_limit(),
                    index,
                    self.listening.0.clone(),
                ));
            }
        }
        Ok(())
    }

    /// Restarts a server for somebody who names it by its address.
    pub(crate) async fn restart(&mut self, at: Duration, address: &str) -> Result<(), String> {
        let server = self.servers.iter().find(|server| server.address().to_string() == address);
        let Some(server) = server.map(|server| server.name().to_owned()) else {
            return Err("no server of the lab is there".to_owned());
        };
        let fault = Fault { action: Action::Restart, server, at };
        self.fault(crate::report::millis(at), &fault).await.map_err(|error| crate::with_causes(&error))
    }

    /// Waits for a server that was started again to listen.
    pub(crate) async fn listening(&mut self) -> Option<usize> {
        self.listening.1.recv().await
    }

    /// A server listens again.
    pub(crate) fn listens(&mut self, at_ms: u64, index: usize) {
        let server = &self.servers[index];
        let nothing = ServerStatus::default();
        let status = self.status.server(&server.address().to_string()).unwrap_or(&nothing);
        self.timeline.listens(at_ms, Seen { server: server.name(), status, lost: self.failed });
    }

    /// The balancer told of an event.
    pub(crate) fn event(&mut self, at_ms: u64, event: &Event) {
        if let Some(server) = self.servers.iter().find(|server| server.address().to_string() == event.server) {
            self.timeline.event(at_ms, server.name(), event);
        }
    }

    /// Takes in what the balancer says of itself; returns what the user should be told.
    pub(crate) fn saw(&mut self, at_ms: u64, status: Result<Status, WatchError>) -> Option<String> {
        match status {
            Ok(status) => self.status = status,
            Err(error) => {
                self.warnings += 1;
                return (self.warnings <= WARNINGS_MAX).then(|| crate::with_causes(&error));
            }
        }
        if self.course.is_due(at_ms) {
            self.note(at_ms);
        }
        for server in &mut self.servers {
            server.usage();
            if let Some(status) = self.status.server(&server.address().to_string()) {
                self.timeline.observe(at_ms, Seen { server: server.name(), status, lost: self.failed });
            }
        }
        None
    }

    /// Notes what was counted of each process until now.
    fn note(&mut self, at_ms: u64) {
        let mut injector = Usage::own();
        // Of threads that have ended nothing is known any more.
        injector.switches = injector.switches.max(self.course.switches(0));
        let mut counts = vec![Counts::new(&injector, 0), Counts::new(&self.balancer.usage(), self.status.requests)];
        for server in &mut self.servers {
            let status = self.status.server(&server.address().to_string());
            counts.push(Counts::of_server(&server.usage(), status));
        }
        self.course.note(at_ms, counts);
    }

    /// Notes servers that have ended by themselves, as failures like those that the lab makes. An error if the
    /// balancer has: without it there is nothing to see.
    pub(crate) fn check(&mut self, at_ms: u64) -> Result<(), ProcessError> {
        self.balancer.check()?;
        let nothing = ServerStatus::default();
        for server in &mut self.servers {
            let Err(ProcessError::Ended { status: end, .. }) = server.check() else { continue };
            let status = self.status.server(&server.address().to_string()).unwrap_or(&nothing);
            self.timeline.ended(at_ms, end.to_string(), Seen { server: server.name(), status, lost: self.failed });
        }
        Ok(())
    }

    /// Tells of the moments after the first `told`; returns how many there are.
    pub(crate) fn tell_since(&self, told: usize, tell: &mut dyn FnMut(crate::Event<'_>)) -> usize {
        self.timeline.moments.iter().skip(told).for_each(|moment| tell(crate::Event::Moment(moment)));
        self.timeline.moments.len()
    }

    /// Servers that the balancer sends requests to.
    pub(crate) fn up(&self) -> usize {
        let up = |server: &&Process| self.status.server(&server.address().to_string()).is_some_and(ServerStatus::is_up);
        self.servers.iter().filter(up).count()
    }

    /// The end of the measured load.
    pub(crate) fn report(&mut self, load: load::Report, elapsed_ms: u64) -> Report {
        self.note(elapsed_ms);
        let requests = load.count("http_reqs");
        let passed_on = self.status.requests.saturating_sub(self.before.status.requests);
        let answered = |status: &Status, server: &Process| {
            status.server(&server.address().to_string()).map_or(0, |server| server.requests)
        };
        let injector = Usage { switches: self.course.switches(0), ..Usage::own() };
        let mut processes = vec![
            ProcessRow::new("injector", &self.before.lab, &injector, requests, requests, elapsed_ms),
            ProcessRow::new(
                "balancer",
                &self.before.balancer,
                &self.balancer.usage(),
                passed_on,
                passed_on,
                elapsed_ms,
            ),
        ];
        let counts: Vec<u64> = self
            .servers
            .iter()
            .map(|server| answered(&self.status, server).saturating_sub(answered(&self.before.status, server)))
            .collect();
        let all = counts.iter().sum();
        for ((server, before), count) in self.servers.iter_mut().zip(&self.before.servers).zip(counts) {
            let after = server.usage();
            processes.push(ProcessRow::new(server.name(), before, &after, count, all, elapsed_ms));
        }
        Report {
            lost: lost(&load),
            retried: self.status.retries.saturating_sub(self.before.status.retries),
            servers_up: self.up(),
            timeline: self.timeline.clone().sorted(),
            course: std::mem::take(&mut self.course),
            load,
            elapsed_ms,
            processes,
            roll: None,
        }
    }

    /// Stops the balancer, then the servers.
    pub(crate) async fn stop(mut self) -> Result<(), Error> {
        self.balancer.stop().await?;
        self.servers.iter_mut().try_for_each(Process::order_to_stop)?;
        // One limit for all of them: the first that takes long leaves the others the same end.
        let limit = self.servers.iter().map(Process::stop_limit).max().unwrap_or_default();
        let end = Instant::now() + limit;
        for server in &mut self.servers {
            server.stopped(end).await?;
        }
        Ok(())
    }
}

pub(crate) fn stand_in(plan: &Plan, server: &Server) -> Recipe {
    let address = server.address.to_string();
    let arguments = ["stand-in", "--listen", &address, "--name", &server.name, "--clone", &server.clone];
    let log = plan.options.folder.join("logs").join(format!("{}.log", server.name));
    Recipe::own(&server.name, &plan.options.program, &arguments, server.address, log)
}

pub(crate) fn balancer(plan: &Plan) -> Recipe {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let admin = format!("unix:{}", text(plan.admin()));
    let (configuration, folder) = (text(plan.configuration()), text(plan.options.folder.clone()));
    let arguments = ["run", "-c", &configuration, "-p", &folder, "--admin", &admin];
    let log = plan.options.folder.join("logs").join("balancer.log");
    Recipe::own("balancer", &plan.options.program, &arguments, plan.https, log)
}

/// One that does not listen within the limit is seen in the report.
async fn try_until_listening(address: SocketAddr, limit: Duration, index: usize, to: mpsc::Sender<usize>) {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            let _ = to.send(index).await;
            return;
        }
        tokio::time::sleep(TRY).await;
    }
}
