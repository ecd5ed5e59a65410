//! What the processes say of themselves: to the main error log in nginx's layout, and to the terminal while there is
//! one.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;

use conf::tree::{ErrorLog, LogLevel, LogTarget};
use conf::{Loaded, Severity};

use super::{logs, syslog};
use crate::findings;

/// The main error logs and the standard error of this process.
#[derive(Debug)]
pub(super) struct Voice {
    logs: Vec<Log>,
    /// Whether somebody may read the standard error.
    pub(super) is_foreground: bool,
}

#[derive(Debug)]
struct Log {
    is: ErrorLog,
    /// The file, or syslog's socket; none is the standard error.
    writer: Writer,
}

#[derive(Debug)]
enum Writer {
    File(File),
    Syslog(RefCell<syslog::Server>),
    /// There is no other, or it cannot be written.
    Stderr,
}

impl Voice {
    /// The voice of a process that has read no configuration yet.
    pub(super) fn new(is_foreground: bool) -> Self {
        let is = ErrorLog { to: LogTarget::Stderr, level: LogLevel::Error };
        // Under its own name nginx says nothing there once it has begun.
        let is_foreground = is_foreground && !crate::is_nginx();
        Self { logs: vec![Log { is, writer: Writer::Stderr }], is_foreground }
    }

    /// Goes over to the error logs of a configuration; also when they were moved away.
    pub(super) fn follow(&mut self, logs: &[ErrorLog]) {
        let writer = |log: &ErrorLog| match &log.to {
            LogTarget::Stderr => Writer::Stderr,
            LogTarget::Syslog(to) => Writer::Syslog(RefCell::new(syslog::Server::new(to.server.clone()))),
            LogTarget::File(path) | LogTarget::Packed(path, _) => {
                logs::append(path).map_or(Writer::Stderr, Writer::File)
            }
        };
        self.logs = logs.iter().map(|log| Log { is: log.clone(), writer: writer(log) }).collect();
    }

    /// Says a thing about this process.
    pub(super) fn say(&self, level: LogLevel, what: &str) {
        for Log { is, writer } in self.logs.iter().filter(|log| level <= log.is.level) {
            let line = proxy::process_line(&is.to, level, what);
            let written = match writer {
                Writer::File(file) => (&*file).write_all(&line),
                Writer::Syslog(server) => server.borrow_mut().write_all(&line),
                Writer::Stderr => Err(std::io::ErrorKind::NotFound.into()),
            };
            if written.is_err() && !self.is_foreground {
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
        self.logs.iter().find_map(|log| match &log.writer {
            Writer::File(file) => Some(file),
            Writer::Syslog(_) | Writer::Stderr => None,
        })
    }
}
