//! `state`: whether the worker can keep servers there. It writes the file as the user that serves.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use conf::Diagnostic;
use conf::tree::Config;
use nix::unistd::{Group, User};
use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::{DEFAULT_GROUPS, DEFAULT_USER};

/// A warning for each upstream whose changes cannot be kept: it serves all the same.
pub(super) fn findings(config: &Config) -> Vec<Diagnostic> {
    let kept = config.http.upstreams.iter().filter_map(|upstream| Some((upstream, upstream.zone.state.as_ref()?)));
    let wrong = kept.filter_map(|(upstream, path)| {
        let folder = path.parent().unwrap_or(path);
        let error = writable(folder, config).err()?;
        let (name, folder) = (&upstream.name, folder.display());
        let message =
            format!("servers of \"{name}\" cannot be changed by \"api\": its state file's folder {folder}: {error}");
        let help = format!("make the folder, and give it to the user that serves: chown {} {folder}", user(config));
        Some(Diagnostic::warning("state-unwritable", &upstream.place, message).help(help))
    });
    wrong.collect()
}

fn user(config: &Config) -> &str {
    config.main.user.as_ref().map_or(DEFAULT_USER, |(user, _)| &user.name)
}

/// Whether the worker can make files in a folder: this process's rights where it cannot change its user, else those
/// that the folder gives the user. What a list of rights of its own (ACL) gives beyond that is not seen.
fn writable(folder: &Path, config: &Config) -> io::Result<()> {
    let meta = std::fs::metadata(folder)?;
    if !meta.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if !geteuid().is_root() {
        return Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?);
    }
    let name = user(config);
    // One that is not there is told elsewhere.
    let Ok(Some(account)) = User::from_name(name) else { return Ok(()) };
    let groups = match &config.main.user {
        Some((user, group)) => vec![group.as_ref().unwrap_or(user).name.as_str()],
        None => DEFAULT_GROUPS.to_vec(),
    };
    let is_of_group =
        |name: &str| matches!(Group::from_name(name), Ok(Some(group)) if group.gid.as_raw() == meta.gid());
    let rights = match () {
        () if account.uid.is_root() || meta.uid() == account.uid.as_raw() => meta.mode() >> 6,
        () if groups.into_iter().any(is_of_group) => meta.mode() >> 3,
        () => meta.mode(),
    };
    if rights & 0o3 == 0o3 { Ok(()) } else { Err(io::Error::other(format!("{name} may not write there"))) }
}
