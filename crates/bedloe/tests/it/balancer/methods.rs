//! Ways to choose a server, as requests meet them. That the picks are nginx's is shown in `nginx_picks`.

use crate::support::balancer::{Balancer, wait_until};
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const HELD: &str = "GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Answers with its name, but never to `/held`.
fn holding(name: &'static str) -> Scripted {
    Scripted::start(move |link, _| {
        loop {
            if link.head()?.starts_with("GET /held ") {
                return link.closed();
            }
            link.send(ok(name))?;
        }
    })
}

fn name_of(answer: &str) -> String {
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

#[test]
fn the_server_with_less_to_do_is_asked() {
    // `random two` draws both of two servers.
    for method in ["least_conn;", "random two least_conn;"] {
        let servers = [holding("one"), holding("two")];
        let balancer = Balancer::before_with(&servers.each_ref().map(Scripted::address), method, "");
        let mut held = balancer.connect();
        held.send(HELD);
        let is_held = |server: &Scripted| server.all().contains("GET /held ");
        wait_until("the held request", || servers.iter().any(is_held));
        let free = if is_held(&servers[0]) { "two" } else { "one" };
        let answers: Vec<String> = (0..6).map(|_| name_of(&balancer.ask(GET))).collect();
        assert!(answers.iter().all(|name| name == free), "{method} {answers:?}");
    }
}

#[test]
fn a_client_stays_with_its_server() {
    let servers = ["one", "two", "three"].map(Scripted::named);
    let balancer = Balancer::before_with(&servers.each_ref().map(Scripted::address), "ip_hash;", "");
    let first = name_of(&balancer.ask(GET));
    assert!((0..6).all(|_| name_of(&balancer.ask(GET)) == first));
}

#[test]
fn chance_reaches_every_server() {
    let servers = ["one", "two", "three"].map(Scripted::named);
    let balancer = Balancer::before_with(&servers.each_ref().map(Scripted::address), "random; zone app 64k;", "");
    let mut seen = std::collections::BTreeSet::new();
    // A hundred draws that leave one of three out: once in 10^17 runs.
    for _ in 0..100 {
        seen.insert(name_of(&balancer.ask(GET)));
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}
