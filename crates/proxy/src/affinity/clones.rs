//! The clone ids of servers whose `route=` nobody has written: learnt from the cookies that they set, one a server, and
//! kept in a file, so that a balancer that starts anew knows them before it listens.
//!
//! The file is written beside itself and put in its place, at most every [`REST`], on a thread of its own: no request
//! waits for a disk.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::written;

/// Servers that are remembered; one that `resolve` finds may come and go under ever new addresses.
const SERVERS_MAX: usize = 4_096;
/// The longest clone id that is learnt: a server's own id has 36 letters.
const CLONE_MAX: usize = 64;
/// Between one writing of the file and the next.
const REST: Duration = Duration::from_millis(100);

/// Clone ids that were learnt.
#[derive(Debug)]
pub(crate) struct Clones {
    /// By clone id.
    known: RwLock<HashMap<Box<str>, Server>>,
    file: Option<PathBuf>,
    /// Somebody is about to write the file: what is learnt until it begins goes with it.
    is_written: AtomicBool,
    /// Held while it is written.
    writing: Mutex<()>,
    /// Why it could not be written, until somebody has told it.
    failure: Mutex<Option<String>>,
    has_failed: AtomicBool,
}

/// The server that a clone id leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// What `balance` knows it by.
    pub(crate) route: Arc<str>,
    pub(crate) address: Arc<str>,
}

/// What came of a clone id that a server has named.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It was known.
    Known,
    /// It is known from now on.
    Learnt,
    /// It is another server's: who has the session cannot be told.
    Taken(Arc<str>),
    /// It is none that is learnt: too long, or of strange letters.
    Refused,
}

impl Clones {
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self {
            known: RwLock::default(),
            file,
            is_written: AtomicBool::new(false),
            writing: Mutex::default(),
            failure: Mutex::default(),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Where they are kept.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether nothing was learnt yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes over what others have learnt, which was kept elsewhere, and keeps it here: it may not be learnt again for
    /// as long as this process lives.
    pub(crate) fn take_over(self: &Arc<Self>, other: &Self) {
        let known = other.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let is_any = !known.is_empty();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        if is_any {
            self.keep();
        }
    }

    /// The route of the server with that clone id.
    pub(crate) fn find(&self, clone: &[u8]) -> Option<Arc<str>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(std::str::from_utf8(clone).ok()?).map(|server| Arc::clone(&server.route))
    }

    /// Notes the clone id that a server goes by; it has one. `is_here` tells whether a route is still a server's.
    pub(crate) fn note(self: &Arc<Self>, clone: &[u8], server: &Server, is_here: impl Fn(&str) -> bool) -> Noted {
        let Some(clone) = readable(clone) else { return Noted::Refused };
        if let Some(holder) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(clone) {
            if holder.route == server.route {
                return Noted::Known;
            }
            if is_here(&holder.route) {
                return Noted::Taken(Arc::clone(&holder.address));
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, other| other.route != server.route);
        if known.len() >= SERVERS_MAX {
            known.retain(|_, other| is_here(&other.route));
        }
        known.insert(clone.into(), server.clone());
        drop(known);
        self.keep();
        Noted::Learnt
    }

    /// What has gone wrong with the file since this was last asked.
    pub(crate) fn failure(&self) -> Option<String> {
        if !self.has_failed.load(Relaxed) {
            return None;
        }
        self.has_failed.store(false, Relaxed);
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Reads what a file has kept; `route` makes of an address what `balance` knows a server by.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub(crate) fn read(&self, text: &str, route: impl Fn(&str) -> String) -> Result<(), String> {
        let mut known = HashMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !is_blank(line)) {
            let read = line.trim().strip_prefix("server ").and_then(|rest| rest.strip_suffix(';'));
            let read = read.and_then(|rest| rest.split_once(" route="));
            let (address, clone) = read
                .filter(|(address, clone)| !address.is_empty() && readable(clone.as_bytes()).is_some())
                .ok_or_else(|| format!("line {}: it must be \"server ADDRESS route=CLONE;\"", number + 1))?;
            let server = Server { route: route(address).into(), address: address.into() };
            known.insert(Box::from(clone), server);
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    fn text(&self) -> String {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<(&str, &str)> = known.iter().map(|(clone, server)| (&*server.address, &**clone)).collect();
        lines.sort_unstable();
        let mut text = "# clone ids that \"sticky liberty\" has learnt; bedloe writes this file\n".to_owned();
        for (address, clone) in lines {
            let _ = writeln!(text, "server {address} route={clone};");
        }
        text
    }

    /// Has the file written soon.
    fn keep(self: &Arc<Self>) {
        if self.file.is_none() || self.is_written.swap(true, Relaxed) {
            return;
        }
        let own = Arc::clone(self);
        let started = std::thread::Builder::new().name("affinity".to_owned()).spawn(move || {
            let turn = own.writing.lock().unwrap_or_else(PoisonError::into_inner);
            own.is_written.store(false, Relaxed);
            let written = own.file.as_deref().map_or(Ok(()), |file| written::replace(file, &own.text()));
            own.tell(written);
            rest();
            drop(turn);
        });
        if let Err(error) = started {
            self.is_written.store(false, Relaxed);
            self.tell(Err(error));
        }
    }

    fn tell(&self, written: io::Result<()>) {
        let Err(error) = written else { return };
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        let what = format!(
            "cannot keep clone ids in {}: {error}; the worker's user must be able to write in its folder",
            file.display()
        );
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        self.has_failed.store(true, Relaxed);
    }
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// A clone id that is learnt: what stands for a server in a cookie, in the file and in `route=`.
fn readable(clone: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let is_one = (1..=CLONE_MAX).contains(&clone.len()) && clone.iter().all(is_plain);
    std::str::from_utf8(clone).ok().filter(|_| is_one)
}

/// What is learnt meanwhile is written at once.
#[allow(clippy::disallowed_methods, reason = "no connection is served by the thread")]
fn rest() {
    std::thread::sleep(REST);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    fn server(number: u8) -> Server {
        Server { route: format!("r{number}").into(), address: format!("10.0.0.{number}:9080").into() }
    }

    fn everywhere(_: &str) -> bool {
        true
    }

    #[test]
    fn a_server_has_one_clone_id_and_a_clone_id_one_server() {
        let clones = Arc::new(Clones::new(None));
        let note = |clone: &str, number: u8| clones.note(clone.as_bytes(), &server(number), everywhere);
        assert_eq!((note("a", 1), note("b", 2), note("a", 1)), (Noted::Learnt, Noted::Learnt, Noted::Known));
        assert_eq!(note("a", 2), Noted::Taken("10.0.0.1:9080".into()), "two servers with one id");
        assert_eq!(clones.find(b"b").as_deref(), Some("r2"), "it stays what it was");
        assert_eq!(note("c", 1), Noted::Learnt, "a server that was made anew");
        assert_eq!((clones.find(b"a"), clones.find(b"c").as_deref()), (None, Some("r1")));
        assert_eq!(clones.note(b"c", &server(3), |route| route != "r1"), Noted::Learnt, "the other one is gone");
        assert_eq!(clones.find(b"c").as_deref(), Some("r3"));
    }

    #[test]
    fn what_stands_for_no_server_is_not_learnt() {
        let clones = Arc::new(Clones::new(None));
        let long = "x".repeat(CLONE_MAX + 1);
        for clone in [&b""[..], b"a b", b"a;b", b"a\n", b"\xff", "é".as_bytes(), long.as_bytes()] {
            assert_eq!(clones.note(clone, &server(1), everywhere), Noted::Refused, "{clone:?}");
            assert_eq!(clones.find(clone), None);
        }
        assert_eq!(clones.note(&long.as_bytes()[1..], &server(1), everywhere), Noted::Learnt);
    }

    #[test]
    fn servers_that_come_and_go_take_a_bounded_memory() {
        let clones = Arc::new(Clones::new(None));
        for number in 0..SERVERS_MAX + 1 {
            let server = Server { route: number.to_string().into(), address: "a".into() };
            clones.note(format!("c{number}").as_bytes(), &server, |route| route == "7");
        }
        let known = clones.known.read().unwrap();
        assert_eq!(known.len(), 2, "the one that is here, and the new one");
    }

    #[test]
    fn a_file_is_read_as_it_is_written_and_else_not_at_all() {
        let clones = Arc::new(Clones::new(None));
        for (clone, number) in [("s2", 2), ("3f0e-1.x_Y", 1)] {
            clones.note(clone.as_bytes(), &server(number), everywhere);
        }
        let text = clones.text();
        assert_eq!(
            text.lines().skip(1).collect::<Vec<_>>(),
            ["server 10.0.0.1:9080 route=3f0e-1.x_Y;", "server 10.0.0.2:9080 route=s2;"]
        );
        let other = Clones::new(None);
        other.read(&text, |address| format!("of {address}")).unwrap();
        assert_eq!(other.find(b"s2").as_deref(), Some("of 10.0.0.2:9080"));
        for (broken, line) in [
            ("server a route=b", 1),
            ("\n# note\nserver a rout=b;", 3),
            ("server a route=b;\nserver  route=;", 2),
            ("server a route=b c;", 1),
            ("\0", 1),
        ] {
            let error = other.read(broken, ToOwned::to_owned).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
            assert_eq!(other.find(b"s2").as_deref(), Some("of 10.0.0.2:9080"), "nothing of a broken file is taken");
        }
    }
}
