//! What of a request goes on to a server, and over what kind of connection: `proxy_set_body`, `proxy_pass_request_*`,
//! `proxy_bind`, unix sockets, `proxy_ignore_client_abort`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::support::balancer::{Balancer, PATIENCE};
use crate::support::scripted::{Scripted, ok};

const POST: &str = "POST /a?x=1 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";

/// What the server got of a request.
fn seen(location: &str, request: &str) -> String {
    let server = Scripted::named("ok");
    let balancer = Balancer::before_with(&[server.address()], "", location);
    let answer = balancer.ask(request);
    assert!(answer.ends_with("\r\n\r\nok"), "{location}: {answer}");
    server.all()
}

#[test]
fn the_body_is_set_or_left_out() {
    let large = "x".repeat(100_000);
    let large = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n{large}");
    for request in [POST, &large] {
        for buffering in ["", "proxy_request_buffering off;"] {
            let set = seen(&format!("proxy_set_body \"x=$arg_x;\"; {buffering}"), request);
            let body = if request == POST { "x=1;" } else { "x=;" };
            assert!(set.ends_with(&format!("\r\n\r\n{body}")), "{set}");
            assert!(set.contains(&format!("Content-Length: {}\r\n", body.len())), "{set}");
            let none = seen(&format!("proxy_pass_request_body off; {buffering}"), request);
            assert!(none.ends_with("\r\n\r\n") && !none.contains("Content-Length"), "{none}");
        }
    }
}

#[test]
fn the_headers_are_left_out() {
    let seen = seen("proxy_pass_request_headers off; proxy_set_header X-B 2;", POST);
    assert!(seen.contains("X-B: 2\r\n") && !seen.contains("X-A"), "{seen}");
    assert!(seen.ends_with("Content-Length: 4\r\n\r\nbody"), "{seen}");
}

#[test]
fn a_connection_comes_from_the_bound_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    for bind in ["127.0.0.77", "$http_x_from"] {
        let balancer = Balancer::before_with(&[server], "", &format!("proxy_bind {bind}; proxy_socket_keepalive on;"));
        let mut client = balancer.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-From: 127.0.0.77\r\nConnection: close\r\n\r\n");
        let (mut link, from) = listener.accept().unwrap();
        assert_eq!(from.ip().to_string(), "127.0.0.77");
        link.write_all(ok("bound").as_bytes()).unwrap();
        assert!(client.rest().ends_with("bound"));
    }
}

#[test]
fn a_unix_socket_is_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    // The worker may be another user.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let server = std::thread::spawn(move || {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (mut link, _) = listener.accept().unwrap();
            link.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                link.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            seen.push(String::from_utf8(head).unwrap());
            link.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").unwrap();
        }
        seen
    });
    let path = "FOLDER/server.sock";
    let http = format!(
        "upstream app {{ server unix:{path}; }}
         server {{ listen LISTEN;
             location /a/ {{ proxy_pass http://app; }}
             location /b/ {{ proxy_pass http://unix:{path}:/c/; }} }}"
    );
    let balancer = Balancer::start_in(folder, "worker_processes 1;", &http);
    for target in ["/a/1", "/b/1"] {
        let answer = balancer.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    }
    let seen = server.join().unwrap();
    assert!(seen[0].starts_with("GET /a/1 HTTP/1.1\r\nHost: app\r\n"), "{}", seen[0]);
    assert!(seen[1].starts_with("GET /c/1 HTTP/1.1\r\nHost: localhost\r\n"), "{}", seen[1]);
    let gone = balancer.ask("GET /a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(gone.starts_with("HTTP/1.1 502 "), "{gone}");
    let line = balancer.logged("error.log", "connect() failed (111: Connection refused)");
    assert!(line.contains("server.sock"), "{line}");
}

#[test]
fn a_request_goes_on_without_its_client() {
    let server = Scripted::start(|link, _| {
        link.head()?;
        // The client's end would have closed this connection long before.
        link.until("never").map(drop)
    });
    let location = "proxy_ignore_client_abort on; proxy_read_timeout 700ms;";
    let balancer = Balancer::before_with(&[server.address()], "", location);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.wait_for("\r\n\r\n");
    drop(client);
    balancer.logged("error.log", "upstream timed out");
}
