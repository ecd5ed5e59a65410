//! `least_time` and `random two` by times: a slow server gets few requests, also after a reload.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::support::balancer::Balancer;
use crate::support::scripted::{Link, Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const REQUESTS: usize = 20;
/// How long the slow server takes; the other one takes no time at all.
const SLOW: Duration = Duration::from_millis(150);

/// A server that takes its time between a request, its answer's head, and the body.
fn server(name: &'static str, head: Duration, body: Duration) -> Scripted {
    let serve = move |link: &mut Link| -> io::Result<()> {
        link.head()?;
        std::thread::park_timeout(head);
        link.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", name.len()))?;
        std::thread::park_timeout(body);
        link.send(name)
    };
    Scripted::start(move |link, _| {
        loop {
            serve(link)?;
        }
    })
}

fn site(method: &str, slow: &Scripted, quick: &Scripted) -> String {
    let (slow, quick) = (slow.address(), quick.address());
    format!(
        "upstream app {{ {method}; server {slow}; server {quick}; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}"
    )
}

/// How many of some requests the slow server got.
fn slow_ones(balancer: &Balancer) -> usize {
    (0..REQUESTS).filter(|_| balancer.ask(GET).ends_with("slow")).count()
}

#[test]
fn the_quick_server_is_preferred() {
    let (none, some) = (Duration::ZERO, SLOW);
    let table = [
        ("least_time header", some, none),
        ("least_time header inflight", some, none),
        ("least_time last_byte", none, some),
        ("least_time last_byte inflight", none, some),
        ("random two least_time=header", some, none),
        ("random two least_time=last_byte", none, some),
        ("random two peak_ewma", some, none),
    ];
    for (method, head, body) in table {
        let (slow, quick) = (server("slow", head, body), server("quick", none, none));
        let main = "worker_processes 2;";
        let balancer = Balancer::start_in(tempfile::tempdir().expect("a folder"), main, &site(method, &slow, &quick));
        // Each is asked once to know it, and again when that is long ago, as fast computers count.
        let got = slow_ones(&balancer);
        assert!((1..=3).contains(&got), "{method}: {got} of {REQUESTS}");
        // Another upstream, of servers that are known.
        balancer.rewrite(main, &site(&format!("keepalive 3; {method}"), &slow, &quick));
        balancer.reload();
        let got = slow_ones(&balancer);
        assert!(got <= 1, "{method}, after a reload: {got} of {REQUESTS}");
    }
}

#[test]
fn errors_make_no_server_look_quick() {
    let failing = Scripted::answering("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nslow");
    let quick = server("quick", Duration::from_millis(5), Duration::ZERO);
    for method in ["least_time header", "least_time last_byte", "random two peak_ewma"] {
        let balancer = Balancer::start(&site(method, &failing, &quick));
        let got = slow_ones(&balancer);
        assert!(got <= 1, "{method}: {got} of {REQUESTS}");
    }
}

/// Whether an answer comes before this client has had enough.
fn is_answered(balancer: &Balancer) -> bool {
    let mut client = TcpStream::connect(balancer.address()).expect("a connection");
    client.set_read_timeout(Some(SLOW)).expect("a timeout");
    client.write_all(GET.as_bytes()).expect("a request");
    client.read(&mut [0; 1_024]).is_ok_and(|length| length > 0)
}

#[test]
fn a_server_that_hangs_does_not_look_quick_when_clients_give_up() {
    for method in ["least_time header", "least_time header inflight", "random two peak_ewma"] {
        let is_known = AtomicBool::new(false);
        let hanging = Scripted::start(move |link, _| {
            loop {
                link.head()?;
                if is_known.swap(true, Relaxed) {
                    return link.closed();
                }
                link.send(ok("quick once"))?;
            }
        });
        let quick = Scripted::named("quick");
        let balancer = Balancer::start(&site(method, &hanging, &quick));
        let unanswered = (0..REQUESTS).filter(|_| !is_answered(&balancer)).count();
        assert!(unanswered <= 2, "{method}: {unanswered} of {REQUESTS}");
    }
}
