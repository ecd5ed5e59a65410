//! k6 scripts, each with what the real k6 made of it: exit code, console and summary, and what it measured.
//!
//! `scripts/cases` has a script a case, and beside it the record of a run of k6 (`BEDLOE_BLESS=1` makes records anew);
//! what begins with `// module` is a module of others. bedloe must come to the same, and so must the k6 that is
//! installed, where one is. What was measured is compared where it is a count; times, rates and bytes are masked, and
//! so are places in the script, and texts of errors that the engines word differently.
//!
//! A script may say in its first lines `// args: ...` what k6 is run with, `// env: NAME=VALUE` in which environment,
//! and `// config: {...}` with which file of options. `https://TLS_HOST` in an import is the server.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

mod api;
mod record;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use record::Record;
use server::Server;

/// What records are of.
const VERSION: &str = "1.8.1";

/// Cases whose name holds `BEDLOE_CASES`, where it is set.
fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scripts/cases");
    let wanted = std::env::var("BEDLOE_CASES").unwrap_or_default();
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_script = |path: &PathBuf| path.extension().is_some_and(|end| end == "js" || end == "ts");
    let is_wanted = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().contains(&wanted);
    let mut cases: Vec<PathBuf> = files.filter(is_script).filter(is_wanted).collect();
    cases.sort();
    cases
}

fn record_of(case: &Path) -> PathBuf {
    case.with_extension("record")
}

/// Runs a script; `program` is what comes before its flags.
fn play(program: &[&str], case: &Path, server: &Server) -> Record {
    let export = tempfile::NamedTempFile::new().unwrap();
    let text = fs::read_to_string(case).unwrap();
    let said = |what: &'static str| text.lines().take(4).filter_map(move |line| line.strip_prefix(what));
    let args = said("// args: ").next().unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(["--quiet", "--summary-export"]).arg(export.path());
    command.args(args.split_whitespace());
    command.envs(said("// env: ").filter_map(|pair| pair.split_once('=')));
    if let Some(config) = said("// config: ").next() {
        fs::write(folder.path().join("config.json"), config).unwrap();
        command.args(["--config", "config.json"]);
    }
    let folder_of_server = server.folder().display().to_string();
    for (name, value) in [("URL", server.url()), ("TLS_URL", server.tls_url()), ("FILES", folder_of_server)] {
        command.arg("-e").arg(format!("{name}={value}"));
    }
    let placed = folder.path().join(case.file_name().unwrap());
    if text.contains("https://TLS_HOST/") {
        fs::write(&placed, text.replace("https://TLS_HOST/", &format!("{}/", server.tls_url()))).unwrap();
        command.arg(&placed);
    } else {
        command.arg(case);
    }
    command.env("K6_AUTO_EXTENSION_RESOLUTION", "false").env("K6_NO_USAGE_REPORT", "true");
    // Both trust the server's certificate, and keep copies of modules where nobody else does.
    command.env("SSL_CERT_FILE", server.authority()).env("XDG_CACHE_HOME", server.folder());
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    let export = fs::read_to_string(export.path()).unwrap_or_default();
    let case = case.parent().unwrap().display().to_string();
    let names = [
        (server.url(), "URL"),
        (server.tls_url(), "TLS_URL"),
        (server.host(), "HOST"),
        (server.tls_host(), "TLS_HOST"),
        (case, "CASES"),
    ];
    Record::of(&output, &export, &names)
}

#[test]
fn scripts_come_to_what_k6_makes_of_them() {
    let server = Server::start();
    let (cases, mut failed) = (cases(), Vec::new());
    let compared = cases.iter().filter(|case| record_of(case).exists());
    for case in compared {
        let expected = fs::read_to_string(record_of(case)).unwrap();
        let ours = play(&[env!("CARGO_BIN_EXE_bedloe"), "load"], case, &server);
        if ours.text(VERSION) != expected {
            let name = case.file_name().unwrap().to_string_lossy();
            failed.push(format!("==== {name}\n{}\n{}", record::difference(&expected, &ours.text(VERSION)), ours.raw));
        }
    }
    assert!(failed.is_empty(), "{} of {} differ:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn records_are_what_the_installed_k6_does() {
    let Some(version) = Command::new("k6").arg("version").output().ok().filter(|output| output.status.success()) else {
        eprintln!("skipped: records_are_what_the_installed_k6_does: no k6 on PATH");
        return;
    };
    let version = String::from_utf8(version.stdout).unwrap();
    if !version.contains(VERSION) {
        eprintln!("skipped: records_are_what_the_installed_k6_does: records are of k6 {VERSION}, not of {version}");
        return;
    }
    let blesses = std::env::var_os("BEDLOE_BLESS").is_some();
    let server = Server::start();
    let mut failed = Vec::new();
    for case in cases() {
        let has_record = record_of(&case).exists();
        let is_module = fs::read_to_string(&case).unwrap().starts_with("// module");
        if is_module || !(has_record || blesses) {
            continue;
        }
        let text = play(&["k6", "run"], &case, &server).text(VERSION);
        if blesses {
            fs::write(record_of(&case), text).unwrap();
        } else if let expected = fs::read_to_string(record_of(&case)).unwrap()
            && expected != text
        {
            failed.push(format!("==== {}\n{}", case.display(), record::difference(&expected, &text)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Every case is compared.
#[test]
fn every_script_has_a_record() {
    for case in cases() {
        let is_module = fs::read_to_string(&case).unwrap().starts_with("// module");
        assert!(is_module || record_of(&case).exists(), "{} has no record", case.display());
    }
}

/// What scripts can use is used by one that has a record.
#[test]
fn every_entry_of_the_api_has_a_script() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scripts/cases");
    for (entry, holds, name) in api::ENTRIES {
        let case = folder.join(name);
        let text = fs::read_to_string(&case).unwrap_or_default();
        assert!(text.contains(holds), "{entry}: {name} has no `{holds}`");
        assert!(record_of(&case).exists(), "{entry}: {name} has no record");
    }
}

/// A script of this name and text in a folder of its own, run by bedloe: its exit code and all that it says.
fn told(server: &Server, name: &str, text: &str, copies: &Path) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join(name);
    fs::write(&script, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["load", "--quiet"]).arg(&script).stdin(Stdio::null());
    command.env("SSL_CERT_FILE", server.authority()).env("XDG_CACHE_HOME", copies);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let folder = format!("file://{}/", folder.path().display());
    (output.status.code(), String::from_utf8_lossy(&text).replace(&folder, ""))
}

#[test]
fn what_is_wrong_with_a_script_is_shown_with_its_place() {
    let server = Server::start();
    let copies = tempfile::tempdir().unwrap();
    for (name, text, code, words) in [
        ("a.js", "import 'k6';\nexport let b = ;\n", 107, "a.js:2:16\n    2 | export let b = ;\n"),
        ("a.js", "export default x;\n", 107, "x is not defined\n\tat <anonymous> (a.js:1:1"),
        ("a.ts", "type A = number;\nlet b: A = ;\nexport {};", 107, "a.ts:2:12\n    2 | let b: A = ;\n"),
        (
            "a.ts",
            "type A = number;\nconst f = (): A => { throw new Error('no'); };\nf();\nexport default f;",
            107,
            "Error: no\n\tat f (a.ts:2:32)\n\tat <anonymous> (a.ts:3:1)\n    2 | const f",
        ),
        ("a.ts", "type A = number;\n\n\nexport default function (): A { null.x; }", 0, "\\n\\tat default (a.ts:4:33)"),
        ("a.js", "exports.default = function () { null.x; }", 0, "\\n\\tat <anonymous> (a.js:1:33"),
        (
            "a.js",
            "import 'k6';\nimport { parseHTML } from 'k6/html';\nexport default parseHTML;\n",
            107,
            "`k6/html` is not served: there is no reader of HTML\n\tat import (a.js:2:1)\n    2 | import",
        ),
        ("a.ts", "\nimport ws from 'k6/ws';\nexport default ws;\n", 107, "`k6/ws` is not served"),
        ("a.js", "import ws from 'k6/websockets';\nexport default ws;\n", 107, "`k6/websockets` is not served"),
        ("a.js", "import g from 'k6/net/grpc';\nexport default g;\n", 107, "`k6/net/grpc` is not served"),
        ("a.js", "import r from 'k6/experimental/redis';\nexport default r;", 107, "experimental/redis` is not served"),
        ("a.js", "import { browser } from 'k6/browser';\nexport default browser;", 107, "`k6/browser` is not served"),
        ("a.js", "import x from './no.js';\nexport default x;", 107, "`./no.js` is not there"),
        ("a.js", "import x from 'http://a/b.js';\nexport default x;", 107, "`http://a/b.js` is not served"),
    ] {
        let (exit, told) = told(&server, name, text, copies.path());
        assert!(told.contains(words) && exit == Some(code), "{text}\n{exit:?} {told}");
    }
}

#[test]
fn modules_of_other_hosts_are_fetched_and_kept() {
    let server = Server::start();
    let copies = tempfile::tempdir().unwrap();
    let script = |name: &str| {
        let url = server.tls_url();
        format!(
            "import 'k6';\nimport {{ two }} from '{url}/module/lib/{name}.js';\n\
             export default () => console.log('got', two);\n"
        )
    };
    let (exit, said) = told(&server, "a.js", &script("index"), copies.path());
    assert!(exit == Some(0) && said.contains("got 2"), "{said}");
    let (exit, said) = told(&server, "a.js", &script("nothing"), copies.path());
    let words = "cannot be fetched: HTTP status 404; there is no copy of it";
    assert!(exit == Some(107) && said.contains(words) && said.contains("at import (a.js:2:1)"), "{said}");
    // The host is gone: a copy is as good, and without one the error says what to do.
    let (known, unknown) = (script("index"), script("umd").replace("/lib/", "/"));
    drop(server);
    let server = Server::start();
    let (exit, said) = told(&server, "a.js", &known, copies.path());
    assert!(exit == Some(0) && said.contains("its copy is used") && said.contains("got 2"), "{said}");
    let (exit, said) = told(&server, "a.js", &unknown, copies.path());
    assert!(exit == Some(107) && said.contains("connection refused") && said.contains("save it as a file"), "{said}");
}

/// k6 1.8.1 panics where a server refuses what it sends first, so there is no record.
#[test]
fn a_digest_is_given_where_a_server_asks_for_one() {
    let server = Server::start();
    let copies = tempfile::tempdir().unwrap();
    let url = server.url().replace("http://", "http://user:secret@");
    let text = format!(
        "import http from 'k6/http';\nexport const options = {{ thresholds: {{ http_reqs: ['count==5'], \
         http_req_failed: ['rate==0'] }} }};\nexport default () => {{\n  for (const path of ['digest/old?a=b', \
         'digest/new', 'text']) {{\n    const r = http.post(`{url}/${{path}}`, 'x', {{ auth: 'digest' }});\n    \
         console.log(r.status, r.body);\n  }}\n}};\n"
    );
    let (exit, said) = told(&server, "a.js", &text, copies.path());
    for words in ["200 in, with no qop", "200 in, with qop", "200 plain text"] {
        assert!(exit == Some(0) && said.contains(words), "{said}");
    }
}

#[test]
fn modules_of_other_hosts_import_no_files_of_this_one() {
    let server = Server::start();
    let copies = tempfile::tempdir().unwrap();
    for name in ["asks_local", "requires_local"] {
        let script = format!("import '{}/module/{name}.js';\nexport default () => {{}};\n", server.tls_url());
        let (exit, said) = told(&server, "a.js", &script, copies.path());
        let words = "must not import a file of this host: `file:///nowhere.js`";
        assert!(exit == Some(107) && said.contains(words), "{said}");
    }
}

#[test]
fn a_text_that_was_cut_within_a_character_is_sent() {
    let server = Server::start();
    let copies = tempfile::tempdir().unwrap();
    let script = "import encoding from 'k6/encoding';\n\
                  export default () => console.log(encoding.b64encode('a\\u{1f600}'.substring(0, 2)));\n";
    let (exit, said) = told(&server, "a.js", script, copies.path());
    assert!(exit == Some(0) && said.contains("Ye+/vQ=="), "{said}");
}
