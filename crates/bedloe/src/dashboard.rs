//! The dashboard of a running balancer: one page with four views, made here, that asks nobody but this program for
//! anything. It shows, and changes nothing.
//!
//! What it shows are [`Figures`], as they are in `/dashboard.json` too. What it remembers is in memory and bounded.

mod figures;
mod history;
mod host_view;
mod view;

use std::sync::{Arc, Mutex, PoisonError};

use proxy::{Event, Status};

use crate::hosts::Hosts;
use crate::page::Page;
pub(crate) use figures::Figures;
use history::History;

/// What a page may do: its script is a file of ours, which asks us alone.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'self'; \
                                 connect-src 'self'; base-uri 'none'; form-action 'none'";
/// What keeps the page up to date.
pub(crate) const SCRIPT: &str = include_str!("dashboard/live.js");
const STYLE: &str = include_str!("dashboard/style.css");

/// The views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Overview,
    Upstreams,
    Hosts,
    Events,
}

impl View {
    const ALL: [Self; 4] = [Self::Overview, Self::Upstreams, Self::Hosts, Self::Events];

    /// The one that a query asks for (`view=hosts`).
    pub(crate) fn of(query: Option<&str>) -> Self {
        let asked = query.and_then(|query| route::argument(query.as_bytes(), b"view")).unwrap_or_default();
        Self::ALL.into_iter().find(|view| view.key().as_bytes() == asked).unwrap_or(Self::Overview)
    }

    fn key(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Upstreams => "upstreams",
            Self::Hosts => "hosts",
            Self::Events => "events",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Upstreams => "Upstreams",
            Self::Hosts => "Hosts",
            Self::Events => "Events",
        }
    }
}

/// What the page is made of; a clone shows the same.
#[derive(Debug, Clone)]
pub(crate) struct Dashboard {
    history: Arc<Mutex<History>>,
    hosts: Option<Hosts>,
}

impl Dashboard {
    pub(crate) fn new(hosts: Option<Hosts>) -> Self {
        Self { history: Arc::default(), hosts }
    }

    /// Remembers how the balancer is doing; called once a second.
    pub(crate) fn look(&self, status: Status, unix_ms: u64) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).look(status, unix_ms);
    }

    /// Remembers what has happened.
    pub(crate) fn happened(&self, event: Event) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).happened(event);
    }

    /// The numbers of all views.
    pub(crate) fn figures(&self, unix_ms: u64) -> Figures {
        let hosts = self.hosts.as_ref().map(|hosts| hosts.with(figures::hosts)).unwrap_or_default();
        self.history.lock().unwrap_or_else(PoisonError::into_inner).figures(hosts, unix_ms)
    }

    /// A whole page, which needs no script to be read.
    pub(crate) fn page(&self, view: View, unix_ms: u64) -> String {
        let body = view::body(view, &self.figures(unix_ms), &self.part(view, unix_ms));
        Page { title: &format!("{} - bedloe", view.title()), policy: POLICY, style: STYLE, body }.render()
    }

    /// What of a page changes.
    pub(crate) fn part(&self, view: View, unix_ms: u64) -> String {
        let figures = self.figures(unix_ms);
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let part = match view {
            View::Overview => view::overview(&figures, &history, unix_ms),
            View::Upstreams => view::upstreams(&figures),
            View::Hosts => host_view::hosts(&figures, self.hosts.as_ref(), unix_ms),
            View::Events => view::events(&figures),
        };
        part.into_string()
    }

    /// The state in a sentence, which is read out when it becomes another one.
    pub(crate) fn sentence(&self, unix_ms: u64) -> String {
        self.figures(unix_ms).sentence()
    }
}

#[cfg(test)]
mod tests;
