//! What this machine lacks for a configuration that is right in itself: certificates and keys, folders for logs and the
//! pid file, users. `check` and `run` refuse the same things.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::span::Place;
use conf::tree::{Config, LogTarget};
use conf::{Diagnostic, Loaded, Loader, NeededFile};
use rustix::fs::{Access, access};

use super::{addresses, certificates, passwords, users};
use crate::files;

/// Everything that is amiss.
pub(super) fn findings(path: &Path, loaded: &Loaded) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = loaded.needs.iter().filter_map(unreadable).collect();
    found.extend(loaded.writes.iter().filter_map(unwritable));
    let Some(config) = &loaded.config else { return found };
    found.extend(loaded.reads.iter().flat_map(passwords::findings));
    found.extend(addresses::findings(config));
    let nowhere = Place { file: Arc::new(path.to_path_buf()), ..Place::default() };
    found.extend(unwritable_defaults(config, loaded, &nowhere));
    found.extend(users::findings(config));
    if found.iter().all(|finding| finding.code != UNREADABLE) {
        found.extend(certificates::findings(config, loaded));
    }
    if config.http.servers.is_empty() {
        let message = "the configuration has no server to listen for";
        let help = "write \"http { server { listen 80; ... } }\"";
        found.push(Diagnostic::error("no-server", &nowhere, message).help(help));
    }
    // What is left is what only the data plane itself can tell.
    if found.iter().all(|finding| finding.severity != conf::Severity::Error) {
        let snapshot = proxy::Snapshot::build(config, 1, &mut |path| files::System.read(path));
        found.extend(snapshot.err().map(|error| Diagnostic::error("cannot-serve", &nowhere, error.to_string())));
    }
    found
}

const UNREADABLE: &str = "file-unreadable";

/// A certificate or key that is not there, or may not be read.
fn unreadable(need: &NeededFile) -> Option<Diagnostic> {
    let error = files::System.read(&need.path).err()?;
    let message = format!("cannot read the file of \"{}\", {}: {error}", need.directive, need.path.display());
    Some(Diagnostic::error(UNREADABLE, &need.place, message))
}

/// A log, a pid file or a folder of temporary files whose own folder is missing, or that may not be written.
fn unwritable(file: &NeededFile) -> Option<Diagnostic> {
    let is_folder = file.directive == "client_body_temp_path";
    let error = if is_folder { writable_folder(&file.path) } else { writable(&file.path) }.err()?;
    let path = file.path.display();
    let (message, elsewhere) = match file.directive {
        "client_body_temp_path" => {
            (format!("cannot keep temporary files in {path}: {error}"), "`client_body_temp_path PATH;`")
        }
        "pid" => (format!("cannot write the pid file {path}: {error}"), "`pid PATH;`"),
        _ => (
            format!("cannot open the log {path}: {error}"),
            "`access_log PATH;`, `access_log off;`, `error_log stderr;`",
        ),
    };
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => format!("use it as the user that may; or elsewhere: {elsewhere}"),
        io::ErrorKind::NotFound => format!("make the folder; or elsewhere: {elsewhere}, or a prefix (-p)"),
        _ => format!("elsewhere: {elsewhere}"),
    };
    Some(Diagnostic::error("file-unwritable", &file.place, message).help(help))
}

/// The same for what holds where the configuration is silent.
fn unwritable_defaults(config: &Config, loaded: &Loaded, nowhere: &Place) -> Vec<Diagnostic> {
    let named: BTreeSet<&Path> = loaded.writes.iter().map(|file| file.path.as_path()).collect();
    let logs = logs(config).into_iter().map(|path| (path, "error_log"));
    let all = logs.chain([(config.main.pid.clone(), "pid")]).filter(|(path, _)| !named.contains(path.as_path()));
    all.filter_map(|(path, directive)| unwritable(&NeededFile { path, directive, place: nowhere.clone() })).collect()
}

fn logs(config: &Config) -> BTreeSet<PathBuf> {
    let mut logs = BTreeSet::new();
    let mut add = |log: &LogTarget| {
        logs.extend(log.path().map(Path::to_path_buf));
    };
    config.main.error_logs.iter().for_each(|log| add(&log.to));
    for settings in config.http.all_settings() {
        settings.error_logs.iter().for_each(|log| add(&log.to));
        settings.access_logs.iter().for_each(|number| add(&config.http.access_logs[*number].to));
    }
    logs
}

/// Whether files can be made in a folder, or the folder where there is none.
fn writable_folder(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(access(path, Access::WRITE_OK | Access::EXEC_OK)?),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(_) => writable(path),
    }
}

/// Whether a file can be written, or made where there is none. Nothing is made here.
pub(super) fn writable(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => Ok(access(path, Access::WRITE_OK)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !std::fs::metadata(folder)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
        }
        Err(error) => Err(error),
    }
}
