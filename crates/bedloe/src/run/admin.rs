//! The admin socket: `GET /status` and `GET /events` as JSON, for tools on this host. Off the data path, so hyper
//! serves it. Only who may open the socket's file can ask.

use std::collections::HashMap;
use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, channel::Channel};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use proxy::{Event, Events, Status};
use tokio::net::UnixListener;
use tokio::sync::broadcast::error::RecvError;

/// How often retries are counted up into an event.
const RETRIES_EVERY: Duration = Duration::from_secs(1);
/// Lines under way to a reader of events.
const LINES: usize = 256;

/// A bound admin socket, as the master holds it.
#[derive(Debug)]
pub(super) struct AdminSocket {
    pub(super) listener: std::os::unix::net::UnixListener,
    path: PathBuf,
    /// Whether the file goes with it. It stays where a new program has taken the socket over.
    pub(super) is_ours: bool,
}

/// The side that answers.
pub(super) struct Admin {
    listener: std::os::unix::net::UnixListener,
}

impl AdminSocket {
    /// Binds `unix:PATH`, or takes the socket that an older program has left to this one. A file left behind by a
    /// process that is gone is replaced.
    pub(super) fn bind(address: &str, inherited: Option<std::os::unix::net::UnixListener>) -> anyhow::Result<Self> {
        let Some(path) = address.strip_prefix("unix:").filter(|path| !path.is_empty()) else {
            bail!("--admin takes unix:PATH, not `{address}`");
        };
        let path = PathBuf::from(path);
        let listener = match inherited {
            Some(listener) => listener,
            None => bind(&path).with_context(|| format!("cannot open the admin socket {}", path.display()))?,
        };
        Ok(Self { listener, path, is_ours: true })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Admin {
    pub(super) fn of(listener: std::os::unix::net::UnixListener) -> Self {
        Self { listener }
    }

    /// Answers for as long as the process lives.
    pub(super) async fn serve<S>(self, status: S, events: Events)
    where
        S: Fn() -> Status + Clone + Send + Sync + 'static,
    {
        let Ok(listener) = UnixListener::from_std(self.listener) else { return };
        while let Ok((stream, _)) = listener.accept().await {
            let (status, events) = (status.clone(), events.clone());
            let service = service_fn(move |request| {
                let answer = answer(&request, &status, &events);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A reader that goes away is no news.
            tokio::spawn(async move {
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

fn bind(path: &Path) -> anyhow::Result<std::os::unix::net::UnixListener> {
    use std::os::unix::net::{UnixListener, UnixStream};
    let meta = std::fs::symlink_metadata(path).ok();
    let is_socket = |meta: &std::fs::Metadata| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type());
    if meta.as_ref().is_some_and(|meta| !is_socket(meta)) {
        bail!("a file that is no socket is there already: remove it, or name another path");
    }
    if meta.is_some() {
        if UnixStream::connect(path).is_ok() {
            bail!("another process answers there");
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

type Body = BoxBody<Bytes, Infallible>;

fn answer<S>(request: &Request<Incoming>, status: &S, events: &Events) -> Response<Body>
where
    S: Fn() -> Status + Clone + Send + Sync + 'static,
{
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/status") => json(StatusCode::OK, &status()),
        (&Method::GET, "/events") => stream(status.clone(), events),
        (_, "/status" | "/events") => {
            json(StatusCode::METHOD_NOT_ALLOWED, &serde_json::json!({"error": "only GET is answered here"}))
        }
        _ => json(StatusCode::NOT_FOUND, &serde_json::json!({"error": "there are /status and /events"})),
    }
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Response<Body> {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    respond(status, "application/json", Full::new(text.into()).boxed())
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, content_type);
    response
}

/// Events as they happen, one JSON object a line; retries as counts a second.
fn stream<S>(status: S, events: &Events) -> Response<Body>
where
    S: Fn() -> Status + Send + Sync + 'static,
{
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(LINES);
    let mut events = events.subscribe();
    // Counted from before the reader knows that it is heard.
    let mut counted = HashMap::new();
    count_retries(&status(), &mut counted);
    tokio::spawn(async move {
        let mut seconds = tokio::time::interval(RETRIES_EVERY);
        loop {
            let news = tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => vec![event],
                    // The reader was too slow; what it missed shows in the status.
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                },
                _ = seconds.tick() => count_retries(&status(), &mut counted),
            };
            for event in news {
                let mut line = serde_json::to_vec(&event).unwrap_or_default();
                line.push(b'\n');
                if sender.send_data(line.into()).await.is_err() {
                    return;
                }
            }
        }
    });
    respond(StatusCode::OK, "application/x-ndjson", body.boxed())
}

/// An event for each server that saw retries since the last time.
fn count_retries(status: &Status, counted: &mut HashMap<(String, String), u64>) -> Vec<Event> {
    let at_ms = net::clock::unix_ns() / 1_000_000;
    let mut news = Vec::new();
    for upstream in &status.upstreams {
        for server in &upstream.servers {
            let before = counted.insert((upstream.name.clone(), server.name.clone()), server.retries).unwrap_or(0);
            let count = server.retries.saturating_sub(before);
            if count > 0 {
                news.push(Event {
                    at_ms,
                    event: "retries",
                    upstream: upstream.name.clone(),
                    server: server.name.clone(),
                    why: "requests repeated after an attempt at this server".to_owned(),
                    count,
                });
            }
        }
    }
    news
}
