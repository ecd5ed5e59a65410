//! The exposition as a reader of it sees it, its bounds, and that the reference says what the table does.

use std::collections::HashSet;
use std::path::Path;

use metrics::exposition::{Sample, samples};
use proxy::{ServerStatus, Status, UpstreamStatus, ZoneStatus};

use super::table::Metric;
use super::*;

fn server(address: &str) -> ServerStatus {
    ServerStatus {
        name: "app.test:80".into(),
        address: address.into(),
        state: "up",
        requests: 2,
        ..ServerStatus::default()
    }
}

fn read(text: &str) -> Vec<Sample<'_>> {
    samples(text).collect::<Result<_, _>>().expect("it can be read")
}

fn key(sample: &Sample<'_>) -> String {
    format!("{} {:?}", sample.name, sample.labels)
}

#[test]
fn series_are_unique_and_bounded() {
    let servers = (0..PEERS_MAX + 3).map(|n| server(&format!("10.0.{}.{}:80", n / 256, n % 256)));
    let twice = UpstreamStatus {
        name: "a\"b".into(),
        servers: vec![server("10.9.0.1:80"), server("10.9.0.1:80")],
        ..UpstreamStatus::default()
    };
    let many = UpstreamStatus { name: "many".into(), servers: servers.collect(), ..UpstreamStatus::default() };
    let zone = |n| ZoneStatus { name: format!("zone{n}"), requests: 1, ..ZoneStatus::default() };
    let more = (0..PEERS_MAX).map(|n| UpstreamStatus { name: format!("u{n}"), strays: 1, ..UpstreamStatus::default() });
    let status = Status {
        upstreams: [twice, many].into_iter().chain(more).collect(),
        server_zones: (0..ZONES_MAX + 5).map(zone).collect(),
        ..Status::default()
    };
    let text = text(&status, &Process::default());
    let all = read(&text);
    let keys: HashSet<String> = all.iter().map(key).collect();
    assert_eq!(keys.len(), all.len(), "a series is there twice");
    let requests = |label: &str, value: &str, metric: &str| -> Vec<f64> {
        let of = all.iter().filter(|sample| sample.name == metric && sample.label(label) == value);
        of.map(|sample| sample.value).collect()
    };
    assert_eq!(requests("peer", "10.9.0.1:80#2", "bedloe_upstream_peer_requests_total"), [2.0]);
    assert_eq!(requests("peer", OTHERS, "bedloe_upstream_peer_requests_total"), [10.0]);
    assert_eq!(requests("zone", OTHERS, "bedloe_server_zone_requests_total"), [5.0]);
    assert_eq!(requests("upstream", "a\"b", "bedloe_upstream_peer_up"), [1.0, 1.0]);
    assert_eq!(requests("upstream", OTHERS, "bedloe_upstream_strays_total"), [2.0]);
}

#[test]
fn names_follow_the_conventions() {
    for metric in METRICS {
        let Metric { name, kind, help, .. } = metric;
        assert!(name.starts_with("bedloe_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == metrics::exposition::Kind::Counter, "{name}");
        assert!(!name.contains("_ms") && help.ends_with('.') && !help.contains('|'), "{name}");
        assert!(metric.labels().iter().all(|label| metrics::exposition::is_label_name(label)), "{name}");
    }
}

#[test]
fn labels_are_those_of_the_table() {
    let upstream = UpstreamStatus { servers: vec![server("10.0.0.1:80")], ..UpstreamStatus::default() };
    let zones = vec![ZoneStatus::default()];
    let status =
        Status { upstreams: vec![upstream], server_zones: zones.clone(), location_zones: zones, ..Status::default() };
    let text = text(&status, &Process::default());
    for sample in read(&text) {
        let is_meant = |metric: &&Metric| {
            sample.name.strip_prefix(metric.name).is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
        };
        let metric = METRICS.iter().find(is_meant).expect("it is in the table");
        let labels: Vec<_> = sample.labels.iter().map(|(label, _)| *label).filter(|label| *label != "le").collect();
        assert_eq!(labels, metric.labels(), "{}", sample.name);
    }
}

#[test]
fn the_reference_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let made = reference();
    if std::env::var_os("BEDLOE_BLESS").is_some() {
        std::fs::write(&path, &made).expect("the reference");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        made == written,
        "docs/metrics.md is not what the table says; BEDLOE_BLESS=1 cargo test -p bedloe --bins reference writes it"
    );
}
