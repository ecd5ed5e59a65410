//! A roll and others at the same servers: a second roll, one that took over; and sessions, whoever knows of them.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value as Json;

use super::{Rolling, answered, before, roll, said, slow_and_quick, under_load};
use crate::api::{Api, BY_SOCKET};
use crate::support::balancer::{Balancer, wait_until};
use crate::support::scripted::{Scripted, ok};

const HOLD: &str = "http/upstreams/app/hold";

#[test]
fn a_second_roll_is_refused_at_once() {
    let servers = slow_and_quick();
    let balancer = before(&servers);
    let api = Api::of(&balancer);
    let (client, first) = Rolling::draining(&balancer, &["--restart", "true"]);
    for more in [&["--server", "0", "--min-up", "0"][..], &["--server", "1", "--min-up", "0"]] {
        let second = roll(&balancer, &[&["--restart", "true", "--json"], more].concat());
        let said = said(&second, 1);
        let pid = first.child.id();
        let met = format!("upstream \"app\" is held by bedloe roll, process {pid} on ");
        assert!(said.contains(&format!("app: nothing was done: another roll is under way: {met}")), "{said}");
        let json: Json = serde_json::from_slice(&second.stdout).expect("JSON");
        assert!(json["outcome"] == "refused" && json["error"].as_str().is_some_and(|error| error.contains(&met)));
    }
    assert_eq!((&api.peer(0)["state"], &api.peer(1)["state"]), (&"draining".into(), &"up".into()));
    balancer.reload();
    assert!(api.get(HOLD)["owner"].is_string(), "a reload keeps it");
    first.signal(Signal::INT);
    first.ended(105);
    assert_eq!(api.get(HOLD).to_string(), "{}", "given back");
    answered(client);
    said(&roll(&balancer, &["--restart", "true", "--server", "1"]), 0);
}

#[test]
fn a_roll_that_another_one_took_over_from_changes_nothing_more() {
    let servers = slow_and_quick();
    let balancer = before(&servers);
    let api = Api::of(&balancer);
    let (client, first) = Rolling::draining(&balancer, &["--restart", "true"]);
    let mut hold = api.get(HOLD);
    hold["seconds"] = 0.into();
    assert_eq!(api.ask("POST", HOLD, &hold.to_string()).0, 200);
    assert_eq!(api.ask("POST", HOLD, r#"{"owner":"somebody","seconds":60}"#).0, 200);
    answered(client);
    let said = first.ended(1);
    assert!(said.contains("another roll has taken over") && said.contains("is held by somebody"), "{said}");
    assert!(said.contains("may still drain or be down"), "{said}");
    assert_eq!(api.peer(0)["state"], "draining", "not put back");
    assert_eq!(api.get(HOLD)["owner"], "somebody");
}

/// What is said of a server while a roll is at it, or before its turn, is the word of whoever runs the site.
#[test]
fn a_server_that_somebody_takes_out_of_service_stays_out() {
    let servers = slow_and_quick();
    let balancer = before(&servers);
    let api = Api::of(&balancer);
    let restart = ["--restart", "true", "--min-up", "0"];
    let (client, first) = Rolling::draining(&balancer, &restart);
    api.patch(1, r#"{"down":true}"#);
    answered(client);
    let said = first.ended(1);
    let at = format!("app: stopped at {}: somebody else has changed what was set of it", servers[1].address());
    assert!(said.contains(&at), "{said}");
    assert!(said.ends_with("go on by the same command with --server 1\n"), "{said}");
    assert_eq!((&api.peer(0)["state"], &api.peer(1)["state"]), (&"up".into(), &"down".into()), "{said}");
    let (client, second) = Rolling::draining(&balancer, &restart);
    api.patch(0, r#"{"down":true}"#);
    let said = second.ended(1);
    assert!(said.contains("could not be put back: somebody else") && said.contains("may still drain or be"), "{said}");
    assert_eq!(api.peer(0)["state"], "down", "{said}");
    answered(client);
}

/// The command returns long before the server is ready, and one failed check does not keep requests from it.
#[test]
fn no_session_meets_a_server_that_is_not_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    let restarted = folder.path().join("restarted");
    let file = restarted.clone();
    let slow = Scripted::start(move |link, _| {
        loop {
            link.head()?;
            let since = fs::metadata(&file).and_then(|file| file.modified()).ok().and_then(|time| time.elapsed().ok());
            let is_ready = since.is_none_or(|since| since > Duration::from_millis(700));
            link.send(if is_ready { ok("a") } else { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into() })?;
        }
    });
    let other = Scripted::named("b");
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; sticky route $cookie_route; server {} route=r0; server {} route=r1; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; health_check interval=1s fails=2; }} }}
         {BY_SOCKET}",
        slow.address(),
        other.address()
    ));
    let api = Api::of(&balancer);
    wait_until("all checked", || (0..2).all(|id| api.peer(id)["health_checks"]["last_passed"] == true));
    let touch = format!("touch {}", restarted.display());
    let arguments = ["--restart", &touch, "--server", "0", "--passes", "2", "--json", "--drain-timeout", "600ms"];
    let (output, count, failed) = under_load(&balancer, || roll(&balancer, &arguments));
    let said = said(&output, 0);
    assert!(failed.is_empty() && count > 10, "{} of {count}: {:?}\n{said}", failed.len(), failed.first());
    let json: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&json["servers"][0]["sessions_cut"], &json["warnings"]),
        (&true.into(), &Json::Array(vec![])),
        "{json}"
    );
}

/// Sessions that the balancer alone knows of: the servers have no `route`.
#[test]
fn learnt_sessions_are_waited_for_and_counted_as_cut() {
    let servers = ["a", "b"].map(|name| {
        Scripted::answering(format!("HTTP/1.1 200 OK\r\nSet-Cookie: s=1\r\nContent-Length: 1\r\n\r\n{name}"))
    });
    let lines = format!("server {}; server {};", servers[0].address(), servers[1].address());
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; sticky learn create=$upstream_cookie_s lookup=$cookie_s zone=z:64k; {lines} }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }} {BY_SOCKET}"
    ));
    let visit = || balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nCookie: s=1\r\nConnection: close\r\n\r\n");
    let id = if visit().ends_with('a') { "0" } else { "1" };
    let is_over = AtomicBool::new(false);
    let run = |more: &[&str]| {
        let output = roll(&balancer, &[&["--restart", "true", "--server", id, "--json"], more].concat());
        said(&output, 0);
        serde_json::from_slice::<Json>(&output.stdout).expect("JSON")["servers"][0]["sessions_cut"].clone()
    };
    assert_eq!(run(&["--idle", "0"]), Json::Null, "nobody was to wait for them");
    assert_eq!(run(&["--idle", "600ms"]), false);
    visit();
    std::thread::scope(|scope| {
        let user = scope.spawn(|| {
            while !is_over.load(Relaxed) {
                assert!(visit().starts_with("HTTP/1.1 200 "));
            }
        });
        let cut = run(&["--drain-timeout", "1s"]);
        is_over.store(true, Relaxed);
        user.join().expect("no panic");
        assert_eq!(cut, true, "the time that --idle has by itself fits into --drain-timeout");
    });
}
