//! Reports of runs: the page of a lab with a kill beside its numbers, what a browser says of it, two runs compared, and
//! what is refused before anything is started.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::lab::Place;
use crate::support::stand_in;

/// Where pictures of pages stay, for whoever wants to see them.
const PICTURES: &str = env!("CARGO_TARGET_TMPDIR");

fn bedloe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bedloe")).args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn name(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Opens a page in the browser, where there is one: what its console says, and the picture.
fn browse(page: &Path, picture: &str) -> Option<String> {
    let program = ["chromium", "chromium-browser"]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success()))?;
    let home = tempfile::tempdir().expect("a folder");
    let picture = PathBuf::from(PICTURES).join(picture);
    let output = Command::new("timeout")
        .args(["60", program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--enable-logging=stderr", "--window-size=1100,4600"])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(picture.metadata().is_ok_and(|meta| meta.len() > 20_000), "a picture of something");
    Some(text(&output.stderr).lines().filter(|line| line.contains("CONSOLE")).collect())
}

/// A count as the page has it.
fn grouped(count: u64) -> String {
    if count < 1000 { count.to_string() } else { format!("{},{:03}", grouped(count / 1000), count % 1000) }
}

/// The sum of one count over all steps.
fn sum(run: &Value, count: &str) -> u64 {
    let steps = run["steps"].as_array().expect("steps");
    steps.iter().map(|step| step[count].as_u64().expect("a count")).sum()
}

fn figure<'a>(run: &'a Value, name: &str) -> &'a Value {
    let figures = run["figures"].as_array().expect("figures");
    &figures.iter().find(|figure| figure["name"] == name).expect("the figure")["values"]
}

#[test]
fn the_page_of_a_lab_with_a_kill_says_what_its_numbers_say() {
    let (place, home) = (Place::new(40), tempfile::tempdir().expect("a folder"));
    let at = |name: &str| home.path().join(name);
    let (json, page, again) = (at("run.json"), at("run.html"), at("again.html"));
    let files = ["--json", name(&json), "--report", name(&page)];
    let faults = ["--kill", "liberty-2@1s", "--restart", "liberty-2@2s"];
    let run = place.output(&[&["--rate", "200", "--duration", "4s"], &files[..], &faults[..]].concat());
    assert_eq!(run.status.code(), Some(0), "{}{}", text(&run.stdout), text(&run.stderr));
    let (numbers, html) = (number(&read(&json)), read(&page));
    let run = &numbers["run"];

    assert_eq!((run["version"].as_u64(), run["verdict"]["passed"].as_bool()), (Some(1), Some(true)));
    let requests = numbers["requests"].as_u64().expect("a count");
    assert_eq!((sum(run, "requests"), sum(run, "iterations")), (requests, requests), "no second is missing");
    assert_eq!(figure(run, "http_reqs")["count"].as_f64(), Some(requests as f64));
    assert!(html.contains(&format!("<td>http_reqs</td><td>{}, ", grouped(requests))), "{html}");
    assert!(html.contains(run["verdict"]["sentence"].as_str().expect("a sentence")));
    for row in numbers["processes"].as_array().expect("rows") {
        let requests = grouped(row["requests"].as_u64().expect("a count"));
        let name = row["name"].as_str().expect("a name");
        assert!(
            html.contains(&format!("<h3>{name} ")) && html.contains(&format!("{requests} requests</span>")),
            "{row}"
        );
    }
    let moments = numbers["timeline"]["moments"].as_array().expect("moments");
    assert_eq!(run["moments"].as_array().map(Vec::len), Some(moments.len()));
    let marks: Vec<&str> = run["marks"].as_array().expect("marks").iter().filter_map(|m| m["label"].as_str()).collect();
    assert_eq!(marks, ["liberty-2 killed", "liberty-2 is back"]);
    assert!(html.contains(">liberty-2 killed</text>") && html.contains("proxy_pass"), "marks and configuration");

    let host = &run["hosts"][0];
    assert_eq!((host["source"].as_str(), run["hosts"].as_array().map(Vec::len)), (Some("this machine"), Some(1)));
    let seen = host["at_s"].as_array().map_or(0, Vec::len);
    assert!(
        (2..=5).contains(&seen) && host["cpu_percent"][0]["values"].as_array().map(Vec::len) == Some(seen),
        "{host}"
    );
    assert!(html.contains("<h2>Host "), "this machine");

    let shown = bedloe(&["report", name(&json), "--output", name(&again)]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert_eq!(read(&again), html, "the page holds nothing that the numbers lack");
    if let Some(console) = browse(&page, "report.png") {
        assert_eq!(console, "", "the browser has nothing to complain of");
    }
    place.assert_gone();
}

/// A load of a stand-in, with its numbers and its page.
fn load(home: &TempDir, base: &str, rate: &str, flags: &[&str]) -> (PathBuf, PathBuf) {
    let (json, page) = (home.path().join(format!("{base}.json")), home.path().join(format!("{base}.html")));
    let server = stand_in::start(&[]);
    let url = format!("http://{}/", server.address);
    let fixed =
        ["load", "--quiet", "--rate", rate, "--duration", "1500ms", "--json", name(&json), "--report", name(&page)];
    let run = bedloe(&[&fixed[..], flags, &[&url]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    (json, page)
}

#[test]
fn two_loads_are_compared() {
    let home = tempfile::tempdir().expect("a folder");
    let secret = ["--header", "Authorization: Bearer secret-of-mine"];
    let (a, page) = load(&home, "a", "100", &secret);
    let (b, _) = load(&home, "b", "200", &[]);
    let run = number(&read(&a));
    assert_eq!((sum(&run, "requests"), sum(&run, "iterations"), sum(&run, "dropped")), (150, 150, 0));
    assert_eq!(run["steps"].as_array().map(Vec::len), Some(2), "a second and a half");
    assert!(!read(&a).contains("secret-of-mine") && !read(&page).contains("secret-of-mine"));

    let compared = home.path().join("compared.html");
    let shown = bedloe(&["report", name(&a), name(&b), "-o", name(&compared)]);
    let out = text(&shown.stdout);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let line = out.lines().find(|line| line.trim_start().starts_with("http_reqs count")).expect("a line");
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["http_reqs", "count", "150", "300", "+100.0%"]);
    assert!(read(&compared).contains("<td class=\"number ok\">+100.0%</td>"));
    if let Some(console) = browse(&compared, "compared.png") {
        assert_eq!(console, "", "the browser has nothing to complain of");
    }
}

#[test]
fn load_hosts_and_processes_have_one_time_line() {
    let home = tempfile::tempdir().expect("a folder");
    let (script, json) = (home.path().join("slow.js"), home.path().join("run.json"));
    let slow = "import { sleep } from 'k6';
        export const options = { vus: 1, duration: '2s' };
        export function setup() { sleep(3); }
        export default function () { sleep(0.1); }
        export function handleSummary() { const end = Date.now() + 2000; while (Date.now() < end); return {}; }";
    std::fs::write(&script, slow).expect("a script");
    let output = bedloe(&["load", "--quiet", "--json", name(&json), name(&script)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let run = number(&read(&json));
    assert!(run["elapsed_s"].as_f64().is_some_and(|elapsed_s| elapsed_s > 5.0), "{}", run["elapsed_s"]);
    let end = |list: &Value| list.as_array().and_then(|all| all.last()?.as_f64()).expect("moments");
    let ends = [end(&run["hosts"][0]["at_s"]), end(&run["course"]["at_ms"]) / 1000.0];
    assert!(ends.iter().all(|end_s| (1.0..3.0).contains(end_s)), "{ends:?}");
}

#[test]
fn a_token_that_is_sent_in_the_clear_is_told_of() {
    let home = tempfile::tempdir().expect("a folder");
    let (token, json) = (home.path().join("token"), home.path().join("run.json"));
    std::fs::write(&token, "0123456789abcdef\n").expect("a token");
    let server = stand_in::start(&[]);
    // Loopback too, by an address that does not look like it.
    let agents = ["--agent", "far=http://[::ffff:127.0.0.1]:1", "--agent", "near=http://127.0.0.1:1"];
    let load = ["load", "--quiet", "--vus", "1", "--iterations", "1", "--json", name(&json)];
    let url = format!("http://{}/", server.address);
    let run = bedloe(&[&load[..], &agents, &["--agent-token", name(&token), &url]].concat());
    let said = text(&run.stderr);
    assert!(run.status.success() && said.contains("the token is sent to far in the clear"), "{said}");
}

#[test]
fn what_cannot_be_written_or_read_is_said_and_nothing_is_run() {
    let home = tempfile::tempdir().expect("a folder");
    let nowhere = home.path().join("none/page.html");
    let server = stand_in::start(&[]);
    let url = format!("http://{}/", server.address);
    for flag in ["--report", "--json"] {
        let run = bedloe(&["load", "--rate", "10", "--duration", "60s", flag, name(&nowhere), &url]);
        let said = text(&run.stderr);
        assert!(run.status.code() == Some(104) && said.contains("nothing was started: cannot write"), "{said}");
    }
    let run = bedloe(&["lab", "--report", name(&nowhere)]);
    assert!(run.status.code() == Some(1) && text(&run.stderr).contains("nothing was started: cannot write"));

    let agent = "a=http://127.0.0.1:9101";
    let table: [(&[&str], i32, &str); 3] = [
        (&["load", "--rate", "10", "--agent", agent, &url], 104, "want --report FILE or --json FILE too"),
        (&["lab", "--agent", agent], 1, "want --report FILE or --json FILE too"),
        (&["lab", "--drill", "kill", "--agent", agent], 1, "--agent is not for --drill"),
    ];
    for (arguments, code, part) in table {
        let run = bedloe(arguments);
        let said = text(&run.stderr);
        assert!(run.status.code() == Some(code) && said.contains(part), "{arguments:?}: {said}");
    }

    let other = home.path().join("other.json");
    std::fs::write(&other, "{\"metrics\": {}}").expect("a file");
    let page = home.path().join("page.html");
    let cases = [
        (other.clone(), "is no run that can be shown: want what `bedloe load --json FILE`"),
        (home.path().join("none.json"), "cannot read"),
        (home.path().to_owned(), "is a folder, not the file of a run"),
    ];
    for (path, part) in cases {
        let run = bedloe(&["report", name(&path), "-o", name(&page)]);
        let said = text(&run.stderr);
        assert!(run.status.code() == Some(1) && said.contains(part), "{said}");
        assert!(!page.exists(), "nothing is half written");
    }
    assert_eq!(bedloe(&["report"]).status.code(), Some(2));
}
