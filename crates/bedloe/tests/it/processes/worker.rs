//! The worker: replaced when it dies, gone with its master, and without rights.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::load::Load;
use crate::support::balancer::{Balancer, proxying, wait_until};
use crate::support::scripted::Scripted;

const SERVER: &str = "server { listen LISTEN; return 204; }";
/// How long nobody may serve.
const REPLACED_WITHIN: Duration = Duration::from_millis(100);
/// A test's program is built for debugging, and its machine does other things meanwhile.
const ALLOWANCE: Duration = Duration::from_millis(400);

fn is_running(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn field(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("a field");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn one_that_is_killed_is_replaced_and_no_connect_is_refused() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before(&[upstream.address()]);
    let load = Load::start(balancer.address(), 8);
    for _ in 0..3 {
        load.wait_for(100);
        let worker = balancer.worker();
        balancer.signal_worker(Signal::KILL);
        let killed = Instant::now();
        assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("hi"), "it waits for the next worker");
        let taken = killed.elapsed();
        assert!(taken < REPLACED_WITHIN + ALLOWANCE, "{taken:?}");
        assert_ne!(balancer.worker(), worker);
        balancer.wait_for_line(&format!("worker process {worker} exited on signal 9"));
    }
    let (answers, failures) = load.end();
    // What was in flight is lost: one request of a client at each kill.
    assert!(failures.len() <= 3 * 8, "{} of {answers} failed: {failures:?}", failures.len());
    assert!(failures.iter().all(|failure| !failure.contains("refused")), "{failures:?}");
}

#[test]
fn it_ends_with_its_master() {
    let balancer = Balancer::start(SERVER);
    let worker = balancer.worker();
    balancer.signal(Signal::KILL);
    wait_until("the worker's end", || !is_running(worker));
}

#[test]
fn quit_to_the_worker_is_a_fresh_one() {
    let balancer = Balancer::start(SERVER);
    let worker = balancer.worker();
    balancer.signal_worker(Signal::QUIT);
    balancer.wait_for_line(&format!("worker process {worker} exited with code 0"));
    assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 204 "));
    assert_ne!(balancer.worker(), worker);
}

#[test]
fn workers_that_end_at_once_are_not_started_without_end() {
    let balancer = Balancer::start(SERVER);
    let mut last = 0;
    for _ in 0..6 {
        wait_until("a worker", || balancer.said().contains("as soon as they start") || worker_after(&balancer, last));
        if let Some(worker) = crate::support::balancer::children(balancer.pid()).first() {
            last = *worker;
            let _ = kill_process(Pid::from_raw(worker.cast_signed()).expect("a process"), Signal::KILL);
            wait_until("its end", || !is_running(last));
        }
    }
    balancer.wait_for_line("workers end as soon as they start: the next one starts in ");
    assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 204 "), "it comes back");
}

fn worker_after(balancer: &Balancer, last: u32) -> bool {
    crate::support::balancer::children(balancer.pid()).first().is_some_and(|worker| *worker != last)
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that is skipped must be seen")]
fn it_runs_as_the_user_without_rights_and_logs_are_given_to_it() {
    if !geteuid().is_root() {
        return eprintln!("skipped: the worker's user: this is not root");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let balancer = Balancer::start_in(folder, "worker_processes 2; user daemon;", SERVER);
    let worker = balancer.worker();
    let id = |database: &str, column: usize| {
        let text = fs::read_to_string(format!("/etc/{database}")).expect("a database");
        let line = text.lines().find(|line| line.starts_with("daemon:")).expect("the user daemon").to_owned();
        line.split(':').nth(column).expect("a number").to_owned()
    };
    let (uid, gid) = (id("passwd", 2), id("group", 2));
    assert_eq!(field(worker, "Uid"), [uid.as_str(); 4].join(" "));
    assert_eq!(field(worker, "Gid"), [gid.as_str(); 4].join(" "));
    assert_eq!(field(worker, "Groups"), gid, "root's own groups are gone");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(worker, set), "0000000000000000", "{set}");
    }
    assert_eq!(field(worker, "NoNewPrivs"), "1");
    assert_eq!(field(balancer.pid(), "Uid"), "0 0 0 0");
    // The worker may not look into the folder, and logs all the same.
    let log = balancer.folder().join("access.log");
    let meta = fs::metadata(&log).expect("a log");
    assert_eq!((meta.uid(), meta.permissions().mode() & 0o777), (0, 0o644));
    fs::rename(&log, balancer.folder().join("access.log.1")).expect("a log");
    balancer.signal(Signal::USR1);
    wait_until("a new log", || fs::metadata(&log).is_ok_and(|meta| meta.uid().to_string() == uid));
    wait_until("a line", || {
        balancer.ask("GET /after HTTP/1.0\r\n\r\n");
        balancer.log("access.log").contains("/after")
    });
}

#[test]
fn without_a_user_root_s_worker_is_nobody() {
    let balancer = Balancer::start(SERVER);
    let (master, worker) = (field(balancer.pid(), "Uid"), field(balancer.worker(), "Uid"));
    if geteuid().is_root() {
        assert_ne!(worker, master);
    } else {
        assert_eq!(worker, master);
    }
}

#[test]
fn worker_shutdown_timeout_ends_a_drain() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        // It never answers.
        link.head().map(drop)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let main = "worker_processes 1; worker_shutdown_timeout 200ms;";
    let mut balancer = Balancer::start_in(folder, main, &proxying(&[upstream.address()], "", ""));
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_for("GET");
    balancer.signal(Signal::QUIT);
    assert_eq!(client.rest(), "");
    assert_eq!(balancer.wait().code(), Some(0));
}

#[test]
fn the_limit_of_open_files_is_that_of_all_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let balancer = Balancer::start_in(folder, "worker_processes 3; worker_rlimit_nofile 300;", SERVER);
    let limits = fs::read_to_string(format!("/proc/{}/limits", balancer.worker())).expect("it runs");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    assert_eq!(line.split_whitespace().nth(3), Some("900"), "{line}");
}
