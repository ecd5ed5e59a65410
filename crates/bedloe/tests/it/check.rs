//! `bedloe check` as a user runs it: what it prints, where, and how it exits.

mod host;
mod nginx;
mod reference;
mod run;
mod server_xml;

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const SEED: [&str; 3] = ["nginx.conf", "conf.d/liberty-lb.conf", "conf.d/liberty-upstream.conf"];

/// Runs the command in a folder.
fn check(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bedloe")).arg("check").args(args).current_dir(folder).output().expect("it starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A folder with one configuration file.
fn folder_with(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("nginx.conf"), text).expect("a file");
    folder
}

/// Directives of the main context that need nothing of this machine, and an `http` block.
fn folder_serving(http: &str) -> TempDir {
    folder_with(&format!("pid nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{http}\n}}\n"))
}

/// The seed configuration in a folder of its own, logs and pid file too, with a certificate and key.
fn seed() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seed");
    for part in ["conf.d", "ssl"] {
        fs::create_dir(folder.path().join(part)).expect("a folder");
    }
    for name in SEED {
        let text = fs::read_to_string(source.join(name)).expect("the seed");
        let own = folder.path().to_str().expect("a plain path");
        let text = ["/etc/nginx", "/var/log/nginx", "/run"].iter().fold(text, |text, path| text.replace(path, own));
        // Not every machine has www-data.
        let text = text.replace("user www-data;", "");
        // Nor has everybody the right to listen on low ports.
        let text = text.replace("listen 80", "listen 8080").replace("listen 443", "listen 8443");
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let pair = lab::certificate::make(Ipv4Addr::LOCALHOST.into()).expect("a certificate");
    for (name, text) in [("ssl/liberty.crt", &pair.certificate), ("ssl/liberty.key", &pair.key)] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[test]
fn the_seed_passes_with_its_traps_told() {
    let folder = seed();
    let output = check(folder.path(), &["-c", "nginx.conf"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.ends_with(
        " notes\n\
         bedloe: the configuration file nginx.conf syntax is ok\n\
         bedloe: configuration file nginx.conf test is successful\n"
    ));
    for code in [
        "affinity-by-cookie-hash",
        "keepalive-outlives-server",
        "balanced-health-location",
        "post-not-retried",
        "listen-backlog",
    ] {
        assert!(text.contains(&format!("warning[{code}]")), "{code} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour but on a terminal");
    assert_eq!(stdout(&output), "");
}

#[test]
fn quiet_says_nothing_of_a_good_file() {
    let folder = seed();
    let output = check(folder.path(), &["-q", "-c", "nginx.conf"]);
    assert_eq!((output.status.code(), stderr(&output), stdout(&output)), (Some(0), String::new(), String::new()));
}

#[test]
fn dump_prints_all_files() {
    let folder = seed();
    let output = check(folder.path(), &["-T", "-c", "nginx.conf"]);
    let text = stdout(&output);
    assert!(text.starts_with("# configuration file nginx.conf:\n\nworker_processes auto;\n"), "{text}");
    let heads = text.lines().filter(|line| line.starts_with("# configuration file ")).count();
    assert_eq!(heads, SEED.len());
}

#[test]
fn all_errors_are_shown_with_place_line_and_advice() {
    let folder = folder_with(
        "worker_procesess 1;\nevents {}\nhttp {\n\tserver { listen 80; retrun 204; }\n}\npid p; error_log stderr;\n",
    );
    let output = check(folder.path(), &["-c", "nginx.conf"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "\
error[unknown-directive]: unknown directive \"worker_procesess\"
 --> nginx.conf:1:1
  |
1 | worker_procesess 1;
  | ^^^^^^^^^^^^^^^^
  |
  = help: did you mean \"worker_processes\"?

error[unknown-directive]: unknown directive \"retrun\"
 --> nginx.conf:4:22
  |
4 |     server { listen 80; retrun 204; }
  |                         ^^^^^^
  |
  = help: did you mean \"return\"?

bedloe: 2 errors
bedloe: configuration file nginx.conf test failed
";
    assert_eq!(stderr(&output), expected);
}

#[test]
fn json_is_for_scripts() {
    let folder = folder_with("events {}\npid a;\npid b;\nerror_log stderr;\n");
    let output = check(folder.path(), &["--json", "-c", "nginx.conf"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), String::new()));
    let whole: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(whole["ok"], false);
    let found = &whole["diagnostics"][0];
    assert_eq!((&found["code"], &found["severity"]), (&"duplicate-directive".into(), &"error".into()));
    assert_eq!((&found["line"], &found["column"], &found["length"]), (&3.into(), &1.into(), &3.into()));
}

#[test]
fn missing_files_are_errors() {
    let folder = seed();
    fs::remove_file(folder.path().join("ssl/liberty.key")).expect("it was there");
    let output = check(folder.path(), &["-q", "-c", "nginx.conf"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("conf.d/liberty-lb.conf:10:25"), "{}", stderr(&output));
    let output = check(folder.path(), &["-c", "none.conf"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot read none.conf"), "{}", stderr(&output));
}

#[test]
fn the_command_line_adds_directives_and_a_prefix() {
    let folder = folder_serving("server { return 204; }");
    fs::create_dir(folder.path().join("conf")).expect("a folder");
    fs::rename(folder.path().join("nginx.conf"), folder.path().join("conf/nginx.conf")).expect("a file");
    assert_eq!(check(folder.path(), &["-p", ".", "-g", "worker_processes 2"]).status.code(), Some(0));
    let output = check(folder.path(), &["-p", ".", "-g", "worker_processes two;"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("command line:1:18"), "{}", stderr(&output));
}
