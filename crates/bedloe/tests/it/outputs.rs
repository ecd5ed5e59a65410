//! `--out`: samples line by line as k6's, and an address for Prometheus.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use regex::Regex;
use serde_json::Value as Json;

const SCRIPT: &str = r#"
import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
const count = new Counter('my_counter'), time = new Trend('my_time', true), gauge = new Gauge('my_gauge');
const rate = new Rate('my_rate'), number = new Trend('my_number');
export const options = {
  vus: 1, iterations: 2, tags: { top: 'x,y "q"' },
  systemTags: ['vu', 'iter', 'ip', 'proto', 'status', 'method', 'url', 'name', 'group', 'check', 'error', 'error_code',
    'scenario', 'expected_response'],
  thresholds: {
    'http_req_duration{a:b}': ['p(95)<5000', { threshold: 'avg<1000', abortOnFail: true, delayAbortEval: '10s' }],
    my_counter: [{ threshold: 'count>0', abortOnFail: true }],
  },
};
export function setup() { http.get(`${__ENV.URL}/setup`); }
export default function () {
  group('g1', () => { http.get(`${__ENV.URL}/in?a=1&b=2`, { tags: { a: 'b' } }); });
  check(1, { 'one is one': (x) => x === 1 });
  count.add(3); time.add(12.5); gauge.add(7); rate.add(true); rate.add(2); rate.add(0, { e: '' });
  for (const x of [0.1 + 0.2, 1.234e-5, 1e-7, 999999, 1234567.5, -3.5, 1e21]) number.add(x, { own: 'ä<b>&"\\' });
  http.get('http://127.0.0.1:1/x');
  if (__ITER === 1) sleep(1.1);
}
export function teardown() { http.post(`${__ENV.URL}/td`, 'abc', { responseCallback: null }); }
"#;

/// A server that answers anything; it lives as long as the test's process.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = |stream: TcpStream| {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let (mut line, mut length) = (String::new(), 0);
            while line != "\r\n" {
                line.clear();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
            }
            reader.read_exact(&mut vec![0; length]).ok()?;
            (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
        }
    };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || -> Option<()> { serve(stream) });
        }
    });
    format!("http://{address}")
}

/// Runs the script; what it wrote as JSON and as CSV.
fn outputs(program: &[&str], url: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.js"), SCRIPT).unwrap();
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(["--quiet", "--out", "json=out.json.gz", "--out", "csv=out.csv"]);
    command.args(["-e", &format!("URL={url}"), "script.js"]).env("K6_NO_USAGE_REPORT", "true");
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut json = String::new();
    let packed = std::fs::File::open(folder.path().join("out.json.gz")).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut json).unwrap();
    (json, std::fs::read_to_string(folder.path().join("out.csv")).unwrap())
}

/// Lines with times, durations and bytes masked; those of a metric apart, for k6's arrive in an order of their own.
fn masked_json(text: &str, url: &str) -> Vec<String> {
    let time = Regex::new(r#""time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)""#).unwrap();
    let value =
        Regex::new(r#"("metric":"(?:http_req_[^"f]*|[a-z]+_duration|data_[^"]*)".*"value":)[0-9.e+-]+"#).unwrap();
    // k6 writes these two in any order.
    let who = Regex::new(r#""vu":"(\d+)","iter":"(\d+)""#).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !is_ours(line))
        .map(|line| {
            let line = time.replace(line, "\"time\":T");
            let line = value.replace(&line, "${1}V");
            who.replace(&line, "\"iter\":\"$2\",\"vu\":\"$1\"").replace(url, "URL")
        })
        .collect();
    lines.sort();
    lines
}

fn masked_csv(text: &str, url: &str) -> Vec<String> {
    let time = Regex::new(r"^([a-z_0-9]+),\d{10},").unwrap();
    let value = Regex::new(r"^((?:http_req_[^,f]*|[a-z]+_duration|data_[a-z]*),T,)\d+\.\d{6},").unwrap();
    let who = Regex::new(r"vu=(\d+)&iter=(\d+)$").unwrap();
    let own = Regex::new(r#"top=x,y ""q""&([a-z]+=[^,]*)","#).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !is_ours(line))
        .map(|line| {
            let line = time.replace(line, "$1,T,");
            let line = value.replace(&line, "${1}V,");
            let line = own.replace(&line, "$1&top=x,y \"\"q\"\"\",");
            who.replace(&line, "iter=$2&vu=$1").replace(url, "URL")
        })
        .collect();
    lines.sort();
    lines
}

/// Metrics that only bedloe has, and what both sample by their own clocks.
fn is_ours(line: &str) -> bool {
    ["scheduled_duration", "start_delay", "\"vus", "vus"].iter().any(|name| {
        line.starts_with(name)
            || line.contains(&format!("\"metric\":{name}"))
            || line.starts_with(&format!("{{\"type\":\"Metric\",\"data\":{{\"name\":{name}"))
    })
}

fn difference(theirs: &[String], ours: &[String]) -> String {
    let lost = theirs.iter().filter(|line| !ours.contains(line)).map(|line| format!("- {line}\n"));
    let new = ours.iter().filter(|line| !theirs.contains(line)).map(|line| format!("+ {line}\n"));
    lost.chain(new).collect()
}

#[test]
fn samples_are_written_as_k6_writes_them() {
    let url = server();
    let (json, csv) = outputs(&[env!("CARGO_BIN_EXE_bedloe"), "load"], &url);
    let points = json.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let points: Vec<Json> = points.filter(|line| line["type"] == "Point").collect();
    let of = |name: &str| points.iter().filter(|point| point["metric"] == name).count();
    assert_eq!((of("http_reqs"), of("iterations"), of("data_sent"), of("my_number")), (6, 2, 4, 14), "{json}");
    assert_eq!(csv.lines().count(), points.len() + 1);
    if Command::new("k6").arg("version").output().is_err() {
        eprintln!("skipped: samples_are_written_as_k6_writes_them beside k6: no k6 on PATH");
        return;
    }
    let (k6_json, k6_csv) = outputs(&["k6", "run"], &url);
    let (theirs, ours) = (masked_json(&k6_json, &url), masked_json(&json, &url));
    assert!(theirs == ours, "{}", difference(&theirs, &ours));
    let (theirs, ours) = (masked_csv(&k6_csv, &url), masked_csv(&csv, &url));
    assert!(theirs == ours, "{}", difference(&theirs, &ours));
}

#[test]
fn metadata_of_a_script_goes_with_its_samples() {
    let folder = tempfile::tempdir().unwrap();
    let script = "import exec from 'k6/execution';\nimport { Counter } from 'k6/metrics';\n\
                  const c = new Counter('mine');\nexport default () => {\n  exec.vu.metrics.metadata.trace = 'a<b';\n  \
                  exec.vu.tags.own = 'x';\n  c.add(1);\n};\n";
    std::fs::write(folder.path().join("script.js"), script).unwrap();
    let outputs = ["-o", "json=a.json", "-o", "csv=b.csv", "script.js"];
    let (code, out, err) = run(&outputs, folder.path(), None);
    assert_eq!(code, Some(0), "{out}{err}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let (json, csv) = (read("a.json"), read("b.csv"));
    let words = r#""tags":{"group":"","own":"x","scenario":"default"},"metadata":{"trace":"a\u003cb"}}}"#;
    assert_eq!(json.lines().filter(|line| line.ends_with(words)).count(), 5, "{json}");
    assert_eq!(csv.lines().filter(|line| line.ends_with(",own=x,trace=a<b")).count(), 5, "{csv}");
}

fn run(args: &[&str], folder: &Path, variable: Option<(&str, &str)>) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.arg("load").args(args).current_dir(folder).stdin(Stdio::null()).envs(variable);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn outputs_are_named_by_the_environment_too_and_refused_before_the_test() {
    let (url, folder) = (server(), tempfile::tempdir().unwrap());
    let (code, out, err) = run(&["-i", "3", &url], folder.path(), Some(("K6_OUT", "json=a.json,csv=b.csv")));
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("        output: json (a.json), csv (b.csv)\n"), "{out}");
    let lines = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(lines("b.csv").lines().filter(|line| line.starts_with("http_reqs,")).count(), 3);
    assert!(lines("a.json").contains("\"metric\":\"http_reqs\",\"type\":\"Point\""));
    for (out, words) in [
        ("influxdb=x", "invalid output type 'influxdb', available types are: csv, json, prometheus"),
        ("json=/nowhere/x", "cannot write samples to /nowhere/x"),
        ("prometheus=x", "want ADDRESS:PORT"),
    ] {
        let (code, stdout, err) = run(&["-i", "3", "-o", out, &url], folder.path(), None);
        assert_eq!(code, Some(255), "{out}: {err}");
        assert!(err.contains(words) && stdout.is_empty(), "{out}: {stdout}{err}");
    }
    let (code, _, err) = run(&["-i", "300", "-o", "csv=/dev/full", &url], folder.path(), None);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("samples could not be written to /dev/full"), "{err}");
}

#[test]
fn prometheus_scrapes_while_the_test_runs() {
    let url = server();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["load", "-q", "--rate", "50", "-d", "60s", "-o", &format!("prometheus=127.0.0.1:{port}"), &url]);
    let mut test = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let scrape = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.contains("k6_http_reqs_total ").then_some(text)
    };
    // Who connects and says nothing holds nobody up.
    let mut idle = Vec::new();
    let text = loop {
        if let Some(text) = scrape() {
            if !idle.is_empty() {
                break text;
            }
            idle.push(TcpStream::connect(("127.0.0.1", port)).unwrap());
        }
        assert!(test.try_wait().unwrap().is_none(), "the test has ended");
        thread::yield_now();
    };
    test.kill().unwrap();
    test.wait().unwrap();
    for line in [
        "content-type: text/plain; version=0.0.4",
        "# TYPE k6_http_reqs_total counter\nk6_http_reqs_total ",
        "# TYPE k6_http_req_duration_p95 gauge\nk6_http_req_duration_p95 0.0",
        "k6_http_req_duration_p95{expected_response=\"true\"} 0.0",
        "k6_http_req_failed_rate 0\n",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}
