//! Samples as JSON, an object a line: a metric before its first sample, then each sample, as k6 1.8 writes them.

use std::io::{self, Write};

use load::Threshold;
use load::metric::{Catalog, Definition, Point, SubMetric, SystemTags};
use serde_json::{Value, json};

use super::number::{write_number, write_text};
use super::time::{Clock, Rfc3339};
use super::{Format, metadata, tags};

/// The format, and the metrics that were written of.
pub(super) struct Json {
    clock: Clock,
    times: Rfc3339,
    system_tags: SystemTags,
    /// A line a metric, by the metric's number, until it is written.
    heads: Vec<Option<String>>,
}

impl Json {
    pub(super) fn new(clock: Clock, catalog: &Catalog, thresholds: &[Threshold]) -> Self {
        let definitions = catalog.definitions.all();
        let head = |(at, definition)| Some(head(at, definition, catalog, thresholds));
        let heads = definitions.iter().enumerate().map(head).collect();
        Self { clock, times: Rfc3339::new(), system_tags: catalog.system_tags, heads }
    }

    fn metadata(&self, out: &mut dyn Write, point: &Point) -> io::Result<()> {
        let mut between = ",\"metadata\":{";
        for (name, value) in metadata(point, self.system_tags) {
            out.write_all(between.as_bytes())?;
            write_text(out, name)?;
            out.write_all(b":")?;
            write_text(out, &value)?;
            between = ",";
        }
        if between == "," { out.write_all(b"}") } else { Ok(()) }
    }
}

impl Format for Json {
    fn point(&mut self, out: &mut dyn Write, point: &Point, definition: &Definition) -> io::Result<()> {
        if let Some(head) = self.heads.get_mut(point.metric.index()).and_then(Option::take) {
            out.write_all(head.as_bytes())?;
        }
        write!(out, "{{\"metric\":\"{}\",\"type\":\"Point\",\"data\":{{\"time\":\"", definition.name)?;
        self.times.write(out, self.clock.wall_ns(point.at_ns), true)?;
        out.write_all(b"\",\"value\":")?;
        write_number(out, point.value)?;
        out.write_all(b",\"tags\":{")?;
        for (at, (name, value)) in tags(point).enumerate() {
            if at > 0 {
                out.write_all(b",")?;
            }
            write_text(out, name)?;
            out.write_all(b":")?;
            write_text(out, value)?;
        }
        out.write_all(b"}")?;
        self.metadata(out, point)?;
        out.write_all(b"}}\n")
    }
}

/// A condition: a text, or an object where it may end the test.
fn condition(threshold: &Threshold) -> Value {
    let Threshold { source, abort_on_fail, delay_abort_ns, .. } = threshold;
    if !abort_on_fail && *delay_abort_ns == 0 {
        return source.as_str().into();
    }
    let delay = Some(*delay_abort_ns).filter(|ns| *ns > 0).map(load::duration::shown);
    json!({ "threshold": source, "abortOnFail": abort_on_fail, "delayAbortEval": delay })
}

/// The line of a metric.
fn head(at: usize, definition: &Definition, catalog: &Catalog, thresholds: &[Threshold]) -> String {
    let own = thresholds.iter().filter(|threshold| *threshold.metric == *definition.name);
    let own: Vec<Value> = own.map(condition).collect();
    let mut subs: Vec<_> = catalog.subs.iter().filter(|sub| sub.parent.index() == at).collect();
    subs.sort_by(|left, right| left.name.cmp(&right.name));
    let sub = |sub: &&SubMetric| {
        let suffix = sub.name.split_once('{').map_or("", |(_, rest)| rest.trim_end().trim_end_matches('}'));
        let tags: serde_json::Map<String, Value> =
            sub.tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        json!({ "name": sub.name, "suffix": suffix, "tags": tags })
    };
    let subs = if subs.is_empty() { Value::Null } else { subs.iter().map(sub).collect() };
    let line = json!({
        "type": "Metric",
        "data": {
            "name": &*definition.name,
            "type": definition.kind.name(),
            "contains": definition.unit.name(),
            "thresholds": own,
            "submetrics": subs,
        },
        "metric": &*definition.name,
    });
    format!("{line}\n")
}
