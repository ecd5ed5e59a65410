//! A script's code as all users share it: modules compiled once, files read once.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::log::Sink;
use super::raw::Bytecode;

/// A module larger than this is none.
const LARGEST_MODULE: u64 = 64 << 20;

/// What all users of a script share.
pub(crate) struct Program {
    /// The name of the entry module: the script's address, `file:///...`.
    pub(super) entry: String,
    /// The environment: `__ENV`.
    pub(super) env: Vec<(String, String)>,
    pub(crate) sink: Sink,
    /// Locked in init code only.
    modules: Mutex<HashMap<String, Arc<Module>>>,
}

/// One compiled module.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) source: String,
    pub(super) bytecode: Bytecode,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl Program {
    pub(super) fn new(script: &Path, env: Vec<(String, String)>, sink: Sink) -> Self {
        Self { entry: address(script), env, sink, modules: Mutex::default() }
    }

    /// A module that was compiled before.
    pub(super) fn module(&self, name: &str) -> Option<Arc<Module>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Keeps a compiled module.
    pub(super) fn keep(&self, name: &str, module: Module) {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::new(module));
    }

    /// A line of a module's source, from 1.
    pub(super) fn line(&self, name: &str, number: usize) -> Option<String> {
        let module = self.module(name)?;
        module.source.lines().nth(number.checked_sub(1)?).map(str::to_owned)
    }
}

/// The address of a file, by which it goes as a module.
pub(super) fn address(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// The file of a module's address.
pub(super) fn path(address: &str) -> Option<PathBuf> {
    address.strip_prefix("file://").map(PathBuf::from)
}

/// Reads a module's source.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST_MODULE {
        return Err(format!("{} has {size} bytes: that is no script", path.display()));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| format!("{} is no text in UTF-8", path.display()))
}

/// Another module's path, as one in `base` names it; `.` and `..` are taken out.
pub(super) fn joined(base: &Path, name: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in base.join(name).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined() {
        for (name, expected) in
            [("./b.js", "/a/b.js"), ("../b.js", "/b.js"), ("/c.js", "/c.js"), ("x/./y.js", "/a/x/y.js")]
        {
            assert_eq!(joined(Path::new("/a"), name), Path::new(expected), "{name}");
        }
    }
}
