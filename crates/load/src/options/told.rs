//! The options as scripts see them, `exec.test.options`: k6's names in k6's order, what is not set is null, and the
//! shortcuts (`vus`, `duration`, ...) are a scenario.

use serde_json::{Map, Value as Json, json};

use super::Layer;
use super::scenario::{COMMON, OWN};
use crate::duration;
use crate::metric::SystemTags;

/// What there is beside `scenarios`, and how it is shown.
const ALL: [(&str, Shape); 35] = [
    ("paused", Shape::AsIs),
    ("scenarios", Shape::Scenarios),
    ("executionSegment", Shape::AsIs),
    ("executionSegmentSequence", Shape::AsIs),
    ("noSetup", Shape::AsIs),
    ("setupTimeout", Shape::Time),
    ("noTeardown", Shape::AsIs),
    ("teardownTimeout", Shape::Time),
    ("rps", Shape::AsIs),
    ("dns", Shape::Dns),
    ("maxRedirects", Shape::AsIs),
    ("userAgent", Shape::AsIs),
    ("batch", Shape::AsIs),
    ("batchPerHost", Shape::AsIs),
    ("httpDebug", Shape::AsIs),
    ("insecureSkipTLSVerify", Shape::AsIs),
    ("tlsCipherSuites", Shape::AsIs),
    ("tlsVersion", Shape::Range),
    ("tlsAuth", Shape::AsIs),
    ("throw", Shape::AsIs),
    ("thresholds", Shape::Thresholds),
    ("blacklistIPs", Shape::AsIs),
    ("blockHostnames", Shape::AsIs),
    ("hosts", Shape::Sorted),
    ("noConnectionReuse", Shape::AsIs),
    ("noVUConnectionReuse", Shape::AsIs),
    ("minIterationDuration", Shape::Time),
    ("ext", Shape::AsIs),
    ("summaryTrendStats", Shape::Stats),
    ("summaryTimeUnit", Shape::AsIs),
    ("systemTags", Shape::SystemTags),
    ("tags", Shape::Sorted),
    ("metricSamplesBufferSize", Shape::AsIs),
    ("noCookiesReset", Shape::AsIs),
    ("discardResponseBodies", Shape::AsIs),
];
/// Figures of trends unless told otherwise.
const STATS: [&str; 6] = ["avg", "min", "med", "max", "p(90)", "p(95)"];
const TIMES: [&str; 6] = ["startTime", "gracefulStop", "duration", "gracefulRampDown", "maxDuration", "timeUnit"];

#[derive(Debug, Clone, Copy)]
enum Shape {
    AsIs,
    Time,
    /// Names with values, by name.
    Sorted,
    /// One version, or the lowest and the highest.
    Range,
    Dns,
    Stats,
    SystemTags,
    Thresholds,
    Scenarios,
}

/// The options as scripts see them.
pub(crate) fn told(options: &Layer) -> Json {
    let mut all = Map::new();
    for (name, shape) in ALL {
        all.insert(name.to_owned(), shape.shown(options, options.get(name).unwrap_or(&Json::Null)));
    }
    for name in ["consoleOutput", "localIPs"] {
        all.insert(name.to_owned(), Json::Null);
    }
    Json::Object(all)
}

impl Shape {
    fn shown(self, options: &Layer, value: &Json) -> Json {
        match (self, value) {
            (Self::Scenarios, _) => scenarios(options),
            (Self::Dns, _) => dns(value),
            (Self::Stats, Json::Null) => json!(STATS),
            (Self::SystemTags, Json::Null) => {
                let mut names: Vec<&str> = SystemTags::default().names().collect();
                names.sort_unstable();
                names.into()
            }
            (Self::SystemTags, _) => {
                let mut names: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
                names.sort_unstable();
                names.into()
            }
            (_, Json::Null) => Json::Null,
            (Self::Time, _) => time(value),
            (Self::Sorted, _) => sorted(value, Json::clone),
            (Self::Range, Json::String(version)) => json!({ "min": version, "max": version }),
            (Self::Thresholds, _) => {
                sorted(value, |list| list.as_array().into_iter().flatten().map(threshold).collect())
            }
            (Self::AsIs | Self::Range | Self::Stats, _) => value.clone(),
        }
    }
}

fn sorted(value: &Json, shown: impl Fn(&Json) -> Json) -> Json {
    let mut pairs: Vec<_> = value.as_object().into_iter().flatten().collect();
    pairs.sort_by(|left, right| left.0.cmp(right.0));
    Json::Object(pairs.into_iter().map(|(name, value)| (name.clone(), shown(value))).collect())
}

/// `ttl=5m,select=first` in flags and the environment, an object elsewhere.
fn dns(value: &Json) -> Json {
    let part = |name: &str| match value {
        Json::String(text) => {
            let mut parts = text.split(',').filter_map(|part| part.split_once('='));
            parts.find(|(key, _)| key.trim() == name).map_or(Json::Null, |(_, value)| value.trim().into())
        }
        other => other.get(name).cloned().unwrap_or_default(),
    };
    json!({ "ttl": part("ttl"), "select": part("select"), "policy": part("policy") })
}

/// A text where it is no more than that.
fn threshold(entry: &Json) -> Json {
    match entry.as_object() {
        None => entry.clone(),
        Some(fields) => {
            let part = |name: &str| fields.get(name).cloned().unwrap_or_default();
            let (aborts, delay) = (part("abortOnFail"), part("delayAbortEval"));
            if aborts != Json::Bool(true) && delay.is_null() {
                return part("threshold");
            }
            let aborts = Json::Bool(aborts == Json::Bool(true));
            json!({ "threshold": part("threshold"), "abortOnFail": aborts, "delayAbortEval": time(&delay) })
        }
    }
}

fn scenarios(options: &Layer) -> Json {
    let is_set = |name: &str| options.get(name).is_some_and(|value| !value.is_null() && value != &json!([]));
    if is_set("scenarios") {
        return sorted(&options["scenarios"], scenario);
    }
    let executor = if is_set("iterations") {
        "shared-iterations"
    } else if is_set("duration") {
        "constant-vus"
    } else if is_set("stages") {
        "ramping-vus"
    } else {
        "per-vu-iterations"
    };
    let mut own = options.clone();
    own.retain(|name, _| ["vus", "iterations", "stages", "duration"].contains(&name.as_str()));
    let names = [("startVUs", "vus"), ("maxDuration", "duration")];
    for (to, from) in names {
        if let Some(value) = own.get(from).cloned() {
            own.insert(to.to_owned(), value);
        }
    }
    own.insert("executor".to_owned(), executor.into());
    json!({ "default": scenario(&Json::Object(own)) })
}

fn scenario(given: &Json) -> Json {
    let executor = given["executor"].as_str().unwrap_or_default();
    let own = OWN.iter().find(|(name, _)| *name == executor).map_or(&[][..], |(_, fields)| fields);
    let mut shown = Map::new();
    for name in COMMON.iter().chain(own) {
        let value = given.get(*name).unwrap_or(&Json::Null);
        let value = match (*name, value) {
            (_, Json::Null) => Json::Null,
            ("env" | "tags", _) => sorted(value, Json::clone),
            ("stages", _) => value.as_array().into_iter().flatten().map(stage).collect(),
            (name, _) if TIMES.contains(&name) => time(value),
            _ => value.clone(),
        };
        shown.insert((*name).to_owned(), value);
    }
    Json::Object(shown)
}

fn stage(given: &Json) -> Json {
    json!({ "duration": time(&given["duration"]), "target": given["target"] })
}

/// A time as Go writes it, of a number of milliseconds or a text.
fn time(value: &Json) -> Json {
    let text = match value {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        other => return other.clone(),
    };
    duration::parse(&text).map_or_else(|_| value.clone(), |ns| duration::shown(ns).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(options: Json) -> Json {
        let Json::Object(options) = options else { unreachable!("each is an object") };
        told(&options)
    }

    #[test]
    fn shortcuts_are_a_scenario() {
        for (options, expected) in [
            (
                json!({}),
                json!({ "executor": "per-vu-iterations", "vus": null, "iterations": null, "maxDuration": null }),
            ),
            (json!({ "vus": 2, "duration": "1s" }), json!({ "executor": "constant-vus", "vus": 2, "duration": "1s" })),
            (
                json!({ "iterations": 3, "vus": 2, "duration": 90_000 }),
                json!({ "executor": "shared-iterations", "vus": 2, "iterations": 3, "maxDuration": "1m30s" }),
            ),
            (
                json!({ "stages": [{ "duration": "500ms", "target": 1 }] }),
                json!({ "executor": "ramping-vus", "startVUs": null,
                    "stages": [{ "duration": "500ms", "target": 1 }], "gracefulRampDown": null }),
            ),
        ] {
            let all = shown(options);
            let scenario = &all["scenarios"]["default"];
            for (name, value) in expected.as_object().into_iter().flatten() {
                assert_eq!(&scenario[name], value, "{name} in {scenario}");
            }
        }
    }

    #[test]
    fn what_is_set_is_shown_in_one_form() {
        let all = shown(json!({
            "setupTimeout": 5000, "tlsVersion": "tls1.2", "dns": "ttl=1m,policy=any", "tags": { "b": "1", "a": "2" },
            "thresholds": { "b": ["x", { "threshold": "y", "abortOnFail": true }], "a": [{ "threshold": "z" }] },
        }));
        for (name, expected) in [
            ("setupTimeout", r#""5s""#),
            ("tlsVersion", r#"{"min":"tls1.2","max":"tls1.2"}"#),
            ("dns", r#"{"ttl":"1m","select":null,"policy":"any"}"#),
            ("tags", r#"{"a":"2","b":"1"}"#),
            ("thresholds", r#"{"a":["z"],"b":["x",{"threshold":"y","abortOnFail":true,"delayAbortEval":null}]}"#),
            ("throw", "null"),
        ] {
            assert_eq!(all[name].to_string(), expected, "{name}");
        }
    }
}
