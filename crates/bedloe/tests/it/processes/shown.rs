//! What is shown of reloads, upgrades and kills at a rate, by `bench/stays`: too long for every day.
//!
//! Half of the clients keep their connections, half make one for each request; every fourth request is a POST with a
//! number of its own, and the server counts how often each number comes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::nginx::{Running, read_pid};
use crate::support::balancer::{Balancer, PATIENCE, pause, proxying, wait_until};
use crate::support::scripted::{Scripted, ok};

/// Requests a second, by so many clients.
const RATE: u32 = 2_000;
const CLIENTS: u32 = 40;

const RELOADS: usize = 50;
const UPGRADES: usize = 5;
const KILLS: usize = 5;
/// Time between two of them: some hundreds of requests.
const PAUSE: Duration = Duration::from_millis(300);

struct Clients {
    threads: Vec<JoinHandle<Vec<String>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    answers: AtomicUsize,
}

/// Numbers for posts, never one twice.
static POSTS: AtomicUsize = AtomicUsize::new(0);

impl Clients {
    fn start(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        let client = |number: u32| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || client(address, number, &shared))
        };
        Self { threads: (0..CLIENTS).map(client).collect(), shared }
    }

    fn answers(&self) -> usize {
        self.shared.answers.load(Relaxed)
    }

    /// What failed.
    fn end(self) -> Vec<String> {
        self.shared.is_over.store(true, Relaxed);
        self.threads.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    }
}

/// One client at its share of the rate. A request that is late is not followed by a burst.
fn client(address: SocketAddr, number: u32, shared: &Shared) -> Vec<String> {
    let every = Duration::from_secs(1) * CLIENTS / RATE;
    let mut failures = Vec::new();
    let mut kept = None;
    let mut next = Instant::now() + every * number / CLIENTS;
    while !shared.is_over.load(Relaxed) {
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
        next = (next + every).max(Instant::now());
        let is_post = shared.answers.load(Relaxed).is_multiple_of(4);
        let keeps = number.is_multiple_of(2);
        let connection = if keeps { "" } else { "Connection: close\r\n" };
        let request = if is_post {
            let post = POSTS.fetch_add(1, Relaxed);
            format!("POST /{post} HTTP/1.1\r\nHost: a\r\n{connection}Content-Length: 0\r\n\r\n")
        } else {
            format!("GET / HTTP/1.1\r\nHost: a\r\n{connection}\r\n")
        };
        match ask(address, keeps, &request, &mut kept) {
            Ok(()) => {
                shared.answers.fetch_add(1, Relaxed);
            }
            Err(error) => failures.push(format!("{} connection: {error}", if keeps { "kept" } else { "new" })),
        }
    }
    failures
}

fn ask(address: SocketAddr, keeps: bool, request: &str, kept: &mut Option<TcpStream>) -> std::io::Result<()> {
    let mut stream = match kept.take().filter(is_open) {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream
        }
    };
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"\r\n\r\nhi") {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(std::io::Error::other(format!("closed after {} bytes", answer.len())));
        }
        answer.extend_from_slice(&piece[..read]);
    }
    let head = String::from_utf8_lossy(&answer);
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(std::io::Error::other(head));
    }
    if keeps && !head.contains("onnection: close") {
        *kept = Some(stream);
    }
    Ok(())
}

/// As all clients do, this one looks before it sends whether its idle connection was closed meanwhile.
fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("an option");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("an option");
    peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Posts that came to the server more than once.
fn repeated(upstream: &Scripted) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for received in upstream.received() {
        for line in received.lines().filter(|line| line.starts_with("POST ")) {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(line, count)| format!("{line}: {count}")).collect()
}

fn rest() {
    let end = Instant::now() + PAUSE;
    while Instant::now() < end {
        pause();
    }
}

#[test]
#[ignore = "a minute at 2,000 requests a second; bench/stays runs it"]
#[allow(clippy::print_stderr, reason = "it is there to show figures")]
fn fifty_reloads_five_upgrades_five_kills() {
    let upstream = Scripted::start(|link, _| {
        loop {
            link.head()?;
            link.send(ok("hi"))?;
        }
    });
    let main = "worker_processes 2;";
    let http = |round: usize| proxying(&[upstream.address()], &format!("keepalive_requests {};", 10_000 + round), "");
    let balancer = Balancer::start_in(tempfile::tempdir().expect("a folder"), main, &http(0));
    let answered = during(&balancer, "50 reloads", 0, || {
        for round in 0..RELOADS {
            balancer.rewrite(main, &http(round));
            balancer.reload();
            rest();
        }
    });
    assert!(answered > RELOADS * 100, "{answered} answers are no load");
    let mut gaps = Vec::new();
    during(&balancer, "5 kills", KILLS * CLIENTS as usize, || {
        for _ in 0..KILLS {
            balancer.signal_worker(Signal::KILL);
            let killed = Instant::now();
            assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("hi"));
            gaps.push(killed.elapsed());
            rest();
        }
    });
    eprintln!("served again after {gaps:?}");
    assert!(gaps.iter().all(|gap| *gap < Duration::from_millis(100)), "a worker is replaced within 100 ms");
    let mut running = Running(balancer.pid());
    during(&balancer, "5 upgrades", 0, || {
        for _ in 0..UPGRADES {
            running = upgrade(&balancer, &running);
            rest();
        }
    });
    running.signal(Signal::TERM);
    running.wait();
    assert_eq!(repeated(&upstream), Vec::<String>::new(), "no POST is done twice");
    eprintln!("{} POSTs, none done twice", POSTS.load(Relaxed));
}

/// Has clients ask while something is done; so many requests may fail. Gives the number of answers.
#[allow(clippy::print_stderr, reason = "it is there to show figures")]
fn during(balancer: &Balancer, what: &str, may_fail: usize, work: impl FnOnce()) -> usize {
    let started = Instant::now();
    let clients = Clients::start(balancer.address());
    rest();
    work();
    rest();
    let (answers, seconds) = (clients.answers(), started.elapsed().as_secs_f64());
    let failed = clients.end();
    eprintln!("{what}: {answers} answers, {:.0} a second, {} failed", answers as f64 / seconds, failed.len());
    assert!(failed.len() <= may_fail, "{failed:?}");
    assert!(failed.iter().all(|failure| !failure.contains("refused")), "{failed:?}");
    answers
}

/// Replaces the program, and gives the new one.
fn upgrade(balancer: &Balancer, old: &Running) -> Running {
    let before = balancer.said().matches("bedloe: serving ").count();
    old.signal(Signal::USR2);
    wait_until("the new program", || balancer.said().matches("bedloe: serving ").count() > before);
    let new = Running(read_pid(&balancer.folder().join("pid")).expect("a pid file"));
    assert_ne!(new.0, old.0);
    old.signal(Signal::QUIT);
    old.wait();
    new
}
