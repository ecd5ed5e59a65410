//! `health_check`: active checks of an upstream's servers, from the location that passes requests to it.

use super::{Apply, Block, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Actions, Call, Cx, HealthDraft, Outcome};
use crate::tree::HealthCheck;
use crate::value;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "health_check",
        contexts: Contexts::LOCATION,
        takes: Takes::at_least(0),
        repeats: false,
        default: "",
        doc: "Checks each server of the upstream that the location passes requests to: every interval=, by a GET of \
              uri=; also jitter=, fails=, passes=, port=, mandatory [persistent], keepalive_time=, match=.",
        example: "health_check uri=/health/ready interval=1s fails=2;",
        apply: Apply::Action(health_check),
    },
    Directive {
        name: "health_check_timeout",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "5s",
        doc: "The time in which a check must have connected and got its answer.",
        example: "health_check_timeout 1s;",
        apply: Apply::Inherited(|level, call, _| {
            level.health_check_timeout_ms = time(call, 0, call.text(0))?;
            Ok(())
        }),
    },
    Directive {
        name: "match",
        contexts: Contexts::HTTP,
        takes: Takes::block(1, 1),
        repeats: true,
        default: "",
        doc: "What the answer to a check has to be: tests of status, header, body, and variables that it requires.",
        example: "match ready { status 200-299; header Content-Type ~ json; body ~ UP; }",
        apply: Apply::Block(Block::Match),
    },
];

const PARAMETERS: [&str; 10] = [
    "interval=",
    "jitter=",
    "fails=",
    "passes=",
    "uri=",
    "port=",
    "mandatory",
    "persistent",
    "keepalive_time=",
    "match=",
];
const GRPC: &str = "checks over gRPC";

fn health_check(actions: &mut Actions, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let mut draft = HealthDraft { check: defaults(call, cx), matching: None };
    let mut persistent = None;
    for index in 0..call.args().len() {
        match call.text(index) {
            "persistent" => persistent = Some(index),
            _ => {
                if let Err(wrong) = parameter(&mut draft, call, index) {
                    cx.report(wrong);
                }
            }
        }
    }
    if let Some(index) = persistent.filter(|_| !draft.check.is_mandatory) {
        let wrong = call.invalid(index, "it belongs behind \"mandatory\"");
        cx.report(wrong.help("write \"mandatory persistent\", or leave it out"));
    }
    actions.health = Some(draft);
    Ok(())
}

/// What holds where nothing is written; whose servers it checks is known when the location is read.
fn defaults(call: &Call<'_>, cx: &Cx<'_>) -> HealthCheck {
    HealthCheck {
        upstream: 0,
        host: String::new(),
        tls: None,
        settings: cx.proxy_defaults.clone(),
        error_logs: Vec::new().into(),
        interval_ms: 5_000,
        jitter_ms: 0,
        fails: 1,
        passes: 1,
        uri: "/".to_owned(),
        port: None,
        is_mandatory: false,
        keepalive_ms: 60_000,
        timeout_ms: 0,
        matching: None,
        place: call.node.name.place.clone(),
    }
}

fn parameter(draft: &mut HealthDraft, call: &Call<'_>, index: usize) -> Outcome {
    let HealthDraft { check, matching } = draft;
    let invalid = |error| call.invalid(index, error);
    let count = |text| value::number_u32(text, 1).map_err(invalid);
    match call.text(index).split_once('=') {
        Some(("interval", text)) => check.interval_ms = time(call, index, text)?,
        Some(("jitter", text)) => check.jitter_ms = value::time_ms(text).map_err(invalid)?,
        Some(("fails", text)) => check.fails = count(text)?,
        Some(("passes", text)) => check.passes = count(text)?,
        Some(("uri", text)) => check.uri = uri(call, index, text)?,
        Some(("port", text)) => {
            let port = value::number(text, 1, u64::from(u16::MAX)).map_err(invalid)?;
            check.port = u16::try_from(port).ok();
        }
        Some(("keepalive_time", text)) => check.keepalive_ms = value::time_ms(text).map_err(invalid)?,
        Some(("match", "")) => return Err(call.invalid(index, "a \"match\" has a name")),
        Some(("match", name)) => {
            // The name alone is what may be wrong with it.
            let at = "match=".len();
            *matching = Some((name.to_owned(), call.word(index).part(at, name.len())));
        }
        Some(("type", "http")) => {}
        Some(("type" | "grpc_service" | "grpc_status", _)) => return Err(call.not_yet(index, GRPC)),
        None if call.text(index) == "mandatory" => check.is_mandatory = true,
        _ => return Err(call.unknown_word(index, "parameter of \"health_check\"", PARAMETERS)),
    }
    Ok(())
}

fn uri(call: &Call<'_>, index: usize, text: &str) -> Result<String, Diagnostic> {
    if !text.starts_with('/') {
        return Err(call.invalid(index, "it must begin with \"/\"").help(format!("write \"uri=/{text}\"")));
    }
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(call.invalid(index, "there is a space or control character in it"));
    }
    Ok(text.to_owned())
}

/// A time that is longer than nothing.
fn time(call: &Call<'_>, index: usize, text: &str) -> Result<u64, Diagnostic> {
    match value::time_ms(text) {
        Ok(0) => Err(call.invalid(index, "it must be longer than nothing")),
        Ok(ms) => Ok(ms),
        Err(error) => Err(call.invalid(index, error)),
    }
}
