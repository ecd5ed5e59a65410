//! Folders of temporary files, made at the start where they are missing. The files themselves have no names: nothing is
//! left in there to be swept.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, bail};
use conf::tree::Config;

use super::user::Account;

/// As nginx's: what clients send is nobody else's business.
const MODE: u32 = 0o700;
/// The bit of folders in which all may make files.
const STICKY: u32 = 0o1000;

/// Makes the folders of `client_body_temp_path` that are not there, and gives them to who serves. As in nginx, the one
/// above each must be, and let that user through.
pub(super) fn make_folders(config: &Config, owner: Option<&Account>) -> anyhow::Result<()> {
    for folder in folders(config) {
        make(folder, owner).with_context(|| {
            format!("cannot make the folder {} (elsewhere: `client_body_temp_path PATH;`)", folder.display())
        })?;
    }
    Ok(())
}

fn folders(config: &Config) -> BTreeSet<&Path> {
    config.http.all_settings().into_iter().map(|settings| settings.client_body_temp_path.as_path()).collect()
}

fn make(folder: &Path, owner: Option<&Account>) -> anyhow::Result<()> {
    match DirBuilder::new().mode(MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        Err(_) if !folder.is_dir() => bail!("there is a file of that name"),
        _ => {}
    }
    let opened = File::open(folder)?;
    // A folder for everybody, such as `/tmp`, stays everybody's.
    let is_for_all = opened.metadata()?.mode() & STICKY != 0;
    match owner.filter(|_| !is_for_all) {
        Some(owner) => Ok(owner.own(&opened)?),
        None => Ok(()),
    }
}
