//! Figures of made-up hosts, and of this one by both ways.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::totals::Totals;
use super::{Figures, History, Point, Sampler, Source};
use crate::fetch::Credentials;

const TEXT: &str = "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} USER\n\
    node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 50\n\
    node_cpu_seconds_total{cpu=\"1\",mode=\"user\"} 10\nnode_cpu_seconds_total{cpu=\"1\",mode=\"iowait\"} IO\n\
    node_cpu_seconds_total{cpu=\"1\",mode=\"new\"} 9\nnode_load1 1.5\nnode_context_switches_total SWITCHES\n\
    node_memory_MemTotal_bytes 1000\nnode_memory_MemAvailable_bytes 250\nnode_time_seconds TIME\n\
    node_netstat_Tcp_ActiveOpens 5\nnode_netstat_Tcp_PassiveOpens SWITCHES\nnode_netstat_Tcp_CurrEstab 7\n\
    node_network_receive_bytes_total{device=\"lo\"} SWITCHES\nnode_network_receive_bytes_total{device=\"a\"} 100\n\
    node_network_receive_bytes_total{device=\"b\"} SWITCHES\nnode_network_transmit_bytes_total{device=\"lo\"} 5\n\
    namedprocess_namegroup_num_procs{groupname=\"java\"} 2\nbedloe_liberty_up 1\nnonsense\nnode_load1{ 3\n\
    namedprocess_namegroup_cpu_seconds_total{groupname=\"java\",mode=\"user\"} USER\n\
    namedprocess_namegroup_cpu_seconds_total{groupname=\"java\",mode=\"system\"} 1\n\
    namedprocess_namegroup_memory_bytes{groupname=\"java\",memtype=\"resident\"} 4096\n\
    namedprocess_namegroup_memory_bytes{groupname=\"java\",memtype=\"virtual\"} 9999\n";

fn totals(user: &str, io: &str, switches: &str, time: &str) -> Totals {
    let text = TEXT.replace("USER", user).replace("IO", io).replace("SWITCHES", switches).replace("TIME", time);
    Totals::of_text(&text).unwrap()
}

#[test]
fn counts_become_figures_a_second() {
    let (began, first) = (Instant::now(), totals("10", "1", "1000", "100.0"));
    let figures = Figures::between(None, &first, began);
    assert_eq!((figures.cores, figures.cpu, figures.load1), (2, None, Some(1.5)));
    assert_eq!((figures.memory_used_share, figures.tcp_established), (Some(0.75), Some(7.0)));
    assert_eq!((figures.context_switches_per_s, figures.processes[0].cpu_cores), (None, None));

    // Its own clock says two seconds, ours a little more.
    let (later, second) = (began + Duration::from_millis(2100), totals("12", "3", "3000", "102.0"));
    let figures = Figures::between(Some(&(first.clone(), began)), &second, later);
    let cpu = figures.cpu.unwrap();
    assert_eq!((cpu.user, cpu.iowait, cpu.idle, cpu.busy()), (0.5, 0.5, 0.0, 0.5));
    assert_eq!((figures.context_switches_per_s, figures.tcp_opens_per_s), (Some(1000.0), Some(1000.0)));
    assert_eq!((figures.received_bytes_per_s, figures.loopback_bytes_per_s), (Some(1000.0), Some(1000.0)));
    assert_eq!((figures.sent_bytes_per_s, figures.tcp_resets_per_s, figures.liberty_up), (None, None, Some(true)));
    let java = &figures.processes[0];
    assert_eq!((java.name.as_str(), java.count, java.cpu_cores, java.resident_bytes), ("java", 2.0, Some(1.0), 4096.0));

    // A clock that was set, and a host that started anew.
    let set = totals("12", "3", "3000", "9999.0");
    let figures = Figures::between(Some(&(first.clone(), began)), &set, began + Duration::from_secs(4));
    assert_eq!(figures.context_switches_per_s, Some(500.0));
    let figures = Figures::between(Some(&(second, began)), &totals("1", "0", "5", "103.0"), later);
    assert_eq!((figures.context_switches_per_s, figures.cpu, figures.processes[0].cpu_cores), (None, None, None));
    for text in ["", "<html>", "up 1\n", "node_load1 NaN\n"] {
        assert_eq!(Totals::of_text(text), None, "{text}");
    }
}

/// What an agent says is remembered for some time, and drawn.
#[test]
fn what_an_agent_says_has_bounds() {
    let long = format!("node_load1 1\nnamedprocess_namegroup_num_procs{{groupname=\"{}\"}} 1\n", "a".repeat(100_000));
    assert!(Totals::of_text(&long).unwrap().processes.is_empty());
    for value in ["1e308", "-1", "NaN", "+Inf"] {
        assert_eq!(Totals::of_text(&format!("node_load1 {value}\n")), None, "{value}");
    }
    let more = "node_load1 1\nnode_memory_MemTotal_bytes 100\nnode_memory_MemAvailable_bytes 300\n";
    let figures = Figures::between(None, &Totals::of_text(more).unwrap(), Instant::now());
    assert_eq!(figures.memory_used_share, Some(0.0));
}

#[test]
fn a_history_has_an_end() {
    let mut history = History { name: "a".to_owned(), source: "b".to_owned(), points: Default::default() };
    for at_ms in 0..10 {
        history.push(Point { at_ms, figures: None, unreachable: None }, 3);
    }
    let kept: Vec<_> = history.points.iter().map(|point| point.at_ms).collect();
    assert_eq!((kept, history.last().unwrap().at_ms), (vec![7, 8, 9], 9));
}

/// An address that answers each connection with these bytes.
fn answering(bytes: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(bytes.as_bytes());
        }
    });
    url
}

#[test]
fn this_machine_is_looked_at_and_a_silent_agent_is_told() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let agent =
        |name: &str, url: &str| Source::agent(name.to_owned(), url.parse().unwrap(), Credentials::default()).unwrap();
    let here = Source::here("here".to_owned(), &["no-such-program".to_owned()]).unwrap();
    let locked = answering("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    let strange = answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html");
    let sources = vec![
        here,
        agent("silent", &address),
        agent("gone", "http://127.0.0.1:1"),
        agent("locked", &locked),
        agent("strange", &strange),
    ];
    let sampler = Sampler::start(sources, 900).unwrap();
    let hosts = sampler.hosts();
    let until = Instant::now() + Duration::from_secs(20);
    let is_done = |all: &[History]| {
        let rates = all[0].points.iter().filter(|point| point.figures.as_ref().is_some_and(|of| of.cpu.is_some()));
        rates.count() >= 1 && all[1..].iter().all(|host| !host.points.is_empty())
    };
    while !hosts.with(is_done) {
        assert!(Instant::now() < until, "{:?}", hosts.with(<[History]>::to_vec));
        std::thread::yield_now();
    }
    drop(sampler);
    let all = hosts.with(<[History]>::to_vec);
    let figures = all[0].last().unwrap().figures.clone().unwrap();
    let cpu = figures.cpu.unwrap();
    assert!((cpu.busy() + cpu.idle + cpu.iowait - 1.0).abs() < 1e-6, "{cpu:?}");
    assert!(figures.memory_used_share.is_some_and(|share| share > 0.0 && share < 1.0), "{figures:?}");
    assert_eq!((all[0].source.as_str(), figures.processes[0].count), ("this machine", 0.0));
    let why: Vec<_> = all[1..].iter().map(|host| host.points[0].unreachable.as_deref().unwrap()).collect();
    assert_eq!((why[0], why[2]), ("no answer within 2 s", "the agent wants a token: --agent-token FILE"));
    assert!(why[1].starts_with("cannot connect: "), "{why:?}");
    assert_eq!(why[3], "/metrics is not that of an agent or of node_exporter");
}
