//! Logs: where lines go, what they are made of, which requests have one.

use std::path::{Path, PathBuf};

use super::PeerAddress;
use crate::template::Template;

/// Where errors go, and from which level up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLog {
    /// Where to.
    pub to: LogTarget,
    /// The least grave level that is written.
    pub level: LogLevel,
}

/// The place a log is written to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// A file, appended to.
    File(PathBuf),
    /// A file that compressed lines are appended to: an access log with `gzip=LEVEL`.
    Packed(PathBuf, u8),
    /// Standard error.
    Stderr,
    /// `syslog:`, a message a line.
    Syslog(Syslog),
}

impl LogTarget {
    /// The file, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Packed(path, _) => Some(path),
            Self::Stderr | Self::Syslog(_) => None,
        }
    }
}

/// `syslog:server=...`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Syslog {
    /// Where messages are sent: over UDP, or to a unix socket.
    pub server: PeerAddress,
    /// The number of `facility`.
    pub facility: u8,
    /// The number of `severity`, for an access log; the lines of an error log have that of their level.
    pub severity: u8,
    /// `tag`.
    pub tag: String,
    /// Whether messages name this machine; not with `nohostname`.
    pub has_hostname: bool,
}

/// nginx's levels, the gravest first; as numbers they are the severities of syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the documentation: they are nginx's")]
pub enum LogLevel {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
}

/// `log_format NAME TEXT`.
#[derive(Debug, Clone)]
pub struct LogFormat {
    /// Its name.
    pub name: String,
    /// `escape`.
    pub escape: LogEscape,
    /// The line, without its end.
    pub text: Template,
}

/// What becomes of the values of variables in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEscape {
    /// Quotes, backslashes and what does not print is `\xXX`; a value that is not there is `-`.
    Default,
    /// As JSON has it in its texts.
    Json,
    /// Nothing is changed.
    None,
}

/// `access_log`.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// Where to.
    pub to: LogTarget,
    /// Index of the format; `None` is `combined`.
    pub format: Option<usize>,
    /// `if`: requests for which this is empty or `0` have no line.
    pub condition: Option<Template>,
}
