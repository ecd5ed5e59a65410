//! The dashboard of a running balancer: one page with four views, made here, that asks nobody but this program for
//! anything. It shows, and changes nothing.
//!
//! What it shows are [`Figures`], as they are in `/dashboard.json` too. What it remembers is in memory and bounded.
//! `now_ms` is of a clock that is never set; the time of day is for people alone.

mod figures;
mod history;
mod host_view;
mod view;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Bytes;
use proxy::{Event, Status};

use crate::hosts::Hosts;
use crate::page::Page;
pub(crate) use figures::Figures;
use history::History;

macro_rules! policy {
    () => {
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'"
    };
}

/// What a page may do: its script is a file of ours, which asks us alone.
const POLICY: &str = policy!();
/// The same as a field; that no other page may have it in a frame only a field can say.
pub(crate) const FIELD_POLICY: &str = concat!(policy!(), "; frame-ancestors 'none'");
/// What keeps the page up to date.
const SCRIPT: &str = include_str!("dashboard/live.js");
const STYLE: &str = include_str!("dashboard/style.css");

/// How long an event is good for others: the balancer is looked at once a second.
const MADE_FOR_MS: u64 = 1_000;

/// The type of events.
pub(crate) const LIVE_TYPE: &str = "text/event-stream";
/// How a query asks for these.
const LIVE: &[u8] = b"live";

/// Whether a query asks for events, which may go on for as long as somebody reads them.
pub(crate) fn is_live(query: &[u8]) -> bool {
    route::argument(query, b"file") == Some(LIVE)
}

/// The views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum View {
    Overview,
    Upstreams,
    Hosts,
    Events,
}

impl View {
    const ALL: [Self; 4] = [Self::Overview, Self::Upstreams, Self::Hosts, Self::Events];

    /// The one that a query asks for (`view=hosts`).
    pub(crate) fn of(query: &[u8]) -> Self {
        let asked = route::argument(query, b"view").unwrap_or_default();
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

type Drawn = (Range<u64>, String);

/// What the page is made of; a clone shows the same.
#[derive(Debug, Clone)]
pub(crate) struct Dashboard {
    history: Arc<Mutex<History>>,
    hosts: Option<Hosts>,
    /// By view, the event that was made last, and when.
    made: Arc<Mutex<HashMap<View, (u64, Bytes)>>>,
    /// By view, its charts, and the time for which they are good.
    drawn: Arc<Mutex<HashMap<View, Drawn>>>,
}

impl Dashboard {
    pub(crate) fn new(hosts: Option<Hosts>) -> Self {
        Self { history: Arc::default(), hosts, made: Arc::default(), drawn: Arc::default() }
    }

    /// Remembers how the balancer is doing; called once a second.
    pub(crate) fn look(&self, status: Status, now_ms: u64, unix_ms: u64) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).look(status, now_ms, unix_ms);
    }

    /// Remembers what has happened.
    pub(crate) fn happened(&self, event: Event) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).happened(event);
    }

    /// The numbers of all views.
    pub(crate) fn figures(&self) -> Figures {
        let hosts = self.hosts.as_ref().map(|hosts| hosts.with(figures::hosts)).unwrap_or_default();
        self.history.lock().unwrap_or_else(PoisonError::into_inner).figures(hosts)
    }

    /// A whole page, which needs no script to be read.
    pub(crate) fn page(&self, view: View, now_ms: u64) -> String {
        let figures = self.figures();
        let body = view::body(view, &figures, &self.part(view, &figures, now_ms));
        Page { title: &format!("{} - bedloe", view.title()), policy: POLICY, style: STYLE, body }.render()
    }

    /// What of a page changes.
    fn part(&self, view: View, figures: &Figures, now_ms: u64) -> String {
        let part = match view {
            View::Overview => view::overview(figures, &self.charts(view, now_ms)),
            View::Upstreams => view::upstreams(figures),
            View::Hosts => host_view::hosts(figures, &self.charts(view, now_ms)),
            View::Events => view::events(figures),
        };
        part.into_string()
    }

    /// The charts of a view. They are the dearest part of a page, and are drawn again when their time line has moved on
    /// by a hundredth.
    fn charts(&self, view: View, now_ms: u64) -> String {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, charts)) = drawn.get(&view).filter(|(good, _)| good.contains(&now_ms)) {
            return charts.clone();
        }
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let charts = match (view, &self.hosts) {
            (View::Hosts, Some(hosts)) => hosts.with(|all| host_view::charts(all, now_ms)),
            (View::Hosts, None) => return String::new(),
            _ => view::charts(&history, now_ms),
        };
        let oldest_ms = history.points.front().map_or(now_ms, |point| point.at_ms);
        let good = now_ms..now_ms + view::span_ms(now_ms.saturating_sub(oldest_ms)) / 100;
        let charts = charts.into_string();
        drawn.insert(view, (good, charts.clone()));
        charts
    }

    /// What is asked for by a query: `view=NAME` alone a page, with `file=live` what of it changes, as a server-sent
    /// event; `file=script` and `file=json` what these say. The type, and the content.
    pub(crate) fn answer(&self, query: &[u8], now_ms: u64) -> (&'static str, String) {
        match route::argument(query, b"file") {
            Some(b"script") => ("text/javascript; charset=utf-8", SCRIPT.to_owned()),
            Some(b"json") => {
                let json = serde_json::to_string(&self.figures()).unwrap_or_default();
                ("application/json", json + "\n")
            }
            Some(LIVE) => (LIVE_TYPE, self.live(View::of(query), now_ms)),
            _ => ("text/html; charset=utf-8", self.page(View::of(query), now_ms)),
        }
    }

    /// What of a page changes, as a server-sent event: the part, and the state in a sentence, which is read out when it
    /// becomes another one. Who gets one alone asks for the next.
    pub(crate) fn live(&self, view: View, now_ms: u64) -> String {
        let figures = self.figures();
        let part = self.part(view, &figures, now_ms);
        let shown = serde_json::json!({"part": part, "sentence": figures.sentence()});
        format!("retry: 2000\ndata: {shown}\n\n")
    }

    /// The same for all that are kept up to date: however many they are, it is made once a second for each view.
    pub(crate) fn live_for_all(&self, view: View, now_ms: u64) -> Bytes {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.get(&view) {
            Some((at_ms, event)) if now_ms.saturating_sub(*at_ms) < MADE_FOR_MS => event.clone(),
            _ => {
                let event = Bytes::from(self.live(view, now_ms));
                made.insert(view, (now_ms, event.clone()));
                event
            }
        }
    }

    /// Whether it has looked at the balancer yet.
    pub(crate) fn has_looked(&self) -> bool {
        !self.history.lock().unwrap_or_else(PoisonError::into_inner).points.is_empty()
    }
}

#[cfg(test)]
mod tests;
