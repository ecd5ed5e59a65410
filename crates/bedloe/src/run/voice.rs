//! What the processes say of themselves: to the main error log in nginx's layout, and to the terminal while there is
//! one.

use std::fs::File;
use std::io::Write;

use conf::tree::{ErrorLog, LogLevel, LogTarget};
use conf::{Loaded, Severity};

use super::logs;
use crate::findings;

/// The main error log and the standard error of this process.
#[derive(Debug)]
pub(super) struct Voice {
    file: Option<File>,
    /// The least grave level that the log takes.
    level: LogLevel,
    /// Whether somebody may read the standard error.
    pub(super) is_foreground: bool,
}

impl Voice {
    /// The voice of a process that has read no configuration yet.
    pub(super) fn new(is_foreground: bool) -> Self {
        // Under its own name nginx says nothing there once it has begun.
        Self { file: None, level: LogLevel::Error, is_foreground: is_foreground && !crate::is_nginx() }
    }

    /// Goes over to the error log of a configuration; also when it was moved away.
    pub(super) fn follow(&mut self, log: &ErrorLog) {
        self.level = log.level;
        self.file = match &log.to {
            LogTarget::Stderr => None,
            LogTarget::File(path) => logs::append(path).ok(),
        };
    }

    /// Says a thing about this process.
    pub(super) fn say(&self, level: LogLevel, what: &str) {
        if level <= self.level {
            let line = proxy::process_line(level, what);
            let written = self.file.as_ref().map(|mut file| file.write_all(&line));
            if !matches!(written, Some(Ok(()))) && !self.is_foreground {
                // There is no file, or it cannot be written; the standard error is what nginx has then.
                let _ = std::io::stderr().write_all(&line);
            }
        }
        if self.is_foreground && level <= LogLevel::Notice {
            match level {
                LogLevel::Notice => crate::say(format_args!("{what}")),
                _ => crate::say(format_args!("[{}] {what}", proxy::level_name(level))),
            }
        }
    }

    /// Tells why a configuration is refused: each error with its place, and what to write instead.
    pub(super) fn tell_errors(&self, loaded: &Loaded) {
        for found in loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error) {
            self.say(LogLevel::Emerg, &findings::line(found).1);
        }
    }

    /// The file that stands for the standard error of a process in the background.
    pub(super) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }
}
