//! `bedloe ha`: a pair's configuration as keepalived itself judges it, what is found in others, and what keepalived
//! asks.
#![allow(clippy::print_stderr, reason = "says what it skips")]

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::balancer::Balancer;
use crate::support::scripted::Scripted;

fn ha(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bedloe")).arg("ha").args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An interface of this host that VRRP may run on.
fn interface() -> Option<String> {
    let entries = fs::read_dir("/sys/class/net").ok()?.filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).find(|name| name.starts_with('e'))
}

#[test]
fn keepalived_takes_what_is_written() {
    let has_keepalived = Command::new("keepalived").arg("--version").output().is_ok();
    let is_root = rustix::process::geteuid().is_root();
    let Some(interface) = interface().filter(|_| has_keepalived && is_root) else {
        eprintln!("skipped: keepalived_takes_what_is_written: it needs root, keepalived and an interface");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (name, own, told) in [
        ("a", "10.255.0.2", &["--peer", "10.255.0.3"][..]),
        ("b", "10.255.0.3", &["--peer", "10.255.0.2"]),
        ("c", "10.255.0.2", &["--multicast"]),
    ] {
        let file = folder.path().join(name).display().to_string();
        let rest = ["--interface", &interface, "--address", "10.255.0.10/24", "--self", own];
        let written = ha(&[&["keepalived", "--output", &file], &rest[..], told].concat());
        assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
        let judged =
            Command::new("keepalived").args(["--config-test", "--use-file", &file]).output().expect("it starts");
        let said = text(&judged.stderr);
        // The program of a checkout lies in folders that others may write to.
        let is_else = |line: &&str| !line.contains("insecure") && !line.trim().is_empty();
        assert_eq!(said.lines().filter(is_else).collect::<Vec<_>>(), [""; 0], "{said}");
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let checked = ha(&["check", &path("a"), &path("b")]);
    assert_eq!((checked.status.code(), text(&checked.stderr).as_str()), (Some(0), "bedloe: nothing found\n"));
    let checked = ha(&["check", &path("b"), &path("c")]);
    assert!(checked.status.code() == Some(1) && text(&checked.stderr).contains("error[ha-pair-peer]"));
}

#[test]
fn a_file_that_is_there_is_replaced_only_where_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("there"), "mine").expect("a file");
    std::os::unix::fs::symlink("there", path("link")).expect("a link");
    let written = |name: &str, more: &[&str]| {
        let rest = "keepalived --interface e --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.3 --output";
        let words: Vec<&str> = rest.split(' ').collect();
        let output = ha(&[&words[..], &[&path(name)], more].concat());
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = written("there", &[]);
    assert!(code == Some(1) && said.contains("is not written over without --force"), "{said}");
    let (code, said) = written("link", &["--force"]);
    assert!(code == Some(1) && said.contains("no file"), "{said}");
    assert_eq!(fs::read_to_string(path("there")).expect("a file"), "mine");
    assert_eq!(written("there", &["--force"]), (Some(0), String::new()));
    assert!(fs::read_to_string(path("link")).expect("a file").starts_with("# The balancer 10.0.0.2"));
}

#[test]
fn what_is_found_is_shown_at_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keepalived.conf");
    let text_of = "vrrp_instance one {\n    state MASTER\n    interface eth0\n    virtual_router_id 51\n    \
                   advert_int 0.3\n    nopreempt\n    virtual_ipaddress {\n        10.0.0.10/24\n    }\n}\n";
    fs::write(&path, text_of).expect("a file");
    let path = path.display().to_string();
    let checked = ha(&["check", &path]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    let expected = format!(
        "error[ha-version]: VRRP 2 knows whole seconds alone\n --> {path}:5:16\n  |\n5 |     advert_int 0.3\n  |    \
                     \x20           ^^^\n  |\n  = help: add vrrp_version 3 to global_defs\n"
    );
    assert!(said.starts_with(&expected), "{said}");
    for part in ["warning[ha-nopreempt-master]", "warning[ha-no-check]", "bedloe: 1 error, 2 warnings\n"] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    let json: serde_json::Value = serde_json::from_slice(&ha(&["check", "--json", &path]).stdout).expect("JSON");
    assert_eq!((&json["ok"], &json["diagnostics"][1]["line"]), (&false.into(), &5.into()), "{json}");
    let empty = folder.path().join("empty.conf").display().to_string();
    fs::write(&empty, "# nothing\n").expect("a file");
    let checked = ha(&["check", &path, &empty]);
    let said = text(&checked.stderr);
    assert!(checked.status.code() == Some(1) && said.contains("there is no vrrp_instance here"), "{said}");
    let none = ha(&["check", "/nowhere/keepalived.conf"]);
    let said = text(&none.stderr);
    assert!(none.status.code() == Some(1) && said.contains("cannot read /nowhere/keepalived.conf"), "{said}");
    assert_eq!(ha(&["check"]).status.code(), Some(2));
}

#[test]
fn a_balancer_is_alive_or_is_not() {
    let server = Scripted::named("a");
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; server {}; }} server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}
         upstream gone {{ server 127.0.0.1:1 down; server 127.0.0.1:2 down; }}
         server {{ listen unix:FOLDER/gone; location / {{ proxy_pass http://gone; }} }}",
        server.address()
    ));
    let admin = format!("unix:{}", balancer.admin().display());
    let url = format!("http://{}", balancer.address());
    let said = |arguments: &[&str], code: i32| {
        let output = ha(&[&["alive"], arguments].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    };
    assert_eq!(said(&["--admin", &admin], 0), "");
    assert_eq!(said(&["--url", &url], 0), "");
    assert_eq!(said(&["--admin", &admin, "--url", &url], 0), "");
    assert!(said(&["--admin", &admin, "--servers"], 1).contains("no server of the upstream gone gets requests"));
    assert!(said(&["--admin", "unix:/nowhere/admin"], 1).contains("admin socket"));
    said(&["--admin", "admin"], 2);
    said(&[], 2);
    balancer.signal_worker(Signal::STOP);
    let since = Instant::now();
    assert!(said(&["--admin", &admin], 1).contains("no answer within 1s"));
    assert!(since.elapsed() < Duration::from_secs(10));
    balancer.signal_worker(Signal::CONT);
    assert_eq!(said(&["--admin", &admin], 0), "");
}
