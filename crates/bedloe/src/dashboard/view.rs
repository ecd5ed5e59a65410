//! The views as markup. Each number carries where it stands in `/dashboard.json`, as a JSON pointer.

use maud::{Markup, PreEscaped, html};
use proxy::{LastCheck, RETRIES};

use super::View;
use super::figures::{Counts, Figures, ServerRow};
use super::history::{History, Point};
use crate::charts::{Chart, Unit};

/// How long the time line of a chart is at least, while there is less to show, and at most.
const SPAN_MS: (u64, u64) = (60_000, 900_000);

/// How long the time line is where the first point is so long ago.
pub(super) fn span_ms(oldest_ms: u64) -> u64 {
    oldest_ms.clamp(SPAN_MS.0, SPAN_MS.1)
}

/// Makes charts whose time line is of seconds before now, by when their points were taken.
#[allow(clippy::cast_precision_loss, reason = "a quarter of an hour in milliseconds")]
pub(super) fn timed(taken_ms: impl Iterator<Item = u64>, now_ms: u64) -> impl Fn(&str, Unit) -> Chart {
    let ago_ms: Vec<u64> = taken_ms.map(|taken_ms| now_ms.saturating_sub(taken_ms)).collect();
    let before_s = |ago_ms: u64| -(ago_ms as f64) / 1e3;
    let times_s: Vec<f64> = ago_ms.iter().copied().map(before_s).collect();
    let span_s = Some((before_s(span_ms(ago_ms.first().copied().unwrap_or_default())), 0.0));
    move |title, unit| Chart { span_s, ..Chart::new(title, unit, &times_s) }
}

/// What all views have around them.
pub(super) fn body(view: View, figures: &Figures, part: &str) -> Markup {
    html! {
        header {
            h1 { "bedloe" }
            p #said role="status" aria-live="polite" { (figures.sentence()) }
            nav aria-label="Views" {
                @for each in View::ALL {
                    a href={"?view=" (each.key())} aria-current=[(each == view).then_some("page")] { (each.title()) }
                }
            }
        }
        main #live data-view=(view.key()) { (PreEscaped(part)) }
        footer { p {
            "Numbers of now are of the last 10 seconds. " a href="?file=json" { "The same as JSON" } "."
        } }
        script src="?file=script" defer {}
    }
}

/// What is counted of requests, in the order of its columns.
const COUNTS: [&str; 8] =
    ["requests", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failures", "retries", "TLS handshakes"];

pub(super) fn overview(figures: &Figures, charts: &str) -> Markup {
    html! {
        h2 { "Overview" }
        div.wide { table {
            caption { "Requests of clients" }
            thead { tr {
                td {} @for title in COUNTS {
                    th.number scope="col" { (title) }
                }
            } }
            tbody {
                (counts("now", "now", &figures.now))
                (counts(&format!("since the start ({})", lasted(figures.uptime_ms)), "since_start",
                    &figures.since_start))
            }
        } }
        p {
            "Open connections: " (number("connections", Some(figures.connections as f64))) ". In flight: "
            (number("in_flight", Some(figures.in_flight as f64))) ". Reloads: "
            (number("reloads", Some(figures.reloads as f64))) ", refused: "
            (number("reloads_refused", Some(figures.reloads_refused as f64))) "."
        }
        h2 { "The last 15 minutes" }
        (PreEscaped(charts))
    }
}

fn counts(title: &str, key: &str, counts: &Counts) -> Markup {
    let Counts { requests, requests_per_s, failures, retries, tls_handshakes, p50_ms, p95_ms, p99_ms } = counts;
    let whole = |count: &u64| Some(*count as f64);
    let cells = [
        ("requests", whole(requests)),
        ("requests_per_s", *requests_per_s),
        ("p50_ms", *p50_ms),
        ("p95_ms", *p95_ms),
        ("p99_ms", *p99_ms),
        ("failures", whole(failures)),
        ("retries", whole(retries)),
        ("tls_handshakes", whole(tls_handshakes)),
    ];
    html! {
        tr {
            th scope="row" { (title) }
            @for (name, value) in cells { td.number { (number(&format!("{key}/{name}"), value)) } }
        }
    }
}

/// The charts of what clients get.
pub(super) fn charts(history: &History, now_ms: u64) -> Markup {
    html! { div.charts { @for chart in drawn(history, now_ms) { div { (chart.draw()) } } } }
}

fn drawn(history: &History, now_ms: u64) -> Vec<Chart> {
    let chart = timed(history.points.iter().map(|point| point.at_ms), now_ms);
    let all = |of: fn(&Point) -> Option<f64>| history.points.iter().map(of).collect::<Vec<_>>();
    vec![
        chart("Requests", Unit::PerSecond).with("requests", all(|point| point.requests_per_s)),
        chart("Time of answers", Unit::Ms)
            .with("p50", all(|point| point.p50_ms))
            .with("p95", all(|point| point.p95_ms))
            .with("p99", all(|point| point.p99_ms)),
        chart("Failures", Unit::PerSecond).with("answers of 5xx", all(|point| point.failures_per_s)),
        chart("Connections", Unit::Count).with("open", all(|point| Some(point.connections as f64))),
        chart("TLS handshakes", Unit::PerSecond).with("handshakes", all(|point| point.handshakes_per_s)),
    ]
}

pub(super) fn upstreams(figures: &Figures) -> Markup {
    html! {
        h2 { "Upstreams" }
        @if figures.upstreams.is_empty() { p.faint { "The configuration names none." } }
        @for (at, upstream) in figures.upstreams.iter().enumerate() {
            div.wide { table {
                caption { (upstream.name) }
                thead { tr {
                    th scope="col" { "server" } th scope="col" { "state" } th scope="col" { "since" }
                    @for title in ["requests", "share %", "in flight", "failures", "retries", "p50 ms", "p95 ms"] {
                        th.number scope="col" { (title) }
                    }
                    th scope="col" { "why, and the last check" }
                } }
                tbody { @for (row, server) in upstream.servers.iter().enumerate() {
                    (of_server(&format!("upstreams/{at}/servers/{row}"), server, figures.at_ms))
                } }
            } }
        }
    }
}

fn of_server(key: &str, server: &ServerRow, at_ms: u64) -> Markup {
    let whole = |count: u64| Some(count as f64);
    let cells = [
        ("requests", whole(server.requests)),
        ("share_percent", server.share_percent),
        ("in_flight", whole(server.in_flight)),
        ("failures", whole(server.failures)),
        ("retries", whole(server.retries)),
        ("p50_ms", server.p50_ms),
        ("p95_ms", server.p95_ms),
    ];
    let class = match server.state {
        "up" => "ok",
        "unavailable" | "unhealthy" => "bad",
        _ => "warn",
    };
    html! { tr {
        th scope="row" { (server.name) @if server.address != server.name { br; span.faint { (server.address) } } }
        td class={"state " (class)} { (server.state) }
        td.number { (lasted(at_ms.saturating_sub(server.since_ms))) }
        @for (name, value) in cells { td.number { (number(&format!("{key}/{name}"), value)) } }
        td.why {
            (server.why)
            @if let Some(check) = &server.last_check {
                div { (last_check(&format!("{key}/last_check"), check, at_ms)) }
            }
        }
    } }
}

/// What a server's last check came to; where the status was wrong it is named there.
fn last_check(key: &str, check: &LastCheck, at_ms: u64) -> Markup {
    let status = |status| number(&format!("{key}/status"), Some(f64::from(status)));
    html! {
        span class=(if check.passed { "ok" } else { "bad" }) { @if check.passed { "passed" } @else { (check.wrong) } }
        @if let Some(code) = check.status.filter(|_| !check.wrong.starts_with("status ")) { ", status " (status(code)) }
        span.faint {
            ", " (check.uri) ", " (number(&format!("{key}/took_ms"), Some(check.took_ms))) " ms, "
            (lasted(at_ms.saturating_sub(check.at_ms))) " ago"
        }
    }
}

pub(super) fn events(figures: &Figures) -> Markup {
    html! {
        h2 { "Events" }
        @if figures.events.is_empty() { p.faint { "Nothing has happened since the start." } }
        @else { div.wide { table {
            caption { "The last ones first" }
            thead { tr {
                th scope="col" { "when (UTC)" } th scope="col" { "what" } th scope="col" { "upstream" }
                th scope="col" { "server" } th scope="col" { "why" }
            } }
            tbody { @for event in &figures.events { tr {
                td.number { (clock(event.at_ms)) }
                td class=[class_of(event.event)] {
                    (event.event.replace('_', " ")) @if event.count > 1 { " (" (event.count) ")" }
                }
                td.name { (event.upstream) } td.name { (event.server) } td.why { (event.why) }
            } } }
        } } }
    }
}

fn class_of(event: &str) -> Option<&'static str> {
    match event {
        "down" | "unhealthy" | "reload_refused" => Some("bad"),
        "up" | "healthy" => Some("ok"),
        RETRIES => Some("warn"),
        _ => None,
    }
}

/// A number with its place in the JSON.
pub(super) fn number(pointer: &str, value: Option<f64>) -> Markup {
    html! { span data-figure=(pointer) { @match value { Some(value) => (value), None => "-" } } }
}

/// A time that has passed.
fn lasted(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}

fn clock(unix_ms: u64) -> String {
    let stamp = jiff::Timestamp::from_millisecond(unix_ms.cast_signed()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
