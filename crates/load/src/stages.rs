//! A script's `setup` and `teardown` around a test: what they measure counts, and what they throw ends it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::Error;
use crate::metric::{Catalog, Samples};
use crate::report::Outcome;
use crate::script::{Ended, Level, Log, ScriptRun, Stage, Work, run_stage};
use crate::worker::Phase;

const SECOND_NS: u64 = 1_000_000_000;

/// What a stage came to: how the test ends because of it, and what was measured.
pub(crate) type Staged = (Option<Outcome>, Box<Samples>);

/// Runs `setup`, and keeps what it returns for the users.
pub(crate) fn setup(
    run: &mut ScriptRun,
    catalog: &Arc<Catalog>,
    phase: watch::Receiver<Phase>,
) -> Result<Staged, Error> {
    let Some(limit_ns) = run.setup_timeout_ns.filter(|_| run.script.has("setup")) else {
        return Ok((None, Box::default()));
    };
    let work = Work::Call { function: Arc::from("setup"), data: None, wants_value: true };
    let (ended, samples) = run_stage(run, catalog, Stage::Setup, work, Some(limit_ns), Some(phase))?;
    let outcome = match ended {
        Ended::Done(data) => {
            run.data = data.map(Arc::from);
            None
        }
        Ended::Thrown(thrown) => Some(failed(run, thrown.text)),
        Ended::TimedOut => Some(late(run, "setup", "setupTimeout", limit_ns, Outcome::SetupTimedOut)),
        Ended::Stopped => Some(Outcome::Interrupted),
    };
    Ok((outcome, samples))
}

/// Runs `teardown`, also after a test that was stopped.
pub(crate) fn teardown(run: &ScriptRun, catalog: &Arc<Catalog>) -> Result<Staged, Error> {
    let Some(limit_ns) = run.teardown_timeout_ns.filter(|_| run.script.has("teardown")) else {
        return Ok((None, Box::default()));
    };
    let work = Work::Call { function: Arc::from("teardown"), data: run.data.clone(), wants_value: false };
    let (ended, samples) = run_stage(run, catalog, Stage::Teardown, work, Some(limit_ns), None)?;
    let outcome = match ended {
        Ended::Done(_) | Ended::Stopped => None,
        Ended::Thrown(thrown) => Some(failed(run, thrown.text)),
        Ended::TimedOut => Some(late(run, "teardown", "teardownTimeout", limit_ns, Outcome::TeardownTimedOut)),
    };
    Ok((outcome, samples))
}

fn failed(run: &ScriptRun, text: String) -> Outcome {
    tell(run, text, "script exception".to_owned());
    Outcome::ScriptFailed
}

fn late(run: &ScriptRun, function: &str, option: &str, limit_ns: u64, outcome: Outcome) -> Outcome {
    let text = format!("{function}() execution timed out after {} seconds", limit_ns / SECOND_NS);
    tell(run, text, format!("the option `{option}` gives it more time"));
    outcome
}

fn tell(run: &ScriptRun, text: String, hint: String) {
    (run.script.program.sink)(&Log { level: Level::Error, text, fields: vec![("hint", hint)] });
}
