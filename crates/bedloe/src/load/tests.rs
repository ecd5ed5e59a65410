//! The command line of `bedloe load`: what becomes a plan, and what does not.
#![allow(clippy::unwrap_used, reason = "tests")]

use clap::Parser;

use load::{Executor, Schedule, Users};

use super::*;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    load: LoadArgs,
}

fn planned(line: &str) -> anyhow::Result<Plan> {
    let args = Cli::try_parse_from(std::iter::once("load").chain(line.split_whitespace())).unwrap().load;
    let settings = Settings::of(&args, |_| None)?;
    plan::plan(&args, &settings, Arc::new(|_| {})).map(|(plan, _)| plan)
}

fn schedule(plan: &Plan) -> &Schedule {
    let Executor::Arrivals { schedule, .. } = &plan.scenarios[0].executor else { panic!("no arrivals") };
    schedule
}

fn users(plan: &Plan) -> Users {
    let Executor::Arrivals { users, .. } = &plan.scenarios[0].executor else { panic!("no arrivals") };
    *users
}

#[test]
fn the_rate_of_the_readme_becomes_a_plan() {
    let plan = planned("--rate 8000 --duration 5m --pre-allocated-vus 1200 --max-vus 6000 -k https://127.0.0.1:8443/x")
        .unwrap();
    assert_eq!(users(&plan), Users::Promised { pre_allocated: 1200, max: 6000 });
    assert_eq!(schedule(&plan).duration_ns(), 300_000_000_000);
    assert_eq!(schedule(&plan).start_ns(8000), Some(1_000_000_000));
    assert_eq!(plan.scenarios[0].graceful_stop_ns, 30_000_000_000);
}

#[test]
fn stages_become_a_ramp() {
    let plan = planned("--start-rate 10 --stage 30s:4000 --stage 1m:0 http://127.0.0.1").unwrap();
    assert_eq!(schedule(&plan).duration_ns(), 90_000_000_000);
    assert!((schedule(&plan).peak_per_s() - 4000.0).abs() < 1e-9);
    assert_eq!(users(&plan), Users::OnDemand);
    let limited = planned("--rate 1 --max-vus 7 http://127.0.0.1").unwrap();
    assert_eq!(users(&limited), Users::Promised { pre_allocated: 7, max: 7 });
}

#[test]
fn contradictions_are_bad_options() {
    for (line, words) in [
        ("http://127.0.0.1", "want a rate or users"),
        ("--duration 5s http://127.0.0.1", "want a rate or users"),
        ("--vus 3 --iterations 2 http://127.0.0.1", "can't be less than the number of VUs (3)"),
        ("--vus 3 --duration 5s --stage 5s:5 http://127.0.0.1", "`duration` and `stages`"),
        ("--rate 1 --execution-segment 3 http://127.0.0.1", "no execution segment"),
        ("--rate 1 --summary-trend-stats p95 http://127.0.0.1", "`p95` is none of"),
        ("--rate 1 --stage 5s:5 http://127.0.0.1", "not both"),
        ("--stage 5s:5 --duration 5s http://127.0.0.1", "stages have durations"),
        ("--rate 0 http://127.0.0.1", "the rate must be"),
        ("--rate 1 --duration 500 http://127.0.0.1", "at least 1s"),
        ("--rate 1 --pre-allocated-vus 5 --max-vus 4 http://127.0.0.1", "less than"),
        ("--rate 1 --threshold p(95)<5 http://127.0.0.1", "METRIC=EXPRESSION"),
        ("--rate 1 --threshold nothing=p(95)<5 http://127.0.0.1", "no such metric"),
        ("--rate 1 --timeout 0 http://127.0.0.1", "at least 1ms"),
        ("--rate 1 --threads 0 http://127.0.0.1", "between 1 and 256, not 0"),
        ("--rate 1 --threads 5000 http://127.0.0.1", "between 1 and 256, not 5000"),
        ("--rate 1 --duration 30 http://127.0.0.1", "30ms were given: a number without a unit is milliseconds"),
        ("--stage 30:5 http://127.0.0.1", "seconds are 30s"),
        ("--rate 1 --pre-allocated-vus 0 http://127.0.0.1", "--pre-allocated-vus 0 leaves nobody"),
        ("--rate 1 --pre-allocated-vus 70000 http://127.0.0.1", "--pre-allocated-vus must be at most 60000"),
        ("--rate 1 --max-vus 0 http://127.0.0.1", "between 1 and 60000"),
        ("--rate 1 -H Content-Length:5 http://127.0.0.1", "it announces a body"),
        ("--rate 1 script.js", "cannot read"),
        ("--rate 1 ftp://x", "http://"),
    ] {
        let error = planned(line).unwrap_err().to_string();
        assert!(error.contains(words), "{line}: {error}");
    }
}

#[test]
fn options_without_effect_are_refused_for_a_url() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("options.json");
    for (options, words) in [
        (r#"{"batch": 5}"#, "`batch` is for scripts"),
        (r#"{"throw": true}"#, "`throw` is for scripts"),
        (r#"{"maxRedirects": 5}"#, "`maxRedirects` is for scripts"),
        (r#"{"scenarios": {"a": {"executor": "per-vu-iterations", "exec": "x"}}}"#, "scenario a: `exec` and `env`"),
        (r#"{"scenarios": {"a": {"executor": "per-vu-iterations", "env": {"A": "b"}}}}"#, "`exec` and `env`"),
    ] {
        std::fs::write(&file, options).unwrap();
        let flags = if options.contains("scenarios") { "" } else { "--rate 1" };
        let error = planned(&format!("--config {} {flags} http://127.0.0.1", file.display())).unwrap_err().to_string();
        assert!(error.contains(words), "{options}: {error}");
    }
    assert!(planned("--rate 1 --no-setup http://127.0.0.1").is_err());
}

#[test]
fn a_rate_takes_the_place_of_scenarios_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("options.json");
    std::fs::write(&file, r#"{"scenarios": {"a": {"executor": "per-vu-iterations"}}}"#).unwrap();
    let line = format!("load --rate 5 --config {} http://127.0.0.1", file.display());
    let args = Cli::try_parse_from(line.split_whitespace()).unwrap().load;
    let settings = Settings::of(&args, |_| None).unwrap();
    let (plan, options) = plan::plan(&args, &settings, Arc::new(|_| {})).unwrap();
    assert_eq!(plan.scenarios[0].executor.name(), "constant-arrival-rate");
    assert!(options.warnings[0].contains("takes the place of all `scenarios`"), "{:?}", options.warnings);
}

#[test]
fn settings_come_from_flags_and_then_from_the_environment() {
    let of = |line: &str, variable: (&str, &str)| {
        let args = Cli::try_parse_from(std::iter::once("load").chain(line.split_whitespace())).unwrap().load;
        Settings::of(&args, |name| (name == variable.0).then(|| variable.1.to_owned()))
    };
    assert!(of("x", ("K6_NO_THRESHOLDS", "true")).unwrap().no_thresholds);
    assert!(of("x", ("K6_NO_THRESHOLDS", "maybe")).is_err());
    assert_eq!(of("x", ("K6_SUMMARY_MODE", "full")).unwrap().mode, Mode::Full);
    assert_eq!(of("--summary-mode compact x", ("K6_SUMMARY_MODE", "full")).unwrap().mode, Mode::Compact);
    assert!(of("x", ("K6_SUMMARY_MODE", "odd")).is_err());
    assert_eq!(of("x", ("K6_NO_SUMMARY", "1")).unwrap().mode, Mode::Disabled);
    assert_eq!(of("x", ("K6_SUMMARY_EXPORT", "a.json")).unwrap().export, Some("a.json".into()));
}

#[test]
fn users_may_go_round() {
    let plan = planned("--vus 3 --duration 5s --tag a=b http://127.0.0.1").unwrap();
    assert_eq!((plan.scenarios[0].executor.name(), plan.max_users()), ("constant-vus", 3));
    assert_eq!(plan.tags, [("a".to_owned(), "b".to_owned())]);
    let plan = planned("-u 3 -i 9 --execution-segment 0:1/3 http://127.0.0.1").unwrap();
    assert_eq!((plan.scenarios[0].executor.name(), plan.max_users()), ("shared-iterations", 1));
    let plan = planned("-u 0 -s 1s:3,1s:0 http://127.0.0.1").unwrap();
    assert_eq!((plan.scenarios[0].executor.name(), plan.max_users()), ("ramping-vus", 3));
}

#[test]
fn a_duration_goes_with_users_said_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let with = |options: &str, flags: &str| {
        let file = folder.path().join("options.json");
        std::fs::write(&file, options).unwrap();
        let plan = planned(&format!("--config {} {flags} http://127.0.0.1", file.display())).unwrap();
        let executor = &plan.scenarios[0].executor;
        (executor.name(), plan.max_users(), executor.duration_ns() / 1_000_000_000)
    };
    assert_eq!(with(r#"{"vus": 3, "duration": "9s"}"#, "-d 2s"), ("constant-vus", 3, 2));
    assert_eq!(with(r#"{"duration": "9s"}"#, "-d 2s"), ("constant-vus", 1, 2));
    let scenarios = r#"{"scenarios": {"a": {"executor": "constant-vus", "vus": 4, "duration": "9s"}}}"#;
    assert_eq!(with(scenarios, "-d 2s"), ("constant-vus", 1, 2));
    assert_eq!(with("{}", "-i 5 -d 3s"), ("shared-iterations", 1, 3));
}

#[test]
fn the_graceful_stop_is_of_all_scenarios() {
    for line in ["--rate 1", "-u 1 -d 1s", "-i 5"] {
        let plan = planned(&format!("{line} --graceful-stop 2s http://127.0.0.1")).unwrap();
        assert_eq!(plan.scenarios[0].graceful_stop_ns, 2_000_000_000, "{line}");
    }
}
