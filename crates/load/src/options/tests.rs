//! Options: layers, shortcuts, scenarios, and what is refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;
use crate::plan::{Executor, Users};
use crate::schedule::Looping;

fn layer(json: &Json) -> Layer {
    json.as_object().unwrap().clone()
}

fn script(options: &Json) -> Result<Options, Wrong> {
    Layers { script: layer(options), ..Layers::default() }.resolve()
}

fn executors(options: &Options) -> Vec<&'static str> {
    options.scenarios.iter().map(|scenario| scenario.executor.name()).collect()
}

#[test]
fn shortcuts_stand_for_scenarios() {
    for (options, executor, users) in [
        (json!({}), "per-vu-iterations", 1),
        (json!({ "vus": 3, "duration": "5s" }), "constant-vus", 3),
        (json!({ "vus": 3, "iterations": 5 }), "shared-iterations", 3),
        (json!({ "stages": [{ "duration": "5s", "target": 4 }] }), "ramping-vus", 4),
        (json!({ "duration": 5000, "iterations": 2, "stages": [] }), "shared-iterations", 1),
    ] {
        let made = script(&options).unwrap();
        assert_eq!(executors(&made), [executor], "{options}");
        assert_eq!(made.scenarios[0].executor.max_users(), users, "{options}");
    }
}

#[test]
fn the_highest_layer_that_says_what_runs_replaces_the_others() {
    let scenarios = json!({ "scenarios": { "a": { "executor": "constant-vus", "duration": "9s" } }, "vus": 7 });
    let environment = environment_layer(|name| match name {
        "K6_DURATION" => Some("3s".to_owned()),
        "K6_SYSTEM_TAGS" => Some("status, vu".to_owned()),
        _ => None,
    });
    let layers = Layers {
        flags: layer(&json!({ "iterations": 9, "tags": { "a": "b" } })),
        environment: environment.unwrap(),
        script: layer(&scenarios),
        file: layer(&json!({ "stages": [{ "duration": "1s", "target": 1 }], "tags": { "c": "d" } })),
    };
    let low = Layers { flags: Layer::new(), ..layers.clone() }.resolve().unwrap();
    assert_eq!(executors(&low), ["constant-vus"]);
    assert_eq!(low.scenarios[0].executor.duration_ns(), 3_000_000_000);
    assert_eq!(low.scenarios[0].executor.max_users(), 7);
    assert_eq!(low.warnings, ["\"env\" level configuration overrode scenarios configuration entirely"]);
    let odd =
        Layers { flags: layer(&json!({ "systemTags": ["nothing", "vu"], "scenarios": {} })), ..Layers::default() };
    let odd = odd.resolve().unwrap();
    assert_eq!(odd.system_tags.names().collect::<Vec<_>>(), ["vu"]);
    assert!(odd.warnings[0].contains("is empty") && odd.warnings[1].contains("no system tag `nothing`"), "{odd:?}");
    assert_eq!(low.system_tags.names().collect::<Vec<_>>(), ["status", "vu"]);
    let high = layers.resolve().unwrap();
    assert_eq!(executors(&high), ["shared-iterations"]);
    assert_eq!(high.tags, [("a".to_owned(), "b".to_owned())]);
}

#[test]
fn scenarios_are_read_whole_and_sorted() {
    let made = script(&json!({ "scenarios": {
        "late": { "executor": "per-vu-iterations", "vus": 2, "iterations": 3, "startTime": "5s", "exec": "two" },
        "b": { "executor": "constant-arrival-rate", "rate": 30, "timeUnit": "1m", "duration": "2m",
            "preAllocatedVUs": 5, "maxVUs": 9, "gracefulStop": "1s", "env": { "X": "y" }, "tags": { "k": "v" } },
        "a": { "executor": "ramping-vus", "startVUs": 0, "stages": [{ "duration": "10s", "target": 5 }],
            "gracefulRampDown": "3s" },
        "c": { "executor": "ramping-arrival-rate", "stages": [{ "duration": "10s", "target": 5 }],
            "preAllocatedVUs": 1 },
        "d": { "executor": "shared-iterations", "vus": 2, "iterations": 8, "maxDuration": "20s" },
    } }))
    .unwrap();
    let names: Vec<&str> = made.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "late"]);
    let b = &made.scenarios[1];
    assert!(matches!(b.executor, Executor::Arrivals { users: Users::Promised { pre_allocated: 5, max: 9 }, .. }));
    assert_eq!((b.graceful_stop_ns, b.env.len(), b.tags.len()), (1_000_000_000, 1, 1));
    let Executor::Looping(Looping::RampingVus(ramp)) = &made.scenarios[0].executor else { panic!("no ramp") };
    assert_eq!((ramp.graceful_ramp_down_ns(), ramp.users_at(10_000_000_000 - 1)), (3_000_000_000, 4));
    assert_eq!((made.scenarios[4].start_ns, made.scenarios[4].exec.as_str()), (5_000_000_000, "two"));
}

#[test]
fn what_cannot_be_is_refused() {
    let scenario = |fields: Json| json!({ "scenarios": { "x": fields } });
    for (options, words) in [
        (json!({ "duration": "500ms" }), "at least 1s, but is 500ms"),
        (json!({ "duration": "5x" }), "is no duration"),
        (json!({ "duration": "5s", "stages": [{ "duration": "5s", "target": 4 }] }), "`duration` and `stages`"),
        (json!({ "iterations": 2, "vus": 3 }), "can't be less than the number of VUs (3)"),
        (json!({ "vus": 0, "duration": "5s" }), "must be more than 0"),
        (json!({ "vus": -1, "duration": "5s" }), "the number of VUs must be more than 0"),
        (json!({ "vus": -1, "iterations": 5 }), "the number of VUs must be more than 0"),
        (json!({ "iterations": -1 }), "the number of iterations (-1) can't be less than the number of VUs (1)"),
        (json!({ "vus": 70000, "duration": "5s" }), "at most 60000 users"),
        (json!({ "duration": "5s", "scenarios": { "a": {} } }), "`duration` and `scenarios`"),
        (json!({ "localIPs": "127.0.0.1" }), "`localIPs` is not served"),
        (scenario(json!({ "executor": "spiral" })), "unknown executor type 'spiral'"),
        (scenario(json!({ "executor": "externally-controlled", "vus": 1 })), "is not served"),
        (scenario(json!({ "executor": "constant-vus", "duration": "5s", "rate": 1 })), "unknown field \"rate\""),
        (scenario(json!({ "executor": "constant-arrival-rate", "rate": 1, "duration": "5s" })), "preAllocatedVUs"),
        (scenario(json!({ "executor": "ramping-vus" })), "at least one stage"),
        (scenario(json!({ "executor": "ramping-vus", "stages": [{ "target": 1 }] })), "doesn't have a duration"),
        (json!({ "thresholds": { "http_reqs": ["count"] } }), "want an aggregation"),
        (json!({ "summaryTrendStats": ["avg", "p95"] }), "`p95` is none"),
        (json!({ "summaryTimeUnit": "m" }), "none of s, ms and us"),
        (json!({ "executionSegment": "2:1" }), "2:1"),
        (json!({ "noConnectionReuse": "yes" }), "noConnectionReuse: want true or false, not \"yes\""),
        (json!({ "throw": 1 }), "throw: want true or false"),
        (json!({ "noSetup": "true" }), "noSetup: want true or false"),
        (json!({ "userAgent": 7 }), "userAgent: want a text, not 7"),
        (json!({ "tags": { "a": 1 } }), "tags: `a` is to be a text, not 1"),
        (json!({ "vus": "two", "duration": "5s" }), "vus: want a whole number"),
        (json!({ "thresholds": { "http_reqs": "count>1" } }), "want a list"),
        (
            json!({ "thresholds": { "http_reqs": [{ "threshold": "count>1", "abortOnFail": "yes" }] } }),
            "abortOnFail: want true or false",
        ),
    ] {
        let error = script(&options).unwrap_err().to_string();
        assert!(error.contains(words), "{options}: {error}");
    }
    let both = script(&json!({ "scenarios": { "x": { "executor": "a" }, "y": { "executor": "b" } } })).unwrap_err();
    assert_eq!(both.0.len(), 2);
}

#[test]
fn unknown_options_are_a_warning_and_those_for_k6s_services_nothing() {
    let made = script(&json!({ "foo": 1, "cloud": {}, "ext": {}, "vus": null, "noSummary": true, "iterations": "3" }));
    let made = made.unwrap();
    assert_eq!(made.warnings.len(), 2);
    assert!(made.warnings[0].ends_with("json: unknown field \"foo\""), "{:?}", made.warnings);
}

#[test]
fn thresholds_may_end_a_test() {
    let made = script(&json!({ "thresholds": {
        "http_reqs{status:200}": ["count>5", { "threshold": "rate>1", "abortOnFail": true, "delayAbortEval": "5s" }],
        "checks": ["rate>0.9"],
    } }))
    .unwrap();
    let seen: Vec<(&str, bool, u64)> =
        made.thresholds.iter().map(|each| (each.source.as_str(), each.abort_on_fail, each.delay_abort_ns)).collect();
    assert_eq!(seen, [("count>5", false, 0), ("rate>1", true, 5_000_000_000), ("rate>0.9", false, 0)]);
}

#[test]
fn a_segment_takes_its_part() {
    let part = |segment: &str| {
        let options = json!({ "vus": 5, "iterations": 11, "executionSegment": segment,
            "executionSegmentSequence": "0,1/2,1" });
        let made = script(&options).unwrap();
        let Executor::Looping(looping) = &made.scenarios[0].executor else { panic!("no users") };
        (looping.users(), looping.iterations().unwrap())
    };
    assert_eq!([part("0:1/2"), part("1/2:1")], [(3, 6), (2, 5)]);
}
