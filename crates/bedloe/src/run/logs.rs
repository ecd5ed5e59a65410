//! The log files: opened before it serves, and anew when USR1 asks for it after they were moved away.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use conf::tree::LogTarget;

/// What the writer of the logs takes.
type Writers = Vec<Box<dyn Write + Send>>;

/// The log files of a running balancer.
pub(super) struct LogFiles(Vec<LogFile>);

/// A file that the writer and the one who opens it anew have in common. The writer takes the lock once a batch.
#[derive(Clone)]
struct LogFile {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

/// Opens the logs.
pub(super) fn open(targets: &[LogTarget]) -> anyhow::Result<(Writers, LogFiles)> {
    let mut files = Vec::new();
    let mut writers: Writers = Vec::new();
    for target in targets {
        match target {
            LogTarget::Stderr => writers.push(Box::new(io::stderr())),
            LogTarget::File(path) => {
                let file = LogFile { path: path.clone(), file: Arc::new(Mutex::new(append(path)?)) };
                files.push(file.clone());
                writers.push(Box::new(file));
            }
        }
    }
    Ok((writers, LogFiles(files)))
}

impl LogFiles {
    /// Opens all files anew by their names. One that cannot be opened goes on as it is.
    pub(super) fn reopen(&self) {
        for log in &self.0 {
            match append(&log.path) {
                Ok(file) => *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file,
                Err(error) => crate::say(format_args!("[alert] {error:#}; the old file is written on")),
            }
        }
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

fn append(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| {
        format!(
            "cannot open the log {} (elsewhere: `access_log PATH;`, `access_log off;`, `error_log stderr;`, or -p)",
            path.display()
        )
    })
}

/// Has a panic written to the error log, as a line of its own.
pub(super) fn log_panics(main: Option<&LogTarget>) {
    let path = match main {
        Some(LogTarget::File(path)) => Some(path.clone()),
        _ => None,
    };
    std::panic::set_hook(Box::new(move |panic| {
        let line = format!("bedloe: [alert] a connection ended by a panic (please report it): {panic}\n");
        let written = path.as_deref().map(|path| append(path).map(|mut file| file.write_all(line.as_bytes())));
        if !matches!(written, Some(Ok(Ok(())))) {
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }));
}
