//! Limits of open files: of running processes, and as files of settings write them.

use serde::{Deserialize, Serialize};

use super::boot::normal;
use super::root::Root;
use crate::facts::Stat;

/// The most processes that are looked at.
const PROCESSES_MAX: usize = 65_536;

/// A soft and a hard limit; `u64::MAX` is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// What holds.
    pub soft: u64,
    /// What the process may raise it to.
    pub hard: u64,
}

impl Limits {
    /// Raised to hold `wanted`; neither is lowered.
    pub(super) fn with(self, wanted: u64) -> Self {
        let soft = self.soft.max(wanted);
        Self { soft, hard: self.hard.max(soft) }
    }

    /// As systemd and people read it: `200000:524288`, or one number where both are the same.
    pub(super) fn written(self, unlimited: &str) -> String {
        let text = |limit: u64| if limit == u64::MAX { unlimited.to_owned() } else { limit.to_string() };
        if self.soft == self.hard { text(self.soft) } else { format!("{}:{}", text(self.soft), text(self.hard)) }
    }
}

/// A limit as one of several programs writes it.
pub(super) fn limit(text: &str) -> Option<u64> {
    match text.trim() {
        "infinity" | "unlimited" | "-1" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
    /// Its start in the kernel's ticks: a later process with this id has another.
    pub(super) start: u64,
    pub(super) limits: Limits,
    /// The user it belongs to.
    pub(super) owner: u32,
}

/// Those of some names, but for this one.
pub(super) fn processes(root: &Root, names: &[&str]) -> Vec<Process> {
    let own = std::process::id();
    let pids = root.list("proc").into_iter().take(PROCESSES_MAX).filter_map(|name| name.parse().ok());
    let others = pids.filter(|pid| *pid != own).filter_map(|pid| process(root, pid));
    others.filter(|process| names.contains(&process.name.as_str())).collect()
}

/// One that is there and may be seen.
pub(super) fn process(root: &Root, pid: u32) -> Option<Process> {
    let stat = root.text(&format!("proc/{pid}/stat"))?;
    let limits = open_files(&root.text(&format!("proc/{pid}/limits"))?)?;
    let stat = Stat::read(&stat)?;
    let owner = root.stat(&format!("proc/{pid}")).ok()?.st_uid;
    Some(Process { pid, name: stat.name.to_owned(), start: stat.started()?, limits, owner })
}

/// What this process may do to the limits of others.
#[derive(Debug, Default)]
pub(super) struct Rights {
    pub(super) user: u32,
    /// CAP_SYS_RESOURCE, which containers take from root.
    pub(super) has_resource: bool,
    /// Whether that counts for hard limits too: not in a user namespace, as of a container without root.
    pub(super) raises_hard: bool,
}

impl Rights {
    pub(super) fn read(root: &Root) -> Self {
        const RESOURCE: u32 = 24;
        let status = root.text("proc/self/status").unwrap_or_default();
        let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let rights = rights.and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok());
        let has_resource = rights.is_some_and(|rights| rights >> RESOURCE & 1 == 1);
        let is_first = root.text("proc/self/uid_map").is_none_or(|map| normal(&map) == "0 0 4294967295");
        Self { user: rustix::process::geteuid().as_raw(), has_resource, raises_hard: has_resource && is_first }
    }

    /// Whether root is kept from it: beyond the hard limit, or another user's, takes more than being root. Who is not
    /// root may become it.
    pub(super) fn are_short(&self, process: &Process, after: Limits) -> bool {
        let is_kept = after.hard > process.limits.hard && !self.raises_hard;
        self.user == 0 && (is_kept || process.owner != self.user && !self.has_resource)
    }
}

/// From the text of `/proc/PID/limits`.
fn open_files(text: &str) -> Option<Limits> {
    let rest = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = rest.split_whitespace();
    Some(Limits { soft: limit(words.next()?)?, hard: limit(words.next()?)? })
}
