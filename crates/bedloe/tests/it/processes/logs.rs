//! Logs that are no files of a folder: the standard streams of a master with a worker, and syslog over UDP.

use std::net::UdpSocket;

use rustix::process::Signal;

use crate::support::balancer::{Balancer, PATIENCE};

#[test]
fn a_standard_stream_is_a_log_like_another_and_is_reopened() {
    let http = "log_format own 'seen $uri'; access_log /dev/stderr own;
        server { listen LISTEN; return 204; }";
    let balancer = Balancer::start(http);
    balancer.ask("GET /first HTTP/1.0\r\n\r\n");
    balancer.wait_for_line("seen /first\n");
    balancer.signal(Signal::USR1);
    balancer.wait_for_line("reopening logs");
    balancer.ask("GET /second HTTP/1.0\r\n\r\n");
    balancer.wait_for_line("seen /second\n");
}

#[test]
fn syslog_has_a_datagram_a_line_from_worker_and_master() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
    server.set_read_timeout(Some(PATIENCE)).expect("an option");
    let address = server.local_addr().expect("an address");
    let main = format!("worker_processes 1; error_log syslog:server={address},tag=main notice;");
    let http = format!(
        "log_format own '$uri\n|'; access_log syslog:server={address},nohostname own;
         server {{ listen LISTEN; return 204; }}"
    );
    let balancer = Balancer::start_in(tempfile::tempdir().expect("a folder"), &main, &http);
    balancer.ask("GET /a HTTP/1.0\r\n\r\nGET /");
    balancer.ask("GET /b HTTP/1.0\r\n\r\n");
    balancer.signal(Signal::USR1);
    let wanted = [("<190>", " nginx: /a\n|"), ("<190>", " nginx: /b\n|"), ("<189>", "reopening logs")];
    let mut messages = Vec::new();
    let mut room = [0; 2048];
    let is_there = |messages: &[String], (start, end): (&str, &str)| {
        messages.iter().any(|message| message.starts_with(start) && message.ends_with(end))
    };
    while !wanted.iter().all(|wanted| is_there(&messages, *wanted)) {
        let length = server.recv(&mut room).unwrap_or_else(|error| panic!("{error}: {messages:?}"));
        messages.push(String::from_utf8_lossy(&room[..length]).into_owned());
    }
    let master = messages.iter().find(|message| message.contains("reopening logs")).expect("it is there");
    assert!(master.contains(" main: ") && master.contains("[notice]"), "{master}");
}
