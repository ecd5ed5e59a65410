//! What is answered at an admin address: the dashboard, the state and events as JSON, metrics for Prometheus, what
//! `api` shows. It is off the data path, so hyper serves it; and it changes nothing.
//!
//! A web page in a browser on this host must not read it by a name of its own that leads here (DNS rebinding): at a TCP
//! address the host that is asked for has to be an address or `localhost`.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, channel::Channel};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use net::clock::unix_ms;
use proxy::{Events, Status};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

use super::AdminListener;
use super::retries::RetryCounts;
use crate::dashboard::{self, Dashboard, View};
use crate::pages;

/// How often retries are counted up into an event.
const RETRIES_EVERY: Duration = Duration::from_secs(1);
/// How often an open page is brought up to date.
const LIVE_EVERY: Duration = Duration::from_secs(2);
/// Lines under way to a reader of events.
const LINES: usize = 256;
/// Connections at once, at each address: scrapers, and readers of events, which stay.
const CONNECTIONS: usize = 256;
/// How long a client may take for the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// A rest after an accept that failed, which is for want of descriptors.
const REST: Duration = Duration::from_millis(100);

/// What `api` answers to a path and to `fields`.
type ShowApi = dyn Fn(&str, Option<&str>) -> (u16, Value) + Send + Sync;

/// What answers are made of.
#[derive(Clone)]
pub(in crate::run) struct Sources {
    pub(in crate::run) status: Arc<dyn Fn() -> Status + Send + Sync>,
    pub(in crate::run) events: Events,
    pub(in crate::run) api: Arc<ShowApi>,
    pub(in crate::run) dashboard: Dashboard,
}

/// Answers for as long as the process lives.
pub(in crate::run) async fn serve(listener: AdminListener, sources: Sources) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let (unix, tcp) = match listener {
        AdminListener::Unix(listener) => (UnixListener::from_std(listener).ok(), None),
        AdminListener::Tcp(listener) => (None, TcpListener::from_std(listener).ok()),
    };
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = match (&unix, &tcp) {
            (Some(unix), _) => unix.accept().await.map(|(stream, _)| connection(stream, sources.clone(), false)),
            (_, Some(tcp)) => tcp.accept().await.map(|(stream, _)| connection(stream, sources.clone(), true)),
            (None, None) => return,
        };
        match accepted {
            Ok(connection) => {
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
}

type Served = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    sources: Sources,
    by_network: bool,
) -> Served {
    let service = service_fn(move |request| {
        let answer = answer(&request, &sources, by_network);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    Box::pin(async move {
        // A reader that goes away is no news.
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
    })
}

type Body = BoxBody<Bytes, Infallible>;

fn answer<B>(request: &Request<B>, sources: &Sources, by_network: bool) -> Response<Body> {
    if let Err(why) = admit(request.headers(), by_network) {
        return json(StatusCode::FORBIDDEN, &json!({"error": why}));
    }
    let path = request.uri().path();
    let is_known = PATHS.contains(&path) || path.starts_with("/api/");
    if !is_known {
        return json(StatusCode::NOT_FOUND, &json!({"error": THERE_ARE}));
    }
    if request.method() != Method::GET {
        return json(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": "only GET is answered here"}));
    }
    match path {
        "/status" => json(StatusCode::OK, &(sources.status)()),
        "/events" => stream(Arc::clone(&sources.status), &sources.events),
        "/metrics" => {
            let text = pages::metrics(&(sources.status)());
            respond(StatusCode::OK, metrics::exposition::CONTENT_TYPE, Full::new(text.into()).boxed())
        }
        "/" => page(&sources.dashboard, request.uri().query().unwrap_or_default()),
        "/dashboard.json" => json(StatusCode::OK, &sources.dashboard.figures(unix_ms())),
        path => {
            let fields = request.uri().query().and_then(|query| route::argument(query.as_bytes(), b"fields"));
            let fields = fields.map(String::from_utf8_lossy);
            let (status, value) = (sources.api)(path.trim_start_matches("/api"), fields.as_deref());
            json(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &value)
        }
    }
}

const PATHS: [&str; 6] = ["/", "/dashboard.json", "/status", "/events", "/metrics", "/api"];
const THERE_ARE: &str = "there are / (the dashboard), /dashboard.json, /status, /events, /metrics and /api/9/";

/// The dashboard: a view of it, or what belongs to it.
fn page(dashboard: &Dashboard, query: &str) -> Response<Body> {
    let (kind, text) = dashboard.answer(query.as_bytes(), unix_ms());
    if kind == dashboard::LIVE_TYPE {
        return live(dashboard.clone(), View::of(query.as_bytes()));
    }
    let mut response = respond(StatusCode::OK, kind, Full::new(text.into()).boxed());
    let policy = HeaderValue::from_static(dashboard::FIELD_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// What of a view changes, again and again, as server-sent events.
fn live(dashboard: Dashboard, view: View) -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(LIVE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if sender.send_data(dashboard.live_for_all(view, unix_ms())).await.is_err() {
                return;
            }
        }
    });
    respond(StatusCode::OK, dashboard::LIVE_TYPE, body.boxed())
}

/// Refuses what a web page may have asked for.
fn admit(headers: &HeaderMap, by_network: bool) -> Result<(), &'static str> {
    // No page reaches a unix socket.
    if !by_network {
        return Ok(());
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    if name.parse::<IpAddr>().is_err() && !name.eq_ignore_ascii_case("localhost") {
        return Err("the host that is asked for is neither an address nor localhost");
    }
    match headers.get(header::ORIGIN) {
        Some(_) if text(header::ORIGIN).and_then(|origin| origin.strip_prefix("http://")) != Some(host) => {
            Err("a request of another origin is refused")
        }
        _ => Ok(()),
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
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Events as they happen, one JSON object a line; retries as counts a second.
fn stream(status: Arc<dyn Fn() -> Status + Send + Sync>, events: &Events) -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(LINES);
    let mut events = events.subscribe();
    // Counted from before the reader knows that it is heard.
    let mut retries = RetryCounts::default();
    retries.count(&status(), unix_ms());
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
                _ = seconds.tick() => retries.count(&status(), unix_ms()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_hosts_are_refused() {
        let table = [
            ("127.0.0.1:9090", None, true),
            ("[::1]:9090", None, true),
            ("LOCALHOST", None, true),
            ("localhost:9090", Some("http://localhost:9090"), true),
            ("localhost:9090", Some("http://evil.test"), false),
            ("localhost:9090", Some("null"), false),
            ("evil.test:9090", None, false),
            ("", None, false),
        ];
        for (host, origin, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(admit(&headers, true).is_ok(), expected, "{host} {origin:?}");
            assert!(admit(&headers, false).is_ok());
        }
    }
}
