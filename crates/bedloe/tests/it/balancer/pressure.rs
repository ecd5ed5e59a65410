//! More connections than `worker_connections` or descriptors allow: accepting waits, idle connections are closed, the
//! oldest first, busy ones never, with one line in the log and without spinning.

use std::fs;
use std::sync::{Mutex, mpsc};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use crate::support::admin;
use crate::support::balancer::{Balancer, pause};
use crate::support::raw::Raw;
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const MOST: usize = 32;

fn start(http: &str) -> Balancer {
    start_in(tempfile::tempdir().expect("a folder"), http)
}

fn start_in(folder: TempDir, http: &str) -> Balancer {
    Balancer::start_in(folder, &format!("worker_processes 1; events {{ worker_connections {MOST}; }}"), http)
}

/// A client whose request was answered, and whose connection is idle since.
fn idle(balancer: &Balancer) -> Raw {
    let mut client = balancer.connect();
    client.send(GET);
    assert_eq!(client.reply().status(), 204);
    // So that no two are idle since the same millisecond.
    pause();
    client
}

#[test]
fn idle_connections_make_room_the_oldest_first() {
    let balancer = start("server { listen LISTEN; return 204; }");
    let mut clients: Vec<Raw> = (0..MOST).map(|_| idle(&balancer)).collect();
    assert_eq!(balancer.log("error.log"), "");
    // The first one is the one that was used last.
    clients[0].send(GET);
    assert_eq!(clients[0].reply().status(), 204);
    clients.extend((0..MOST / 2).map(|_| idle(&balancer)));
    for client in &mut clients[1..=MOST / 2] {
        assert_eq!(client.rest(), "", "the older ones are closed");
    }
    for client in clients.iter_mut().rev().take(MOST / 2) {
        client.send(GET);
        assert_eq!(client.reply().status(), 204, "the newer ones are not");
    }
    let line = balancer.logged("error.log", "worker_connections");
    let what = format!("[alert] PROCESS#0: {MOST} worker_connections are not enough: closing idle connections, the");
    assert!(line.contains(what.split_once("PROCESS").map_or("", |parts| parts.1)), "{line}");
    assert_eq!(balancer.log("error.log").lines().count(), 1, "one line for all of it");
    // Those that never said anything are idle too.
    let silent: Vec<Raw> = (0..MOST * 3).map(|_| balancer.connect()).collect();
    idle(&balancer);
    drop(silent);
}

#[test]
fn busy_connections_are_waited_for_without_spinning() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = Scripted::start(move |link, _| {
        link.head()?;
        let _ = wait.lock().map(|wait| wait.recv());
        link.send(ok("hi"))
    });
    let location = "proxy_set_header Connection close;";
    let balancer = start(&format!(
        "server {{ listen LISTEN; location / {{ proxy_pass http://{}; {location} }} }}",
        upstream.address()
    ));
    // Each takes a connection on either side.
    let mut clients: Vec<Raw> = Vec::new();
    for n in 1..=MOST / 2 {
        let mut client = balancer.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        clients.push(client);
        while upstream.received().len() < n {
            pause();
        }
    }
    let mut waiting = balancer.connect();
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    balancer.logged("error.log", "worker_connections are not enough: new connections wait");
    let before_ms = processor_ms(&balancer);
    (0..100).for_each(|_| pause());
    let spent_ms = processor_ms(&balancer) - before_ms;
    assert!(spent_ms < 100, "{spent_ms} ms of a processor while nothing happens");
    assert_eq!(admin::status(&balancer.admin())["accepted"], MOST as u64 / 2);
    drop(go);
    for client in clients.iter_mut().chain([&mut waiting]) {
        assert_eq!(client.reply().body, "hi");
    }
    assert_eq!(balancer.log("error.log").lines().count(), 1);
}

/// The kernel wakes the same thread for each connection while that is idle: it must not keep them from the others.
#[test]
fn a_thread_that_is_full_leaves_connections_to_one_that_is_not() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        // It never answers.
        link.head().map(drop)
    });
    let http = format!(
        "server {{ listen LISTEN; location / {{ proxy_pass http://{}; }} location /here {{ return 200 hi; }} }}",
        upstream.address()
    );
    let main = format!("worker_processes 2; events {{ worker_connections {MOST}; }}");
    let balancer = Balancer::start_in(tempfile::tempdir().expect("a folder"), &main, &http);
    // Each takes a connection on either side, so this is half of what both threads may have.
    let mut clients: Vec<Raw> = Vec::new();
    for n in 1..=MOST / 2 {
        let mut client = balancer.connect();
        client.send(GET);
        clients.push(client);
        while upstream.received().len() < n {
            pause();
        }
    }
    for _ in 0..4 {
        assert!(balancer.ask("GET /here HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nhi"));
    }
}

/// Time that the balancer's threads have computed so far.
fn processor_ms(balancer: &Balancer) -> u64 {
    let process = balancer.worker();
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    // utime and stime, in ticks of 10 ms.
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number") * 10).sum()
}

#[test]
fn idle_connections_make_room_when_descriptors_run_out() {
    let folder = tempfile::tempdir().expect("a folder");
    // Only of its own user may this process change the limits.
    let main = "worker_processes 1; user root;";
    let balancer = Balancer::start_in(folder, main, "server { listen LISTEN; return 204; }");
    let process = balancer.worker();
    let open = fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count() as u64;
    let limit = Rlimit { current: Some(open + 20), maximum: Some(10_000) };
    let process = i32::try_from(process).expect("a pid");
    prlimit(Pid::from_raw(process), Resource::Nofile, limit).expect("a limit");
    let mut clients: Vec<Raw> = (0..60).map(|_| idle(&balancer)).collect();
    assert_eq!(clients[0].rest(), "", "the oldest is closed");
    let last = clients.last_mut().expect("a client");
    last.send(GET);
    assert_eq!(last.reply().status(), 204, "the newest is not");
    let line = balancer.logged("error.log", "accept4() failed");
    assert!(line.contains("Too many open files") && line.contains("closing idle connections"), "{line}");
    assert_eq!(balancer.log("error.log").lines().count(), 1);
}

#[test]
fn tls_clients_that_say_nothing_make_room_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let pair = lab::certificate::make(address).expect("a certificate");
    fs::write(folder.path().join("crt"), &pair.certificate).expect("a file");
    fs::write(folder.path().join("key"), &pair.key).expect("a file");
    let http = "server { listen LISTEN ssl; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/key; return 204; }";
    let balancer = start_in(folder, http);
    let mut silent: Vec<Raw> = (0..MOST * 2).map(|_| balancer.connect()).collect();
    for client in silent.iter_mut().take(MOST) {
        assert_eq!(client.rest(), "");
    }
    let mut client = balancer.connect();
    client.send(GET);
    assert_eq!(client.reply().status(), 400, "plain HTTP on a port for TLS");
}

#[test]
fn slow_writers_and_slow_readers_take_bounded_memory_and_hold_up_nobody() {
    const CLIENTS: usize = 100;
    let upstream = Scripted::start(|link, _| {
        while link.head()?.starts_with("GET /small") {
            link.send(ok("hi"))?;
        }
        link.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")?;
        while link.send([b'x'; 100_000]).is_ok() {}
        Ok(())
    });
    let location = format!("location / {{ proxy_pass http://{}; }}", upstream.address());
    let main = "worker_processes 1; events { worker_connections 1024; }";
    let folder = tempfile::tempdir().expect("a folder");
    let balancer = Balancer::start_in(folder, main, &format!("server {{ listen LISTEN; {location} }}"));
    let small = || balancer.ask("GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("hi");
    assert!(small());
    let before_kib = balancer.peak_memory_kib();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut writer = balancer.connect();
        writer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
        writer.send([b'x'; 200_000]);
        let mut reader = balancer.connect();
        reader.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        reader.head();
        clients.extend([writer, reader]);
        assert!(small());
    }
    // A block for what comes, one for what goes, and as much again of a body on its way to its file.
    let grown_kib = balancer.peak_memory_kib().saturating_sub(before_kib);
    assert!(grown_kib < 2 * CLIENTS as u64 * 128, "{grown_kib} KiB for {} clients", 2 * CLIENTS);
    assert_eq!(balancer.files("client_body_temp"), 0);
}
