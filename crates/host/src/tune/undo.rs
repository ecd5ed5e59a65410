//! Puts back what stood before, by the record: files byte for byte, values, limits of processes that still run.

use super::kernel::Machine;
use super::plan::MARK;
use super::record::{FileRecord, Progress, Record, Store, ValueRecord, records, remove_folders};
use super::root::Root;
use super::{Error, boot, logins, units};

/// What became of an undoing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// How many runs were undone.
    pub runs: usize,
    /// How many are left that could be.
    pub left: usize,
    /// Why systemd does not know of it yet.
    pub untold: Option<String>,
}

/// What would be undone, a line a change, and how many runs that is. Reads only.
pub fn undoable(root: &Root, is_all: bool) -> Result<Vec<String>, Error> {
    let runs = records(root)?;
    let runs = runs.iter().rev().take(if is_all { usize::MAX } else { 1 });
    Ok(runs.flat_map(|(_, record)| lines(root, record)).collect())
}

fn lines(root: &Root, record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    if record.progress == Progress::Begun {
        lines.push("# a run that was cut off; what it has not changed is left alone".to_owned());
    }
    if root.is_host() {
        let processes = record.processes.iter();
        lines.extend(processes.map(|one| {
            format!("prlimit --pid {} --nofile={}   # if it still runs", one.pid, one.before.written("unlimited"))
        }));
        lines.extend(
            record
                .values
                .iter()
                .rev()
                .map(|value| format!("echo '{}' > /{}   # {} was set", value.before, value.path, value.after)),
        );
    }
    lines.extend(record.files.iter().map(|file| match &file.before {
        Some(before) => format!("put back /{}, {} bytes, mode {:04o}", file.path, before.content.len(), before.mode),
        None => format!("remove /{}", file.path),
    }));
    lines.extend(record.folders.iter().rev().map(|folder| format!("remove the folder /{folder} if it is empty")));
    if record.reloads_systemd && root.is_host() {
        lines.push("systemctl daemon-reload".to_owned());
    }
    lines
}

/// Files with our names and our mark; without a record nobody knows what stood there before.
pub fn orphans(root: &Root) -> Vec<String> {
    let folder = "etc/systemd/system";
    let services = root.list(folder);
    let pieces = services.iter().filter_map(|name| name.strip_suffix(".service.d")).map(units::piece);
    let own = [boot::SYSCTL, boot::TMPFILES, boot::MODULES, logins::PATH].map(str::to_owned);
    let all = own.into_iter().chain(pieces);
    all.filter(|path| root.text(path).is_some_and(|text| text.starts_with(MARK))).collect()
}

/// Undoes the last run, or all of them, the newest first. With `is_forced` what was changed since is lost.
pub fn undo(root: &Root, machine: &mut dyn Machine, is_all: bool, is_forced: bool) -> Result<Undone, Error> {
    let Some(store) = Store::existing(root)? else { return Ok(Undone::default()) };
    let mut records = store.records()?;
    if records.is_empty() {
        // A run that was cut off before it had a record has changed nothing, and may have left the lock.
        store.clear()?;
    }
    let (mut runs, mut untold) = (0, None);
    while let Some((number, record)) = records.pop() {
        if !is_forced {
            let paths = changed_since(root, &record, machine)?;
            if !paths.is_empty() {
                return Err(Error::ChangedSince { paths, runs });
            }
        }
        let left = put_back(root, &record, machine, is_forced);
        untold = tell_systemd(root, &record, machine).or(untold);
        if !left.is_empty() {
            return Err(Error::NotPutBack(left));
        }
        store.remove(number)?;
        store.clear()?;
        runs += 1;
        if !is_all {
            break;
        }
    }
    Ok(Undone { runs, left: records.len(), untold })
}

/// What is neither as it was before the run nor as the run left it.
fn changed_since(root: &Root, record: &Record, machine: &dyn Machine) -> Result<Vec<String>, Error> {
    let mut changed = Vec::new();
    for file in &record.files {
        let now = root.saved(&file.path).map_err(Error::file("read", &file.path))?;
        if now != file.before && now.as_ref() != Some(&file.after) {
            changed.push(format!("/{}", file.path));
        }
    }
    let values = record.values.iter().filter(|_| root.is_host());
    changed.extend(values.filter_map(|value| {
        let now = machine.read(&value.path).ok()?;
        (now != value.before && now != value.after).then(|| format!("/{} ({now})", value.path))
    }));
    Ok(changed)
}

/// Puts a run's changes back as far as they were made; gives what could not be, with the reason.
pub(super) fn put_back(root: &Root, record: &Record, machine: &mut dyn Machine, is_forced: bool) -> Vec<String> {
    let mut left = Vec::new();
    if root.is_host() {
        left.extend(record.processes.iter().filter_map(|one| {
            // Processes that others have limited since, or that have ended, are left alone.
            (machine.limits(one.pid, one.start) == Some(one.after)).then_some(())?;
            let error = machine.set_limits(one.pid, one.before).err()?;
            Some(format!("open files of process {} ({error})", one.pid))
        }));
        left.extend(record.values.iter().rev().filter_map(|value| value_back(value, machine, is_forced)));
    }
    left.extend(record.files.iter().filter_map(|file| {
        let error = file_back(root, file).err()?;
        Some(format!("/{} ({error})", file.path))
    }));
    remove_folders(root, &record.folders);
    left
}

/// Has systemd read its units again. Where it does not, all is put back none the less, and the record is not kept for
/// it: else a systemd that never answers would keep every later run out.
pub(super) fn tell_systemd(root: &Root, record: &Record, machine: &mut dyn Machine) -> Option<String> {
    let is_due = record.reloads_systemd && root.is_host();
    let said = is_due.then(|| machine.reload_systemd().err()).flatten()?;
    Some(format!("systemd has not read its units again ({said}): run `systemctl daemon-reload` once it answers"))
}

fn value_back(value: &ValueRecord, machine: &mut dyn Machine, is_forced: bool) -> Option<String> {
    let now = machine.read(&value.path).ok();
    // A setting that is gone, with its module, needs nothing.
    let now = now?;
    if now == value.before || (now != value.after && !is_forced) {
        return None;
    }
    let written = machine.write(&value.path, &value.before);
    let taken = machine.read(&value.path).unwrap_or_default();
    match written {
        Err(error) => Some(format!("/{} ({error})", value.path)),
        Ok(()) if taken != value.before => Some(format!("/{} (it is {taken:?} now)", value.path)),
        Ok(()) => None,
    }
}

fn file_back(root: &Root, file: &FileRecord) -> std::io::Result<()> {
    root.remove_rest(&file.path)?;
    match &file.before {
        _ if root.saved(&file.path).is_ok_and(|now| now == file.before) => Ok(()),
        Some(before) => root.replace(&file.path, before),
        None => root.remove(&file.path),
    }
}
