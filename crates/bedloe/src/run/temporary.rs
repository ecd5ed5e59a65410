//! Folders of temporary files, made at the start where they are missing. The files themselves have no names: nothing is
//! left in there to be swept.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, bail};
use conf::tree::Config;

/// As nginx's: what clients send is nobody else's business.
const MODE: u32 = 0o700;

/// Makes the folders of `client_body_temp_path` that are not there. As in nginx, the one above each must be.
pub(super) fn make_folders(config: &Config) -> anyhow::Result<()> {
    for folder in folders(config) {
        make(folder).with_context(|| {
            format!("cannot make the folder {} (elsewhere: `client_body_temp_path PATH;`)", folder.display())
        })?;
    }
    Ok(())
}

fn folders(config: &Config) -> BTreeSet<&Path> {
    let servers = config.http.servers.iter();
    let settings = servers.flat_map(|s| s.locations.iter().map(|l| &l.settings).chain([&s.settings]));
    settings.map(|settings| settings.client_body_temp_path.as_path()).collect()
}

fn make(folder: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().mode(MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        Err(_) if !folder.is_dir() => bail!("there is a file of that name"),
        _ => Ok(()),
    }
}
