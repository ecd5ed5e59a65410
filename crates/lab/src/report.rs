//! The outcome of a lab as data.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::course::Course;
use crate::plan::Plan;
use crate::processes::Usage;
use crate::roll;
use crate::timeline::Timeline;

/// The injector's codes of whole answers with a status of 400 to 499: 1,000 more than the status.
const BELOW_500: std::ops::Range<u16> = 1400..1500;

/// All that a lab measured.
#[derive(Debug)]
pub struct Report {
    /// What the injector measured.
    pub load: load::Report,
    /// How long the measured load took.
    pub elapsed_ms: u64,
    /// Requests that got no whole answer, or one with a status of 500 or more.
    pub lost: u64,
    /// Requests that the balancer gave to one more server.
    pub retried: u64,
    /// A row a process: the injector, the balancer, the servers.
    pub processes: Vec<ProcessRow>,
    /// What happened when.
    pub timeline: Timeline,
    /// What each process did over time.
    pub course: Course,
    /// Servers that answered at the end, by the balancer's word.
    pub servers_up: usize,
    /// What came of the rolling restart, where there was one.
    pub roll: Option<roll::Outcome>,
}

/// What one process did during the measured load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessRow {
    /// Its name.
    pub name: String,
    /// CPU time of one core.
    pub cpu_percent: f64,
    /// CPU time divided by requests.
    pub cpu_us_per_request: f64,
    /// The most memory in RAM, since it started.
    pub peak_resident_bytes: u64,
    /// Context switches.
    pub switches: u64,
    /// Requests that it made, passed on or answered.
    pub requests: u64,
    /// Its part of the requests of its kind, 0 to 1.
    pub share: f64,
}

impl ProcessRow {
    /// A row from what was used before and after.
    pub fn new(name: &str, before: &Usage, after: &Usage, requests: u64, of: u64, elapsed_ms: u64) -> Self {
        let cpu_ms = after.cpu_ms.saturating_sub(before.cpu_ms) as f64;
        Self {
            name: name.to_owned(),
            cpu_percent: part(cpu_ms * 100.0, elapsed_ms),
            cpu_us_per_request: part(cpu_ms * 1000.0, requests),
            peak_resident_bytes: after.peak_resident_bytes,
            switches: after.switches.saturating_sub(before.switches),
            requests,
            share: part(requests as f64, of),
        }
    }
}

impl Report {
    /// Everything as one document; `load` is what `bedloe load --summary-export` writes.
    pub fn to_json(&self, plan: &Plan) -> Value {
        json!({
            "url": plan.url(),
            "rate": plan.options.rate,
            "duration_ms": millis(plan.options.duration),
            "servers": plan.servers.iter().map(|server| &server.name).collect::<Vec<_>>(),
            "faults": plan.faults,
            "elapsed_ms": self.elapsed_ms,
            "outcome": format!("{:?}", self.load.outcome).to_lowercase(),
            "requests": self.load.count("http_reqs"),
            "dropped": self.load.count("dropped_iterations"),
            "interrupted": self.load.interrupted,
            "lost": self.lost,
            "retried": self.retried,
            "servers_up": self.servers_up,
            "failures": failures(&self.load),
            "processes": self.processes,
            "timeline": self.timeline,
            "roll": self.roll,
            "load": load::export::summary(&self.load, &load::stat::Stat::usual()),
        })
    }
}

/// What failed in a load, by kinds.
pub(crate) fn failures(load: &load::Report) -> Vec<Value> {
    let kinds = load.failures.iter();
    kinds.map(|each| json!({ "code": each.failure.code, "what": each.failure.text, "count": each.count })).collect()
}

/// Requests of a load without a whole answer, or with one of 500 or more: all failures but statuses below 500.
pub(crate) fn lost(load: &load::Report) -> u64 {
    let cut_off = if load.outcome == load::Outcome::Interrupted { 0 } else { load.interrupted };
    let failed = load.failures.iter().filter(|each| !BELOW_500.contains(&each.failure.code));
    failed.map(|each| each.count).sum::<u64>() + cut_off
}

/// A span of time in whole milliseconds.
pub(crate) fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn part(of: f64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { of / whole as f64 }
}
