//! Files that are written while the program runs, logs and the pid file: opened as `run` does, and tried by `check`
//! without making any; and files that a command makes for its user, which are there whole or not at all.
//!
//! Nothing here waits: a pipe that nobody reads is an error, where nginx stands still until somebody does.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags, access, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Who may read a log that is made, as in nginx: its owner writes, all read.
const MODE: u32 = 0o644;
/// Links that lead to links, as the system counts them.
const LINKS_MAX: usize = 40;

/// Opens a log to append to; it is made where there is none.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    opened(path, OpenOptions::new().create(true).append(true).mode(MODE))
}

/// Whether a log could be opened. A pipe comes back open: closing it would end whoever reads it.
pub(crate) fn try_append(path: &Path) -> io::Result<Option<File>> {
    tried(path, OpenOptions::new().append(true))
}

/// Opens the pid file, for nothing but writing into it. As in nginx it is opened for reading too, so that a pipe takes
/// the number whether or not somebody reads it.
pub(crate) fn pid_file(path: &Path) -> io::Result<File> {
    opened(path, OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(MODE))
}

/// Whether the pid file could be opened.
pub(crate) fn try_pid_file(path: &Path) -> io::Result<()> {
    tried(path, OpenOptions::new().read(true).write(true)).map(drop)
}

/// Whether a file could be made where there is none, links followed.
pub(crate) fn try_make(path: &Path) -> io::Result<()> {
    let path = end_of_links(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !std::fs::metadata(folder)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Makes a file that is there whole or not at all. One that is there already is kept unless `replaces`, and a link is
/// never followed: what it leads to is somebody else's.
pub(crate) fn make(path: &Path, text: &str, replaces: bool) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => return Err(io::Error::other("it is there and is no file")),
        _ => {}
    }
    let name = path.file_name().ok_or_else(|| io::Error::other("it is no file's name"))?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // A second name is given only where there is none yet.
    let named = |()| if replaces { std::fs::rename(&beside, path) } else { std::fs::hard_link(&beside, path) };
    let written = written.and_then(named);
    let _ = std::fs::remove_file(&beside);
    written
}

fn tried(path: &Path, options: &mut OpenOptions) -> io::Result<Option<File>> {
    match opened(path, options) {
        Ok(file) => Ok(file.metadata()?.file_type().is_fifo().then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => try_make(path).map(|()| None),
        Err(error) => Err(error),
    }
}

/// Only opening must not wait: a log is written by a thread of its own, which may.
fn opened(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let no_wait = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options.custom_flags(no_wait.bits().cast_signed()).open(path).map_err(|error| told(path, error))?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn told(path: &Path, error: io::Error) -> io::Error {
    let is_pipe = || std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_fifo());
    match Errno::from_io_error(&error) {
        Some(Errno::NXIO) if is_pipe() => io::Error::other("it is a pipe that nobody reads"),
        _ => error,
    }
}

/// Where a file would be made: a link that leads to nothing is followed.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        let Ok(to) = std::fs::read_link(&path) else { return Ok(path) };
        path = path.parent().map_or_else(|| to.clone(), |folder| folder.join(&to));
    }
    Err(Errno::LOOP.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::io::Read;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn what_can_be_tried_can_be_opened_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("there"), "old\n").unwrap();
        symlink("none/log", at("dangling")).unwrap();
        symlink("made", at("onward")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let table = [
            ("there", true),
            ("new", true),
            ("onward", true),
            ("dangling", false),
            ("loop", false),
            ("socket", false),
            ("none/log", false),
            ("there/log", false),
            (".", false),
        ];
        for (name, expected) in table {
            let before = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(try_append(&at(name)).is_ok(), expected, "{name}");
            assert_eq!(try_pid_file(&at(name)).is_ok(), expected, "{name}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before, "{name}");
            assert_eq!(append(&at(name)).is_ok(), expected, "{name}");
        }
        assert!(at("made").exists());
        append(&at("there")).unwrap().write_all(b"new\n").unwrap();
        assert_eq!(std::fs::read_to_string(at("there")).unwrap(), "old\nnew\n");
        drop(socket);
    }

    #[test]
    fn pipes_are_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &path, FileType::Fifo, mode, 0).unwrap();
        assert!(try_append(&path).unwrap_err().to_string().contains("nobody reads"));
        assert!(append(&path).is_err());
        assert!(try_pid_file(&path).is_ok());
        let mut reader = opened(&path, OpenOptions::new().read(true)).unwrap();
        let held = try_append(&path).unwrap();
        append(&path).unwrap().write_all(b"line").unwrap();
        drop(held);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "line");
    }
    #[test]
    fn a_file_is_made_whole_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("there"), "old").unwrap();
        symlink("there", at("link")).unwrap();
        symlink("none", at("dangling")).unwrap();
        let table = [
            ("new", false, true),
            ("there", false, false),
            ("there", true, true),
            ("new", true, true),
            ("link", true, false),
            ("link", false, false),
            ("dangling", true, false),
            (".", true, false),
            ("none/new", true, false),
        ];
        for (name, replaces, expected) in table {
            assert_eq!(make(&at(name), name, replaces).is_ok(), expected, "{name} {replaces}");
        }
        let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
        assert_eq!((read("new").as_str(), read("there").as_str()), ("new", "there"));
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["dangling", "link", "new", "there"]);
    }
}
