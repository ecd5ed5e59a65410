//! What `/metrics` and `prometheus;` answer: the balancer's counts in Prometheus's text format.
//!
//! Which metrics there are is a table ([`table`]), of which docs/metrics.md is made too. How many series there can be
//! is bounded here: what is beyond is folded into one.

mod process;
mod table;
mod view;

use metrics::exposition::Exposition;
use proxy::Status;

pub(crate) use process::Process;
use table::METRICS;
use view::View;

/// Upstream servers that have series of their own, some 30 each. Those beyond are counted together, under the name
/// [`OTHERS`]: a scrape must stay within what Prometheus takes in one go.
const PEERS_MAX: usize = 500;
/// Zones of servers that have series of their own, and as many of locations.
const ZONES_MAX: usize = 200;
/// The name of what is counted together.
const OTHERS: &str = "(others)";

/// All metrics as text.
pub(crate) fn text(status: &Status, process: &Process) -> String {
    let view = View::new(status, process);
    let mut text = Exposition::default();
    for metric in METRICS {
        metric.write(&view, &mut text.family(metric.name, metric.kind, metric.help));
    }
    text.finish()
}

/// docs/metrics.md, whole.
#[cfg(test)]
fn reference() -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "# Metrics of the balancer\n\n\
         What `/metrics` answers, at an address of `bedloe run --admin`, and `prometheus;` in a location.\n\
         `examples/prometheus/` scrapes them and has alerts, `examples/grafana/` shows them. Counts begin at 0 when\n\
         a worker process starts; a reload keeps them. Durations are in seconds, sizes in bytes.\n\n\
         There are at most {PEERS_MAX} upstream servers and {ZONES_MAX} zones of each kind with series of their own;\n\
         those beyond are counted together, with `{OTHERS}` in their labels. A zone is what `status_zone` names.\n\
         `upstream` is the name of an upstream, `peer` the address of a server (with `#2` and so on behind one that\n\
         is there before).\n\n\
         This page is made from the table in the code (`crates/bedloe/src/exposition/table.rs`).\n\n\
         | metric | kind | labels | what it is |\n|-|-|-|-|\n"
    );
    for metric in METRICS {
        let table::Metric { name, kind, help, .. } = metric;
        let kind = format!("{kind:?}").to_lowercase();
        let labels: Vec<_> = metric.labels().iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
    }
    text
}

#[cfg(test)]
mod tests;
