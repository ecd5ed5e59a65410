//! What holds for every configuration, whatever its bytes: loading it ends without a panic, gives a tree or errors, and
//! each finding points at something in a file. The fuzz target and a test use it too.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use conf::span::Place;
use conf::{Loaded, Loader, Options, load};

const MAIN: &str = "/etc/nginx/nginx.conf";

/// Loads this main file, with the other one in its `conf.d`; whether it is without errors.
pub(crate) fn check(main: &[u8], other: &[u8]) -> bool {
    let files = [(MAIN, main), ("/etc/nginx/conf.d/x.conf", other)];
    let files = files.into_iter().map(|(path, bytes)| (PathBuf::from(path), bytes.to_vec())).collect();
    let loaded = load(Path::new(MAIN), &Memory(files), &Options { prefix: "/p".into(), ..Options::default() });
    assert_eq!(loaded.config.is_none(), loaded.has_errors(), "{}", main.escape_ascii());
    for found in &loaded.diagnostics {
        assert!(!found.message.is_empty() && !found.code.is_empty());
        check_place(&loaded, &found.place, main);
    }
    for file in loaded.needs.iter().chain(&loaded.writes) {
        assert!(file.path.is_absolute(), "{}: {}", file.path.display(), main.escape_ascii());
        check_place(&loaded, &file.place, main);
    }
    !loaded.has_errors()
}

/// A place lies within one line of a file that was read. At a line's end it may point at the line end itself.
fn check_place(loaded: &Loaded, place: &Place, main: &[u8]) {
    let what = || format!("{place:?} in {}", main.escape_ascii());
    let text = loaded.files.iter().find(|(path, _)| path == &*place.file).map(|(_, text)| text);
    let line = place.line.checked_sub(1).and_then(|line| text?.split('\n').nth(line as usize));
    let (start, length) = (place.column.saturating_sub(1) as usize, place.length as usize);
    let line = line.unwrap_or_else(|| panic!("no such line: {}", what()));
    assert!(place.column > 0 && length > 0 && start + length <= line.len() + 1, "not in its line: {}", what());
    let cuts_a_letter = !line.is_char_boundary(start.min(line.len()));
    assert!(!cuts_a_letter, "within a letter: {}", what());
}

/// Files and hosts in memory.
struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Loader for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// One star, for any characters.
    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let pattern = pattern.to_string_lossy();
        let (start, end) = pattern.split_once('*').unwrap_or((&pattern, ""));
        let matches = |path: &&PathBuf| {
            let path = path.to_string_lossy();
            path.len() >= start.len() + end.len() && path.starts_with(start) && path.ends_with(end)
        };
        Ok(self.0.keys().filter(matches).cloned().collect())
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            "localhost" => Ok(vec![([127, 0, 0, 1], port).into()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
