//! The servers of a drill, its balancer, and what is done to them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Error;
use super::balancer::{Balancer, Program};
use super::fault::Fault;
use super::record::Window;
use crate::certificate;
use crate::plan::{Plan, Server};
use crate::preflight;
use crate::processes::{Process, Recipe};
use crate::report::millis;
use crate::stand_in;

/// The server that fails where one does: neither the first nor the last.
const VICTIM: usize = 1;
/// How often the balancer reads its configuration anew, and what lies between.
const RELOADS: u32 = 20;
const BETWEEN_RELOADS: Duration = Duration::from_millis(200);
/// How often it is replaced.
const UPGRADES: u32 = 2;

/// Servers and balancer.
pub(super) struct Site {
    plan: Plan,
    balancer: Balancer,
    servers: Vec<Process>,
}

impl Site {
    /// Starts the servers, then the balancer, and waits until all are ready.
    pub(super) async fn start(plan: &Plan, program: Program, file: &Path, fault: Fault) -> Result<Self, Error> {
        write(plan, program)?;
        let starts = plan.servers.iter().map(|server| Process::start(recipe(plan, server)));
        let mut servers = starts.collect::<Result<Vec<_>, _>>()?;
        for server in &mut servers {
            server.ready().await?;
        }
        let balancer = Balancer::start(program, plan, file, fault).await?;
        Ok(Self { plan: plan.clone(), balancer, servers })
    }

    /// The fault, for as long as it lasts, and its end; times count from `epoch`.
    pub(super) async fn suffer(&mut self, fault: Fault, lasts: Duration, epoch: Instant) -> Result<Window, Error> {
        let mut window = Window { from_ms: millis(epoch.elapsed()), victims: Vec::new() };
        let victims = if fault.takes_all() { 0..self.servers.len() } else { VICTIM..VICTIM + 1 };
        match fault {
            Fault::Reload => self.reload().await?,
            Fault::Upgrade => self.upgrade(lasts).await?,
            _ => {
                for victim in victims.clone() {
                    self.fail(victim, fault).await?;
                }
                tokio::time::sleep(lasts).await;
                for victim in victims.clone() {
                    self.repair(victim, fault).await?;
                }
                for victim in victims {
                    self.servers[victim].ready().await?;
                    window.victims.push((victim, millis(epoch.elapsed())));
                }
            }
        }
        Ok(window)
    }

    async fn fail(&mut self, victim: usize, fault: Fault) -> Result<(), Error> {
        let server = &mut self.servers[victim];
        match fault {
            Fault::Kill | Fault::AllDown => server.kill()?,
            Fault::Freeze => server.pause()?,
            Fault::Stop => server.order_to_stop()?,
            _ => self.tell(victim, fault.order().unwrap_or_default()).await?,
        }
        Ok(())
    }

    async fn repair(&mut self, victim: usize, fault: Fault) -> Result<(), Error> {
        let server = &mut self.servers[victim];
        match fault {
            Fault::Kill | Fault::AllDown | Fault::Stop => server.restart().await?,
            Fault::Freeze => server.resume()?,
            _ => self.tell(victim, stand_in::Fault::None).await?,
        }
        Ok(())
    }

    async fn reload(&self) -> Result<(), Error> {
        for _ in 0..RELOADS {
            self.balancer.reload()?;
            tokio::time::sleep(BETWEEN_RELOADS).await;
        }
        Ok(())
    }

    async fn upgrade(&mut self, lasts: Duration) -> Result<(), Error> {
        for _ in 0..UPGRADES {
            self.balancer.upgrade().await?;
            tokio::time::sleep(lasts / UPGRADES).await;
        }
        Ok(())
    }

    async fn tell(&self, server: usize, fault: stand_in::Fault) -> Result<(), Error> {
        let Server { name, .. } = &self.plan.servers[server];
        let told = stand_in::tell(&socket(&self.plan, name), fault).await;
        told.map_err(|source| Error::Order { server: name.clone(), source })
    }

    /// How often each order was carried out, by all servers together.
    pub(super) fn orders(&self) -> HashMap<String, u32> {
        let mut counts = HashMap::new();
        for server in &self.plan.servers {
            let log = fs::read_to_string(orders_log(&self.plan, &server.name)).unwrap_or_default();
            for id in log.lines() {
                *counts.entry(id.to_owned()).or_default() += 1;
            }
        }
        counts
    }

    /// Stops the balancer, then the servers.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        self.balancer.stop().await?;
        self.servers.iter_mut().try_for_each(Process::kill)?;
        Ok(())
    }
}

fn recipe(plan: &Plan, server: &Server) -> Recipe {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let Server { name, clone, address } = server;
    let (listen, faults, orders) = (address.to_string(), text(socket(plan, name)), text(orders_log(plan, name)));
    let line = ["stand-in", "--listen", &listen, "--name", name, "--clone", clone];
    let more = ["--faults", &faults, "--orders-log", &orders];
    let log = plan.options.folder.join("logs").join(format!("{name}.log"));
    Recipe::own(name, &plan.options.program, &[&line[..], &more].concat(), *address, log)
}

/// Where a server is told what to do wrong.
fn socket(plan: &Plan, server: &str) -> PathBuf {
    plan.options.folder.join("logs").join(format!("{server}.sock"))
}

fn orders_log(plan: &Plan, server: &str) -> PathBuf {
    plan.options.folder.join("logs").join(format!("{server}.orders"))
}

/// Writes the configuration, and the certificate of the lab's own listener.
fn write(plan: &Plan, program: Program) -> Result<(), Error> {
    let pair = certificate::make(plan.https.ip())?;
    let files = program.files(plan).into_iter().map(|file| (file.path, file.text));
    let all = files.chain([("tls/liberty.crt", pair.certificate), ("tls/liberty.key", pair.key)]);
    for (path, text) in all {
        let path = plan.options.folder.join(path);
        preflight::write_new(&path, &text).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    Ok(())
}
