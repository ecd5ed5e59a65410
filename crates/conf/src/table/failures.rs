//! Directives of an upstream for failures of its servers, beyond `max_fails`: bedloe's own.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Outcome, UpstreamDraft};
use crate::tree::{OutlierEjection, RetryBudget};
use crate::value;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "retry_budget",
        contexts: Contexts::UPSTREAM,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "off",
        doc: "The share of the last ten seconds' requests that may go to another server after a failure, and min= (10) \
          more; other failures go to the client.",
        example: "retry_budget 20%;",
        apply: Apply::Upstream(retry_budget),
    },
    Directive {
        name: "outlier_ejection",
        contexts: Contexts::UPSTREAM,
        takes: Takes::between(0, 6),
        repeats: false,
        default: "off",
        doc: "Servers of which errors= (50%) of the requests fail in an interval= (10s) of min_requests= (20) or more, \
              or that answer latency= (3) times as late as the others, get none for time= (10s), longer each time in a \
              row, up to max_time= (5m).",
        example: "outlier_ejection errors=30% interval=5s;",
        apply: Apply::Upstream(outlier_ejection),
    },
];

/// Retries in ten seconds, beyond the share, where nothing else is written.
const LEAST_RETRIES: u32 = 10;

fn retry_budget(draft: &mut UpstreamDraft, call: &Call<'_>, _: &mut Cx<'_>) -> Outcome {
    if call.text(0) == "off" {
        return if call.args().len() == 1 { Ok(()) } else { Err(call.invalid(1, "it means nothing behind \"off\"")) };
    }
    let percent = percent(call, 0, call.text(0))?;
    let least = match call.args().get(1).map(|word| word.text.strip_prefix("min=")) {
        None => LEAST_RETRIES,
        Some(Some(text)) => value::number_u32(text, 0).map_err(|error| call.invalid(1, error))?,
        Some(None) => return Err(call.unknown_word(1, "parameter of \"retry_budget\"", ["min="])),
    };
    draft.for_several.push((call.name, call.node.name.place.clone()));
    draft.retry_budget = Some(RetryBudget { percent, least });
    Ok(())
}

/// A share from 1% to 100%, as it is written in an argument.
fn percent(call: &Call<'_>, index: usize, text: &str) -> Result<u32, Diagnostic> {
    let number = text.strip_suffix('%').and_then(|number| value::number(number, 1, 100).ok());
    let percent = number.and_then(|number| u32::try_from(number).ok());
    percent.ok_or_else(|| call.invalid(index, "it must be a share from 1% to 100%"))
}

const PARAMETERS: [&str; 6] = ["errors=", "latency=", "min_requests=", "interval=", "time=", "max_time="];
/// The shortest interval, and the shortest time out: servers are looked at a few times a second.
const LEAST_TIME_MS: u64 = 1_000;

fn outlier_ejection(draft: &mut UpstreamDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    if call.args().first().is_some_and(|word| word.text == "off") {
        return if call.args().len() == 1 { Ok(()) } else { Err(call.invalid(1, "it means nothing behind \"off\"")) };
    }
    let mut rule = OutlierEjection {
        errors_percent: Some(50),
        latency_times: Some(3),
        min_requests: 20,
        interval_ms: 10_000,
        time_ms: 10_000,
        max_time_ms: 300_000,
    };
    for index in 0..call.args().len() {
        if let Err(wrong) = once(call, index).and_then(|()| parameter(&mut rule, call, index)) {
            cx.report(wrong);
        }
    }
    if rule.errors_percent.is_none() && rule.latency_times.is_none() {
        let message = "\"outlier_ejection\" looks at neither errors nor times: it does nothing";
        let wrong = Diagnostic::error("invalid-value", &call.node.name.place, message);
        return Err(wrong.help("leave it out, or leave out \"errors=off\" or \"latency=off\""));
    }
    if rule.max_time_ms < rule.time_ms {
        let message = "in \"outlier_ejection\" \"max_time\" is shorter than \"time\"";
        let wrong = Diagnostic::error("invalid-value", &call.node.name.place, message);
        return Err(wrong.help("\"max_time\" is 5m where it is not written"));
    }
    draft.for_several.push((call.name, call.node.name.place.clone()));
    draft.outlier_ejection = Some(rule);
    Ok(())
}

/// Refuses a parameter that is there already.
fn once(call: &Call<'_>, index: usize) -> Outcome {
    let name = |index: usize| call.text(index).split('=').next();
    if (0..index).any(|other| name(other) == name(index)) {
        return Err(call.invalid(index, "it is written twice"));
    }
    Ok(())
}

fn parameter(rule: &mut OutlierEjection, call: &Call<'_>, index: usize) -> Outcome {
    let invalid = |error| call.invalid(index, error);
    let time = |text| match value::time_ms(text) {
        Ok(ms) if ms < LEAST_TIME_MS => Err(call.invalid(index, "it must be at least 1s")),
        other => other.map_err(invalid),
    };
    match call.text(index).split_once('=') {
        Some(("errors", "off")) => rule.errors_percent = None,
        Some(("errors", text)) => rule.errors_percent = Some(percent(call, index, text)?),
        Some(("latency", "off")) => rule.latency_times = None,
        Some(("latency", text)) => rule.latency_times = Some(value::number_u32(text, 2).map_err(invalid)?),
        Some(("min_requests", text)) => rule.min_requests = value::number_u32(text, 1).map_err(invalid)?,
        Some(("interval", text)) => rule.interval_ms = time(text)?,
        Some(("time", text)) => rule.time_ms = time(text)?,
        Some(("max_time", text)) => rule.max_time_ms = time(text)?,
        _ => return Err(call.unknown_word(index, "parameter of \"outlier_ejection\"", PARAMETERS)),
    }
    Ok(())
}
