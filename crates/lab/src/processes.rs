//! The processes of a lab: started in process groups of their own, tied to the lab's life, their output in files, and
//! what they use of the machine over all their lives.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a process may take to stop when it is told to, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// How long a process may take until it listens.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// How long one answer may take meanwhile: a page is compiled when it is first asked for.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How often a process is looked at while it starts or stops.
const LOOK: Duration = Duration::from_millis(10);
/// The end of a log that an error shows.
const TAIL_BYTES: u64 = 2_000;

/// Why a process is not what the lab needs.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {name}")]
    Start {
        /// The process.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended without being told to.
    #[error("{name} has ended by itself ({status}); the end of {}:\n{tail}", log.display())]
    Ended {
        /// The process.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// It runs and does not listen.
    #[error("{name} is not ready at {address} after {limit:?}; its log is {}", log.display())]
    Deaf {
        /// The process.
        name: String,
        /// Where it should be.
        address: SocketAddr,
        /// How long it had.
        limit: Duration,
        /// Its log.
        log: PathBuf,
    },
    /// A signal could not be sent.
    #[error("cannot send {signal} to {name}")]
    Signal {
        /// The process.
        name: String,
        /// The signal's name.
        signal: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// How to start a process.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Its name, also of its log.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments; the one that ties it to this process is added.
    pub arguments: Vec<String>,
    /// Arguments behind that.
    pub behind: Vec<String>,
    /// Variables of its environment, beside this process's own.
    pub environment: Vec<(String, OsString)>,
    /// Where it listens when it is ready.
    pub address: SocketAddr,
    /// Addresses that it answers with 200 by then.
    pub pages: Vec<String>,
    /// The file that its output is appended to.
    pub log: PathBuf,
    /// How long it may take until it is ready.
    pub ready_limit: Duration,
    /// How long it may take to stop when it is told to, before it is killed.
    pub stop_limit: Duration,
}

/// What a process used of the machine, over all its lives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// CPU time.
    pub cpu_ms: u64,
    /// Memory in RAM now; 0 while it does not run.
    pub resident_bytes: u64,
    /// The most memory in RAM.
    pub peak_resident_bytes: u64,
    /// Context switches.
    pub switches: u64,
}

impl Usage {
    /// What this process used: an injector's threads, and what little else there is in it.
    pub fn own() -> Self {
        let of = |facts: host::ProcessFacts| Self {
            cpu_ms: facts.cpu_ms(),
            resident_bytes: facts.resident_bytes,
            peak_resident_bytes: facts.peak_resident_bytes,
            switches: facts.voluntary_switches + facts.involuntary_switches,
        };
        host::process(std::process::id()).map_or_else(|_| Self::default(), of)
    }
}

/// A process of the lab. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    recipe: Recipe,
    child: Option<Child>,
    /// Used by lives that have ended.
    past: Usage,
    /// Used by the present one when last looked at.
    present: Usage,
}

impl Recipe {
    /// A process of this program, which is ready once it listens.
    pub fn own(name: &str, program: &Path, arguments: &[&str], address: SocketAddr, log: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            behind: Vec::new(),
            environment: Vec::new(),
            address,
            pages: Vec::new(),
            log,
            ready_limit: READY_LIMIT,
            stop_limit: STOP_LIMIT,
        }
    }
}

impl Process {
    /// Starts a process. Call it from a thread that lives as long as the lab: the kernel ends the process with it.
    pub fn start(recipe: Recipe) -> Result<Self, ProcessError> {
        let mut process = Self { recipe, child: None, past: Usage::default(), present: Usage::default() };
        process.spawn()?;
        Ok(process)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Its id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.recipe.address
    }

    /// Waits until somebody listens at its address, and answers there.
    pub async fn ready(&mut self) -> Result<(), ProcessError> {
        let end = Instant::now() + self.recipe.ready_limit;
        while !self.is_ready().await {
            self.check()?;
            if Instant::now() > end {
                let Recipe { name, address, log, ready_limit: limit, .. } = self.recipe.clone();
                return Err(ProcessError::Deaf { name, address, limit, log });
            }
            tokio::time::sleep(LOOK).await;
        }
        self.check()
    }

    async fn is_ready(&self) -> bool {
        let address = self.recipe.address;
        if !listens(address) {
            return false;
        }
        for page in &self.recipe.pages {
            if !tokio::time::timeout(ANSWER_LIMIT, answers(address, page))
                .await
                .is_ok_and(|answer| answer.is_ok_and(|ok| ok))
            {
                return false;
            }
        }
        true
    }

    /// An error if it has ended by itself.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) else { return Ok(()) };
        self.bury();
        let Recipe { name, log, .. } = self.recipe.clone();
        let tail = tail(&log).unwrap_or_else(|error| error.to_string());
        Err(ProcessError::Ended { name, status, log, tail })
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) -> Result<(), ProcessError> {
        self.measure();
        self.signal(Signal::KILL, "SIGKILL")?;
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
        self.bury();
        Ok(())
    }

    /// Tells it to stop and waits; kills it when it takes too long.
    pub async fn stop(&mut self) -> Result<(), ProcessError> {
        self.order_to_stop()?;
        self.stopped(Instant::now() + self.recipe.stop_limit).await
    }

    /// How long it may take to stop.
    pub(crate) fn stop_limit(&self) -> Duration {
        self.recipe.stop_limit
    }

    /// How long it may take until it is ready.
    pub(crate) fn ready_limit(&self) -> Duration {
        self.recipe.ready_limit
    }

    /// Tells it to stop.
    pub(crate) fn order_to_stop(&mut self) -> Result<(), ProcessError> {
        self.measure();
        self.signal(Signal::TERM, "SIGTERM")?;
        // A stopped process gets no other signal than this one.
        self.signal(Signal::CONT, "SIGCONT")
    }

    /// Waits until it has stopped; kills it at `end`.
    pub(crate) async fn stopped(&mut self, end: Instant) -> Result<(), ProcessError> {
        while !self.has_stopped(end)? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Whether it has stopped; kills it after `end`. Waits for nothing.
    pub(crate) fn has_stopped(&mut self, end: Instant) -> Result<bool, ProcessError> {
        let Some(child) = &mut self.child else { return Ok(true) };
        if !matches!(child.try_wait(), Ok(None)) {
            self.bury();
        } else if Instant::now() > end {
            self.kill()?;
        }
        Ok(self.child.is_none())
    }

    /// Starts one that has stopped.
    pub(crate) fn start_again(&mut self) -> Result<(), ProcessError> {
        self.spawn()
    }

    /// Starts it again; one that still runs is stopped first.
    pub async fn restart(&mut self) -> Result<(), ProcessError> {
        self.stop().await?;
        self.spawn()
    }

    /// Stops it from running, not from existing.
    pub fn pause(&self) -> Result<(), ProcessError> {
        self.signal(Signal::STOP, "SIGSTOP")
    }

    /// Lets it run again.
    pub fn resume(&self) -> Result<(), ProcessError> {
        self.signal(Signal::CONT, "SIGCONT")
    }

    /// What it has used until now.
    pub fn usage(&mut self) -> Usage {
        self.measure();
        Usage {
            cpu_ms: self.past.cpu_ms + self.present.cpu_ms,
            resident_bytes: self.present.resident_bytes,
            peak_resident_bytes: self.past.peak_resident_bytes.max(self.present.peak_resident_bytes),
            switches: self.past.switches + self.present.switches,
        }
    }

    fn spawn(&mut self) -> Result<(), ProcessError> {
        let recipe = &self.recipe;
        let failed = |source| ProcessError::Start { name: recipe.name.clone(), source };
        let log = open_log(&recipe.log).map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let child = Command::new(&recipe.program)
            .args(&recipe.arguments)
            .args(["--die-with-parent", &std::process::id().to_string()])
            .args(&recipe.behind)
            .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        self.child = Some(child);
        Ok(())
    }

    fn signal(&self, signal: Signal, name: &'static str) -> Result<(), ProcessError> {
        let Some(pid) = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed())) else { return Ok(()) };
        match kill_process_group(pid, signal) {
            // Ended a moment ago: whoever looks next finds out.
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => {
                Err(ProcessError::Signal { name: self.recipe.name.clone(), signal: name, source: error.into() })
            }
        }
    }

    fn measure(&mut self) {
        if let Some(facts) = self.pid().and_then(|pid| host::family(pid).ok()) {
            self.present = Usage {
                cpu_ms: facts.cpu_ms().max(self.present.cpu_ms),
                resident_bytes: facts.resident_bytes,
                peak_resident_bytes: facts.peak_resident_bytes.max(self.present.peak_resident_bytes),
                switches: facts.voluntary_switches + facts.involuntary_switches,
            };
        }
    }

    fn bury(&mut self) {
        self.child = None;
        let present = std::mem::take(&mut self.present);
        self.past.cpu_ms += present.cpu_ms;
        self.past.peak_resident_bytes = self.past.peak_resident_bytes.max(present.peak_resident_bytes);
        self.past.switches += present.switches;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody is left to tell; the kernel ends it with this process at the latest.
        let _ = self.kill();
    }
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, LOOK).is_ok()
}

/// Whether the answer to a GET is a 200.
async fn answers(address: SocketAddr, page: &str) -> io::Result<bool> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET {page} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; 12];
    stream.read_exact(&mut line).await?;
    Ok(line.ends_with(b" 200"))
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn recipe(folder: &Path, script: &str, address: SocketAddr) -> Recipe {
        Recipe::own("liberty-1", Path::new("sh"), &["-c", script], address, folder.join("liberty-1.log"))
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn one_that_ends_by_itself_is_an_error_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        // An address of its own: no test beside this one takes the port meanwhile.
        let free = TcpListener::bind("127.77.1.1:0").unwrap().local_addr().unwrap();
        run(async {
            let mut process = Process::start(recipe(folder.path(), "echo no such thing >&2; exit 3", free)).unwrap();
            let said = process.ready().await.unwrap_err().to_string();
            assert!(said.starts_with("liberty-1 has ended by itself (exit status: 3); the end of "), "{said}");
            assert!(said.ends_with("no such thing"), "{said}");
            assert_eq!(process.pid(), None);
        });
    }

    #[test]
    fn a_process_is_paused_resumed_stopped_and_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        run(async {
            let recipe = recipe(folder.path(), "exec sleep 100", listener.local_addr().unwrap());
            let mut process = Process::start(recipe).unwrap();
            process.ready().await.unwrap();
            let first = process.pid().unwrap();
            process.pause().unwrap();
            process.resume().unwrap();
            process.pause().unwrap();
            process.restart().await.unwrap();
            let second = process.pid().unwrap();
            assert!(second != first && host::process(first).is_err() && host::process(second).is_ok());
            process.kill().unwrap();
            assert!(host::process(second).is_err() && process.check().is_ok());
            process.restart().await.unwrap();
            let third = process.pid().unwrap();
            drop(process);
            assert!(host::process(third).is_err());
        });
    }

    #[test]
    fn one_that_does_not_stop_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let script = "trap '' TERM; echo deaf; while :; do sleep 1; done";
        let mut process = Process::start(recipe(folder.path(), script, listener.local_addr().unwrap())).unwrap();
        while tail(&folder.path().join("liberty-1.log")).unwrap_or_default() != "deaf" {
            std::thread::yield_now();
        }
        process.order_to_stop().unwrap();
        let since = Instant::now();
        assert!(!process.has_stopped(since + STOP_LIMIT).unwrap() && since.elapsed() < STOP_LIMIT / 2);
        assert!(process.has_stopped(since).unwrap() && process.pid().is_none());
    }

    #[test]
    fn use_is_counted_over_all_lives() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        run(async {
            let burn = "i=0; while :; do i=$((i+1)); done";
            let mut process = Process::start(recipe(folder.path(), burn, listener.local_addr().unwrap())).unwrap();
            while process.usage().cpu_ms < 20 {
                tokio::time::sleep(LOOK).await;
            }
            let before = process.usage();
            process.kill().unwrap();
            process.restart().await.unwrap();
            while process.usage().cpu_ms < before.cpu_ms + 20 {
                tokio::time::sleep(LOOK).await;
            }
            assert!(process.usage().peak_resident_bytes > 0);
        });
    }
}
