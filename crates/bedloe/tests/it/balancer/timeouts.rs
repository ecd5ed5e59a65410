//! Clients that take too long, at each point of a request; what the log says of them; how connections are closed.

use std::io::{ErrorKind, Read};

use crate::support::balancer::{Balancer, pause};
use crate::support::nginx;
use crate::support::scripted::Scripted;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_head_that_is_never_whole_is_a_line_in_the_log_and_no_answer() {
    let balancer = Balancer::start("server { listen LISTEN; client_header_timeout 300ms; return 204; }");
    for (request, shown) in
        [("GET /1", "\"GET /1\""), ("GET /2 HTTP/1.1\r\nHost: a\r\n", "\"GET /2 HTTP/1.1\""), ("\r\n", "\"\"")]
    {
        assert_eq!(balancer.ask(request), "");
        balancer.logged("access.log", &format!("{shown} 408 0 \"-\" \"-\"").replace("\"\"", "\"-\""));
        let mut client = balancer.connect();
        client.send(request);
        client.finish();
        assert_eq!(client.rest(), "");
        balancer.logged("access.log", &format!("{shown} 400 0 \"-\" \"-\"").replace("\"\"", "\"-\""));
    }
    assert_eq!(balancer.ask(""), "");
    balancer.ask("GET /last HTTP/1.0\r\n\r\n");
    balancer.logged("access.log", "/last");
    assert_eq!(balancer.log("access.log").lines().count(), 7, "one that sends nothing is no request");
}

#[test]
fn nginx_logs_the_same_clients_alike() {
    let Some(program) = nginx::find() else {
        return nginx::skipped("nginx_logs_the_same_clients_alike");
    };
    let upstream = Scripted::start(|link, _| link.closed());
    let timeouts = "client_header_timeout 300ms; client_body_timeout 300ms;";
    let location = format!("location / {{ proxy_pass http://{}; proxy_http_version 1.1; }}", upstream.address());
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("nginx.log");
    let http = format!("server {{ listen SOCKET; access_log {}; {timeouts} {location} }}", log.display());
    let nginx = nginx::Nginx::start(&program, &http).expect("nginx starts");
    let balancer = Balancer::start(&format!("server {{ listen LISTEN; {timeouts} {location} }}"));
    let post = |n: u8| format!("POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    let requests = ["GET /1".to_owned(), "GET /2 HTTP/1.1\r\nHo".to_owned(), post(3), GET.replacen('/', "/4", 1)];
    for (request, ends) in requests.iter().flat_map(|request| [(request, false), (request, true)]) {
        // The last one gets no answer: it is the client that gives up.
        if !ends && request.contains("/4") {
            continue;
        }
        let mut client = balancer.connect();
        client.send(request);
        let mut stream = nginx.connect().expect("a connection");
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("it reads");
        if ends {
            client.finish();
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        assert_eq!(client.rest(), "");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"", "{request}");
    }
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.split_once("] ")).map(|(_, line)| line.to_owned()).collect()
    };
    balancer.logged("access.log", "/4");
    let theirs = std::fs::read_to_string(log).expect("a log");
    assert_eq!(lines(&balancer.log("access.log")), lines(&theirs));
}

#[test]
fn a_client_that_reads_nothing_is_cut_off_after_send_timeout() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.send("HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")?;
        while link.send([b'x'; 100_000]).is_ok() {}
        Ok(())
    });
    for (option, is_reset) in [("off", false), ("on", true)] {
        let location = format!("send_timeout 400ms; reset_timedout_connection {option};");
        let balancer = Balancer::before_with(&[upstream.address()], "", &location);
        let mut client = balancer.connect();
        client.send(GET);
        let line = balancer.logged("access.log", "\"GET / HTTP/1.1\" 200 ");
        let sent: u64 = line.split(' ').nth(9).and_then(|sent| sent.parse().ok()).expect("a count");
        assert!(sent > 0 && sent < 200_000_000, "{line}");
        assert_eq!(ends_by_reset(&mut client.another_handle()), is_reset, "{option}");
    }
}

/// Reads to the end, and tells how the connection ended.
fn ends_by_reset(stream: &mut impl Read) -> bool {
    let mut piece = vec![0; 1 << 20];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return true;
            }
        }
    }
}

#[test]
fn clients_that_take_too_long_are_reset_where_that_is_asked_for() {
    let upstream = Scripted::start(|link, _| link.closed());
    let timeouts = "client_header_timeout 300ms; client_body_timeout 300ms;";
    let proxy = format!("location / {{ proxy_pass http://{}; }} location /444 {{ return 444; }}", upstream.address());
    for (option, is_reset) in [("off", false), ("on", true)] {
        let balancer = Balancer::start(&format!(
            "server {{ listen LISTEN; {timeouts} reset_timedout_connection {option}; {proxy} }}"
        ));
        let body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc";
        for request in ["GET /", body, "GET /444 HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let mut client = balancer.connect();
            client.send(request);
            assert_eq!(ends_by_reset(&mut client.another_handle()), is_reset, "{option} {request}");
        }
    }
}

#[test]
fn a_client_s_connection_ends_at_its_age() {
    let balancer = Balancer::start("server { listen LISTEN; keepalive_time 300ms; return 204; }");
    let mut client = balancer.connect();
    let mut answers = 0;
    loop {
        client.send(GET);
        let reply = client.reply();
        answers += 1;
        match reply.field("connection") {
            Some("keep-alive") => pause(),
            _ => break,
        }
    }
    assert!(answers > 1, "the first answer ends it");
    assert_eq!(client.rest(), "");
}

#[test]
fn what_a_client_still_sends_is_thrown_away_for_as_long_as_the_configuration_says() {
    for lingering in
        ["lingering_close off;", "lingering_timeout 200ms;", "lingering_time 300ms; lingering_close always;"]
    {
        let balancer = Balancer::start(&format!(
            "server {{ listen LISTEN; {lingering} location / {{ proxy_pass http://127.0.0.1:1; }} }}"
        ));
        let mut client = balancer.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        assert_eq!(client.reply().status(), 413);
        // It goes on sending, slowly or not at all, and learns that nobody listens.
        while client.try_send("x") {
            let rests = if lingering.contains("timeout") { 100 } else { 2 };
            (0..rests).for_each(|_| pause());
        }
    }
}
