//! The Liberty server beside an agent: its health, and those of its metrics that tell how it bears a load. They are
//! asked for when the agent is, and a server that does not answer delays nobody: what was last seen is told, with its
//! age.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use hyper::StatusCode;
use hyper::body::Bytes;
use metrics::exposition::{Exposition, Kind, samples};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::fetch::{Client, Credentials, Origin};

/// How long a scrape waits for it.
const WAIT: Duration = Duration::from_millis(250);
/// How long it may take in all; meanwhile it is not asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a page: a server with some hundred servlets and pools says a few hundred KiB.
const PAGE_MAX: usize = 4 << 20;
/// Series that are passed on.
const SERIES_MAX: usize = 2000;
/// Bytes of a line that is passed on.
const LINE_MAX: usize = 4 << 10;
/// Checks of its health that are told.
const CHECKS_MAX: usize = 64;
/// Characters of a check's name.
const CHECK_NAME_MAX: usize = 128;
/// What the names of wanted metrics begin with, behind the scope that MicroProfile Metrics before 5 puts there.
const WANTED: [&str; 6] = ["threadpool_", "servlet_", "session_", "memory_", "gc_", "connectionpool_"];
const SCOPES: [&str; 2] = ["vendor_", "base_"];

/// Where it is.
#[derive(Debug, Clone)]
pub(super) struct Server(Origin);

impl Server {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let origin: Origin = text.parse().map_err(|error: anyhow::Error| format!("{error:#}"))?;
        if origin.is_tls() {
            return Err(
                "want the http:// endpoint; with mpMetrics authentication=\"false\" it needs no https".to_owned()
            );
        }
        Ok(Self(origin))
    }
}

/// The server as it was last seen.
#[derive(Debug)]
pub(super) struct Liberty(Rc<Shared>);

struct Shared {
    /// Taken while it is asked.
    client: RefCell<Option<Client>>,
    seen: RefCell<Seen>,
    errors: [Cell<u64>; 2],
    is_known: Notify,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.seen.borrow().fmt(out)
    }
}

/// The pages, as the errors' label names them.
const PAGES: [&str; 2] = ["health", "metrics"];

#[derive(Debug, Default)]
struct Seen {
    health: Option<Health>,
    metrics: BTreeMap<String, Metric>,
    /// When it last answered.
    at: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
struct Health {
    is_up: bool,
    checks: Vec<(String, bool)>,
}

#[derive(Debug, PartialEq)]
struct Metric {
    kind: Kind,
    samples: Vec<(Vec<(String, String)>, f64)>,
}

impl Liberty {
    pub(super) fn new(server: Server) -> anyhow::Result<Self> {
        let client = Client::new(server.0, Credentials::default())?;
        Ok(Self(Rc::new(Shared {
            client: RefCell::new(Some(client)),
            seen: RefCell::default(),
            errors: Default::default(),
            is_known: Notify::new(),
        })))
    }

    /// Asks it, unless it is being asked, and waits a moment for what it says.
    pub(super) async fn refresh(&self) {
        let known = self.0.is_known.notified();
        if let Some(client) = self.0.client.take() {
            tokio::task::spawn_local(Rc::clone(&self.0).ask(client));
        }
        let _ = timeout(WAIT, known).await;
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        let seen = self.0.seen.borrow();
        let (is_reachable, is_up) = (seen.health.is_some(), seen.health.as_ref().is_some_and(|health| health.is_up));
        let help = "Whether the Liberty server says that it is UP.";
        out.family("bedloe_liberty_up", Kind::Gauge, help).sample(&[], is_up);
        let help = "Whether it answers when it is asked for its health.";
        out.family("bedloe_liberty_reachable", Kind::Gauge, help).sample(&[], is_reachable);
        if let Some(health) = seen.health.as_ref().filter(|health| !health.checks.is_empty()) {
            let help = "Whether a check of MicroProfile Health is UP.";
            let mut family = out.family("bedloe_liberty_check_up", Kind::Gauge, help);
            for (name, is_up) in &health.checks {
                family.sample(&[("check", name)], *is_up);
            }
        }
        let help = "Times that a page of it could not be had, or was not what it should be.";
        let mut family = out.family("bedloe_liberty_errors_total", Kind::Counter, help);
        for (page, errors) in PAGES.iter().zip(&self.0.errors) {
            family.sample(&[("page", page)], errors.get());
        }
        if let Some(at) = seen.at {
            let help = "How long ago it said what is told here.";
            out.family("bedloe_liberty_age_seconds", Kind::Gauge, help).sample(&[], at.elapsed().as_secs_f64());
        }
        for (name, metric) in &seen.metrics {
            let mut family = out.family(name, metric.kind, "Of the Liberty server.");
            for (labels, value) in &metric.samples {
                let labels: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                family.sample(&labels, *value);
            }
        }
    }
}

impl Shared {
    async fn ask(self: Rc<Self>, mut client: Client) {
        let until = tokio::time::Instant::now() + PATIENCE;
        let health = within(until, client.get("/health", PAGE_MAX)).await.and_then(health).ok();
        let is_answered = health.is_some();
        // At once: a server that is slow to say its metrics may be UP all the same.
        self.seen.borrow_mut().health = health;
        // One that has not answered is not waited for twice.
        let metrics = if is_answered || tokio::time::Instant::now() < until {
            within(until, client.get("/metrics", PAGE_MAX)).await.and_then(metrics).ok()
        } else {
            None
        };
        for (is_good, errors) in [is_answered, metrics.is_some()].into_iter().zip(&self.errors) {
            errors.set(errors.get() + u64::from(!is_good));
        }
        let at = (is_answered || metrics.is_some()).then(Instant::now);
        let mut seen = self.seen.borrow_mut();
        seen.at = at.or(seen.at);
        seen.metrics = metrics.unwrap_or_default();
        drop(seen);
        self.client.replace(Some(client));
        self.is_known.notify_waiters();
    }
}

type Page = anyhow::Result<(StatusCode, Bytes)>;

async fn within(until: tokio::time::Instant, asked: impl Future<Output = Page>) -> Page {
    tokio::time::timeout_at(until, asked).await?
}

/// What MicroProfile Health says: 200 is UP, 503 is DOWN, with the checks.
fn health((status, body): (StatusCode, Bytes)) -> anyhow::Result<Health> {
    let page: Value = serde_json::from_slice(&body)?;
    let is_up = |of: &Value| of["status"].as_str().map(|status| status == "UP");
    let Some(is_all_up) = is_up(&page) else { bail!("/health says no status") };
    let check = |check: &Value| Some((check["name"].as_str()?.chars().take(CHECK_NAME_MAX).collect(), is_up(check)?));
    let mut checks: Vec<(String, bool)> =
        page["checks"].as_array().into_iter().flatten().filter_map(check).take(CHECKS_MAX).collect();
    // Two of a name are one series: it is up where both are.
    checks.sort();
    checks.dedup_by(|after, before| after.0 == before.0);
    Ok(Health { is_up: is_all_up && status == StatusCode::OK, checks })
}

/// The wanted metrics by name. They are written anew and not passed on as they came: whatever a server says, what the
/// agent says is in the format.
fn metrics((status, body): (StatusCode, Bytes)) -> anyhow::Result<BTreeMap<String, Metric>> {
    ensure!(status == StatusCode::OK, "/metrics is answered with {status}");
    let text = std::str::from_utf8(&body)?;
    let kinds: HashMap<&str, Kind> = text.lines().filter_map(kind).collect();
    let (mut found, mut known) = (BTreeMap::<String, Metric>::new(), HashSet::new());
    for line in text.lines().filter(|line| is_wanted(line) && line.len() <= LINE_MAX) {
        let Some(Ok(sample)) = samples(line).next() else { continue };
        // An empty label is as good as none: with it and without it is one series.
        let labels = sample.labels.iter().filter(|(_, value)| !value.is_empty());
        let mut labels: Vec<_> = labels.map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
        labels.sort();
        if known.len() >= SERIES_MAX || !known.insert((sample.name, labels.clone())) {
            continue;
        }
        let kind = kinds.get(sample.name).copied().unwrap_or(Kind::Untyped);
        let metric = found.entry(sample.name.to_owned()).or_insert_with(|| Metric { kind, samples: Vec::new() });
        metric.samples.push((labels, sample.value));
    }
    Ok(found)
}

fn is_wanted(line: &str) -> bool {
    let name = SCOPES.iter().find_map(|scope| line.strip_prefix(scope)).unwrap_or(line);
    WANTED.iter().any(|wanted| name.starts_with(wanted))
}

/// `# TYPE name kind`. What belongs to a summary or a histogram is a series of no kind by itself.
fn kind(line: &str) -> Option<(&str, Kind)> {
    let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
    match kind.trim() {
        "counter" => Some((name, Kind::Counter)),
        "gauge" => Some((name, Kind::Gauge)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn page(status: u16, text: &str) -> (StatusCode, Bytes) {
        (StatusCode::from_u16(status).unwrap(), Bytes::from(text.to_owned()))
    }

    #[test]
    fn health_is_read() {
        let text = r#"{"status":"UP","checks":[{"name":"db","status":"UP"},{"name":"db","status":"DOWN"},
            {"name":"a","status":"UP"},{"no":1}]}"#;
        let checks = vec![("a".to_owned(), true), ("db".to_owned(), false)];
        assert_eq!(health(page(200, text)).unwrap(), Health { is_up: true, checks });
        let down = Health { is_up: false, checks: Vec::new() };
        assert_eq!(health(page(503, r#"{"status":"DOWN","checks":[]}"#)).unwrap(), down);
        assert_eq!(health(page(503, r#"{"status":"UP"}"#)).unwrap(), down);
        for text in ["", "<html>", "{}", "[]", r#"{"status":1}"#] {
            assert!(health(page(404, text)).is_err(), "{text}");
        }
        let many: Vec<_> = (0..100).map(|n| serde_json::json!({"name": format!("{n}"), "status": "UP"})).collect();
        let many = serde_json::json!({"status": "UP", "checks": many}).to_string();
        assert_eq!(health(page(200, &many)).unwrap().checks.len(), CHECKS_MAX);
    }

    #[test]
    fn wanted_metrics_are_written_anew() {
        let text = "# HELP threadpool_activeThreads Active.\n# TYPE threadpool_activeThreads gauge\n\
                    threadpool_activeThreads{pool=\"Default \\\"Executor\\\"\",mp_scope=\"vendor\"} 4.0\n\
                    threadpool_activeThreads{mp_scope=\"vendor\",pool=\"Default \\\"Executor\\\"\"} 5.0\n\
                    # TYPE vendor_servlet_request_total counter\nvendor_servlet_request_total{servlet=\"a\"} 7\n\
                    # TYPE gc_time_seconds summary\ngc_time_seconds_count 3\nmemory_heap{ 1\nclassloader_loaded 9\n\
                    gc_time_seconds_count{a=\"\"} 4\nsession_a{a=\"1\",a=\"2\"} 1\nsession_b{__name__=\"up\"} 1\n";
        let found = metrics(page(200, text)).unwrap();
        let client = Client::new("http://127.0.0.1:1".parse().unwrap(), Credentials::default()).unwrap();
        let liberty = Liberty(Rc::new(Shared {
            client: RefCell::new(Some(client)),
            seen: RefCell::new(Seen { health: None, metrics: found, at: None }),
            errors: Default::default(),
            is_known: Notify::new(),
        }));
        let mut out = Exposition::default();
        liberty.write(&mut out);
        let written: Vec<_> = out.as_str().lines().filter(|line| !line.contains("bedloe")).map(str::to_owned).collect();
        let expected = [
            "# HELP gc_time_seconds_count Of the Liberty server.",
            "# TYPE gc_time_seconds_count untyped",
            "gc_time_seconds_count 3",
            "# HELP threadpool_activeThreads Of the Liberty server.",
            "# TYPE threadpool_activeThreads gauge",
            "threadpool_activeThreads{mp_scope=\"vendor\",pool=\"Default \\\"Executor\\\"\"} 4",
            "# HELP vendor_servlet_request_total Of the Liberty server.",
            "# TYPE vendor_servlet_request_total counter",
            "vendor_servlet_request_total{servlet=\"a\"} 7",
        ];
        assert_eq!(written, expected);
        assert!(metrics(page(401, text)).is_err());
        let many: String = (0..3000).map(|n| format!("session_{n} 1\n")).collect();
        assert_eq!(metrics(page(200, &many)).unwrap().len(), SERIES_MAX);
    }

    #[test]
    fn only_its_plain_endpoint_is_asked() {
        assert!(Server::parse("http://127.0.0.1:9080").is_ok());
        assert!(Server::parse("https://127.0.0.1:9443").is_err());
        assert!(Server::parse("127.0.0.1:9080").is_err());
    }
}
