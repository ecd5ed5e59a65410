//! What is answered at an admin address: the dashboard, the state and events as JSON, metrics for Prometheus, what
//! `api` shows. It is off the data path, so hyper serves it; and it changes nothing.
//!
//! A web page in a browser on this host must not read it by a name of its own that leads here (DNS rebinding): at a TCP
//! address the host that is asked for has to be an address or `localhost`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use net::clock::{now_ms, unix_ms};
use proxy::{Events, Status};
use serde_json::{Value, json};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::broadcast::error::RecvError;

use super::AdminListener;
use super::retries::RetryCounts;
use crate::dashboard::{self, Dashboard, View};
use crate::http_server::{self, Answer, Listener};
use crate::pages;

/// How often retries are counted up into an event.
const RETRIES_EVERY: Duration = Duration::from_secs(1);
/// How often an open page is brought up to date.
const LIVE_EVERY: Duration = Duration::from_secs(2);
/// Lines under way to a reader of events.
const LINES: usize = 256;
/// Connections at once, at each address: scrapers, and readers of events, which stay.
const CONNECTIONS_MAX: usize = 256;

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

/// Answers for as long as the process lives; must run inside a `LocalSet`.
pub(in crate::run) async fn serve(listener: AdminListener, sources: Sources) {
    let is_by_network = matches!(listener, AdminListener::Tcp(_));
    let listener = match listener {
        AdminListener::Unix(listener) => UnixListener::from_std(listener).map(Listener::Unix),
        AdminListener::Tcp(listener) => TcpListener::from_std(listener).map(Listener::Tcp),
    };
    let answer = move |request| std::future::ready(guarded(answer(&request, &sources, is_by_network)));
    if let Ok(listener) = listener {
        http_server::serve(listener, CONNECTIONS_MAX, None, answer).await;
    }
}

fn answer<B>(request: &Request<B>, sources: &Sources, is_by_network: bool) -> Answer {
    if let Err(why) = admit(request.headers(), is_by_network) {
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
            http_server::page(StatusCode::OK, metrics::exposition::CONTENT_TYPE, text)
        }
        "/" => page(&sources.dashboard, request.uri().query().unwrap_or_default()),
        "/dashboard.json" => json(StatusCode::OK, &sources.dashboard.figures()),
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
fn page(dashboard: &Dashboard, query: &str) -> Answer {
    let query = query.as_bytes();
    if dashboard::is_live(query) {
        return live(dashboard.clone(), View::of(query));
    }
    let (kind, text) = dashboard.answer(query, now_ms());
    let mut answer = http_server::page(StatusCode::OK, kind, text);
    let policy = HeaderValue::from_static(dashboard::FIELD_POLICY);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    answer
}

/// What of a view changes, again and again, as server-sent events.
fn live(dashboard: Dashboard, view: View) -> Answer {
    http_server::stream(dashboard::LIVE_TYPE, 1, |sender| async move {
        let mut ticks = tokio::time::interval(LIVE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if sender.send(dashboard.live_for_all(view, now_ms())).await.is_err() {
                return;
            }
        }
    })
}

/// Refuses what a web page may have asked for.
fn admit(headers: &HeaderMap, is_by_network: bool) -> Result<(), &'static str> {
    // No page reaches a unix socket.
    if !is_by_network {
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

fn json(status: StatusCode, value: &impl serde::Serialize) -> Answer {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    http_server::page(status, "application/json", text)
}

/// Tells browsers to take it for nothing else, and to keep nothing.
fn guarded(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Events as they happen, one JSON object a line; retries as counts a second.
fn stream(status: Arc<dyn Fn() -> Status + Send + Sync>, events: &Events) -> Answer {
    let mut events = events.subscribe();
    // Counted from before the reader knows that it is heard.
    let mut retries = RetryCounts::default();
    retries.count(&status(), unix_ms());
    http_server::stream("application/x-ndjson", LINES, |sender| async move {
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
                if sender.send(line.into()).await.is_err() {
                    return;
                }
            }
        }
    })
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
