//! What runs on the hosts: servers, two balancers with one configuration, keepalived beside each; and what is done to
//! them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::hosts::{Hosts, LINK};
use super::plan::{self, Act, BALANCERS, Fault, INJECTOR, Options, PORT, SHARED, is_master};
use super::probe::Client;
use super::{Error, HostsError};
use crate::certificate;
use crate::config;
use crate::crew;
use crate::liberty::Liberty;
use crate::plan::Plan;
use crate::preflight;
use crate::processes::{Process, ProcessError, Recipe};

/// All that runs.
pub(super) struct Site {
    options: Options,
    hosts: Hosts,
    /// The servers, and where their files go.
    plan: Plan,
    balancers: Vec<Process>,
    keepers: Vec<Process>,
    servers: Vec<Process>,
    /// What clients trust.
    certificate: String,
    /// Processes that are to be started again, by name, and when one that has not stopped by then is killed.
    starting: Vec<(String, Instant)>,
    /// The balancer that `master` was when a fault was last done to it.
    hit: Option<String>,
}

/// Whether a program is to be had.
pub(super) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    folders.any(|folder| {
        fs::metadata(folder.join(program)).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

impl Site {
    /// Makes the hosts and writes all files. The calling thread is on the host of the injector from then on.
    pub(super) fn lay_out(options: &Options) -> Result<Self, Error> {
        let folder = &options.folder;
        preflight::prepare(folder, &folder.join("balancer-1/admin.sock")).map_err(Error::Folder)?;
        let plan = shape(options, folder.clone());
        let pair = certificate::make(IpAddr::V4(SHARED))?;
        for (index, (name, _)) in BALANCERS.iter().enumerate() {
            let own = folder.join(name);
            let _ = fs::remove_dir_all(&own);
            let (files, _) = config::generate(&Plan { options: on(&plan, own.clone()), ..plan.clone() });
            for file in files {
                write(&own.join(file.path), &file.text)?;
            }
            write(&own.join("tls/liberty.crt"), &pair.certificate)?;
            write(&own.join("tls/liberty.key"), &pair.key)?;
            make(&own.join("logs"))?;
            keepalived(options, &own, index)?;
        }
        if options.liberty.is_some() {
            crate::run::write_servers(&plan).map_err(|error| match error {
                crate::run::Error::Write { path, source } => Error::Write { path, source },
                other => Error::Start(std::io::Error::other(other.to_string())),
            })?;
        }
        let mut wanted = options.hosts();
        wanted.push((INJECTOR.0.to_owned(), INJECTOR.1));
        let hosts = Hosts::new(&options.program, &wanted)?;
        hosts.enter(INJECTOR.0)?;
        Ok(Self {
            options: options.clone(),
            hosts,
            plan,
            balancers: Vec::new(),
            keepers: Vec::new(),
            servers: Vec::new(),
            certificate: pair.certificate,
            starting: Vec::new(),
            hit: None,
        })
    }

    /// A client that trusts the balancers.
    pub(super) fn client(&self) -> Result<Client, Error> {
        Ok(Client::new(&self.certificate)?)
    }

    /// What loses packets here.
    pub(super) fn loss(&self) -> &'static str {
        self.hosts.loss().name()
    }

    /// The hosts with their addresses, for people.
    pub(super) fn shown(&self) -> String {
        let hosts = self.options.hosts();
        let hosts: Vec<String> = hosts.iter().map(|(name, address)| format!("{name} {address}")).collect();
        let (logs, loss) = (self.options.folder.display(), self.loss());
        let (hosts, injector) = (hosts.join(", "), INJECTOR.1);
        format!(
            "hosts: {hosts}, injector {injector}; shared: {SHARED}; packets are lost by {loss}; files and logs: {logs}"
        )
    }

    /// Starts the servers, the balancers, and keepalived beside these.
    pub(super) async fn start(&mut self, liberty: Option<&Liberty>, tell: &mut dyn FnMut(String)) -> Result<(), Error> {
        for server in self.plan.servers.clone() {
            let recipe =
                liberty.map_or_else(|| crew::stand_in(&self.plan, &server), |own| own.recipe(&self.plan, &server));
            let process = self.start_on(&server.name, recipe)?;
            self.servers.push(process);
        }
        for server in &mut self.servers {
            server.ready().await?;
        }
        tell(format!("{} servers are ready", self.servers.len()));
        for (name, address) in BALANCERS {
            let own = self.options.folder.join(name);
            let mut recipe = crew::balancer(&shape(&self.options, own));
            name.clone_into(&mut recipe.name);
            recipe.address = SocketAddr::from((address, PORT));
            recipe.log = self.log(name);
            let mut process = self.start_on(name, recipe)?;
            process.ready().await?;
            self.balancers.push(process);
        }
        for (name, _) in BALANCERS {
            let process = self.start_on(name, self.keeper(name))?;
            self.keepers.push(process);
        }
        Ok(())
    }

    fn start_on(&self, host: &str, recipe: Recipe) -> Result<Process, Error> {
        let Some(host) = self.hosts.host(host) else {
            return Err(HostsError::Refused(format!("there is no host {host}")).into());
        };
        Ok(Process::start(on_host(recipe, &host.network()))?)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.options.folder.join("logs").join(format!("{name}.log"))
    }

    /// keepalived beside a balancer, with pid files of its own.
    fn keeper(&self, name: &str) -> Recipe {
        let own = self.options.folder.join(name);
        let path = |file: &str| own.join(file).to_string_lossy().into_owned();
        let flags = ["--vrrp", "--dont-fork", "--log-console", "--log-detail", "--no-syslog"];
        let files = [("--use-file", "keepalived.conf"), ("--pid", "keepalived.pid"), ("--vrrp_pid", "vrrp.pid")];
        let files = files.iter().map(|(flag, file)| format!("{flag}={}", path(file)));
        let log_name = plan::keepalived(name);
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut recipe = Recipe::own(&log_name, Path::new("keepalived"), &flags, nowhere, self.log(&log_name));
        recipe.arguments.extend(files);
        // Untouched by what it is wrapped in: see `on_host`.
        recipe
    }

    /// Those that have the shared address.
    pub(super) fn masters(&self) -> Vec<String> {
        self.hosts.having(SHARED, &BALANCERS.map(|(name, _)| name))
    }

    /// Them for people.
    pub(super) fn master(&self) -> String {
        self.masters().join(" and ")
    }

    /// The host that a fault is about. What ends a fault of `master` is about the host that it was done to.
    pub(super) fn resolved(&mut self, fault: &Fault) -> String {
        if !is_master(&fault.host) {
            return fault.host.clone();
        }
        let is_end = fault.act.is_end();
        let named = if is_end { self.hit.clone() } else { None };
        let host = named.or_else(|| self.masters().into_iter().next()).unwrap_or_else(|| BALANCERS[0].0.to_owned());
        self.hit = Some(host.clone());
        if plan::is_keepalived(&fault.host) { plan::keepalived(&host) } else { host }
    }

    /// Does a fault to a host. Waits for no process: what is started again once it has stopped, [`Self::go_on`] starts.
    pub(super) fn carry_out(&mut self, act: Act, host: &str) -> Result<(), Error> {
        match act {
            Act::Cut => self.hosts.cut(host)?,
            Act::Mend => self.hosts.mend(host)?,
            Act::Drop(share) => self.hosts.lose(host, share)?,
            Act::StopHost => {
                self.kill(host, usize::MAX)?;
                self.hosts.cut(host)?;
            }
            Act::StartHost => {
                self.hosts.mend(host)?;
                self.start_again(host, usize::MAX)?;
            }
            Act::Kill => self.kill(host, 1)?,
            Act::Restart => self.start_again(host, 1)?,
            Act::Pause => self.processes(host).into_iter().take(1).try_for_each(|process| process.pause())?,
            Act::Resume => self.processes(host).into_iter().take(1).try_for_each(|process| process.resume())?,
        }
        Ok(())
    }

    /// Kills the first processes of a host.
    fn kill(&mut self, host: &str, most: usize) -> Result<(), Error> {
        let mut killed = Vec::new();
        for process in self.processes(host).into_iter().take(most) {
            process.kill()?;
            killed.push(process.name().to_owned());
        }
        self.starting.retain(|(name, _)| !killed.contains(name));
        Ok(())
    }

    /// Tells the first processes of a host to stop, and starts them as soon as they have.
    fn start_again(&mut self, host: &str, most: usize) -> Result<(), Error> {
        let mut told = Vec::new();
        for process in self.processes(host).into_iter().take(most) {
            process.order_to_stop()?;
            told.push((process.name().to_owned(), Instant::now() + process.stop_limit()));
        }
        self.starting.extend(told);
        self.go_on()
    }

    /// Starts those that have stopped and are to be started again. To be called often.
    pub(super) fn go_on(&mut self) -> Result<(), Error> {
        for (name, end) in std::mem::take(&mut self.starting) {
            let Some(process) = self.all().find(|process| process.name() == name) else { continue };
            if process.has_stopped(end)? {
                process.start_again()?;
            } else {
                self.starting.push((name, end));
            }
        }
        Ok(())
    }

    /// What runs on a host: the balancer or the server first.
    fn processes(&mut self, host: &str) -> Vec<&mut Process> {
        if let Some(index) = BALANCERS.iter().position(|(name, _)| *name == plan::beside(host)) {
            let balancer = self.balancers.get_mut(index).filter(|_| !plan::is_keepalived(host));
            return balancer.into_iter().chain(self.keepers.get_mut(index)).collect();
        }
        self.servers.iter_mut().filter(|server| server.name() == host).collect()
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Process> {
        self.keepers.iter_mut().chain(&mut self.balancers).chain(&mut self.servers)
    }

    /// An error if one has ended by itself.
    pub(super) fn check(&mut self) -> Result<(), ProcessError> {
        self.all().try_for_each(Process::check)
    }

    /// Those that have ended by themselves since the last look.
    pub(super) fn ended(&mut self) -> Vec<String> {
        let starting = self.starting.clone();
        let is_starting = |process: &&mut Process| starting.iter().any(|(name, _)| name == process.name());
        let others = self.all().filter(|process| !is_starting(process));
        others.filter_map(|process| process.check().err()).map(|error| error.to_string()).collect()
    }

    /// Stops everything, keepalived first.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        self.all().try_for_each(Process::order_to_stop)?;
        let limit = self.all().map(|process| process.stop_limit()).max().unwrap_or_default();
        let end = Instant::now() + limit;
        for process in self.all() {
            process.stopped(end).await?;
        }
        Ok(())
    }
}

/// A recipe for a process on a host.
fn on_host(recipe: Recipe, network: &str) -> Recipe {
    let program = std::env::current_exe().unwrap_or_else(|_| recipe.program.clone());
    let place = ["--network".to_owned(), network.to_owned()];
    if recipe.arguments.first().is_some_and(|first| first == "tied") {
        let mut arguments = recipe.arguments;
        arguments.extend(place);
        return Recipe { arguments, ..recipe };
    }
    let mut behind = vec!["--".to_owned(), recipe.program.to_string_lossy().into_owned()];
    behind.extend(recipe.arguments.iter().chain(&recipe.behind).cloned());
    let arguments = ["tied".to_owned()].into_iter().chain(place).collect();
    Recipe { program, arguments, behind, ..recipe }
}

/// A lab's plan with these files: what the configuration and the recipes are made of.
fn shape(options: &Options, folder: PathBuf) -> Plan {
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let own = crate::Options {
        program: options.program.clone(),
        folder,
        address: SHARED,
        servers: options.servers,
        rate: options.rate,
        duration: options.duration,
        warm_up: Duration::ZERO,
        faults: Some(Vec::new()),
        liberty: options.liberty.clone(),
        load: None,
        roll: false,
    };
    Plan { options: own, servers: options.members(), http: everywhere(80), https: everywhere(PORT), faults: Vec::new() }
}

fn on(plan: &Plan, folder: PathBuf) -> crate::Options {
    crate::Options { folder, ..plan.options.clone() }
}

/// Has the program itself write keepalived's configuration, as its user would.
fn keepalived(options: &Options, folder: &Path, index: usize) -> Result<(), Error> {
    let (own, peer) = (BALANCERS[index].1, BALANCERS[1 - index].1);
    let output = Command::new(&options.program)
        .args(["ha", "keepalived", "--interface", LINK, "--address", &format!("{SHARED}/24")])
        .args(["--self", &own.to_string(), "--peer", &peer.to_string()])
        .args(["--admin", &format!("unix:{}", folder.join("admin.sock").display())])
        .arg("--program")
        .arg(&options.program)
        .arg("--output")
        .arg(folder.join("keepalived.conf"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(Error::Keepalived(said)) }
}

fn make(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    path.parent().map_or(Ok(()), make)?;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_on_a_host_is_tied_to_the_lab_and_to_the_host() {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let own = Recipe::own("a", Path::new("keepalived"), &["--vrrp"], nowhere, "a.log".into());
        let own = on_host(own, "/proc/7/ns/net");
        assert_eq!(own.arguments, ["tied", "--network", "/proc/7/ns/net"]);
        assert_eq!(own.behind, ["--", "keepalived", "--vrrp"]);
        let mut tied = Recipe::own("a", Path::new("bedloe"), &["tied"], nowhere, "a.log".into());
        tied.behind = ["--", "server"].map(str::to_owned).to_vec();
        let tied = on_host(tied, "/proc/7/ns/net");
        assert_eq!((tied.arguments.len(), tied.behind), (3, vec!["--".to_owned(), "server".to_owned()]));
    }

    #[test]
    fn programs_are_looked_for() {
        assert!(is_there("sh") && !is_there("no-such-program"));
    }
}
