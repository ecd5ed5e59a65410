//! Clients of the shared address: one that is new each time, and such that have a session. Each request is a connection
//! of its own, by TLS as the load's, so that it sees what a client sees who comes now.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::tls::{CertificateError, ClientOptions, name_to_ask_for, read_trusted, upstream_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsConnector;

use super::plan::{PORT, SHARED};
use crate::plan::PAGE;
use crate::report::millis;

/// The page that counts the visits of a session.
const SESSION: &str = "/accounts-external/api/session";
/// How often the address is asked.
const EVERY: Duration = Duration::from_millis(50);
/// How long a probe waits for its answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long somebody with a session waits.
const SESSION_PATIENCE: Duration = Duration::from_secs(2);
/// How often somebody with a session is tried until that is given up.
const TRIES: u32 = 20;
/// The longest answer that is read.
const ANSWER_MAX: u64 = 64 << 10;

/// Somebody who comes to the shared address.
pub(super) struct Client(TlsConnector);

impl Client {
    /// One that trusts this certificate alone.
    pub(super) fn new(certificate: &str) -> Result<Self, CertificateError> {
        let trusted = read_trusted(certificate.as_bytes())?;
        let config = upstream_config(ClientOptions::new(Some(trusted)))?;
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Whether somebody new is served.
    pub(super) async fn answers(&self) -> bool {
        let asked = timeout(PATIENCE, self.get(PAGE, "")).await;
        asked.is_ok_and(|answer| answer.is_ok_and(|text| text.starts_with("HTTP/1.1 200 ")))
    }

    async fn visit(&self, cookie: &str) -> Option<Session> {
        let fields = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        let answer = timeout(SESSION_PATIENCE, self.get(SESSION, &fields)).await.ok()?.ok()?;
        read(&answer)
    }

    async fn get(&self, page: &str, fields: &str) -> io::Result<String> {
        let stream = TcpStream::connect((SHARED, PORT)).await?;
        let mut stream = self.0.connect(name_to_ask_for(&SHARED.to_string()), stream).await?;
        let request = format!("GET {page} HTTP/1.1\r\nHost: {SHARED}\r\n{fields}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// What one probe saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    /// When it began.
    pub(super) at_ms: u64,
    /// When it had its answer, or had waited long enough.
    pub(super) end_ms: u64,
    pub(super) answered: bool,
}

/// Probes under way.
pub(super) struct Probes {
    seen: Rc<RefCell<Vec<Probe>>>,
    task: JoinHandle<()>,
}

impl Probes {
    pub(super) fn start(client: &Rc<Client>, start: Instant) -> Self {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let (own, client) = (Rc::clone(&seen), Rc::clone(client));
        let task = tokio::task::spawn_local(async move {
            let mut every = interval(EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                let (own, client) = (Rc::clone(&own), Rc::clone(&client));
                // Each by itself: one that waits in vain must not keep the next one.
                tokio::task::spawn_local(async move {
                    let at_ms = millis(start.elapsed());
                    let answered = client.answers().await;
                    own.borrow_mut().push(Probe { at_ms, end_ms: millis(start.elapsed()), answered });
                });
            }
        });
        Self { seen, task }
    }

    /// All that was seen, by time.
    pub(super) fn stop(self) -> Vec<Probe> {
        self.task.abort();
        let mut seen = self.seen.take();
        seen.sort_by_key(|probe| probe.at_ms);
        seen
    }
}

/// One that goes on from visit to visit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Session {
    cookie: String,
    /// Visits that it had when last looked at.
    visits: u64,
}

/// Sessions that were begun before anything happened.
pub(super) struct Sessions {
    client: Rc<Client>,
    sessions: RefCell<Vec<Session>>,
    lost: Cell<u64>,
}

impl Sessions {
    pub(super) async fn begin(client: Rc<Client>, count: usize) -> Self {
        let own = Self { client, sessions: RefCell::default(), lost: Cell::new(0) };
        for _ in 0..count {
            for _ in 0..TRIES {
                if let Some(session) = own.client.visit("").await {
                    own.sessions.borrow_mut().push(session);
                    break;
                }
            }
        }
        own
    }

    pub(super) fn count(&self) -> usize {
        self.sessions.borrow().len()
    }

    /// Those that began anew.
    pub(super) fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// Visits one after the other until it is dropped.
    pub(super) async fn keep(self: Rc<Self>) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for index in (0..self.count()).cycle() {
            every.tick().await;
            self.look(index).await;
        }
    }

    /// Visits all of them once more: a session that nobody comes back to is not known to be there. Where nobody is
    /// served any more all that are left are lost.
    pub(super) async fn visit_all(&self) {
        let left = unserved(self.count(), async |index| self.look(index).await).await;
        self.lost.set(self.lost.get() + left);
    }

    /// True where it was answered.
    async fn look(&self, index: usize) -> bool {
        let Some(before) = self.sessions.borrow().get(index).cloned() else { return true };
        let Some(now) = self.client.visit(&before.cookie).await else { return false };
        // A visit whose answer was lost has been counted too.
        if now.visits <= before.visits {
            self.lost.set(self.lost.get() + 1);
        }
        if let Some(session) = self.sessions.borrow_mut().get_mut(index) {
            session.visits = now.visits;
            if !now.cookie.is_empty() {
                session.cookie = now.cookie;
            }
        }
        true
    }
}

/// Visits so many, each until it is answered, and how many were not: the first that is given up on ends it, for each of
/// the others would be waited for as long in vain.
async fn unserved(count: usize, mut look: impl AsyncFnMut(usize) -> bool) -> u64 {
    for index in 0..count {
        let mut tries = 0;
        while !look(index).await {
            tries += 1;
            if tries == TRIES {
                return (count - index) as u64;
            }
        }
    }
    0
}

/// The cookie, where there is a new one, and the number of visits in an answer.
fn read(answer: &str) -> Option<Session> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    lines.next()?.starts_with("HTTP/1.1 200 ").then_some(())?;
    let cookie = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        let is_one = name.eq_ignore_ascii_case("set-cookie") && value.starts_with("JSESSIONID=");
        is_one.then(|| value.split(';').next().unwrap_or_default().to_owned())
    });
    let (_, behind) = body.split_once("\"n\":")?;
    let digits: String = behind.trim_start().chars().take_while(char::is_ascii_digit).collect();
    Some(Session { cookie: cookie.unwrap_or_default(), visits: digits.parse().ok()? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn visits_end_where_nobody_is_served() {
        let left_after = |served: usize, every: u32| {
            let mut visits = 0;
            let visit = async |index: usize| {
                visits += 1;
                index < served && visits % every == 0
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            (runtime.block_on(unserved(50, visit)), visits)
        };
        assert_eq!(left_after(50, 2), (0, 100), "one that is served at the second visit");
        assert_eq!(left_after(3, 1), (47, 3 + TRIES));
    }

    #[test]
    fn a_session_is_read_from_its_answer() {
        let first =
            "HTTP/1.1 200 OK\r\nset-cookie: JSESSIONID=0000a:s1; Path=/; HttpOnly\r\n\r\n1d\r\n{\"n\": 1,\"id\":\"a\"}";
        let session = Session { cookie: "JSESSIONID=0000a:s1".into(), visits: 1 };
        assert_eq!(read(first), Some(session));
        let later = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"n\":12}";
        assert_eq!(read(later), Some(Session { cookie: String::new(), visits: 12 }));
        for other in
            ["", "HTTP/1.1 502 Bad\r\n\r\n{\"n\":1}", "HTTP/1.1 200 OK\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\n\"n\":x"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
