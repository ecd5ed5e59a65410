//! What a balancer says of itself while it is drilled: which server it has taken out, and how often it tried again.
//! Each program has its own way: bedloe its events, nginx its logs, HAProxy its statistics.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use net::clock::unix_ms;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::balancer::Program;
use crate::plan::Plan;
use crate::report::millis;
use crate::watch;

/// How often logs and statistics are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The longest statistics that are read.
const STATISTICS_MAX: u64 = 1 << 20;
/// Events that wait to be looked at.
const EVENTS_MAX: usize = 1_024;
/// What nginx says of a server that it leaves alone from now on.
const DISABLED: &str = "upstream server temporarily disabled";

/// What has been said until now. Dropping it ends the listening.
pub(super) struct Word {
    said: Rc<RefCell<Vec<(usize, u64)>>>,
    task: JoinHandle<()>,
}

impl Word {
    /// Listens from now on; times count from `epoch`. Must run inside a `LocalSet`.
    pub(super) fn listen(program: Program, plan: &Plan, epoch: Instant) -> Self {
        let said = Rc::new(RefCell::new(Vec::new()));
        let addresses: Vec<String> = plan.servers.iter().map(|server| server.address.to_string()).collect();
        let names: Vec<String> = plan.servers.iter().map(|server| server.name.clone()).collect();
        let (to, socket) = (said.clone(), plan.admin());
        let log = plan.options.folder.join("logs").join("error.log");
        let task = match program {
            Program::Bedloe => tokio::task::spawn_local(events(socket, addresses, epoch, to)),
            Program::Nginx => tokio::task::spawn_local(lines(log, addresses, epoch, to)),
            Program::Haproxy => tokio::task::spawn_local(states(socket, names, epoch, to)),
        };
        Self { said, task }
    }

    /// Servers that were taken out, and when.
    pub(super) fn said(&self) -> Vec<(usize, u64)> {
        self.said.borrow().clone()
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Attempts that were followed by another one, since the program began; `None` where it does not say.
pub(super) async fn retried(program: Program, plan: &Plan) -> Option<u64> {
    match program {
        Program::Bedloe => watch::status(&plan.admin()).await.ok().map(|status| status.retries),
        Program::Nginx => {
            let log = std::fs::read_to_string(plan.options.folder.join("logs").join("tries.log")).ok()?;
            Some(log.lines().map(|line| line.matches(", ").count() as u64).sum())
        }
        Program::Haproxy => Some(sum_of_tries(&statistics(&plan.admin()).await.ok()?)),
    }
}

async fn events(socket: PathBuf, addresses: Vec<String>, epoch: Instant, said: Rc<RefCell<Vec<(usize, u64)>>>) {
    let epoch_unix_ms = unix_ms().saturating_sub(millis(epoch.elapsed()));
    let (to, mut from) = mpsc::channel::<watch::Event>(EVENTS_MAX);
    tokio::join!(
        async {
            loop {
                // A new process has a new stream.
                let _ = watch::events(&socket, to.clone()).await;
                tokio::time::sleep(LOOK).await;
            }
        },
        async {
            while let Some(event) = from.recv().await {
                let server = addresses.iter().position(|address| *address == event.server);
                let server = server.filter(|_| matches!(event.event.as_str(), "down" | "unhealthy"));
                let at_ms = event.at_ms.saturating_sub(epoch_unix_ms);
                said.borrow_mut().extend(server.map(|server| (server, at_ms)));
            }
        }
    );
}

async fn lines(log: PathBuf, addresses: Vec<String>, epoch: Instant, said: Rc<RefCell<Vec<(usize, u64)>>>) {
    let (mut seen, mut text) = (0, String::new());
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(length) = more_of(&log, seen, &mut text) else { continue };
        seen += length;
        let at_ms = millis(epoch.elapsed());
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for line in text[..whole].lines().filter(|line| line.contains(DISABLED)) {
            let of = |address: &String| line.contains(&format!("//{address}/"));
            said.borrow_mut().extend(addresses.iter().position(of).map(|server| (server, at_ms)));
        }
        text.drain(..whole);
    }
}

/// Reads what a log has behind its first `seen` bytes.
fn more_of(log: &Path, seen: u64, text: &mut String) -> io::Result<u64> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(seen))?;
    let mut bytes = Vec::new();
    let length = file.read_to_end(&mut bytes)?;
    text.push_str(&String::from_utf8_lossy(&bytes));
    Ok(length as u64)
}

async fn states(socket: PathBuf, names: Vec<String>, epoch: Instant, said: Rc<RefCell<Vec<(usize, u64)>>>) {
    let mut before: Vec<bool> = vec![true; names.len()];
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(text) = statistics(&socket).await else { continue };
        let at_ms = millis(epoch.elapsed());
        for row in rows(&text) {
            let Some(server) = names.iter().position(|name| row.of("svname") == name) else { continue };
            let is_up = row.of("status").starts_with("UP");
            if before[server] && !is_up {
                said.borrow_mut().push((server, at_ms));
            }
            before[server] = is_up;
        }
    }
}

async fn statistics(socket: &Path) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"show stat\n").await?;
    let mut text = String::new();
    stream.take(STATISTICS_MAX).read_to_string(&mut text).await?;
    Ok(text)
}

/// One line of HAProxy's statistics under its header.
struct Line<'a> {
    names: &'a str,
    values: &'a str,
}

fn rows(text: &str) -> impl Iterator<Item = Line<'_>> {
    let names = text.lines().next().unwrap_or_default().trim_start_matches("# ");
    text.lines().skip(1).map(move |values| Line { names, values })
}

impl<'a> Line<'a> {
    fn of(&self, name: &str) -> &'a str {
        let at = self.names.split(',').position(|known| known == name);
        at.and_then(|at| self.values.split(',').nth(at)).unwrap_or_default()
    }
}

fn sum_of_tries(text: &str) -> u64 {
    let of_backend = rows(text).filter(|row| row.of("svname") == "BACKEND");
    of_backend.flat_map(|row| ["wretr", "wredis"].map(|name| row.of(name).parse().unwrap_or(0))).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read_by_the_names_of_their_columns() {
        let text = "# pxname,svname,wretr,wredis,status,\nliberty_app,liberty-1,1,0,UP 1/2,\n\
                    liberty_app,liberty-2,5,3,DOWN,\nliberty_app,BACKEND,6,3,UP,\n\n";
        let states: Vec<&str> = rows(text).map(|row| row.of("status")).collect();
        assert_eq!(states, ["UP 1/2", "DOWN", "UP", ""]);
        assert_eq!(sum_of_tries(text), 9);
        assert_eq!(sum_of_tries(""), 0);
    }

    #[test]
    fn a_log_is_read_from_where_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let (log, mut text) = (folder.path().join("error.log"), String::new());
        assert!(more_of(&log, 0, &mut text).is_err());
        std::fs::write(&log, "one\ntwo").unwrap();
        assert_eq!(more_of(&log, 4, &mut text).unwrap(), 3);
        assert_eq!(text, "two");
    }
}
