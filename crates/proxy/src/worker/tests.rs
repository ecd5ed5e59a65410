//! A running data plane: what a panic costs.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::disallowed_methods, reason = "the client is a thread of its own")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use super::*;

/// The configuration of the test.
struct Text;

impl conf::Loader for Text {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(b"events {} http { access_log off; server { listen 127.0.0.1:0; location / { return 204; } } }".to_vec())
    }

    fn glob(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }
}

/// Sends a request and gives what comes until the answer's head ends or the connection does.
fn ask(stream: &mut TcpStream, path: &str) -> String {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
        }
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_panic_ends_its_own_connection_and_no_other() {
    let loaded = conf::load(Path::new("nginx.conf"), &Text, &conf::Options::default());
    let snapshot = Snapshot::build(&loaded.config.unwrap(), 1, &mut |_| unreachable!("no file is named")).unwrap();
    let listener = net::listen::open("127.0.0.1:0".parse().unwrap(), 16).unwrap();
    let address = listener.local_addr().unwrap();
    let writer = LogWriter::start(vec![Box::new(io::sink())]).unwrap();
    let running =
        Running::start(Arc::new(snapshot), 1, vec![Some(listener)], writer, Arc::new(crate::pages::NoPages)).unwrap();
    let mut other = TcpStream::connect(address).unwrap();
    assert!(ask(&mut other, "/").starts_with("HTTP/1.1 204 "));
    for _ in 0..3 {
        let mut unlucky = TcpStream::connect(address).unwrap();
        assert!(ask(&mut unlucky, "/").starts_with("HTTP/1.1 204 "));
        assert_eq!(ask(&mut unlucky, "/panic"), "");
    }
    assert!(ask(&mut other, "/").starts_with("HTTP/1.1 204 "), "the same thread serves on");
    while running.status().connections != 1 {
        std::thread::yield_now();
    }
    assert!(!running.is_ending());
    running.stop();
    running.join().unwrap();
}
