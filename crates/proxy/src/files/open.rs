//! Opening files, and looking at what is there.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, stat, statat};
use rustix::io::Errno;

/// What a path led to.
pub(crate) enum Opened {
    File(File, Stat),
    Folder,
    /// A device, a pipe, a socket.
    Other,
}

/// Which links are followed (`disable_symlinks`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    /// Those to what has their owner are.
    pub(super) are_of_owner: bool,
    /// Those in so many first bytes of the path are.
    pub(super) from: usize,
}

/// How folders on the way are opened: nothing is read of them.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens what a path leads to for reading; without waiting for a pipe's other end.
pub(crate) fn open(path: &[u8]) -> Result<Opened, Errno> {
    open_by(path, None)
}

/// The same where not all links are followed, if any are not.
pub(super) fn open_by(path: &[u8], links: Option<Links>) -> Result<Opened, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match links {
        None => openat(CWD, OsStr::from_bytes(path), flags, Mode::empty())?,
        Some(links) => walk(path, links, flags)?,
    };
    let stat = fstat(&file)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Opened::File(file.into(), stat),
        FileType::Directory => Opened::Folder,
        _ => Opened::Other,
    })
}

/// What is there, without opening it.
pub(super) fn look(path: &[u8], links: Option<Links>) -> Result<Stat, Errno> {
    match links {
        None => stat(OsStr::from_bytes(path)),
        Some(links) => fstat(walk(path, links, OFlags::PATH | OFlags::CLOEXEC)?),
    }
}

/// Opens what a path leads to, one folder after the other.
fn walk(path: &[u8], links: Links, flags: OFlags) -> Result<OwnedFd, Errno> {
    let (from, rest) = path.split_at(links.from.min(path.len()));
    let start: &[u8] = match from {
        b"" if path.first() == Some(&b'/') => b"/",
        b"" => b".",
        from => from,
    };
    let mut at = openat(CWD, OsStr::from_bytes(start), FOLDER, Mode::empty())?;
    let mut names = rest.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        let flags = if is_last { flags } else { FOLDER };
        // As in nginx, a link on the way is no folder, and one at the end is one link too many.
        let refused = if is_last || links.are_of_owner { Errno::LOOP } else { Errno::NOTDIR };
        at = step(&at, OsStr::from_bytes(name), flags, links.are_of_owner)?.ok_or(refused)?;
    }
    Ok(at)
}

/// Opens what is in a folder; nothing where that is a link which is not followed. What is no link when it is looked at
/// is not followed when it has become one since.
fn step(folder: &OwnedFd, name: &OsStr, flags: OFlags, are_of_owner: bool) -> Result<Option<OwnedFd>, Errno> {
    let seen = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(seen.st_mode) != FileType::Symlink {
        return openat(folder, name, flags | OFlags::NOFOLLOW, Mode::empty()).map(Some);
    }
    if !are_of_owner {
        return Ok(None);
    }
    let opened = openat(folder, name, flags, Mode::empty())?;
    let is_of_owner = fstat(&opened)?.st_uid == seen.st_uid;
    Ok(is_of_owner.then_some(opened))
}

pub(super) fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_as_the_rule_says() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("in")).unwrap();
        std::fs::write(at("in/file"), "x").unwrap();
        symlink(at("in"), at("link")).unwrap();
        symlink("file", at("in/short")).unwrap();
        let from = folder.path().as_os_str().len();
        let table = [
            ("in/file", from, Ok(()), Ok(())),
            ("in/short", from, Err(Errno::LOOP), Ok(())),
            ("link/file", from, Err(Errno::NOTDIR), Ok(())),
            ("link/file", from + 5, Ok(()), Ok(())),
            ("in/../in/file", from, Ok(()), Ok(())),
            ("in/none", from, Err(Errno::NOENT), Err(Errno::NOENT)),
            ("in/file/more", from, Err(Errno::NOTDIR), Err(Errno::NOTDIR)),
            ("in//file", from, Ok(()), Ok(())),
            ("in/", from, Ok(()), Ok(())),
        ];
        for (name, from, refusing, of_owner) in table {
            let path = at(name);
            let path = path.as_os_str().as_bytes();
            for (are_of_owner, expected) in [(false, refusing), (true, of_owner)] {
                let links = Some(Links { are_of_owner, from });
                assert_eq!(open_by(path, links).map(drop), expected, "{name}");
                assert_eq!(look(path, links).map(drop), expected, "{name}");
            }
        }
    }
}
