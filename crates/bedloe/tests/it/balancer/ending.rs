//! QUIT drains, TERM stops: what becomes of requests in flight, of idle connections and of the port.

use std::net::TcpStream;
use std::sync::mpsc;

use rustix::process::Signal;

use crate::support::balancer::{Balancer, pause, proxying};
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server that answers when it is told to.
fn patient() -> (Scripted, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Scripted::start(move |link, _| {
        loop {
            link.head()?;
            let _ = wait.lock().map(|wait| wait.recv());
            link.send(ok("hi"))?;
        }
    });
    (upstream, go)
}

fn wait_until_refused(balancer: &Balancer) {
    while TcpStream::connect(balancer.address()).is_ok() {
        pause();
    }
}

#[test]
fn quit_finishes_what_is_in_flight() {
    let (upstream, go) = patient();
    let mut balancer = Balancer::start(&proxying(&[upstream.address()], "", "keepalive_timeout 60s;"));
    let (mut busy, mut idle) = (balancer.connect(), balancer.connect());
    go.send(()).expect("it waits");
    idle.send(GET);
    assert_eq!(idle.reply().field("connection"), Some("keep-alive"));
    busy.send(GET);
    upstream.wait_for(&"GET / HTTP/1.1\r\nHost: app\r\n\r\n".repeat(2));
    balancer.signal(Signal::QUIT);
    wait_until_refused(&balancer);
    go.send(()).expect("it waits");
    let reply = busy.reply();
    assert_eq!((reply.body.as_str(), reply.field("connection")), ("hi", Some("close")));
    assert_eq!(busy.rest(), "");
    // An idle connection is not closed under a client that may be about to send.
    assert!(balancer.is_running());
    go.send(()).expect("it waits");
    idle.send(GET);
    let reply = idle.reply();
    assert_eq!((reply.body.as_str(), reply.field("connection")), ("hi", Some("close")));
    assert_eq!(idle.rest(), "");
    drop((busy, idle));
    assert_eq!(balancer.wait().code(), Some(0));
    assert!(!balancer.admin().exists() && balancer.log("pid").is_empty(), "it leaves nothing behind");
    assert_eq!(balancer.log("access.log").lines().count(), 3, "all lines are written");
}

#[test]
fn quit_waits_for_idle_connections_until_their_time_is_over() {
    let (upstream, go) = patient();
    let mut balancer = Balancer::start(&proxying(&[upstream.address()], "", "keepalive_timeout 300ms;"));
    let mut idle = balancer.connect();
    go.send(()).expect("it waits");
    idle.send(GET);
    idle.reply();
    balancer.signal(Signal::QUIT);
    assert_eq!(idle.rest(), "");
    assert_eq!(balancer.wait().code(), Some(0));
}

#[test]
fn term_and_int_stop_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let (upstream, _go) = patient();
        let mut balancer = Balancer::before(&[upstream.address()]);
        let mut busy = balancer.connect();
        busy.send(GET);
        upstream.wait_for("GET");
        balancer.signal(signal);
        assert_eq!(busy.rest(), "");
        assert_eq!(balancer.wait().code(), Some(0));
        assert!(!balancer.admin().exists());
    }
}

#[test]
fn term_ends_a_drain() {
    let (upstream, _go) = patient();
    let mut balancer = Balancer::before(&[upstream.address()]);
    let mut busy = balancer.connect();
    busy.send(GET);
    upstream.wait_for("GET");
    balancer.signal(Signal::QUIT);
    wait_until_refused(&balancer);
    assert!(balancer.is_running());
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.wait().code(), Some(0));
}

#[test]
fn quit_serves_the_connections_that_wait_to_be_accepted() {
    let mut balancer = Balancer::start("server { listen LISTEN; return 204; }");
    // While it stands still the system makes connections for it.
    balancer.signal_worker(Signal::STOP);
    let mut clients: Vec<_> = (0..200).map(|_| balancer.connect()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    balancer.signal(Signal::QUIT);
    balancer.signal_worker(Signal::CONT);
    for client in &mut clients {
        assert_eq!(client.reply().status(), 204);
    }
    drop(clients);
    assert_eq!(balancer.wait().code(), Some(0));
}
