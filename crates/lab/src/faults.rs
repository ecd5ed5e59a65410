//! The faults of a run: what happens to which server and when. Pure; checked as a whole before anything starts.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::duration::{self, BadDuration};

/// Faults in one run: more than anybody follows on a time line.
const FAULTS_MAX: usize = 1_000;

/// What is done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// SIGKILL: the process is gone, its connections are reset.
    Kill,
    /// Started again; one that still runs is stopped first, as `server stop` does.
    Restart,
    /// SIGSTOP: connections are accepted by the kernel and nobody answers.
    Pause,
    /// SIGCONT.
    Resume,
    /// Nothing by the lab: the process ended by itself, or somebody else ended it. Never planned.
    Exit,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What is done.
    pub action: Action,
    /// To which server.
    pub server: String,
    /// When, from the start of the measured load.
    #[serde(serialize_with = "as_ms", rename = "at_ms")]
    pub at: Duration,
}

/// Why faults make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum FaultError {
    #[error("{0:?} is no fault; write NAME@TIME, for example liberty-2@15s")]
    NoAt(String),
    #[error("{text:?}")]
    Time { text: String, source: BadDuration },
    #[error("{fault}: there is no server {:?}; there are {known}", fault.server)]
    Unknown { fault: Fault, known: String },
    #[error("{fault}: the load ends at {end:?}")]
    Late { fault: Fault, end: Duration },
    #[error("{fault}: the server {state} at that time")]
    State { fault: Fault, state: &'static str },
    #[error("{0} faults are more than the {FAULTS_MAX} that one run takes")]
    Many(usize),
}

impl Fault {
    /// Reads `NAME@TIME`.
    pub fn parse(action: Action, text: &str) -> Result<Self, FaultError> {
        let (server, at) = text.rsplit_once('@').ok_or_else(|| FaultError::NoAt(text.to_owned()))?;
        if server.is_empty() {
            return Err(FaultError::NoAt(text.to_owned()));
        }
        let at = duration::parse(at).map_err(|source| FaultError::Time { text: text.to_owned(), source })?;
        Ok(Self { action, server: server.to_owned(), at })
    }
}

/// The faults of a run that was told none: one of the middle servers killed at a quarter of the time, at 15 s at most,
/// and back at twice that.
pub fn usual(names: &[&str], load: Duration) -> Vec<Fault> {
    let [_, server, ..] = names else { return Vec::new() };
    let at = (load / 4).min(Duration::from_secs(15));
    let fault = |action, at| Fault { action, server: (*server).to_owned(), at };
    vec![fault(Action::Kill, at), fault(Action::Restart, at * 2)]
}

/// Checks that every fault names a server, comes before the end and fits what came before it; sorts them by time.
pub fn check(mut faults: Vec<Fault>, names: &[&str], load: Duration) -> Result<Vec<Fault>, FaultError> {
    if faults.len() > FAULTS_MAX {
        return Err(FaultError::Many(faults.len()));
    }
    faults.sort_by_key(|fault| fault.at);
    for (index, fault) in faults.iter().enumerate() {
        if !names.contains(&fault.server.as_str()) {
            return Err(FaultError::Unknown { fault: fault.clone(), known: names.join(", ") });
        }
        if fault.at >= load {
            return Err(FaultError::Late { fault: fault.clone(), end: load });
        }
        let before = faults[..index].iter().rfind(|earlier| earlier.server == fault.server);
        if let Some(state) = misfit(before.map(|earlier| earlier.action), fault.action) {
            return Err(FaultError::State { fault: fault.clone(), state });
        }
    }
    Ok(faults)
}

/// The state a server is in after `last` where `next` makes no sense in it.
fn misfit(last: Option<Action>, next: Action) -> Option<&'static str> {
    match (last, next) {
        (Some(Action::Kill), Action::Kill | Action::Pause | Action::Resume) => Some("is dead"),
        (Some(Action::Pause), Action::Pause) => Some("is paused already"),
        (Some(Action::Pause), _) => None,
        (_, Action::Resume) => Some("is not paused"),
        _ => None,
    }
}

fn as_ms<S: serde::Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Exit => "exit",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}@{:?}", self.action, self.server, self.at)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["liberty-1", "liberty-2", "liberty-3"];
    const MINUTE: Duration = Duration::from_secs(60);

    fn faults(written: &str) -> Result<Vec<Fault>, FaultError> {
        let one = |word: &str| {
            let (action, rest) = word.split_once(' ').unwrap();
            let action = match action {
                "kill" => Action::Kill,
                "restart" => Action::Restart,
                "pause" => Action::Pause,
                _ => Action::Resume,
            };
            Fault::parse(action, rest)
        };
        let all: Result<Vec<_>, _> = written.split(", ").map(one).collect();
        check(all?, &NAMES, MINUTE)
    }

    #[test]
    fn faults_are_sorted_by_time() {
        let sorted = faults("restart liberty-2@30s, kill liberty-2@15s, pause liberty-1@1s").unwrap();
        let shown: Vec<String> = sorted.iter().map(Fault::to_string).collect();
        assert_eq!(shown, ["pause liberty-1@1s", "kill liberty-2@15s", "restart liberty-2@30s"]);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let table = [
            ("kill liberty-2", r#""liberty-2" is no fault; write NAME@TIME, for example liberty-2@15s"#),
            ("kill @5s", r#""@5s" is no fault; write NAME@TIME, for example liberty-2@15s"#),
            ("kill a@x", r#""a@x": "x" is no duration; write for example 30s, 1m30s or 250ms"#),
            ("kill a@1s", r#"kill a@1s: there is no server "a"; there are liberty-1, liberty-2, liberty-3"#),
            ("kill liberty-1@60s", "kill liberty-1@60s: the load ends at 60s"),
            ("kill liberty-1@1s, kill liberty-1@2s", "kill liberty-1@2s: the server is dead at that time"),
            ("resume liberty-1@1s", "resume liberty-1@1s: the server is not paused at that time"),
            ("pause liberty-1@1s, pause liberty-1@2s", "pause liberty-1@2s: the server is paused already at that time"),
        ];
        for (written, said) in table {
            assert_eq!(crate::with_causes(&faults(written).unwrap_err()), said);
        }
    }

    #[test]
    fn what_makes_sense_is_taken() {
        let table = [
            "kill liberty-1@1s, restart liberty-1@2s, kill liberty-1@3s",
            "pause liberty-1@1s, kill liberty-1@2s, restart liberty-1@3s",
            "pause liberty-1@1s, resume liberty-1@2s, pause liberty-1@3s",
            "restart liberty-3@0, kill liberty-1@1s, kill liberty-2@1s",
        ];
        for written in table {
            assert!(faults(written).is_ok(), "{written}");
        }
    }

    #[test]
    fn the_usual_faults_fit_every_run() {
        let shown = |names: &[&str], secs| {
            let load = Duration::from_secs(secs);
            let faults = check(usual(names, load), names, load).unwrap();
            faults.iter().map(Fault::to_string).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(shown(&NAMES, 60), "kill liberty-2@15s, restart liberty-2@30s");
        assert_eq!(shown(&NAMES, 300), "kill liberty-2@15s, restart liberty-2@30s");
        assert_eq!(shown(&NAMES, 10), "kill liberty-2@2.5s, restart liberty-2@5s");
        assert_eq!(shown(&NAMES[..1], 60), "");
    }
}
