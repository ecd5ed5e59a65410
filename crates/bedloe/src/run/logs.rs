//! The log files: opened by whoever may, written by the data plane, opened anew when they were moved away.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use anyhow::Context;
use conf::tree::{ErrorLog, LogTarget};

use super::syslog;
use super::user::Account;
use crate::writing;

/// What the writer of the logs takes.
type Writers = Vec<Box<dyn Write + Send>>;

/// Opens logs to append to.
pub(super) fn open(targets: &[LogTarget]) -> anyhow::Result<Vec<(PathBuf, File)>> {
    paths(targets).map(|path| Ok((path.to_owned(), append(path)?))).collect()
}

/// Opens logs anew. They are given to the worker's user, so that whoever rotates them may go by that. One that cannot
/// be opened is told, and written on as it is.
pub(super) fn reopen(
    targets: &[LogTarget],
    owner: Option<&Account>,
    mut tell: impl FnMut(String),
) -> Vec<(PathBuf, File)> {
    let mut files = Vec::new();
    for path in paths(targets) {
        let opened = append(path).and_then(|file| {
            // A terminal, a pipe or a device is somebody else's.
            let owner = owner.filter(|_| file.metadata().is_ok_and(|meta| meta.is_file()));
            owner.map(|owner| owner.own(&file)).transpose().with_context(|| format!("chown {}", path.display()))?;
            Ok(file)
        });
        match opened {
            Ok(file) => files.push((path.to_owned(), file)),
            Err(error) => tell(format!("{error:#}; the old file is written on")),
        }
    }
    files
}

fn paths(targets: &[LogTarget]) -> impl Iterator<Item = &Path> {
    targets.iter().filter_map(LogTarget::path)
}

pub(super) fn append(path: &Path) -> anyhow::Result<File> {
    writing::append(path).with_context(|| {
        format!(
            "cannot open the log {} (elsewhere: `access_log PATH;`, `access_log off;`, `error_log stderr;`, or -p)",
            path.display()
        )
    })
}

/// The log files of a running data plane.
#[derive(Debug, Default)]
pub(super) struct LogFiles(Vec<LogFile>);

/// A file that the writer and the one who opens it anew have in common. The writer takes the lock once a batch.
#[derive(Debug, Clone)]
struct LogFile {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

impl LogFiles {
    /// Takes files in: those of logs that are there already are written to from now on. Then gives what writes the
    /// targets that are new.
    pub(super) fn take(&mut self, files: Vec<(PathBuf, File)>, new: &[LogTarget]) -> anyhow::Result<Writers> {
        for (path, file) in files {
            match self.0.iter().find(|log| log.path == path) {
                Some(log) => *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file,
                None => self.0.push(LogFile { path, file: Arc::new(Mutex::new(file)) }),
            }
        }
        let writer = |target: &LogTarget| match target {
            LogTarget::Stderr => Ok(Box::new(io::stderr()) as Box<dyn Write + Send>),
            LogTarget::Syslog(to) => Ok(Box::new(syslog::Server::new(to.server.clone())) as Box<dyn Write + Send>),
            LogTarget::File(path) | LogTarget::Packed(path, _) => {
                let log = self.0.iter().find(|log| log.path == *path);
                let log = log.with_context(|| format!("the log {} was not opened", path.display()))?;
                let writer: Box<dyn Write + Send> = match target {
                    LogTarget::Packed(_, level) => Box::new(Packed { log: log.clone(), level: *level }),
                    _ => Box::new(log.clone()),
                };
                Ok(writer)
            }
        };
        new.iter().map(writer).collect()
    }

    /// Has a panic written to the first file among the main error logs, as a line of its own.
    pub(super) fn take_panics(&self, main: &[ErrorLog]) {
        let file = main.iter().find_map(|log| log.to.path());
        let log = file.and_then(|path| self.0.iter().find(|log| log.path == *path).cloned());
        std::panic::set_hook(Box::new(move |panic| {
            let line = format!("bedloe: [alert] a connection ended by a panic (please report it): {panic}\n");
            let written = log.as_ref().map(|log| match log.file.try_lock() {
                Ok(mut file) => file.write_all(line.as_bytes()),
                Err(TryLockError::Poisoned(file)) => file.into_inner().write_all(line.as_bytes()),
                // It may be this very thread that holds it.
                Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            });
            if !matches!(written, Some(Ok(()))) {
                let _ = io::stderr().write_all(line.as_bytes());
            }
        }));
    }
}

/// A log that is compressed: each batch is whole in itself (RFC 1952 2.2), so that the file can be read at any time.
struct Packed {
    log: LogFile,
    level: u8,
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(self.level.into()));
        packer.write_all(bytes)?;
        self.log.write_all(&packer.finish()?)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
