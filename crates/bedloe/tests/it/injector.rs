//! The injector as a measuring instrument: what it says is what was, also where a server stalls, a script loops without
//! end, or somebody interrupts it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::lab::Place;
use crate::load::layout;

/// A server that answers after known times. The path `/spread` holds 80 of 100 requests for 5 ms, 14 for 20 ms, 4 for
/// 40 ms and 2 for 80 ms; `/stall` holds all that come within one second to its end; `/hold` holds for 100 ms; all else
/// is answered at once.
#[derive(Default)]
struct Timed {
    spread: AtomicU64,
    /// How long answers of `/spread` were held in truth.
    held: Mutex<Vec<Duration>>,
    stall: Mutex<Option<Instant>>,
    requests: AtomicU64,
}

/// When the stall begins after the first request, and how long it lasts.
const STALL_AFTER: Duration = Duration::from_secs(1);
const STALL: Duration = Duration::from_secs(1);

impl Timed {
    fn start() -> (String, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let this = Arc::new(Self::default());
        let server = Arc::clone(&this);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(&stream));
            }
        });
        (url, this)
    }

    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let (mut path, mut line) = (String::new(), String::new());
            while line != "\r\n" {
                line.clear();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                if path.is_empty() {
                    path = line.split(' ').nth(1)?.to_owned();
                }
            }
            let came = Instant::now();
            self.requests.fetch_add(1, Ordering::SeqCst);
            #[allow(clippy::disallowed_methods, reason = "a thread a connection, which answers after a known time")]
            thread::sleep(self.hold(&path, came));
            if path == "/spread" {
                self.held.lock().unwrap().push(came.elapsed());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
        }
    }

    fn hold(&self, path: &str, came: Instant) -> Duration {
        match path {
            "/spread" => {
                let place = self.spread.fetch_add(1, Ordering::SeqCst) * 37 % 100;
                Duration::from_millis(
                    [(80, 5), (94, 20), (98, 40), (100, 80)].iter().find(|(to, _)| place < *to).unwrap().1,
                )
            }
            "/stall" => {
                let begins = *self.stall.lock().unwrap().get_or_insert(came + STALL_AFTER);
                let is_within = came >= begins && came < begins + STALL;
                if is_within { begins + STALL - came } else { Duration::ZERO }
            }
            "/hold" => Duration::from_millis(100),
            _ => Duration::ZERO,
        }
    }

    /// A percentile of what was held, in milliseconds.
    fn truth(&self, percent: f64) -> f64 {
        let mut held = self.held.lock().unwrap().clone();
        held.sort();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let at = ((held.len() - 1) as f64 * percent / 100.0) as usize;
        held[at].as_secs_f64() * 1000.0
    }
}

/// Runs a test; its summary as JSON.
fn measured(args: &[&str]) -> Json {
    let export = tempfile::NamedTempFile::new().unwrap();
    let stats = "min,avg,med,p(90),p(95),p(99),max,count";
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["load", "--quiet", "--summary-trend-stats", stats, "--summary-export"]).arg(export.path());
    let Output { status, stdout, stderr } = command.args(args).stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(0), "{out}{err}");
    serde_json::from_reader(export.as_file()).unwrap()
}

fn value(summary: &Json, metric: &str, figure: &str) -> f64 {
    let value = summary["metrics"][metric][figure].as_f64();
    value.unwrap_or_else(|| panic!("no {figure} of {metric} in {summary}"))
}

/// How far a busy machine may be off; `bench/injector` has the bar of half a millisecond.
const TOLERANCE_MS: f64 = 15.0;

#[test]
fn percentiles_are_those_of_the_server() {
    let (url, server) = Timed::start();
    let summary = measured(&["--rate", "200", "-d", "3s", &format!("{url}/spread")]);
    assert!((value(&summary, "http_reqs", "count") - 600.0).abs() < 1e-9, "{summary}");
    for (figure, percent) in [("med", 50.0), ("p(90)", 90.0), ("p(95)", 95.0), ("p(99)", 99.0)] {
        let (seen, truth) = (value(&summary, "http_req_duration", figure), server.truth(percent));
        assert!((truth - 0.5..truth + TOLERANCE_MS).contains(&seen), "{figure} is {seen}, and {truth} in truth");
    }
}

/// Those who would have come during the stall count too: a closed model has but a few of them.
#[test]
fn a_stall_of_the_server_shows_in_the_time_from_the_schedule_on() {
    let (url, _server) = Timed::start();
    let line = ["--rate", "100", "-d", "4s", "--max-vus", "10"];
    let summary = measured(&[&line[..], &[&format!("{url}/stall")]].concat());
    assert!(value(&summary, "scheduled_duration", "max") >= 900.0, "{summary}");
    // With users for all of them, a quarter of the starts falls into the second, and waits for its end.
    let (url, _server) = Timed::start();
    let summary = measured(&["--rate", "100", "-d", "4s", &format!("{url}/stall")]);
    assert!((value(&summary, "scheduled_duration", "count") - 400.0).abs() < 1e-9, "{summary}");
    let (p90, max) = (value(&summary, "scheduled_duration", "p(90)"), value(&summary, "scheduled_duration", "max"));
    assert!(p90 > 400.0 && max > 950.0, "p(90) {p90}, max {max}");
    assert!(value(&summary, "start_delay", "p(99)") < 200.0, "the injector waits for nobody: {summary}");
}

fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("script.js");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What a test measures in which one user of a hundred does something without an end.
fn beside(runaway: &str) -> Json {
    let (url, _server) = Timed::start();
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "import http from 'k6/http';
         import exec from 'k6/execution';
         export const options = {{ scenarios: {{ a: {{ executor: 'constant-arrival-rate', rate: 500, duration: '3s',
           preAllocatedVUs: 100, gracefulStop: '500ms' }} }} }};
         export default () => {{
           if (exec.vu.idInTest === 7) {{ {runaway} }}
           http.get('{url}/hold');
         }}"
    );
    measured(&[&script(folder.path(), &text)])
}

#[test]
fn a_loop_without_end_in_one_user_delays_no_other() {
    let summary = beside("for (;;) {}");
    assert!(value(&summary, "iterations", "count") > 1000.0, "{summary}");
    // The bar, 20 ms at most, is that of a machine with nothing else to do: see bench/accept.
    assert!(value(&summary, "start_delay", "med") < 20.0, "{summary}");
}

#[test]
fn strings_without_end_in_one_user_delay_no_other() {
    // Each step fills a megabyte, and the memory that a user may have is full again and again.
    let summary = beside("const all = []; for (;;) all.push('x'.repeat(1 << 20));");
    assert!(value(&summary, "iterations", "count") > 1000.0, "{summary}");
    // Others waited for seconds. The bar is that of bench/accept: beside other tests the memory itself is slow to come.
    assert!(value(&summary, "start_delay", "med") < 500.0, "{summary}");
}

#[test]
fn a_reason_that_rejects_others_while_it_is_shown_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = "export default async () => {
        const get = () => { Promise.reject(new Error('within')); return 1; };
        Promise.reject(Object.defineProperty({}, 'x', { get, enumerable: true }));
        Promise.reject(Object.defineProperty(new Error('e'), 'message', { get }));
    }";
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["load", "-q", "--iterations", "1", &script(folder.path(), text)]).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(0), "{out}{err}");
    assert!(err.contains("Uncaught (in promise)") && !err.contains("panicked"), "{err}");
    assert!(out.contains("iterations...........: 1 "), "{out}");
}

/// Resident memory of a process, in KiB.
fn resident_kib(child: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_test() {
    let (url, server) = Timed::start();
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "import http from 'k6/http';
         import {{ check }} from 'k6';
         export const options = {{ scenarios: {{ a: {{ executor: 'constant-arrival-rate', rate: 1000, duration: '60s',
           preAllocatedVUs: 10 }} }} }};
         export default () => {{ check(http.get(`{url}/?${{Math.random()}}`), {{ ok: (r) => r.status === 200 }}); }}"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["load", "-q", &script(folder.path(), &text)]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut test = command.stderr(Stdio::null()).spawn().unwrap();
    let mut after = |requests| {
        while server.requests.load(Ordering::SeqCst) < requests {
            assert!(test.try_wait().unwrap().is_none(), "the test has ended");
            thread::yield_now();
        }
        resident_kib(&test)
    };
    let (before, later) = (after(2500), after(7500));
    test.kill().unwrap();
    test.wait().unwrap();
    // An engine collects its garbage once there is some, so that the first seconds are not flat yet: the bar of 5% is
    // that of bench/accept, from the first minute on.
    assert!(later <= before * 1.1, "{before} KiB after 2,500 requests, {later} KiB after 7,500");
}

/// A script that runs on until it is interrupted; what is said at which end goes to the console.
const ENDLESS: &str = "import { sleep } from 'k6';
export const options = { vus: 2, duration: '60s', gracefulStop: '30s' };
export default function () { console.log('begun'); sleep(50); console.log('never'); }
export function teardown() { console.log('teardown'); if (__ENV.SLOW) sleep(50); }";

/// Starts the script, and waits until it has begun.
fn endless(program: &[&str], path: &str) -> (Child, BufReader<ChildStderr>, String) {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).arg(path).stdin(Stdio::null()).env("K6_NO_USAGE_REPORT", "true");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let all = until(&mut said, "msg=begun");
    (child, said, all)
}

fn until(said: &mut impl BufRead, word: &str) -> String {
    let mut all = String::new();
    while !all.contains(word) {
        assert!(said.read_line(&mut all).unwrap() > 0, "no {word} in {all}");
    }
    all
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

fn programs() -> Vec<Vec<&'static str>> {
    let mut programs = vec![vec![env!("CARGO_BIN_EXE_bedloe"), "load"]];
    if Command::new("k6").arg("version").output().is_ok() {
        programs.push(vec!["k6", "run"]);
    } else {
        eprintln!("skipped: k6 is not on PATH, so nothing is interrupted beside it");
    }
    programs
}

#[test]
fn an_interrupt_leads_to_teardown_and_summary_as_in_k6() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), ENDLESS);
    for program in programs() {
        let (mut child, mut said, _) = endless(&program, &path);
        interrupt(&child);
        let (mut err, mut out) = (String::new(), String::new());
        said.read_to_string(&mut err).unwrap();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(105), "{program:?}: {out}{err}");
        assert!(err.contains("msg=teardown"), "{program:?}: {err}");
        assert!(err.contains("test run was aborted"), "{program:?}: {err}");
        assert!(out.contains("TOTAL RESULTS") && out.contains("0 complete and 2 interrupted"), "{program:?}: {out}");
    }
}

#[test]
fn a_second_interrupt_ends_it_at_once_as_in_k6() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), ENDLESS);
    for mut program in programs() {
        program.extend(["-e", "SLOW=1"]);
        let (mut child, mut said, _) = endless(&program, &path);
        interrupt(&child);
        until(&mut said, "msg=teardown");
        let began = Instant::now();
        interrupt(&child);
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(105), "{program:?}: {out}");
        assert!(began.elapsed() < Duration::from_secs(10) && !out.contains("TOTAL RESULTS"), "{program:?}: {out}");
    }
}

/// The two scripts that are like the seed's, against the lab: the summary beside k6's.
#[test]
fn summaries_of_the_seeds_scripts_are_k6s() {
    if Command::new("k6").arg("version").output().is_err() {
        eprintln!("skipped: summaries_of_the_seeds_scripts_are_k6s: no k6 on PATH");
        return;
    }
    let place = Place::new(15);
    let lab = place.start(&["--rate", "20", "--duration", "120s", "--no-faults"]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/load");
    let url = format!("URL=https://{}", place.address(10, 8443));
    let loose = tempfile::tempdir().unwrap();
    for (name, variables) in [("constant.js", &["RATE=40", "DURATION=2s"][..]), ("ramp.js", &["SCALE=0.01"])] {
        // What is compared is how it is told: on a busy machine a time may well be crossed.
        let text = std::fs::read_to_string(folder.join(name)).unwrap().replace("'p(95)<500'", "'p(95)<50000'");
        let path = loose.path().join(name);
        std::fs::write(&path, text).unwrap();
        let run = |program: &[&str]| {
            let mut command = Command::new(program[0]);
            command.args(&program[1..]).args(["-q", "--insecure-skip-tls-verify", "-e", &url]);
            for variable in variables {
                command.args(["-e", variable]);
            }
            command.arg(&path).stdin(Stdio::null()).env("K6_NO_USAGE_REPORT", "true");
            let output = command.output().unwrap();
            let out = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(0), "{out}{}", String::from_utf8_lossy(&output.stderr));
            out
        };
        let (ours, theirs) = (run(&[env!("CARGO_BIN_EXE_bedloe"), "load"]), run(&["k6", "run"]));
        assert_eq!(layout(&ours), layout(&theirs), "{name}");
    }
    drop(lab);
    place.assert_gone();
}

/// The examples against the lab, at a scale of seconds.
#[test]
fn the_examples_run_in_the_lab() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/load");
    let place = Place::new(16);
    for (name, variables, row) in [
        ("constant.js", &["RATE=50", "DURATION=1s"][..], "http_req_failed................: 0.00%"),
        ("ramp.js", &["SCALE=0.005"], "http_req_failed................: 0.00%"),
        ("session.js", &["VUS=2", "DURATION=1s", "PAUSE=0.05"], "session_kept"),
        ("data.js", &["ITERATIONS=40"], "iterations.....................: 40 "),
    ] {
        let path = folder.join(name).display().to_string();
        let mut line = vec!["--no-faults", "--script", &path];
        variables.iter().for_each(|variable| line.extend(["-e", variable]));
        let output = place.output(&line);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{name}: {out}{err}");
        for part in [row, "checks_failed......: 0.00%", "PASSED: "] {
            assert!(out.contains(part), "{name}: no {part} in {out}");
        }
    }
    place.assert_gone();
}
