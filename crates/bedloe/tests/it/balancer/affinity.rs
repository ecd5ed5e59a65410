//! `sticky`: sessions stay with the server that has them, and move on where it is gone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value as Json;

use crate::support::balancer::{Balancer, fails, wait_until};
use crate::support::scripted::Scripted;
use crate::support::stand_in::{StandIn, start};

const SESSIONS: usize = 60;
const PAGE: &str = "/accounts-external/api/session";

/// Three servers with the clone ids s1, s2 and s3.
fn servers(more: &[&str]) -> Vec<StandIn> {
    let server = |number: &str| {
        let (name, clone) = (format!("liberty-{number}"), format!("s{number}"));
        start(&[&["--name", &name, "--clone", &clone], more].concat())
    };
    ["1", "2", "3"].map(server).into()
}

/// An upstream of these servers, with their routes where it has affinity.
fn site(servers: &[StandIn], upstream: &str) -> String {
    site_with(servers, upstream, upstream.contains("sticky"))
}

fn site_with(servers: &[StandIn], upstream: &str, is_routed: bool) -> String {
    let route = |number: usize| if is_routed { format!("route=s{number}") } else { String::new() };
    let written: String = servers
        .iter()
        .enumerate()
        .map(|(at, server)| format!("server {} max_fails=1 fail_timeout=60s {};\n", server.address, route(at + 1)))
        .collect();
    format!(
        "map $cookie_JSESSIONID $key {{ default $request_id; \"~.+\" $cookie_JSESSIONID; }}
         upstream app {{ {upstream} {written} keepalive 8; keepalive_timeout 20s; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}"
    )
}

/// What a browser has of a session.
#[derive(Default)]
struct Session {
    cookie: Option<String>,
    server: String,
    visits: u64,
}

impl Session {
    /// Visits its page; whether the session was still there.
    fn visit(&mut self, balancer: &Balancer) -> bool {
        let cookie = self.cookie.as_ref().map_or(String::new(), |cookie| format!("Cookie: JSESSIONID={cookie}\r\n"));
        let head = format!("GET {PAGE} HTTP/1.1\r\nHost: a\r\n{cookie}Connection: close\r\n\r\n");
        let answer = balancer.ask(head);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        let page: Json = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        let set = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: JSESSIONID="));
        if let Some(value) = set.and_then(|set| set.split(';').next()) {
            self.cookie = Some(value.to_owned());
        }
        page["server"].as_str().expect("a name").clone_into(&mut self.server);
        self.visits += 1;
        let is_kept = page["n"] == self.visits;
        self.visits = page["n"].as_u64().expect("a number");
        is_kept
    }
}

fn sessions(balancer: &Balancer) -> Vec<Session> {
    let mut sessions: Vec<Session> = (0..SESSIONS).map(|_| Session::default()).collect();
    assert_eq!(lost(&mut sessions, balancer), 0, "each begins");
    sessions
}

/// Has each visit its page; how many of the sessions were gone.
fn lost(sessions: &mut [Session], balancer: &Balancer) -> usize {
    sessions.iter_mut().filter_map(|session| (!session.visit(balancer)).then_some(())).count()
}

#[test]
fn sessions_stay_where_they_are() {
    for (more, upstream) in [
        (&[][..], "sticky liberty;"),
        (&[], "least_conn; sticky liberty;"),
        (&["--clone-separator", "+"], "sticky liberty;"),
    ] {
        let servers = servers(more);
        let balancer = Balancer::start(&site(&servers, upstream));
        let mut sessions = sessions(&balancer);
        for name in ["liberty-1", "liberty-2", "liberty-3"] {
            let there = sessions.iter().filter(|session| session.server == name).count();
            assert_eq!(there, SESSIONS / 3, "{name} with {upstream}");
        }
        for _ in 0..3 {
            assert_eq!(lost(&mut sessions, &balancer), 0, "{upstream}");
        }
        balancer.reload();
        assert_eq!(lost(&mut sessions, &balancer), 0, "after a reload: {upstream}");
    }
}

#[test]
fn by_the_hash_of_the_cookie_two_in_three_are_lost() {
    let servers = servers(&[]);
    let balancer = Balancer::start(&site(&servers, "hash $key consistent;"));
    let mut sessions = sessions(&balancer);
    let lost = lost(&mut sessions, &balancer);
    assert!((SESSIONS / 3..SESSIONS).contains(&lost), "{lost} of {SESSIONS}");
}

#[test]
fn only_sessions_of_a_server_that_is_gone_are_lost() {
    let mut servers = servers(&[]);
    let balancer = Balancer::start(&site(&servers, "sticky liberty;"));
    let mut sessions = sessions(&balancer);
    drop(servers.remove(1));
    assert_eq!(lost(&mut sessions, &balancer), SESSIONS / 3);
    assert!(sessions.iter().all(|session| session.server != "liberty-2"));
    assert_eq!(lost(&mut sessions, &balancer), 0, "they have begun anew elsewhere");
}

#[test]
fn clone_ids_that_nobody_has_written_are_learnt() {
    let mut servers = servers(&[]);
    let balancer = Balancer::start(&site_with(&servers, "sticky liberty;", false));
    balancer.wait_for_line("has to be learnt from its answers");
    let mut sessions = sessions(&balancer);
    for _ in 0..3 {
        assert_eq!(lost(&mut sessions, &balancer), 0);
    }
    balancer.rewrite("worker_processes 1;", &site_with(&servers, "least_conn; sticky liberty;", false));
    balancer.reload();
    assert_eq!(lost(&mut sessions, &balancer), 0, "after a reload by which the upstream has changed");
    drop(servers.remove(1));
    assert_eq!(lost(&mut sessions, &balancer), SESSIONS / 3);
    assert_eq!(lost(&mut sessions, &balancer), 0, "they have begun anew elsewhere");
}

/// A folder in which the worker may write, whoever it is.
fn state_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("a folder of our own");
    folder
}

#[test]
fn what_was_learnt_is_kept_for_the_next_start() {
    let servers = servers(&[]);
    let folder = state_folder();
    let file = folder.path().join("clones");
    let upstream = format!("sticky liberty state={};", file.display());
    let balancer = Balancer::start(&site_with(&servers, &upstream, false));
    let mut sessions = sessions(&balancer);
    let kept = || fs::read_to_string(&file).unwrap_or_default();
    wait_until("the file has all three servers", || kept().matches("route=s").count() == 3);
    drop(balancer);
    let first = format!("server {} route=s1;", servers[0].address);
    assert!(kept().contains(&first), "{}", kept());
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left there");

    let balancer = Balancer::start(&site_with(&servers, &upstream, false));
    assert_eq!(lost(&mut sessions, &balancer), 0, "after a start");
    drop(balancer);
    fs::write(&file, format!("{first}\nserver x route=\n")).expect("a file of our own");
    let (said, code) = fails(folder.path(), "", &site_with(&servers, &upstream, false));
    assert!(said.contains("clones of sticky liberty: line 2: ") && said.contains("learnt again"), "{said}");
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn what_was_learnt_before_there_was_a_state_file_is_in_it() {
    let servers = servers(&[]);
    let balancer = Balancer::start(&site_with(&servers, "sticky liberty;", false));
    let mut sessions = sessions(&balancer);
    let folder = state_folder();
    let file = folder.path().join("clones");
    // What an earlier process has left there is older.
    fs::write(&file, "server 127.0.0.1:1 route=s1;\n").expect("a file of our own");
    let upstream = format!("sticky liberty state={};", file.display());
    balancer.rewrite("worker_processes 1;", &site_with(&servers, &upstream, false));
    balancer.reload();
    let kept = || fs::read_to_string(&file).unwrap_or_default();
    wait_until("the file has the three servers", || kept().matches("route=s").count() == 3);
    assert_eq!(lost(&mut sessions, &balancer), 0);
    drop(balancer);
    let balancer = Balancer::start(&site_with(&servers, &upstream, false));
    assert_eq!(lost(&mut sessions, &balancer), 0, "after a start");
}

#[test]
fn a_state_file_that_cannot_be_written_is_told_and_costs_nothing() {
    let servers = servers(&[]);
    let upstream = "sticky liberty state=FOLDER/nowhere/clones;";
    let balancer = Balancer::start(&site_with(&servers, upstream, false));
    let mut sessions = sessions(&balancer);
    assert_eq!(lost(&mut sessions, &balancer), 0);
    wait_until("it is told with the next session", || {
        Session::default().visit(&balancer);
        balancer.log("error.log").contains("cannot keep clone ids in ")
    });
}

#[test]
fn two_servers_with_one_clone_id_are_told() {
    let servers = ["s1", "s1"].map(|clone| start(&["--clone", clone]));
    let balancer = Balancer::start(&site_with(&servers, "sticky liberty;", false));
    for _ in 0..2 {
        Session::default().visit(&balancer);
    }
    balancer.logged("error.log", " have one clone id: sessions of ");
}

/// A cookie of the balancer's own: what is set, and where a client goes that has it.
#[test]
fn a_cookie_of_our_own_names_the_server() {
    let servers = ["a", "b"].map(Scripted::named);
    let [first, second] = [servers[0].address(), servers[1].address()];
    let balancer = Balancer::start(&format!(
        "upstream app {{ sticky cookie srv expires=1h domain=$arg_d path=/ httponly samesite=lax secure;
                         server {first}; server {second} route=two; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}"
    ));
    let ask = |target: &str, cookie: &str| {
        let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        balancer.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{cookie}Connection: close\r\n\r\n"))
    };
    let set = |answer: &str| answer.lines().find_map(|line| line.strip_prefix("Set-Cookie: srv=").map(str::to_owned));
    let answer = ask("/?d=x.example", "");
    let begun = set(&answer).unwrap_or_else(|| panic!("{answer}"));
    let (id, attributes) = begun.split_once("; Expires=").unwrap_or_else(|| panic!("{begun}"));
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{begun}");
    let (date, attributes) = attributes.split_at("Sun, 06 Nov 1994 08:49:37 GMT".len());
    assert!(date.ends_with(" GMT"), "{begun}");
    assert_eq!(attributes, "; Max-Age=3600; Domain=x.example; Path=/; SameSite=lax; HttpOnly; Secure");
    // The other one's turn: it has a route.
    let answer = ask("/?d=a;Path=/b", "");
    let named = set(&answer).unwrap_or_else(|| panic!("{answer}"));
    assert!(named.starts_with("two; Expires="), "{named}");
    assert!(!named.contains("Domain"), "what would begin another attribute is left out: {named}");
    for _ in 0..3 {
        for (cookie, body) in [(format!("x=1; srv={id}"), "a"), ("srv=two".to_owned(), "b")] {
            let answer = ask("/", &cookie);
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{cookie}: {answer}");
            assert_eq!(set(&answer), None, "it has it already: {answer}");
        }
    }
    let answer = ask("/", "srv=nobody");
    assert!(set(&answer).is_some(), "a client that belongs nowhere is told anew: {answer}");
}

#[test]
fn a_route_that_is_no_value_of_a_cookie_is_not_set() {
    let server = Scripted::named("a");
    let balancer = Balancer::start(&format!(
        "upstream app {{ sticky cookie srv; server {} 'route=a; Domain=b'; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}",
        server.address()
    ));
    let answer = balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("Set-Cookie"), "{answer}");
}

#[test]
fn sessions_are_learnt_from_the_answers_that_begin_them() {
    for header in ["", "header"] {
        let server = |name: &'static str| {
            let answer =
                format!("HTTP/1.1 200 OK\r\nSet-Cookie: id=of-{name}; Path=/\r\nContent-Length: 1\r\n\r\n{name}");
            Scripted::answering(answer)
        };
        let servers = ["a", "b", "c"].map(server);
        let written: String = servers.iter().map(|server| format!("server {}; ", server.address())).collect();
        let balancer = Balancer::start(&format!(
            "upstream app {{ sticky learn create=$upstream_cookie_id lookup=$cookie_id lookup=$arg_id
                                          zone=ids:1m {header};
                             {written} }}
             server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}"
        ));
        let ask = |target: &str, id: &str| {
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nCookie: id={id}\r\nConnection: close\r\n\r\n");
            balancer.ask(head).rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
        };
        // Nobody knows them yet: by turns.
        assert_eq!(["of-c", "of-c", "of-c"].map(|id| ask("/", id)), ["a", "b", "c"]);
        balancer.reload();
        for name in ["a", "c", "b", "b", "c", "a"] {
            assert_eq!(ask("/", &format!("of-{name}")), name, "{header}");
            assert_eq!(ask(&format!("/?id=of-{name}"), ""), name, "by the second lookup");
        }
    }
}

/// Which of three servers with the routes a, b and c a request goes to that would be the first one's turn.
fn goes_to(sticky: &str, target: &str, fields: &str) -> String {
    let servers = ["a", "b", "c"].map(Scripted::named);
    let server = |(server, route): (&Scripted, &str)| format!("server {} route={route}; ", server.address());
    let written: String = servers.iter().zip(["a", "b", "c"]).map(server).collect();
    let balancer = Balancer::start(&format!(
        "upstream app {{ {sticky} {written} }} server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}"
    ));
    let answer = balancer.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n"));
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

#[test]
fn clone_ids_are_taken_from_cookies_then_from_the_address() {
    const LIBERTY: &str = "sticky liberty;";
    let clones = "Cookie: JSESSIONID=0000ABC:c\r\n";
    for (sticky, target, fields, expected) in [
        (LIBERTY, "/", clones, "c"),
        (LIBERTY, "/", "Cookie: x=y; jsessionid=0001ABC:b:c ;z=1\r\n", "b"),
        (LIBERTY, "/", "Cookie: JSESSIONID=0000ABC:unknown:b\r\n", "b"),
        (LIBERTY, "/", "Cookie: JSESSIONID=0000ABC:unknown\r\nCookie: JSESSIONID=0000DEF:c\r\n", "c"),
        (LIBERTY, "/", "Cookie: JSESSIONID=plain; JSESSIONID=0000DEF:c\r\n", "c"),
        (LIBERTY, "/a;jsessionid=0000ABC:b?q=1", "", "b"),
        (LIBERTY, "/a;jsessionid=0000ABC:b?q=1", clones, "c"),
        // None that is known: whose turn it is.
        (LIBERTY, "/", "", "a"),
        (LIBERTY, "/", "Cookie: JSESSIONID=c\r\n", "a"),
        (LIBERTY, "/", "Cookie: JSESSIONID=0000ABC:cc:C:\r\n", "a"),
        (LIBERTY, "/?jsessionid=0000ABC:b", "", "a"),
        ("sticky liberty cookie=SID;", "/", "Cookie: JSESSIONID=0000ABC:c; SID=0000ABC:b\r\n", "b"),
        ("sticky route $cookie_r $arg_r;", "/?r=b", "", "b"),
        ("sticky route $cookie_r $arg_r;", "/?r=b", "Cookie: r=c\r\n", "c"),
        ("sticky route $cookie_r $arg_r;", "/", "Cookie: r=c:b\r\n", "a"),
        ("sticky route $cookie_r $arg_r;", "/", "", "a"),
    ] {
        assert_eq!(goes_to(sticky, target, fields), expected, "{sticky} {target} {fields}");
    }
}

#[test]
fn a_list_without_an_end_costs_no_more() {
    let list = format!("Cookie: JSESSIONID=0000ABC{}\r\n", ":x".repeat(3_000));
    assert_eq!(goes_to("sticky liberty;", "/", &list), "a");
    let late = format!("Cookie: JSESSIONID=0000ABC{}:c\r\n", ":x".repeat(20));
    assert_eq!(goes_to("sticky liberty;", "/", &late), "a", "the first sixteen are looked at");
}
