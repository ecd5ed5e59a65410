//! The files of a report: tried before anything is run, and then written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// A file that can be written. One that is never finished leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// A file beside the one that it takes the place of at the end.
    Beside {
        beside: PathBuf,
        file: File,
        place: PathBuf,
    },
    /// A pipe or a device, which nothing can take the place of.
    Direct(File),
    /// Somewhere in a folder that is not there yet.
    Later,
    Done,
}

impl Output {
    /// Makes sure that `path` can be written. What stands there stays until there is something to replace it.
    pub(crate) fn prepare(path: &Path) -> anyhow::Result<Self> {
        let way = way(path).with_context(|| format!("nothing was started: cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), way })
    }

    /// The same, but of a file in a folder that is made, or emptied, meanwhile: that one is tried when it is written.
    pub(crate) fn prepare_unless_in(folder: &Path, path: &Path) -> anyhow::Result<Self> {
        if std::path::absolute(path).is_ok_and(|path| path.starts_with(folder)) {
            return Ok(Self { path: path.to_owned(), way: Way::Later });
        }
        Self::prepare(path)
    }

    /// Writes all of it.
    pub(crate) fn finish(mut self, text: &str) -> anyhow::Result<()> {
        let late = if matches!(self.way, Way::Later) { way(&self.path).map(|way| self.way = way) } else { Ok(()) };
        let written = late.and_then(|()| self.write(text));
        if written.is_ok() {
            self.way = Way::Done;
        }
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        match &mut self.way {
            Way::Beside { beside, file, place } => {
                file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).and_then(|()| fs::rename(beside, place))
            }
            Way::Direct(file) => file.write_all(text.as_bytes()),
            Way::Later | Way::Done => Ok(()),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Way::Beside { beside, .. } = &self.way {
            let _ = fs::remove_file(beside);
        }
    }
}

/// Refuses one file for two things: one of them would be lost. Both may go to a device.
pub(crate) fn differ(one: &Path, other: &Path) -> anyhow::Result<()> {
    let real = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    let is_same = real(one).is_ok_and(|one| real(other).is_ok_and(|other| one == other));
    let is_device = fs::metadata(one).is_ok_and(|meta| !meta.is_file());
    ensure!(!is_same || is_device, "nothing was started: {} and {} are the same file", one.display(), other.display());
    Ok(())
}

fn way(path: &Path) -> io::Result<Way> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        // A link keeps leading where it leads.
        Ok(meta) if meta.is_file() => {
            File::options().append(true).open(path)?;
            return beside(&fs::canonicalize(path)?, Some(meta.permissions()));
        }
        Ok(_) => return Ok(Way::Direct(File::options().append(true).open(path)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match fs::read_link(path) {
        Ok(_) => Err(io::Error::other("it is a link that leads nowhere")),
        Err(_) => beside(path, None),
    }
}

/// A new file beside `path`, which whoever may not read what stands there now may not read either.
fn beside(path: &Path, permissions: Option<fs::Permissions>) -> io::Result<Way> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it has no name"))?;
    let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    // Not one that stands there, or that a link of somebody else's leads to.
    let file = File::create_new(&beside)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    Ok(Way::Beside { beside, file, place: path.to_owned() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        drop(Output::prepare(&path).unwrap());
        assert!(files(folder.path()).is_empty());
        Output::prepare(&path).unwrap().finish("one").unwrap();
        let second = Output::prepare(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        second.finish("two").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), files(folder.path()).len()), ("two", 1));
    }

    #[test]
    fn what_cannot_be_written_is_told_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none/report.html")] {
            let said = format!("{:#}", Output::prepare(&path).unwrap_err());
            assert!(said.starts_with("nothing was started: cannot write"), "{said}");
        }
        Output::prepare(Path::new("/dev/null")).unwrap().finish("text").unwrap();
    }

    #[test]
    fn who_may_read_a_file_stays_as_it_is() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Output::prepare(&path).unwrap().finish("new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_is_no_output_for_two_things() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("run.json"), folder.path().join("link"));
        let said = |one: &Path, other: &Path| format!("{:#}", differ(one, other).unwrap_err());
        assert!(said(&path, &folder.path().join("./run.json")).contains("the same file"));
        fs::write(&path, "{}").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(said(&link, &path).contains("the same file"));
        differ(&path, &folder.path().join("page.html")).unwrap();
        differ(Path::new("/dev/null"), Path::new("/dev/null")).unwrap();
    }

    #[test]
    fn a_link_that_leads_nowhere_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("none", &link).unwrap();
        assert!(format!("{:#}", Output::prepare(&link).unwrap_err()).contains("leads nowhere"));
        assert_eq!(files(folder.path()), ["link"]);
    }

    #[test]
    fn a_link_keeps_leading_where_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Output::prepare(&link).unwrap().finish("new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
