//! `bedloe lab` as a program, in short: a run with a kill, its end by Ctrl-C and by a crash, and what is refused before
//! anything starts. Each test has addresses of its own, so that they run side by side.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long the end of processes may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A lab of its own: folder and addresses.
pub(crate) struct Place {
    home: TempDir,
    net: [u8; 2],
}

impl Place {
    /// `number` tells the tests of one run apart, the process id two runs.
    pub(crate) fn new(number: u8) -> Self {
        let [.., low] = std::process::id().to_be_bytes();
        Self { home: tempfile::tempdir().expect("a folder"), net: [100 + number, low] }
    }

    pub(crate) fn address(&self, last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([127, self.net[0], self.net[1], last], port))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
        let address = self.address(10, 0).ip().to_string();
        command.args(["lab", "--address", &address, "--warm-up", "0", "--folder"]).arg(self.home.path().join("lab"));
        command.args(arguments);
        command
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Starts a lab and waits for its load.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut child =
            self.command(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut all = String::new();
        while !all.ends_with("the load begins\n") {
            assert!(said.read_line(&mut all).expect("text") > 0, "the lab has ended: {all}");
        }
        Running { child, said }
    }

    /// Waits until nobody listens at any of the lab's addresses.
    pub(crate) fn assert_gone(&self) {
        let servers = (11..=13).map(|last| self.address(last, 9080));
        for address in servers.chain([self.address(10, 8080), self.address(10, 8443)]) {
            let end = Instant::now() + PATIENCE;
            while TcpStream::connect(address).is_ok() {
                assert!(Instant::now() < end, "somebody still listens at {address}");
                std::thread::yield_now();
            }
        }
    }
}

/// A lab under load; ended when dropped.
pub(crate) struct Running {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for the end: what it still said, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).expect("text");
        (rest, self.child.wait().expect("it ends").code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_kill_loses_no_request_and_is_told() {
    let place = Place::new(0);
    let json = place.home.path().join("numbers.json");
    let json = json.to_str().expect("a plain path");
    let run = place.output(&["--rate", "200", "--duration", "4s", "--json", json]);
    let (out, err) = (text(&run.stdout), text(&run.stderr));
    assert_eq!(run.status.code(), Some(0), "{out}{err}");
    let parts = [
        "    + return 301 https://$host:8443$request_uri;",
        "fail_timeout=30s route=s2;",
        "logs stay in /",
        "TOTAL RESULTS",
        "PROCESSES",
        "TIME LINE",
        "PASSED: ",
    ];
    for part in parts {
        assert!(out.contains(part), "{part:?} is missing in {out}");
    }
    let numbers: Value = serde_json::from_slice(&std::fs::read(json).expect("a file")).expect("JSON");
    assert_eq!((numbers["lost"].as_u64(), numbers["passed"].as_bool()), (Some(0), Some(true)), "{numbers}");
    assert_eq!(numbers["processes"].as_array().map(Vec::len), Some(5));
    let incident = &numbers["timeline"]["incidents"][0];
    assert_eq!((incident["server"].as_str(), incident["action"].as_str()), (Some("liberty-2"), Some("kill")));
    assert!(incident["noticed_ms"].is_u64() && incident["back_ms"].is_u64(), "{incident}");
    place.assert_gone();
}

#[test]
fn an_interrupt_takes_everything_down() {
    let place = Place::new(1);
    let lab = place.start(&["--rate", "50"]);
    lab.signal(Signal::INT);
    let (said, code) = lab.end();
    assert_eq!(code, Some(105), "{said}");
    place.assert_gone();
}

/// The balancer of a lab, by its id.
fn balancer(place: &Place) -> Pid {
    let id = std::fs::read_to_string(place.home.path().join("lab/nginx.pid")).expect("the balancer's pid file");
    Pid::from_raw(id.trim().parse().expect("an id")).expect("an id")
}

/// The server of a lab that listens at `address`, by its id.
fn server(lab: &Child, address: SocketAddr) -> Pid {
    let children = format!("/proc/{0}/task/{0}/children", lab.id());
    let ids = std::fs::read_to_string(children).expect("the lab's children");
    let mut ids = ids.split_whitespace();
    let listens = |id: &&str| {
        let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|each| each == address.to_string().as_bytes())
    };
    let id = ids.find(listens).expect("a server").parse().expect("an id");
    Pid::from_raw(id).expect("an id")
}

#[test]
fn a_server_that_somebody_else_kills_is_one_more_failure() {
    let place = Place::new(8);
    let json = place.home.path().join("numbers.json");
    let path = json.to_str().expect("a plain path");
    let lab = place.start(&["--rate", "50", "--duration", "3s", "--no-faults", "--json", path]);
    kill_process(server(&lab.child, place.address(13, 9080)), Signal::KILL).expect("it runs");
    let (said, code) = lab.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("liberty-3 has ended by itself (signal: 9 (SIGKILL))"), "{said}");
    let numbers: Value = serde_json::from_slice(&std::fs::read(&json).expect("a file")).expect("JSON");
    let incident = &numbers["timeline"]["incidents"][0];
    assert_eq!((incident["server"].as_str(), incident["action"].as_str()), (Some("liberty-3"), Some("exit")));
    place.assert_gone();
}

#[test]
fn a_script_is_the_load() {
    let place = Place::new(14);
    let (script, json) = (place.home.path().join("script.js"), place.home.path().join("numbers.json"));
    let text_of = "import http from 'k6/http';
        import { check, sleep } from 'k6';
        export const options = {
          scenarios: { a: { executor: 'constant-arrival-rate', rate: 50, duration: '2s', preAllocatedVUs: 20 } },
          thresholds: { checks: ['rate>0.99'] },
        };
        export function setup() { sleep(3); }
        export default () => check(http.get(`${__ENV.URL}/accounts-external/api/hello?${__ENV.WORD}`),
          { 'from the lab': (r) => r.status === 200 && r.url.endsWith('?word') });";
    std::fs::write(&script, text_of).expect("a file");
    let (script, path) = (script.to_str().expect("a plain path"), json.to_str().expect("a plain path"));
    let faults = ["--kill", "liberty-2@500ms", "--restart", "liberty-2@1s"];
    let run = place.output(&[&["--script", script, "-e", "WORD=word", "--json", path][..], &faults].concat());
    let (out, err) = (text(&run.stdout), text(&run.stderr));
    assert_eq!(run.status.code(), Some(0), "{out}{err}");
    for part in ["load           the script, up to 20 users for 2s\n", "✓ from the lab", "liberty-2"] {
        assert!(out.contains(part), "{part:?} is missing in {out}");
    }
    let numbers = || -> Value { serde_json::from_slice(&std::fs::read(&json).expect("a file")).expect("JSON") };
    let first = numbers();
    assert_eq!((first["requests"].as_u64(), first["lost"].as_u64()), (Some(100), Some(0)), "{first}");
    // Faults and all time lines are counted from behind the setup.
    let last_ms = first["run"]["course"]["at_ms"].as_array().and_then(|all| all.last()?.as_u64());
    assert!(last_ms.is_some_and(|ms| (1_500..4_900).contains(&ms)), "{last_ms:?}");
    std::fs::write(script, "export function setup() { throw new Error('no'); } export default () => {};")
        .expect("a file");
    let run = place.output(&["--no-faults", "--script", script, "--json", path]);
    let (err, verdict) = (text(&run.stderr), numbers()["run"]["verdict"]["sentence"].to_string());
    assert!(run.status.code() == Some(99) && verdict.contains("threw an exception"), "{verdict} {err}");
    assert!(!err.contains("the load begins"), "{err}");
    place.assert_gone();
    let run = place.output(&["--script", "/nowhere.js"]);
    assert!(run.status.code() == Some(1) && text(&run.stderr).contains("/nowhere.js"), "{}", text(&run.stderr));
}

#[test]
fn the_balancers_end_ends_the_lab() {
    let place = Place::new(9);
    let lab = place.start(&["--rate", "50", "--no-faults"]);
    kill_process(balancer(&place), Signal::KILL).expect("it runs");
    let (said, code) = lab.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("balancer has ended by itself"), "{said}");
    place.assert_gone();
}

#[test]
fn what_cannot_be_written_is_said_and_hides_no_failure() {
    let place = Place::new(10);
    let short = ["--rate", "50", "--duration", "1s", "--no-faults"];
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let run = |extra: &[&str], out: Stdio| place.command(&[&short, extra].concat()).stdout(out).output().expect("runs");
    let done = run(&[], full().into());
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("cannot write the result: No space left"), "{}", text(&done.stderr));
    let (reader, closed) = std::io::pipe().expect("a pipe");
    drop(reader);
    let done = run(&[], closed.into());
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(!text(&done.stderr).contains("cannot write"), "{}", text(&done.stderr));
    let none = place.home.path().join("none/x.json");
    let done = run(&["--json", none.to_str().expect("a plain path")], Stdio::null());
    let said = text(&done.stderr);
    assert!(done.status.code() == Some(1) && said.contains("nothing was started: cannot write "), "{said}");
    let done = run(&["--json", "/dev/full"], Stdio::null());
    let said = text(&done.stderr);
    assert!(done.status.code() == Some(1) && said.contains("cannot write /dev/full: No space left"), "{said}");
}

#[test]
fn a_failure_is_named_and_keeps_its_exit_code() {
    let place = Place::new(13);
    let load = ["--servers", "1", "--kill", "liberty-1@500ms", "--rate", "50", "--duration", "2s"];
    let run = place.output(&[&load[..], &["--json", "/dev/full"]].concat());
    let (out, err) = (text(&run.stdout), text(&run.stderr));
    assert_eq!(run.status.code(), Some(99), "{out}{err}");
    for part in
        ["FAILED: ", "the threshold http_req_failed rate<0.01 does not hold: it is 0.", "requests are lost, 0 al"]
    {
        assert!(out.contains(part), "{part:?} is missing in {out}");
    }
    assert!(err.contains("cannot write /dev/full"), "{err}");
}

#[test]
fn a_relative_folder_is_taken_from_where_the_lab_is_started() {
    let place = Place::new(11);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    let address = place.address(10, 0).ip().to_string();
    command.args(["lab", "--address", &address, "--warm-up", "0", "--folder", "here", "--no-faults"]);
    command.args(["--rate", "50", "--duration", "1s"]).current_dir(place.home.path());
    let run = command.output().expect("the program runs");
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert!(place.home.path().join("here/logs/balancer.log").exists());
}

#[test]
fn an_interrupt_takes_everything_down_though_the_balancer_hangs() {
    let place = Place::new(6);
    let lab = place.start(&["--rate", "50"]);
    kill_process(balancer(&place), Signal::STOP).expect("it runs");
    let since = Instant::now();
    lab.signal(Signal::INT);
    let (said, code) = lab.end();
    assert_eq!(code, Some(105), "{said}");
    assert!(said.contains("once more to end at once") && since.elapsed() < PATIENCE, "{:?} {said}", since.elapsed());
    place.assert_gone();
}

#[test]
fn a_second_signal_waits_for_nothing() {
    let place = Place::new(7);
    let mut lab = place.start(&["--rate", "50"]);
    kill_process(balancer(&place), Signal::STOP).expect("it runs");
    lab.signal(Signal::INT);
    let mut said = String::new();
    while !said.contains("once more to end at once") {
        assert!(lab.said.read_line(&mut said).expect("text") > 0, "the lab has ended: {said}");
    }
    let since = Instant::now();
    lab.signal(Signal::TERM);
    let (said, code) = lab.end();
    assert_eq!(code, Some(105), "{said}");
    // Less than the balancer's state, which does not come, is waited for.
    assert!(since.elapsed() < Duration::from_millis(1_500), "{:?}", since.elapsed());
    place.assert_gone();
}

#[test]
fn a_crash_of_the_lab_leaves_nothing_behind() {
    let place = Place::new(2);
    let lab = place.start(&["--rate", "50"]);
    lab.signal(Signal::KILL);
    lab.end();
    place.assert_gone();
}

#[test]
fn keep_stays_until_it_is_told_to_go() {
    let place = Place::new(3);
    let mut lab = place.command(&["--rate", "50", "--duration", "1s", "--no-faults", "--keep"]);
    let mut child = lab.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let said: Vec<String> = lines.take_while(|line| line != "It all stays up until Ctrl-C.").collect();
    let said = said.join("\n");
    let socket = place.home.path().join("lab/admin.sock");
    let balancer = format!("https://{}/", place.address(10, 8443));
    let (server, admin) = (format!("http://{}/", place.address(13, 9080)), socket.display().to_string());
    for part in [&balancer, &server, &format!("--unix-socket {admin} http://admin/status"), "lab/logs\n"] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    assert!(TcpStream::connect(place.address(10, 8443)).is_ok() && TcpStream::connect(place.address(11, 9080)).is_ok());
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    place.assert_gone();
}

#[test]
fn a_port_in_use_is_named_before_anything_starts() {
    let place = Place::new(4);
    let mine = TcpListener::bind(place.address(12, 9080)).expect("a free address");
    let run = place.output(&[]);
    let said = text(&run.stderr);
    assert!(!run.status.success());
    let (address, pid) = (place.address(12, 9080), std::process::id());
    assert!(said.contains("nothing was started"), "{said}");
    assert!(said.contains(&format!("{address} is in use by ")) && said.contains(&format!("(process {pid})")), "{said}");
    drop(mine);
    place.assert_gone();
}

#[test]
fn too_few_open_files_are_named_before_anything_starts() {
    let script = format!("ulimit -n 20; exec '{}' lab --folder '{}'", env!("CARGO_BIN_EXE_bedloe"), "/nonexistent");
    let run = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    let said = text(&run.stderr);
    assert!(!run.status.success() && said.contains("nothing was started"), "{said}");
    assert!(said.contains("the limit is 20: run `ulimit -n 4128` before"), "{said}");
}

#[test]
fn faults_are_checked_before_anything_starts() {
    let place = Place::new(5);
    let table = [
        (vec!["--kill", "liberty-9@3s"], "there is no server \"liberty-9\""),
        (vec!["--kill", "liberty-1@2m"], "the load ends at 60s"),
        (vec!["--kill", "liberty-1"], "write NAME@TIME"),
        (
            vec!["--kill", "liberty-1@x"],
            "bedloe: \"liberty-1@x\": \"x\" is no duration; write for example 30s, 1m30s or 250ms\n",
        ),
        (vec!["--resume", "liberty-1@1s"], "the server is not paused"),
        (vec!["--servers", "0"], "a lab has 1 to 64 servers"),
        (vec!["--no-faults", "--kill", "liberty-1@1s"], "cannot be used with"),
    ];
    for (arguments, part) in table {
        let run = place.output(&arguments);
        let said = text(&run.stderr);
        assert!(!run.status.success() && said.contains(part), "{arguments:?}: {said}");
        assert!(!place.home.path().join("lab").exists());
    }
}
