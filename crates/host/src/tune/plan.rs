//! What is to be written and loaded so that a host fits: whole files, values, limits of processes. It reads the files
//! that it would replace, and changes nothing.

use std::collections::BTreeMap;

use super::Error;
use super::boot::{CONNTRACK, MODULES, SYSCTL, TMPFILES, sysctl_lines, tmpfiles_lines};
use super::facts::Facts;
use super::judge::Fix;
use super::limits::{Limits, Process};
use super::root::{Root, Saved};
use super::{logins, units};

/// How each of our files begins.
pub(super) const MARK: &str = "# Written by bedloe tune; `bedloe tune undo` takes it away.\n";

/// A file that is made or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its path below the root, without a slash before it.
    pub path: String,
    pub(super) before: Option<Saved>,
    pub(super) after: Saved,
}

impl FileChange {
    /// Whether there is none yet.
    pub fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// Its whole text.
    pub fn content(&self) -> &str {
        &self.after.content
    }

    /// Its rights.
    pub fn mode(&self) -> u32 {
        self.after.mode
    }
}

/// A value of the kernel that is set now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueChange {
    /// Its name, as in `net.core.somaxconn`, or its path below `/sys`.
    pub name: String,
    pub(super) path: String,
    /// What it is.
    pub before: String,
    /// What it becomes.
    pub after: String,
}

/// A limit of a running process that is raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessChange {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub name: String,
    pub(super) start: u64,
    /// What it may have open, softly and at most.
    pub before: Limits,
    /// What it may have open then.
    pub after: Limits,
}

/// Everything that is done by one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Folders that are made for the files, the outermost first.
    pub folders: Vec<String>,
    /// Files.
    pub files: Vec<FileChange>,
    /// Values of the running kernel.
    pub values: Vec<ValueChange>,
    /// Running processes.
    pub processes: Vec<ProcessChange>,
    /// Whether systemd is told of units that changed.
    pub reloads_systemd: bool,
    /// Commands that load the files where they are not run, for a tree is not the host that runs.
    pub later: Vec<&'static str>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.values.is_empty() && self.processes.is_empty()
    }

    pub(super) fn make(root: &Root, facts: &Facts, fixes: Vec<Fix>) -> Result<Self, Error> {
        let mut plan = Self::default();
        let (mut sysctl, mut tmpfiles, mut logins) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (mut services, mut contents) = (BTreeMap::new(), BTreeMap::new());
        let mut is_conntrack = false;
        for fix in fixes {
            match fix {
                Fix::Value { path, name, before, after } => {
                    plan.values.push(ValueChange { name, path, before, after });
                }
                Fix::Boot { name, value } if name.starts_with('/') => drop(tmpfiles.insert(name, value)),
                Fix::Boot { name, value } => {
                    is_conntrack |= name.starts_with(CONNTRACK.0);
                    sysctl.insert(name, value);
                }
                Fix::Service { name, limits } => drop(services.insert(units::piece(&name), limits)),
                Fix::Login { user, limits } => drop(logins.insert(user, limits)),
                Fix::Process { process, after } => plan.processes.push(ProcessChange::of(process, after)),
            }
        }
        let text = |path: &str| root.saved(path).map_err(Error::file("read", path)).map(own_text);
        let (has_units, has_sysctl, has_tmpfiles) = (!services.is_empty(), !sysctl.is_empty(), !tmpfiles.is_empty());
        for (path, limits) in services {
            let content = units::written(&text(&path)?, limits);
            contents.insert(path, content);
        }
        if has_sysctl {
            contents.insert(SYSCTL.to_owned(), sysctl_file(&text(SYSCTL)?, &sysctl));
        }
        if is_conntrack && facts.loads_conntrack {
            contents.insert(MODULES.to_owned(), modules_file(&text(MODULES)?));
        }
        if has_tmpfiles {
            contents.insert(TMPFILES.to_owned(), tmpfiles_file(&text(TMPFILES)?, &tmpfiles));
        }
        if !logins.is_empty() {
            contents.insert(logins::PATH.to_owned(), logins::written(&text(logins::PATH)?, &logins));
        }
        for (path, content) in contents {
            plan.add(root, path, content)?;
        }
        plan.reloads_systemd = has_units && facts.runs_systemd;
        if facts.is_tree {
            let commands = [
                (has_sysctl, "sysctl --system"),
                (has_tmpfiles, "systemd-tmpfiles --create"),
                (has_units, "systemctl daemon-reload"),
            ];
            plan.later = commands.into_iter().filter(|(is_due, _)| *is_due).map(|(_, command)| command).collect();
        }
        Ok(plan)
    }

    fn add(&mut self, root: &Root, path: String, content: String) -> Result<(), Error> {
        /// What settings of the host have that all may read and root may write.
        const MODE: u32 = 0o644;
        let before = root.saved(&path).map_err(Error::file("read", &path))?;
        let (owner, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let after = match &before {
            Some(before) => Saved { content, mode: before.mode & 0o777, ..before.clone() },
            None => Saved { content, mode: MODE, owner, group },
        };
        if before.as_ref() == Some(&after) {
            return Ok(());
        }
        for folder in root.missing_folders(&path) {
            if !self.folders.contains(&folder) {
                self.folders.push(folder);
            }
        }
        self.files.push(FileChange { path, before, after });
        Ok(())
    }
}

impl ProcessChange {
    fn of(process: Process, after: Limits) -> Self {
        let Process { pid, name, start, limits, .. } = process;
        Self { pid, name, start, before: limits, after }
    }
}

fn own_text(saved: Option<Saved>) -> String {
    saved.map(|saved| saved.content).unwrap_or_default()
}

/// Our file of `sysctl` with these values; other lines of it stay, for somebody may have added them.
fn sysctl_file(now: &str, new: &BTreeMap<String, String>) -> String {
    let is_replaced = |line: &str| sysctl_lines(line).any(|(_, key, _)| new.contains_key(&key));
    edited(now, MARK, is_replaced, new.iter().map(|(key, value)| format!("{key} = {value}\n")))
}

/// The same for what is below `/sys`.
fn tmpfiles_file(now: &str, new: &BTreeMap<String, String>) -> String {
    let is_replaced = |line: &str| tmpfiles_lines(line).any(|(_, path, _)| new.contains_key(&path));
    edited(now, MARK, is_replaced, new.iter().map(|(path, value)| format!("w {path} - - - - {value}\n")))
}

/// The module of conntrack: without it what is set at the start of its table would find no table.
fn modules_file(now: &str) -> String {
    edited(now, MARK, |line| line.trim() == CONNTRACK.1, [format!("{}\n", CONNTRACK.1)].into_iter())
}

/// A text without the lines that are replaced, and with these behind; a new one begins with `head`.
pub(super) fn edited(
    now: &str,
    head: &str,
    is_replaced: impl Fn(&str) -> bool,
    lines: impl Iterator<Item = String>,
) -> String {
    let kept = if now.is_empty() { head } else { now }.lines().filter(|line| !is_replaced(line));
    kept.map(|line| format!("{line}\n")).chain(lines).collect()
}
