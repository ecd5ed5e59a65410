//! What came of a roll, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::plan::{Plan, Target};

/// How a server is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing was done to it.
    Untouched,
    /// It was set aside and put back, without a restart.
    AsBefore,
    /// It gets no requests: nobody knows whether it is well.
    Down,
    /// It is restarted and in service.
    Restarted,
    /// The balancer does not answer.
    Unknown,
}

impl Left {
    fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::AsBefore => "as before",
            Self::Down => "down",
            Self::Restarted => "restarted",
            Self::Unknown => "unknown",
        }
    }
}

/// What came of one server.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) left: Left,
    /// Until nothing was in flight.
    pub(super) drain_ms: Option<u64>,
    /// Sessions were still in use when it went down; `None` where nobody knows.
    pub(super) sessions_cut: Option<bool>,
    /// From the beginning of the command: until that ended, and until the server was ready.
    pub(super) command_ms: Option<u64>,
    pub(super) ready_ms: Option<u64>,
}

impl Default for Row {
    fn default() -> Self {
        Self { left: Left::Untouched, drain_ms: None, sessions_cut: None, command_ms: None, ready_ms: None }
    }
}

/// How a roll went, in a word, and what stopped it.
pub(super) struct Ending<'a> {
    pub(super) outcome: &'a str,
    pub(super) error: Option<String>,
    pub(super) elapsed_ms: u64,
}

/// The whole as JSON.
pub(super) fn to_json(upstream: &str, plan: &Plan, rows: &[Row], ending: &Ending<'_>) -> Value {
    let server = |(target, row): (&Target, &Row)| {
        json!({
            "id": target.server.id,
            "name": target.server.name,
            "address": target.server.address,
            "route": target.server.route,
            "left": row.left.name(),
            "drain_ms": row.drain_ms,
            "sessions_cut": row.sessions_cut,
            "command_ms": row.command_ms,
            "ready_ms": row.ready_ms,
            "command": target.command,
        })
    };
    json!({
        "upstream": upstream,
        "outcome": ending.outcome,
        "error": ending.error,
        "elapsed_ms": ending.elapsed_ms,
        "servers": plan.targets.iter().zip(rows).map(server).collect::<Vec<_>>(),
        "passed_over": plan.passed_over.iter().map(|server| &server.name).collect::<Vec<_>>(),
        "warnings": plan.warnings,
    })
}

/// The same where nothing was done.
pub(super) fn refused(upstream: &str, outcome: &str, error: &str) -> Value {
    let ending = Ending { outcome, error: Some(error.to_owned()), elapsed_ms: 0 };
    to_json(upstream, &Plan::default(), &[], &ending)
}

/// What is to be done before a roll that was stopped can go on, and how it goes on.
pub(super) fn advice(upstream: &str, plan: &Plan, rows: &[Row]) -> String {
    let mut text = String::new();
    for (target, row) in plan.targets.iter().zip(rows) {
        let (shown, id) = (target.server.shown(), target.server.id);
        let _ = match row.left {
            Left::Untouched | Left::Restarted => Ok(()),
            Left::AsBefore => write!(text, "\n  {shown} is in service as before, and was not restarted"),
            Left::Down => write!(
                text,
                "\n  {shown} is down in the balancer: when it is well, `bedloe upstream up {upstream} {id}`"
            ),
            Left::Unknown => write!(
                text,
                "\n  {shown} may still drain or be down: look by `bedloe upstream list {upstream}`{}",
                if row.command_ms.is_some() { "; its command has ended well" } else { "" }
            ),
        };
    }
    let is_left = |row: &Row| match row.left {
        Left::Untouched | Left::AsBefore => true,
        Left::Unknown => row.ready_ms.is_none(),
        Left::Down | Left::Restarted => false,
    };
    let left = plan.targets.iter().zip(rows).filter(|(_, row)| is_left(row));
    let left: Vec<&str> = left.map(|(target, _)| target.word.as_str()).collect();
    if !left.is_empty() {
        let _ = write!(text, "\n  go on by the same command with --server {}", left.join(","));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::view::Server;
    use super::*;

    #[test]
    fn what_is_left_to_do_is_said() {
        let target = |id: u64, name: &str| Target {
            server: Server { id, name: name.into(), ..Server::default() },
            command: "true".into(),
            word: id.to_string(),
        };
        let targets = vec![target(0, "a:1"), target(1, "b:1"), target(2, "c:1")];
        let plan = Plan { targets, ..Plan::default() };
        let said = |left: [Left; 3]| advice("app", &plan, &left.map(|left| Row { left, ..Row::default() }));
        assert_eq!(
            said([Left::Restarted, Left::Down, Left::Untouched]),
            "\n  b:1 is down in the balancer: when it is well, `bedloe upstream up app 1`\n  \
             go on by the same command with --server 2"
        );
        assert_eq!(
            said([Left::AsBefore, Left::Untouched, Left::Untouched]),
            "\n  a:1 is in service as before, and was not restarted\n  \
             go on by the same command with --server 0,1,2"
        );
        assert!(said([Left::Unknown, Left::Restarted, Left::Restarted]).contains("a:1 may still drain or be down"));
        assert_eq!(said([Left::Restarted; 3]), "");
    }
}
