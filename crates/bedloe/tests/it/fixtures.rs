//! What a configuration means, as cases in files: a configuration, requests, the answers expected. Each runs through
//! bedloe and through the nginx that is installed; where their answers differ, the case fails, unless it says so.
//!
//! A file of `fixtures/cases` is a subject. `#` begins a comment at the head of a file and of a case. A case:
//!
//! ```text
//! ==== return of a text
//! ---- server
//! location / { return 200 "hi $arg_a\n"; }
//! ---- request
//! GET /?a=1
//! ---- answer
//! 200
//! Content-Type: text/plain
//!
//! hi 1
//! ```
//!
//! Behind the name, each on a line of its own where it is needed:
//! - `differs: WHY`: nginx answers otherwise, on purpose. WHY stands in docs/differences.md or docs/directives.md, word
//!   for word. The answers are then not compared with each other; `---- answer nginx` may say what nginx's is.
//! - `since: 1.25.1`: an older nginx does not know this, and is not asked.
//! - `only: WHY`: bedloe's own, nginx is not asked.
//!
//! The sections, in any number; what is asked is played in the order written:
//! - `---- http`, `---- main`: lines of these blocks. `---- server`: lines of a server that listens on LISTEN.
//! - `---- file PATH`: a file of the folder, with its content. `cert.pem` and `key.pem` are there where a configuration
//!   names them; they are for `liberty.example.com`. What is in `pki/` for one that names that folder says `pki.rs`.
//! - `---- link PATH TARGET`: a symbolic link in the folder.
//! - `---- upstream` (`upstream 2`, `upstream 3`): how this upstream server answers from here on: a status, fields, an
//!   empty line, a body, in which `ECHO` is what it was asked. That is the whole answer where there is no such section.
//!   `closed` closes without an answer, `silent` waits; `raw` sends the lines below as they are, and closes.
//! - `---- request`: method and target, fields, an empty line, a body. `Host: a.example`, `HTTP/1.1` and
//!   `Content-Length` are added where they are missing. Words behind `request`: `again` goes over the last connection;
//!   `to LISTEN2` to another address; `tls` or `tls NAME` over TLS, asking for this name, and there `v12`, `rsa` or
//!   `ecdsa` for TLS 1.2 and such suites, `with NAME` to show a certificate of `pki/`, `resumes` to keep a session
//!   for the next request with the same words; `proxied` first sends `PROXY TCP4 192.0.2.1 192.0.2.2 1234 443`, before
//!   TLS where that is asked for; `raw` sends the lines as they are, each with CR LF, with `\r`, `\n`,
//!   `\t`, `\\` and `\xNN`, and `\` at an end to leave out the line's.
//! - `---- answer`: a status (or `closed`), then fields that must be there with this value, `Name: ~PATTERN`, `!Name`
//!   for one that must not, `trailer Name: VALUE`; behind an empty line the whole body, or `~PATTERN`. Without a body
//!   here any will do. A second one behind a request is the next answer on the same connection.
//! - `---- log NAME`: lines that this file of the folder (unpacked, if it ends in `.gz`) must come to hold, also
//!   `~PATTERN`, or never hold (`!LINE`).
//!   What is stapled to a certificate is in the file `stapled`, in hexadecimal digits.
//!   What a configuration sends to `syslog:server=unix:FOLDER/syslog.socket` is in the file `syslog`, a line a message.
//! - `---- refused`: the configuration is an error, and what bedloe says of it holds these lines.
//!
//! What an answer has beyond what its case names is compared too, but for `Date`, `Server` and pages of the programs'
//! own. What the upstream was asked is shown with its fields sorted and without `Connection: close`.
//!
//! Anywhere stand LISTEN and LISTEN2 for addresses to listen on, PORT and PORT2 for their ports, UPSTREAM, UPSTREAM2
//! and UPSTREAM3 for those of the upstream servers, UPSTREAM_PORT for the first one's port, REFUSED for an address
//! where nobody listens, FOLDER for the folder. What comes back is shown with the same words.
//!
//! `BEDLOE_CASES=WORD` runs the cases alone whose file and name hold the word.

mod answer;
mod case;
mod compare;
mod names;
mod pki;
mod program;
mod run;
mod syslog;
mod tls;
mod upstream;

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use case::Case;

use crate::support::nginx;

/// Cases that run at a time: most of it is waiting for programs to start.
const AT_A_TIME: usize = 4;

#[test]
fn cases_are_answered_as_nginx_answers_them() {
    let only = std::env::var("BEDLOE_CASES").ok();
    let cases = read_all();
    let chosen: Vec<&Case> =
        cases.iter().filter(|case| only.as_ref().is_none_or(|word| case.title().contains(word))).collect();
    assert!(!chosen.is_empty(), "no case has this word");
    let nginx = program::Nginx::find();
    if nginx.is_none() {
        nginx::skipped("fixtures");
    }
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = chosen.get(next.fetch_add(1, Relaxed)) {
                    if let Err(what) = run::play(case, nginx.as_ref()) {
                        wrong.lock().expect("no panic").push(told(case, &what));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), chosen.len(), wrong.join("\n"));
}

#[test]
fn differences_are_documented() {
    let documents: String = ["docs/differences.md", "docs/directives.md"]
        .map(|path| std::fs::read_to_string(root().join(path)).unwrap_or_default())
        .concat();
    for case in read_all() {
        if let Some(why) = &case.differs {
            assert!(documents.contains(why), "{}: no document says {why:?}", case.title());
        }
    }
}

#[test]
fn every_directive_has_a_case() {
    let config: String = read_all().iter().map(Case::config).collect::<String>() + program::FRAME;
    let words: HashSet<&str> = config.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let without: BTreeSet<&str> =
        conf::table::directives().map(|directive| directive.name).filter(|name| !words.contains(name)).collect();
    assert!(without.is_empty(), "no case of tests/it/fixtures/cases has {without:?}");
}

fn read_all() -> Vec<Case> {
    let folder = root().join("crates/bedloe/tests/it/fixtures/cases");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("cases").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| case::read(path)).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn told(case: &Case, what: &str) -> String {
    let mut text = format!("######## {}\n", case.title());
    for (block, lines) in [("main", &case.main), ("http", &case.http), ("server", &case.server)] {
        if !lines.is_empty() {
            let _ = writeln!(text, "---- {block}\n{}", lines.trim_end());
        }
    }
    let _ = writeln!(text, "{what}");
    text
}
