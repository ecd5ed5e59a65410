//! What the dashboard remembers: a point a second for a quarter of an hour, the last states for what is so now, and
//! events.

use std::collections::VecDeque;

use proxy::{Event, RETRIES, Status};

use super::figures::{self, Figures, HostRow};

/// Points that are kept: 15 minutes.
const POINTS: usize = 900;
/// States that are kept for what is so now: rates and percentiles are those of the last 10 seconds.
const STATES: usize = 10;
/// Events that are kept.
const EVENTS: usize = 200;

/// One second.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    pub(super) at_ms: u64,
    pub(super) requests_per_s: Option<f64>,
    pub(super) failures_per_s: Option<f64>,
    pub(super) handshakes_per_s: Option<f64>,
    pub(super) connections: u64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) points: VecDeque<Point>,
    states: VecDeque<State>,
    events: VecDeque<Event>,
}

/// How the balancer was at a moment, with the time of day.
#[derive(Debug)]
struct State {
    at_ms: u64,
    unix_ms: u64,
    status: Status,
}

impl History {
    pub(super) fn look(&mut self, status: Status, at_ms: u64, unix_ms: u64) {
        let mut point = Point { at_ms, connections: status.connections, ..Point::default() };
        if let Some(State { at_ms: then_ms, status: then, .. }) = self.states.back() {
            let rate = |now: u64, then: u64| figures::rate(now, then, at_ms.saturating_sub(*then_ms));
            point.requests_per_s = rate(status.requests, then.requests);
            point.failures_per_s = rate(status.responses.server_errors, then.responses.server_errors);
            point.handshakes_per_s = rate(status.tls.handshakes, then.tls.handshakes);
            let times = status.request_time.since(&then.request_time);
            (point.p50_ms, point.p95_ms) = (times.percentile_ms(50.0), times.percentile_ms(95.0));
            point.p99_ms = times.percentile_ms(99.0);
        }
        push(&mut self.points, point, POINTS);
        push(&mut self.states, State { at_ms, unix_ms, status }, STATES + 1);
    }

    pub(super) fn happened(&mut self, event: Event) {
        // More of the same retries push nothing else out.
        let is_same = |known: &&mut Event| {
            event.event == RETRIES
                && (known.event, known.at_ms, &known.upstream, &known.server)
                    == (event.event, event.at_ms, &event.upstream, &event.server)
        };
        match self.events.iter_mut().find(is_same) {
            Some(known) => *known = event,
            None => push(&mut self.events, event, EVENTS),
        }
    }

    pub(super) fn figures(&self, hosts: Vec<HostRow>) -> Figures {
        let events = self.events.iter().rev().cloned().collect();
        match (self.states.back(), self.states.front()) {
            (Some(now), Some(then)) => {
                let passed_ms = now.at_ms.saturating_sub(then.at_ms);
                Figures::of(&now.status, &then.status, passed_ms, now.unix_ms, hosts, events)
            }
            _ => Figures { hosts, events, ..Figures::default() },
        }
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    while queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}
