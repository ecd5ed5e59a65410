//! k6 scripts: each user runs one on an engine of its own, on a coroutine of its own.
//!
//! The way of a script: [`Script::open`] runs its init code once, which compiles its modules and tells its options;
//! users load the compiled code ([`Player`]); whatever a script waits for suspends its coroutine, and the user's task
//! does it over the user's own connections. [`stage`] runs what is done once: `setup`, `teardown`, `handleSummary`.
//!
//! Left out: printing (the caller gives a [`Sink`]), and what [`api`] says.

mod api;
mod base64;
mod bytes;
mod commonjs;
mod digests;
mod fiber;
mod gjson;
mod host;
mod inspect;
mod log;
mod modules;
mod player;
mod program;
mod raw;
mod remote;
mod source;
mod stage;
mod thrown;
mod turns;
mod vm;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use net::event_loop;
use serde_json::Value as Json;

pub use self::log::{Level, Log, Sink};
pub(crate) use host::{Host as ScriptHost, Scene as ScriptScene, Stage};
pub(crate) use player::Player;
pub(crate) use program::Counts;
pub(crate) use stage::{Ended, run_stage};
pub(crate) use thrown::{Thrown, Why};
pub(crate) use vm::Work;

use crate::metric::{Catalog, Definitions, Recorder};
use crate::options::Layer;
use crate::options::told::told;
use crate::schedule::Segment;
use crate::seat::Seat;
use crate::sites::{HttpOptions, Sites};
use host::Host;
use program::Program;

/// A script whose init code has run.
#[derive(Debug, Clone)]
pub struct Script {
    pub(crate) program: Arc<Program>,
    /// What it exports as `options`.
    pub options: Layer,
    /// Names of the functions that it exports.
    pub functions: Vec<String>,
    /// All metrics, its own included.
    pub definitions: Arc<Definitions>,
}

/// A script that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// There is no such file, or it is none.
    #[error("{0}")]
    File(String),
    /// Its init code has failed; the text says where.
    #[error("{0}")]
    Init(String),
    /// It exports no function.
    #[error("the script exports no function: want `export default function () {{ ... }}`")]
    NoFunction,
    /// Its init code has ended the test.
    #[error("the script has ended the test in its init code")]
    Aborted,
    /// Its options are no object.
    #[error("the script's `options` are no object")]
    Options,
    /// A thread could not be set up.
    #[error("the script engine cannot start")]
    Engine(#[from] std::io::Error),
}

/// A script in a test: how it is run.
#[derive(Debug, Clone)]
pub struct ScriptRun {
    /// The script.
    pub script: Script,
    /// What all its requests have in common.
    pub http: Arc<HttpOptions>,
    /// How long `setup` may take; `None` where it is not to be run.
    pub setup_timeout_ns: Option<u64>,
    /// How long `teardown` may take; `None` where it is not to be run.
    pub teardown_timeout_ns: Option<u64>,
    /// How long `handleSummary` may take.
    pub summary_timeout_ns: u64,
    /// What `setup` has returned, as JSON.
    pub(crate) data: Option<Arc<str>>,
}

impl Script {
    /// Reads a script and runs its init code, whose console goes to `sink`. `path` must be absolute; `copies` is the
    /// folder where modules of other hosts are kept for the day that they cannot be fetched.
    pub fn open(
        path: &Path,
        env: Vec<(String, String)>,
        copies: Option<PathBuf>,
        sink: Sink,
    ) -> Result<Self, ScriptError> {
        program::read(path).map_err(ScriptError::File)?;
        let program = Arc::new(Program::new(path, env, copies, sink));
        let definitions = Arc::new(Definitions::default());
        let described = event_loop::block_on(describe(Arc::clone(&program), Arc::clone(&definitions)))??;
        let exports: Json = serde_json::from_str(&described).map_err(|_| ScriptError::Options)?;
        let options = match &exports["options"] {
            Json::Null => Layer::new(),
            Json::Object(options) => options.clone(),
            _ => return Err(ScriptError::Options),
        };
        let names = exports["functions"].as_array().into_iter().flatten();
        let functions: Vec<String> = names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        if functions.is_empty() {
            return Err(ScriptError::NoFunction);
        }
        Ok(Self { program, options, functions, definitions })
    }

    /// Whether it exports a function of this name.
    #[must_use]
    pub fn has(&self, function: &str) -> bool {
        self.functions.iter().any(|name| name == function)
    }
}

impl Script {
    /// Says what the options of the test are, and which part of it is done here, for scripts that ask.
    pub fn tell_options(&self, json: &Layer, segment: &Segment) {
        self.program.set_segment(segment);
        self.program.set_options(told(json).to_string());
    }
}

/// Bytes in base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::Form::STD.encode(bytes)
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    base64::hex(bytes)
}

pub(crate) use api::canonical;

/// A random number as RFC 9562 writes it.
pub(crate) fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = base64::hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Texts, or other bytes, by where they go.
pub type Texts = Vec<(String, Vec<u8>)>;

/// What `handleSummary` has made of a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Summarized {
    /// These.
    Texts(Texts),
    /// An exception was thrown: the usual summary is shown.
    Thrown(String),
    /// It took too long, or returned what nobody could write; no summary is shown then, as k6 has it.
    Nothing(String),
}

/// How long `handleSummary` may take: k6's two minutes, which no option changes.
const SUMMARY_TIMEOUT_NS: u64 = 120_000_000_000;

impl ScriptRun {
    /// A script as it is run unless told otherwise.
    #[must_use]
    pub fn new(script: Script, http: HttpOptions) -> Self {
        let (setup_timeout_ns, teardown_timeout_ns, data) = (None, None, None);
        let http = Arc::new(http);
        Self { script, http, setup_timeout_ns, teardown_timeout_ns, summary_timeout_ns: SUMMARY_TIMEOUT_NS, data }
    }

    /// What `handleSummary` makes of a summary; `None` where the script has none.
    #[must_use]
    pub fn summarize(&self, summary: &Json) -> Option<Summarized> {
        if !self.script.has("handleSummary") {
            return None;
        }
        let (work, limit_ns) = (Work::Summarize(summary.to_string()), self.summary_timeout_ns);
        let ended = run_stage(self, &Arc::default(), Stage::Summary, work, Some(limit_ns), None);
        Some(match ended {
            Ok((Ended::Done(texts), _)) => Summarized::of(texts.as_deref()),
            Ok((Ended::Thrown(thrown), _)) => Summarized::Thrown(thrown.text),
            Ok((Ended::TimedOut, _)) => {
                let seconds = limit_ns / 1_000_000_000;
                Summarized::Nothing(format!("handleSummary() execution timed out after {seconds} seconds"))
            }
            Ok((Ended::Stopped, _)) => Summarized::Thrown("handleSummary was interrupted".to_owned()),
            Err(error) => Summarized::Thrown(error.to_string()),
        })
    }
}

impl Summarized {
    /// Of what the engine's side has made of it.
    fn of(json: Option<&str>) -> Self {
        let made: Json = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let bytes = |text: &Json| base64::Form::STD.decode(text.as_str().unwrap_or_default());
        let pair = |(name, text): (&String, &Json)| (name.clone(), bytes(text).unwrap_or_default());
        match made["wrong"].as_str() {
            Some(wrong) => Self::Nothing(format!("what handleSummary returns cannot be written: {wrong}")),
            None => Self::Texts(made["texts"].as_object().into_iter().flatten().map(pair).collect()),
        }
    }
}

async fn describe(program: Arc<Program>, definitions: Arc<Definitions>) -> Result<String, ScriptError> {
    let catalog = Catalog { definitions, ..Catalog::default() };
    let recorder = Rc::new(Recorder::for_init(Arc::new(catalog)));
    let http = HttpOptions::usual().map_err(|error| ScriptError::Init(error.to_string()))?;
    let host = Rc::new(Host::new(Arc::clone(&program), Rc::new(Sites::new(Arc::new(http))), recorder));
    let mut player = Player::new(host)?;
    let seat = Seat::default();
    let failed = |thrown: Thrown| ScriptError::Init(with_line(&program, &thrown));
    let begun = player.begin(&seat).await;
    if program.is_aborted() {
        return Err(ScriptError::Aborted);
    }
    begun.map_err(failed)?;
    let described = player.work(Work::Describe, &seat).await.map_err(failed)?;
    Ok(described.unwrap_or_default())
}

/// What was thrown, and the line of the script that it comes from.
fn with_line(program: &Program, thrown: &Thrown) -> String {
    let text = thrown.text.trim_end();
    let Some((file, line, column)) = thrown.place() else { return text.to_owned() };
    match program.line(file, line) {
        Some(source) if !source.trim().is_empty() => {
            let shown = source.trim_start();
            let indent = source.chars().count() - shown.chars().count();
            let caret = " ".repeat(column.saturating_sub(indent + 1));
            format!("{text}\n{line:5} | {shown}\n      | {caret}^")
        }
        _ => text.to_owned(),
    }
}
