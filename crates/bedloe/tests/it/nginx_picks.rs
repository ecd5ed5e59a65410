//! bedloe picks the server that nginx picks: the same requests go through a real nginx and through `balance`, and each
//! must be answered by the same server with the same status.
//!
//! Without an nginx on the machine the comparison is skipped by name.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use balance::{Attempts, Balancer, Exchange, Failure, Group, Method, PeerSettings, RetryRule, StatusSet, Verdict};

use crate::support::client::{Answer, get_all_with};
use crate::support::nginx::{self, Nginx};
use crate::support::upstream::{Refusing, Upstream};

const KEYS: usize = 10_000;
const TURNS: usize = 70;

/// Longer than the test: what a server did at the start still counts at the end.
const FAIL_TIMEOUT_S: u64 = 600;

/// A group of servers, and the requests it is asked.
struct Scenario {
    name: &'static str,
    /// `""`, `"hash"`, `"consistent"`, or a directive as it is written.
    method: &'static str,
    servers: Vec<Server>,
    keys: Keys,
    /// Parameters of `proxy_next_upstream`.
    next_upstream: &'static str,
    tries: u32,
}

#[derive(Clone, Copy)]
enum Keys {
    Different,
    /// None at all: it is the order of servers that counts.
    Empty,
    /// Addresses of clients.
    Addresses,
}

#[derive(Clone, Copy)]
struct Server {
    weight: u32,
    max_fails: u32,
    backup: bool,
    down: bool,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Answering,
    Refusing,
    /// Answers 503.
    Failing,
}

const SERVER: Server = Server { weight: 1, max_fails: 1, backup: false, down: false, kind: Kind::Answering };
const REFUSING: Server = Server { kind: Kind::Refusing, ..SERVER };
const FAILING: Server = Server { kind: Kind::Failing, ..SERVER };
const DOWN: Server = Server { down: true, ..SERVER };
const BACKUP: Server = Server { backup: true, ..SERVER };

const fn weight(weight: u32) -> Server {
    Server { weight, ..SERVER }
}

fn hashed(name: &'static str, method: &'static str, servers: &[Server]) -> Scenario {
    let servers = servers.to_vec();
    Scenario { name, method, servers, keys: Keys::Different, next_upstream: "error timeout", tries: 0 }
}

fn in_turn(name: &'static str, servers: &[Server]) -> Scenario {
    Scenario { keys: Keys::Empty, ..hashed(name, "", servers) }
}

fn by_address(name: &'static str, servers: &[Server]) -> Scenario {
    Scenario { keys: Keys::Addresses, ..hashed(name, "ip_hash", servers) }
}

/// One request at a time: whose turn it is among servers with nothing to do.
fn idle(name: &'static str, servers: &[Server]) -> Scenario {
    Scenario { keys: Keys::Empty, ..hashed(name, "least_conn", servers) }
}

fn scenarios() -> Vec<Scenario> {
    let always_tried = Server { max_fails: 0, ..REFUSING };
    let often_failing = Server { max_fails: 3, ..REFUSING };
    vec![
        hashed("a ring of three", "consistent", &[SERVER; 3]),
        hashed("a ring of weights", "consistent", &[weight(3), weight(1), weight(2), weight(7)]),
        hashed("a ring with a down server", "consistent", &[SERVER, DOWN, SERVER]),
        hashed("a ring after a failure", "consistent", &[SERVER, REFUSING, weight(2), SERVER]),
        hashed("a ring with a server that is always tried", "consistent", &[SERVER, always_tried, SERVER, SERVER]),
        hashed(
            "a ring with a heavy down server",
            "consistent",
            &[weight(1), Server { down: true, ..weight(90) }, SERVER],
        ),
        hashed("plain hash", "hash", &[SERVER; 3]),
        hashed("plain hash of weights", "hash", &[weight(3), weight(1), weight(2)]),
        hashed("plain hash with a down server", "hash", &[SERVER, DOWN, SERVER]),
        hashed("plain hash after a failure", "hash", &[SERVER, REFUSING, SERVER, weight(2)]),
        hashed("plain hash with a server that is always tried", "hash", &[SERVER, always_tried, weight(2)]),
        in_turn("weights in turn", &[weight(5), weight(1), weight(1)]),
        in_turn("more weights in turn", &[weight(4), weight(3), DOWN, weight(6)]),
        in_turn("a failing weight in turn", &[weight(5), Server { weight: 6, ..often_failing }, weight(2)]),
        in_turn("a refused server among equals", &[SERVER, REFUSING, SERVER]),
        in_turn("backups in turn", &[REFUSING, BACKUP, REFUSING, Server { weight: 3, ..BACKUP }]),
        in_turn("nothing but refusals", &[REFUSING, REFUSING]),
        in_turn("a single server that refuses", &[REFUSING]),
        by_address("addresses", &[SERVER; 3]),
        by_address("addresses and weights", &[weight(3), weight(1), weight(2)]),
        by_address("addresses and a down server", &[SERVER, DOWN, SERVER]),
        by_address("addresses after a failure", &[SERVER, REFUSING, SERVER, weight(2)]),
        idle("idle servers", &[SERVER; 3]),
        idle("idle servers of weights", &[weight(4), weight(3), DOWN, weight(6)]),
        idle("idle servers after a failure", &[weight(5), Server { weight: 6, ..often_failing }, weight(2)]),
        idle("idle backups", &[REFUSING, BACKUP, REFUSING, Server { weight: 3, ..BACKUP }]),
        Scenario { keys: Keys::Empty, ..hashed("a ring without keys", "consistent", &[weight(2), SERVER]) },
        Scenario { keys: Keys::Empty, ..hashed("plain hash without keys", "hash", &[weight(2), SERVER]) },
        Scenario { next_upstream: "error http_503", ..in_turn("503 goes on", &[weight(2), FAILING, weight(3)]) },
        Scenario { next_upstream: "error http_503", tries: 1, ..in_turn("503 without tries", &[SERVER, FAILING]) },
        Scenario { tries: 1, ..in_turn("a refusal without tries", &[weight(3), REFUSING]) },
        Scenario { next_upstream: "off", ..in_turn("off", &[SERVER, FAILING, often_failing]) },
    ]
}

/// Addresses of which the first three bytes differ, some of them of IPv6.
fn address(number: usize) -> IpAddr {
    let [.., high, middle, low] = (number as u32).wrapping_mul(104_729).to_be_bytes();
    match number % 5 {
        0 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, high.into(), 0, 0, 0, middle.into(), low.into())),
        _ => IpAddr::V4(Ipv4Addr::new(high, middle, low, 7)),
    }
}

/// Servers for a scenario, on addresses of their own.
#[derive(Default)]
struct Servers {
    names: Vec<String>,
    running: Vec<Upstream>,
    refusing: Vec<Refusing>,
}

impl Servers {
    fn start(servers: &[Server]) -> Self {
        let mut started = Self::default();
        for (server, last) in servers.iter().zip(11..) {
            let address = started.start_one(server.kind, IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
            started.names.push(address.to_string());
        }
        started
    }

    fn start_one(&mut self, kind: Kind, ip: IpAddr) -> SocketAddr {
        if kind == Kind::Refusing {
            let server = Refusing::start(ip).unwrap();
            let address = server.address();
            self.refusing.push(server);
            return address;
        }
        let server = Upstream::start(ip, if kind == Kind::Failing { 503 } else { 200 }).unwrap();
        let address = server.address();
        self.running.push(server);
        address
    }
}

impl Scenario {
    fn targets(&self, index: usize) -> Vec<String> {
        self.keys().iter().map(|key| format!("/{index}/?key={key}")).collect()
    }

    fn keys(&self) -> Vec<String> {
        match self.keys {
            Keys::Different => (0..KEYS).map(|number| format!("{:x}-{number}", number * 7919)).collect(),
            Keys::Empty => vec![String::new(); TURNS],
            Keys::Addresses => (0..KEYS).map(|number| address(number).to_string()).collect(),
        }
    }

    /// The upstream block and the location that leads to it.
    fn config(&self, index: usize, names: &[String]) -> (String, String) {
        let method = match self.method {
            "" => String::new(),
            "hash" => "hash $arg_key;".to_owned(),
            "ip_hash" | "least_conn" => format!("{};", self.method),
            method => format!("hash $arg_key {method};"),
        };
        let server = |(server, name): (&Server, &String)| {
            let Server { weight, max_fails, .. } = server;
            let backup = if server.backup { " backup" } else { "" };
            let down = if server.down { " down" } else { "" };
            format!("server {name} weight={weight} max_fails={max_fails} fail_timeout={FAIL_TIMEOUT_S}{backup}{down};")
        };
        let servers: String = self.servers.iter().zip(names).map(server).collect();
        let upstream = format!("upstream scenario{index} {{ {method} {servers} keepalive 16; }}\n");
        let Self { next_upstream, tries, .. } = self;
        let location = format!(
            "location /{index}/ {{ proxy_pass http://scenario{index}; proxy_next_upstream {next_upstream}; \
             proxy_next_upstream_tries {tries}; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}\n"
        );
        (upstream, location)
    }

    fn balancer(&self, names: &[String]) -> Balancer {
        let settings = |(server, name): (&Server, &String)| PeerSettings {
            name: name.clone(),
            weight: server.weight,
            max_conns: 0,
            max_fails: server.max_fails,
            fail_timeout_ms: FAIL_TIMEOUT_S * 1000,
            backup: server.backup,
            down: server.down,
            drain: false,
            slow_start_ms: 0,
            route: String::new(),
            checks: balance::Checks::None,
        };
        let method = match self.method {
            "" => Method::RoundRobin,
            "ip_hash" => Method::IpHash,
            "least_conn" => Method::LeastConn,
            method => Method::Hash { consistent: method == "consistent" },
        };
        Balancer::new(Arc::new(Group::new(self.servers.iter().zip(names).map(settings).collect(), method)))
    }

    /// What is hashed: of IPv4 the first three bytes.
    fn key(&self, key: &str) -> Vec<u8> {
        match (self.keys, key.parse()) {
            (Keys::Addresses, Ok(IpAddr::V4(ip))) => ip.octets()[..3].to_vec(),
            (Keys::Addresses, Ok(IpAddr::V6(ip))) => ip.octets().to_vec(),
            _ => key.as_bytes().to_vec(),
        }
    }

    fn rule(&self) -> RetryRule {
        let names = |word| self.next_upstream.split(' ').any(|other| other == word);
        let statuses: &[u16] = if names("http_503") { &[503] } else { &[] };
        RetryRule {
            error: names("error"),
            timeout: names("timeout"),
            statuses: StatusSet::new(statuses),
            tries: self.tries,
            ..RetryRule::OFF
        }
    }

    /// What `balance` makes of the requests; `None` as body where the answer is the proxy's own.
    fn answers_of_balance(&self, names: &[String]) -> Vec<(u16, Option<String>)> {
        let mut balancer = self.balancer(names);
        let rule = self.rule();
        self.keys().iter().map(|key| self.answer(&mut balancer, &rule, key, names)).collect()
    }

    fn answer(&self, balancer: &mut Balancer, rule: &RetryRule, key: &str, names: &[String]) -> (u16, Option<String>) {
        let now_ms = 10 * FAIL_TIMEOUT_S * 1000;
        let mut attempts = Attempts::default();
        let mut tries_left = rule.tries_of(balancer.group().tries());
        let key = self.key(key);
        while let Some(peer) = balancer.pick(&mut attempts, &key, now_ms) {
            tries_left -= 1;
            let (failure, anything_written) = match self.servers[peer].kind {
                Kind::Answering => {
                    balancer.release(peer, balance::Outcome::Success, now_ms);
                    return (200, Some(names[peer].clone()));
                }
                Kind::Refusing => (Failure::Connect { timed_out: false }, false),
                Kind::Failing => (Failure::Status(503), true),
            };
            let exchange = Exchange { idempotent: true, replayable: true, anything_written, ..Exchange::default() };
            let verdict = rule.judge(failure, &exchange, tries_left, now_ms, now_ms);
            balancer.release(peer, rule.outcome(failure, &exchange, verdict), now_ms);
            match verdict {
                Verdict::NextPeer | Verdict::SamePeerFresh => {}
                Verdict::Finish { status } => return (status, None),
                Verdict::PassOn => return (503, Some(names[peer].clone())),
            }
        }
        (502, None)
    }
}

#[test]
fn every_request_goes_where_nginx_sends_it() {
    let Some(program) = nginx::find() else {
        nginx::skipped("nginx_picks");
        return;
    };
    let scenarios: Vec<_> =
        scenarios().into_iter().map(|scenario| (Servers::start(&scenario.servers), scenario)).collect();
    let (mut upstreams, mut locations) = (String::new(), String::new());
    for (index, (servers, scenario)) in scenarios.iter().enumerate() {
        let (upstream, location) = scenario.config(index, &servers.names);
        upstreams.push_str(&upstream);
        locations.push_str(&location);
    }
    let address = "set_real_ip_from unix:; real_ip_header X-Address;";
    let http = format!("{upstreams}server {{ listen SOCKET; {address}\n{locations} }}\n");
    let nginx = Nginx::start(&program, &http).unwrap();
    let stream = nginx.connect().unwrap();
    for (index, (servers, scenario)) in scenarios.iter().enumerate() {
        let targets = scenario.targets(index);
        let fields: Vec<String> = scenario.keys().iter().map(|key| format!("X-Address: {key}\r\n")).collect();
        let requests = targets.iter().zip(&fields).map(|(target, fields)| (target.as_str(), fields.as_str()));
        let theirs = get_all_with(&stream, &stream, requests).unwrap();
        compare(scenario, &theirs, &scenario.answers_of_balance(&servers.names));
    }
}

fn compare(scenario: &Scenario, theirs: &[Answer], ours: &[(u16, Option<String>)]) {
    assert_eq!(theirs.len(), ours.len(), "{}", scenario.name);
    let is_same = |answer: &Answer, (status, server): &(u16, Option<String>)| {
        answer.status == *status && server.as_ref().is_none_or(|name| *name == answer.body)
    };
    let differing: Vec<_> = (0..ours.len()).filter(|&index| !is_same(&theirs[index], &ours[index])).collect();
    if let Some(&first) = differing.first() {
        let count = differing.len();
        panic!(
            "{}: {count} of {} requests differ, first number {first}: nginx {:?}, bedloe {:?}",
            scenario.name,
            ours.len(),
            theirs[first],
            ours[first]
        );
    }
}
