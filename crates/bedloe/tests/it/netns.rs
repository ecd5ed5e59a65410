//! `bedloe lab --netns`: a balancer's host cut off and back, with real keepalived, and that alone killed; what no
//! take-over explains; and that nothing is left of it.
//! Where the machine has not what it needs, the tests say so and are skipped.
#![allow(clippy::print_stderr, reason = "says what it skips")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::balancer::{children, wait_until};

/// What is missing for such a lab, if anything is.
fn missing() -> Option<&'static str> {
    let runs = |program: &str, arguments: &[&str]| {
        let run = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    };
    match () {
        () if !rustix::process::geteuid().is_root() => Some("root"),
        () if !runs("ip", &["-V"]) => Some("ip"),
        () if !runs("nft", &["--version"]) => Some("nft"),
        () if !runs("keepalived", &["--version"]) => Some("keepalived"),
        () if !runs("unshare", &["--net", "true"]) => Some("network namespaces"),
        () => None,
    }
}

fn lab(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["lab", "--netns", "--folder"]).arg(folder.join("lab")).args(["--rate", "50"]).args(arguments);
    command
}

#[test]
fn a_balancer_that_is_cut_off_is_replaced_and_comes_back() {
    if let Some(what) = missing() {
        eprintln!("skipped: a_balancer_that_is_cut_off_is_replaced_and_comes_back: no {what}");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let json = home.path().join("numbers.json");
    let faults = ["--cut", "master@2s", "--mend", "master@6s", "--drop", "liberty-1:10@8s", "--mend", "liberty-1@9s"];
    let times = ["--duration", "11s", "--sessions", "10", "--json", json.to_str().expect("a plain path")];
    let run = lab(home.path(), &[&faults[..], &times].concat()).output().expect("the program runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{said}");
    let numbers: Value = serde_json::from_slice(&std::fs::read(json).expect("a file")).expect("JSON");
    let (cut, mend) = (&numbers["faults"][0], &numbers["faults"][1]);
    assert!(cut["unanswered"].as_u64() > Some(0) && cut["back_ms"].as_u64() <= Some(3_000), "{numbers:#}");
    assert!(cut["host"] == mend["host"] && mend["masters"].as_array().map(Vec::len) == Some(1), "{numbers:#}");
    assert_ne!(cut["host"], mend["masters"][0], "the address stays where it is");
    assert_eq!((&numbers["sessions"], &numbers["sessions_lost"]), (&10.into(), &0.into()), "{numbers:#}");
    for part in ["is cut off", "loses 10% of its packets", "FAULTS", "PASSED: "] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
}

#[test]
fn keepalived_may_be_paused_and_killed_and_a_load_that_fails_for_nothing_is_no_pass() {
    if let Some(what) = missing() {
        eprintln!(
            "skipped: keepalived_may_be_paused_and_killed_and_a_load_that_fails_for_nothing_is_no_pass: no {what}"
        );
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let json = home.path().join("numbers.json");
    let run = |arguments: &[&str]| {
        let more = ["--sessions", "5", "--json", json.to_str().expect("a plain path")];
        let run = lab(home.path(), &[arguments, &more].concat()).output().expect("the program runs");
        let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        let numbers: Value = serde_json::from_slice(&std::fs::read(&json).expect("a file")).expect("JSON");
        (run.status.code(), said, numbers)
    };
    let pause = ["--pause", "keepalived-master@1s", "--resume", "keepalived-master@3s"];
    let kill = ["--kill", "keepalived-master@4s", "--restart", "keepalived-master@6s"];
    let (code, said, numbers) = run(&[pause, kill, ["--duration", "8s", "--servers", "2"]].concat());
    assert_eq!(code, Some(0), "{said}");
    for (row, part) in [(0, "paused"), (1, "goes on"), (2, "killed"), (3, "started again")] {
        let masters = numbers["faults"][row]["masters"].as_array().map(Vec::len);
        assert!(masters == Some(if row % 2 == 0 { 2 } else { 1 }), "{part}: {numbers:#}");
        assert!(numbers["faults"][row]["host"].as_str().is_some_and(|host| host.starts_with("keepalived-balancer-")));
    }
    // Nothing is wrong with a balancer, and what it serves fails.
    let (code, said, numbers) = run(&["--servers", "1", "--kill", "liberty-1@1s", "--duration", "3s"]);
    assert_eq!(code, Some(99), "{said}");
    assert!(said.contains("requests of the load failed while no balancer was gone: none may"), "{said}");
    assert!(numbers["unexplained"]["outside"].as_u64() > Some(0), "{numbers:#}");
}

#[test]
fn nothing_is_left_of_one_that_is_killed() {
    if let Some(what) = missing() {
        eprintln!("skipped: nothing_is_left_of_one_that_is_killed: no {what}");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    for signal in [Signal::KILL, Signal::INT] {
        let mut command = lab(home.path(), &["--duration", "60s", "--sessions", "1", "--no-faults"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut all = String::new();
        while !all.ends_with("the load begins\n") {
            assert!(said.read_line(&mut all).expect("text") > 0, "the lab has ended: {all}");
        }
        let own = children(child.id());
        // A switch, six hosts, three servers, two balancers and two of keepalived.
        assert!(own.len() >= 14, "{own:?}");
        let below: Vec<u32> = own.iter().flat_map(|pid| children(*pid)).collect();
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        child.wait().expect("it ends");
        wait_until("the end of all", || own.iter().chain(&below).all(|pid| !is_there(*pid)));
    }
}

/// A process that has ended and that nobody has asked for is not there.
fn is_there(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let home = tempfile::tempdir().expect("a folder");
    let table: [(&[&str], i32, &str); 7] = [
        (&["--cut", "liberty-9@3s"], 1, "there is no such host; there are master, balancer-1, balancer-2, liberty-1"),
        (&["--cut", "keepalived-master@3s"], 1, "for what else is done name its host"),
        (&["--drop", "liberty-1@3s"], 1, "write NAME:PERCENT@TIME"),
        (&["--mend", "master@2m"], 1, "the load ends at 60s"),
        (&["--duration", "2h"], 1, "such a lab lasts 1s to 3600s"),
        (&["--roll"], 2, "cannot be used with"),
        (&["--keep"], 2, "cannot be used with"),
    ];
    for (arguments, code, part) in table {
        let run = lab(home.path(), arguments).output().expect("the program runs");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.code() == Some(code) && said.contains(part), "{arguments:?}: {said}");
        assert!(!home.path().join("lab").exists());
    }
    let without = Command::new(env!("CARGO_BIN_EXE_bedloe")).args(["lab", "--cut", "master@3s"]).output();
    assert_eq!(without.expect("the program runs").status.code(), Some(2), "--cut without --netns");
}
