//! The dashboard in a headless Chromium: every view is opened, nothing is wrong on its console, and pictures of it are
//! kept in `target/dashboard`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::{TWO, get, start, start_with};
use crate::agent::Agent;
use crate::support::balancer::{Balancer, Reserved, wait_until};
use crate::support::browser::Browser;
use crate::support::scripted::Scripted;
use crate::support::skipped;

/// A balancer with a server that is well and one that is not, and with these words on its command line.
fn busy(words: &[&str]) -> (Balancer, std::net::SocketAddr, Scripted) {
    let (good, bad) = (Scripted::named("good"), Reserved::new());
    let checked = "location /checked { proxy_pass http://checked; health_check uri=/health; } location / {";
    let http = format!("upstream checked {{ zone checked 64k; server ONE; server TWO; }} {TWO}");
    let http = http.replace("location / {", checked);
    let http = http.replace("ONE", &bad.address.to_string()).replace("TWO", &good.address().to_string());
    let (balancer, admin) = start_with(&http, words);
    for _ in 0..20 {
        assert!(balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
    }
    wait_until("a look at it", || figures(admin)["since_start"]["requests"] == 20);
    let passed = |server: usize| figures(admin)["upstreams"][0]["servers"][server]["last_check"]["passed"].clone();
    wait_until("checks", || passed(0) == false && passed(1) == true);
    wait_until("an event", || figures(admin)["events"].as_array().is_some_and(|events| !events.is_empty()));
    (balancer, admin, good)
}

fn figures(admin: std::net::SocketAddr) -> Json {
    serde_json::from_str(&get(admin, "/dashboard.json", "").1).expect("JSON")
}

/// How soon an open page says that the balancer is gone: it asks again after 2 s.
const TOLD_WITHIN: Duration = Duration::from_secs(8);

#[test]
fn an_open_page_follows_what_happens() {
    let (good, bad) = (Scripted::named("good"), Reserved::new());
    let http = TWO.replace("ONE", &bad.address.to_string()).replace("TWO", &good.address().to_string());
    let (balancer, admin) = start(&http);
    let Some(mut page) = Browser::open(&format!("http://{admin}/?view=upstreams")) else {
        return skipped("an_open_page_follows_what_happens", "chromium");
    };
    let states = "[...document.querySelectorAll('td.state')].map((state) => state.textContent).join()";
    wait_until("the page", || page.value(states) == "up,up");
    page.value("window.isTheSame = true");
    for _ in 0..2 {
        assert!(balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
    }
    wait_until("the server's state", || page.value(states) == "unavailable,up");
    stays_in_hand(&mut page);
    let sentence = "document.getElementById('said').textContent";
    assert_eq!(page.value(sentence), "1 of 2 servers get no new requests.");
    drop(balancer);
    let gone = Instant::now();
    wait_until("the balancer's end", || page.value(sentence).as_str().is_some_and(|text| text.contains("not answer")));
    assert!(gone.elapsed() < TOLD_WITHIN, "told after {:?}", gone.elapsed());
    assert_eq!(page.value("window.isTheSame"), true, "it was loaded again");
}

/// What is selected is not replaced, and what is replaced has the keyboard again.
fn stays_in_hand(page: &mut Browser) {
    page.value("getSelection().selectAllChildren(document.querySelector('caption')), window.then = heard");
    wait_until("more of the page", || page.value("heard !== window.then") == true);
    assert_eq!(page.value("getSelection().toString()"), "app");
    page.value("getSelection().removeAllRanges(), document.body.style.width = '300px'");
    page.value("window.box = document.querySelector('.wide'), window.box.focus()");
    assert_eq!(page.value("document.activeElement === window.box"), true, "a wide table can be scrolled by keys");
    wait_until("another table", || page.value("document.querySelector('.wide') !== window.box") == true);
    assert_eq!(page.value("document.activeElement === document.querySelector('.wide')"), true);
}

#[test]
fn hosts_are_shown_and_one_that_is_gone_with_the_reason() {
    let (agent, nobody) = (Agent::start(&[]), Reserved::new());
    let (here, gone) = (format!("here=http://{}", agent.address), format!("gone=http://{}", nobody.address));
    let words = ["--agent", &here, "--agent", &gone];
    let (_balancer, admin) = start_with("server { listen LISTEN; return 204; }", &words);
    let host = |index: usize| figures(admin)["hosts"][index].clone();
    // A share of time needs two looks.
    wait_until("figures", || host(0)["cpu_percent"].is_number() && host(1)["health"] != "not asked yet");
    let here = host(0);
    assert_eq!((&here["name"], &here["health"], &here["is_well"]), (&"here".into(), &"ok".into(), &true.into()));
    let percent = |figure: &str| here[figure].as_f64().is_some_and(|percent| (0.0..=100.0).contains(&percent));
    assert!(percent("cpu_percent") && percent("memory_percent") && here["load1"].is_number(), "{here}");
    let gone = host(1);
    assert_eq!((&gone["name"], &gone["cpu_percent"], &gone["is_well"]), (&"gone".into(), &Json::Null, &false.into()));
    let why = gone["health"].as_str().expect("a reason");
    assert!(why.contains("refused"), "{why}");
    let page = get(admin, "/?view=hosts", "").1;
    assert!(page.contains(why) && page.contains("1 of 2 hosts not well") && page.contains("CPU by mode"), "{page}");
    drop(agent);
    wait_until("the agent's end", || host(0)["is_well"] == false);
    assert!(host(0)["health"].as_str().is_some_and(|why| why.contains("refused")), "{}", host(0));
}

#[test]
fn each_view_is_there_without_a_script() {
    let (_balancer, admin, _good) = busy(&[]);
    for (view, text) in [
        ("overview", "since the start"),
        ("upstreams", "unavailable"),
        ("upstreams", "passed"),
        ("hosts", "bedloe agent"),
        ("events", "refused"),
    ] {
        let (status, page) = get(admin, &format!("/?view={view}"), "");
        assert_eq!(status, 200, "{page}");
        assert!(page.contains(text) && page.contains("2 of 4 servers get no new requests"), "{view}: {page}");
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
    let (agent, nobody) = (Agent::start(&[]), Reserved::new());
    let (here, gone) = (format!("liberty-1=http://{}", agent.address), format!("liberty-2=http://{}", nobody.address));
    let (_balancer, admin, _good) = busy(&["--agent", &here, "--agent", &gone]);
    wait_until("a host's figures", || figures(admin)["hosts"][0]["cpu_percent"].is_number());
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
