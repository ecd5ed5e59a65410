//! The result of a lab as text: k6's summary, what each process used, the time line of the faults, the verdict.

use lab::timeline::Incident;
use lab::{Action, Plan, ProcessRow, Report};
use load::Metric;

use super::screen::what;
use crate::report::clock;
use crate::summary;
use crate::table::{Align, Table};

/// Kinds of failed requests that are shown.
const FAILURES_SHOWN: usize = 10;

/// The whole result.
pub(super) fn render(report: &Report, plan: &Plan, max_lost: u64, colour: bool) -> String {
    let mut text = summary::render(&report.load, &summary::Style::new(summary::Mode::Compact, colour));
    text += &format!("\n\n  PROCESSES\n\n{}", processes(&report.processes));
    if !report.timeline.moments.is_empty() {
        text += &format!("\n\n  TIME LINE\n\n{}", moments(report));
    }
    if !report.timeline.incidents.is_empty() {
        text += &format!("\n\n  FAILURES OF SERVERS\n\n{}", incidents(&report.timeline.incidents).render(4));
    }
    if let Some(roll) = &report.roll {
        text += &format!("\n\n  ROLLING RESTART\n\n{}", restarts(roll).render(4));
    }
    if !report.load.failures.is_empty() {
        text += &format!("\n\n  FAILED REQUESTS\n\n{}", failures(report));
    }
    text + "\n\n" + &verdict(report, plan, max_lost)
}

fn processes(rows: &[ProcessRow]) -> String {
    let right = |name| (name, Align::Right);
    let columns = [("process", Align::Left), right("CPU"), right("CPU a request"), right("peak memory")];
    let mut table = Table::new(&[columns.as_slice(), &[right("requests"), right("share")]].concat());
    for row in rows {
        table.row([
            row.name.clone(),
            format!("{:.1}%", row.cpu_percent),
            format!("{:.1} us", row.cpu_us_per_request),
            format!("{:.1} MiB", row.peak_resident_bytes as f64 / f64::from(1 << 20)),
            row.requests.to_string(),
            format!("{:.1}%", row.share * 100.0),
        ]);
    }
    table.render(4)
}

fn moments(report: &Report) -> String {
    let mut table = Table::new(&[("time", Align::Right), ("server", Align::Left), ("", Align::Left)]);
    for moment in &report.timeline.moments {
        table.row([clock(moment.at_ms), moment.server.clone(), what(&moment.what)]);
    }
    table.render(4)
}

pub(super) fn incidents(incidents: &[Incident]) -> Table {
    let right = |name| (name, Align::Right);
    let columns = [("server", Align::Left), ("failure", Align::Left), right("at"), right("noticed after")];
    let more = [right("retried"), right("lost"), right("back after"), right("serves again after")];
    let mut table = Table::new(&[columns, more].concat());
    for incident in incidents {
        let after = |at: Option<u64>| at.map_or("-".into(), |at| span(at.saturating_sub(incident.at_ms)));
        table.row([
            incident.server.clone(),
            failure(incident.action).to_owned(),
            clock(incident.at_ms),
            after(incident.noticed_ms),
            incident.retried.to_string(),
            incident.lost.to_string(),
            after(incident.back_ms),
            after(incident.serving_ms),
        ]);
    }
    table
}

/// What became of a server by that.
pub(super) fn failure(action: Action) -> &'static str {
    match action {
        Action::Kill => "killed",
        Action::Restart => "stopped",
        Action::Exit => "ended by itself",
        Action::Pause | Action::Resume => "paused",
    }
}

pub(super) fn restarts(roll: &lab::roll::Outcome) -> Table {
    let right = |name| (name, Align::Right);
    let columns = [("server", Align::Left), right("drained after"), right("restarted in"), right("ready after")];
    let mut table = Table::new(&[&columns[..], &[("left", Align::Left)]].concat());
    for server in roll.result["servers"].as_array().into_iter().flatten() {
        let text = |name: &str| server[name].as_str().unwrap_or_default().to_owned();
        let time = |name: &str| server[name].as_u64().map_or("-".to_owned(), span);
        table.row([text("name"), time("drain_ms"), time("command_ms"), time("ready_ms"), text("left")]);
    }
    table
}

fn failures(report: &Report) -> String {
    let mut table = Table::new(&[("requests", Align::Right), ("code", Align::Right), ("what", Align::Left)]);
    for each in report.load.failures.iter().take(FAILURES_SHOWN) {
        table.row([each.count.to_string(), each.failure.code.to_string(), each.failure.text.clone()]);
    }
    table.render(4)
}

fn verdict(report: &Report, plan: &Plan, max_lost: u64) -> String {
    let word = match report.load.outcome {
        load::Outcome::Interrupted => "INTERRUPTED",
        _ if super::passed(report, max_lost) => "PASSED",
        _ => "FAILED",
    };
    let (requests, of) = (report.load.count("http_reqs"), plan.servers.len());
    let mut text = format!(
        "{word}: {requests} requests, {} lost ({max_lost} allowed), {} retried; {} of {of} servers serve at the end\n",
        report.lost, report.retried, report.servers_up,
    );
    reasons(report, max_lost).iter().for_each(|reason| text += &format!("  {reason}\n"));
    text + &format!("configuration and logs stay in {}\n", plan.options.folder.display())
}

/// What is not as it should be. Starts that found no user free fail nothing by themselves, but explain much.
fn reasons(report: &Report, max_lost: u64) -> Vec<String> {
    let mut reasons = crossed(&report.load.metrics);
    if report.lost > max_lost {
        reasons.push(format!("{} requests are lost, {max_lost} allowed", report.lost));
    }
    match &report.roll {
        Some(roll) if roll.ended_ms.is_none() => {
            reasons.push("the load ended before the rolling restart did: it needs a longer --duration".to_owned());
        }
        Some(roll) if roll.code != Some(0) => {
            let error = roll.result["error"].as_str().unwrap_or("see above");
            reasons.push(format!("the rolling restart failed: {error}"));
        }
        _ => {}
    }
    reasons.extend(dropped(&report.load));
    reasons
}

/// Starts that found no user free.
pub(super) fn dropped(load: &load::Report) -> Option<String> {
    let dropped = load.count("dropped_iterations");
    (dropped > 0).then(|| format!("{dropped} requests were not sent: all users of the injector waited for answers"))
}

/// Thresholds that do not hold, each with what was measured.
fn crossed(metrics: &[Metric]) -> Vec<String> {
    let verdicts = metrics.iter().flat_map(|metric| metric.verdicts.iter().map(move |each| (metric, each)));
    let crossed = verdicts.filter(|(_, verdict)| !verdict.holds);
    crossed
        .map(|(metric, verdict)| {
            let measured = (verdict.measured * 10_000.0).round() / 10_000.0;
            format!("the threshold {} {} does not hold: it is {measured}", metric.name, verdict.source)
        })
        .collect()
}

/// A span of time, short.
pub(super) fn span(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{:03} s", ms / 1000, ms % 1000) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::metric::{Section, Unit};
    use load::{Value, Verdict};

    #[test]
    fn a_threshold_that_does_not_hold_is_named_with_what_was_measured() {
        let verdict = |source: &str, holds| Verdict {
            source: source.into(),
            aggregation: "rate".into(),
            measured: 0.051_23,
            holds,
        };
        let metric = Metric {
            name: "http_req_failed".into(),
            unit: Unit::Number,
            section: Section::Http,
            compact: true,
            value: Value::Rate { hits: 5, total: 100 },
            verdicts: vec![verdict("rate<0.1", true), verdict("rate<0.01", false)],
        };
        assert_eq!(crossed(&[metric]), ["the threshold http_req_failed rate<0.01 does not hold: it is 0.0512"]);
    }

    #[test]
    fn spans_are_short() {
        assert_eq!(span(3), "3 ms");
        assert_eq!(span(15_012), "15.012 s");
    }

    #[test]
    fn a_failure_of_a_server_on_one_line() {
        let incident = Incident {
            server: "liberty-2".into(),
            action: Action::Kill,
            at_ms: 15_000,
            noticed_ms: Some(15_003),
            back_ms: Some(30_012),
            serving_ms: None,
            retried: 5,
            lost: 0,
        };
        let text = incidents(&[incident]).render(4);
        let cells: Vec<&str> = text.lines().last().unwrap_or_default().split_whitespace().collect();
        assert_eq!(cells, ["liberty-2", "killed", "0:15.000", "3", "ms", "5", "0", "15.012", "s", "-"]);
    }
}
