//! HUP: the configuration is read anew, and nobody who is connected notices.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::load::Load;
use crate::support::admin;
use crate::support::balancer::{Balancer, Reserved, proxying, wait_until};
use crate::support::raw::Raw;
use crate::support::scripted::Scripted;

const MAIN: &str = "worker_processes 2;";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn start(main: &str, http: &str) -> Balancer {
    Balancer::start_in(tempfile::tempdir().expect("a folder"), main, http)
}

fn returning(text: &str) -> String {
    format!("server {{ listen LISTEN; return 200 {text}; }}")
}

#[test]
fn under_load_nothing_is_lost() {
    let upstream = Scripted::named("hi");
    let http = proxying(&[upstream.address()], "", "");
    let balancer = start(MAIN, &http);
    let load = Load::start(balancer.address(), 8);
    let worker = balancer.worker();
    for round in 0..20 {
        load.wait_for(100);
        balancer.rewrite(MAIN, &proxying(&[upstream.address()], &format!("keepalive_requests {};", 100 + round), ""));
        balancer.reload();
    }
    let (answers, failures) = load.end();
    assert!(failures.is_empty(), "{} of {answers} failed: {failures:?}", failures.len());
    assert_eq!(balancer.worker(), worker, "the worker stays");
}

#[test]
fn another_number_of_threads_is_a_fresh_worker_s_and_nothing_is_lost() {
    let upstream = Scripted::named("hi");
    let http = proxying(&[upstream.address()], "", "");
    let balancer = start(MAIN, &http);
    let load = Load::start(balancer.address(), 8);
    let first = balancer.worker();
    for threads in [1, 3, 2] {
        load.wait_for(100);
        balancer.rewrite(&format!("worker_processes {threads};"), &http);
        balancer.reload();
    }
    let (answers, failures) = load.end();
    assert!(failures.is_empty(), "{} of {answers} failed: {failures:?}", failures.len());
    wait_until("the old workers' end", || crate::support::balancer::children(balancer.pid()).len() == 1);
    assert_ne!(balancer.worker(), first);
}

#[test]
fn a_kept_connection_is_served_by_the_new_configuration() {
    let balancer = start(MAIN, &returning("old"));
    let mut client = balancer.connect();
    client.send(GET);
    assert_eq!(client.reply().body, "old");
    balancer.rewrite(MAIN, &returning("new"));
    balancer.reload();
    client.send(GET);
    let reply = client.reply();
    assert_eq!((reply.body.as_str(), reply.field("connection")), ("new", Some("keep-alive")));
}

#[test]
fn a_broken_configuration_is_refused_with_its_place_and_the_old_one_serves_on() {
    let balancer = start(MAIN, &returning("old"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address");
    let broken = [
        (
            "server { lisen LISTEN; }".to_owned(),
            "unknown directive \"lisen\" in ",
            "nginx.conf:7 (did you mean \"listen\"?)",
        ),
        (format!("server {{ listen LISTEN; listen {taken}; return 204; }}"), "cannot listen on ", "in use"),
        (
            "server { listen LISTEN; access_log FOLDER/none/log; return 204; }".to_owned(),
            "cannot open the log",
            "none/log",
        ),
    ];
    for (number, (http, what, more)) in broken.iter().enumerate() {
        balancer.rewrite(MAIN, http);
        balancer.signal(Signal::HUP);
        wait_until("a refusal", || balancer.said().matches("the new configuration is refused").count() == number + 1);
        let line = balancer.logged("error.log", what);
        assert!(line.contains("[emerg]") && line.contains(more), "{line}");
        assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nold"));
    }
    balancer.rewrite(MAIN, &returning("new"));
    balancer.reload();
    assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nnew"));
}

/// No worker can start with the configuration that is served: the one that mends it must not wait for that.
#[test]
fn a_configuration_mends_what_keeps_workers_from_starting() {
    let logged = |file: &str| format!("server {{ listen LISTEN; access_log FOLDER/{file}; return 200 {file}; }}");
    let balancer = start(MAIN, &logged("first"));
    fs::remove_file(balancer.path("first")).expect("a log");
    fs::create_dir(balancer.path("first")).expect("a folder");
    balancer.signal_worker(Signal::KILL);
    wait_until("a start that fails", || balancer.said().contains("cannot open the log"));
    balancer.rewrite(MAIN, &logged("second"));
    balancer.reload();
    assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nsecond"));
}

#[test]
fn listeners_come_and_go() {
    let (other, second) = (Reserved::new(), Reserved::new());
    let server = |listens: &str, text: &str| format!("server {{ {listens} return 200 {text}; }}");
    let balancer = start(MAIN, &server("listen LISTEN;", "old"));
    balancer.rewrite(MAIN, &server(&format!("listen {}; listen LISTEN;", other.address), "both"));
    balancer.reload();
    let mut client = Raw::to(other.address);
    client.send(GET);
    assert_eq!(client.reply().body, "both");
    balancer.rewrite(MAIN, &server(&format!("listen {}; listen LISTEN;", second.address), "moved"));
    balancer.reload();
    wait_until("the listener's end", || TcpStream::connect(other.address).is_err());
    // Who is connected is served as before, once more.
    client.send(GET);
    let reply = client.reply();
    assert_eq!((reply.body.as_str(), reply.field("connection")), ("both", Some("close")));
    assert_eq!(client.rest(), "");
    for address in [second.address, balancer.address()] {
        let mut client = Raw::to(address);
        client.send(GET);
        assert_eq!(client.reply().body, "moved");
    }
}

#[test]
fn certificates_are_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    let renew = |number: u8| {
        let pair = lab::certificate::make(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number))).expect("a certificate");
        fs::write(path.join("crt"), &pair.certificate).expect("a file");
        fs::write(path.join("key"), &pair.key).expect("a file");
        pair.certificate
    };
    let tls = "server { listen LISTEN ssl; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/key; return 204; }";
    let first = renew(1);
    let balancer = Balancer::start_in(folder, MAIN, tls);
    let shown = || {
        let connect = balancer.address().to_string();
        let shown = Command::new("openssl").args(["s_client", "-connect", &connect]).stdin(Stdio::null()).output();
        shown.ok().map(|shown| String::from_utf8_lossy(&shown.stdout).into_owned())
    };
    let Some(before) = shown() else {
        #[allow(clippy::print_stderr, reason = "a comparison that is skipped must be seen")]
        return eprintln!("skipped: certificates with openssl: it is not installed");
    };
    assert!(before.contains(first.trim()), "{before}");
    let second = renew(2);
    balancer.reload();
    let after = shown().expect("it was there before");
    assert!(after.contains(second.trim()), "{after}");
}

#[test]
fn what_is_known_of_the_servers_stays() {
    let (closed, well) = (Reserved::new(), Scripted::named("hi"));
    let upstream = |more: &str| format!("server {} max_fails=1 fail_timeout=1h; {more}", closed.address);
    let main = "worker_processes 1;";
    let balancer = start(main, &proxying(&[well.address()], &upstream(""), ""));
    let ask = || assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("hi"));
    (0..2).for_each(|_| ask());
    let failed = || admin::server(&balancer.admin(), 1);
    let before = failed();
    assert_eq!((&before["state"], &before["failures"]), (&"unavailable".into(), &1.into()));
    // The same upstream, then one that has another server too.
    for more in ["", "server 127.0.0.1:9 backup;"] {
        balancer.rewrite(main, &proxying(&[well.address()], &upstream(more), ""));
        balancer.reload();
        let after = failed();
        for field in ["state", "failures", "since_ms", "why"] {
            assert_eq!(after[field], before[field], "{field} with {more:?}");
        }
        ask();
        assert_eq!(failed()["failures"], 1);
    }
    let connections = well.received().len();
    assert!(connections <= 2, "{connections} connections: the kept ones stay while the upstream is the same");
}

#[test]
fn new_logs_are_opened_and_old_ones_left() {
    let with = |log: &str| format!("server {{ listen LISTEN; access_log FOLDER/{log}; return 204; }}");
    let balancer = start(MAIN, &with("first.log"));
    balancer.ask("GET /one HTTP/1.0\r\n\r\n");
    balancer.logged("first.log", "/one");
    balancer.rewrite(MAIN, &with("second.log"));
    balancer.reload();
    balancer.ask("GET /two HTTP/1.0\r\n\r\n");
    balancer.logged("second.log", "/two");
    assert!(!balancer.log("first.log").contains("/two"));
}

#[test]
fn one_process_reloads_too() {
    let main = "worker_processes 2; master_process off;";
    let balancer = start(main, &returning("old"));
    assert!(crate::support::balancer::children(balancer.pid()).is_empty());
    let mut client = balancer.connect();
    client.send(GET);
    assert_eq!(client.reply().body, "old");
    balancer.rewrite(main, &returning("new"));
    balancer.reload();
    client.send(GET);
    assert_eq!(client.reply().body, "new");
}
