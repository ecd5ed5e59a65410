//! A report as JSON: what k6 writes for `--summary-export`, and what it gives to handleSummary; the names of all keys
//! are k6's.

use md5::{Digest, Md5};
use serde_json::{Map, Value as Json, json};

use crate::metric::CheckCount;
use crate::report::{Metric, Report, Value, Verdict};
use crate::stat::Stat;

/// The document of `--summary-export`. A threshold's `true` means that it was crossed.
#[must_use]
pub fn summary(report: &Report, stats: &[Stat]) -> Json {
    let metrics: Map<String, Json> =
        report.metrics.iter().map(|metric| (metric.name.clone(), exported(metric, stats))).collect();
    let mut document = json!({ "root_group": group(report, "", &as_map), "metrics": metrics });
    let setup_data = report.setup_data.as_deref().and_then(|data| serde_json::from_str::<Json>(data).ok());
    if let (Some(setup_data), Some(fields)) = (setup_data.filter(|data| !data.is_null()), document.as_object_mut()) {
        fields.insert("setup_data".to_owned(), setup_data);
    }
    document
}

/// What handleSummary gets. `options` are those that concern the summary.
#[must_use]
pub fn summary_data(
    report: &Report,
    stats: &[Stat],
    options: &Json,
    setup_data: Option<&Json>,
    on_terminal: [bool; 2],
) -> Json {
    let metrics: Map<String, Json> =
        report.metrics.iter().map(|metric| (metric.name.clone(), described(metric, stats))).collect();
    let mut data = json!({
        "options": options,
        "state": {
            "isStdOutTTY": on_terminal[0],
            "isStdErrTTY": on_terminal[1],
            "testRunDurationMs": ms(report.elapsed_ns),
        },
        "metrics": metrics,
        "root_group": group(report, "", &as_list),
    });
    if let (Some(setup_data), Some(fields)) = (setup_data, data.as_object_mut()) {
        fields.insert("setup_data".to_owned(), setup_data.clone());
    }
    data
}

fn exported(metric: &Metric, stats: &[Stat]) -> Json {
    let mut fields = values(metric, stats, "value");
    if !metric.verdicts.is_empty() {
        let crossed = |verdict: &Verdict| (verdict.source.clone(), json!(!verdict.holds));
        let thresholds: Map<String, Json> = metric.verdicts.iter().map(crossed).collect();
        fields.insert("thresholds".to_owned(), thresholds.into());
    }
    fields.into()
}

fn described(metric: &Metric, stats: &[Stat]) -> Json {
    let mut fields = Map::new();
    fields.insert("type".to_owned(), json!(metric.value.kind().name()));
    fields.insert("contains".to_owned(), json!(metric.unit.name()));
    fields.insert("values".to_owned(), values(metric, stats, "rate").into());
    if !metric.verdicts.is_empty() {
        let holds = |verdict: &Verdict| (verdict.source.clone(), json!({ "ok": verdict.holds }));
        let thresholds: Map<String, Json> = metric.verdicts.iter().map(holds).collect();
        fields.insert("thresholds".to_owned(), thresholds.into());
    }
    fields.into()
}

/// The part of a rate is called differently in the two documents.
fn values(metric: &Metric, stats: &[Stat], part: &str) -> Map<String, Json> {
    let pairs: Vec<(String, Json)> = match &metric.value {
        Value::Counter { count, per_s } => vec![("count".into(), number(*count)), ("rate".into(), number(*per_s))],
        Value::Gauge { value, min, max } => {
            vec![("value".into(), number(*value)), ("min".into(), number(*min)), ("max".into(), number(*max))]
        }
        value @ Value::Rate { hits, total } => {
            vec![
                (part.into(), number(value.part())),
                ("passes".into(), json!(hits)),
                ("fails".into(), json!(total - hits)),
            ]
        }
        Value::Trend(trend) => stats.iter().map(|stat| (stat.name(), number(stat.of(trend)))).collect(),
    };
    pairs.into_iter().collect()
}

/// A group with what is in it; `gather` makes a map or a list of named things.
fn group(report: &Report, path: &str, gather: &dyn Fn(Vec<(String, Json)>) -> Json) -> Json {
    let mut checks: Vec<(String, u64, u64)> = Vec::new();
    for CheckCount { name, passes, fails, .. } in report.checks.iter().filter(|check| *check.group == *path) {
        match checks.iter_mut().find(|(known, ..)| **known == **name) {
            Some(known) => (known.1, known.2) = (known.1 + passes, known.2 + fails),
            None => checks.push((name.to_string(), *passes, *fails)),
        }
    }
    let check = |(name, passes, fails): (String, u64, u64)| {
        let path = format!("{path}::{name}");
        let fields =
            json!({ "name": name, "path": path, "id": md5(path.as_bytes()), "passes": passes, "fails": fails });
        (name, fields)
    };
    let groups = children(report, path).into_iter().map(|child| {
        let name = child[path.len() + 2..].to_owned();
        (name, group(report, &child, gather))
    });
    json!({
        "name": path.rsplit("::").next().unwrap_or_default(),
        "path": path,
        "id": md5(path.as_bytes()),
        "groups": gather(groups.collect()),
        "checks": gather(checks.into_iter().map(check).collect()),
    })
}

/// Paths of the groups right below one: those that were left, and those that checks or inner groups were seen in.
fn children(report: &Report, path: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let checked = report.checks.iter().map(|check| &check.group);
    for each in checked.chain(&report.groups) {
        let Some(rest) = each.strip_prefix(path).and_then(|rest| rest.strip_prefix("::")) else { continue };
        let child = format!("{path}::{}", rest.split("::").next().unwrap_or_default());
        if !found.contains(&child) {
            found.push(child);
        }
    }
    found
}

fn as_map(named: Vec<(String, Json)>) -> Json {
    named.into_iter().collect::<Map<_, _>>().into()
}

fn as_list(named: Vec<(String, Json)>) -> Json {
    named.into_iter().map(|(_, value)| value).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a test takes less than 2^53 ns")]
fn ms(ns: u64) -> Json {
    number(ns as f64 / 1e6)
}

/// Whole numbers without a fraction, as k6 writes them.
#[allow(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
pub(crate) fn number(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

/// k6's id of a group or check: the digest of its path.
fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
