//! What a role wants of a host, by rate, connections, memory and cores. Facts in, wishes out; each says why, with the
//! number that it comes from.

use std::collections::BTreeSet;

use super::advice::{self, Advice};
use super::facts::HUGE_PAGES;
use super::ports::CLIENTS;
use super::rule::{self, Rule};
use super::{Ask, Facts, Role};

/// Files beside connections: logs, listeners, what is served, wake-ups.
const FILES_ELSE: u64 = 4096;
/// Memory of the kernel for a connection: its socket and small buffers.
const CONNECTION_BYTES: u64 = 8 << 10;
/// Memory of the kernel for a packet that waits: its data and its description.
const PACKET_BYTES: u64 = 2 << 10;
/// Memory of the kernel for a connection that waits to be accepted.
const WAITING_BYTES: u64 = 1 << 10;
/// Memory of the kernel for an entry of conntrack.
const TRACKED_BYTES: u64 = 320;
/// The part of memory that a queue of the kernel may take: a sixteenth.
const QUEUE_SHARE: u64 = 16;
/// Seconds for which a closed connection holds its port.
const TIME_WAIT_S: u64 = 60;
/// Seconds for which conntrack remembers a closed connection.
const TRACKED_S: u64 = 120;
/// Entries of conntrack in a bucket of its table: the kernel's own measure before 5.15.
const TRACKED_A_BUCKET: u64 = 4;
/// Buckets in the largest page there is, of 64 KiB.
const BUCKETS_A_PAGE: u64 = 8192;
/// The local ports that are wanted: those below are for services.
const PORTS: (u16, u16) = (1024, 65_535);
/// Mappings of memory for a user of a script, and for the rest of the process.
const MAPS: (u64, u64) = (2, 4096);

/// One wish.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) what: What,
    pub(super) rule: Rule,
    pub(super) why: String,
}

/// What is wished to be otherwise.
#[derive(Debug)]
pub(super) enum What {
    /// A setting of the kernel.
    Kernel(&'static str),
    /// Open files of a service, by its number in the facts.
    Service(usize),
    /// Open files of a login, by its number in the facts.
    Login(usize),
    /// Open files of running processes of a name.
    Running(String),
    /// Something that is said and not set.
    Advice(Advice),
    /// Something that is not there, and what it would be.
    Nothing(&'static str),
}

/// All wishes of a role.
pub(super) fn wanted(facts: &Facts, ask: &Ask) -> Vec<Wanted> {
    let files = Files::of(facts, ask);
    let mut all = files.wishes(facts, ask);
    all.extend(queues(facts, ask));
    // Kept from connections before there are more ports for these.
    all.extend(reserved(facts, ask));
    if ask.role != Role::Liberty {
        all.extend(dialing(ask));
    }
    all.extend(tracked(facts, ask));
    all.extend(memory(ask));
    all.extend(advice::advice(facts, ask, files.each).into_iter().map(|advice| {
        let why = advice.why.clone();
        Wanted { what: What::Advice(advice), rule: Rule::Word(&[]), why }
    }));
    all
}

fn kernel(name: &'static str, rule: Rule, why: impl Into<String>) -> Wanted {
    Wanted { what: What::Kernel(name), rule, why: why.into() }
}

/// Open files: of a process, and of the host.
struct Files {
    /// What would be set if the host allowed it.
    wished: u64,
    each: u64,
    why: String,
}

impl Files {
    fn of(facts: &Facts, ask: &Ask) -> Self {
        let Ask { role, connections, .. } = ask;
        // The first figure is what a good host of the kind was given before its load was known.
        let (usual, an_each, what) = match role {
            Role::Balancer => (200_000, 2, "connections of clients and as many to servers"),
            Role::Liberty => (65_536, 1, "connections"),
            Role::Injector => (100_000, 1, "users with a connection each"),
        };
        let needed = connections * an_each + FILES_ELSE;
        let room = facts.memory_bytes.map_or(u64::MAX, |bytes| (bytes / CONNECTION_BYTES).max(16_384));
        let wished = usual.max(needed).min(room);
        let cap = facts.files_cap();
        let why = if cap < wished {
            format!("{connections} {what} take {needed}; fs.nr_open, which cannot be raised from here, allows {cap}")
        } else if wished < needed {
            format!("{connections} {what} take {needed}, and {} MiB hold {wished}", facts.memory_mib().unwrap_or(0))
        } else {
            format!("{connections} {what} take {needed}; {usual} is the least that is set, as memory allows")
        };
        Self { wished, each: wished.min(cap), why }
    }

    fn wishes(&self, facts: &Facts, ask: &Ask) -> Vec<Wanted> {
        let Self { wished, each, why } = self;
        let of = |what: What, why: String| Wanted { what, rule: Rule::AtLeast(*each), why };
        let mut all: Vec<Wanted> = (0..facts.services.len()).map(|at| of(What::Service(at), why.clone())).collect();
        if facts.services.is_empty() && facts.has_systemd && ask.role != Role::Injector {
            all.push(of(
                What::Nothing("LimitNOFILE of a service"),
                "none of this role is installed: name it by --service".into(),
            ));
        }
        let not_services = format!("{each} as above, for logins alone: services of systemd do not read limits.conf");
        all.extend((0..facts.logins.len()).map(|at| of(What::Login(at), not_services.clone())));
        let names: BTreeSet<&str> = facts.processes.iter().map(|process| process.name.as_str()).collect();
        let running = format!("{each} as above; what runs keeps the limit it was started with until it is told");
        all.extend(names.into_iter().map(|name| of(What::Running(name.to_owned()), running.clone())));
        all.push(kernel(
            "fs.nr_open",
            Rule::AtLeast((*wished).max(1 << 20)),
            format!("no process may be given more than this, and {wished} are wanted"),
        ));
        let host = (2 * each + 100_000).max(if ask.role == Role::Liberty { 0 } else { 500_000 });
        all.push(kernel(
            "fs.file-max",
            Rule::AtLeast(host),
            format!("open files of all processes: two of {each}, as in a reload, and 100000 for the rest"),
        ));
        all
    }
}

/// What waits in the kernel until a program takes it.
fn queues(facts: &Facts, ask: &Ask) -> Vec<Wanted> {
    let Ask { rate, connections, role, .. } = ask;
    if *role == Role::Injector {
        return Vec::new();
    }
    let fitting = |number: u64, bytes: u64, least: u64| {
        let room = facts.memory_bytes.map_or(u64::MAX, |memory| memory / QUEUE_SHARE / bytes);
        number.min(room).max(least)
    };
    let two_a_request = (2 * rate).next_power_of_two().max(16_384);
    let backlog = fitting((*connections).max(65_535), WAITING_BYTES, 4096);
    let mut all = vec![
        kernel(
            "net.core.somaxconn",
            Rule::AtLeast(backlog),
            format!(
                "connections that wait to be accepted: {connections} may come at once after a failure, 65535 at least; \
                 `backlog=` behind `listen` is the other limit, 511 unless told"
            ),
        ),
        kernel(
            "net.ipv4.tcp_max_syn_backlog",
            Rule::AtLeast(fitting(two_a_request, WAITING_BYTES, 1024)),
            format!("handshakes under way: {rate}/s for 2 s if no connection is kept, 16384 at least"),
        ),
    ];
    if *role == Role::Balancer {
        let cores = facts.cores.unwrap_or(1).max(1);
        all.push(kernel(
            "net.core.netdev_max_backlog",
            Rule::AtLeast(fitting(two_a_request, PACKET_BYTES * cores, 1000)),
            format!("packets a core: 2 for each of {rate} requests in a second that it is busy, 16384 at least"),
        ));
    }
    all
}

/// What a host needs that makes many connections.
fn dialing(ask: &Ask) -> [Wanted; 3] {
    let (first, last) = PORTS;
    let ports = u64::from(last - first) + 1;
    let a_second = ports / TIME_WAIT_S;
    let what = match ask.role {
        Role::Injector => format!("{} users take one each", ask.connections),
        _ => format!("{} connections to servers take one each for an address of a server", ask.connections),
    };
    [
        kernel("net.ipv4.ip_local_port_range", Rule::Range(first, last), format!("{ports} local ports: {what}")),
        kernel(
            "net.ipv4.tcp_tw_reuse",
            Rule::Word(&["1"]),
            format!(
                "TIME_WAIT holds a port {TIME_WAIT_S} s: {ports} ports are {a_second} new connections/s to an address \
                 (at most {}/s here) without it",
                ask.rate
            ),
        ),
        kernel(
            "net.ipv4.tcp_fin_timeout",
            Rule::AtMost(15),
            format!(
                "15 s for FIN_WAIT2, the other side's silence; TIME_WAIT stays {TIME_WAIT_S} s: that is tcp_tw_reuse"
            ),
        ),
    ]
}

/// Ports of services that connections are not to take.
fn reserved(facts: &Facts, ask: &Ask) -> Option<Wanted> {
    let range = if ask.role == Role::Liberty {
        let range = facts.known("net.ipv4.ip_local_port_range").and_then(rule::range);
        range.map_or(CLIENTS, |(first, last)| first..=last)
    } else {
        PORTS.0..=PORTS.1
    };
    let listening = facts.listening.iter().filter(|port| range.contains(port));
    let ports: BTreeSet<u16> = listening.chain(&ask.ports).copied().collect();
    let why = format!(
        "services listen at these in {} to {}, or will (--port): a connection that takes such a port keeps its service \
         from starting",
        range.start(),
        range.end()
    );
    (!ports.is_empty()).then(|| kernel("net.ipv4.ip_local_reserved_ports", Rule::Ports(ports), why))
}

/// The table of conntrack, where it is loaded.
fn tracked(facts: &Facts, ask: &Ask) -> Vec<Wanted> {
    const NAME: &str = "net.netfilter.nf_conntrack_max";
    const BUCKETS: &str = "net.netfilter.nf_conntrack_buckets";
    // 0 is a table without a limit.
    if facts.values.get(NAME).is_none_or(|value| value.text == "0") {
        return Vec::new();
    }
    let needed = 2 * ask.connections + TRACKED_S * ask.rate;
    let room = facts.memory_bytes.map_or(u64::MAX, |memory| memory / QUEUE_SHARE / TRACKED_BYTES);
    let entries = needed.min(room).max(65_536);
    let why = format!(
        "a full table drops packets: 2 x {} connections, and {}/s closed ones for {TRACKED_S} s, as memory allows",
        ask.connections, ask.rate
    );
    // The kernel rounds up to whole pages, and would seem to have refused another number.
    let buckets = (entries / TRACKED_A_BUCKET).next_multiple_of(BUCKETS_A_PAGE);
    let searched =
        format!("{entries} entries are searched for in each packet: {TRACKED_A_BUCKET} a bucket, and not more");
    let mut all = vec![kernel(NAME, Rule::AtLeast(entries), why)];
    if facts.values.contains_key(BUCKETS) {
        all.push(kernel(BUCKETS, Rule::AtLeast(buckets), searched));
    }
    all
}

/// What a JVM, and a script's users, want of memory.
fn memory(ask: &Ask) -> Vec<Wanted> {
    match ask.role {
        Role::Balancer => Vec::new(),
        Role::Injector => vec![kernel(
            "vm.max_map_count",
            Rule::AtLeast((MAPS.0 * ask.connections + MAPS.1).max(65_530)),
            format!(
                "a user of a script takes {} mappings of memory, {} users {}",
                MAPS.0,
                ask.connections,
                MAPS.0 * ask.connections
            ),
        )],
        Role::Liberty => vec![
            kernel(
                "vm.swappiness",
                Rule::AtMost(10),
                "10 of 200: a heap that is swapped out to keep files in memory is a pause of seconds",
            ),
            kernel(
                HUGE_PAGES,
                Rule::Word(&["madvise", "never"]),
                "with \"always\" the kernel moves memory about for 2 MiB pages while requests wait; \
                 -XX:+UseTransparentHugePages asks for them",
            ),
        ],
    }
}
