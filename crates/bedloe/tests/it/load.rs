//! `bedloe load` from outside: counts, exit codes, the export, and the summary beside a real k6's.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

const BODY: &str = "{\"message\":\"Hello from liberty-1, this is 58 bytes of text\"}";

/// A server whose path says how it behaves; it lives as long as the test's process.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                thread::spawn(move || serve(stream, &counter));
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Answers requests until the path says otherwise, or the client goes.
fn serve(stream: TcpStream, counter: &AtomicU64) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let path = read_request(&mut reader)?;
        counter.fetch_add(1, Ordering::SeqCst);
        let (status, length) =
            if path == "/500" { ("500 Internal Server Error", BODY.len()) } else { ("200 OK", BODY.len()) };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
        let answer = match path.as_str() {
            "/half" => {
                write!(writer, "{head}{}", &BODY[..10]).ok()?;
                return None;
            }
            "/never" | "/stuck" => {
                if path == "/stuck" {
                    write!(writer, "{head}{}", &BODY[..10]).ok()?;
                }
                // Until the client goes.
                let _ = reader.read(&mut [0]);
                return None;
            }
            "/interim" => format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{head}{BODY}"),
            "/chunks" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned(),
            _ => format!("{head}{BODY}"),
        };
        writer.write_all(answer.as_bytes()).ok()?;
        if path == "/close" {
            return None;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<String> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
    }
    Some(path)
}

fn load(line: &str, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.arg("load").args(line.split_whitespace()).arg(url).stdin(Stdio::null());
    command
}

fn run(line: &str, url: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = load(line, url).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The first value in a row of the summary.
fn value(summary: &str, metric: &str) -> String {
    let row = summary.lines().find(|line| line.trim_start().starts_with(&format!("{metric}.")));
    let row = row.unwrap_or_else(|| panic!("no row {metric} in {summary}"));
    row.split_once(": ").unwrap().1.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_constant_rate_starts_exactly_its_iterations() {
    let server = Server::start();
    let export = tempfile::NamedTempFile::new().unwrap();
    let line = format!("--rate 300 --duration 2s --summary-export {}", export.path().display());
    let (code, out, err) = run(&line, &server.url("/ok"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(value(&out, "http_reqs"), "600");
    assert_eq!(value(&out, "iterations"), "600");
    assert_eq!(value(&out, "http_req_failed"), "0.00%");
    assert_eq!(server.requests(), 600);
    assert!(out.contains("600 complete and 0 interrupted iterations\ndefault ✓ [ 100% ]"), "{out}");
    let json: serde_json::Value = serde_json::from_reader(export.as_file()).unwrap();
    assert_eq!(json["metrics"]["http_reqs"]["count"], 600);
    assert_eq!(json["metrics"]["http_req_failed"]["fails"], 600);
    assert!(json["metrics"]["http_req_duration"]["p(95)"].as_f64().unwrap() > 0.0);
}

#[test]
fn threads_share_a_ramp_out() {
    let server = Server::start();
    let line = "--threads 2 --stage 1s:400 --stage 1s:0 --pre-allocated-vus 64 --max-vus 200 --summary-mode full";
    let (code, out, err) = run(line, &server.url("/chunks"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(value(&out, "iterations"), "400");
    assert_eq!(value(&out, "http_req_failed"), "0.00%");
    assert!(out.contains("    start_delay"), "{out}");
}

#[test]
fn answers_that_are_not_whole_or_not_expected_are_failures_and_nothing_is_sent_twice() {
    for (path, failed, sent) in
        [("/half", "100.00%", 20), ("/500", "100.00%", 20), ("/close", "0.00%", 20), ("/interim", "0.00%", 20)]
    {
        let server = Server::start();
        let (code, out, err) = run("--rate 20 --duration 1s", &server.url(path));
        assert_eq!(code, Some(0), "{out}{err}");
        assert_eq!(value(&out, "http_req_failed"), failed, "{path}");
        assert_eq!(value(&out, "http_reqs"), "20", "{path}");
        assert_eq!(server.requests(), sent, "{path}");
    }
}

#[test]
fn nobody_listening_is_a_failure_of_each_request() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, out, err) = run("--rate 10 --duration 1s --quiet", &format!("http://{closed}/"));
    assert_eq!(code, Some(0));
    assert_eq!(value(&out, "http_req_failed"), "100.00%");
    let what = format!("GET http://{closed}/: dial: connection refused");
    assert_eq!(err.matches(&format!("Request Failed: {what}")).count(), 1, "told once: {err}");
    assert_eq!(err.matches(&format!("10 requests failed: {what}")).count(), 1, "counted at the end: {err}");
}

#[test]
fn users_are_added_by_drops_then_iterations_are_cut_off() {
    let server = Server::start();
    let line = "--rate 10 --duration 1s --pre-allocated-vus 2 --max-vus 3 --graceful-stop 200ms";
    let (code, out, err) = run(line, &server.url("/never"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(value(&out, "dropped_iterations"), "7");
    assert!(out.contains("0 complete and 3 interrupted"), "{out}");
    assert!(err.contains("Insufficient VUs, reached 3 active VUs and cannot initialize more"), "{err}");
}

#[test]
fn requests_time_out() {
    let server = Server::start();
    let (code, out, err) = run("--rate 5 --duration 1s --timeout 300ms", &server.url("/never"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(value(&out, "http_req_failed"), "100.00%");
    assert!(err.contains("request timeout"), "{err}");
}

#[test]
fn requests_that_are_never_answered_in_full_took_as_long_as_they_were_waited_for() {
    let server = Server::start();
    for (path, part) in [("/never", "http_req_waiting"), ("/stuck", "http_req_receiving")] {
        let export = tempfile::NamedTempFile::new().unwrap();
        let line = "-q --rate 5 --duration 1s --timeout 300ms --threshold http_req_duration=p(95)<100";
        let (code, out, err) = run(&format!("{line} --summary-export {}", export.path().display()), &server.url(path));
        assert_eq!(code, Some(99), "{out}{err}");
        let json: serde_json::Value = serde_json::from_reader(export.as_file()).unwrap();
        for metric in [part, "http_req_duration"] {
            let least_ms = json["metrics"][metric]["min"].as_f64().unwrap();
            assert!((250.0..3000.0).contains(&least_ms), "{path}: {metric} {least_ms} ms");
        }
    }
}

#[test]
fn users_go_round_for_a_time_or_a_number_of_iterations() {
    let server = Server::start();
    let (code, out, err) = run("--vus 4 --iterations 50 --threads 1", &server.url("/ok"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!((value(&out, "iterations"), server.requests()), ("50".into(), 50));
    assert!(
        out.contains("* default: 50 iterations shared among 4 VUs (maxDuration: 10m0s, gracefulStop: 30s)"),
        "{out}"
    );
    assert!(out.contains("50/50 shared iters"), "{out}");
    let (code, out, err) = run("--vus 3 --duration 1s --min-iteration-duration 400ms", &server.url("/ok"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(value(&out, "iterations"), "9");
    let (code, out, err) = run("-u 1 -s 500ms:2,0s:0", &server.url("/ok"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(
        out.contains("Up to 2 looping VUs for 500ms over 2 stages (gracefulRampDown: 30s, gracefulStop: 30s)"),
        "{out}"
    );
}

#[test]
fn a_file_of_options_has_scenarios_tags_and_thresholds_that_end_the_test() {
    let server = Server::start();
    let config = tempfile::NamedTempFile::new().unwrap();
    let options = serde_json::json!({
        "scenarios": {
            "few": { "executor": "per-vu-iterations", "vus": 2, "iterations": 3, "tags": { "kind": "few" } },
            "late": { "executor": "constant-arrival-rate", "rate": 10, "duration": "60s", "preAllocatedVUs": 5,
                "startTime": "500ms" },
        },
        "thresholds": {
            "http_reqs{kind:few}": ["count==6"],
            "iterations": [{ "threshold": "count<10", "abortOnFail": true, "delayAbortEval": "1s" }],
        },
    });
    serde_json::to_writer(config.as_file(), &options).unwrap();
    let line = format!("--summary-mode full --config {}", config.path().display());
    let (code, out, err) = run(&line, &server.url("/ok"));
    assert_eq!(code, Some(99), "{out}{err}");
    assert!(out.contains("http_reqs{kind:few}\n    ✓ 'count==6' count=6"), "{out}");
    assert!(
        out.contains("✗ 'count<10'") && out.contains("█ SCENARIO: few") && out.contains("█ SCENARIO: late"),
        "{out}"
    );
    assert!(out.contains("few  ✓ [ 100% ] 2 VUs") && out.contains("late ✗ ["), "{out}");
    let (code, _, err) = run("--config /nonexistent/x.json", &server.url("/ok"));
    assert!(code == Some(104) && err.contains("cannot read the options of /nonexistent/x.json"), "{err}");
}

#[test]
fn exit_codes_are_k6s() {
    let server = Server::start();
    let url = server.url("/ok");
    let crossed = "--rate 10 --duration 1s --threshold http_req_duration=max<0 --threshold http_reqs=count==10";
    let (code, out, err) = run(crossed, &url);
    assert_eq!(code, Some(99), "{out}{err}");
    assert!(out.contains("✗ 'max<0' max=") && out.contains("✓ 'count==10' count=10"), "{out}");
    assert!(err.contains("thresholds on metrics 'http_req_duration' have been crossed"), "{err}");
    assert_eq!(run(&format!("{crossed} --no-thresholds"), &url).0, Some(0));
    assert_eq!(run("--rate 0", &url).0, Some(104));
    let (code, _, err) = run("--rate 1", "script.js");
    assert_eq!(code, Some(255));
    assert!(err.contains("cannot read") && err.contains("script.js"), "{err}");
    assert_eq!(run("--rate ten", &url).0, Some(255));
}

#[test]
fn a_signal_ends_the_test_at_once_with_a_summary() {
    let server = Server::start();
    let line = "--rate 50 --duration 30s --max-vus 64";
    let child = load(line, &server.url("/ok")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.requests() < 5 {
        thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(105), "{out}");
    assert!(out.contains("TOTAL RESULTS") && out.contains("default ✗ ["), "{out}");
}

#[test]
fn a_summary_that_cannot_be_exported_is_said_first_and_hides_no_crossed_threshold() {
    let server = Server::start();
    let (code, _, err) = run("--rate 10 --duration 1s --summary-export /nonexistent/x.json", &server.url("/ok"));
    assert_eq!((code, server.requests()), (Some(104), 0), "{err}");
    assert!(err.contains("cannot write the summary to /nonexistent/x.json: No such file"), "{err}");
    let line = "--rate 10 --duration 1s --summary-export /dev/full";
    for (threshold, expected) in [("http_reqs=count==10", 1), ("http_reqs=count==9", 99)] {
        let (code, out, err) = run(&format!("{line} --threshold {threshold}"), &server.url("/ok"));
        assert_eq!(code, Some(expected), "{err}");
        assert!(err.contains("could not be written to /dev/full: No space") && out.contains("http_reqs"), "{out}{err}");
    }
}

#[test]
fn a_closed_standard_output_is_no_failure_and_a_full_one_is() {
    let server = Server::start();
    for (threshold, expected) in [("http_reqs=count==10", 0), ("http_reqs=count==9", 99)] {
        let mut command = load(&format!("--rate 10 --duration 1s --threshold {threshold}"), &server.url("/ok"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{err}");
        assert!(!err.contains("pipe"), "{err}");
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = load("-q --rate 10 --duration 1s", &server.url("/ok")).stdout(full).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(err.matches("the summary could not be written to the standard output: No space").count(), 1, "{err}");
}

#[test]
fn users_that_may_not_open_a_file_are_refused_before_the_test() {
    let server = Server::start();
    let limited = |files: u32, line: &str| {
        let command = format!("ulimit -n {files}; exec \"$0\" load --rate 10 --duration 1s {line} \"$1\"");
        let bedloe = env!("CARGO_BIN_EXE_bedloe");
        let output = Command::new("sh").args(["-c", &command, bedloe, &server.url("/ok")]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (files, line, words) in
        [(8, "", "`ulimit -n 10040`"), (64, "", "--max-vus 24"), (64, "--max-vus 100", "100 users need 140 open files")]
    {
        let (code, err) = limited(files, line);
        assert_eq!((code, server.requests()), (Some(104), 0), "{err}");
        assert!(err.contains(words), "{err}");
    }
    let (code, err) = limited(64, "--pre-allocated-vus 20 --max-vus 100 --threshold http_req_failed=rate==0");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("has room for 24 users, not 100; `ulimit -n 140`"), "{err}");
    assert_eq!(server.requests(), 10);
}

/// Rows, titles and columns must be the same; only what was measured differs.
#[test]
fn the_summary_is_laid_out_as_k6_lays_it_out() {
    let Some(version) = Command::new("k6").arg("version").output().ok().filter(|output| output.status.success()) else {
        eprintln!("skipped: the_summary_is_laid_out_as_k6_lays_it_out: no k6 on PATH");
        return;
    };
    let server = Server::start();
    let url = server.url("/ok");
    // A user for each iteration, and times that no machine takes: on a busy one either side would else show a row of
    // dropped iterations, or a threshold that was crossed.
    let script = format!(
        "import http from 'k6/http';
         export const options = {{
           scenarios: {{ default: {{ executor: 'constant-arrival-rate', rate: 50, timeUnit: '1s', duration: '2s',
             preAllocatedVUs: 101 }} }},
           thresholds: {{ http_req_failed: ['rate<0.01'], http_req_duration: ['p(95)<50000', 'avg<0'],
             'http_req_duration{{expected_response:true}}': ['max<55000'], data_sent: ['rate>1'] }} }};
         export default function () {{ http.get('{url}'); }}"
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("script.js");
    std::fs::write(&path, script).unwrap();
    let line = "--rate 50 --duration 2s --pre-allocated-vus 101 --threshold http_req_failed=rate<0.01
        --threshold http_req_duration=p(95)<50000 --threshold http_req_duration=avg<0 --threshold data_sent=rate>1
        --threshold http_req_duration{expected_response:true}=max<55000";
    for mode in ["compact", "full"] {
        let k6 = Command::new("k6").args(["run", "--summary-mode", mode]).arg(&path).output().unwrap();
        let (code, ours, err) = run(&format!("{line} --summary-mode {mode}"), &url);
        assert_eq!((code, k6.status.code()), (Some(99), Some(99)), "{err}");
        let theirs = String::from_utf8(k6.stdout).unwrap();
        assert_eq!(layout(&ours), layout(&theirs), "beside {}", String::from_utf8_lossy(&version.stdout));
    }
}

/// The summary with every measured value replaced by `N`, and the room that values take by one space. The two trends
/// that only bedloe has are left out.
pub(crate) fn layout(out: &str) -> String {
    let from = out.find("  █ THRESHOLDS").unwrap();
    // With --quiet it is the last that is said.
    let to = out[from..].find("\nrunning (").map_or(out.len(), |to| from + to);
    let lines =
        out[from..to].lines().filter(|line| !line.contains("scheduled_duration.") && !line.contains("start_delay."));
    lines.map(|line| mask(line) + "\n").collect()
}

fn mask(line: &str) -> String {
    let (name, values) = match line.split_once("...: ") {
        Some((name, values)) => (format!("{name}...: "), values),
        None if line.contains("✓ '") || line.contains("✗ '") => {
            let (source, measured) = line.rsplit_once('=').unwrap();
            (format!("{source}="), measured)
        }
        None => return line.to_owned(),
    };
    let words = values.split_whitespace().map(|word| match word.split_once('=') {
        Some((column, _)) => format!("{column}=N"),
        None if word.starts_with(|c: char| c.is_ascii_digit()) => "N".to_owned(),
        None => {
            if word.ends_with("/s") {
                "unit/s".to_owned()
            } else if word.ends_with('B') {
                "unit".to_owned()
            } else {
                word.to_owned()
            }
        }
    });
    name + &words.collect::<Vec<_>>().join(" ")
}

#[test]
fn flags_whose_values_mean_nothing_are_told_as_k6_tells_them() {
    for (line, words) in [
        ("--summary-trend-stats nothing", "`nothing` is none of avg"),
        ("--summary-time-unit h", "none of s, ms and us"),
        ("--execution-segment 2", "`2` is no execution segment"),
        ("--blacklist-ip x", "`x` is no network"),
        ("--block-hostnames a*b", "`a*b` is no name"),
        ("--dns ttl=x", "`x` is no duration"),
        ("--dns ways=x", "there is no `ways`, only ttl, select and policy"),
    ] {
        let (code, out, err) = run(line, "http://127.0.0.1:1/");
        assert!(code == Some(255) && err.contains(words), "{line}: {code:?} {out}{err}");
    }
    for name in ["linger", "paused"] {
        let (code, out, err) = run(&format!("--{name}"), "http://127.0.0.1:1/");
        assert!(code == Some(104) && err.contains(&format!("the option `{name}` is not served")), "{out}{err}");
    }
    for (line, name) in [
        ("--traces-output otel", "--traces-output"),
        ("--secret-source file=x", "--secret-source"),
        ("--log-output loki", "--log-output loki"),
    ] {
        let (code, out, err) = run(line, "http://127.0.0.1:1/");
        assert!(code == Some(104) && err.contains(&format!("the option `{name}` is not served: ")), "{out}{err}");
    }
    let (code, out, err) = run("--log-output xyz", "http://127.0.0.1:1/");
    assert!(code == Some(255) && err.contains("unsupported log output 'xyz'"), "{out}{err}");
    let (code, out, err) =
        run("--no-usage-report --compatibility-mode base -a localhost:1 --dns x", "http://127.0.0.1:1/");
    assert!(code == Some(255) && err.contains("dns: want ttl"), "{out}{err}");
}
