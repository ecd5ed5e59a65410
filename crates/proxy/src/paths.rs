//! What a path of the file system leads to, for conditions of rules (`-f`, `-d`, `-e`, `-x`) and for variables.
//!
//! A look at a path is a system call that the kernel answers from memory, as nginx makes it, in the thread itself.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use conf::tree::PathTest;
use rustix::fs::{FileType, stat};

/// Whether a path leads to such a thing.
pub(crate) fn leads_to(path: &[u8], what: PathTest) -> bool {
    let Ok(found) = stat(Path::new(OsStr::from_bytes(path))) else { return false };
    match what {
        PathTest::File => FileType::from_raw_mode(found.st_mode) == FileType::RegularFile,
        PathTest::Folder => FileType::from_raw_mode(found.st_mode) == FileType::Directory,
        PathTest::Anything => true,
        // As in nginx, the bit of the owner.
        PathTest::Executable => found.st_mode & 0o100 != 0,
    }
}

/// Appends a path with all links followed; false where it leads nowhere.
pub(crate) fn append_real_path(path: &[u8], out: &mut Vec<u8>) -> bool {
    let real = std::fs::canonicalize(Path::new(OsStr::from_bytes(path)));
    if let Ok(real) = &real {
        out.extend_from_slice(real.as_os_str().as_bytes());
    }
    real.is_ok()
}
