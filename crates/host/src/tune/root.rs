//! A folder as the root of all paths: the host's own, or a tree such as an image.
//!
//! The kernel resolves every path below it (`openat2`, RESOLVE_IN_ROOT), so that no link and no `..` in the tree leads
//! out of it, not even one that is laid there meanwhile. Only plain files are read or replaced: a device or a pipe in a
//! strange tree is not opened. It knows nothing of what the files mean.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid, chmodat, fchmod, fchown, fstat, fsync, mkdirat,
    openat, openat2, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The longest file that is read: the process's limits, lists of sockets and settings are far below.
const FILE_MAX: u64 = 16 << 20;
/// The most names of a folder that are looked at.
const NAMES_MAX: usize = 100_000;
/// How often a look-up is tried again while somebody moves folders about.
const TRIES: usize = 16;

/// A file as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) content: String,
    pub(super) mode: u32,
    pub(super) owner: u32,
    pub(super) group: u32,
}

/// The root of a host or tree.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    top: OwnedFd,
    is_host: bool,
}

impl Root {
    /// Opens the folder `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = rustix::fs::open(path, flags, Mode::empty())?;
        let (this, host) = (fstat(&top)?, rustix::fs::stat("/")?);
        let is_host = (this.st_dev, this.st_ino) == (host.st_dev, host.st_ino);
        let root = Self { path: path.to_path_buf(), top, is_host };
        // Where the kernel is older than 5.6, or a container keeps the call away, all would seem to be missing.
        root.find(".", OFlags::PATH)?;
        Ok(root)
    }

    /// Whether it is this host's own root, where the kernel's settings are those that hold.
    pub fn is_host(&self) -> bool {
        self.is_host
    }

    /// The folder's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn find(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.top, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                found => return Ok(found?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    fn open_plain(&self, path: &str) -> io::Result<OwnedFd> {
        // Opening a device may already do something: it is looked at first.
        plain(&fstat(self.find(path, OFlags::PATH)?)?)?;
        let file = self.find(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        plain(&fstat(&file)?)?;
        Ok(file)
    }

    /// A plain file's bytes, links within the root followed.
    pub(super) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        whole(self.open_plain(path)?)
    }

    /// The beginning of a plain file's text, as much as is read of any.
    pub(super) fn beginning(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        File::from(self.open_plain(path).ok()?).take(FILE_MAX).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A plain file's text, where there is one that can be read.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Names in a folder, sorted; none where there is no folder.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let Ok(folder) = self.find(path, OFlags::RDONLY | OFlags::DIRECTORY) else { return Vec::new() };
        let Ok(entries) = Dir::read_from(&folder) else { return Vec::new() };
        let names = entries.take(NAMES_MAX).filter_map(Result::ok);
        let names = names.filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        let mut names: Vec<String> = names.filter(|name| name != "." && name != "..").collect();
        names.sort();
        names
    }

    /// Whether something is there, links within the root followed.
    pub(super) fn has(&self, path: &str) -> bool {
        self.find(path, OFlags::PATH).is_ok()
    }

    /// What the system says to opening a file for writing; nothing is written.
    pub(super) fn try_write(&self, path: &str) -> io::Result<()> {
        self.find(path, OFlags::WRONLY | OFlags::NOCTTY).map(drop)
    }

    /// Writes into a file of the kernel, which takes a value in one write.
    pub(super) fn write_value(&self, path: &str, value: &str) -> io::Result<()> {
        let mut file = File::from(self.find(path, OFlags::WRONLY | OFlags::NOCTTY)?);
        let written = file.write(value.as_bytes())?;
        if written == value.len() { Ok(()) } else { Err(io::Error::other("only a part of the value was taken")) }
    }

    /// A file as it stands, itself and not what a link leads to; `None` where there is none.
    pub(super) fn saved(&self, path: &str) -> io::Result<Option<Saved>> {
        let (folder, name) = split(path);
        let folder = match self.folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            folder => folder?,
        };
        match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            stat => plain(&stat?)?,
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&folder, name, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        plain(&stat)?;
        let content = String::from_utf8(whole(file)?)
            .map_err(|_| io::Error::other("it is not text; move it away, for it has the name of a file of bedloe's"))?;
        Ok(Some(Saved { content, mode: stat.st_mode & 0o7777, owner: stat.st_uid, group: stat.st_gid }))
    }

    /// Makes or replaces a file, at once and lasting: whoever reads it meanwhile sees the old or the new one.
    pub(super) fn replace(&self, path: &str, saved: &Saved) -> io::Result<()> {
        let (folder, name) = split(path);
        let folder = self.folder(folder)?;
        let temporary = temporary(name);
        remove(&folder, &temporary)?;
        let written = fill(&folder, &temporary, saved).and_then(|()| Ok(renameat(&folder, &temporary, &folder, name)?));
        if written.is_err() {
            remove(&folder, &temporary)?;
        }
        written?;
        Ok(fsync(&folder)?)
    }

    /// Takes a file away, and what an interrupted [`Root::replace`] of it left.
    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        self.remove_rest(path)?;
        let (folder, name) = split(path);
        match self.folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            folder => remove(&folder?, name),
        }
    }

    /// Takes away what an interrupted [`Root::replace`] left.
    pub(super) fn remove_rest(&self, path: &str) -> io::Result<()> {
        let (folder, name) = split(path);
        match self.folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            folder => remove(&folder?, &temporary(name)),
        }
    }

    /// The folders that a file's path needs and that are not there, the outermost first.
    pub(super) fn missing_folders(&self, path: &str) -> Vec<String> {
        let ends = path.match_indices('/').map(|(at, _)| &path[..at]);
        ends.filter(|folder| self.folder(folder).is_err()).map(str::to_owned).collect()
    }

    /// Makes one folder.
    pub(super) fn make_folder(&self, path: &str, mode: u32) -> io::Result<()> {
        let (parent, name) = split(path);
        let parent = self.folder(parent)?;
        let mode = Mode::from_raw_mode(mode);
        mkdirat(&parent, name, mode)?;
        // The caller's umask may have taken rights away.
        Ok(chmodat(&parent, name, mode, AtFlags::empty())?)
    }

    /// Waits until the disk has what was made in the folder that `path` is in.
    pub(super) fn sync(&self, path: &str) -> io::Result<()> {
        Ok(fsync(self.folder(split(path).0)?)?)
    }

    /// Takes a folder away that is empty; one that is not, or is not there, is left alone.
    pub(super) fn remove_folder(&self, path: &str) -> io::Result<()> {
        let (parent, name) = split(path);
        let Ok(parent) = self.folder(parent) else { return Ok(()) };
        match unlinkat(&parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file for this user alone, made where there is none; no link is followed at its name.
    pub(super) fn open_private(&self, path: &str) -> io::Result<OwnedFd> {
        let (folder, name) = split(path);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(self.folder(folder)?, name, flags, Mode::RUSR | Mode::WUSR)?)
    }

    /// What a folder or file is, links at its name not followed.
    pub(super) fn stat(&self, path: &str) -> io::Result<Stat> {
        let (folder, name) = split(path);
        Ok(statat(self.folder(folder)?, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn folder(&self, path: &str) -> io::Result<OwnedFd> {
        self.find(if path.is_empty() { "." } else { path }, OFlags::RDONLY | OFlags::DIRECTORY)
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// No reader of a folder of settings takes a name that begins with a dot and does not end with `.conf`.
fn temporary(name: &str) -> String {
    format!(".{name}.bedloe-new")
}

fn plain(stat: &Stat) -> io::Result<()> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(io::Error::other("it is a symbolic link, and only plain files are changed")),
        FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("it is not a plain file")),
    }
}

fn whole(file: OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(file).take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("it is longer than {} MiB", FILE_MAX >> 20)));
    }
    Ok(bytes)
}

fn fill(folder: &OwnedFd, name: &str, saved: &Saved) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?;
    let is_other = |stat: &Stat| (stat.st_uid, stat.st_gid) != (saved.owner, saved.group);
    let mut file = File::from(file);
    file.write_all(saved.content.as_bytes())?;
    if is_other(&fstat(file.as_fd())?) {
        fchown(file.as_fd(), Some(Uid::from_raw(saved.owner)), Some(Gid::from_raw(saved.group)))?;
    }
    fchmod(file.as_fd(), Mode::from_raw_mode(saved.mode))?;
    file.sync_all()
}

fn remove(folder: &OwnedFd, name: &str) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
