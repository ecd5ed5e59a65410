//! The balancer as a process of its own, with a generated configuration on free ports of 127.0.0.1.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::raw::Raw;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How often a file or a process is looked at that cannot be waited for.
const LOOK: Duration = Duration::from_millis(5);

/// Lines that a process wrote, and a way to wait for one.
type Lines = Arc<(Mutex<String>, Condvar)>;

/// A running balancer, killed when dropped. A panic in it fails the test.
pub(crate) struct Balancer {
    child: Child,
    port: Reserved,
    stderr: Lines,
    folder: TempDir,
}

impl Balancer {
    /// Starts it with one thread and this content of the `http` block. `LISTEN` stands for its address,
    /// `FOLDER` for its folder.
    pub(crate) fn start(http: &str) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), "worker_processes 1;", http)
    }

    /// The same with more words on the command line.
    pub(crate) fn start_with(http: &str, words: &[&str]) -> Self {
        Self::start_as(tempfile::tempdir().expect("a folder"), "worker_processes 1;", http, words)
    }

    /// The same with directives of the main context, and a folder that has files in it.
    pub(crate) fn start_in(folder: TempDir, main: &str, http: &str) -> Self {
        Self::start_as(folder, main, http, &[])
    }

    fn start_as(folder: TempDir, main: &str, http: &str, words: &[&str]) -> Self {
        let port = Reserved::new();
        // The worker may be another user, and has its temporary files below.
        let through = fs::Permissions::from_mode(0o711);
        fs::set_permissions(folder.path(), through).expect("a folder of our own");
        let mut child =
            command(folder.path(), port.address, main, http).args(words).spawn().expect("the program starts");
        let stderr = Lines::default();
        collect(child.stderr.take().expect("a pipe"), Arc::clone(&stderr));
        let balancer = Self { child, port, stderr, folder };
        balancer.wait_for_line("bedloe: serving ");
        balancer
    }

    /// A `server` that proxies to these servers with `proxy_http_version 1.1` and kept connections.
    pub(crate) fn before(servers: &[SocketAddr]) -> Self {
        Self::before_with(servers, "", "")
    }

    /// The same with more directives in the upstream and in the location.
    pub(crate) fn before_with(servers: &[SocketAddr], upstream: &str, location: &str) -> Self {
        Self::start(&proxying(servers, upstream, location))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address
    }

    pub(crate) fn connect(&self) -> Raw {
        Raw::to(self.address())
    }

    /// Sends these bytes over a connection of their own and reads until the balancer closes it.
    pub(crate) fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect();
        client.send(bytes);
        client.rest()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Its master's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process that serves.
    pub(crate) fn worker(&self) -> u32 {
        *children(self.pid()).first().expect("a worker")
    }

    pub(crate) fn signal_worker(&self, signal: Signal) {
        let pid = Pid::from_raw(self.worker().cast_signed()).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Writes another configuration where the first was, as [`Balancer::start_in`] takes it.
    pub(crate) fn rewrite(&self, main: &str, http: &str) {
        write(self.folder.path(), self.address(), main, http);
    }

    /// Has it read its configuration, and waits until that is served.
    pub(crate) fn reload(&self) {
        let served = "the new configuration is served";
        let before = self.said().matches(served).count();
        self.signal(Signal::HUP);
        wait_until("a reload", || self.said().matches(served).count() > before);
    }

    /// What it has written to its standard error.
    pub(crate) fn said(&self) -> String {
        self.stderr.0.lock().expect("no panic").clone()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status;
            }
            assert!(Instant::now() < end, "the balancer does not end");
            pause();
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Waits until its standard error holds this, and gives all of it.
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        let (lines, changed) = &*self.stderr;
        let lines = lines.lock().expect("no panic");
        let waited = changed.wait_timeout_while(lines, PATIENCE, |lines| !lines.contains(text)).expect("no panic");
        assert!(waited.0.contains(text), "no {text:?} in {}", waited.0);
        waited.0.clone()
    }

    /// Waits until a log holds this, and gives the line.
    pub(crate) fn logged(&self, log: &str, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let lines = self.log(log);
            if let Some(line) = lines.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(Instant::now() < end, "no {text:?} in {log}:\n{lines}");
            pause();
        }
    }

    pub(crate) fn log(&self, log: &str) -> String {
        fs::read_to_string(self.folder.path().join(log)).unwrap_or_default()
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How many files are in a folder of its folder.
    pub(crate) fn files(&self, name: &str) -> usize {
        fs::read_dir(self.path(name)).map_or(0, Iterator::count)
    }

    pub(crate) fn admin(&self) -> PathBuf {
        self.folder.path().join("admin")
    }

    /// The most memory it ever had, in KiB, without the pages of its program's file: how many of these are mapped along
    /// is up to the page cache.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.worker())).expect("it runs");
        let kib = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is told");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        kib("VmHWM:").saturating_sub(kib("RssFile:"))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let said = self.stderr.0.lock().map(|lines| lines.clone()).unwrap_or_default() + &self.log("error.log");
        assert!(std::thread::panicking() || !said.contains("panic"), "the balancer panicked:\n{said}");
    }
}

/// The content of an `http` block that proxies to these servers.
pub(crate) fn proxying(servers: &[SocketAddr], upstream: &str, location: &str) -> String {
    let servers: String = servers.iter().map(|server| format!("server {server}; ")).collect();
    format!(
        "upstream app {{ {servers} keepalive 8; {upstream} }}
         server {{
             listen LISTEN;
             location / {{
                 proxy_pass http://app;
                 proxy_http_version 1.1;
                 proxy_set_header Connection \"\";
                 {location}
             }}
         }}"
    )
}

/// Runs the program with a configuration it cannot serve: what it says, and its exit code.
pub(crate) fn fails(folder: &Path, main: &str, http: &str) -> (String, Option<i32>) {
    output(&mut command(folder, Reserved::new().address, main, http))
}

/// The same without directives of the main context, and with more words on the command line.
pub(crate) fn fails_with(folder: &Path, http: &str, words: &[&str]) -> (String, Option<i32>) {
    output(command(folder, Reserved::new().address, "", http).args(words))
}

fn output(command: &mut Command) -> (String, Option<i32>) {
    let output = command.output().expect("it starts");
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

fn command(folder: &Path, address: SocketAddr, main: &str, http: &str) -> Command {
    let file = write(folder, address, main, http);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.arg("run").arg("-c").arg(&file).arg("-p").arg(folder);
    command.arg("--admin").arg(format!("unix:{}", folder.join("admin").display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn write(folder: &Path, address: SocketAddr, main: &str, http: &str) -> PathBuf {
    let events = if main.contains("events") { "" } else { "events {}" };
    let text = format!(
        "{main}\npid FOLDER/pid;\nerror_log FOLDER/error.log;\n{events}\n\
         http {{\naccess_log FOLDER/access.log;\n{http}\n}}\n"
    );
    let text = text.replace("LISTEN", &address.to_string()).replace("FOLDER", &folder.display().to_string());
    let file = folder.join("nginx.conf");
    fs::write(&file, text).expect("a file");
    file
}

/// The children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        pause();
    }
}

fn collect(stderr: ChildStderr, lines: Lines) {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let (text, changed) = &*lines;
            if let Ok(mut text) = text.lock() {
                text.push_str(&line);
                text.push('\n');
                changed.notify_all();
            }
        }
    });
}

/// A short rest between two looks at what cannot be waited for.
pub(crate) fn pause() {
    std::thread::park_timeout(LOOK);
}

/// A port that nobody else is given: bound here, but not listened on, so that a program that reuses addresses can.
pub(crate) struct Reserved {
    pub(crate) address: SocketAddr,
    _bound: OwnedFd,
}

impl Reserved {
    pub(crate) fn new() -> Self {
        let bound = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .expect("a socket");
        sockopt::set_socket_reuseaddr(&bound, true).expect("an option");
        rustix::net::bind(&bound, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let address = rustix::net::getsockname(&bound).expect("an address").try_into().expect("an IPv4 address");
        Self { address, _bound: bound }
    }
}
