//! What goes wrong around a roll: an interface that hangs, nobody who reads what it says, commands that do not end.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};

use super::{Rolling, before, command, roll, said};
use crate::api::Api;
use crate::support::balancer::wait_until;
use crate::support::scripted::Scripted;

/// Something that speaks as a balancer does, and hangs after so many changes of its first server.
fn interface(changes: usize) -> Scripted {
    let server = Scripted::named("ready").address().to_string();
    let done = AtomicUsize::new(0);
    Scripted::start(move |link, _| {
        let head = link.head()?;
        if head.starts_with("PATCH ") && done.fetch_add(1, Relaxed) >= changes {
            // Nothing comes any more.
            link.head()?;
        }
        let done = done.load(Relaxed);
        let set = |id: u64| {
            let (down, drain) = (id == 0 && done == 2, id == 0 && done == 1);
            json!({"id": id, "server": format!("127.0.0.1:{id}"), "down": down, "drain": drain})
        };
        let state = ["up", "draining", "down"][done.min(2)];
        let answer = match head.split(' ').nth(1).unwrap_or_default() {
            path if path.ends_with("/servers") => json!([set(0), set(1)]),
            path if path.contains("fields=") => json!({"peers": [
                {"id": 0, "name": "a", "server": "127.0.0.1:0", "state": state, "health_checks": {"last_passed": true}},
                {"id": 1, "name": "b", "server": server, "state": "up", "health_checks": {"last_passed": true}},
            ]}),
            _ => json!({}),
        }
        .to_string();
        link.send(crate::support::scripted::ok(&answer))
    })
}

fn against(interface: &Scripted, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["roll", "app", "--json", "--server", "0", "--api", &format!("http://{}", interface.address())]);
    command.args(arguments);
    command
}

#[test]
fn an_interrupt_does_not_wait_for_an_interface_that_hangs() {
    let interface = interface(0);
    let rolling = Rolling::start(against(&interface, &["--restart", "true"]));
    interface.wait_for("PATCH ");
    let began = Instant::now();
    rolling.signal(Signal::INT);
    let said = rolling.ended(105);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}: {said}", began.elapsed());
    assert!(said.contains("a could not be put back") && said.contains("a may still drain or be down"), "{said}");
}

#[test]
fn nobody_knows_of_a_server_whose_balancer_is_gone() {
    let interface = interface(2);
    let output = against(&interface, &["--restart", "exit 3"]).output().expect("it starts");
    let said = said(&output, 1);
    assert!(said.contains("the command failed") && said.contains("a may still drain or be down"), "{said}");
    let json: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["servers"][0]["left"], "unknown", "{json}");
}

#[test]
fn a_roll_goes_on_though_nobody_reads_what_it_says() {
    let servers = ["a", "b"].map(Scripted::named);
    let balancer = before(&servers);
    let restart = "echo out; sleep 0.2; echo err >&2 && echo more && seq 100000";
    // As short as it may be, too.
    let arguments = ["--restart", restart, "--server", "0", "--drain-timeout", "100ms"];
    let mut child =
        command(&balancer, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let peer = Api::of(&balancer).peer(0);
    assert_eq!(peer["state"], "up");
}

/// A command with a process beside it that does not heed TERM.
fn stubborn(folder: &Path) -> String {
    let file = folder.join("pid");
    let deaf = format!("trap '' TERM; sleep 100 & echo $! >{0}.new; mv {0}.new {0}; wait", file.display());
    // Not to be waited for by whoever reads what the roll says.
    format!("exec >/dev/null 2>&1; ({deaf}) & sleep 100")
}

fn is_running(folder: &Path) -> bool {
    let pid = fs::read_to_string(folder.join("pid")).expect("a number");
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // One that nobody has asked how it ended is not running.
    !status.is_empty() && !status.contains(") Z ")
}

#[test]
fn what_the_command_started_ends_with_it() {
    let servers = ["a", "b"].map(Scripted::named);
    let balancer = before(&servers);
    let folder = tempfile::tempdir().expect("a folder");
    let restart = stubborn(folder.path());
    let said = said(&roll(&balancer, &["--restart", &restart, "--server", "0", "--ready-timeout", "500ms"]), 1);
    assert!(said.contains("the command has not ended within --ready-timeout, and was ended"), "{said}");
    wait_until("its end", || !is_running(folder.path()));
    assert_eq!(Api::of(&balancer).peer(0)["state"], "down");
}

#[test]
fn what_the_command_started_ends_at_a_second_signal() {
    let servers = ["a", "b"].map(Scripted::named);
    let balancer = before(&servers);
    let folder = tempfile::tempdir().expect("a folder");
    let restart = stubborn(folder.path());
    let rolling = Rolling::start(command(&balancer, &["--restart", &restart, "--server", "0"]));
    wait_until("the command", || folder.path().join("pid").exists());
    let pid = Pid::from_child(&rolling.child);
    rolling.signal(Signal::INT);
    let mut rolling = rolling;
    rolling.until("once more to stop at once\n");
    kill_process(pid, Signal::INT).expect("it runs");
    let said = rolling.ended(105);
    assert!(!is_running(folder.path()), "{said}");
    assert!(said.contains("is down in the balancer: when it is well"), "{said}");
    assert_eq!(Api::of(&balancer).peer(0)["state"], "down");
}
