//! The page of a run: one file that asks nobody for anything. All of it comes from the run's data.

use maud::{Markup, html};

use super::drawn;
use super::run::{Figure, Host, Judgement, Run, Sheet};
use crate::charts::Unit;
use crate::page::{Page, STATIC_POLICY};

/// Kinds of failed requests that are shown.
const FAILURES_SHOWN: usize = 20;

/// What only this page has.
const STYLE: &str = "\
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,250px),1fr));gap:8px 24px;
padding:10px 0;border-bottom:1px solid var(--edge);break-inside:avoid}
.row>h3{grid-column:1/-1;margin:0}.row h3 span{font-weight:400;font-size:14px}
@media print{.row{grid-template-columns:1fr 1fr 1fr}.break{break-before:page}}
";

/// The whole page.
pub(crate) fn render(run: &Run) -> String {
    let body = html! {
        header {
            h1 { (run.title) }
            p class="faint" { (began(run)) }
            p class=(format!("verdict {}", word(run.verdict.passed))) { (run.verdict.sentence) }
        }
        main {
            (judged(run))
            (what_was_run(run))
            (figures(run))
            (over_time(run))
            (happened(run))
            (servers(run))
            (processes(run))
            (hosts(run))
            (settings(run))
            (texts(run))
        }
        footer { p { "Made by bedloe " (run.bedloe) "." } }
    };
    Page { title: &run.title, policy: STATIC_POLICY, style: STYLE, body }.render()
}

fn began(run: &Run) -> String {
    let lasted = format!("{:.1} s", run.elapsed_s);
    if run.began.is_empty() { lasted } else { format!("Began {}, took {lasted}.", run.began) }
}

fn word(holds: bool) -> &'static str {
    if holds { "ok" } else { "bad" }
}

fn judged(run: &Run) -> Markup {
    let row = |each: &Judgement| {
        html! {
            tr {
                td { (each.what) }
                td { (each.measured) }
                td class=(if each.holds { "ok" } else if each.decides { "bad" } else { "warn" }) {
                    (if each.holds { "holds" } else { "does not hold" })
                    @if !each.decides { " (the exit code does not go by it)" }
                }
            }
        }
    };
    html! {
        @if !run.verdict.judgements.is_empty() {
            div class="wide" { table {
                tr { th { "what is asked for" } th { "measured" } th {} }
                @for each in &run.verdict.judgements { (row(each)) }
            } }
        }
        @for note in &run.verdict.notes { p class="warn" { (note) } }
    }
}

fn what_was_run(run: &Run) -> Markup {
    html! {
        h2 { "What was run" }
        div class="wide" { table {
            @for fact in &run.subject { tr { th scope="row" { (fact.what) } td { (fact.value) } } }
        } }
        @if !run.command.is_empty() { pre { code { (run.command) } } }
    }
}

fn figures(run: &Run) -> Markup {
    let trends: Vec<&Figure> = run.figures.iter().filter(|figure| figure.kind == "trend").collect();
    let others: Vec<&Figure> = run.figures.iter().filter(|figure| figure.kind != "trend").collect();
    let names = ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)", "count"];
    html! {
        @if !run.figures.is_empty() {
            h2 { "Figures" }
            div class="wide" { table {
                tr { th { "times and distributions" } @for name in names { th class="number" { (name) } } }
                @for figure in trends {
                    tr { td { (figure.name) } @for name in names { td class="number" { (shown(figure, name)) } } }
                }
            } }
            div class="wide" { table {
                tr { th { "counts and rates" } th {} }
                @for figure in others { tr { td { (figure.name) } td { (in_words(figure)) } } }
            } }
        }
        @if !run.checks.is_empty() {
            div class="wide" { table {
                tr { th { "check" } th class="number" { "passed" } th class="number" { "failed" } }
                @for check in &run.checks {
                    tr {
                        td { (check.name) }
                        td class="number" { (grouped(check.passes)) }
                        td class=(if check.fails > 0 { "number bad" } else { "number" }) { (grouped(check.fails)) }
                    }
                }
            } }
        }
        (failures(run))
    }
}

fn failures(run: &Run) -> Markup {
    html! {
        @if !run.failures.is_empty() {
            div class="wide" { table {
                tr { th { "failed requests" } th class="number" { "count" } th class="number" { "code" } }
                @for failure in run.failures.iter().take(FAILURES_SHOWN) {
                    tr {
                        td { (failure.what) }
                        td class="number" { (grouped(failure.count)) }
                        td class="number" { (failure.code) }
                    }
                }
            } }
            @if run.failures.len() > FAILURES_SHOWN {
                p class="faint" { (run.failures.len() - FAILURES_SHOWN) " more kinds are in the JSON." }
            }
        }
    }
}

/// One value of a metric in its unit.
pub(super) fn shown(figure: &Figure, name: &str) -> String {
    let Some(value) = figure.values.get(name).copied() else { return String::new() };
    match (figure.unit.as_str(), name) {
        _ if figure.kind == "trend" && name == "count" => grouped_f(value),
        _ if figure.kind == "rate" && name == "rate" => Unit::Percent.show(value * 100.0),
        ("data", "rate") => Unit::BytesPerSecond.show(value),
        (_, "rate") => Unit::PerSecond.show(value),
        ("time", _) => Unit::Ms.show(value),
        ("data", _) => Unit::Bytes.show(value),
        _ => grouped_f(value),
    }
}

fn in_words(figure: &Figure) -> String {
    let value = |name| shown(figure, name);
    match figure.kind.as_str() {
        "counter" => format!("{}, {}", value("count"), value("rate")),
        "gauge" => format!("{} at the end, {} to {}", value("value"), value("min"), value("max")),
        _ => {
            let of = |name: &str| figure.values.get(name).copied().unwrap_or(0.0);
            format!("{}: {} of {}", value("rate"), value("passes"), grouped_f(of("passes") + of("fails")))
        }
    }
}

fn over_time(run: &Run) -> Markup {
    let charts = drawn::of_load(run);
    html! {
        @if !charts.is_empty() {
            h2 { "Over time" }
            div class="charts" {
                @for chart in &charts {
                    div class=(if chart.size == crate::charts::Size::Full { "full" } else { "" }) { (chart.draw()) }
                }
            }
            @if run.steps.first().is_some_and(|step| step.for_s > 1.5) {
                p class="faint" { "The run was long: percentiles are the greatest of each few seconds." }
            }
        }
    }
}

fn happened(run: &Run) -> Markup {
    html! {
        @if !run.moments.is_empty() {
            h2 { "What happened" }
            div class="wide" { table {
                tr { th class="number" { "time" } th { "who" } th {} }
                @for moment in &run.moments {
                    tr {
                        td class="number" { (clock(moment.at_ms)) }
                        td class="name" { (moment.who) }
                        td { (moment.what) }
                    }
                }
            } }
        }
        @for sheet in &run.sheets { (table_of(sheet)) }
    }
}

fn table_of(sheet: &Sheet) -> Markup {
    html! {
        h3 { (sheet.title) }
        div class="wide" { table {
            tr { @for column in &sheet.columns { th { (column) } } }
            @for row in &sheet.rows { tr { @for cell in row { td { (cell) } } } }
        } }
    }
}

fn servers(run: &Run) -> Markup {
    let (shares, requests) = (drawn::shares(run), drawn::of_servers(run));
    html! {
        @if shares.is_some() || requests.is_some() {
            h2 { "Servers" }
            div class="charts" {
                @if let Some(bars) = &shares { div { (bars.draw()) } }
                @if let Some(chart) = &requests { div class="full" { (chart.draw()) } }
            }
        }
    }
}

fn processes(run: &Run) -> Markup {
    html! {
        @if !run.processes.is_empty() {
            h2 { "Processes" }
            @for row in &run.processes {
                div class="row" {
                    h3 {
                        (row.name) " "
                        span class="faint" {
                            "CPU " (Unit::Percent.show(row.cpu_percent)) " of one core, "
                            (Unit::Ms.show(row.cpu_us_per_request / 1000.0)) " a request; at most "
                            (Unit::Bytes.show(row.peak_resident_bytes as f64)) "; "
                            (grouped(row.switches)) " context switches; " (grouped(row.requests)) " requests"
                        }
                    }
                    @for chart in drawn::of_process(run, &row.name) { (chart.draw()) }
                }
            }
        }
    }
}

fn hosts(run: &Run) -> Markup {
    let head = |host: &Host| {
        let memory = Unit::Bytes.show(host.memory_bytes);
        let size = if host.cores > 0 { format!(", {} cores, {memory}", host.cores) } else { String::new() };
        format!("{}{size}", host.source)
    };
    html! {
        @for host in &run.hosts {
            h2 { "Host " (host.name) }
            p class="faint" { (head(host)) }
            @if let Some(trouble) = &host.trouble { p class="warn" { (trouble) } }
            div class="charts" { @for chart in drawn::of_host(run, host) { div { (chart.draw()) } } }
            @for watched in &host.watched {
                div class="row" {
                    h3 { (watched.name) " on " (host.name) }
                    @for chart in drawn::of_watched(run, host, watched) { (chart.draw()) }
                }
            }
        }
    }
}

fn settings(run: &Run) -> Markup {
    html! {
        @if !run.settings.is_empty() {
            h2 { "Settings of this machine" }
            p { "What " code { "bedloe tune check" } " would have otherwise for such a load. "
                code { "bedloe tune plan" } " shows what sets it." }
            div class="wide" { table class="lists" {
                tr { th { "setting" } th { "now" } th { "wanted" } th { "role" } th { "why" } }
                @for each in &run.settings {
                    tr {
                        @for cell in [&each.setting, &each.now, &each.wanted, &each.role, &each.why] { td { (cell) } }
                    }
                }
            } }
        }
    }
}

fn texts(run: &Run) -> Markup {
    html! {
        @for text in &run.texts {
            h2 class="break" { (text.title) }
            pre tabindex="0" { code { (text.text) } }
        }
    }
}

/// A time since the start: minutes, seconds, thousandths.
pub(crate) fn clock(ms: u64) -> String {
    format!("{}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000)
}

/// A count with a mark at each thousand.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and below 2^53")]
fn grouped_f(value: f64) -> String {
    if value.fract() == 0.0 && (0.0..9e15).contains(&value) { grouped(value as u64) } else { Unit::Number.show(value) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_have_their_thousands_marked() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (2_394_852, "2,394,852")] {
            assert_eq!(super::grouped(count), text);
        }
    }

    #[test]
    fn times_have_their_thousandths() {
        assert_eq!([0, 75_004].map(super::clock), ["0:00.000", "1:15.004"]);
    }
}
