//! The pid file: written when it serves, moved aside for an upgrade, removed at the end.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::writing;

/// What nginx appends for the old program while a new one takes over.
const OLD: &str = ".oldbin";

/// A pid file of this process.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    pub(super) fn write(path: &Path) -> anyhow::Result<Self> {
        let number = format!("{}\n", std::process::id());
        writing::pid_file(path)
            .and_then(|mut file| file.write_all(number.as_bytes()))
            .with_context(|| format!("cannot write the pid file {} (another place: `pid PATH;`)", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// Writes it elsewhere, if that is elsewhere.
    pub(super) fn follow(&mut self, path: &Path) -> anyhow::Result<()> {
        if self.0 != path && self.0 != old(path) {
            *self = Self::write(path)?;
        }
        Ok(())
    }

    /// Makes room for the pid file of a new program.
    pub(super) fn set_aside(&mut self, path: &Path) -> anyhow::Result<()> {
        self.rename(old(path))
    }

    /// The new program is gone: takes its place back.
    pub(super) fn take_back(&mut self, path: &Path) -> anyhow::Result<()> {
        self.rename(path.to_owned())
    }

    fn rename(&mut self, to: PathBuf) -> anyhow::Result<()> {
        std::fs::rename(&self.0, &to)
            .with_context(|| format!("rename {} to {} failed", self.0.display(), to.display()))?;
        self.0 = to;
        Ok(())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // As root, `pid /dev/null;` must not take the device away.
        if std::fs::metadata(&self.0).is_ok_and(|meta| meta.is_file()) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(OLD);
    PathBuf::from(name)
}
