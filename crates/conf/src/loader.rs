//! The door to the outside, and what goes through it: where files and addresses come from, which paths hold where the
//! configuration is silent, and what comes back.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Severity};
use crate::span::Place;
use crate::tree::Config;

/// Reads files and resolves names for a configuration. Nothing else in this crate reaches outside.
pub trait Loader {
    /// The bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files that match a pattern, sorted by name; none is no error.
    ///
    /// # Errors
    /// When the pattern is malformed or a folder cannot be read.
    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>>;

    /// The addresses of a host name.
    ///
    /// # Errors
    /// When it has none, or the resolver fails.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// What holds where the configuration is silent, and what the command line adds.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Relative paths are against this, but for those of `include`.
    pub prefix: PathBuf,
    /// Directives of the main context given on the command line (nginx's `-g`).
    pub globals: Option<String>,
    /// The error log given on the command line (nginx's `-e`); `stderr` is the standard error.
    pub error_log: Option<PathBuf>,
    /// The access log where no `access_log` is written.
    pub access_log_default: PathBuf,
    /// The error log where no `error_log` is written and the command line names none.
    pub error_log_default: PathBuf,
    /// The pid file where no `pid` is written.
    pub pid_default: PathBuf,
    /// The folder of temporary files where no `client_body_temp_path` is written.
    pub client_body_temp_default: PathBuf,
    /// The name of this machine, which `server_name $hostname` stands for.
    pub hostname: String,
    /// The hard limit of open files, if the process has no right to raise it.
    pub hard_nofile_limit: Option<u64>,
}

/// What became of a configuration.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The tree; `None` when there are errors.
    pub config: Option<Config>,
    /// Everything found, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The files with their text, in the order they were first read.
    pub files: Vec<(PathBuf, String)>,
    /// Files that the configuration names and this crate does not read: certificates and keys.
    pub needs: Vec<NeededFile>,
    /// Files that it names and that are written to: logs, the pid file, folders of temporary files. Defaults are not
    /// among them.
    pub writes: Vec<NeededFile>,
    /// Files that it names and that are read with each request that needs them: that one is missing is no error.
    pub reads: Vec<NeededFile>,
}

impl Loaded {
    /// Adds findings, such as what is wrong with the needed files. All are kept by file in the order read, line and
    /// column, and what is found again where a file is included twice is told once. An error takes the tree away.
    pub fn add(&mut self, found: impl IntoIterator<Item = Diagnostic>) {
        self.diagnostics.extend(found);
        let order: HashMap<&Path, usize> =
            self.files.iter().enumerate().map(|(index, (path, _))| (path.as_path(), index + 1)).collect();
        self.diagnostics.sort_by_key(|found| {
            let place = &found.place;
            (order.get(place.file.as_path()).copied().unwrap_or(0), place.line, place.column)
        });
        self.diagnostics.dedup();
        if self.has_errors() {
            self.config = None;
        }
    }

    /// Whether anything found is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// A file outside of the configuration that it does not work without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededFile {
    /// Its path, absolute.
    pub path: PathBuf,
    /// The directive that names it.
    pub directive: &'static str,
    /// Where it is named.
    pub place: Place,
}
