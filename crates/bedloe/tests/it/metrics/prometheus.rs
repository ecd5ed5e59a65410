//! Debian's Prometheus on the examples: its checker accepts them and the exposition, and it sees a server go and come.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::Value as Json;

use super::{get, start};
use crate::agent::Agent;
use crate::support::balancer::{Balancer, PATIENCE, Reserved, wait_until};
use crate::support::scripted::{Scripted, ok};
use crate::support::skipped;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// What promtool says of this; none where it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    Some(child.wait_with_output().expect("it ends"))
}

#[test]
fn promtool_accepts_the_examples_and_the_exposition() {
    let http = "upstream app { server 127.0.0.1:1; server 127.0.0.1:2; } server { listen LISTEN; status_zone a; }";
    let (_balancer, admin) = start(http);
    let text = get(admin, "/metrics", "").1;
    let config = examples().join("prometheus/prometheus.yml").display().to_string();
    let rules = examples().join("prometheus/bedloe.rules.yml").display().to_string();
    for (arguments, input) in [
        (&["check", "config", &config][..], ""),
        (&["check", "rules", &rules][..], ""),
        (&["check", "metrics"][..], text.as_str()),
    ] {
        let Some(output) = promtool(arguments, input) else {
            return skipped("promtool_accepts_the_examples_and_the_exposition", "promtool");
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !said.contains("no help text"), "{arguments:?}: {said}");
    }
}

/// Series that alerts are tried on, and when each is to be told.
const ALERTS: &str = r#"
rule_files: [RULES]
evaluation_interval: 5s
tests:
  - interval: 5s
    input_series:
      - { series: 'bedloe_upstream_peer_up{upstream="u",peer="failing"}', values: '0x60' }
      - { series: 'bedloe_upstream_peer_state{upstream="u",peer="failing",state="unavailable"}', values: '1x60' }
      - { series: 'bedloe_upstream_peer_state{upstream="u",peer="failing",state="down"}', values: '0x60' }
      - { series: 'bedloe_upstream_peer_up{upstream="u",peer="meant"}', values: '0x60' }
      - { series: 'bedloe_upstream_peer_state{upstream="u",peer="meant",state="unavailable"}', values: '0x60' }
      - { series: 'bedloe_upstream_peer_state{upstream="u",peer="meant",state="down"}', values: '1x60' }
      - { series: 'node_cpu_seconds_total{host="waits",cpu="0",mode="idle"}', values: '0+1x600' }
      - { series: 'node_cpu_seconds_total{host="waits",cpu="0",mode="iowait"}', values: '0+4x600' }
      - { series: 'node_cpu_seconds_total{host="works",cpu="0",mode="idle"}', values: '0+2x600' }
      - { series: 'node_cpu_seconds_total{host="works",cpu="0",mode="iowait"}', values: '0+0x600' }
    alert_rule_test:
      - eval_time: 1m
        alertname: ServerDown
        exp_alerts:
          - exp_labels: { severity: ticket, upstream: u, peer: failing }
            exp_annotations:
              summary: failing of u gets no requests.
              description: 'Why: /status of the balancer.'
      - eval_time: 20m
        alertname: HostIsBusy
        exp_alerts:
          - exp_labels: { severity: ticket, host: works }
            exp_annotations: { summary: works has used 60% of its CPU. }
"#;

#[test]
fn alerts_tell_what_they_are_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = examples().join("prometheus/bedloe.rules.yml").display().to_string();
    let file = folder.path().join("alerts.yml");
    fs::write(&file, ALERTS.replace("RULES", &rules)).expect("a file");
    let arguments = ["test", "rules", &file.display().to_string()];
    let Some(output) = promtool(&arguments, "") else { return skipped("alerts_tell_what_they_are_for", "promtool") };
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_examples_ask_for_series_that_there_are() {
    let (agent, nobody) = (Agent::start(&[]), Reserved::new());
    let http = format!("upstream app {{ server {}; }} server {{ listen LISTEN; }}", nobody.address);
    let (_balancer, admin) = start(&http);
    let served = get(admin, "/metrics", "").1 + &get(agent.address.parse().expect("an address"), "/metrics", "").1;
    let text = |name: &str| fs::read_to_string(examples().join(name)).expect("the example");
    let asked = text("grafana/balancer.json") + &text("grafana/hosts.json") + &text("prometheus/bedloe.rules.yml");
    let words = asked.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names: Vec<&str> =
        words.filter(|word| ["bedloe_", "node_", "process_"].iter().any(|begin| word.starts_with(begin))).collect();
    let is_there = |name: &&str| {
        served.lines().any(|line| line.strip_prefix(*name).is_some_and(|rest| rest.starts_with(['{', ' '])))
    };
    let missing: Vec<_> = names.iter().filter(|name| !is_there(name)).collect();
    assert!(names.len() > 40 && missing.is_empty(), "{missing:?}");
}

/// A Prometheus that scrapes every second; killed when dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Option<Self> {
        let (folder, address) = (tempfile::tempdir().expect("a folder"), Reserved::new().address);
        let example = fs::read_to_string(examples().join("prometheus/prometheus.yml")).expect("the example");
        let config = example.replace("127.0.0.1:9190", &target.to_string()).replace("_interval: 5s", "_interval: 1s");
        fs::write(folder.path().join("prometheus.yml"), config).expect("a file");
        let rules = "bedloe.rules.yml";
        fs::copy(examples().join("prometheus").join(rules), folder.path().join(rules)).expect("a file");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", at("prometheus.yml")));
        command.arg(format!("--storage.tsdb.path={}", at("data")));
        command.arg(format!("--web.listen-address={address}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().ok()?;
        Some(Self { child, address, _folder: folder })
    }

    /// What its interface answers.
    fn ask(&self, path: &str) -> Option<Json> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    fn query(&self, expression: &str) -> Option<Json> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.ask(&format!("/api/v1/query?query={encoded}"))
    }

    /// The value of an expression of one series.
    fn value(&self, expression: &str) -> Option<String> {
        Some(self.query(expression)?["data"]["result"][0]["value"][1].as_str()?.to_owned())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The expressions of a dashboard, with its variables filled in.
fn expressions(dashboard: &str) -> Vec<String> {
    let text = fs::read_to_string(examples().join("grafana").join(dashboard)).expect("the example");
    let json: Json = serde_json::from_str(&text).expect("JSON");
    let panels = json["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let written = targets.map(|target| target["expr"].as_str().expect("an expression"));
    written.map(|text| text.replace("$instance", ".*").replace("$host", ".*")).collect()
}

fn ask(balancer: &Balancer) {
    assert!(balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn prometheus_sees_a_server_go_and_come_back() {
    let is_well = Arc::new(AtomicBool::new(true));
    let first = Scripted::start({
        let is_well = Arc::clone(&is_well);
        move |link, _| {
            link.head()?;
            if is_well.load(Relaxed) { link.send(ok("first")) } else { Ok(()) }
        }
    });
    let second = Scripted::named("second");
    let http = format!(
        "upstream app {{ server {} max_fails=1 fail_timeout=1s; server {}; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}",
        first.address(),
        second.address()
    );
    let (balancer, admin) = start(&http);
    let Some(prometheus) = Prometheus::start(admin) else {
        return skipped("prometheus_sees_a_server_go_and_come_back", "prometheus");
    };
    let up = format!("bedloe_upstream_peer_up{{peer=\"{}\"}}", first.address());
    let is = |expected: &str| {
        ask(&balancer);
        prometheus.value(&up).as_deref() == Some(expected)
    };
    wait_until("a server that is up", || is("1"));
    is_well.store(false, Relaxed);
    wait_until("a server that is down", || is("0"));
    is_well.store(true, Relaxed);
    wait_until("a server that is up again", || is("1"));
    let seen = prometheus.value(&format!("changes({up}[5m])")).expect("a value");
    assert!(seen.parse::<u32>().is_ok_and(|changes| changes >= 2), "{seen}");
    for expression in expressions("balancer.json").into_iter().chain(expressions("hosts.json")) {
        let answer = prometheus.query(&expression).expect("an answer");
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }
    let rules = prometheus.ask("/api/v1/rules").expect("an answer");
    let groups = rules["data"]["groups"].as_array().expect("groups");
    let all: Vec<&Json> = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")).collect();
    assert!(all.len() >= 10 && all.iter().all(|rule| rule["health"] != "err"), "{rules}");
}
