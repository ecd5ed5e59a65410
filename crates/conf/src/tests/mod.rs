//! Whole configurations: the seed, cases as files, arbitrary bytes.

#![allow(clippy::unwrap_used, reason = "a test may end on what it does not expect")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the tests read their cases, and one a clock")]

mod cases;
mod properties;
mod seed;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::{Loaded, Loader, Options, load};

/// The main file of all tests.
pub(crate) const MAIN: &str = "/etc/nginx/nginx.conf";

/// Files and hosts in memory.
pub(crate) struct Memory(pub(crate) BTreeMap<PathBuf, Vec<u8>>);

impl Loader for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let pattern = glob::Pattern::new(&pattern.to_string_lossy()).map_err(io::Error::other)?;
        Ok(self.0.keys().filter(|path| pattern.matches_path(path)).cloned().collect())
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            "localhost" => Ok(vec![([127, 0, 0, 1], port).into()]),
            "two.test" => Ok(vec![([127, 0, 0, 2], port).into(), ([127, 0, 0, 3], port).into()]),
            _ => Err(io::Error::other("unknown host")),
        }
    }
}

pub(crate) fn options() -> Options {
    Options {
        prefix: PathBuf::from("/usr/share/nginx"),
        access_log_default: PathBuf::from("/var/log/nginx/access.log"),
        error_log_default: PathBuf::from("/var/log/nginx/error.log"),
        pid_default: PathBuf::from("/run/nginx.pid"),
        client_body_temp_default: PathBuf::from("/var/lib/nginx/body"),
        hostname: "This.test".to_owned(),
        ..Options::default()
    }
}

/// Loads files that are in memory.
pub(crate) fn load_with(files: &[(&str, &str)]) -> Loaded {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect();
    load(Path::new(MAIN), &Memory(files), &options())
}

/// Loads one file.
pub(crate) fn load_text(text: &str) -> Loaded {
    load_with(&[(MAIN, text)])
}

#[test]
fn a_place_behind_bytes_that_are_no_text_is_where_it_is() {
    let text = b"events {}\nhttp { server { listen 80; return 301 \xc3\xc3https://$host$nothing; } }\n";
    let loaded = load(Path::new(MAIN), &Memory(BTreeMap::from([(PathBuf::from(MAIN), text.to_vec())])), &options());
    let found = loaded.diagnostics.iter().find(|found| found.code == "unknown-variable").unwrap();
    let column = text[10..].windows(8).position(|word| word == b"$nothing").unwrap() as u32 + 1;
    assert_eq!((found.place.line, found.place.column, found.place.length), (2, column, 8));
}
