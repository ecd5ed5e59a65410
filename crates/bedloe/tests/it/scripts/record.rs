//! What a run of a script came to, with everything masked that differs from run to run.

use std::process::Output;

use regex::Regex;
use serde_json::Value as Json;

/// One run.
pub(super) struct Record {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
    metrics: String,
    /// As it was, for whoever has to find out why it differs.
    pub(super) raw: String,
}

/// Metrics that only bedloe has.
const OURS: [&str; 2] = ["scheduled_duration", "start_delay"];

/// Marks of lines that come of what a script does.
const KEPT: [&str; 5] =
    ["source=http-debug", "source=console", "source=stacktrace", "msg=\"Request Failed\"", "Uncaught (in promise)"];

impl Record {
    /// `names` are texts that stand for others.
    pub(super) fn of(output: &Output, export: &str, names: &[(String, &str)]) -> Self {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            names.iter().fold(text, |text, (from, to)| text.replace(from, to))
        };
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let raw = format!("{out}{err}");
        Self { exit: output.status.code(), stdout: summary(&out), stderr: log(&err), metrics: metrics(export), raw }
    }

    pub(super) fn text(&self, version: &str) -> String {
        let exit = self.exit.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let Self { stdout, stderr, metrics, .. } = self;
        format!("k6 {version}\nexit {exit}\n---- stdout\n{stdout}---- stderr\n{stderr}---- metrics\n{metrics}")
    }
}

/// Lines of two texts that are in one of them only.
pub(super) fn difference(expected: &str, found: &str) -> String {
    let (left, right): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let lost = left.iter().filter(|line| !right.contains(line)).map(|line| format!("- {line}\n"));
    let new = right.iter().filter(|line| !left.contains(line)).map(|line| format!("+ {line}\n"));
    let all: String = lost.chain(new).collect();
    if all.is_empty() { format!("in another order:\n{found}\n---- instead of\n{expected}") } else { all }
}

/// The summary: names, order, counts; measured values as `#`.
fn summary(out: &str) -> String {
    let value = Regex::new(r"-?\d+(\.\d+)?(ns|µs|ms|s|m\d+s|h\d+m\d+s| [kMG]?B)(/s)?").unwrap();
    let per_second = Regex::new(r"\d+(\.\d+)?/s").unwrap();
    let dots = Regex::new(r"\.\.\.+:").unwrap();
    let room = Regex::new(r" +").unwrap();
    let is_ours = |line: &str| OURS.iter().any(|name| line.trim_start().starts_with(name));
    let mut text = String::new();
    for line in out.lines().filter(|line| !is_ours(line) && !line.trim().is_empty()) {
        let is_row = line.contains("...:") || line.contains(" '");
        let line = dots.replace(line, ":").into_owned();
        let line = if is_row { value.replace_all(&line, "#").into_owned() } else { line };
        let line = if is_row { per_second.replace_all(&line, "#").into_owned() } else { line };
        // How many users there were when they were counted is chance.
        let line = if line.trim_start().starts_with("vus") && is_row {
            line.split(':').next().unwrap_or_default().to_owned()
        } else {
            line
        };
        let indent = line.len() - line.trim_start().len();
        text += &format!("{}{}\n", &line[..indent], room.replace_all(line.trim(), " "));
    }
    text
}

/// The console and what else was logged, without times and places.
fn log(err: &str) -> String {
    let time = Regex::new(r#"^time="[^"]*" "#).unwrap();
    let place = Regex::new(r"\\n\\tat .*?(\\n)?(\x22| executor)").unwrap();
    let words = Regex::new(r#"(TypeError|SyntaxError|ReferenceError|RangeError|InternalError): [^"]*"#).unwrap();
    let error = Regex::new(r#" error="[^"\\]*(\\.[^"\\]*)*""#).unwrap();
    let hint = Regex::new(r#" hint="[^"]*""#).unwrap();
    // k6 shows a field that it does not send.
    let debug = Regex::new(r"Accept-Encoding: gzip\\n| request_id=\S+|User-Agent: [^\\]*").unwrap();
    let mut text = String::new();
    for line in err.lines() {
        // What the injectors say of their own they word differently.
        let is_of_script = KEPT.iter().any(|mark| line.contains(mark));
        if !line.starts_with("time=") || !is_of_script {
            continue;
        }
        let line = time.replace(line, "").into_owned();
        let line = place.replace_all(&line, "$2").into_owned();
        let line = words.replace_all(&line, "$1: #").into_owned();
        let line = error.replace_all(&line, " error=#").into_owned();
        let is_debug = line.contains("source=http-debug");
        let line = if is_debug { debug.replace_all(&line, "").into_owned() } else { line };
        let line = hint.replace_all(&line, "").replace("GoError: ", "Error: ");
        text += &format!("{line}\n");
    }
    text
}

/// Counts of what was measured.
fn metrics(export: &str) -> String {
    let export: Json = serde_json::from_str(export).unwrap_or_default();
    let mut lines = Vec::new();
    for (name, metric) in export["metrics"].as_object().into_iter().flatten() {
        if OURS.contains(&name.as_str()) || name.starts_with("vus") {
            continue;
        }
        let shown = |key: &str| metric.get(key).map(|value| format!(" {key}={value}")).unwrap_or_default();
        let is_bytes = name.starts_with("data_");
        let values = if is_bytes { String::new() } else { shown("count") + &shown("passes") + &shown("fails") };
        let thresholds = metric["thresholds"].as_object().into_iter().flatten();
        let mut thresholds: Vec<String> =
            thresholds.map(|(source, crossed)| format!(" `{source}`={crossed}")).collect();
        thresholds.sort();
        lines.push(format!("{name}{values}{}\n", thresholds.concat()));
    }
    lines.sort();
    lines.concat()
}
