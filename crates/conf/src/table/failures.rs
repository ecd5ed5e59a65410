//! Directives of an upstream for failures of its servers, beyond `max_fails`: bedloe's own.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Outcome, UpstreamDraft};
use crate::tree::RetryBudget;
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
}];

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
    draft.retry_budget = Some(RetryBudget { percent, least });
    Ok(())
}

/// A share from 1% to 100%, as it is written in an argument.
fn percent(call: &Call<'_>, index: usize, text: &str) -> Result<u32, Diagnostic> {
    let number = text.strip_suffix('%').and_then(|number| value::number(number, 1, 100).ok());
    let percent = number.and_then(|number| u32::try_from(number).ok());
    percent.ok_or_else(|| call.invalid(index, "it must be a share from 1% to 100%"))
}
