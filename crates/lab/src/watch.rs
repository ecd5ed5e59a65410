//! The balancer's state and events, read at its admin socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// How long the balancer may take to tell its state.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How often a full queue is tried.
const TRY: Duration = Duration::from_millis(10);
/// The longest state: some thousand servers.
const STATUS_BYTES_MAX: usize = 1 << 20;
/// The longest event.
const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Why the balancer's state is not known.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum WatchError {
    #[error("the balancer's admin socket")]
    Socket(#[from] io::Error),
    #[error("the balancer's admin socket")]
    Http(#[from] hyper::Error),
    #[error("the balancer's admin socket answered {0}")]
    Status(hyper::StatusCode),
    #[error("the balancer's admin socket said what is not understood")]
    Json(#[from] serde_json::Error),
    #[error("the balancer's admin socket said more than is understood")]
    Long,
    #[error("the balancer did not tell its state within {ANSWER_LIMIT:?}")]
    Late,
}

/// The balancer's state, as `GET /status` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Groups of servers.
    pub upstreams: Vec<UpstreamStatus>,
    /// Requests taken.
    pub requests: u64,
    /// Requests sent to one more server after a failure.
    pub retries: u64,
}

/// One group of servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: String,
    /// Its servers.
    pub servers: Vec<ServerStatus>,
}

/// One server as the balancer sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerStatus {
    /// Its address as configured.
    pub name: String,
    /// `up`, or why it gets no requests: `down`, `unavailable`, `unhealthy`...
    pub state: String,
    /// Requests sent to it.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those of them that another server, or it again, got.
    pub retries: u64,
}

/// One event, as `GET /events` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// When, since 1970.
    pub at_ms: u64,
    /// `down`, `up`, `unhealthy`, `healthy` or `retries`.
    pub event: String,
    /// The server's address as configured.
    pub server: String,
    /// What was seen.
    pub why: String,
    /// How many, of an event that counts.
    pub count: u64,
}

impl Status {
    /// A server by its address.
    pub fn server(&self, address: &str) -> Option<&ServerStatus> {
        self.upstreams.iter().flat_map(|upstream| &upstream.servers).find(|server| server.name == address)
    }
}

impl ServerStatus {
    /// Whether it gets requests.
    pub fn is_up(&self) -> bool {
        self.state == "up"
    }
}

/// Asks for the state. Must run inside a `LocalSet`.
pub async fn status(socket: &Path) -> Result<Status, WatchError> {
    let ask = async {
        let body = get(socket, "/status").await?.into_body();
        let body = Limited::new(body, STATUS_BYTES_MAX).collect().await.map_err(|_| WatchError::Long)?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    };
    tokio::time::timeout(ANSWER_LIMIT, ask).await.unwrap_or(Err(WatchError::Late))
}

/// Passes events on until the balancer ends or nobody listens. Must run inside a `LocalSet`.
pub async fn events(socket: &Path, to: mpsc::Sender<Event>) -> Result<(), WatchError> {
    let mut body = get(socket, "/events").await?.into_body();
    let mut line = Vec::new();
    while let Some(frame) = body.frame().await {
        for part in frame?.data_ref().map_or(&[][..], |data| data).split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if line.len() > EVENT_BYTES_MAX {
                return Err(WatchError::Long);
            }
            if line.last() != Some(&b'\n') {
                continue;
            }
            let text = line.trim_ascii();
            // An empty line only keeps the connection alive.
            if !text.is_empty() && to.send(serde_json::from_slice(text)?).await.is_err() {
                return Ok(());
            }
            line.clear();
        }
    }
    Ok(())
}

/// Connects to a unix socket. Where many come at once its queue is full for a moment, which the kernel says at once and
/// does not wait for as it does with TCP; the caller limits the time.
pub async fn connect(socket: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(TRY).await,
            done => return done,
        }
    }
}

async fn get(socket: &Path, page: &str) -> Result<Response<Incoming>, WatchError> {
    let stream = connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = hyper::Uri::try_from(page).unwrap_or_default();
    request.headers_mut().insert(hyper::header::HOST, hyper::header::HeaderValue::from_static("admin"));
    let response = sender.send_request(request).await?;
    if response.status().is_success() { Ok(response) } else { Err(WatchError::Status(response.status())) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    /// A balancer that answers one request with these bytes, in these pieces.
    async fn balancer(folder: &Path, pieces: &'static [&'static str]) -> std::path::PathBuf {
        let path = folder.join("admin.sock");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        path
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test);
    }

    #[test]
    fn the_state_is_read_and_what_is_new_in_it_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            let socket = balancer(
                folder.path(),
                &[
                    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
                    r#"{"upstreams":[{"name":"liberty_app","servers":[{"name":"127.0.0.11:9080","state":"up","#,
                    r#""since_ms":1,"why":"","requests":7,"failures":2,"retries":1,"in_flight":3}]}],"#,
                    r#""requests":9,"retries":1,"connections":2,"uptime_ms":5,"pid":4,"new":[]}"#,
                ],
            );
            let status = status(&socket.await).await.unwrap();
            let server = status.server("127.0.0.11:9080").unwrap();
            assert!(server.is_up() && server.requests == 7 && server.failures == 2 && server.retries == 1);
            assert_eq!((status.requests, status.retries), (9, 1));
            assert!(status.server("127.0.0.12:9080").is_none());
        });
    }

    #[test]
    fn events_come_by_line_however_they_are_cut() {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            let socket = balancer(
                folder.path(),
                &[
                    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
                    r#"{"at_ms":5,"event":"down","upstream":"liberty_app","server":"127.0.0.12:9080","#,
                    "\"why\":\"connection refused\"}\n\n{\"at_ms\":6,\"event\":\"retries\",\"count\":3}\n{\"at",
                ],
            );
            let (to, mut from) = mpsc::channel(8);
            events(&socket.await, to).await.unwrap();
            let down = from.recv().await.unwrap();
            assert_eq!((down.at_ms, down.event.as_str(), down.why.as_str()), (5, "down", "connection refused"));
            assert_eq!(down.server, "127.0.0.12:9080");
            assert_eq!(from.recv().await.unwrap().count, 3);
            assert_eq!(from.recv().await, None);
        });
    }

    #[test]
    fn a_full_queue_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full.sock");
        run(async {
            use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
            let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
            rustix::net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
            rustix::net::listen(&socket, 0).unwrap();
            let listener = std::os::unix::net::UnixListener::from(socket);
            let mut waiting = Vec::new();
            while let Ok(stream) = UnixStream::connect(&path).await {
                waiting.push(stream);
            }
            let waited = tokio::time::timeout(TRY * 3, connect(&path)).await;
            assert!(waited.is_err(), "it is full: {waited:?}");
            let taken = async { listener.accept().map(drop) };
            let (connected, taken) = tokio::join!(connect(&path), taken);
            assert!(connected.is_ok() && taken.is_ok());
            assert_eq!(connect(&folder.path().join("none")).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        });
    }

    #[test]
    fn what_is_no_state_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            assert!(matches!(status(&folder.path().join("none")).await, Err(WatchError::Socket(_))));
            let socket = balancer(folder.path(), &["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]).await;
            let said = status(&socket).await.unwrap_err().to_string();
            assert_eq!(said, "the balancer's admin socket answered 404 Not Found");
        });
    }
}
