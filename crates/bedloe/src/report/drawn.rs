//! The charts of a run: which there are, and of which numbers.

use lab::course::Counts;
use load::Step;

use super::run::{Curve, Host, Run, Watched};
use crate::charts::{Bars, Chart, Form, Limit, Mark, Size, Unit};

/// The part of a host's CPU that should stay free, as a limit of what is used.
pub(super) const CPU_LIMIT_PERCENT: f64 = 50.0;

/// The charts of the load, in their order.
pub(super) fn of_load(run: &Run) -> Vec<Chart> {
    let steps = &run.steps;
    if steps.is_empty() {
        return Vec::new();
    }
    let times: Vec<f64> = steps.iter().map(|step| step.at_s + step.for_s / 2.0).collect();
    let chart = |title: &str, unit: Unit, size: Size| Chart { size, ..timed(run, title, unit, &times) };
    let per_s = |count: fn(&Step) -> u64| steps.iter().map(move |step| per_s(count(step) as f64, step.for_s));
    let of = |value: fn(&Step) -> Option<f64>| steps.iter().map(value);
    let mut rate = chart("Rate", Unit::PerSecond, Size::Full);
    if steps.iter().any(|step| step.asked_per_s.is_some()) {
        rate = rate.with("asked", of(|step| step.asked_per_s));
    }
    rate = rate.with("iterations", per_s(|step| step.iterations));
    if steps.iter().any(|step| step.requests.abs_diff(step.iterations) > step.requests.max(100) / 100) {
        rate = rate.with("requests", per_s(|step| step.requests));
    }
    let times = chart("Response time", Unit::Ms, Size::Full)
        .with("p50", of(|step| step.p50_ms))
        .with("p95", of(|step| step.p95_ms))
        .with("p99", of(|step| step.p99_ms));
    vec![
        rate,
        Chart { limit: time_limit(run), ..times },
        chart("Failed requests", Unit::PerSecond, Size::Half).with("failed", per_s(|step| step.failed)),
        chart("Dropped iterations", Unit::PerSecond, Size::Half).with("dropped", per_s(|step| step.dropped)),
        chart("Virtual users", Unit::Count, Size::Half)
            .with("at work", of(|step| Some(step.vus as f64)))
            .with("made", of(|step| Some(step.vus_max as f64))),
        chart("Data", Unit::BytesPerSecond, Size::Half)
            .with("received", per_s(|step| step.received_bytes))
            .with("sent", per_s(|step| step.sent_bytes)),
    ]
}

/// The limit of a threshold on the response time, where there is one of the kind `p(95)<N`.
fn time_limit(run: &Run) -> Option<Limit> {
    run.verdict.judgements.iter().find_map(|judgement| {
        let expression = judgement.what.strip_prefix("http_req_duration p(")?;
        let value = expression.split_once('<')?.1.trim_start_matches('=').trim().parse().ok()?;
        Some(Limit { value, label: format!("p({expression} ms") })
    })
}

/// What each server got of the requests.
pub(super) fn shares(run: &Run) -> Option<Bars> {
    let rows: Vec<_> = servers(run)
        .map(|row| (row.name.clone(), row.share * 100.0, format!("({})", super::page::grouped(row.requests))))
        .collect();
    let is_shared = rows.iter().any(|(_, share, _)| *share > 0.0);
    is_shared.then(|| Bars { title: "Share of the requests".to_owned(), unit: Unit::Percent, rows })
}

/// The lines of the servers in the table of processes.
pub(super) fn servers(run: &Run) -> impl Iterator<Item = &lab::ProcessRow> {
    run.processes.iter().filter(|row| !matches!(row.name.as_str(), "injector" | "balancer"))
}

/// Requests that the balancer sent to each server, second by second.
pub(super) fn of_servers(run: &Run) -> Option<Chart> {
    let times = middles(run);
    let mut chart = Chart { size: Size::Full, ..timed(run, "Requests to each server", Unit::PerSecond, &times) };
    let course = &run.course;
    for process in course.processes.iter().filter(|each| servers(run).any(|row| row.name == each.name)) {
        chart = chart.with(&process.name, rates(run, &process.counts, |counts| counts.requests, 1.0));
    }
    (!chart.series.is_empty() && !times.is_empty()).then_some(chart)
}

/// The charts of one process.
pub(super) fn of_process(run: &Run, name: &str) -> Vec<Chart> {
    let Some(process) = run.course.processes.iter().find(|process| process.name == name) else { return Vec::new() };
    let times = middles(run);
    if times.is_empty() {
        return Vec::new();
    }
    let counts = &process.counts;
    let memory = counts.iter().skip(1).map(|counts| Some(counts.resident_bytes as f64));
    let small = |title: &str, unit| Chart { size: Size::Third, ..timed(run, title, unit, &times) };
    vec![
        small("CPU, of one core", Unit::Percent).with("CPU", rates(run, counts, |counts| counts.cpu_ms, 0.1)),
        small("Memory", Unit::Bytes).with("memory", memory),
        small("Context switches", Unit::PerSecond).with("switches", rates(run, counts, |counts| counts.switches, 1.0)),
    ]
}

/// Between two moments each.
fn middles(run: &Run) -> Vec<f64> {
    run.course.at_ms.windows(2).map(|pair| (pair[0] as f64 + pair[1] as f64) / 2000.0).collect()
}

/// What was counted a second, times a factor. Counts of what has begun anew are none.
fn rates(run: &Run, counts: &[Counts], count: fn(&Counts) -> u64, factor: f64) -> Vec<Option<f64>> {
    let between = counts.windows(2).zip(run.course.at_ms.windows(2));
    between
        .map(|(counts, at_ms)| {
            let more = count(&counts[1]).checked_sub(count(&counts[0]))?;
            per_s(more as f64 * factor, at_ms[1].saturating_sub(at_ms[0]) as f64 / 1000.0)
        })
        .collect()
}

/// The charts of one host.
pub(super) fn of_host(run: &Run, host: &Host) -> Vec<Chart> {
    let chart = |title: &str, unit| timed(run, title, unit, &host.at_s);
    let limit = Limit { value: CPU_LIMIT_PERCENT, label: format!("{CPU_LIMIT_PERCENT}%") };
    let cpu = curves(chart("CPU", Unit::Percent), &host.cpu_percent);
    let total = Some(host.memory_bytes).filter(|bytes| *bytes > 0.0);
    let all = vec![
        Chart { form: Form::Stacked, top: Some(100.0), limit: Some(limit), ..cpu },
        Chart { top: total, ..one(chart("Memory used", Unit::Bytes), &host.memory_used_bytes) },
        one(chart("Context switches", Unit::PerSecond), &host.switches_per_s),
        one(chart("Load, over a minute", Unit::Number), &host.load),
        curves(chart("TCP", Unit::PerSecond), &host.tcp_per_s),
        one(chart("TCP connections established", Unit::Count), &host.established),
        curves(chart("TCP errors", Unit::PerSecond), &host.tcp_errors_per_s),
        curves(chart("Network", Unit::BytesPerSecond), &host.network_bytes_per_s),
    ];
    let has_values = |chart: &Chart| chart.series.iter().any(|series| series.values.iter().any(Option::is_some));
    all.into_iter().filter(has_values).collect()
}

/// The charts of a process that a host's agent watches.
pub(super) fn of_watched(run: &Run, host: &Host, watched: &Watched) -> Vec<Chart> {
    let small = |title: &str, unit| Chart { size: Size::Third, ..timed(run, title, unit, &host.at_s) };
    vec![
        one(small("CPU, of one core", Unit::Percent), &watched.cpu_percent),
        one(small("Memory", Unit::Bytes), &watched.resident_bytes),
    ]
}

fn one(chart: Chart, values: &[Option<f64>]) -> Chart {
    if values.is_empty() { chart } else { chart.with("all", values.iter().copied()) }
}

fn curves(chart: Chart, curves: &[Curve]) -> Chart {
    curves.iter().fold(chart, |chart, curve| chart.with(&curve.name, curve.values.iter().copied()))
}

fn timed(run: &Run, title: &str, unit: Unit, times_s: &[f64]) -> Chart {
    Chart { marks: marks(run), span_s: Some((0.0, end_s(run))), ..Chart::new(title, unit, times_s) }
}

fn marks(run: &Run) -> Vec<Mark> {
    let mark = |mark: &super::run::Mark| Mark { at_s: mark.at_s, until_s: mark.until_s, label: mark.label.clone() };
    run.marks.iter().map(mark).collect()
}

/// Where the time line ends.
fn end_s(run: &Run) -> f64 {
    let load = run.steps.last().map_or(0.0, |step| step.at_s + step.for_s);
    let course = run.course.at_ms.last().map_or(0.0, |at_ms| *at_ms as f64 / 1000.0);
    load.max(course).max(1.0)
}

fn per_s(count: f64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| count / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_in_a_file_is_too_large_to_be_drawn() {
        let step = Step { for_s: 1.0, requests: u64::MAX, ..Step::default() };
        let mut run = Run { steps: vec![step], ..Run::new() };
        run.course.at_ms = vec![0, 1, u64::MAX];
        assert!(of_load(&run)[0].series.iter().any(|series| series.name == "requests"));
        assert_eq!(middles(&run).len(), 2);
    }
}
