//! A server whose health page is what a test says, and that can be told to answer nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};

use crate::support::balancer::PATIENCE;
use crate::support::scripted::{Scripted, ok};

pub(super) struct Server {
    scripted: Scripted,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    now: Mutex<Says>,
    changed: Condvar,
}

#[derive(Default, Clone)]
struct Says {
    /// The whole answer to a check; nothing holds the check up until there is one.
    page: Option<String>,
    /// Whether all other requests wait.
    holds_requests: bool,
}

impl Said {
    /// Waits until something is so.
    fn when<T>(&self, mut ready: impl FnMut(&Says) -> Option<T>) -> Option<T> {
        let now = self.now.lock().ok()?;
        let (now, _) = self.changed.wait_timeout_while(now, PATIENCE, |now| ready(now).is_none()).ok()?;
        ready(&now)
    }
}

/// A page of this status and body.
pub(super) fn page(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Page\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(super) const UP: &str = r#"{"status":"UP","checks":[]}"#;
pub(super) const DOWN: &str = r#"{"status":"DOWN","checks":[{"name":"db","status":"DOWN"}]}"#;

impl Server {
    /// One whose page is this, and that answers all else with its name.
    pub(super) fn start(name: &'static str, page: Option<String>) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), name, page)
    }

    pub(super) fn start_at(address: SocketAddr, name: &'static str, page: Option<String>) -> Self {
        let said = Arc::new(Said::default());
        said.now.lock().expect("no panic").page = page;
        let own = Arc::clone(&said);
        let scripted = Scripted::start_at(address, move |link, _| {
            loop {
                let head = link.head()?;
                let is_check = head.starts_with("GET /health");
                let answer = own.when(|now| match is_check {
                    true => now.page.clone(),
                    false => (!now.holds_requests).then(|| ok(name)),
                });
                link.send(answer.unwrap_or_default())?;
            }
        });
        Self { scripted, said }
    }

    pub(super) fn well(name: &'static str) -> Self {
        Self::start(name, Some(page(200, UP)))
    }

    /// Its page is another one from now on; `None` leaves checks without an answer.
    pub(super) fn set_page(&self, page: Option<String>) {
        self.said.now.lock().expect("no panic").page = page;
        self.said.changed.notify_all();
    }

    pub(super) fn hold_requests(&self, holds: bool) {
        self.said.now.lock().expect("no panic").holds_requests = holds;
        self.said.changed.notify_all();
    }

    pub(super) fn address(&self) -> String {
        self.scripted.address().to_string()
    }

    pub(super) fn received(&self) -> Vec<String> {
        self.scripted.received()
    }

    pub(super) fn wait_for(&self, text: &str) -> String {
        self.scripted.wait_for(text)
    }
}
