//! Clients that share a rate, over HTTP/1.1 and HTTP/2, on connections that they keep or make for each request.
//!
//! They do what clients do who lose nothing by it: look whether an idle connection was closed before they send, and
//! send again what a GOAWAY says was not looked at (RFC 9113 6.8). Nothing else is tried twice.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;

use crate::support::balancer::PATIENCE;
use crate::support::http2::{request, whole};

pub(super) const CLIENTS: u32 = 40;

/// Connections that a request may find closed before it was looked at, one after the other.
const CONNECTIONS_TRIED: usize = 3;

/// Numbers for posts, never one twice.
static POSTS: AtomicUsize = AtomicUsize::new(0);

pub(super) fn posts() -> usize {
    POSTS.load(Relaxed)
}

pub(super) struct Clients {
    threads: Vec<JoinHandle<Vec<String>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// Over HTTP/1.1 and over HTTP/2.
    answers: [AtomicUsize; 2],
}

impl Clients {
    /// Starts them at so many requests a second.
    pub(super) fn start(address: SocketAddr, rate: u32) -> Self {
        let shared = Arc::new(Shared::default());
        let client = |number: u32| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || client(address, number, rate, &shared))
        };
        Self { threads: (0..CLIENTS).map(client).collect(), shared }
    }

    /// How many there were, over HTTP/1.1 and over HTTP/2.
    pub(super) fn answers(&self) -> [usize; 2] {
        [0, 1].map(|version| self.shared.answers[version].load(Relaxed))
    }

    /// What failed.
    pub(super) fn end(self) -> Vec<String> {
        self.shared.is_over.store(true, Relaxed);
        self.threads.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    }
}

/// One client at its share of the rate. A request that is late is not followed by a burst.
fn client(address: SocketAddr, number: u32, rate: u32, shared: &Shared) -> Vec<String> {
    let every = Duration::from_secs(1) * CLIENTS / rate;
    let mut failures = Vec::new();
    let keeps = number.is_multiple_of(2);
    let is_http2 = number % 4 >= 2;
    let mut http1 = Http1 { address, keeps, kept: None };
    let mut http2 = Http2 { address, keeps, runtime: runtime(), kept: None };
    let mut next = Instant::now() + every * number / CLIENTS;
    for sent in 0_u32.. {
        if shared.is_over.load(Relaxed) {
            break;
        }
        http2.rest_until(next);
        next = (next + every).max(Instant::now());
        let (method, path) = match sent.is_multiple_of(4) {
            true => ("POST", format!("/{}", POSTS.fetch_add(1, Relaxed))),
            false => ("GET", "/".to_owned()),
        };
        let outcome = if is_http2 { http2.ask(method, &path) } else { http1.ask(method, &path) };
        match outcome {
            Ok(()) => {
                shared.answers[usize::from(is_http2)].fetch_add(1, Relaxed);
            }
            Err(error) => {
                let version = if is_http2 { "HTTP/2" } else { "HTTP/1.1" };
                failures.push(format!("{version}, {} connection: {error}", if keeps { "kept" } else { "new" }));
            }
        }
    }
    failures
}

struct Http1 {
    address: SocketAddr,
    keeps: bool,
    kept: Option<TcpStream>,
}

impl Http1 {
    fn ask(&mut self, method: &str, path: &str) -> io::Result<()> {
        let mut stream = match self.kept.take().filter(is_open) {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream
            }
        };
        let connection = if self.keeps { "" } else { "Connection: close\r\n" };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{connection}Content-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
        while !answer.ends_with(b"\r\n\r\nhi") {
            let read = stream.read(&mut piece)?;
            if read == 0 {
                return Err(io::Error::other(format!("closed after {} bytes", answer.len())));
            }
            answer.extend_from_slice(&piece[..read]);
        }
        let head = String::from_utf8_lossy(&answer);
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(io::Error::other(head));
        }
        if self.keeps && !head.contains("onnection: close") {
            self.kept = Some(stream);
        }
        Ok(())
    }
}

/// Whether an idle connection was not closed meanwhile.
fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("an option");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("an option");
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

struct Http2 {
    address: SocketAddr,
    keeps: bool,
    runtime: tokio::runtime::Runtime,
    kept: Option<SendRequest<Bytes>>,
}

impl Http2 {
    /// Waits, and meanwhile takes what comes on the connection.
    fn rest_until(&self, at: Instant) {
        self.runtime.block_on(async { tokio::time::sleep_until(at.into()).await });
    }

    fn ask(&mut self, method: &str, path: &str) -> io::Result<()> {
        let mut tried = 0;
        loop {
            let kept = self.kept.take();
            let exchange = exchange(self.address, kept, method, path);
            let answered = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, exchange).await });
            tried += 1;
            match answered.map_err(io::Error::other)? {
                Ok(requests) => {
                    self.kept = Some(requests).filter(|_| self.keeps);
                    return Ok(());
                }
                Err(Failure::NotLookedAt) if tried < CONNECTIONS_TRIED => {}
                Err(Failure::NotLookedAt) => return Err(io::Error::other("no connection took the request")),
                Err(Failure::Lost(error)) => return Err(error),
            }
        }
    }
}

enum Failure {
    /// It was never sent, or the server says that it did nothing with it.
    NotLookedAt,
    Lost(io::Error),
}

/// One request on this connection, or on a new one; gives the connection back.
async fn exchange(
    address: SocketAddr,
    kept: Option<SendRequest<Bytes>>,
    method: &str,
    path: &str,
) -> Result<SendRequest<Bytes>, Failure> {
    let requests = match kept {
        Some(requests) => requests,
        None => connect(address).await.map_err(Failure::Lost)?,
    };
    let mut requests = requests.ready().await.map_err(|_| Failure::NotLookedAt)?;
    let (answer, _) = requests.send_request(request(method, path), true).map_err(|_| Failure::NotLookedAt)?;
    let lost = |error: h2::Error| match error.is_go_away() && error.is_remote() {
        // h2 gives this error to the streams behind the last one that a GOAWAY names.
        true => Failure::NotLookedAt,
        false => Failure::Lost(io::Error::other(error)),
    };
    let (head, body) = answer.await.map_err(lost)?.into_parts();
    let (body, _) = whole(body).await.map_err(|error| Failure::Lost(io::Error::other(error)))?;
    if head.status != 200 || body != b"hi" {
        return Err(Failure::Lost(io::Error::other(format!("{}: {}", head.status, String::from_utf8_lossy(&body)))));
    }
    Ok(requests)
}

async fn connect(address: SocketAddr) -> io::Result<SendRequest<Bytes>> {
    let tcp = tokio::net::TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let (requests, connection) = h2::client::handshake(tcp).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(requests)
}
