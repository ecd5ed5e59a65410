//! Scenarios: `scenarios` itself, and the shortcuts `vus`, `duration`, `iterations` and `stages` that stand for one.

use serde_json::Value as Json;

use super::value::{count, duration, named, text, whole};
use super::{Layer, Wrong, is_empty, is_set, noted, wrong};
use crate::plan::{Executor, MOST_SCENARIOS, MOST_USERS, Scenario, Users};
use crate::schedule::{
    ConstantArrivalRate, ConstantVus, Impossible, Looping, PerVuIterations, RampingArrivalRate, RampingVus, Schedule,
    Segment, SharedIterations, Stage,
};

const SECOND_NS: u64 = 1_000_000_000;
/// How long counted iterations may take unless told otherwise.
const MAX_DURATION_NS: u64 = 600 * SECOND_NS;
/// How long users that leave may go on unless told otherwise.
const GRACEFUL_RAMP_DOWN_NS: u64 = 30 * SECOND_NS;

/// Fields of every scenario.
pub(super) const COMMON: [&str; 6] = ["executor", "startTime", "gracefulStop", "env", "exec", "tags"];
/// A field of every scenario too, which says nothing here: it is the browser's.
const BROWSERS: &str = "options";
/// Fields of each executor.
pub(super) const OWN: [(&str, &[&str]); 6] = [
    ("constant-vus", &["vus", "duration"]),
    ("ramping-vus", &["startVUs", "stages", "gracefulRampDown"]),
    ("shared-iterations", &["vus", "iterations", "maxDuration"]),
    ("per-vu-iterations", &["vus", "iterations", "maxDuration"]),
    ("constant-arrival-rate", &["rate", "timeUnit", "duration", "preAllocatedVUs", "maxVUs"]),
    ("ramping-arrival-rate", &["startRate", "timeUnit", "stages", "preAllocatedVUs", "maxVUs"]),
];

fn is_known(name: &str, own: &[&str]) -> bool {
    COMMON.contains(&name) || own.contains(&name) || name == BROWSERS
}

/// What runs, by the time of its beginning and then by name.
pub(super) fn all(json: &Layer, segment: &Segment, warnings: &mut Vec<String>) -> Result<Vec<Scenario>, Wrong> {
    let mut scenarios = match shortcut(json, warnings)? {
        Some(executor) => vec![Scenario::new("default", executor)],
        None => listed(json)?,
    };
    if scenarios.len() > MOST_SCENARIOS {
        return wrong(format!("a test has at most {MOST_SCENARIOS} scenarios"));
    }
    for scenario in &mut scenarios {
        scenario.executor.take_part(segment);
    }
    scenarios.sort_by(|left, right| (left.start_ns, &left.name).cmp(&(right.start_ns, &right.name)));
    Ok(scenarios)
}

/// The executor that a shortcut stands for; `None` where `scenarios` says what runs.
fn shortcut(json: &Layer, warnings: &mut Vec<String>) -> Result<Option<Executor>, Wrong> {
    let given: Vec<&str> =
        ["iterations", "duration", "stages", "scenarios"].into_iter().filter(|name| is_set(json, name)).collect();
    let both = |left: &str, right: &str| given.contains(&left) && given.contains(&right);
    for (left, right) in [
        ("iterations", "stages"),
        ("iterations", "scenarios"),
        ("duration", "stages"),
        ("duration", "scenarios"),
        ("stages", "scenarios"),
    ] {
        if both(left, right) {
            return wrong(format!("using `{left}` and `{right}` options simultaneously is not allowed"));
        }
    }
    let vus = whole(json, "vus")?;
    let executor = match given.first() {
        Some(&"iterations") => counted("shared-iterations", json, "duration"),
        Some(&"duration") => constant_vus(json),
        Some(&"stages") => ramping_vus(json, "vus"),
        Some(_) => return Ok(None),
        None => {
            for name in ["scenarios", "stages"].into_iter().filter(|name| json.get(*name).is_some_and(is_empty)) {
                warnings.push(format!("`{name}` is empty: the script is run once, by one user"));
            }
            if let Some(vus) = vus.filter(|vus| *vus != 1) {
                warnings.push(format!(
                    "`vus={vus}` option will be ignored, it only works in conjunction with `iterations`, `duration`, \
                     or `stages`"
                ));
            }
            counted("per-vu-iterations", &Layer::new(), "maxDuration")
        }
    };
    executor.map(Some).map_err(|error| at("default", error))
}

fn listed(json: &Layer) -> Result<Vec<Scenario>, Wrong> {
    let Some(list) = json.get("scenarios").and_then(Json::as_object) else {
        return wrong("scenarios: want names with scenarios".into());
    };
    let (mut scenarios, mut problems) = (Vec::new(), Vec::new());
    for (name, fields) in list {
        let made = fields
            .as_object()
            .map_or_else(|| wrong(format!("want its fields, not {fields}")), |fields| one(name, fields));
        scenarios.extend(noted(made.map_err(|error| at(name, error)), &mut problems));
    }
    if problems.is_empty() { Ok(scenarios) } else { Err(Wrong(problems)) }
}

fn one(name: &str, fields: &Layer) -> Result<Scenario, Wrong> {
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)) {
        return wrong("the name should contain only numbers, latin letters, underscores, and dashes".into());
    }
    let Some(kind) = text(fields, "executor")? else { return wrong("it has no `executor`".into()) };
    if kind == "externally-controlled" {
        return wrong("the executor `externally-controlled` is not served: there is no API to control it by".into());
    }
    let Some((kind, own)) = OWN.iter().find(|(each, _)| *each == kind) else {
        let known: Vec<&str> = OWN.iter().map(|(each, _)| *each).collect();
        return wrong(format!("unknown executor type '{kind}': want one of {}", known.join(", ")));
    };
    if let Some(odd) = fields.keys().find(|name| !is_known(name, own)) {
        return wrong(format!("unknown field \"{odd}\": {kind} has {}", own.join(", ")));
    }
    if fields.get("options").is_some_and(|options| !options.is_null()) {
        return wrong("`options` is not served: there is no browser".into());
    }
    let mut scenario = Scenario::new(name, executor(kind, fields)?);
    scenario.start_ns = duration(fields, "startTime")?.unwrap_or(0);
    scenario.graceful_stop_ns = duration(fields, "gracefulStop")?.unwrap_or(Scenario::GRACEFUL_STOP_NS);
    scenario.exec = text(fields, "exec")?.unwrap_or_else(|| "default".to_owned());
    scenario.env = named(fields, "env")?;
    scenario.tags = named(fields, "tags")?;
    Ok(scenario)
}

fn executor(kind: &str, fields: &Layer) -> Result<Executor, Wrong> {
    match kind {
        "constant-vus" => constant_vus(fields),
        "ramping-vus" => ramping_vus(fields, "startVUs"),
        "shared-iterations" | "per-vu-iterations" => counted(kind, fields, "maxDuration"),
        "constant-arrival-rate" => constant_arrival_rate(fields),
        _ => ramping_arrival_rate(fields),
    }
}

fn constant_vus(fields: &Layer) -> Result<Executor, Wrong> {
    let users = users(fields, "vus")?.unwrap_or(1);
    let duration_ns = at_least_a_second(duration(fields, "duration")?, "duration")?;
    if users == 0 {
        return wrong("the number of VUs must be more than 0".into());
    }
    Ok(Executor::Looping(Looping::ConstantVus(ConstantVus { users, duration_ns })))
}

fn ramping_vus(fields: &Layer, start: &str) -> Result<Executor, Wrong> {
    let start = users(fields, start)?.unwrap_or(1);
    let graceful_ns = duration(fields, "gracefulRampDown")?.unwrap_or(GRACEFUL_RAMP_DOWN_NS);
    let stages = stages(fields)?;
    let ramp = RampingVus::new(start, &stages, graceful_ns).map_err(impossible)?;
    if ramp.peak() == 0 {
        return wrong("either startVUs or one of the stages' target values must be greater than 0".into());
    }
    Ok(Executor::Looping(Looping::RampingVus(ramp)))
}

fn counted(kind: &str, fields: &Layer, limit: &str) -> Result<Executor, Wrong> {
    let users = users(fields, "vus")?.unwrap_or(1);
    let iterations = whole(fields, "iterations")?.unwrap_or(1);
    let max_duration_ns = match duration(fields, limit)? {
        None => MAX_DURATION_NS,
        given => at_least_a_second(given, limit)?,
    };
    if users == 0 {
        return wrong("the number of VUs must be more than 0".into());
    }
    if kind == "per-vu-iterations" {
        let Some(iterations) = u64::try_from(iterations).ok().filter(|count| *count > 0) else {
            return wrong("the number of iterations must be more than 0".into());
        };
        return Ok(Executor::Looping(Looping::PerVuIterations(PerVuIterations { users, iterations, max_duration_ns })));
    }
    let Some(iterations) = u64::try_from(iterations).ok().filter(|count| *count >= u64::from(users)) else {
        return wrong(format!(
            "the number of iterations ({iterations}) can't be less than the number of VUs ({users})"
        ));
    };
    Ok(Executor::Looping(Looping::SharedIterations(SharedIterations { users, iterations, max_duration_ns })))
}

fn constant_arrival_rate(fields: &Layer) -> Result<Executor, Wrong> {
    let Some(rate) = count(fields, "rate")? else { return wrong("the iteration rate isn't specified".into()) };
    let unit_ns = duration(fields, "timeUnit")?.unwrap_or(SECOND_NS);
    let duration_ns = at_least_a_second(duration(fields, "duration")?, "duration")?;
    let schedule = ConstantArrivalRate::new(rate, unit_ns, duration_ns).map_err(impossible)?;
    Ok(Executor::Arrivals { schedule: Schedule::Constant(schedule), users: arrival_users(fields)? })
}

fn ramping_arrival_rate(fields: &Layer) -> Result<Executor, Wrong> {
    let start_rate = count(fields, "startRate")?.unwrap_or(0);
    let unit_ns = duration(fields, "timeUnit")?.unwrap_or(SECOND_NS);
    let schedule = RampingArrivalRate::new(start_rate, unit_ns, &stages(fields)?).map_err(impossible)?;
    Ok(Executor::Arrivals { schedule: Schedule::Ramping(schedule), users: arrival_users(fields)? })
}

fn arrival_users(fields: &Layer) -> Result<Users, Wrong> {
    let Some(pre_allocated) = users(fields, "preAllocatedVUs")? else {
        return wrong("the number of preAllocatedVUs isn't specified".into());
    };
    let max = users(fields, "maxVUs")?.unwrap_or(pre_allocated);
    if max < pre_allocated {
        return wrong(format!("maxVUs ({max}) shouldn't be less than preAllocatedVUs ({pre_allocated})"));
    }
    if max == 0 {
        return wrong("there must be at least one user: preAllocatedVUs or maxVUs".into());
    }
    Ok(Users::Promised { pre_allocated, max })
}

fn stages(fields: &Layer) -> Result<Vec<Stage>, Wrong> {
    let Some(list) = fields.get("stages").and_then(Json::as_array) else {
        return wrong("at least one stage has to be specified".into());
    };
    let mut stages = Vec::new();
    for (at, stage) in list.iter().enumerate() {
        let Some(stage) = stage.as_object() else { return wrong(format!("stage {}: want its fields", at + 1)) };
        let Some(duration_ns) = duration(stage, "duration")? else {
            return wrong(format!("stage {} doesn't have a duration", at + 1));
        };
        let Some(target) = count(stage, "target")? else {
            return wrong(format!("stage {} doesn't have a target", at + 1));
        };
        stages.push(Stage { target, duration_ns });
    }
    Ok(stages)
}

fn users(fields: &Layer, name: &str) -> Result<Option<u32>, Wrong> {
    if name == "vus" && whole(fields, name)?.is_some_and(|number| number < 0) {
        return wrong("the number of VUs must be more than 0".into());
    }
    match count(fields, name)? {
        Some(number) if number > u64::from(MOST_USERS) => {
            wrong(format!("{name}: there can be at most {MOST_USERS} users, not {number}"))
        }
        number => Ok(number.map(|number| u32::try_from(number).unwrap_or(MOST_USERS))),
    }
}

fn at_least_a_second(given: Option<u64>, name: &str) -> Result<u64, Wrong> {
    match given {
        None => wrong(format!("the {name} isn't specified")),
        Some(ns) if ns < SECOND_NS => wrong(format!(
            "the {name} must be at least 1s, but is {}ms: a number without a unit is milliseconds",
            ns / 1_000_000
        )),
        Some(ns) => Ok(ns),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn impossible(why: Impossible) -> Wrong {
    Wrong(vec![why.to_string()])
}

fn at(name: &str, error: Wrong) -> Wrong {
    Wrong(error.0.into_iter().map(|text| format!("scenario {name} has configuration errors: {text}")).collect())
}
