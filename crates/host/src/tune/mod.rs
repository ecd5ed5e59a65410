//! What a host must allow so that it carries a load: read, compared with what a role wants, set, and put back.
//!
//! It goes one way: a [`Root`] is read into [`Facts`]; from them `wanted` says what the role needs, with the number
//! each wish comes from; `judge` compares, which gives the rows of a table; [`Plan`] is what to write and load; `apply`
//! does it and keeps a record, by which `undo` puts all of it back. Between reading and applying nothing touches the
//! host.
//!
//! It changes limits of files and of the network, and what a JVM suffers from. Interrupts and the clock of the cores
//! are advice: what is right there depends on the machine.

mod advice;
mod apply;
mod boot;
mod cgroups;
mod facts;
mod judge;
mod kernel;
mod limits;
mod logins;
mod plan;
mod ports;
mod record;
mod root;
mod rule;
#[cfg(test)]
mod tests;
mod undo;
mod units;
mod wanted;

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

pub use apply::apply;
pub use facts::Facts;
pub use judge::{Row, State};
pub use kernel::{Kernel, Machine};
pub use limits::Limits;
pub use plan::{FileChange, Plan, ProcessChange, ValueChange};
pub use record::unfinished;
pub use root::Root;
pub use undo::{Undone, orphans, undo, undoable};
pub use units::is_service_name;

/// What a host is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It takes requests and passes them on: bedloe or nginx.
    Balancer,
    /// It runs a Java server.
    Liberty,
    /// It makes the load.
    Injector,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Balancer => "balancer",
            Self::Liberty => "liberty",
            Self::Injector => "injector",
        })
    }
}

/// What a host is tuned for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ask {
    /// Its role.
    pub role: Role,
    /// Requests a second.
    pub rate: u64,
    /// Connections of clients at once.
    pub connections: u64,
    /// Services of systemd beside those that the role is known by, without `.service`.
    pub services: Vec<String>,
    /// Users beside those that the role is known by.
    pub users: Vec<String>,
    /// Ports of services that do not listen now.
    pub ports: Vec<u16>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("cannot {doing} /{path}: {said}")]
    File {
        /// Such as "read".
        doing: &'static str,
        /// The path below the root.
        path: String,
        /// What the system said.
        said: io::Error,
    },
    /// The kernel, or a command, refused a change.
    #[error("{what} was refused: {said}")]
    Refused {
        /// The change.
        what: String,
        /// What the kernel said.
        said: io::Error,
    },
    /// A change failed, and here is what became of those before it.
    #[error("{cause}; {}{}", undone(.left), .untold.as_ref().map(|untold| format!("; {untold}")).unwrap_or_default())]
    RolledBack {
        /// What failed.
        cause: Box<Error>,
        /// What could not be put back.
        left: Vec<String>,
        /// Why systemd does not know yet.
        untold: Option<String>,
    },
    /// What `undo` could not put back.
    #[error("could not be put back: {}; the rest was. `bedloe tune undo` tries again", .0.join("; "))]
    NotPutBack(Vec<String>),
    /// Somebody else is at it.
    #[error("another `bedloe tune` is at work (it holds /{path}); try again when it has ended")]
    Busy {
        /// The file that is locked.
        path: String,
    },
    /// The record of earlier changes cannot be relied upon.
    #[error("the record /{path} {why}; nothing was changed")]
    Record {
        /// The record.
        path: String,
        /// What is the matter with it.
        why: String,
    },
    /// Something was changed after the change that is to be undone.
    #[error(
        "changed since the run: {}; {}. --force puts back what stood before, and loses the change",
        .paths.join(", "),
        match .runs { 0 => "nothing was undone".to_owned(), runs => format!("{runs} later undone, and this one not") }
    )]
    ChangedSince {
        /// What was changed.
        paths: Vec<String>,
        /// How many later runs were undone before this one.
        runs: usize,
    },
}

fn undone(left: &[String]) -> String {
    match left {
        [] => "everything of this run was undone".to_owned(),
        left => format!("of this run could not be undone: {}. `bedloe tune undo` tries again", left.join("; ")),
    }
}

impl Error {
    fn file(doing: &'static str, path: &str) -> impl FnOnce(io::Error) -> Self {
        move |said| Self::File { doing, path: path.to_owned(), said }
    }
}

/// A host compared with what its role wants.
#[derive(Debug)]
pub struct Look {
    /// A row a setting.
    pub rows: Vec<Row>,
    /// What would make the rows right that can be.
    pub plan: Plan,
}

/// Reads the host or tree below `root` and compares.
pub fn look(root: &Root, ask: &Ask) -> Result<Look, Error> {
    compare(root, &Facts::read(root, ask), ask)
}

/// Compares facts that were read.
pub fn compare(root: &Root, facts: &Facts, ask: &Ask) -> Result<Look, Error> {
    let judged: Vec<judge::Judged> =
        wanted::wanted(facts, ask).into_iter().map(|wanted| judge::judge(facts, wanted)).collect();
    let fixes = judged.iter().flat_map(|judged| judged.fixes.clone()).collect();
    let plan = Plan::make(root, facts, fixes)?;
    Ok(Look { rows: judged.into_iter().map(|judged| judged.row).collect(), plan })
}
