//! The dashboard in a headless Chromium: every view is opened, nothing is wrong on its console, and pictures of it are
//! kept in `target/dashboard`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use super::{TWO, get, start};
use crate::support::balancer::{Balancer, Reserved, wait_until};
use crate::support::scripted::Scripted;
use crate::support::skipped;

/// A balancer with a server that is well and one that is not.
fn busy() -> (Balancer, std::net::SocketAddr, Scripted) {
    let (good, bad) = (Scripted::named("good"), Reserved::new());
    let http = TWO.replace("ONE", &bad.address.to_string()).replace("TWO", &good.address().to_string());
    let (balancer, admin) = start(&http);
    for _ in 0..20 {
        assert!(balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
    }
    wait_until("a look at it", || figures(admin)["since_start"]["requests"] == 20);
    wait_until("an event", || figures(admin)["events"].as_array().is_some_and(|events| !events.is_empty()));
    (balancer, admin, good)
}

fn figures(admin: std::net::SocketAddr) -> Json {
    serde_json::from_str(&get(admin, "/dashboard.json", "").1).expect("JSON")
}

#[test]
fn each_view_is_there_without_a_script() {
    let (_balancer, admin, _good) = busy();
    for (view, text) in [
        ("overview", "since the start"),
        ("upstreams", "unavailable"),
        ("hosts", "bedloe agent"),
        ("events", "refused"),
    ] {
        let (status, page) = get(admin, &format!("/?view={view}"), "");
        assert_eq!(status, 200, "{page}");
        assert!(page.contains(text) && page.contains("1 of 2 servers get no new requests"), "{view}: {page}");
        assert!(!page.contains("http:") && !page.contains("https:"), "{view} leads elsewhere");
    }
}

#[test]
fn a_location_has_it_too() {
    let good = Scripted::named("good");
    let servers = format!("upstream app {{ server {}; }}", good.address());
    let places = "location / { proxy_pass http://app; } location = /board { dashboard; }";
    let balancer = Balancer::start(&format!("{servers} server {{ listen LISTEN; {places} }}"));
    let at = balancer.address();
    let (status, page) = get(at, "/board?view=upstreams", "");
    assert!(status == 200 && page.contains(&good.address().to_string()), "{status} {page}");
    let live = get(at, "/board?view=upstreams&file=live", "").1;
    assert!(live.starts_with("retry: ") && live.contains("All 1 servers get requests."), "{live}");
    assert!(get(at, "/board?file=script", "").1.contains("EventSource"));
    wait_until("a second look", || {
        let json: Json = serde_json::from_str(&get(at, "/board?file=json", "").1).expect("JSON");
        json["now"]["requests_per_s"].as_f64().is_some_and(|rate| rate > 0.0)
    });
    assert_eq!(get(at, "/board", "Host: evil.test\r\n").0, 403);
}

/// Opens a view and takes a picture; what the browser has written. None where there is no browser.
fn look(url: &str, picture: &Path, options: &[&str]) -> Option<String> {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("timeout");
    command.args(["60", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
    command.args(["--enable-logging=stderr"]).args(options);
    command.arg(format!("--user-data-dir={}", home.path().display()));
    command.arg(format!("--screenshot={}", picture.display())).arg(url).env("HOME", home.path());
    let output = command.output().expect("timeout is there");
    (output.status.code() != Some(127)).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_browser_shows_each_view() {
    let (_balancer, admin, _good) = busy();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../dashboard");
    fs::create_dir_all(&folder).expect("a folder");
    for (name, view, options) in [
        ("overview", "overview", &["--window-size=1100,1300"][..]),
        ("upstreams", "upstreams", &["--window-size=1100,700"]),
        ("hosts", "hosts", &["--window-size=1100,700"]),
        ("events-dark", "events", &["--window-size=1100,700", "--blink-settings=preferredColorScheme=0"]),
        ("overview-narrow", "overview", &["--window-size=390,1600"]),
        ("upstreams-narrow-dark", "upstreams", &["--window-size=390,900", "--blink-settings=preferredColorScheme=0"]),
    ] {
        let picture = folder.join(format!("{name}.png"));
        let _ = fs::remove_file(&picture);
        let Some(said) = look(&format!("http://{admin}/?view={view}"), &picture, options) else {
            return skipped("a_browser_shows_each_view", "chromium");
        };
        assert!(!said.contains("CONSOLE"), "{name}: {said}");
        let size = fs::metadata(&picture).unwrap_or_else(|error| panic!("{name}: {error}: {said}")).len();
        assert!(size > 5_000, "{name} has {size} bytes");
    }
    #[allow(clippy::print_stderr, reason = "who runs the tests may want to look")]
    {
        eprintln!("pictures of the dashboard: {}", folder.display());
    }
}
