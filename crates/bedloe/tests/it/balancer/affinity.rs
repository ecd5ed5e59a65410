//! `sticky`: sessions stay with the server that has them, and move on where it is gone.

use serde_json::Value as Json;

use crate::support::balancer::Balancer;
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

/// An upstream of these servers, with their routes where it is to know them.
fn site(servers: &[StandIn], upstream: &str) -> String {
    let route = |number: usize| if upstream.contains("sticky") { format!("route=s{number}") } else { String::new() };
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
