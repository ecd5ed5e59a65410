//! The view of the hosts: their table, and each one's charts.

use maud::{Markup, PreEscaped, html};

use super::figures::Figures;
use super::view::{number, timed};
use crate::charts::{Chart, Form, Unit};
use crate::hosts::{CpuShares, Figures as Host, History, Point};

pub(super) fn hosts(figures: &Figures, charts: &str) -> Markup {
    html! {
        h2 { "Hosts" }
        @if figures.hosts.is_empty() {
            p.faint {
                "None is asked: run " code { "bedloe agent" } " on them, and name them with "
                code { "--agent NAME=URL" } "."
            }
        } @else { div.wide { table {
            caption { "As they were a second ago" }
            thead { tr {
                th scope="col" { "name" } th.number scope="col" { "CPU %" } th.number scope="col" { "memory %" }
                th.number scope="col" { "load" } th scope="col" { "health" }
            } }
            tbody { @for (at, host) in figures.hosts.iter().enumerate() { tr {
                th scope="row" { (host.name) }
                td.number { (number(&format!("hosts/{at}/cpu_percent"), host.cpu_percent)) }
                td.number { (number(&format!("hosts/{at}/memory_percent"), host.memory_percent)) }
                td.number { (number(&format!("hosts/{at}/load1"), host.load1)) }
                td class={"why " (if host.is_well { "ok" } else { "bad" })} { (host.health) }
            } } }
        } } }
        (PreEscaped(charts))
    }
}

/// The charts of each host.
pub(super) fn charts(hosts: &[History], now_ms: u64) -> Markup {
    html! { @for host in hosts.iter().filter(|host| is_known(host)) {
        h3 { (host.name) }
        div.charts { @for chart in drawn(host, now_ms) { div { (chart.draw()) } } }
    } }
}

/// Whether there is anything to draw of it.
fn is_known(host: &History) -> bool {
    host.points.iter().any(|point| point.figures.is_some())
}

fn drawn(host: &History, now_ms: u64) -> Vec<Chart> {
    let chart = timed(host.points.iter().map(|point| point.at_ms), now_ms);
    let all = |of: fn(&Host) -> Option<f64>| {
        host.points.iter().map(|point| point.figures.as_ref().and_then(of)).collect::<Vec<_>>()
    };
    let cpu = |of: fn(&CpuShares) -> f64| {
        let share = |point: &Point| Some(of(&point.figures.as_ref()?.cpu?) * 100.0);
        host.points.iter().map(share).collect::<Vec<_>>()
    };
    let mut modes = chart("CPU by mode", Unit::Percent);
    (modes.form, modes.top) = (Form::Stacked, Some(100.0));
    vec![
        modes
            .with("user", cpu(|cpu| cpu.user + cpu.nice))
            .with("system", cpu(|cpu| cpu.system))
            .with("interrupts", cpu(|cpu| cpu.irq + cpu.softirq))
            .with("waiting for disks", cpu(|cpu| cpu.iowait))
            .with("stolen", cpu(|cpu| cpu.steal)),
        chart("Context switches", Unit::PerSecond).with("switches", all(|host| host.context_switches_per_s)),
        chart("Load", Unit::Number).with("of a minute", all(|host| host.load1)),
        chart("TCP", Unit::PerSecond)
            .with("segments in", all(|host| host.tcp_in_segments_per_s))
            .with("segments out", all(|host| host.tcp_out_segments_per_s))
            .with("connections opened", all(|host| host.tcp_opens_per_s))
            .with("sent again", all(|host| host.tcp_retransmissions_per_s)),
    ]
}
