//! Small files of the kernel below one root, read whole into one buffer that stays. What cannot be read is not there:
//! it knows nothing of why.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, openat, statat};
use rustix::io::Errno;

/// The longest file that is read: `/proc/stat` of a thousand cores has some 200 KiB.
const FILE_MAX: usize = 4 << 20;
/// What is asked for at a time: the kernel gives a file of this size or less in one piece, as of one moment.
const PIECE: usize = 16 << 10;

/// The files below a root.
#[derive(Debug)]
pub(super) struct Files {
    root: OwnedFd,
    /// Whether `proc` is the kernel's, and no tree of plain files.
    is_kernel: bool,
    /// What stays open, by its path.
    open: BTreeMap<&'static str, OwnedFd>,
    buffer: Vec<u8>,
    /// The last file's text where its bytes were none.
    mended: String,
}

impl Files {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        let proc = openat(&root, "proc", flags, Mode::empty());
        let is_kernel = proc.and_then(fstatfs).is_ok_and(|proc| proc.f_type == PROC_SUPER_MAGIC);
        Ok(Self { root, is_kernel, open: BTreeMap::new(), buffer: Vec::new(), mended: String::new() })
    }

    /// A file's text. `None` where there is none or it may not be read. What is no text in it, such as a device's name
    /// of odd bytes, keeps nobody from reading the rest.
    pub(super) fn read(&mut self, path: &str) -> Option<&str> {
        let file = openat(&self.root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let length = fill(&mut self.buffer, &file)?;
        self.text(length)
    }

    /// The same of one of the kernel's files that every look reads: it stays open, for its way costs as much as a short
    /// one's text.
    pub(super) fn read_again(&mut self, path: &'static str) -> Option<&str> {
        if !self.is_kernel {
            return self.read(path);
        }
        if !self.open.contains_key(path) {
            let file = openat(&self.root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
            self.open.insert(path, file);
        }
        let length = fill(&mut self.buffer, self.open.get(path)?)?;
        self.text(length)
    }

    fn text(&mut self, length: usize) -> Option<&str> {
        let bytes = &self.buffer[..length];
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Some(text);
        }
        self.mended = String::from_utf8_lossy(bytes).into_owned();
        Some(&self.mended)
    }

    /// Whether there is nothing of this name, rather than something that cannot be looked at.
    pub(super) fn is_gone(&self, path: &str) -> bool {
        matches!(statat(&self.root, path, AtFlags::empty()), Err(Errno::NOENT | Errno::SRCH))
    }

    /// The numbers among the names in a folder, at most `most` of them.
    pub(super) fn numbers(&self, path: &str, most: usize) -> Option<Vec<u32>> {
        let folder = openat(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let names = Dir::new(folder.ok()?).ok()?;
        let number =
            |entry: rustix::io::Result<rustix::fs::DirEntry>| entry.ok()?.file_name().to_str().ok()?.parse().ok();
        Some(names.filter_map(number).take(most).collect())
    }

    /// How many files a process has open. Kernels since 6.2 tell it as the folder's size, to everybody; elsewhere the
    /// names are counted.
    pub(super) fn open_files(&self, folder: &str, most: usize) -> Option<u64> {
        let size = || u64::try_from(statat(&self.root, folder, AtFlags::empty()).ok()?.st_size).ok();
        let told = if self.is_kernel { size().filter(|size| *size > 0) } else { None };
        told.or_else(|| self.numbers(folder, most).map(|names| names.len() as u64))
    }
}

/// Reads a file from its beginning: how long it is.
fn fill(buffer: &mut Vec<u8>, file: &OwnedFd) -> Option<usize> {
    let mut length = 0;
    loop {
        if buffer.len() < length + PIECE {
            buffer.resize(length + PIECE, 0);
        }
        // A process that ends meanwhile makes its open files fail.
        match rustix::io::pread(file, &mut buffer[length..], length as u64).ok()? {
            0 => return Some(length),
            count => length += count,
        }
        if length > FILE_MAX {
            return None;
        }
    }
}
