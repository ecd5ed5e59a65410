//! Configuration files from the disk and addresses from the resolver, for `conf`, which touches neither; and the paths
//! that hold where nothing else is said.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use conf::{Loader, Options};
use rustix::fs::{Access, access};
use rustix::process::geteuid;

/// What an installed nginx of Debian uses, where no prefix is given.
const DEBIAN_PREFIX: &str = "/usr/share/nginx";
const DEBIAN_FILE: &str = "/etc/nginx/nginx.conf";
const DEBIAN_ACCESS_LOG: &str = "/var/log/nginx/access.log";
const DEBIAN_ERROR_LOG: &str = "/var/log/nginx/error.log";
const DEBIAN_PID: &str = "/run/nginx.pid";
const DEBIAN_BODY_TEMP: &str = "/var/lib/nginx/body";

/// The largest configuration file that is read; a device or a log named by mistake must not fill the memory.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The folder for what can be had again, as the XDG base directories have it.
pub(crate) fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("bedloe"))
}

/// What the command line says of a configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// The main file.
    pub(crate) path: PathBuf,
    /// `-p`.
    pub(crate) prefix: Option<PathBuf>,
    /// `-g`.
    pub(crate) globals: Option<String>,
    /// `-e`.
    pub(crate) error_log: Option<PathBuf>,
}

impl Source {
    /// `named` is the main file as `-c` has it.
    pub(crate) fn new(named: Option<PathBuf>, prefix: Option<PathBuf>, globals: Option<String>) -> Self {
        Self { path: main_file(named, prefix.as_deref()), prefix, globals, error_log: None }
    }

    /// What holds where the configuration is silent.
    pub(crate) fn options(&self) -> Options {
        options(self.prefix.as_deref(), self.globals.as_deref(), self.error_log.as_deref())
    }
}

/// The disk and the resolver of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct System;

impl Loader for System {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let meta = std::fs::metadata(path)?;
        if !meta.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if meta.len() > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20)));
        }
        std::fs::read(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        // As for nginx's glob: `*` takes no leading dot, and a folder that may not be read has no files.
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let paths = glob::glob_with(&pattern.to_string_lossy(), options).map_err(io::Error::other)?;
        let mut paths: Vec<PathBuf> = paths.filter_map(Result::ok).collect();
        paths.sort();
        Ok(paths)
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// The main file. As in nginx, one that is named by a relative path is below the prefix, where a prefix is given.
fn main_file(named: Option<PathBuf>, prefix: Option<&Path>) -> PathBuf {
    match (named, prefix) {
        (Some(named), None) => named,
        (None, None) => PathBuf::from(DEBIAN_FILE),
        (named, Some(prefix)) => prefix.join(named.unwrap_or_else(|| PathBuf::from("conf/nginx.conf"))),
    }
}

/// What holds where the configuration is silent: Debian's paths, or those below the prefix.
fn options(prefix: Option<&Path>, globals: Option<&str>, error_log: Option<&Path>) -> Options {
    let path = |debian: &str, below: &str| prefix.map_or_else(|| PathBuf::from(debian), |prefix| prefix.join(below));
    Options {
        prefix: prefix.unwrap_or(Path::new(DEBIAN_PREFIX)).to_path_buf(),
        globals: globals.map(str::to_owned),
        error_log: error_log.map(Path::to_path_buf),
        access_log_default: path(DEBIAN_ACCESS_LOG, "logs/access.log"),
        error_log_default: path(DEBIAN_ERROR_LOG, "logs/error.log"),
        pid_default: path(DEBIAN_PID, "logs/nginx.pid"),
        client_body_temp_default: body_temp(prefix),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        // Root may raise its hard limit.
        hard_nofile_limit: if geteuid().is_root() { None } else { host::files::hard_limit() },
    }
}

/// A folder for temporary files: below the prefix, else Debian's if it may be used, else the system's.
fn body_temp(prefix: Option<&Path>) -> PathBuf {
    let debian = Path::new(DEBIAN_BODY_TEMP);
    match prefix {
        Some(prefix) => prefix.join("client_body_temp"),
        None if access(debian, Access::WRITE_OK | Access::EXEC_OK).is_ok() => debian.to_path_buf(),
        None => std::env::temp_dir(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_main_file_is_below_the_prefix() {
        let table = [
            (None, None, "/etc/nginx/nginx.conf"),
            (Some("a.conf"), None, "a.conf"),
            (None, Some("p"), "p/conf/nginx.conf"),
            (Some("a.conf"), Some("p"), "p/a.conf"),
            (Some("/etc/a.conf"), Some("p"), "/etc/a.conf"),
        ];
        for (named, prefix, expected) in table {
            assert_eq!(main_file(named.map(PathBuf::from), prefix.map(Path::new)), Path::new(expected));
        }
    }
}
