//! From the command line, the environment and a file of options to a plan: what is refused here is said before anything
//! is sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use load::options::{Layer, Layers, Options, environment_layer};
use load::schedule::{ConstantArrivalRate, RampingArrivalRate};
use load::script::Sink;
use load::{Executor, MOST_USERS, Plan, Request, RequestOptions, Scenario, Schedule, Threshold, Users};
use load::{Script, ScriptRun, Source};
use serde_json::Value as Json;

use super::args::LoadArgs;
use super::settings::Settings;
use crate::summary::Mode;

/// A file of options larger than this is none.
const LARGEST_CONFIG: u64 = 1 << 20;
/// How long the request of a URL may take unless told otherwise.
const URL_TIMEOUT_MS: u64 = 60_000;

/// Options that mean nothing without a script. Bodies are not kept in any case, so `discardResponseBodies` is no such.
const FOR_SCRIPTS: [&str; 18] = [
    "batch",
    "batchPerHost",
    "blacklistIPs",
    "blockHostnames",
    "dns",
    "hosts",
    "httpDebug",
    "maxRedirects",
    "noCookiesReset",
    "noSetup",
    "noTeardown",
    "rps",
    "setupTimeout",
    "teardownTimeout",
    "throw",
    "tlsAuth",
    "tlsCipherSuites",
    "tlsVersion",
];

/// The plan of a test, and its options. A script's init code runs here, and what it has to say goes to `sink`.
pub(super) fn plan(args: &LoadArgs, settings: &Settings, sink: Sink) -> anyhow::Result<(Plan, Options)> {
    let file = args.config.as_deref().map(read_config).transpose()?.unwrap_or_default();
    let script = if is_script(&args.target) { Some(open(args, sink)?) } else { None };
    let exported = script.as_ref().map(|script| script.options.clone()).unwrap_or_default();
    check_values(&args.layer())?;
    let layers = Layers { flags: args.layer(), environment: environment()?, script: exported, file };
    // A script without options is run once, by one user.
    let has_users = script.is_some() || says_what_runs(&layers);
    let mut options = layers.resolve()?;
    if args.is_rate() || !has_users {
        let executor = Executor::Arrivals { schedule: schedule(args)?, users: users(args)? };
        options.scenarios = vec![Scenario::new("default", executor)];
        if options.json.contains_key("scenarios") {
            options.warnings.push("the rate of the command line takes the place of all `scenarios`".to_owned());
        }
    }
    if let Some(graceful_stop_ns) = args.graceful_stop {
        options.scenarios.iter_mut().for_each(|scenario| scenario.graceful_stop_ns = graceful_stop_ns);
    }
    options.thresholds.extend(thresholds(args)?);
    if settings.no_thresholds {
        options.thresholds.clear();
    }
    let mut plan = match script {
        Some(script) => scripted(args, script, &options)?,
        None => {
            let own = options.scenarios.iter().find(|each| each.exec != "default" || !each.env.is_empty());
            if let Some(Scenario { name, .. }) = own {
                anyhow::bail!("scenario {name}: `exec` and `env` are for scripts");
            }
            let request = Request::get(&args.target, &request_options(args, &options.json)?)?;
            Plan::new(Vec::new(), Source::Plain(request))
        }
    };
    options.apply(&mut plan);
    plan.threads = args.threads;
    plan.keeps_scopes = settings.mode == Mode::Full;
    plan.check()?;
    Ok((plan, options))
}

/// Options whose values k6 looks at when it reads the command line.
const VALUES: [&str; 7] = [
    "blacklistIPs",
    "blockHostnames",
    "dns",
    "executionSegment",
    "executionSegmentSequence",
    "summaryTimeUnit",
    "summaryTrendStats",
];

/// Refuses flags with values that mean nothing, whatever the script says.
fn check_values(flags: &Layer) -> anyhow::Result<()> {
    let mut own = flags.clone();
    own.retain(|name, _| VALUES.contains(&name.as_str()));
    let options = Layers { flags: own, ..Layers::default() }.resolve();
    options.and_then(|options| options.http()).map(drop).map_err(|why| BadFlag(why.to_string()).into())
}

/// A flag whose value means nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadFlag(String);

impl BadFlag {
    pub(super) fn new(why: String) -> Self {
        Self(why)
    }
}

/// Runs a script's init code.
fn open(args: &LoadArgs, sink: Sink) -> anyhow::Result<Script> {
    let path = std::path::absolute(&args.target).with_context(|| format!("{} is no path", args.target))?;
    let system = std::env::vars_os().filter(|_| args.include_system_env_vars);
    let mut env: Vec<(String, String)> =
        system.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    env.extend(args.env.iter().cloned());
    Ok(Script::open(&path, env, copies(), sink)?)
}

/// Where modules of other hosts are kept.
fn copies() -> Option<PathBuf> {
    Some(crate::files::cache()?.join("modules"))
}

fn scripted(args: &LoadArgs, script: Script, options: &Options) -> anyhow::Result<Plan> {
    anyhow::ensure!(args.header.is_empty(), "--header is for a URL: a script's requests have fields of their own");
    let mend = "a script's requests have the param `timeout`";
    anyhow::ensure!(args.timeout.is_none(), "--timeout is for a URL: {mend}");
    let definitions = Arc::clone(&script.definitions);
    script.tell_options(&options.json, &options.segment);
    let (setup_timeout_ns, teardown_timeout_ns) = (options.setup_timeout_ns, options.teardown_timeout_ns);
    let mut run = ScriptRun::new(script, options.http()?);
    (run.setup_timeout_ns, run.teardown_timeout_ns) = (setup_timeout_ns, teardown_timeout_ns);
    Ok(Plan { definitions, ..Plan::new(Vec::new(), Source::Script(run)) })
}

/// Whether some layer has users do something. A `--duration` alone may as well have lost its `--rate`.
fn says_what_runs(layers: &Layers) -> bool {
    let has = |layer: &Layer, name: &str| layer.contains_key(name);
    let below = [&layers.environment, &layers.file];
    below.iter().any(|layer| has(layer, "duration"))
        || below
            .iter()
            .chain(&[&layers.flags])
            .any(|layer| ["vus", "iterations", "stages", "scenarios"].iter().any(|name| has(layer, name)))
}

fn thresholds(args: &LoadArgs) -> anyhow::Result<Vec<Threshold>> {
    Ok(args.threshold.iter().map(|text| Threshold::parse_assignment(text)).collect::<Result<_, _>>()?)
}

fn request_options(args: &LoadArgs, json: &Layer) -> anyhow::Result<RequestOptions> {
    let is_on = |name: &str| json.get(name).and_then(Json::as_bool).unwrap_or(false);
    for name in FOR_SCRIPTS {
        anyhow::ensure!(!json.contains_key(name), "the option `{name}` is for scripts: a URL is asked for as it is");
    }
    let mut headers = args.header.clone();
    let has_own = headers.iter().any(|line| line.to_ascii_lowercase().starts_with("user-agent:"));
    if let Some(agent) = json.get("userAgent").and_then(Json::as_str).filter(|_| !has_own) {
        headers.push(format!("User-Agent: {agent}"));
    }
    Ok(RequestOptions {
        headers,
        timeout_ms: args.timeout.map_or(URL_TIMEOUT_MS, |ns| ns / 1_000_000),
        skip_verify: is_on("insecureSkipTLSVerify"),
        reuse: !is_on("noConnectionReuse") && !is_on("noVUConnectionReuse"),
    })
}

fn environment() -> anyhow::Result<Layer> {
    Ok(environment_layer(|name| std::env::var(name).ok())?)
}

fn read_config(path: &Path) -> anyhow::Result<Layer> {
    let name = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read the options of {name}"))?.len();
    anyhow::ensure!(size <= LARGEST_CONFIG, "{name} has {size} bytes: that is no file of options");
    let text = std::fs::read(path).with_context(|| format!("cannot read the options of {name}"))?;
    let json: Json = serde_json::from_slice(&text).with_context(|| format!("{name} is no JSON"))?;
    let Json::Object(layer) = json else { anyhow::bail!("{name}: want an object of options") };
    Ok(layer)
}

fn schedule(args: &LoadArgs) -> anyhow::Result<Schedule> {
    const DEFAULT_NS: u64 = 30_000_000_000;
    match (args.rate, args.stage.is_empty()) {
        (Some(rate), true) => {
            let duration_ns = args.duration.unwrap_or(DEFAULT_NS);
            let constant = ConstantArrivalRate::new(rate, args.time_unit, duration_ns);
            Ok(Schedule::Constant(constant.map_err(|error| hint_at_unit(error.into(), duration_ns))?))
        }
        (None, false) => {
            anyhow::ensure!(args.duration.is_none(), "--duration goes with --rate; stages have durations of their own");
            let start_rate = args.start_rate.unwrap_or(0);
            let duration_ns = args.stage.iter().fold(0, |sum: u64, stage| sum.saturating_add(stage.duration_ns));
            let ramping = RampingArrivalRate::new(start_rate, args.time_unit, &args.stage);
            Ok(Schedule::Ramping(ramping.map_err(|error| hint_at_unit(error.into(), duration_ns))?))
        }
        (Some(_), false) => anyhow::bail!("want either --rate or --stage, not both"),
        (None, true) => anyhow::bail!("want a rate or users: --rate 100, --stage 30s:100 or --vus 10 --duration 30s"),
    }
}

/// `-d 30` is 30 ms, as in k6, where 30 s were meant.
fn hint_at_unit(error: anyhow::Error, duration_ns: u64) -> anyhow::Error {
    const SECOND_NS: u64 = 1_000_000_000;
    let ms = duration_ns / 1_000_000;
    if ms == 0 || duration_ns >= SECOND_NS {
        return error;
    }
    anyhow::anyhow!("{error:#}; {ms}ms were given: a number without a unit is milliseconds, seconds are {ms}s")
}

fn users(args: &LoadArgs) -> anyhow::Result<Users> {
    match (args.pre_allocated_vus, args.max_vus) {
        (None, None) => Ok(Users::OnDemand),
        // Users cost nothing until they are needed, so a limit alone promises all of them.
        (None, Some(max)) => Ok(Users::Promised { pre_allocated: max, max }),
        (Some(0), None) => anyhow::bail!("--pre-allocated-vus 0 leaves nobody: want at least 1, or --max-vus too"),
        (Some(pre_allocated), None) => {
            anyhow::ensure!(
                pre_allocated <= MOST_USERS,
                "--pre-allocated-vus must be at most {MOST_USERS}, not {pre_allocated}"
            );
            Ok(Users::Promised { pre_allocated, max: pre_allocated })
        }
        (Some(pre_allocated), Some(max)) => {
            anyhow::ensure!(
                max >= pre_allocated,
                "--max-vus {max} must not be less than --pre-allocated-vus {pre_allocated}"
            );
            Ok(Users::Promised { pre_allocated, max })
        }
    }
}

/// Anything but an address is a script.
pub(super) fn is_script(target: &str) -> bool {
    !target.contains("://")
}
