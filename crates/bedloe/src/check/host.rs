//! What this machine lacks for a configuration that is right in itself: certificates and keys, folders for logs and the
//! pid file, users. `check` and `run` refuse the same things.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::span::Place;
use conf::tree::{Config, LogTarget};
use conf::{Diagnostic, Loaded, Loader, NeededFile};
use proxy::Snapshot;
use rustix::fs::{Access, access};

use super::{Checked, addresses, certificates, passwords, states, users};
use crate::{files, writing};

/// Everything that is amiss; with nothing of it, what is served is made. What that needs is read through the loader.
pub(super) fn findings(path: &Path, checked: &mut Checked, loader: &dyn Loader) -> Vec<Diagnostic> {
    let Checked { loaded, served, pipes } = checked;
    let mut found: Vec<Diagnostic> = loaded.needs.iter().filter_map(unreadable).collect();
    found.extend(loaded.writes.iter().filter_map(|file| unwritable(file, pipes)));
    let Some(config) = &loaded.config else { return found };
    found.extend(loaded.reads.iter().flat_map(passwords::findings));
    found.extend(addresses::findings(config));
    found.extend(states::findings(config));
    let nowhere = Place { file: Arc::new(path.to_path_buf()), ..Place::default() };
    found.extend(unwritable_defaults(config, loaded, &nowhere, pipes));
    found.extend(users::findings(config, &nowhere));
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
        match Snapshot::build(config, 1, &mut |path| loader.read(path)) {
            Ok(snapshot) => *served = Some(snapshot),
            Err(error) => found.push(Diagnostic::error("cannot-serve", &nowhere, error.to_string())),
        }
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
fn unwritable(file: &NeededFile, pipes: &mut Vec<File>) -> Option<Diagnostic> {
    let tried = match file.directive {
        "client_body_temp_path" => writable_folder(&file.path),
        "pid" => writing::try_pid_file(&file.path),
        _ => writing::try_append(&file.path).map(|pipe| pipes.extend(pipe)),
    };
    let error = tried.err()?;
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
fn unwritable_defaults(config: &Config, loaded: &Loaded, nowhere: &Place, pipes: &mut Vec<File>) -> Vec<Diagnostic> {
    let named: BTreeSet<&Path> = loaded.writes.iter().map(|file| file.path.as_path()).collect();
    let logs = logs(config).into_iter().map(|path| (path, "error_log"));
    let all = logs.chain([(config.main.pid.clone(), "pid")]).filter(|(path, _)| !named.contains(path.as_path()));
    let file = |(path, directive)| NeededFile { path, directive, place: nowhere.clone() };
    all.map(file).filter_map(|file| unwritable(&file, pipes)).collect()
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
        // What a link leads to is not made.
        Err(_) if path.is_symlink() => Err(io::ErrorKind::NotADirectory.into()),
        Err(_) => writing::try_make(path),
    }
}
