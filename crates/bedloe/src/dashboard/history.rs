//! What the dashboard remembers: a point a second for a quarter of an hour, the last states for what is so now, and
//! events.

use std::collections::VecDeque;

use proxy::{Event, Status};

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
    pub(super) unix_ms: u64,
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
    states: VecDeque<(u64, Status)>,
    events: VecDeque<Event>,
}

impl History {
    pub(super) fn look(&mut self, status: Status, unix_ms: u64) {
        // What it counts from may be another process's time.
        let mut point = Point { unix_ms, connections: status.connections, ..Point::default() };
        if let Some((then_ms, then)) = self.states.back() {
            let rate = |now: u64, then: u64| figures::rate(now, then, unix_ms.saturating_sub(*then_ms));
            point.requests_per_s = rate(status.requests, then.requests);
            point.failures_per_s = rate(status.responses.server_errors, then.responses.server_errors);
            point.handshakes_per_s = rate(status.tls.handshakes, then.tls.handshakes);
            let times = status.request_time.since(&then.request_time);
            (point.p50_ms, point.p95_ms) = (times.percentile_ms(50.0), times.percentile_ms(95.0));
            point.p99_ms = times.percentile_ms(99.0);
        }
        push(&mut self.points, point, POINTS);
        push(&mut self.states, (unix_ms, status), STATES + 1);
    }

    pub(super) fn happened(&mut self, event: Event) {
        push(&mut self.events, event, EVENTS);
    }

    pub(super) fn figures(&self, hosts: Vec<HostRow>, unix_ms: u64) -> Figures {
        let events = self.events.iter().rev().cloned().collect();
        match (self.states.back(), self.states.front()) {
            (Some((now_ms, now)), Some((then_ms, then))) => {
                Figures::of(now, then, now_ms.saturating_sub(*then_ms), *now_ms, hosts, events)
            }
            _ => Figures { at_ms: unix_ms, hosts, events, ..Figures::default() },
        }
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    while queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}
