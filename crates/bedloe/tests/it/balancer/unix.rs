//! `listen unix:`: clients that come by a unix socket, and what becomes of its file.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::process::Signal;

use crate::support::balancer::{Balancer, PATIENCE, wait_until};
use crate::support::scripted::{Scripted, ok};

const SERVER: &str = "server { listen LISTEN; listen unix:FOLDER/socket backlog=16 default_server;
    return 200 \"$remote_addr;$remote_port;$server_addr;$server_port;$realip_remote_addr\"; }";

fn ask(path: &Path, head: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    stream.write_all(format!("{head}Host: a\r\nConnection: close\r\n\r\n").as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn clients_by_a_unix_socket_are_served() {
    let upstream = Scripted::answering(ok("ok"));
    let folder = "FOLDER/socket";
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN; return 200 tcp; }}
        server {{ listen unix:{folder};
            location /who {{ return 200 \"$remote_addr;$remote_port;$server_addr;$server_port;$scheme\"; }}
            location /in {{ allow unix:; deny all; proxy_pass http://{0};
                proxy_set_header X-For $proxy_add_x_forwarded_for; }}
            location /out {{ deny unix:; proxy_pass http://{0}; }}
            location /real {{ set_real_ip_from unix:; proxy_pass http://{0};
                proxy_set_header X-Who \"$remote_addr;$realip_remote_addr\"; }}
            location /go {{ return 301 /there; }}
        }}",
        upstream.address()
    ));
    let path = balancer.folder().join("socket");
    assert_eq!(path.metadata().expect("it is there").permissions().mode() & 0o777, 0o666);
    let shown = path.display();
    assert!(ask(&path, "GET /who HTTP/1.1\r\n").ends_with(&format!("\r\n\r\nunix:;;unix:{shown};;http")));
    assert!(ask(&path, "GET /in HTTP/1.1\r\n").starts_with("HTTP/1.1 200 "));
    assert!(upstream.all().contains("X-For: unix:\r\n"), "{}", upstream.all());
    assert!(ask(&path, "GET /out HTTP/1.1\r\n").starts_with("HTTP/1.1 403 "));
    assert!(ask(&path, "GET /real HTTP/1.1\r\nX-Real-IP: 10.1.2.3\r\n").starts_with("HTTP/1.1 200 "));
    assert!(upstream.all().contains("X-Who: 10.1.2.3;unix:\r\n"), "{}", upstream.all());
    assert!(ask(&path, "GET /go HTTP/1.1\r\n").contains("Location: http://a/there\r\n"));
    assert!(balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("tcp"));
    let line = balancer.logged("access.log", "/who");
    assert!(line.starts_with("unix: - - ["), "{line}");
}

#[test]
fn the_file_of_a_unix_socket_lasts_as_long_as_it() {
    let folder = tempfile::tempdir().expect("a folder");
    // What a program has left that is no more.
    drop(UnixListener::bind(folder.path().join("socket")).expect("a socket"));
    let mut balancer = Balancer::start_in(folder, "worker_processes 1;", SERVER);
    let path = balancer.folder().join("socket");
    assert!(ask(&path, "GET / HTTP/1.1\r\n").contains("unix:;;unix:"));
    balancer.reload();
    assert!(ask(&path, "GET / HTTP/1.1\r\n").contains("unix:;;unix:"), "it is kept");
    balancer
        .rewrite("worker_processes 1;", &SERVER.replace("listen unix:FOLDER/socket backlog=16 default_server;", ""));
    balancer.reload();
    wait_until("the file to go", || !path.exists());
    balancer.rewrite("worker_processes 1;", SERVER);
    balancer.reload();
    assert!(ask(&path, "GET / HTTP/1.1\r\n").contains("unix:;;unix:"), "it is there again");
    balancer.signal(Signal::QUIT);
    assert!(balancer.wait().success());
    assert!(!path.exists());
}
