//! Cases as files: a configuration, `----`, what is found in it.
//!
//! `==== NAME` begins a case, `==== NAME [CONTEXT]` one that stands within that block. `++++ PATH` begins another file
//! of it. What is expected is a line a finding, `LINE:COLUMN+LENGTH SEVERITY[CODE] MESSAGE`, and an indented line with
//! its help; findings in another file begin with its path. With BEDLOE_BLESS=1 the files are rewritten as found.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::{MAIN, load_with};
use crate::Loaded;

struct Case {
    head: String,
    input: String,
    expected: String,
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/cases");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut count = 0;
    let mut wrong = String::new();
    for path in paths {
        let cases = read(&std::fs::read_to_string(&path).unwrap());
        count += cases.len();
        if std::env::var_os("BEDLOE_BLESS").is_some() {
            let text: String = cases.iter().map(|c| format!("{}\n{}----\n{}\n", c.head, c.input, found(c))).collect();
            std::fs::write(&path, text.trim_end().to_owned() + "\n").unwrap();
            continue;
        }
        for case in cases {
            let found = found(&case);
            if found.trim_end() != case.expected.trim_end() {
                write!(wrong, "{}: {}\nexpected:\n{}\nfound:\n{found}\n", path.display(), case.head, case.expected)
                    .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 60, "{count} cases");
}

fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut expecting = false;
    for line in text.lines() {
        if line.starts_with("==== ") {
            expecting = false;
            cases.push(Case { head: line.to_owned(), input: String::new(), expected: String::new() });
            continue;
        }
        let case = cases.last_mut().expect("a file of cases begins with ====");
        match line {
            "----" => expecting = true,
            _ if expecting => case.expected += &format!("{line}\n"),
            _ => case.input += &format!("{line}\n"),
        }
    }
    cases
}

fn found(case: &Case) -> String {
    let context = case.head.rsplit_once('[').map_or("", |(_, rest)| rest.trim_end_matches(']'));
    let (open, close, lines) = match context {
        "http" => ("http {\n", "\n} events {}\n", 1),
        "server" => ("http { server {\n", "\n} } events {}\n", 1),
        "location" => ("http { server { location / {\n", "\n} } } events {}\n", 1),
        "upstream" => ("http { upstream u {\n", "\n} } events {}\n", 1),
        "main" => ("", "events {}\n", 0),
        _ => ("", "", 0),
    };
    let mut parts = case.input.split("++++ ");
    let main = format!("{open}{}{close}", parts.next().unwrap_or_default().trim_end_matches('\n'));
    let main = if context == "main" { main.replacen("events {}", "\nevents {}", 1) } else { main };
    let others: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('\n')).collect();
    let mut files = vec![(MAIN, main.as_str())];
    files.extend(others);
    shown(&load_with(&files), lines)
}

fn shown(loaded: &Loaded, lines: u32) -> String {
    let mut text = String::new();
    for found in &loaded.diagnostics {
        let place = &found.place;
        let in_main = place.file.as_path() == Path::new(MAIN);
        if !in_main {
            write!(text, "{}:", place.file.display()).unwrap();
        }
        let line = if in_main { place.line.saturating_sub(lines) } else { place.line };
        let (severity, code) = (found.severity.name(), found.code);
        writeln!(text, "{line}:{}+{} {severity}[{code}] {}", place.column, place.length, found.message).unwrap();
        if let Some(help) = &found.help {
            writeln!(text, "    {help}").unwrap();
        }
    }
    if text.is_empty() { "ok\n".to_owned() } else { text }
}
