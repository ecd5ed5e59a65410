//! Clients that never stop asking, and take note of every failure: what must not be noticed is not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;

use crate::support::balancer::{PATIENCE, pause};

/// Clients on threads of their own: the even ones keep their connections, the odd ones make one for each request.
pub(super) struct Load {
    clients: Vec<JoinHandle<Vec<String>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    answers: AtomicUsize,
}

impl Load {
    /// Its upstream answers `hi`.
    pub(super) fn start(address: SocketAddr, clients: usize) -> Self {
        Self::start_for(address, clients, "hi")
    }

    /// Each answer's body is this.
    pub(super) fn start_for(address: SocketAddr, clients: usize, body: &'static str) -> Self {
        let shared = Arc::new(Shared::default());
        let client = |index: usize| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || client(address, index.is_multiple_of(2), body, &shared))
        };
        Self { clients: (0..clients).map(client).collect(), shared }
    }

    /// Waits for so many more answers.
    pub(super) fn wait_for(&self, answers: usize) {
        let end = self.shared.answers.load(Relaxed) + answers;
        while self.shared.answers.load(Relaxed) < end {
            pause();
        }
    }

    /// Ends it, and gives the number of answers and what failed.
    pub(super) fn end(self) -> (usize, Vec<String>) {
        self.shared.is_over.store(true, Relaxed);
        let failures = self.clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
        (self.shared.answers.load(Relaxed), failures)
    }
}

fn client(address: SocketAddr, keeps: bool, body: &str, shared: &Shared) -> Vec<String> {
    let mut failures = Vec::new();
    let mut kept = None;
    while !shared.is_over.load(Relaxed) {
        match ask(address, keeps, body, &mut kept) {
            Ok(()) => {
                shared.answers.fetch_add(1, Relaxed);
            }
            Err(error) => {
                failures.push(format!("{} connection: {error}", if keeps { "kept" } else { "new" }));
                kept = None;
            }
        }
    }
    failures
}

fn ask(address: SocketAddr, keeps: bool, body: &str, kept: &mut Option<TcpStream>) -> std::io::Result<()> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream
        }
    };
    let connection = if keeps { "" } else { "Connection: close\r\n" };
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: a\r\n{connection}\r\n").as_bytes())?;
    let end = format!("\r\n\r\n{body}");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.ends_with(end.as_bytes()) {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            let so_far = String::from_utf8_lossy(&answer).into_owned();
            return Err(std::io::Error::other(format!("closed after {so_far:?}")));
        }
        answer.extend_from_slice(&piece[..read]);
    }
    let head = String::from_utf8_lossy(&answer);
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(std::io::Error::other(head));
    }
    if keeps && !head.contains("onnection: close") {
        *kept = Some(stream);
    }
    Ok(())
}
