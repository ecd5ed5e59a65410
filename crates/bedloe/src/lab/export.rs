//! The file for all numbers, tried before a load of minutes rather than after it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file that can be written.
pub(super) struct Export {
    path: PathBuf,
    /// Whether there was none: then nothing stays of it when there are no numbers.
    is_new: bool,
}

impl Export {
    /// Opens the file, without a change to what it holds.
    pub(super) fn prepare(path: impl AsRef<Path>) -> anyhow::Result<Self> {
        let path = path.as_ref().to_owned();
        let opened = match File::create_new(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                File::options().append(true).open(&path).map(|_| false)
            }
            Err(error) => Err(error),
        };
        let is_new = opened.with_context(|| format!("nothing was started: cannot write {}", path.display()))?;
        Ok(Self { path, is_new })
    }

    /// Leaves no empty file behind.
    pub(super) fn give_up(&self) {
        if self.is_new {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_tried_and_kept_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old");
        fs::write(&old, "numbers").unwrap();
        Export::prepare(&old).unwrap().give_up();
        assert_eq!(fs::read(&old).unwrap(), b"numbers");
        let new = folder.path().join("new");
        Export::prepare(&new).unwrap().give_up();
        assert!(!new.exists());
        let none = folder.path().join("none/new");
        let said = format!("{:#}", Export::prepare(&none).err().unwrap());
        assert!(said.starts_with(&format!("nothing was started: cannot write {}: No such file", none.display())));
    }
}
