//! The keep-alive race: a server closes an idle connection at the moment when it is used again. No GET is lost by it,
//! no POST is sent twice, and the server is not blamed.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::support::admin;
use crate::support::balancer::{Balancer, PATIENCE, pause};
use crate::support::scripted::{Link, Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nonce";

/// Answers once, and closes when the next request has come; later connections answer always.
fn closes_on_reuse() -> Scripted {
    Scripted::start(|link, index| {
        answer(link, "first")?;
        if index == 0 {
            return link.head().map(|_| ());
        }
        loop {
            answer(link, "later")?;
        }
    })
}

fn answer(link: &mut Link, body: &str) -> std::io::Result<()> {
    if link.head()?.starts_with("POST") {
        link.until("once")?;
    }
    link.send(ok(body))
}

#[test]
fn a_get_goes_again_to_the_same_server() {
    let (first, second) = (closes_on_reuse(), Scripted::named("second"));
    let servers = format!("server {} backup;", second.address());
    let balancer = Balancer::before_with(&[first.address()], &servers, "");
    let mut client = balancer.connect();
    for _ in 0..2 {
        client.send(GET);
        assert_eq!(client.reply().body, "first");
    }
    assert_eq!(first.received().iter().map(|bytes| bytes.matches("GET").count()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(second.all(), "");
    let server = admin::server(&balancer.admin(), 0);
    assert_eq!((&server["state"], &server["failures"]), (&"up".into(), &0.into()), "{server}");
}

#[test]
fn a_get_that_fails_again_goes_to_the_next_server() {
    let first = Scripted::start(|link, index| {
        link.head()?;
        if index == 0 {
            link.send(ok("first"))?;
            link.head()?;
        }
        Ok(())
    });
    let second = Scripted::named("second");
    let servers = format!("server {} backup;", second.address());
    let balancer = Balancer::before_with(&[first.address()], &servers, "");
    let mut client = balancer.connect();
    client.send(GET.repeat(2));
    assert_eq!(client.reply().body, "first");
    assert_eq!(client.reply().body, "second");
    assert_eq!(first.all().matches("GET").count(), 3);
    assert_eq!(admin::server(&balancer.admin(), 0)["failures"], 1);
}

#[test]
fn a_post_is_never_sent_twice() {
    let (first, second) = (closes_on_reuse(), Scripted::named("second"));
    let servers = format!("server {} backup;", second.address());
    let balancer = Balancer::before_with(&[first.address()], &servers, "");
    let mut client = balancer.connect();
    client.send(GET);
    assert_eq!(client.reply().body, "first");
    client.send(POST);
    assert_eq!(client.reply().status(), 502);
    assert_eq!(first.all().matches("POST").count(), 1);
    assert_eq!(second.all(), "");
}

#[test]
fn a_post_takes_a_kept_connection_only_if_it_was_in_use_a_moment_ago() {
    let upstream = Scripted::start(|link, _| {
        loop {
            answer(link, "hi")?;
        }
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    let mut send = |request| {
        client.send(request);
        assert_eq!(client.reply().body, "hi");
        upstream.received().len()
    };
    assert_eq!((send(GET), send(POST)), (1, 1), "in use just now");
    rest_a_second();
    assert_eq!(send(POST), 2, "a connection of its own");
    rest_a_second();
    assert_eq!(send(GET), 2, "a GET may");
}

/// Time itself is what is waited for.
fn rest_a_second() {
    let end = Instant::now() + Duration::from_millis(1_100);
    while Instant::now() < end {
        pause();
    }
}

#[test]
fn no_get_is_lost_to_a_server_that_closes_after_each_answer() {
    let upstream = Scripted::start(|link, _| answer(link, "hi"));
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    for n in 0..300 {
        client.send(GET);
        assert_eq!(client.reply().body, "hi", "{n}");
    }
    assert_eq!(admin::server(&balancer.admin(), 0)["failures"], 0);
}

#[test]
fn idle_connections_are_closed_when_their_time_is_over() {
    let (closed, seen) = mpsc::channel();
    let closed = Mutex::new(closed);
    let upstream = Scripted::start(move |link, _| {
        answer(link, "hi")?;
        link.closed()?;
        let _ = closed.lock().map(|closed| closed.send(()));
        Ok(())
    });
    let balancer = Balancer::before_with(&[upstream.address()], "keepalive_timeout 100ms;", "");
    let mut client = balancer.connect();
    client.send(GET);
    assert_eq!(client.reply().body, "hi");
    seen.recv_timeout(PATIENCE).expect("the server sees its connection closed, though no request follows");
}

#[test]
fn a_connection_is_kept_for_as_many_requests_as_the_upstream_allows() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before_with(&[upstream.address()], "keepalive_requests 3;", "");
    let mut client = balancer.connect();
    for _ in 0..7 {
        client.send(GET);
        client.reply();
    }
    let counts: Vec<_> = upstream.received().iter().map(|bytes| bytes.matches("GET").count()).collect();
    assert_eq!(counts, [3, 3, 1]);
}

/// Not every server that is asked to close says that it will.
#[test]
fn a_connection_that_was_to_be_closed_takes_no_second_request() {
    let server = Scripted::named("hi");
    let balancer = Balancer::start(&format!(
        "map $http_upgrade $asked {{ default upgrade; '' close; }}
         upstream app {{ server {}; keepalive 8; }}
         server {{ listen LISTEN; location / {{ proxy_set_header Connection $asked; proxy_pass http://app; }} }}",
        server.address()
    ));
    let mut client = balancer.connect();
    for _ in 0..2 {
        client.send(GET);
        assert_eq!(client.reply().body, "hi");
    }
    assert_eq!(server.received().len(), 2, "{}", server.all());
}
