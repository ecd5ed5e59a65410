//! Servers changed while it runs: at once, for as long as the configuration lasts, or beyond it where `state` keeps
//! them; and what becomes of sessions of one that drains.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::Value as Json;

use super::{Api, BY_SOCKET};
use crate::support::balancer::{Balancer, wait_until};
use crate::support::scripted::{Scripted, ok};

const MAIN: &str = "worker_processes 2;";
const SERVERS: &str = "http/upstreams/app/servers";

fn start(upstream: &str) -> Balancer {
    Balancer::start_in(tempfile::tempdir().expect("a folder"), MAIN, &site(upstream))
}

fn site(upstream: &str) -> String {
    format!(
        "upstream app {{ zone app 64k; {upstream} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }} {BY_SOCKET}"
    )
}

fn written(servers: &[Scripted]) -> String {
    servers.iter().map(|server| format!("server {} route={}; ", server.address(), server.address().port())).collect()
}

/// Who answers ten requests, by name.
fn answering(balancer: &Balancer, fields: &str) -> BTreeSet<String> {
    let ask = |_| {
        let answer = balancer.ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n"));
        answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
    };
    (0..10).map(ask).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Threads take a change up one by one.
fn answers_become(balancer: &Balancer, fields: &str, expected: &[&str]) {
    wait_until("answers", || answering(balancer, fields) == names(expected));
}

#[test]
fn servers_are_changed_added_and_removed() {
    let servers = ["a", "b", "c"].map(Scripted::named);
    let balancer = start(&format!("{} ", written(&servers[..2])));
    let api = Api::of(&balancer);
    answers_become(&balancer, "", &["a", "b"]);
    let settings = r#"{"weight":3,"max_conns":7,"max_fails":2,"fail_timeout":"1m","slow_start":"500ms","down":true}"#;
    let changed = api.patch(1, settings);
    let expected = serde_json::json!({
        "id": 1, "server": servers[1].address().to_string(), "weight": 3, "max_conns": 7, "max_fails": 2,
        "fail_timeout": "60s", "slow_start": "500ms", "route": servers[1].address().port().to_string(),
        "backup": false, "down": true, "drain": false,
    });
    assert_eq!(changed, expected);
    assert_eq!(api.get(&format!("{SERVERS}/1")), expected);
    assert_eq!((&api.peer(1)["state"], &api.peer(1)["weight"]), (&"down".into(), &3.into()));
    answers_become(&balancer, "", &["a"]);
    assert_eq!(api.patch(1, r#"{"down":false}"#)["weight"], 3, "what is not said stays");
    answers_become(&balancer, "", &["a", "b"]);

    let body = format!(r#"{{"server":"{}","weight":2}}"#, servers[2].address());
    let (status, added) = api.ask("POST", SERVERS, &body);
    assert_eq!((status, &added["id"], &added["weight"]), (201, &2.into(), &2.into()));
    answers_become(&balancer, "", &["a", "b", "c"]);
    assert_eq!(api.fault("POST", SERVERS, &body), (409, "EntryExists".to_owned()));

    let (status, left) = api.ask("DELETE", &format!("{SERVERS}/0"), "");
    let ids = |list: &Json| list.as_array().expect("a list").iter().map(|server| server["id"].clone()).collect();
    let left: Vec<Json> = ids(&left);
    assert_eq!((status, left), (200, vec![1.into(), 2.into()]));
    answers_become(&balancer, "", &["b", "c"]);
    assert_eq!(api.fault("GET", &format!("{SERVERS}/0"), ""), (404, "UpstreamServerNotFound".to_owned()));

    let moved = api.patch(1, &format!(r#"{{"server":"{}"}}"#, servers[0].address()));
    assert_eq!((&moved["id"], &moved["server"]), (&1.into(), &servers[0].address().to_string().into()));
    answers_become(&balancer, "", &["a", "c"]);
    // The configuration's servers are back with the next one.
    balancer.reload();
    answers_become(&balancer, "", &["a", "b"]);
}

#[test]
fn bodies_that_are_wrong_change_nothing() {
    let servers = [Scripted::named("a")];
    let balancer = start(&written(&servers));
    let api = Api::of(&balancer);
    let before = api.get(SERVERS);
    let own = servers[0].address();
    for (method, body, status, code) in [
        ("PATCH", "", 415, "JsonError"),
        ("PATCH", "{", 415, "JsonError"),
        ("PATCH", "[]", 415, "JsonError"),
        ("PATCH", "{} {}", 415, "JsonError"),
        ("PATCH", r#"{"down":true,"down":false}"#, 415, "JsonError"),
        ("PATCH", r#"{"wait":1}"#, 400, "UpstreamConfFormatError"),
        ("PATCH", r#"{"id":1}"#, 400, "UpstreamConfFormatError"),
        ("PATCH", r#"{"backup":true}"#, 400, "UpstreamConfFormatError"),
        ("PATCH", r#"{"weight":{}}"#, 400, "UpstreamConfFormatError"),
        ("PATCH", r#"{"weight":[1]}"#, 400, "UpstreamConfFormatError"),
        ("PATCH", r#"{"weight":"1"}"#, 400, "UpstreamConfFormatError"),
        ("PATCH", r#"{"down":1}"#, 400, "UpstreamConfFormatError"),
        ("PATCH", r#"{"weight":0}"#, 400, "UpstreamBadWeight"),
        ("PATCH", r#"{"weight":-1}"#, 400, "UpstreamBadWeight"),
        ("PATCH", r#"{"weight":1.5}"#, 400, "UpstreamBadWeight"),
        ("PATCH", r#"{"max_conns":-1}"#, 400, "UpstreamBadMaxConns"),
        ("PATCH", r#"{"max_fails":99999999999}"#, 400, "UpstreamBadMaxFails"),
        ("PATCH", r#"{"fail_timeout":"x"}"#, 400, "UpstreamBadFailTimeout"),
        ("PATCH", r#"{"slow_start":"-1s"}"#, 400, "UpstreamBadSlowStart"),
        ("PATCH", r#"{"server":"127.0.0.1:99999"}"#, 400, "UpstreamBadAddress"),
        ("PATCH", r#"{"server":"http://127.0.0.1"}"#, 400, "UpstreamBadAddress"),
        ("PATCH", r#"{"server":"a;b"}"#, 400, "UpstreamBadAddress"),
        ("PATCH", r#"{"server":"name.test:80"}"#, 400, "UpstreamConfNoResolver"),
        ("PATCH", r#"{"route":"a\nb"}"#, 400, "UpstreamBadRoute"),
        ("POST", r#"{"weight":1}"#, 400, "UpstreamConfFormatError"),
        ("POST", r#"{"server":"127.0.0.1:1","more":1}"#, 400, "UpstreamConfFormatError"),
        ("POST", r#"{"server":""}"#, 400, "UpstreamBadAddress"),
    ] {
        let path = if method == "POST" { SERVERS.to_owned() } else { format!("{SERVERS}/0") };
        assert_eq!(api.fault(method, &path, body), (status, code.to_owned()), "{method} {body}");
    }
    let same = format!(r#"{{"server":"{own}"}}"#);
    assert_eq!(api.patch(0, &same)["server"], own.to_string(), "its own address is no other server's");
    assert_eq!(api.get(SERVERS), before);
}

#[test]
fn a_state_file_keeps_servers_over_reloads_and_restarts() {
    let servers = ["a", "b"].map(Scripted::named);
    let mut balancer = start_with_state();
    let api = Api::of(&balancer);
    assert!(!balancer.said().contains("state-unwritable"), "{}", balancer.said());
    assert_eq!(api.get(SERVERS), serde_json::json!([]));
    assert!(balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").contains("502 Bad Gateway"));
    for server in &servers {
        let body = format!(r#"{{"server":"{}","route":"r {}"}}"#, server.address(), server.address().port());
        assert_eq!(api.ask("POST", SERVERS, &body).0, 201);
    }
    api.patch(0, r#"{"down":true,"weight":5,"slow_start":"2s","max_fails":0}"#);
    answers_become(&balancer, "", &["b"]);
    let kept = fs::read_to_string(balancer.path("state/app.conf")).expect("a file");
    let line =
        format!("server {} weight=5 max_conns=0 max_fails=0 fail_timeout=10s slow_start=2s", servers[0].address());
    assert!(kept.contains(&line) && kept.contains(" down;\n"), "{kept}");
    let before = api.get(SERVERS);
    balancer.reload();
    assert_eq!(api.get(SERVERS), before, "after a reload");
    // A worker that dies is replaced by one that knows them too.
    let worker = balancer.worker();
    balancer.signal_worker(Signal::KILL);
    wait_until("another worker", || {
        crate::support::balancer::children(balancer.pid()).first().is_some_and(|pid| *pid != worker)
    });
    answers_become(&balancer, "", &["b"]);
    assert_eq!(api.get(SERVERS), before, "after a crash");
    assert_eq!(api.get("processes")["respawned"], 1);
    assert_eq!(api.ask("DELETE", "processes", "").0, 204);
    assert_eq!(api.get("processes")["respawned"], 0);
    assert_eq!(fs::read_dir(balancer.path("state")).expect("a folder").filter(is_hidden).count(), 0);
    balancer.signal(Signal::QUIT);
    assert!(balancer.wait().success());
}

/// The worker, which may be another user, needs a folder that it may write to.
fn start_with_state() -> Balancer {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    fs::create_dir(&state).expect("a folder");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).expect("a folder of our own");
    Balancer::start_in(folder, MAIN, &site("state FOLDER/state/app.conf;"))
}

fn is_hidden(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with('.'))
}

#[test]
fn a_change_that_cannot_be_kept_is_not_made() {
    let balancer = start("state FOLDER/nowhere/app.state;");
    balancer.wait_for_line("state-unwritable");
    let api = Api::of(&balancer);
    let fault = api.fault("POST", SERVERS, r#"{"server":"127.0.0.1:1"}"#);
    assert_eq!(fault, (500, "StateWriteError".to_owned()));
    assert_eq!(api.get(SERVERS), serde_json::json!([]));
    balancer.logged("error.log", "cannot write the state file");
}

#[test]
fn one_that_drains_keeps_its_sessions_and_gets_no_new_ones() {
    let servers = ["a", "b"].map(Scripted::named);
    let route = |at: usize| format!("Cookie: route={}\r\n", servers[at].address().port());
    let balancer = start(&format!("sticky route $cookie_route; {}", written(&servers)));
    let api = Api::of(&balancer);
    answers_become(&balancer, "", &["a", "b"]);
    assert_eq!(api.patch(0, r#"{"drain":true}"#)["drain"], true);
    answers_become(&balancer, "", &["b"]);
    assert_eq!(api.peer(0)["state"], "draining");
    assert_eq!(answering(&balancer, &route(0)), names(&["a"]), "its sessions");
    assert_eq!(answering(&balancer, &route(1)), names(&["b"]));
    api.patch(0, r#"{"down":true}"#);
    answers_become(&balancer, &route(0), &["b"]);
    api.patch(0, r#"{"down":false,"drain":false}"#);
    answers_become(&balancer, "", &["a", "b"]);
    assert_eq!(answering(&balancer, &route(0)), names(&["a"]));
}

#[test]
fn the_configuration_can_say_drain() {
    let servers = ["a", "b"].map(Scripted::named);
    let drains = format!("server {} route=a drain; server {} route=b;", servers[0].address(), servers[1].address());
    let balancer = start(&format!("sticky route $cookie_route; {drains}"));
    assert_eq!(answering(&balancer, ""), names(&["b"]));
    assert_eq!(answering(&balancer, "Cookie: route=a\r\n"), names(&["a"]));
}

#[test]
fn one_that_is_removed_finishes_what_it_has_begun() {
    let (slow, other) = (Scripted::start(hold), Scripted::named("other"));
    let balancer = start(&format!("server {}; server {} backup;", slow.address(), other.address()));
    let api = Api::of(&balancer);
    let mut client = balancer.connect();
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.wait_for("GET /slow");
    wait_until("a request in flight", || api.peer(0)["active"] == 1);
    assert_eq!(api.ask("DELETE", &format!("{SERVERS}/0"), "").0, 200);
    answers_become(&balancer, "", &["other"]);
    assert_eq!(api.get("http/upstreams/app")["zombies"], 1);
    // It answers when this comes, over a connection of its own.
    let mut release = crate::support::raw::Raw::to(slow.address());
    release.send("GET /release HTTP/1.1\r\n\r\n");
    assert_eq!(client.reply().body, "slow");
    wait_until("no request in flight", || api.get("http/upstreams/app")["zombies"] == 0);
}

/// Answers one request when another one has come.
fn hold(link: &mut crate::support::scripted::Link, _: usize) -> std::io::Result<()> {
    static RELEASED: (std::sync::Mutex<bool>, std::sync::Condvar) =
        (std::sync::Mutex::new(false), std::sync::Condvar::new());
    let (released, changed) = &RELEASED;
    if link.head()?.contains("/release") {
        *released.lock().expect("no panic") = true;
        changed.notify_all();
        return link.send(ok(""));
    }
    let guard = released.lock().expect("no panic");
    drop(changed.wait_while(guard, |released| !*released).expect("no panic"));
    link.send(ok("slow"))?;
    link.head().map(drop)
}

#[test]
fn a_change_leaves_connections_and_checks_as_they_are() {
    let servers = ["a", "b", "c"].map(Scripted::named);
    let http = format!(
        "upstream app {{ zone app 64k; {} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; health_check uri=/health interval=1h; }} }}
         {BY_SOCKET}",
        written(&servers[..2])
    );
    let balancer = Balancer::start(&http);
    let api = Api::of(&balancer);
    let checks = |server: &Scripted| server.all().matches("GET /health ").count();
    wait_until("checks", || servers[..2].iter().all(|server| checks(server) == 1));
    answers_become(&balancer, "", &["a", "b"]);
    // One connection for requests, and one for checks.
    let connections = || servers.each_ref().map(|server| server.received().len());
    assert_eq!(connections(), [2, 2, 0]);
    assert_eq!(api.patch(1, r#"{"weight":3,"max_conns":9}"#)["weight"], 3);
    answers_become(&balancer, "", &["a", "b"]);
    api.patch(1, r#"{"down":true}"#);
    answers_become(&balancer, "", &["a"]);
    assert_eq!(connections(), [2, 2, 0]);
    let body = format!(r#"{{"server":"{}"}}"#, servers[2].address());
    assert_eq!(api.ask("POST", SERVERS, &body).0, 201);
    answers_become(&balancer, "", &["a", "c"]);
    assert!(connections()[0] <= 3, "that of its requests is kept: {:?}", connections());
    wait_until("a check of the server that is new", || checks(&servers[2]) == 1);
    assert_eq!([checks(&servers[0]), checks(&servers[1])], [1, 1], "one goes on, one is down");
    api.patch(1, r#"{"down":false}"#);
    answers_become(&balancer, "", &["a", "b", "c"]);
    wait_until("a check of the server that is there again", || checks(&servers[1]) == 2);
}
