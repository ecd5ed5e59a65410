//! What an agent says: the host's figures, those of processes that come and go, and those of a Liberty server.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Agent, value};
use crate::support::balancer::wait_until;
use crate::support::scripted::{Scripted, ok};
use crate::support::skipped;

#[test]
fn the_host_is_told_under_the_names_of_node_exporter() {
    let agent = Agent::start(&["--process", "bedloe"]);
    let text = agent.scrape();
    for series in [
        "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"}",
        "node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"}",
        "node_load1",
        "node_context_switches_total",
        "node_intr_total",
        "node_forks_total",
        "node_memory_MemAvailable_bytes",
        "node_netstat_Tcp_CurrEstab",
        "node_netstat_Tcp_RetransSegs",
        "node_sockstat_TCP_mem_bytes",
        "node_network_receive_bytes_total{device=\"lo\"}",
        "node_filefd_allocated",
        "namedprocess_namegroup_cpu_seconds_total{groupname=\"bedloe\",mode=\"user\"}",
        "namedprocess_namegroup_memory_bytes{groupname=\"bedloe\",memtype=\"resident\"}",
        "bedloe_agent_scrapes_total",
    ] {
        assert!(value(&text, series).is_some(), "{series} is missing in {text}");
    }
    let meminfo = fs::read_to_string("/proc/meminfo").expect("a file");
    let total = meminfo.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    assert_eq!(value(&text, "node_memory_MemTotal_bytes"), total.map(|kib| kib * 1024.0));
    let stat = fs::read_to_string("/proc/stat").expect("a file");
    let started = stat.lines().find_map(|line| line.strip_prefix("btime ")?.parse::<f64>().ok());
    assert_eq!(value(&text, "node_boot_time_seconds"), started);
    assert!(text.contains("node_uname_info{domainname=") && text.contains("sysname=\"Linux\""));
}

#[test]
fn the_exposition_is_what_prometheus_reads() {
    let agent = Agent::start(&["--process", "bedloe", "--process", "no-such-program"]);
    let text = agent.scrape();
    for sample in metrics::exposition::samples(&text) {
        sample.expect("a sample");
    }
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut promtool) = promtool.spawn() else {
        skipped("the_exposition_is_what_prometheus_reads", "promtool");
        return;
    };
    promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    // It would have other names for what the kernel calls `MemTotal`; node_exporter has them too.
    let other: Vec<_> = said.lines().filter(|line| !line.ends_with("not 'camelCase'")).collect();
    assert!(other.is_empty() && output.status.code() != Some(1), "{said}");
}

#[test]
fn counts_of_processes_that_have_ended_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    // A name that no other process of this machine has.
    let name = format!("agent-{}", std::process::id());
    let program = folder.path().join(&name);
    fs::copy("/bin/sh", &program).expect("a shell");
    let agent = Agent::start(&["--process", &name]);
    let cpu = |text: &str| {
        let of = |mode: &str| {
            value(text, &format!("namedprocess_namegroup_cpu_seconds_total{{groupname=\"{name}\",mode=\"{mode}\"}}"))
        };
        of("user").expect("a series") + of("system").expect("a series")
    };
    let processes = |text: &str| value(text, &format!("namedprocess_namegroup_num_procs{{groupname=\"{name}\"}}"));
    assert_eq!((processes(&agent.scrape()), cpu(&agent.scrape()).to_bits()), (Some(0.0), 0));
    let mut busy = Command::new(&program).args(["-c", "while :; do :; done"]).spawn().expect("it starts");
    let mut used = 0.0;
    wait_until("CPU time", || {
        let text = agent.scrape();
        used = cpu(&text);
        used > 0.05 && processes(&text) == Some(1.0)
    });
    busy.kill().expect("it runs");
    busy.wait().expect("it ends");
    let text = agent.scrape();
    assert_eq!(processes(&text), Some(0.0));
    assert!(cpu(&text) >= used, "{} after {used}", cpu(&text));
}

/// A Liberty server as far as an agent asks it.
fn liberty(health: &'static str) -> Scripted {
    Scripted::start(move |link, _| {
        loop {
            let head = link.head()?;
            let answer = match head.split(' ').nth(1) {
                Some("/health") => ok(health),
                Some("/metrics") => ok("# TYPE threadpool_activeThreads gauge\n\
                                        threadpool_activeThreads{pool=\"Default_Executor\"} 3.0\njvm_x 1\nnonsense\n"),
                _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
            };
            link.send(answer)?;
        }
    })
}

#[test]
fn liberty_is_folded_in() {
    let server = liberty(r#"{"status":"UP","checks":[{"name":"db","status":"UP","data":{}}]}"#);
    let agent = Agent::start(&["--liberty", &format!("http://{}", server.address())]);
    wait_until("Liberty's figures", || value(&agent.scrape(), "bedloe_liberty_up") == Some(1.0));
    let text = agent.scrape();
    assert_eq!(value(&text, "bedloe_liberty_check_up{check=\"db\"}"), Some(1.0));
    assert_eq!(value(&text, "threadpool_activeThreads{pool=\"Default_Executor\"}"), Some(3.0));
    assert_eq!(value(&text, "bedloe_liberty_errors_total{page=\"metrics\"}"), Some(0.0));
    assert!(!text.contains("jvm_x") && !text.contains("nonsense"));
    // One connection is kept for all of it.
    assert_eq!(server.received().iter().filter(|received| !received.is_empty()).count(), 1);
}

#[test]
fn a_liberty_whose_metrics_are_slow_is_up_all_the_same() {
    let slow = Scripted::start(|link, _| {
        while link.head()?.starts_with("GET /health ") {
            link.send(ok(r#"{"status":"UP","checks":[]}"#))?;
        }
        link.closed()
    });
    let agent = Agent::start(&["--liberty", &format!("http://{}", slow.address())]);
    let text = agent.scrape();
    assert_eq!((value(&text, "bedloe_liberty_up"), value(&text, "bedloe_liberty_reachable")), (Some(1.0), Some(1.0)));
    assert_eq!(value(&text, "bedloe_liberty_errors_total{page=\"metrics\"}"), Some(0.0), "it has some seconds more");
}

#[test]
fn a_liberty_that_does_not_answer_delays_nobody() {
    let hanging = Scripted::start(|link, _| link.closed());
    let agent = Agent::start(&["--liberty", &format!("http://{}", hanging.address())]);
    let began = Instant::now();
    let text = agent.scrape();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((value(&text, "bedloe_liberty_up"), value(&text, "bedloe_liberty_reachable")), (Some(0.0), Some(0.0)));
    assert!(value(&text, "node_load1").is_some());
    wait_until("an error", || {
        value(&agent.scrape(), "bedloe_liberty_errors_total{page=\"health\"}").is_some_and(|errors| errors >= 1.0)
    });
    let gone = Agent::start(&["--liberty", "http://127.0.0.1:1"]);
    wait_until("an error", || {
        value(&gone.scrape(), "bedloe_liberty_errors_total{page=\"metrics\"}").is_some_and(|errors| errors >= 1.0)
    });
}
