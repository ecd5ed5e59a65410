//! The load of the faults' test: kept and new TLS connections, GETs and POSTs, and what came of each. It shares no code
//! with the injector, and retries nothing.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// Connections that are kept.
const KEPT: u64 = 64;
/// Every so manieth request is a POST.
const POST_EVERY: u64 = 4;
/// How long a request may take, its connection included.
const LIMIT: Duration = Duration::from_secs(10);
/// Requests under way over new connections: beyond them the machine is too slow for the load.
const UNDER_WAY_MAX: usize = 2_000;

type Stream = TlsStream<TcpStream>;

/// What came of all requests.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) gets: usize,
    pub(super) posts: usize,
    pub(super) connections: usize,
    /// Orders that were answered as done.
    pub(super) ordered: Vec<String>,
    pub(super) lost: Vec<Lost>,
}

/// A request without a whole good answer.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "shown when a test fails")]
pub(super) struct Lost {
    /// The order's id, of a POST.
    pub(super) order: Option<String>,
    pub(super) started_ms: u64,
    pub(super) ended_ms: u64,
    pub(super) why: String,
}

/// The load.
pub(super) struct Load {
    address: SocketAddr,
    connector: TlsConnector,
    rate: u64,
    start: Instant,
    stopped: Cell<bool>,
    tally: RefCell<Tally>,
}

impl Load {
    pub(super) fn new(address: SocketAddr, tls: Arc<ClientConfig>, rate: u64) -> Self {
        let (start, connector) = (Instant::now(), TlsConnector::from(tls));
        Self { address, connector, rate, start, stopped: Cell::new(false), tally: RefCell::default() }
    }

    /// Starts all users: one a kept connection, one that makes new ones.
    pub(super) fn start(self: &Rc<Self>) -> Vec<JoinHandle<()>> {
        let kept = (0..KEPT).map(|number| tokio::task::spawn_local(self.clone().keep(number)));
        kept.chain([tokio::task::spawn_local(self.clone().renew())]).collect()
    }

    pub(super) fn stop(&self) {
        self.stopped.set(true);
    }

    /// Since the load's beginning.
    pub(super) fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    /// Requests at a steady rate over one connection; only a lost request makes another connection.
    async fn keep(self: Rc<Self>, number: u64) {
        let period = Duration::from_secs_f64(KEPT as f64 * 2.0 / self.rate as f64);
        let first = tokio::time::Instant::now() + period.mul_f64(number as f64 / KEPT as f64);
        let mut due = tokio::time::interval_at(first, period);
        let mut stream = None;
        for count in number.. {
            due.tick().await;
            if self.stopped.get() {
                return;
            }
            stream = self.request(stream, &format!("kept-{number}-{count}"), count % POST_EVERY == 0, true).await;
        }
    }

    /// Requests at a steady rate, each over a connection of its own.
    async fn renew(self: Rc<Self>) {
        let mut due = tokio::time::interval(Duration::from_millis(1));
        let mut under_way = tokio::task::JoinSet::new();
        let mut count = 0;
        while !self.stopped.get() {
            due.tick().await;
            while under_way.try_join_next().is_some() {}
            while count < self.now_ms() * self.rate / 2000 && under_way.len() < UNDER_WAY_MAX {
                count += 1;
                let load = self.clone();
                under_way.spawn_local(async move {
                    load.request(None, &format!("new-{count}"), count % POST_EVERY == 0, false).await;
                });
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// One request; gives the connection back if it can take another.
    async fn request(&self, stream: Option<Stream>, id: &str, post: bool, keep: bool) -> Option<Stream> {
        let started_ms = self.now_ms();
        let outcome = tokio::time::timeout(LIMIT, self.exchange(stream, id, post, keep)).await;
        let outcome = outcome.unwrap_or_else(|_| Err("no answer in time".into()));
        let mut tally = self.tally.borrow_mut();
        if post {
            tally.posts += 1;
        } else {
            tally.gets += 1;
        }
        match outcome {
            Ok(stream) => {
                tally.ordered.extend(post.then(|| id.to_owned()));
                keep.then_some(stream)
            }
            Err(why) => {
                let order = post.then(|| id.to_owned());
                tally.lost.push(Lost { order, started_ms, ended_ms: self.now_ms(), why });
                None
            }
        }
    }

    async fn exchange(&self, stream: Option<Stream>, id: &str, post: bool, keep: bool) -> Result<Stream, String> {
        let mut stream = match stream {
            Some(stream) => stream,
            None => self.connect().await.map_err(|error| format!("connect: {error}"))?,
        };
        let head = head(id, post, keep);
        stream.write_all(head.as_bytes()).await.map_err(|error| format!("write: {error}"))?;
        let answer = answer(&mut stream).await?;
        let good = if post { answer.starts_with("HTTP/1.1 201 ") } else { answer.starts_with("HTTP/1.1 200 ") };
        if good { Ok(stream) } else { Err(answer.lines().next().unwrap_or_default().to_owned()) }
    }

    async fn connect(&self) -> std::io::Result<Stream> {
        self.tally.borrow_mut().connections += 1;
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").expect("a name");
        self.connector.connect(name, stream).await
    }
}

fn head(id: &str, post: bool, keep: bool) -> String {
    let connection = if keep { "keep-alive" } else { "close" };
    let common = format!("HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n");
    if post {
        let body = format!("{id}\n");
        let length = body.len();
        format!("POST /accounts-external/api/orders {common}X-Order-Id: {id}\r\nContent-Length: {length}\r\n\r\n{body}")
    } else {
        format!("GET /accounts-external/api/hello {common}\r\n")
    }
}

/// One whole answer that says its length.
async fn answer(stream: &mut Stream) -> Result<String, String> {
    let (mut seen, mut piece) = (Vec::with_capacity(1024), [0; 1024]);
    loop {
        let text = String::from_utf8_lossy(&seen);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.ok_or("an answer without a length")? {
                return Ok(text.into_owned());
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) => return Err(format!("closed after {} bytes of the answer", seen.len())),
            Ok(n) => seen.extend_from_slice(&piece[..n]),
            Err(error) => return Err(format!("read: {error}")),
        }
    }
}
