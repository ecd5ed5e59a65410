//! Retries as events: all of them, counted up second by second, for readers of `/events`; and those beyond a rate, for
//! the dashboard, whose list is short.

use std::collections::HashMap;

use proxy::{Event, ServerStatus, Status, UpstreamStatus};

/// Retries that the dashboard tells: more than such a part of the upstream's requests since the last look, for fewer
/// are what a server's restart or a closed connection costs; and so many at least, for one of ten requests is no rate.
const TOLD_PERCENT: u64 = 1;
const TOLD_LEAST: u64 = 5;

/// Retries as they were last seen, by upstream and address; and requests, by upstream.
#[derive(Debug, Default)]
pub(in crate::run) struct RetryCounts {
    retries: HashMap<(String, String), u64>,
    requests: HashMap<String, u64>,
}

impl RetryCounts {
    /// An event for each server that saw retries since the last time.
    pub(in crate::run) fn count(&mut self, status: &Status, at_ms: u64) -> Vec<Event> {
        let mut news = Vec::new();
        for upstream in &status.upstreams {
            news.extend(self.of_upstream(upstream).into_iter().map(|(server, count)| {
                let why = "requests repeated after an attempt at this server".to_owned();
                event(upstream, server, why, count, at_ms)
            }));
        }
        news
    }

    /// An event for each server that saw more of them than is usual. The first time is what is counted from.
    pub(in crate::run) fn beyond_a_rate(&mut self, status: &Status, at_ms: u64) -> Vec<Event> {
        let mut news = Vec::new();
        for upstream in &status.upstreams {
            let retried = self.of_upstream(upstream);
            let requests = upstream.servers.iter().map(|server| server.requests).sum::<u64>();
            let Some(before) = self.requests.insert(upstream.name.clone(), requests) else { continue };
            let requests = requests.saturating_sub(before);
            let is_told = |count: u64| count >= TOLD_LEAST && count * 100 > requests * TOLD_PERCENT;
            news.extend(retried.into_iter().filter(|(_, count)| is_told(*count)).map(|(server, count)| {
                let why = format!("{count} of {requests} attempts in a second were at this server and were repeated");
                event(upstream, server, why, count, at_ms)
            }));
        }
        news
    }

    fn of_upstream<'a>(&mut self, upstream: &'a UpstreamStatus) -> Vec<(&'a ServerStatus, u64)> {
        let mut retried = Vec::new();
        for server in &upstream.servers {
            let key = (upstream.name.clone(), server.address.clone());
            let before = self.retries.insert(key, server.retries).unwrap_or(0);
            retried.push((server, server.retries.saturating_sub(before)));
        }
        retried.retain(|(_, count)| *count > 0);
        retried
    }
}

fn event(upstream: &UpstreamStatus, server: &ServerStatus, why: String, count: u64, at_ms: u64) -> Event {
    Event { at_ms, event: "retries", upstream: upstream.name.clone(), server: server.name.clone(), why, count }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with so many retries, and one that answers the rest of the requests.
    fn status(requests: u64, retries: u64) -> Status {
        let server = |address: &str, requests, retries| ServerStatus {
            name: "app:9080".into(),
            address: address.into(),
            requests,
            retries,
            ..ServerStatus::default()
        };
        let servers = vec![server("10.0.0.1:9080", retries, retries), server("10.0.0.2:9080", requests - retries, 0)];
        let upstreams = vec![UpstreamStatus { name: "app".into(), servers, ..UpstreamStatus::default() }];
        Status { upstreams, ..Status::default() }
    }

    #[test]
    fn readers_are_told_all_and_the_dashboard_what_is_beyond_a_rate() {
        for (requests, retries, is_told) in
            [(10, 4, false), (10, 5, true), (499, 5, true), (500, 5, false), (10_000, 100, false), (10_000, 101, true)]
        {
            let (mut all, mut told) = (RetryCounts::default(), RetryCounts::default());
            assert!(told.beyond_a_rate(&status(1_000, 900), 1).is_empty(), "from before anybody looked");
            all.count(&status(1_000, 900), 1);
            let now = status(1_000 + requests, 900 + retries);
            let counts = |events: Vec<Event>| events.iter().map(|event| event.count).collect::<Vec<_>>();
            assert_eq!(counts(all.count(&now, 2)), [retries]);
            let expected = if is_told { vec![retries] } else { Vec::new() };
            assert_eq!(counts(told.beyond_a_rate(&now, 2)), expected, "{retries} of {requests}");
            assert!(all.count(&now, 3).is_empty() && told.beyond_a_rate(&now, 3).is_empty());
        }
    }
}
