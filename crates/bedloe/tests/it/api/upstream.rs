//! `bedloe upstream` as people and programs use it.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::Value as Json;

use super::{Api, BY_SOCKET};
use crate::support::balancer::{Balancer, Reserved, wait_until};
use crate::support::raw::Raw;
use crate::support::scripted::{Link, Scripted, ok};

/// Runs it beside a balancer, whose configuration leads it to the interface.
fn upstream(balancer: &Balancer, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.arg("upstream").args(arguments).arg("-c").arg(balancer.path("nginx.conf"));
    command.arg("-p").arg(balancer.folder()).output().expect("it starts")
}

/// What it prints, where it ends well.
fn printed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(output: &Output, code: i32, text: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(text), "{said}");
}

#[test]
fn servers_are_listed_and_marked() {
    let servers = ["a", "b"].map(Scripted::named);
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; server {} route=one; server {} route=two backup; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }} {BY_SOCKET}",
        servers[0].address(),
        servers[1].address()
    ));
    let api = Api::of(&balancer);
    let table = printed(&upstream(&balancer, &["list"]));
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..5], ["upstream", "id", "server", "state", "weight"]);
    let (first, second) = (servers[0].address().to_string(), servers[1].address().to_string());
    assert_eq!(lines[1][..5], ["app", "0", &first, "up", "1"]);
    assert_eq!(lines[2][..5], ["app", "1", &second, "up", "(backup)"]);
    assert_eq!(table, printed(&upstream(&balancer, &["list", "app"])));

    assert_eq!(printed(&upstream(&balancer, &["drain", "app", "0"])), format!("app: {first} (one) drains\n"));
    assert_eq!(api.peer(0)["state"], "draining");
    assert_eq!(printed(&upstream(&balancer, &["down", "app", &second])), format!("app: {second} (two) is down\n"));
    assert_eq!(api.peer(1)["state"], "down");
    assert_eq!(printed(&upstream(&balancer, &["up", "app", "one"])), format!("app: {first} (one) is up\n"));
    let json: Json =
        serde_json::from_str(&printed(&upstream(&balancer, &["up", "app", "two", "--json"]))).expect("JSON");
    assert_eq!((&json["id"], &json["down"], &json["drain"]), (&1.into(), &false.into(), &false.into()));
    let json: Json = serde_json::from_str(&printed(&upstream(&balancer, &["list", "--json"]))).expect("JSON");
    assert_eq!(json["app"]["peers"][0]["state"], "up");
}

#[test]
fn servers_come_and_go() {
    let servers = ["a", "b"].map(Scripted::named);
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; server {}; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }} {BY_SOCKET}",
        servers[0].address()
    ));
    let api = Api::of(&balancer);
    let address = servers[1].address().to_string();
    let settings = ["--weight", "3", "--route", "r", "--fail-timeout", "30s", "--down"];
    let added = printed(&upstream(&balancer, &[&["add", "app", &address], &settings[..]].concat()));
    assert_eq!(added, format!("app: {address} (r) is added, with the number 1\n"));
    let shown = api.get("http/upstreams/app/servers/1");
    assert_eq!((&shown["weight"], &shown["down"], &shown["fail_timeout"]), (&3.into(), &true.into(), &"30s".into()));
    let removed = printed(&upstream(&balancer, &["remove", "app", "r", "--wait"]));
    assert_eq!(removed, format!("app: {address} (r) is removed, and nothing is in flight\n"));
    refused(&upstream(&balancer, &["up", "app", "r"]), 1, "no server \"r\" is in app; there are: 0 ");
    refused(&upstream(&balancer, &["list", "nowhere"]), 1, "upstream not found");
    refused(&upstream(&balancer, &["add", "app", "127.0.0.1:99999"]), 1, "UpstreamBadAddress");
    refused(&upstream(&balancer, &["add", "app"]), 2, "ADDRESS");
    refused(&upstream(&balancer, &["list", "--api", "ftp://a"]), 1, "--api takes");
    let nobody = format!("http://{}", Reserved::new().address);
    refused(&upstream(&balancer, &["list", "--api", &nobody]), 1, "is the balancer running");
    let other = format!("http://{}", servers[0].address());
    refused(&upstream(&balancer, &["list", "--api", &other]), 1, "is no api");
}

#[test]
fn a_drain_waits_for_what_is_in_flight() {
    // Answers when something more has come.
    let slow = Scripted::start(|link: &mut Link, _| {
        link.head()?;
        link.head()?;
        link.send(ok("slow"))
    });
    let balancer = Balancer::start(&format!(
        "upstream app {{ zone app 64k; server {}; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; proxy_request_buffering off; }} }} {BY_SOCKET}",
        slow.address()
    ));
    let mut client: Raw = balancer.connect();
    client.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    slow.wait_for("POST /slow");
    let output = upstream(&balancer, &["drain", "app", "0", "--wait", "--timeout", "1", "--json"]);
    assert_eq!(output.status.code(), Some(3), "given up");
    let json: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["in_flight"], &json["drain"]), (&1.into(), &true.into()));
    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| upstream(&balancer, &["drain", "app", "0", "--wait"]));
        client.send("\r\n\r\n");
        assert_eq!(client.reply().body, "slow");
        waiting.join().expect("no panic")
    });
    assert!(printed(&waiting).ends_with(" drains, and nothing is in flight\n"));
    wait_until("its end", || Api::of(&balancer).peer(0)["active"] == 0);
}

#[test]
fn it_shows_a_password_where_one_is_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("users"), "ann:{PLAIN}secret\n").expect("a file");
    std::fs::write(folder.path().join("ann"), "ann:secret\n").expect("a file");
    let http = "upstream app { zone app 64k; server 127.0.0.1:1; server 127.0.0.1:2; }
        server { listen LISTEN; location /balancer/api/ { api write=on;
            auth_basic api; auth_basic_user_file FOLDER/users; allow 127.0.0.1; deny all; } }";
    let balancer = Balancer::start_in(folder, "worker_processes 1;", http);
    refused(&upstream(&balancer, &["down", "app", "0"]), 1, "--credentials");
    let file = balancer.path("ann").display().to_string();
    let down = printed(&upstream(&balancer, &["down", "app", "0", "--credentials", &file]));
    assert_eq!(down, "app: 127.0.0.1:1 is down\n");
    let url = format!("http://{}/balancer/api", balancer.address());
    printed(&upstream(&balancer, &["up", "app", "0", "--credentials", &file, "--api", &url]));
    // Loopback too, by an address that does not look like it.
    let far = url.replace("127.0.0.1", "[::ffff:127.0.0.1]");
    for (api, mode, is_told) in [(&url, 0o640, false), (&far, 0o644, true)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a file of ours");
        let listed = upstream(&balancer, &["list", "--credentials", &file, "--api", api]);
        let said = String::from_utf8_lossy(&listed.stderr);
        assert!(listed.status.success(), "{said}");
        for told in [format!("chmod o-r {file}"), format!("the password is sent to {api} in the clear")] {
            assert_eq!(said.contains(&told), is_told, "{said}");
        }
    }
}
