//! Opening files, and looking at what is there.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, stat};
use rustix::io::Errno;

/// What a path led to.
pub(crate) enum Opened {
    File(File, Stat),
    Folder,
    /// A device, a pipe, a socket.
    Other,
}

/// Opens what a path leads to for reading; without waiting for a pipe's other end.
pub(crate) fn open(path: &[u8]) -> Result<Opened, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = openat(CWD, OsStr::from_bytes(path), flags, Mode::empty())?;
    let stat = fstat(&file)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Opened::File(file.into(), stat),
        FileType::Directory => Opened::Folder,
        _ => Opened::Other,
    })
}

/// What is there, without opening it.
pub(super) fn look(path: &[u8]) -> Result<Stat, Errno> {
    stat(OsStr::from_bytes(path))
}

pub(super) fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}
