//! An address that Prometheus scrapes while a test runs. Names are those of k6's own Prometheus output: `k6_` before
//! the metric, `_total` behind counters, `_rate` behind rates, a statistic behind trends, times in seconds; the tags of
//! a sub-metric are labels.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use hyper::{Method, Request, StatusCode};
use load::metric::{SubMetric, Unit};
use load::{Metric, MetricsSink, Value};
use metrics::exposition::CONTENT_TYPE;
use tokio::task::LocalSet;

use super::BadOutput;
use crate::http_server::{self, Answer, Listener};

/// Percentiles of a trend, by what stands behind its name.
const PERCENTILES: [(&str, f64); 4] = [("_med", 50.0), ("_p90", 90.0), ("_p95", 95.0), ("_p99", 99.0)];

/// Clients at once; more than one scraper is rare.
const CLIENTS_MAX: usize = 32;

type Shared = Arc<Mutex<Vec<Metric>>>;

/// A server of one address.
#[derive(Debug)]
pub(super) struct Exporter {
    metrics: Shared,
}

impl Exporter {
    /// Listens, and answers on a thread of its own to the end of the process.
    pub(super) fn start(address: &str) -> anyhow::Result<Self> {
        let bad = |text: String| BadOutput(format!("--out prometheus={address}: {text}"));
        let at: SocketAddr = address.parse().map_err(|_| bad("want ADDRESS:PORT, such as 127.0.0.1:9090".into()))?;
        let listener = TcpListener::bind(at).with_context(|| bad("cannot listen there".into()))?;
        listener.set_nonblocking(true)?;
        let metrics = Shared::default();
        let shown = Arc::clone(&metrics);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || LocalSet::new().block_on(&runtime, serve(listener, shown));
        std::thread::Builder::new().name("prometheus".into()).spawn(serve)?;
        Ok(Self { metrics })
    }
}

/// What shows all exporters how the metrics stand.
pub(super) fn sink(exporters: &[Exporter]) -> MetricsSink {
    let all: Vec<Shared> = exporters.iter().map(|exporter| Arc::clone(&exporter.metrics)).collect();
    MetricsSink(Arc::new(move |metrics: Vec<Metric>| {
        for shared in &all {
            shared.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&metrics);
        }
    }))
}

async fn serve(listener: TcpListener, metrics: Shared) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let answer = move |request| std::future::ready(answer(&request, &metrics));
    http_server::serve(Listener::Tcp(listener), CLIENTS_MAX, None, answer).await;
}

fn answer<B>(request: &Request<B>, metrics: &Shared) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics" | "/") => {
            let text = render(&metrics.lock().unwrap_or_else(PoisonError::into_inner));
            http_server::page(StatusCode::OK, CONTENT_TYPE, text)
        }
        (&Method::GET, _) => http_server::text(StatusCode::NOT_FOUND, "there is /metrics\n"),
        _ => http_server::text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n"),
    }
}

/// All metrics in Prometheus' text format.
fn render(metrics: &[Metric]) -> String {
    let mut families: Vec<(String, &'static str, String)> = Vec::new();
    for metric in metrics {
        let (name, tags) = SubMetric::parse(&metric.name).unwrap_or((&metric.name, Vec::new()));
        let labels = labels(&tags);
        for (suffix, kind, value) in series(metric) {
            let family = format!("k6_{name}{suffix}");
            let line = format!("{family}{labels} {value}\n");
            match families.iter_mut().find(|(known, ..)| *known == family) {
                Some((.., lines)) => lines.push_str(&line),
                None => families.push((family, kind, line)),
            }
        }
    }
    let text = families.into_iter().map(|(family, kind, lines)| format!("# TYPE {family} {kind}\n{lines}"));
    text.collect()
}

fn series(metric: &Metric) -> Vec<(&'static str, &'static str, f64)> {
    let scaled = |value: f64| if metric.unit == Unit::Time { value / 1000.0 } else { value };
    match &metric.value {
        Value::Counter { count, .. } => vec![("_total", "counter", scaled(*count))],
        Value::Gauge { value, .. } => vec![("", "gauge", scaled(*value))],
        value @ Value::Rate { .. } => vec![("_rate", "gauge", value.part())],
        Value::Trend(trend) => {
            #[allow(clippy::cast_precision_loss, reason = "samples are fewer than 2^53")]
            let count = trend.count() as f64;
            let mut all = vec![
                ("_count", "counter", count),
                ("_sum", "counter", scaled(trend.sum())),
                ("_min", "gauge", scaled(trend.min())),
                ("_max", "gauge", scaled(trend.max())),
                ("_avg", "gauge", scaled(trend.avg())),
            ];
            all.extend(PERCENTILES.map(|(suffix, percent)| (suffix, "gauge", scaled(trend.percentile(percent)))));
            all
        }
    }
}

fn labels(tags: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in tags {
        let between = if text.is_empty() { "{" } else { "," };
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{between}{name}=\"{value}\"");
    }
    if text.is_empty() { text } else { text + "}" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::metric::Section;

    #[test]
    fn metrics_are_families_with_labels() {
        let metric = |name: &str, unit, value| Metric {
            name: name.to_owned(),
            unit,
            section: Section::Http,
            compact: true,
            value,
            verdicts: Vec::new(),
        };
        let counter = |count| Value::Counter { count, per_s: 1.0 };
        let text = render(&[
            metric("http_reqs", Unit::Number, counter(3.0)),
            metric("http_reqs{a-b:c\"d}", Unit::Number, counter(2.0)),
            metric("checks", Unit::Number, Value::Rate { hits: 1, total: 2 }),
            metric("vus", Unit::Number, Value::Gauge { value: 4.0, min: 1.0, max: 5.0 }),
        ]);
        let expected = "# TYPE k6_http_reqs_total counter\nk6_http_reqs_total 3\nk6_http_reqs_total{a_b=\"c\\\"d\"} 2\n\
                        # TYPE k6_checks_rate gauge\nk6_checks_rate 0.5\n# TYPE k6_vus gauge\nk6_vus 4\n";
        assert_eq!(text, expected);
    }
}
