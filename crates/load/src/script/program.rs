//! A script's code as all users share it: modules compiled once, files read once.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use net::clock::now_ns;

use super::log::{Level, Log, Sink};
use super::raw::Bytecode;
use super::source::{Form, Imports, Places};
use crate::run::StopHandle;
use crate::schedule::Segment;

/// How the place of a stack begins that is one of the text already: no function has this name.
pub(super) const IN_TEXT: &str = "import (";
/// A module larger than this is none.
const LARGEST_MODULE: u64 = 64 << 20;

/// What all users of a script share.
pub(crate) struct Program {
    /// The name of the entry module: the script's address, `file:///...`.
    pub(super) entry: String,
    /// The environment: `__ENV`.
    pub(super) env: Vec<(String, String)>,
    pub(crate) sink: Sink,
    /// The folder where modules of other hosts are kept.
    pub(super) copies: Option<PathBuf>,
    /// Locked in init code only, as the next three.
    modules: Mutex<HashMap<String, Arc<Module>>>,
    /// What they ask for, known before they are compiled.
    imports: Mutex<HashMap<String, Imports>>,
    files: Mutex<HashMap<PathBuf, Arc<[u8]>>>,
    shared: Mutex<HashMap<String, Arc<[Box<str>]>>>,
    /// The test's options, as JSON.
    options: Mutex<String>,
    /// Which part of the test is done here.
    segment: OnceLock<Segment>,
    /// How the test stands, once it does.
    watch: OnceLock<Watch>,
    /// When the test began; 0 before.
    pub(crate) start_ns: AtomicU64,
    wishes: Mutex<Wishes>,
    /// Whether init code writes to the console.
    init_speaks: AtomicBool,
}

/// How a test stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) iterations: u64,
    pub(crate) interrupted: u64,
    pub(crate) active: u64,
    pub(crate) users: u64,
}

/// Tells how a test stands.
type Watch = Arc<dyn Fn() -> Counts + Send + Sync>;

/// What a script wants of the test as a whole.
#[derive(Debug, Default)]
struct Wishes {
    stop: Option<StopHandle>,
    is_aborted: bool,
    is_failed: bool,
}

/// One compiled module.
#[derive(Debug)]
pub(super) struct Module {
    /// As it was written.
    pub(super) source: String,
    pub(super) bytecode: Bytecode,
    pub(super) form: Form,
    pub(super) places: Places,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl Program {
    pub(super) fn new(script: &Path, env: Vec<(String, String)>, copies: Option<PathBuf>, sink: Sink) -> Self {
        Self {
            entry: address(script),
            env,
            sink,
            copies,
            modules: Mutex::default(),
            imports: Mutex::default(),
            files: Mutex::default(),
            shared: Mutex::default(),
            options: Mutex::new("{}".to_owned()),
            segment: OnceLock::new(),
            watch: OnceLock::new(),
            start_ns: AtomicU64::new(0),
            wishes: Mutex::default(),
            init_speaks: AtomicBool::new(false),
        }
    }

    /// A file that `open` asks for; read once.
    pub(super) fn file(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        let mut files = locked(&self.files);
        if let Some(known) = files.get(path) {
            return Ok(Arc::clone(known));
        }
        let bytes = std::fs::read(path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        let bytes: Arc<[u8]> = Arc::from(bytes);
        files.insert(path.to_owned(), Arc::clone(&bytes));
        Ok(bytes)
    }

    /// The elements of a shared array.
    pub(super) fn shared(&self, name: &str) -> Option<Arc<[Box<str>]>> {
        locked(&self.shared).get(name).cloned()
    }

    /// Shares the elements of an array; those of the first user are everybody's.
    pub(super) fn share(&self, name: &str, elements: Vec<Box<str>>) -> Arc<[Box<str>]> {
        Arc::clone(locked(&self.shared).entry(name.to_owned()).or_insert_with(|| Arc::from(elements)))
    }

    /// The test's options, as JSON.
    pub(super) fn options(&self) -> String {
        locked(&self.options).clone()
    }

    /// Says what the test's options are.
    pub(crate) fn set_options(&self, json: String) {
        *locked(&self.options) = json;
    }

    /// Says which part of the test is done here.
    pub(super) fn set_segment(&self, segment: &Segment) {
        let _ = self.segment.set(segment.clone());
    }

    /// The number in the whole test of what has this number here, both from 0.
    pub(super) fn number_in_test(&self, number: u64) -> u64 {
        self.segment.get().map_or(number, |segment| segment.nth(number))
    }

    /// Says who knows how the test stands.
    pub(crate) fn let_watch(&self, watch: Watch) {
        let _ = self.watch.set(watch);
    }

    /// How the test stands.
    pub(super) fn watch(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.watch.get().map_or(0, |watch| of(&watch()))
    }

    /// How long the test has run.
    pub(super) fn elapsed_ns(&self) -> u64 {
        match self.start_ns.load(Ordering::Relaxed) {
            0 => 0,
            start_ns => now_ns().saturating_sub(start_ns),
        }
    }

    /// Init code has written to the console.
    pub(super) fn note_init_speaks(&self) {
        self.init_speaks.store(true, Ordering::Relaxed);
    }

    /// Whether init code writes to the console.
    pub(crate) fn init_speaks(&self) -> bool {
        self.init_speaks.load(Ordering::Relaxed)
    }

    /// Says how the test can be stopped.
    pub(crate) fn may_stop(&self, stop: StopHandle) {
        locked(&self.wishes).stop = Some(stop);
    }

    /// Ends the test.
    pub(crate) fn abort(&self, message: &str) {
        let mut wishes = locked(&self.wishes);
        if wishes.is_aborted {
            return;
        }
        wishes.is_aborted = true;
        let text = if message.is_empty() { "test aborted".to_owned() } else { format!("test aborted: {message}") };
        (self.sink)(&Log { level: Level::Error, text, fields: Vec::new() });
        if let Some(stop) = &wishes.stop {
            stop.stop();
        }
    }

    /// Marks the test as failed.
    pub(super) fn fail(&self, message: &str) {
        let mut wishes = locked(&self.wishes);
        if !wishes.is_failed {
            wishes.is_failed = true;
            let text = format!("test marked as failed: {message}");
            (self.sink)(&Log { level: Level::Error, text, fields: Vec::new() });
        }
    }

    /// Whether the script has ended the test.
    pub(crate) fn is_aborted(&self) -> bool {
        locked(&self.wishes).is_aborted
    }

    /// Whether the script has marked the test as failed.
    pub(crate) fn is_failed(&self) -> bool {
        locked(&self.wishes).is_failed
    }

    /// A module that was compiled before.
    pub(super) fn module(&self, name: &str) -> Option<Arc<Module>> {
        locked(&self.modules).get(name).cloned()
    }

    /// Keeps a compiled module.
    pub(super) fn keep(&self, name: &str, module: Module) -> Arc<Module> {
        let module = Arc::new(module);
        locked(&self.modules).insert(name.to_owned(), Arc::clone(&module));
        module
    }

    /// Says what a module asks for.
    pub(super) fn announce(&self, name: &str, imports: Imports) {
        locked(&self.imports).insert(name.to_owned(), imports);
    }

    /// Where a module asks for another: line and column.
    pub(super) fn import(&self, base: &str, name: &str) -> Option<(usize, usize)> {
        let imports = locked(&self.imports);
        let found = imports.get(base)?.iter().find(|(each, ..)| **each == *name)?;
        Some((found.1, found.2))
    }

    /// Which module asks for this one, and where.
    pub(super) fn importer(&self, of: impl Fn(&str, &str) -> bool) -> Option<(String, usize, usize)> {
        let imports = locked(&self.imports);
        imports.iter().find_map(|(base, all)| {
            let found = all.iter().find(|(name, ..)| of(base, name))?;
            Some((base.clone(), found.1, found.2))
        })
    }

    /// A line of a stack with its place as it is in the module's text: `at f (file:///a.ts:3:14)`.
    pub(super) fn placed(&self, line: &str) -> String {
        let of = || {
            if line.trim_start().trim_start_matches("at ").starts_with(IN_TEXT) {
                return None;
            }
            let end = line.trim_end_matches(')');
            let (rest, column) = end.rsplit_once(':')?;
            let (rest, number) = rest.rsplit_once(':')?;
            let from = rest.find("file://").or_else(|| rest.find("https://"))?;
            let (number, column) =
                self.module(&rest[from..])?.places.in_text(number.parse().ok()?, column.parse().ok()?);
            Some(format!("{rest}:{number}:{column}{}", &line[end.len()..]))
        };
        of().unwrap_or_else(|| line.to_owned())
    }

    /// A line of a module's source, from 1.
    pub(super) fn line(&self, name: &str, number: usize) -> Option<String> {
        // A module that could not be compiled is not kept.
        let source = match self.module(name) {
            Some(module) => module.source.clone(),
            None => read(&path(name)?).ok()?,
        };
        source.lines().nth(number.checked_sub(1)?).map(str::to_owned)
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
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
