//! k6's options: from the script, a file, the environment and the command line to what a test is to do.
//!
//! Each place gives a [`Layer`] of options under k6's names. A higher layer replaces an option of a lower one; any way
//! of saying what runs replaces all ways of the lower ones. Reading the environment and the command line is left to the
//! caller.

mod environment;
mod http;
mod known;
mod routes;
mod scenario;
mod tls;
pub(crate) mod told;
mod value;

use serde_json::{Map, Value as Json};

pub use environment::layer as environment_layer;

use crate::metric::SystemTags;
use crate::plan::{Plan, Scenario};
use crate::schedule::Segment;
use crate::sites::HttpOptions;
use crate::stat::Stat;
use crate::threshold::Threshold;
use known::Known;
use value::{duration, flag, named, text};

/// Options of one place.
pub type Layer = Map<String, Json>;

/// Ways of saying what runs: the highest layer with one of them wins.
const EXECUTION: [&str; 4] = ["duration", "iterations", "stages", "scenarios"];
/// How long setup and teardown may take unless told otherwise.
const SETUP_TIMEOUT_NS: u64 = 60_000_000_000;
/// Options that are true or false, and are read where they have their effect.
const FLAGS: [&str; 6] = [
    "discardResponseBodies",
    "insecureSkipTLSVerify",
    "noConnectionReuse",
    "noCookiesReset",
    "noVUConnectionReuse",
    "throw",
];
/// Times that a summary can be told to use.
const TIME_UNITS: [&str; 3] = ["s", "ms", "us"];

/// All that is wrong with the options, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Wrong(pub Vec<String>);

/// Where options come from, the highest first.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The command line.
    pub flags: Layer,
    /// The environment.
    pub environment: Layer,
    /// What the script exports.
    pub script: Layer,
    /// The file of `--config`.
    pub file: Layer,
}

/// What a test is to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// What runs side by side, by the time of their beginning and then by name.
    pub scenarios: Vec<Scenario>,
    /// Conditions on metrics.
    pub thresholds: Vec<Threshold>,
    /// Tags of every sample.
    pub tags: Vec<(String, String)>,
    /// Which tags requests get.
    pub system_tags: SystemTags,
    /// Figures of trends in the summary.
    pub stats: Vec<Stat>,
    /// `s`, `ms` or `us`, where times in the summary have one unit.
    pub time_unit: Option<String>,
    /// The least time between two beginnings of a user's iterations.
    pub min_iteration_ns: u64,
    /// Which part of the test is done here.
    pub segment: Segment,
    /// How long `setup` may take; `None` where it is not to be run.
    pub setup_timeout_ns: Option<u64>,
    /// How long `teardown` may take; `None` where it is not to be run.
    pub teardown_timeout_ns: Option<u64>,
    /// All options as they were made out, under k6's names; those of requests are read from here.
    pub json: Layer,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Layers {
    /// Makes out what the test is to do.
    pub fn resolve(self) -> Result<Options, Wrong> {
        let mut warnings = Vec::new();
        let json = self.merge(&mut warnings)?;
        let mut wrong = Vec::new();
        let segment = noted(segment(&json), &mut wrong).unwrap_or_default();
        let scenarios = noted(scenario::all(&json, &segment, &mut warnings), &mut wrong).unwrap_or_default();
        let thresholds = noted(thresholds(&json), &mut wrong).unwrap_or_default();
        let system_tags = noted(system_tags(&json, &mut warnings), &mut wrong).unwrap_or_default();
        let stats = noted(stats(&json), &mut wrong).unwrap_or_default();
        let tags = noted(named(&json, "tags"), &mut wrong).unwrap_or_default();
        let time_unit = noted(time_unit(&json), &mut wrong).flatten();
        let mut time = |name, usual| noted(duration(&json, name), &mut wrong).flatten().unwrap_or(usual);
        let min_iteration_ns = time("minIterationDuration", 0);
        let (setup_ns, teardown_ns) =
            (time("setupTimeout", SETUP_TIMEOUT_NS), time("teardownTimeout", SETUP_TIMEOUT_NS));
        let [no_setup, no_teardown] =
            ["noSetup", "noTeardown"].map(|name| noted(flag(&json, name), &mut wrong).flatten().unwrap_or(false));
        for name in FLAGS {
            noted(flag(&json, name), &mut wrong);
        }
        noted(text(&json, "userAgent"), &mut wrong);
        if !wrong.is_empty() {
            return Err(Wrong(wrong));
        }
        Ok(Options {
            scenarios,
            thresholds,
            tags,
            system_tags,
            stats,
            time_unit,
            min_iteration_ns,
            segment,
            setup_timeout_ns: (!no_setup).then_some(setup_ns),
            teardown_timeout_ns: (!no_teardown).then_some(teardown_ns),
            json,
            warnings,
        })
    }

    /// One layer out of four.
    fn merge(self, warnings: &mut Vec<String>) -> Result<Layer, Wrong> {
        let mut merged = Layer::new();
        let mut wrong = Vec::new();
        let layers = [("file", self.file), ("script", self.script), ("env", self.environment), ("cli", self.flags)];
        for (place, layer) in layers {
            if EXECUTION.iter().any(|name| is_set(&layer, name)) {
                if is_set(&merged, "scenarios") {
                    warnings.push(format!("\"{place}\" level configuration overrode scenarios configuration entirely"));
                }
                EXECUTION.iter().for_each(|name| drop(merged.remove(*name)));
            }
            for (name, value) in layer.into_iter().filter(|(_, value)| !value.is_null()) {
                match known::find(&name) {
                    Known::Served | Known::Ignored => drop(merged.insert(name, value)),
                    Known::Unserved(why) => wrong.push(format!("the option `{name}` is not served: {why}")),
                    Known::Unknown => warnings.push(unknown(&name)),
                }
            }
        }
        if wrong.is_empty() { Ok(merged) } else { Err(Wrong(wrong)) }
    }
}

impl Options {
    /// What all requests of a script have in common.
    pub fn http(&self) -> Result<HttpOptions, Wrong> {
        http::options(&self.json)
    }

    /// Puts all of it that is not about requests into a plan.
    pub fn apply(&self, plan: &mut Plan) {
        plan.scenarios.clone_from(&self.scenarios);
        plan.thresholds.clone_from(&self.thresholds);
        plan.tags.clone_from(&self.tags);
        plan.system_tags = self.system_tags;
        plan.min_iteration_ns = self.min_iteration_ns;
        plan.segment = self.segment.clone();
    }
}

/// In k6's words.
fn unknown(name: &str) -> String {
    format!("There were unknown fields in the options exported in the script: json: unknown field \"{name}\"")
}

/// Whether an option is there and says something.
fn is_set(layer: &Layer, name: &str) -> bool {
    layer.get(name).is_some_and(|value| !value.is_null() && !is_empty(value))
}

fn is_empty(value: &Json) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// The value, or the list of what is wrong grown by why there is none.
fn noted<T>(result: Result<T, Wrong>, wrong: &mut Vec<String>) -> Option<T> {
    result.map_err(|more| wrong.extend(more.0)).ok()
}

fn wrong<T>(text: String) -> Result<T, Wrong> {
    Err(Wrong(vec![text]))
}

fn segment(json: &Layer) -> Result<Segment, Wrong> {
    let text = |name: &str| json.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    match (text("executionSegment"), text("executionSegmentSequence")) {
        (None, None) => Ok(Segment::default()),
        (part, sequence) => Segment::parse(part, sequence).map_err(|why| Wrong(vec![why.to_string()])),
    }
}

fn thresholds(json: &Layer) -> Result<Vec<Threshold>, Wrong> {
    let mut all = Vec::new();
    let Some(by_metric) = json.get("thresholds") else { return Ok(all) };
    let Some(by_metric) = by_metric.as_object() else { return wrong("thresholds: want metrics with lists".into()) };
    for (metric, list) in by_metric {
        let Some(list) = list.as_array() else {
            return wrong(format!("threshold on `{metric}`: want a list, not {list}"));
        };
        for entry in list {
            all.push(threshold(metric, entry)?);
        }
    }
    Ok(all)
}

fn threshold(metric: &str, entry: &Json) -> Result<Threshold, Wrong> {
    let fields = entry.as_object();
    let expression = entry.as_str().or_else(|| fields?.get("threshold")?.as_str());
    let Some(expression) = expression else {
        return wrong(format!("threshold on `{metric}`: want a text, not {entry}"));
    };
    let mut threshold = Threshold::parse(metric, expression).map_err(|error| Wrong(vec![error.to_string()]))?;
    if let Some(fields) = fields {
        threshold.abort_on_fail = flag(fields, "abortOnFail")?.unwrap_or(false);
        threshold.delay_abort_ns = duration(fields, "delayAbortEval")?.unwrap_or(0);
    }
    Ok(threshold)
}

/// A name that is none is no error, as in k6.
fn system_tags(json: &Layer, warnings: &mut Vec<String>) -> Result<SystemTags, Wrong> {
    let Some(mut names) = value::texts(json, "systemTags")? else { return Ok(SystemTags::default()) };
    names.retain(|name| {
        let is_known = SystemTags::of([name.as_str()]).is_ok();
        if !is_known {
            warnings.push(format!("systemTags: there is no system tag `{name}`"));
        }
        is_known
    });
    SystemTags::of(names.iter().map(String::as_str)).map_err(|name| Wrong(vec![name]))
}

fn stats(json: &Layer) -> Result<Vec<Stat>, Wrong> {
    let Some(names) = value::texts(json, "summaryTrendStats")? else { return Ok(Stat::usual()) };
    let mut stats = Vec::new();
    for name in names {
        match Stat::parse(&name) {
            Some(stat) => stats.push(stat),
            None => return wrong(format!("summaryTrendStats: `{name}` is none of avg, min, med, max, count and p(N)")),
        }
    }
    Ok(stats)
}

fn time_unit(json: &Layer) -> Result<Option<String>, Wrong> {
    match json.get("summaryTimeUnit").and_then(Json::as_str) {
        None | Some("") => Ok(None),
        Some(unit) if TIME_UNITS.contains(&unit) => Ok(Some(unit.to_owned())),
        Some(unit) => wrong(format!("summaryTimeUnit: `{unit}` is none of s, ms and us")),
    }
}

#[cfg(test)]
mod tests;
