//! `bedloe roll`: servers restarted one after the other under load; what stops it, and what it leaves behind then.

mod others;
mod troubles;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::api::{Api, BY_SOCKET};
use crate::support::balancer::{Balancer, Reserved, wait_until};
use crate::support::raw::Raw;
use crate::support::scripted::{Link, Scripted, ok};

/// Stand-ins that a script starts and starts again, as an operator's would.
struct Servers {
    home: TempDir,
    addresses: Vec<SocketAddr>,
    /// Held, so that nobody else gets a port while its server is restarted.
    _ports: Vec<Reserved>,
}

/// `$1` is the port. A new one opens its port late, and is not ready then.
const SCRIPT: &str = r#"cd "$(dirname "$0")"
test -f "$1" && kill "$(cat "$1")"
"$BEDLOE" stand-in --listen "127.0.0.1:$1" --name "s$1" --start-delay 200ms --ready-after 300ms >/dev/null 2>&1 &
echo $! >"$1"
echo "$1" >>restarted
"#;

impl Servers {
    fn start(count: usize) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("restart"), SCRIPT).expect("a file");
        let ports: Vec<Reserved> = (0..count).map(|_| Reserved::new()).collect();
        let servers = Self { home, addresses: ports.iter().map(|port| port.address).collect(), _ports: ports };
        for address in &servers.addresses {
            let script = servers.home.path().join("restart");
            let port = address.port().to_string();
            let status = Command::new("sh").arg(script).arg(port).env("BEDLOE", env!("CARGO_BIN_EXE_bedloe")).status();
            assert!(status.expect("a shell").success());
        }
        for address in &servers.addresses {
            wait_until("a server", || is_ready(*address));
        }
        fs::remove_file(servers.home.path().join("restarted")).expect("a file");
        servers
    }

    /// What restarts one of them.
    fn command(&self) -> String {
        format!("sh {}/restart {{port}}", self.home.path().display())
    }

    fn pid(&self, address: SocketAddr) -> Option<Pid> {
        let text = fs::read_to_string(self.home.path().join(address.port().to_string())).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }

    /// The ports of those that were restarted, in order.
    fn restarted(&self) -> Vec<u16> {
        let lines = fs::read_to_string(self.home.path().join("restarted")).unwrap_or_default();
        lines.lines().map(|line| line.parse().expect("a port")).collect()
    }

    fn balancer(&self, location: &str) -> Balancer {
        let lines: String =
            self.addresses.iter().map(|address| format!("server {address} slow_start=300ms; ")).collect();
        Balancer::start(&format!(
            "upstream app {{ zone app 64k; {lines} keepalive 8; }}
             server {{ listen LISTEN; location / {{ proxy_pass http://app; {location} }} }} {BY_SOCKET}"
        ))
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200 ")
}

impl Drop for Servers {
    fn drop(&mut self) {
        for pid in self.addresses.iter().filter_map(|address| self.pid(*address)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

const CHECK: &str = "health_check uri=/health/ready interval=100ms mandatory;";

fn bedloe(balancer: &Balancer) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["roll", "-c"]).arg(balancer.path("nginx.conf")).arg("-p").arg(balancer.folder());
    command.env("BEDLOE", env!("CARGO_BIN_EXE_bedloe"));
    command
}

fn command(balancer: &Balancer, arguments: &[&str]) -> Command {
    let mut command = bedloe(balancer);
    command.arg("app").args(arguments);
    command
}

fn roll(balancer: &Balancer, arguments: &[&str]) -> Output {
    command(balancer, arguments).output().expect("it starts")
}

/// What it says to a person, after it has ended so.
fn said(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// GETs of a session of the server with the route `r0`, where there is one, while something is done: how many, and
/// those that were not answered with 200.
fn under_load<T>(balancer: &Balancer, work: impl FnOnce() -> T) -> (T, u64, Vec<String>) {
    let (is_over, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let load = || {
        let mut failed = Vec::new();
        while !is_over.load(Relaxed) {
            let fields = "Host: a\r\nCookie: route=r0\r\nConnection: close\r\n\r\n";
            let answer = balancer.ask(format!("GET /accounts-external/api/hello HTTP/1.1\r\n{fields}"));
            count.fetch_add(1, Relaxed);
            if !answer.starts_with("HTTP/1.1 200 ") {
                failed.push(answer);
            }
        }
        failed
    };
    std::thread::scope(|scope| {
        let users = [scope.spawn(load), scope.spawn(load)];
        let done = work();
        is_over.store(true, Relaxed);
        let failed = users.into_iter().flat_map(|user| user.join().expect("no panic")).collect();
        (done, count.load(Relaxed), failed)
    })
}

#[test]
fn all_are_restarted_and_no_request_fails() {
    let servers = Servers::start(3);
    let balancer = servers.balancer(CHECK);
    let api = Api::of(&balancer);
    wait_until("all checked", || (0..3).all(|id| api.peer(id)["state"] == "up"));
    let before: Vec<_> = servers.addresses.iter().map(|address| servers.pid(*address)).collect();
    let arguments = ["--restart", &servers.command(), "--min-up", "2", "--passes", "2", "--json"];
    let (output, count, failed) = under_load(&balancer, || roll(&balancer, &arguments));
    let said = said(&output, 0);
    assert!(failed.is_empty() && count > 10, "{} of {count}: {:?}\n{said}", failed.len(), failed.first());
    let ports: Vec<u16> = servers.addresses.iter().map(SocketAddr::port).collect();
    assert_eq!(servers.restarted(), ports);
    for (address, before) in servers.addresses.iter().zip(before) {
        assert_ne!(servers.pid(*address), before, "another process");
    }
    let json: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["outcome"], "done", "{json}");
    for server in json["servers"].as_array().expect("a list") {
        assert!(server["left"] == "restarted" && server["ready_ms"].as_u64() >= Some(500), "{json}");
        assert!(server["sessions_cut"].is_null(), "the balancer knows of no sessions: {json}");
    }
    assert!((0..3).all(|id| api.peer(id)["state"] == "up"), "{said}");
    for part in ["drains", "is down", "is restarted: sh ", "is ready after", "is in service"] {
        assert_eq!(said.matches(part).count(), 3, "{part:?} in {said}");
    }
}

#[test]
fn without_checks_the_servers_themselves_are_asked() {
    let servers = Servers::start(2);
    let balancer = servers.balancer("");
    let second = servers.addresses[1].to_string();
    let arguments = ["--restart", &servers.command(), "--server", &second, "--passes", "2"];
    let (output, _, failed) = under_load(&balancer, || roll(&balancer, &arguments));
    let said = said(&output, 0);
    assert!(failed.is_empty(), "{failed:?}\n{said}");
    assert!(said.contains(&format!("warning: the balancer does not check {second} (no health_check)")), "{said}");
    assert_eq!(servers.restarted(), [servers.addresses[1].port()]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.starts_with("app: 1 of 1 servers are restarted in "), "{stdout}");
    let many = ["--restart", "true", "--server", &second, "--passes", "1000", "--ready-timeout", "1s"];
    let said = self::said(&roll(&balancer, &many), 1);
    assert!(said.contains("it is not ready within --ready-timeout, at /health/ready: "), "{said}");
    assert!(said.contains(" of 1000 probes have passed in a row"), "{said}");
}

#[test]
fn it_stops_at_a_command_that_fails() {
    let servers = ["a", "b"].map(Scripted::named);
    let balancer = before(&servers);
    let output = roll(&balancer, &["--restart", "echo to the log; exit 3"]);
    let said = said(&output, 1);
    let first = servers[0].address();
    for part in [
        "to the log\n".to_owned(),
        format!("bedloe: app: stopped at {first}: the command failed (exit status: 3)\n"),
        format!("  {first} is down in the balancer: when it is well, `bedloe upstream up app 0`\n"),
        "  go on by the same command with --server 1\n".to_owned(),
    ] {
        assert!(said.contains(&part), "{part:?} is missing in {said}");
    }
    let api = Api::of(&balancer);
    assert_eq!((&api.peer(0)["state"], &api.peer(1)["state"]), (&"down".into(), &"up".into()));
}

fn before(servers: &[Scripted]) -> Balancer {
    let lines: String = servers.iter().map(|server| format!("server {}; ", server.address())).collect();
    Balancer::start(&format!(
        "upstream app {{ zone app 64k; {lines} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; proxy_request_buffering off; }} }} {BY_SOCKET}"
    ))
}

#[test]
fn it_stops_at_a_server_that_does_not_come_back() {
    let servers = Servers::start(2);
    let balancer = servers.balancer(CHECK);
    let api = Api::of(&balancer);
    wait_until("all checked", || (0..2).all(|id| api.peer(id)["state"] == "up"));
    let kill = format!("kill $(cat {}/{{port}})", servers.home.path().display());
    let arguments = ["--restart", &kill, "--ready-timeout", "1s", "--json"];
    let (output, _, failed) = under_load(&balancer, || roll(&balancer, &arguments));
    let said = said(&output, 1);
    assert!(failed.is_empty(), "{failed:?}\n{said}");
    assert!(said.contains("it is not ready within --ready-timeout: 0 of 3 checks have passed"), "{said}");
    let json: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["outcome"], &json["servers"][0]["left"]), (&"failed".into(), &"down".into()));
    assert_eq!((&api.peer(0)["state"], &api.peer(1)["state"]), (&"down".into(), &"up".into()));
    let long = ["--restart", "sleep 100", "--server", "1", "--min-up", "0", "--ready-timeout", "200ms"];
    let said = self::said(&roll(&balancer, &long), 1);
    assert!(said.contains("the command has not ended within --ready-timeout"), "{said}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_done() {
    let servers = ["a", "b"].map(|name| {
        Scripted::start(move |link, _| {
            let is_there = !link.head()?.starts_with("GET /none ");
            link.send(if is_there { ok(name) } else { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into() })
        })
    });
    let balancer = before(&servers);
    let api = Api::of(&balancer);
    let table: [(&[&str], i32, &str); 14] = [
        (&["--restart", "true", "--min-up", "2"], 1, "app: nothing was done: without "),
        (&["--restart", "true", "--server", "c"], 1, "no server \"c\" is in the upstream"),
        (&["--restart", "do {adress}"], 2, "the command has {adress}, and there are {name}, {address}"),
        (&["--restart", "do {adress}"], 2, "\n  do {adress}\n     ^^^^^^^\n"),
        (&["--restart", "do {NAME}"], 2, "the command has {NAME}, and there are {name}, {address}"),
        (&["--restart", "do {name"], 2, "{name is not closed by a brace"),
        (&["--restart", ""], 2, "an empty command restarts nothing"),
        (&["--restart", "do {route}"], 1, "its route \"\" cannot stand in a command as it is: use \"$BEDLOE_ROUTE\""),
        (&["--restart", "true", "--idle", "5s", "--drain-timeout", "5s"], 2, "--idle (5 s) has to be less than"),
        (&["--restart", "true", "--probe", "/none"], 1, "would not be taken for ready: name a page by --probe"),
        (&[], 2, "--restart"),
        (&["--restart", "true", "--passes", "0"], 2, "--passes"),
        (&["--restart", "true", "--ready-timeout", "0"], 2, "no server is ready in no time"),
        (&["--restart", "true", "--probe", "here"], 2, "want a path such as"),
    ];
    for (arguments, code, part) in table {
        let said = said(&roll(&balancer, arguments), code);
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    let refused = roll(&balancer, &["--restart", "true", "--min-up", "2", "--json"]);
    said(&refused, 1);
    let json: Json = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!((&json["outcome"], &json["upstream"]), (&"refused".into(), &"app".into()), "{json}");
    assert!(json["error"].as_str().is_some_and(|error| error.contains("--min-up wants 2")), "{json}");
    // The upstream may stand behind the servers.
    let mut behind = bedloe(&balancer);
    let dry = behind.args(["--restart", "do {id}", "--dry-run", "--server", "1,0", "app"]).output().expect("it starts");
    said(&dry, 0);
    let (first, second) = (servers[0].address(), servers[1].address());
    let steps = |id| format!("drain; do {id}; 3 probes of /health/ready; slow start 0 s");
    let expected = format!("{second}: {}\n{first}: {}\n", steps(1), steps(0));
    assert_eq!(String::from_utf8_lossy(&dry.stdout), expected);
    assert!([0, 1].iter().all(|id| api.peer(*id)["state"] == "up"));
    api.patch(1, r#"{"drain":true}"#);
    let said = said(&roll(&balancer, &["--restart", "false", "--min-up", "0"]), 1);
    assert!(said.contains(&format!("{second} is passed over: it is draining already")), "{said}");
    assert_eq!(api.peer(1)["state"], "draining");
}

/// A server that answers when something more than a head has come, and one that answers at once.
fn slow_and_quick() -> [Scripted; 2] {
    let slow = Scripted::start(|link: &mut Link, _| {
        if link.head()?.starts_with("GET /health/ready ") {
            return link.send(ok("ready"));
        }
        link.head()?;
        link.send(ok("slow"))
    });
    [slow, Scripted::named("b")]
}

/// A client whose request the first server is busy with.
fn in_flight(balancer: &Balancer) -> Raw {
    let mut client = balancer.connect();
    client.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    wait_until("a request in flight", || Api::of(balancer).peer(0)["active"] == 1);
    client
}

/// Lets the first server answer that client.
fn answered(mut client: Raw) {
    client.send("\r\n\r\n");
    assert_eq!(client.reply().body, "slow", "what was under way");
}

#[test]
fn too_few_others_stop_it_until_the_command_runs() {
    let servers = slow_and_quick();
    let balancer = before(&servers);
    let api = Api::of(&balancer);
    let client = in_flight(&balancer);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("restarted");
    let restart = format!("touch {}", file.display());
    let arguments = ["--restart", &restart, "--server", "0", "--drain-timeout", "3s"];
    let rolling = Rolling::start(command(&balancer, &arguments));
    wait_until("it is down, with a request in flight", || api.peer(0)["state"] == "down");
    api.patch(1, r#"{"down":true}"#);
    answered(client);
    let said = rolling.ended(1);
    assert!(said.contains("0 would be up, and --min-up wants 1") && said.contains("is put back"), "{said}");
    assert!(!file.exists() && api.peer(0)["state"] == "up", "{said}");
}

/// A roll under way, with what it has said so far.
struct Rolling {
    child: Child,
    lines: BufReader<ChildStderr>,
    said: String,
}

impl Rolling {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, lines, said: String::new() }
    }

    /// One whose first server drains, with the client that it waits for.
    fn draining(balancer: &Balancer, arguments: &[&str]) -> (Raw, Self) {
        let client = in_flight(balancer);
        let mut rolling = Self::start(command(balancer, arguments));
        rolling.until(" drains\n");
        (client, rolling)
    }

    /// Reads until it has said this.
    fn until(&mut self, end: &str) {
        while !self.said.ends_with(end) {
            assert!(self.lines.read_line(&mut self.said).expect("text") > 0, "no {end:?}: {}", self.said);
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// All that it has said, after it has ended so.
    fn ended(mut self, code: i32) -> String {
        self.lines.read_to_string(&mut self.said).expect("text");
        let output = self.child.wait().expect("it ends");
        assert_eq!(output.code(), Some(code), "{}", self.said);
        std::mem::take(&mut self.said)
    }
}

impl Drop for Rolling {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_interrupt_puts_a_server_back() {
    let servers = slow_and_quick();
    let balancer = before(&servers);
    let api = Api::of(&balancer);
    let (client, rolling) = Rolling::draining(&balancer, &["--restart", "true"]);
    assert_eq!(api.peer(0)["state"], "draining");
    rolling.signal(Signal::INT);
    let said = rolling.ended(105);
    assert!(said.contains("is put back") && said.contains("was not restarted\n  go on by the same command"), "{said}");
    assert_eq!(api.peer(0)["state"], "up");
    answered(client);
}

#[test]
fn sessions_are_waited_for_and_then_go_elsewhere() {
    let servers = ["a", "b"].map(Scripted::named);
    let lines = format!("server {} route=s1; server {} route=s2;", servers[0].address(), servers[1].address());
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; sticky route $cookie_route; {lines} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }} {BY_SOCKET}"
    ));
    let visit = || balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nCookie: route=s1\r\nConnection: close\r\n\r\n");
    let run = |timeout| {
        let times = ["--drain-timeout", timeout, "--idle", "1s"];
        let output = roll(&balancer, &[&["--restart", "true", "--server", "s1", "--json"], &times[..]].concat());
        said(&output, 0);
        serde_json::from_slice::<Json>(&output.stdout).expect("JSON")["servers"][0].clone()
    };
    let idle = run("20s");
    assert_eq!(idle["sessions_cut"], false, "{idle}");
    let is_over = AtomicBool::new(false);
    let busy = std::thread::scope(|scope| {
        let user = scope.spawn(|| {
            while !is_over.load(Relaxed) {
                assert!(visit().starts_with("HTTP/1.1 200 "));
            }
        });
        let busy = run("2s");
        is_over.store(true, Relaxed);
        user.join().expect("no panic");
        busy
    });
    assert!(busy["sessions_cut"] == true && busy["drain_ms"].as_u64() >= Some(2_000), "{busy}");
    assert!(visit().ends_with("\r\n\r\na"), "they are back");
}

#[test]
fn a_lab_restarts_its_servers_under_load() {
    let place = crate::lab::Place::new(21);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("numbers.json");
    let path = file.to_str().expect("a plain path");
    let run = place.output(&["--roll", "--servers", "2", "--rate", "50", "--duration", "35s", "--json", path]);
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{said}");
    let numbers: Json = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!((&numbers["lost"], &numbers["roll"]["code"]), (&0.into(), &0.into()), "{said}");
    let servers = numbers["roll"]["result"]["servers"].as_array().expect("a list");
    assert!(servers.len() == 2 && servers.iter().all(|server| server["left"] == "restarted"), "{numbers}");
    for part in ["ROLLING RESTART", "restart-in-lab", "2 of 2 servers serve at the end"] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    place.assert_gone();
}
