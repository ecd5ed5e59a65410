//! A request's body kept until it was sent: in memory, beyond `client_body_buffer_size` in a temporary file. It can be
//! sent again to another server for as long as it is kept.
//!
//! The file has no name, so that nothing of it is left behind, however the process ends. It is written and read by the
//! thread that serves the connection, a piece of at most [`SPOOL_PIECE`] at a time and the other connections between
//! two pieces: that is a copy to or from the system's page cache, some 20 us, and handing it to a thread of its own
//! would cost about as much. A disk so busy that writes wait for it does hold up the thread, as it does nginx without
//! `aio_write`. A file system whose folder hangs (NFS) is a bad place for `client_body_temp_path` in either.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat, unlink};
use rustix::io::Errno;

use crate::limits::SPOOL_PIECE;

/// A body that is kept.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    /// All of it while there is no file; else what is not in the file yet.
    memory: Vec<u8>,
    file: Option<File>,
    /// Content in the file.
    in_file: u64,
    /// Whether a body is kept here (and not behind its head).
    pub(crate) is_used: bool,
    /// The trailers that go on, as lines.
    pub(crate) trailers: Vec<u8>,
}

/// Where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// `client_body_buffer_size`.
    pub(crate) memory_max: u64,
    /// `client_body_temp_path`.
    pub(crate) folder: &'a Path,
}

impl Spool {
    /// Forgets what was kept, and gives its memory back: a large body is rare.
    pub(crate) fn reset(&mut self) {
        if self.is_used {
            *self = Self::default();
        }
    }

    /// Content in all.
    pub(crate) fn length(&self) -> u64 {
        self.in_file + self.memory.len() as u64
    }

    /// All of the content, where there is no file.
    pub(crate) fn in_memory(&self) -> Option<&[u8]> {
        self.file.is_none().then_some(&self.memory)
    }

    /// Takes a piece of content.
    pub(crate) fn append(&mut self, bytes: &[u8], place: Place<'_>) -> io::Result<()> {
        let room = if self.file.is_some() { SPOOL_PIECE as u64 } else { place.memory_max };
        if (self.memory.len() + bytes.len()) as u64 > room {
            if self.file.is_none() {
                self.file = Some(temporary_file(place.folder)?);
            }
            self.write_out()?;
        }
        if self.file.is_some() && bytes.len() >= SPOOL_PIECE {
            return self.write(bytes);
        }
        self.memory.extend_from_slice(bytes);
        Ok(())
    }

    /// How much of the content from `at` on is handed out at a time; 0 at its end.
    pub(crate) fn piece_length(&self, at: u64) -> usize {
        let end = if at < self.in_file { self.in_file } else { self.length() };
        usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(SPOOL_PIECE)
    }

    /// Appends `n` bytes of the content from `at` on: at most what [`Spool::piece_length`] says.
    pub(crate) fn copy(&self, at: u64, n: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let start = out.len();
        match (at.checked_sub(self.in_file), &self.file) {
            (None, Some(file)) => {
                out.resize(start + n, 0);
                file.read_exact_at(&mut out[start..], at)
            }
            (from, _) => {
                let from = from.and_then(|from| usize::try_from(from).ok()).unwrap_or(usize::MAX);
                let rest = self.memory.get(from..).unwrap_or_default();
                out.extend_from_slice(&rest[..n.min(rest.len())]);
                Ok(())
            }
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let memory = std::mem::take(&mut self.memory);
        let written = self.write(&memory);
        self.memory = memory;
        self.memory.clear();
        written
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.write_all_at(bytes, self.in_file)?;
        self.in_file += bytes.len() as u64;
        Ok(())
    }
}

/// A file without a name, for this user only. Where the file system has none such, one whose name goes at once.
fn temporary_file(folder: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    match openat(CWD, folder, flags | OFlags::TMPFILE, mode) {
        Ok(file) => Ok(file.into()),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            let path = folder.join(format!("bedloe-{}-{}", std::process::id(), net::clock::now_ns()));
            let file = openat(CWD, &path, flags | OFlags::CREATE | OFlags::EXCL, mode)?;
            unlink(&path)?;
            Ok(file.into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    fn all(spool: &Spool) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let n = spool.piece_length(all.len() as u64);
            if n == 0 {
                assert_eq!(all.len() as u64, spool.length());
                return all;
            }
            spool.copy(all.len() as u64, n, &mut all).unwrap();
        }
    }

    #[test]
    fn content_comes_back_as_it_went_from_memory_and_from_a_file_without_a_name() {
        let folder = std::env::temp_dir().join(format!("bedloe-spool-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (memory_max, total, in_file) in [(0, 1, true), (16, 16, false), (16, 17, true), (1 << 20, 1 << 20, false)] {
            for step in [1, 7, 16, 100_000] {
                if total / step > 10_000 {
                    continue;
                }
                let mut spool = Spool::default();
                let content: Vec<u8> = (0..total).map(|n| (n % 251) as u8).collect();
                for bytes in content.chunks(step) {
                    spool.append(bytes, Place { memory_max, folder: &folder }).unwrap();
                }
                assert_eq!(spool.file.is_some(), in_file, "{memory_max} {total} {step}");
                assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "it has a name");
                assert!(all(&spool) == content && all(&spool) == content, "{memory_max} {total} {step}");
                spool.is_used = true;
                spool.reset();
                assert_eq!((spool.length(), spool.memory.capacity()), (0, 0));
            }
        }
        std::fs::remove_dir(&folder).unwrap();
    }

    #[test]
    fn a_large_body_is_not_in_memory() {
        let mut spool = Spool::default();
        let place = Place { memory_max: 1024, folder: &std::env::temp_dir() };
        for n in 0..100_u8 {
            spool.append(&[n; 10_000], place).unwrap();
        }
        assert!(spool.memory.capacity() <= 2 * SPOOL_PIECE, "{}", spool.memory.capacity());
        assert_eq!(spool.length(), 1_000_000);
        assert_eq!(all(&spool)[999_999], 99);
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error() {
        let place = Place { memory_max: 0, folder: Path::new("/nowhere/at/all") };
        assert_eq!(Spool::default().append(b"x", place).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
