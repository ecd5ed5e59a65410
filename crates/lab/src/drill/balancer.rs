//! The balancer that is drilled, as a process: bedloe, nginx or HAProxy, each started, told to read its configuration
//! anew, replaced by a new process, and ended by the means that its users have.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::Error;
use super::config;
use super::fault::Fault;
use crate::config::File;
use crate::plan::Plan;
use crate::processes::{Process, Recipe};

/// Where installed programs are that `PATH` may not have.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
/// Starts what follows and leaves it: nginx lets itself be replaced only once its parent is another one than at its
/// start. What stays is in its group, with which it is ended.
const ORPHAN: [&str; 4] = ["sh", "-c", "(\"$@\" & sleep 0.5); exec sleep 600", "sh"];
/// How long a new process may take to be there, and all of them to be gone.
const CHANGE_LIMIT: Duration = Duration::from_secs(5);
/// How often it is looked for them.
const LOOK: Duration = Duration::from_millis(10);

/// A balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say which")]
pub enum Program {
    Bedloe,
    Nginx,
    Haproxy,
}

impl Program {
    /// The programs that bedloe is compared with.
    pub const OTHERS: [Self; 2] = [Self::Nginx, Self::Haproxy];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bedloe => "bedloe",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// The program's file, where it is installed.
    pub(super) fn find(self, plan: &Plan) -> Option<PathBuf> {
        if self == Self::Bedloe {
            return Some(plan.options.program.clone());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
        folders.map(|folder| folder.join(self.name())).find(|file| file.is_file())
    }

    pub(super) fn files(self, plan: &Plan) -> Vec<File> {
        match self {
            Self::Bedloe => config::bedloe(plan),
            Self::Nginx => config::nginx(plan),
            Self::Haproxy => config::haproxy(plan),
        }
    }

    fn recipe(self, plan: &Plan, program: &Path, fault: Fault) -> Recipe {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let folder = &plan.options.folder;
        let log = folder.join("logs").join("balancer.log");
        let configuration = |name: &str| text(folder.join(name));
        let own = |arguments: &[&str]| {
            Recipe::own(self.name(), &plan.options.program, arguments, config::target(plan), log.clone())
        };
        let other = |before: &[&str], arguments: &[&str]| {
            let program = text(program.to_owned());
            let line = [&["--"], before, &[&program], arguments].concat();
            Recipe { behind: line.into_iter().map(str::to_owned).collect(), ..own(&["tied"]) }
        };
        let prefix = text(folder.clone()) + "/";
        match self {
            Self::Bedloe => {
                let admin = format!("unix:{}", plan.admin().display());
                own(&["run", "-c", &configuration("nginx.conf"), "-p", &prefix, "--admin", &admin])
            }
            Self::Nginx => {
                let log = text(folder.join("logs").join("error.log"));
                let before: &[&str] = if fault == Fault::Upgrade { &ORPHAN } else { &[] };
                other(before, &["-c", &configuration("nginx.conf"), "-p", &prefix, "-e", &log, "-g", "daemon off;"])
            }
            Self::Haproxy => other(&[], &["-W", "-db", "-f", &configuration("haproxy.cfg")]),
        }
    }
}

/// A balancer that runs. Dropping it kills all of its processes.
pub(super) struct Balancer {
    program: Program,
    first: Process,
    /// The group of all its processes, those that have replaced others too.
    group: Pid,
    pid_file: PathBuf,
    is_gone: bool,
}

impl Balancer {
    /// Starts it and waits until it listens.
    pub(super) async fn start(program: Program, plan: &Plan, file: &Path, fault: Fault) -> Result<Self, Error> {
        let mut first = Process::start(program.recipe(plan, file, fault))?;
        let group = first.pid().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let Some(group) = group else { return Err(Error::Lost(program.name())) };
        first.ready().await?;
        Ok(Self { program, first, group, pid_file: plan.options.folder.join("nginx.pid"), is_gone: false })
    }

    /// Has it read its configuration anew.
    pub(super) fn reload(&self) -> Result<(), Error> {
        match self.program {
            Program::Haproxy => self.signal(self.group, Signal::USR2),
            Program::Bedloe | Program::Nginx => self.signal(self.master()?, Signal::HUP),
        }
    }

    /// Has a new process take its place. HAProxy's master becomes a new program with each reload.
    pub(super) async fn upgrade(&mut self) -> Result<(), Error> {
        if self.program == Program::Haproxy {
            return self.reload();
        }
        let old = self.master()?;
        self.signal(old, Signal::USR2)?;
        let end = Instant::now() + CHANGE_LIMIT;
        while self.master().map_or(true, |master| master == old) {
            if Instant::now() > end {
                return Err(Error::NotReplaced(self.program.name()));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.signal(old, Signal::QUIT)
    }

    /// Ends all of it.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        let _ = kill_process_group(self.group, Signal::TERM);
        let end = Instant::now() + CHANGE_LIMIT;
        while TcpListener::bind(self.first.address()).is_err() && Instant::now() < end {
            tokio::time::sleep(LOOK).await;
        }
        self.end();
        Ok(())
    }

    fn master(&self) -> Result<Pid, Error> {
        let text = fs::read_to_string(&self.pid_file).unwrap_or_default();
        let pid = text.trim().parse().ok().and_then(Pid::from_raw);
        pid.ok_or(Error::Lost(self.program.name()))
    }

    fn signal(&self, to: Pid, signal: Signal) -> Result<(), Error> {
        let name = self.program.name();
        kill_process(to, signal).map_err(|error| Error::Signal { name, source: io::Error::from(error) })
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.is_gone, true) {
            // One that ended in good order is not there any more.
            let _ = kill_process_group(self.group, Signal::KILL);
            let _ = self.first.kill();
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.end();
    }
}
