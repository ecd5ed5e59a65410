//! The record of what was changed, by which it is put back. It is written before the first change, so that a run that
//! is cut off can be undone too; one run at a time is let in. A record that anybody but its owner could have written,
//! or that is not as it was written, is refused.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use rustix::fs::{FileType, FlockOperation, flock, fstat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::facts::{self, SETTINGS};
use super::limits::Limits;
use super::root::{Root, Saved};
use super::{Ask, Error, Plan, boot, logins, units};

/// The folder of records and of the lock.
pub(super) const FOLDER: &str = "var/lib/bedloe/tune";
const LOCK: &str = "var/lib/bedloe/tune/lock";
const VERSION: u32 = 1;
/// How often the lock is tried again when it was taken away by who ended meanwhile.
const TRIES: usize = 16;

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Progress {
    Begun,
    Done,
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: String,
    pub(super) before: Option<Saved>,
    pub(super) after: Saved,
}

/// A value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ValueRecord {
    pub(super) path: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// A process's limits before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessRecord {
    pub(super) pid: u32,
    pub(super) start: u64,
    pub(super) before: Limits,
    pub(super) after: Limits,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    pub(super) progress: Progress,
    role: super::Role,
    rate: u64,
    connections: u64,
    pub(super) folders: Vec<String>,
    pub(super) files: Vec<FileRecord>,
    pub(super) values: Vec<ValueRecord>,
    pub(super) processes: Vec<ProcessRecord>,
    pub(super) reloads_systemd: bool,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    sha256: String,
    record: Record,
}

impl Record {
    pub(super) fn of(plan: &Plan, ask: &Ask) -> Self {
        let files = plan.files.iter().cloned();
        let values = plan.values.iter().cloned();
        let processes = plan.processes.iter();
        Self {
            version: VERSION,
            progress: Progress::Begun,
            role: ask.role,
            rate: ask.rate,
            connections: ask.connections,
            folders: plan.folders.clone(),
            files: files.map(|file| FileRecord { path: file.path, before: file.before, after: file.after }).collect(),
            values: values
                .map(|value| ValueRecord { path: value.path, before: value.before, after: value.after })
                .collect(),
            processes: processes
                .map(|one| ProcessRecord { pid: one.pid, start: one.start, before: one.before, after: one.after })
                .collect(),
            reloads_systemd: plan.reloads_systemd,
        }
    }

    fn sealed(&self) -> Result<String, serde_json::Error> {
        let sealed = Sealed { sha256: self.digest()?, record: self.clone() };
        Ok(serde_json::to_string_pretty(&sealed)? + "\n")
    }

    fn digest(&self) -> Result<String, serde_json::Error> {
        let digest = Sha256::digest(serde_json::to_string(self)?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn opened(text: &str) -> Result<Self, String> {
        let sealed: Sealed = serde_json::from_str(text).map_err(|error| format!("cannot be understood ({error})"))?;
        let Sealed { sha256, record } = sealed;
        let is_whole = record.digest().is_ok_and(|digest| digest == sha256);
        if !is_whole {
            return Err("is not as it was written (its digest differs)".to_owned());
        }
        if record.version != VERSION {
            return Err(format!("is of version {}, and this program knows {VERSION}", record.version));
        }
        match record.stranger() {
            Some(path) => Err(format!("names {path:?}, which is never tuned")),
            None => Ok(record),
        }
    }

    /// A path that this program would not have changed.
    fn stranger(&self) -> Option<&str> {
        let is_file = |path: &str| {
            let service = path.strip_prefix("etc/systemd/system/").and_then(|rest| rest.split_once('/'));
            let service = service.and_then(|(folder, _)| folder.strip_suffix(".service.d"));
            [boot::SYSCTL, boot::TMPFILES, boot::MODULES, logins::PATH].contains(&path)
                || service.is_some_and(|name| !name.is_empty() && units::piece(name) == path)
        };
        let is_value = |path: &str| SETTINGS.iter().any(|name| facts::path(name) == path);
        let leads_to = |folder: &str, path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let is_folder = |folder: &str| self.files.iter().any(|file| leads_to(folder, &file.path));
        let mode =
            |file: &&FileRecord| file.after.mode > 0o777 || file.before.as_ref().is_some_and(|it| it.mode > 0o7777);
        let bad_mode = self.files.iter().find(mode).map(|file| file.path.as_str());
        let files = self.files.iter().map(|file| file.path.as_str()).find(|path| !is_file(path));
        let values = self.values.iter().map(|value| value.path.as_str()).find(|path| !is_value(path));
        let folders = self.folders.iter().map(String::as_str).find(|folder| !is_folder(folder));
        bad_mode.or(files).or(values).or(folders)
    }
}

/// The records of a host or tree, for one run at a time.
#[derive(Debug)]
pub(super) struct Store<'a> {
    root: &'a Root,
    _lock: File,
    /// Folders that were made for it, now or by a run before. The lock names them, for a run may be cut off before it
    /// has a record.
    made: Vec<String>,
}

impl<'a> Store<'a> {
    /// Makes the folder where there is none, and keeps others out.
    pub(super) fn make(root: &'a Root) -> Result<Self, Error> {
        let made = root.missing_folders(LOCK);
        for (at, folder) in made.iter().enumerate() {
            let mode = if folder == FOLDER { 0o700 } else { 0o755 };
            if let Err(error) = root.make_folder(folder, mode) {
                remove_folders(root, &made[..at]);
                return Err(Error::file("make the folder", folder)(error));
            }
        }
        let store = trust(root).and_then(|()| lock(root)).and_then(|lock| {
            // Noted at once, lasting then: a run that is cut off in between leaves as little as can be.
            let made = noted(&lock, made.clone()).map_err(Error::file("write", LOCK))?;
            made.iter().try_for_each(|folder| root.sync(folder).map_err(Error::file("write", folder)))?;
            Ok(Self { root, _lock: lock, made })
        });
        if store.is_err() {
            remove_folders(root, &made);
        }
        store
    }

    /// The same where there is a folder already.
    pub(super) fn existing(root: &'a Root) -> Result<Option<Self>, Error> {
        if root.stat(FOLDER).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        trust(root)?;
        let lock = lock(root)?;
        let made = noted(&lock, Vec::new()).map_err(Error::file("read", LOCK))?;
        Ok(Some(Self { root, _lock: lock, made }))
    }

    /// All records, the oldest first.
    pub(super) fn records(&self) -> Result<Vec<(u32, Record)>, Error> {
        records(self.root)
    }

    pub(super) fn save(&self, number: u32, record: &Record) -> Result<(), Error> {
        let path = path(number);
        let content = record.sealed().map_err(io::Error::other).map_err(Error::file("write", &path))?;
        let (owner, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        self.root.replace(&path, &Saved { content, mode: 0o600, owner, group }).map_err(Error::file("write", &path))
    }

    pub(super) fn remove(&self, number: u32) -> Result<(), Error> {
        let path = path(number);
        self.root.remove(&path).map_err(Error::file("remove", &path))
    }

    /// Takes the lock and the folders that were made away, where no record is left.
    pub(super) fn clear(&self) -> Result<(), Error> {
        if self.records()?.is_empty() {
            for number in self.rests() {
                let path = path(number);
                self.root.remove_rest(&path).map_err(Error::file("remove", &path))?;
            }
            self.root.remove(LOCK).map_err(Error::file("remove", LOCK))?;
            let _ = self.root.remove_folder(FOLDER);
            remove_folders(self.root, &self.made);
        }
        Ok(())
    }

    /// Numbers of records whose writing was cut off.
    fn rests(&self) -> Vec<u32> {
        let rest = |name: &String| name.strip_prefix('.')?.strip_suffix(".json.bedloe-new")?.parse().ok();
        self.root.list(FOLDER).iter().filter_map(rest).collect()
    }
}

/// All records, the oldest first, without keeping anybody out.
pub(super) fn records(root: &Root) -> Result<Vec<(u32, Record)>, Error> {
    let number = |name: &String| name.strip_suffix(".json")?.parse().ok();
    let names = root.list(FOLDER).into_iter();
    let numbers = names.filter_map(|name| number(&name).filter(|number| path(*number) == format!("{FOLDER}/{name}")));
    let mut all: Vec<(u32, Record)> = Vec::new();
    for number in numbers {
        all.push((number, read(root, number)?));
    }
    all.sort_by_key(|(number, _)| *number);
    Ok(all)
}

/// What is to be said of the records before anything else: that one is of a run that has not ended, or is not readable.
pub fn unfinished(root: &Root) -> Option<String> {
    match records(root) {
        Err(error) => Some(error.to_string()),
        Ok(records) => records.iter().find(|(_, record)| record.progress == Progress::Begun).map(|(number, _)| {
            let path = path(*number);
            format!(
                "a run was cut off, unless it is still at work (/{path}): `bedloe tune undo` puts back what it changed"
            )
        }),
    }
}

/// Where a record stands.
pub(super) fn path(number: u32) -> String {
    format!("{FOLDER}/{number:04}.json")
}

fn read(root: &Root, number: u32) -> Result<Record, Error> {
    let path = path(number);
    let saved = root.saved(&path).map_err(Error::file("read", &path))?;
    let record = |why: &str| Error::Record { path: path.clone(), why: why.to_owned() };
    let saved = saved.ok_or_else(|| record("was taken away meanwhile"))?;
    if saved.owner != rustix::process::geteuid().as_raw() || saved.mode & 0o077 != 0 {
        return Err(record("is open to others than its owner, or belongs to another user"));
    }
    Record::opened(&saved.content).map_err(|why| record(&why))
}

/// The folder must be this user's own.
fn trust(root: &Root) -> Result<(), Error> {
    let stat = root.stat(FOLDER).map_err(Error::file("look at", FOLDER))?;
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let is_own = stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o022 == 0;
    if is_folder && is_own {
        return Ok(());
    }
    let why = if is_folder { "belongs to another user, or others may write there" } else { "is not a folder" };
    Err(Error::Record { path: FOLDER.to_owned(), why: why.to_owned() })
}

/// The folders that the lock names, and these, which it names from now on. Only those that lead to it are believed.
fn noted(lock: &File, made: Vec<String>) -> io::Result<Vec<String>> {
    /// More than the names of its folders take.
    const LOCK_MAX: u64 = 1024;
    let mut text = String::new();
    lock.take(LOCK_MAX).read_to_string(&mut text)?;
    let is_own = |folder: &&str| LOCK.strip_prefix(*folder).is_some_and(|rest| rest.starts_with('/'));
    let mut all: Vec<String> = text.lines().filter(is_own).map(str::to_owned).collect();
    if !made.is_empty() {
        all.extend(made.into_iter().filter(|folder| !text.lines().any(|line| line == folder)));
        all.sort();
        lock.write_all_at((all.join("\n") + "\n").as_bytes(), 0)?;
    }
    Ok(all)
}

fn lock(root: &Root) -> Result<File, Error> {
    for _ in 0..TRIES {
        let file = root.open_private(LOCK).map_err(Error::file("open", LOCK))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Error::Busy { path: LOCK.to_owned() }),
            Err(error) => return Err(Error::file("lock", LOCK)(error.into())),
        }
        // Who held it before may have taken it away when it ended.
        let held = fstat(&file).map_err(|error| Error::file("look at", LOCK)(error.into()))?;
        if root.stat(LOCK).is_ok_and(|there| (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)) {
            return Ok(File::from(file));
        }
    }
    Err(Error::Busy { path: LOCK.to_owned() })
}

/// The innermost first; those with something in them stay.
pub(super) fn remove_folders(root: &Root, folders: &[String]) {
    for folder in folders.iter().rev() {
        let _ = root.remove_folder(folder);
    }
}
