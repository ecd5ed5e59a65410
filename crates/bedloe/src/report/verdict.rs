//! The verdict on a run in a sentence: its thresholds, what came of its requests, and whether hosts kept half of their
//! CPU free. The last decides nothing: it is how the load was judged that this kit is made after.

use super::drawn::CPU_LIMIT_PERCENT;
use super::page::grouped;
use super::run::{Host, Judgement, Run};
use crate::charts::Unit;

/// CPU time is judged over this long: a peak of a second says little.
const OVER_S: f64 = 10.0;

/// Judges the run; `passed` is what the exit code says, `judgements` what it goes by.
pub(crate) fn judge(run: &mut Run, passed: bool, judgements: Vec<Judgement>) {
    let hosts: Vec<(String, Judgement)> =
        run.hosts.iter().filter_map(|host| Some((host.name.clone(), of_host(host)?))).collect();
    run.verdict.passed = passed;
    run.verdict.sentence = sentence(run, passed, &judgements, &hosts);
    run.verdict.judgements = judgements.into_iter().chain(hosts.into_iter().map(|(_, judgement)| judgement)).collect();
}

fn sentence(run: &Run, passed: bool, judgements: &[Judgement], hosts: &[(String, Judgement)]) -> String {
    let word = match run.outcome.as_str() {
        "interrupted" => "Interrupted",
        _ if passed => "Passed",
        _ => "Failed",
    };
    let broken: Vec<String> = judgements.iter().filter(|each| !each.holds).map(in_words).collect();
    let of = judgements.len();
    let asked = match (of, broken.as_slice()) {
        (0, _) => "there is no condition".to_owned(),
        (1, []) => "its condition holds".to_owned(),
        (_, []) => format!("all {of} conditions hold"),
        (_, broken) => format!("not met: {} of {of} conditions ({})", broken.len(), broken.join("; ")),
    };
    let parts: Vec<String> = [Some(asked), requests(run), cpu(hosts)].into_iter().flatten().collect();
    format!("{word}: {}.", parts.join("; "))
}

fn in_words(judgement: &Judgement) -> String {
    let Judgement { what, measured, .. } = judgement;
    if measured.is_empty() { what.clone() } else { format!("{what}: {measured}") }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn requests(run: &Run) -> Option<String> {
    let Some((count, rate)) = run.value("http_reqs", "count").zip(run.value("http_reqs", "rate")) else {
        return (!run.figures.is_empty()).then(|| "no request was made".to_owned());
    };
    let failed = run.value("http_req_failed", "rate").unwrap_or(0.0);
    let p95 = run.value("http_req_duration", "p(95)").unwrap_or(0.0);
    Some(format!(
        "{} requests at {}, {} failed, 95% within {}",
        grouped(count as u64),
        Unit::PerSecond.show(rate),
        Unit::Percent.show(failed * 100.0),
        Unit::Ms.show(p95),
    ))
}

fn cpu(hosts: &[(String, Judgement)]) -> Option<String> {
    let over: Vec<&str> = hosts.iter().filter(|(_, each)| !each.holds).map(|(name, _)| name.as_str()).collect();
    match (hosts, over.as_slice()) {
        ([], _) => None,
        ([_], []) => Some(format!("its host stayed under {CPU_LIMIT_PERCENT}% CPU")),
        (_, []) => Some(format!("all {} hosts stayed under {CPU_LIMIT_PERCENT}% CPU", hosts.len())),
        (_, over) => Some(format!("{} used more than {CPU_LIMIT_PERCENT}% CPU", over.join(" and "))),
    }
}

/// Whether a host kept half of its CPU time free.
fn of_host(host: &Host) -> Option<Judgement> {
    let (highest, mean) = highest(host)?;
    let show = |percent| Unit::Percent.show(percent);
    Some(Judgement {
        what: format!("CPU of {} under {CPU_LIMIT_PERCENT}%", host.name),
        measured: format!("{} at most over {OVER_S} s, {} on average", show(highest), show(mean)),
        holds: highest < CPU_LIMIT_PERCENT,
        decides: false,
    })
}

/// The highest use of CPU over some seconds, or of all the time if that is shorter; and the mean.
fn highest(host: &Host) -> Option<(f64, f64)> {
    let busy = || host.cpu_percent.iter().filter(|mode| mode.name != super::watch::WAITING);
    let used = |at: usize| busy().map(|mode| mode.values.get(at).copied().flatten()).sum::<Option<f64>>();
    busy().next()?;
    let known: Vec<(f64, f64)> =
        host.at_s.iter().enumerate().filter_map(|(at, at_s)| Some((*at_s, used(at)?))).collect();
    let mean = |points: &[(f64, f64)]| points.iter().map(|(_, used)| used).sum::<f64>() / points.len() as f64;
    let (first, last) = (known.first()?, known.last()?);
    if last.0 - first.0 < OVER_S {
        return Some((mean(&known), mean(&known)));
    }
    let (mut begin, mut most, mut sum) = (0, 0.0_f64, 0.0);
    for (end, (at_s, used)) in known.iter().enumerate() {
        sum += used;
        while known[begin].0 <= at_s - OVER_S {
            sum -= known[begin].1;
            begin += 1;
        }
        if at_s - first.0 >= OVER_S {
            most = most.max(sum / (end + 1 - begin) as f64);
        }
    }
    Some((most, mean(&known)))
}

#[cfg(test)]
mod tests {
    use super::super::run::{Curve, Figure};
    use super::*;

    fn host(cpu: impl Fn(f64) -> f64, seconds: u32) -> Host {
        let at_s: Vec<f64> = (0..seconds).map(f64::from).collect();
        let values = at_s.iter().map(|at_s| Some(cpu(*at_s) / 2.0)).collect::<Vec<_>>();
        let curve = |name: &str| Curve { name: name.into(), values: values.clone() };
        Host { name: "host-1".into(), cpu_percent: vec![curve("user"), curve("system")], at_s, ..Host::default() }
    }

    #[test]
    fn a_short_peak_is_none_and_a_long_one_is() {
        let peak = |long: f64| host(move |at_s| if at_s >= 20.0 && at_s < 20.0 + long { 90.0 } else { 30.0 }, 60);
        let cases = [(peak(1.0), 36.0), (peak(10.0), 90.0), (host(|_| 40.0, 3), 40.0)];
        for (host, most) in cases {
            assert!(highest(&host).is_some_and(|(highest, _)| (highest - most).abs() < 1e-6), "{:?}", highest(&host));
        }
        assert_eq!(highest(&Host::default()), None);
    }

    #[test]
    fn the_sentence_says_what_holds_and_what_does_not() {
        let figure = |name: &str, pairs: &[(&str, f64)]| Figure {
            name: name.into(),
            values: pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            ..Figure::default()
        };
        let figures = vec![
            figure("http_reqs", &[("count", 2_394_852.0), ("rate", 7982.84)]),
            figure("http_req_failed", &[("rate", 0.0)]),
            figure("http_req_duration", &[("p(95)", 4.114)]),
        ];
        let mut run = Run { figures, hosts: vec![host(|_| 40.0, 30)], ..Run::new() };
        let of = |holds| Judgement { what: "p(95)<4".into(), measured: "4.11".into(), holds, decides: true };
        judge(&mut run, true, vec![of(true)]);
        let expected = "Passed: its condition holds; 2,394,852 requests at 7983/s, 0% failed, 95% within 4.11 ms; \
                        its host stayed under 50% CPU.";
        assert_eq!(run.verdict.sentence, expected);
        run.figures.remove(0);
        judge(&mut run, true, Vec::new());
        let none = "Passed: there is no condition; no request was made; its host stayed under 50% CPU.";
        assert_eq!(run.verdict.sentence, none);
        run.figures.insert(0, figure("http_reqs", &[("count", 2_394_852.0), ("rate", 7982.84)]));
        run.hosts[0] = host(|_| 60.0, 30);
        judge(&mut run, false, vec![of(true), of(false)]);
        let expected = "Failed: not met: 1 of 2 conditions (p(95)<4: 4.11); 2,394,852 requests at 7983/s, 0% failed, \
                        95% within 4.11 ms; host-1 used more than 50% CPU.";
        assert_eq!(run.verdict.sentence, expected);
    }
}
