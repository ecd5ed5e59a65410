//! Logs off the hot path: each thread gathers lines, one writer thread writes them.
//!
//! The files are opened by whoever starts the data plane; nothing here opens or names one.

mod access;
mod error;
mod syslog;

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

pub(crate) use access::{AccessTarget, Rendered, escape, write_access};
pub use error::level_name;
pub(crate) use error::{Failed, error_line, process_line, write_errors};
pub use syslog::END as SYSLOG_END;

use conf::tree::{LogLevel, LogTarget};

use crate::dates::Dates;
use crate::limits::{LOG_BATCH, LOG_BATCHES};

/// A line about the process, made for somebody outside of the data plane; a whole message for syslog.
pub fn line(to: &LogTarget, level: LogLevel, what: &str) -> Vec<u8> {
    let (mut line, mut dates) = (Vec::new(), Dates::default());
    if let LogTarget::Syslog(to) = to {
        syslog::begin(to, level as u8, dates.syslog(), &mut line);
    }
    process_line(dates.error(), level, what, &mut line);
    if matches!(to, LogTarget::Syslog(_)) {
        syslog::end(&mut line);
    }
    line
}

/// One thread's lines on their way to the writer.
#[derive(Debug)]
pub struct Logs {
    batches: Vec<Vec<u8>>,
    writer: SyncSender<Work>,
    /// Lines that found the writer's queue full.
    lost: u64,
}

/// What the writer does.
enum Work {
    Write(Batch),
    /// One more log is there.
    Add(File),
}

#[derive(Debug)]
struct Batch {
    log: usize,
    lines: Vec<u8>,
}

/// What a log is written to.
type File = Box<dyn Write + Send>;

/// The thread that writes.
#[derive(Debug)]
pub struct LogWriter {
    sender: SyncSender<Work>,
    thread: JoinHandle<()>,
}

impl LogWriter {
    /// Starts it; `files` are indexed as [`crate::Snapshot::log_targets`] is.
    pub fn start(files: Vec<File>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(LOG_BATCHES);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&receiver, files))?;
        Ok(Self { sender, thread })
    }

    /// Adds a log behind the others. Whoever writes to it must learn of it after this call.
    pub fn add(&self, file: File) {
        // A writer that panicked has said so.
        let _ = self.sender.send(Work::Add(file));
    }

    /// A thread's end of it.
    pub fn logs(&self) -> Logs {
        Logs { batches: Vec::new(), writer: self.sender.clone(), lost: 0 }
    }

    /// Writes what has been handed over and ends, once all [`Logs`] are gone.
    pub fn finish(self) {
        drop(self.sender);
        // A writer that panicked has said so; there is nothing left to do for it here.
        let _ = self.thread.join();
    }
}

impl Logs {
    /// A place to append a line to. Call [`Logs::written`] after it.
    pub(crate) fn lines(&mut self, log: usize) -> &mut Vec<u8> {
        if self.batches.len() <= log {
            self.batches.resize_with(log + 1, Vec::new);
        }
        &mut self.batches[log]
    }

    /// Hands a batch over when it is worth it.
    pub(crate) fn written(&mut self, log: usize) {
        if self.batches[log].len() >= LOG_BATCH {
            self.hand_over(log);
        }
    }

    /// Hands over everything.
    pub(crate) fn flush(&mut self) {
        for log in 0..self.batches.len() {
            self.hand_over(log);
        }
    }

    /// Lines lost since this was last asked.
    pub(crate) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn hand_over(&mut self, log: usize) {
        if self.batches[log].is_empty() {
            return;
        }
        let lines = std::mem::replace(&mut self.batches[log], Vec::with_capacity(LOG_BATCH + 512));
        if let Err(TrySendError::Full(Work::Write(batch)) | TrySendError::Disconnected(Work::Write(batch))) =
            self.writer.try_send(Work::Write(Batch { log, lines }))
        {
            self.lost += batch.lines.iter().filter(|byte| matches!(**byte, b'\n' | SYSLOG_END)).count() as u64;
        }
    }
}

fn write_all(queue: &Receiver<Work>, mut files: Vec<File>) {
    for work in queue {
        match work {
            Work::Add(file) => files.push(file),
            // A log that cannot be written (a full disk) must not stop the balancer; the next batch tries again.
            Work::Write(batch) => {
                let _ = files.get_mut(batch.log).map(|file| file.write_all(&batch.lines));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let path = std::env::temp_dir().join(format!("bedloe-log-test-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        let writer = LogWriter::start(vec![Box::new(file)]).unwrap();
        let mut logs = writer.logs();
        for n in 0..5_000 {
            writeln!(logs.lines(0), "line {n}").unwrap();
            logs.written(0);
        }
        logs.flush();
        let lost = logs.take_lost();
        drop(logs);
        writer.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count() as u64 + lost, 5_000);
        assert!(text.starts_with("line 0\nline 1\n"));
    }
}
