//! What passes a check, over which connections, and what is told.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use lab::certificate::Certificate;

use super::server::{DOWN, Server, UP, page};
use super::{body, site, states, told, wait_for_states};
use crate::support::admin::{self, Events};
use crate::support::balancer::{Balancer, Reserved, wait_until};
use crate::support::scripted::Scripted;
use crate::support::tls_server::TlsServer;

const READY: &str = "health_check uri=/health/ready interval=1h";

#[test]
fn a_server_that_is_not_well_gets_no_requests_until_it_is() {
    let (first, second) = (Server::start("first", Some(page(503, DOWN))), Server::well("second"));
    let servers = [first.address(), second.address()];
    let balancer = Balancer::start(&site(&servers, "error_log FOLDER/health.log warn;", &format!("{READY};")));
    wait_for_states(&balancer, &["unhealthy", "up"]);
    let mut events = Events::open(&balancer.admin());
    assert_eq!((0..4).map(|_| body(&balancer)).collect::<Vec<_>>(), ["second"; 4]);
    assert_eq!(told(&balancer, 0), "/health/ready: status 503: \"db\" is DOWN");
    let check = |index| admin::server(&balancer.admin(), index)["last_check"].clone();
    let (failed, passed) = (check(0), check(1));
    assert_eq!((&failed["passed"], &failed["status"]), (&false.into(), &503.into()), "{failed}");
    assert_eq!((&failed["uri"], &failed["wrong"]), (&"/health/ready".into(), &"status 503: \"db\" is DOWN".into()));
    assert_eq!((&passed["passed"], &passed["status"], &passed["wrong"]), (&true.into(), &200.into(), &"".into()));
    assert!(passed["at_ms"].as_u64() > Some(0) && passed["took_ms"].as_f64() > Some(0.0), "{passed}");
    let line = balancer.logged("health.log", "peer is unhealthy");
    let of = format!("health check \"/health/ready\" of peer {} in upstream \"app\"", first.address());
    assert!(line.contains("[warn]"), "{line}");
    assert!(line.ends_with(&format!("#0: peer is unhealthy: status 503: \"db\" is DOWN, {of}")), "{line}");
    // Though the next check is an hour away.
    first.set_page(Some(page(200, UP)));
    let healthy = events.next("healthy");
    assert_eq!((&healthy["upstream"], &healthy["server"]), (&"app".into(), &first.address().into()), "{healthy}");
    assert_eq!(states(&balancer), ["up", "up"]);
    let mut bodies: Vec<_> = (0..4).map(|_| body(&balancer)).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["first", "first", "second", "second"]);
    let line = balancer.logged("health.log", "peer is healthy");
    assert!(line.ends_with(&format!("#0: peer is healthy, {of}")), "{line}");
}

/// The state of a server with this page after its first check, by a location with this check.
fn state_with(answer: &str, http: &str, check: &str) -> (String, String) {
    let server = Server::start("only", Some(answer.to_owned()));
    let balancer = Balancer::start(&site(&[server.address()], http, &format!("{check} mandatory;")));
    wait_until("a check", || states(&balancer) != ["checking"]);
    (states(&balancer).remove(0), told(&balancer, 0))
}

#[test]
fn pages_pass_or_fail() {
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n".to_owned();
    let large = page(200, &"x".repeat(1 << 20));
    for (answer, expected, why) in [
        (page(200, UP), "up", "passed"),
        (page(204, ""), "up", "passed"),
        (page(302, "elsewhere"), "up", "passed"),
        (large, "up", "passed"),
        (page(404, ""), "unhealthy", "status 404"),
        (page(503, "<html>"), "unhealthy", "status 503"),
        (page(200, DOWN), "unhealthy", "status 200: \"db\" is DOWN"),
        ("SSH-2.0-OpenSSH\r\n\r\n".to_owned(), "unhealthy", "upstream sent invalid header"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab".to_owned(),
            "unhealthy",
            "timed out after 300 ms while reading",
        ),
        (endless, "unhealthy", "timed out after 300 ms while reading response body"),
        ("HTTP/1.1 200".to_owned(), "unhealthy", "timed out after 300 ms while reading response header"),
    ] {
        let (state, told) = state_with(&answer, "health_check_timeout 300ms;", READY);
        let shown: String = answer.chars().take(80).collect();
        assert!(state == expected && told.contains(why), "{state} {told} for {shown}");
    }
}

#[test]
fn a_match_says_what_passes() {
    let http = "match ready { status 200-299 503; header X-State ~ ^ok; body !~ \"DOWN\"; require $ready; }
                map $upstream_http_x_state $ready { default 0; ok 1; }";
    let answer = |state: &str, body: &str| {
        format!("HTTP/1.1 503 Page\r\nX-State: {state}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let check = format!("{READY} match=ready");
    for (answer, expected) in [
        (answer("ok", UP), "up"),
        (answer("ok", DOWN), "unhealthy"),
        (answer("no", UP), "unhealthy"),
        (answer("okay", UP), "unhealthy"),
        (page(404, ""), "unhealthy"),
    ] {
        let (state, told) = state_with(&answer, http, &check);
        assert_eq!(state, expected, "{told} for {answer}");
    }
}

#[test]
fn a_dead_server_and_one_that_answers_nothing_are_not_well() {
    let (dead, hanging) = (Reserved::new(), Server::start("hanging", None));
    let servers = [dead.address.to_string(), hanging.address()];
    let http = "health_check_timeout 200ms;";
    let balancer = Balancer::start(&site(&servers, http, &format!("{READY};")));
    wait_for_states(&balancer, &["unhealthy", "unhealthy"]);
    assert!(balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 502 "));
    let (first, second) = (told(&balancer, 0), told(&balancer, 1));
    assert!(first.contains("connect() failed (111: Connection refused)"), "{first}");
    assert!(second.contains("timed out after 200 ms while reading response header"), "{second}");
    let _back = Server::start_at(dead.address, "back", Some(page(200, UP)));
    wait_for_states(&balancer, &["up", "unhealthy"]);
    assert_eq!((0..3).map(|_| body(&balancer)).collect::<Vec<_>>(), ["back"; 3]);
}

#[test]
fn a_check_that_waits_keeps_no_server_out() {
    const DOWN_NOW: u8 = 0;
    const HOLDS: u8 = 1;
    const WELL: u8 = 2;
    let does = Arc::new(AtomicU8::new(DOWN_NOW));
    let own = Arc::clone(&does);
    let scripted = Scripted::start(move |link, _| {
        loop {
            link.head()?;
            match own.load(Ordering::SeqCst) {
                DOWN_NOW => link.send(page(503, ""))?,
                // Until the other side gives up.
                HOLDS => link.closed()?,
                _ => link.send(page(200, UP))?,
            }
        }
    });
    let other = Server::well("other");
    let servers = [scripted.address().to_string(), other.address()];
    let check = "health_check uri=/health/ready interval=50ms;";
    let balancer = Balancer::start(&site(&servers, "health_check_timeout 5m;", check));
    wait_for_states(&balancer, &["unhealthy", "up"]);
    does.store(HOLDS, Ordering::SeqCst);
    let before = scripted.received().len();
    wait_until("checks beside the one that waits", || scripted.received().len() > before + 6);
    does.store(WELL, Ordering::SeqCst);
    wait_for_states(&balancer, &["up", "up"]);
}

#[test]
fn so_many_in_a_row_decide() {
    let server = Server::start("only", Some(page(503, "")));
    let check = "health_check uri=/health/ready interval=20ms fails=5 passes=3;";
    let balancer = Balancer::start(&site(&[server.address()], "", check));
    let mut events = Events::open(&balancer.admin());
    wait_for_states(&balancer, &["unhealthy"]);
    let checks = || server.received().concat().matches("GET /health/ready ").count();
    assert!(checks() >= 5, "{}", checks());
    let before = checks();
    server.set_page(Some(page(200, "")));
    events.next("healthy");
    assert!(checks() >= before + 2, "{} after {before}", checks());
}

#[test]
fn any_of_several_checks_is_enough_to_fail() {
    let server = Server::well("only");
    let http = "server { listen unix:FOLDER/other; location / { proxy_pass http://app;
                    health_check uri=/health/live interval=20ms match=busy; } }
                match busy { body ~ UP; }";
    let check = "health_check uri=/health/ready interval=20ms;";
    let balancer = Balancer::start(&site(&[server.address()], http, check));
    server.wait_for("GET /health/live");
    server.set_page(Some(page(200, "busy")));
    wait_for_states(&balancer, &["unhealthy"]);
    server.set_page(Some(page(200, UP)));
    wait_for_states(&balancer, &["up"]);
}

#[test]
fn connections_serve_many_checks() {
    let often = "health_check uri=/health/ready interval=20ms";
    for (keepalive, connections) in [("", 1..=1), ("keepalive_time=1h", 1..=1), ("keepalive_time=0", 5..=99)] {
        let server = Server::well("only");
        let fields = "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;";
        let balancer = Balancer::start(&site(&[server.address()], "", &format!("{fields} {often} {keepalive};")));
        let request = "GET /health/ready HTTP/1.1\r\nHost: app\r\n";
        wait_until("five checks", || server.received().concat().matches(request).count() >= 5);
        let received = server.received();
        assert!(connections.contains(&received.len()), "{keepalive}: {received:?}");
        assert_eq!(received.concat().contains("Connection: close\r\n"), keepalive == "keepalive_time=0");
        assert_eq!(states(&balancer), ["up"]);
    }
}

#[test]
fn a_kept_connection_that_its_server_closes_says_nothing() {
    // It closes each connection after an answer that says nothing of it.
    let server = Scripted::start(|link, _| {
        link.head()?;
        link.send(page(200, UP))
    });
    let check = "health_check uri=/health/ready interval=20ms;";
    let http = "error_log FOLDER/health.log warn;";
    let balancer = Balancer::start(&site(&[server.address().to_string()], http, check));
    wait_until("five checks", || server.received().len() >= 5);
    assert_eq!((states(&balancer), balancer.log("health.log")), (vec!["up".to_owned()], String::new()));
}

#[test]
fn another_port_may_be_asked() {
    let (server, page_of) = (Scripted::named("well"), Server::start("page", Some(page(503, ""))));
    let port = page_of.address().rsplit(':').next().expect("a port").to_owned();
    let balancer = Balancer::start(&site(&[server.address().to_string()], "", &format!("{READY} port={port};")));
    wait_for_states(&balancer, &["unhealthy"]);
    assert_eq!(server.all(), "");
}

#[test]
fn checks_go_over_tls_where_requests_do() {
    let own = lab::certificate::make(IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a certificate");
    let other = lab::certificate::make(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))).expect("a certificate");
    for (trusted, expected, why) in [(&own, "up", "passed"), (&other, "unhealthy", "SSL handshaking to upstream")] {
        let folder = tempfile::tempdir().expect("a folder");
        let Certificate { certificate, .. } = trusted;
        fs::write(folder.path().join("trusted.crt"), certificate).expect("a file");
        let server = TlsServer::start(&own, &other);
        let tls = "proxy_ssl_verify on; proxy_ssl_trusted_certificate FOLDER/trusted.crt; proxy_ssl_name localhost;";
        let http = site(&[server.address().to_string()], "", &format!("{tls} {READY} mandatory;"));
        let http = http.replace("http://app", "https://app");
        let balancer = Balancer::start_in(folder, "worker_processes 1;", &http);
        wait_for_states(&balancer, &[expected]);
        let told = told(&balancer, 0);
        assert!(told.contains(why), "{told}");
    }
}
