//! What becomes of requests that wait for a server that turns out not to be well, and before the first check.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::server::{Server, UP, page};
use super::{body, site, states, wait_for_states};
use crate::support::admin::{self, Events};
use crate::support::balancer::{Balancer, wait_until};
use crate::support::http2;

/// A server that requests go to, and one that stands by; the first is checked often.
fn two(first: &Server, second: &Server) -> Balancer {
    let servers = [first.address(), format!("{} backup", second.address())];
    let check = "health_check uri=/health/ready interval=50ms;";
    Balancer::start(&site(&servers, "health_check_timeout 300ms;", check))
}

#[test]
fn requests_that_wait_go_to_another_server_if_they_may_be_repeated() {
    let (first, second) = (Server::well("first"), Server::well("second"));
    let balancer = two(&first, &second);
    let mut events = Events::open(&balancer.admin());
    assert_eq!(body(&balancer), "first");
    first.hold_requests(true);
    let mut gets: Vec<_> = (0..3).map(|_| balancer.connect()).collect();
    for (at, get) in gets.iter_mut().enumerate() {
        get.send(format!("GET /waits/{at} HTTP/1.1\r\nHost: a\r\n\r\n"));
        first.wait_for(&format!("/waits/{at}"));
    }
    let mut put = balancer.connect();
    put.send("PUT /put HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    let mut post = balancer.connect();
    post.send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    first.wait_for("PUT /put");
    first.wait_for("POST /post");
    // From now on it answers nothing at all; requests would wait for a minute.
    first.set_page(None);
    assert!(events.next("unhealthy")["why"].as_str().is_some_and(|why| why.contains("timed out after 300 ms")));
    for get in &mut gets {
        assert_eq!(get.reply().body, "second");
    }
    assert_eq!(put.reply().body, "second");
    assert!(second.wait_for("PUT /put").ends_with("body"), "with its body");
    let line = balancer.logged("error.log", "/waits/0");
    let why = "health checks have found the server unhealthy while reading response header from upstream";
    assert!(line.contains(why), "{line}");
    // What must not be repeated waits on, and has its answer when the server is itself again.
    first.hold_requests(false);
    assert_eq!(post.reply().body, "first");
    assert!(!second.received().concat().contains("POST"), "it was sent once");
    assert_eq!(states(&balancer), ["unhealthy", "up"]);
}

#[test]
fn where_there_is_no_other_server_requests_wait_on() {
    let only = Server::well("only");
    let check = "health_check uri=/health/ready interval=50ms;";
    let balancer = Balancer::start(&site(&[only.address()], "health_check_timeout 300ms;", check));
    let mut events = Events::open(&balancer.admin());
    only.hold_requests(true);
    let mut get = balancer.connect();
    get.send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
    only.wait_for("/waits");
    only.set_page(None);
    events.next("unhealthy");
    only.hold_requests(false);
    assert_eq!(get.reply().body, "only");
}

#[test]
fn a_mandatory_check_comes_before_the_first_request() {
    let only = Server::start("only", None);
    let check = "health_check uri=/health/ready interval=1h mandatory;";
    let balancer = Balancer::start(&site(&[only.address()], "health_check_timeout 1m;", check));
    let mut events = Events::open(&balancer.admin());
    only.wait_for("GET /health/ready");
    assert_eq!(states(&balancer), ["checking"]);
    assert!(balancer.ask("GET /early HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 502 "));
    assert!(!only.received().concat().contains("/early"));
    only.set_page(Some(page(200, UP)));
    events.next("healthy");
    assert_eq!((body(&balancer), states(&balancer)), ("only".to_owned(), vec!["up".to_owned()]));
}

#[test]
fn without_mandatory_requests_come_at_once() {
    let only = Server::start("only", None);
    let check = "health_check uri=/health/ready interval=1h;";
    let balancer = Balancer::start(&site(&[only.address()], "health_check_timeout 1m;", check));
    only.wait_for("GET /health/ready");
    assert_eq!(body(&balancer), "only");
    wait_for_states(&balancer, &["up"]);
}

#[test]
fn requests_over_http2_and_on_all_threads_move_on() {
    let (first, second) = (Server::well("first"), Server::well("second"));
    let servers = [first.address(), format!("{} backup", second.address())];
    let check = "health_check uri=/health/ready interval=50ms;";
    let http = site(&servers, "health_check_timeout 300ms; http2 on;", check);
    let balancer = Balancer::start_in(tempfile::tempdir().expect("a folder"), "worker_processes 3;", &http);
    first.hold_requests(true);
    let address = balancer.address();
    let clients: Vec<_> = (0..9)
        .map(|at| {
            let client = async move { http2::Client::to(address).await.get(&format!("/waits/{at}")).await.text() };
            std::thread::spawn(move || http2::run(client))
        })
        .collect();
    (0..9).for_each(|at| drop(first.wait_for(&format!("/waits/{at}"))));
    first.set_page(None);
    for client in clients {
        assert_eq!(client.join().expect("no panic"), "second");
    }
}

/// An address at which connections are neither made nor refused: its queue is full.
struct Deaf {
    address: SocketAddr,
    listener: OwnedFd,
    first: TcpStream,
}

impl Deaf {
    fn start() -> Self {
        let listener = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .expect("a socket");
        rustix::net::bind(&listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        rustix::net::listen(&listener, 0).expect("it listens");
        let address: SocketAddr =
            rustix::net::getsockname(&listener).expect("an address").try_into().expect("an IPv4 address");
        let first = TcpStream::connect(address).expect("room for one");
        Self { address, listener, first }
    }
}

#[test]
fn a_request_that_is_still_connecting_moves_on() {
    // Both are asked at one port: there the first has a page of its own, and the second is all that it is.
    let (deaf, page_of) = (Deaf::start(), Server::well("page"));
    let port: u16 = page_of.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let second = Server::start_at((Ipv4Addr::new(127, 0, 0, 2), port).into(), "second", Some(page(200, UP)));
    let servers = [deaf.address.to_string(), format!("{} backup", second.address())];
    let check = format!("health_check uri=/health/ready interval=50ms port={port};");
    let balancer = Balancer::start(&site(&servers, "", &check));
    let mut post = balancer.connect();
    post.send("POST /waits HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    wait_until("an attempt", || admin::server(&balancer.admin(), 0)["in_flight"] == 1);
    page_of.set_page(Some(page(503, "")));
    assert_eq!(post.reply().body, "second", "nothing of it was sent before");
    assert_eq!(states(&balancer), ["unhealthy", "up"]);
}

#[test]
fn a_server_with_a_full_queue_is_well_once_it_takes_connections() {
    let deaf = Deaf::start();
    let check = "health_check uri=/health/ready interval=1h mandatory;";
    let balancer = Balancer::start(&site(&[deaf.address.to_string()], "health_check_timeout 1m;", check));
    assert_eq!(states(&balancer), ["checking"]);
    drop(deaf.first);
    let listener = TcpListener::from(deaf.listener);
    let server = std::thread::spawn(move || {
        loop {
            let (mut link, _) = listener.accept().expect("a connection");
            let mut head = [0; 1024];
            // The first one was there to fill the queue, and says nothing.
            if link.read(&mut head).expect("a request") > 0 {
                return link.write_all(page(200, UP).as_bytes()).map(|()| link);
            }
        }
    });
    wait_for_states(&balancer, &["up"]);
    drop(server.join().expect("no panic"));
}
