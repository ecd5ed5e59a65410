//! Retries as events: all of them, counted up second by second, for readers of `/events`; and those beyond a rate, for
//! the dashboard, whose list is short.

use std::collections::BTreeMap;

use proxy::{Event, RETRIES, ServerStatus, Status, UpstreamStatus};

/// Retries that the dashboard tells: more than such a part of the upstream's requests since the last look, for fewer
/// are what a server's restart or a closed connection costs; and so many at least, for one of ten requests is no rate.
const TOLD_PERCENT: u64 = 1;
const TOLD_LEAST: u64 = 5;

/// Seconds in a row without such retries after which a run of them is over.
const RUN_ENDS_AFTER_S: u32 = 10;

/// Retries between looks, which are a second apart.
#[derive(Debug, Default)]
pub(in crate::run) struct RetryCounts {
    /// Upstreams as they were last seen; none before the first look, which is what is counted from.
    before: Option<Vec<UpstreamStatus>>,
    /// What is told of by one event each, by the names of upstream and server.
    runs: BTreeMap<(String, String), Run>,
}

/// What came to a server since the last look, and to all of its upstream.
struct Came<'s> {
    upstream: &'s str,
    server: &'s str,
    retries: u64,
    attempts_of_all: u64,
}

/// Seconds with retries beyond the rate, and what is between them.
#[derive(Debug, Default)]
struct Run {
    began_ms: u64,
    seconds: u32,
    /// Of these, those since the last that was beyond the rate.
    quiet: u32,
    retries: u64,
    attempts: u64,
}

impl RetryCounts {
    /// An event for each server that saw retries since the last time.
    pub(in crate::run) fn count(&mut self, status: &Status, at_ms: u64) -> Vec<Event> {
        let why = "requests repeated after an attempt at this server";
        let came = self.look(status).into_iter().filter(|came| came.retries > 0);
        came.map(|came| event(came.upstream, came.server, why.to_owned(), came.retries, at_ms)).collect()
    }

    /// An event for each server that sees more of them than is usual: the same one, with its beginning, grows for as
    /// long as that goes on.
    pub(in crate::run) fn beyond_a_rate(&mut self, status: &Status, at_ms: u64) -> Vec<Event> {
        let mut by_name: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
        for came in self.look(status) {
            let (retries, attempts) = by_name.entry((came.upstream, came.server)).or_default();
            (*retries, *attempts) = (*retries + came.retries, came.attempts_of_all);
        }
        let mut news = Vec::new();
        let mut runs = BTreeMap::new();
        for ((upstream, server), (retries, attempts)) in by_name {
            let key = (upstream.to_owned(), server.to_owned());
            let is_told = retries >= TOLD_LEAST && retries * 100 > attempts * TOLD_PERCENT;
            let known = self.runs.remove(&key);
            let Some(mut run) = known.or_else(|| is_told.then(|| Run { began_ms: at_ms, ..Run::default() })) else {
                continue;
            };
            run.add(retries, attempts, is_told);
            if is_told {
                news.push(event(upstream, server, run.why(), run.retries, run.began_ms));
            }
            if run.quiet < RUN_ENDS_AFTER_S {
                runs.insert(key, run);
            }
        }
        self.runs = runs;
        news
    }

    /// What came since the last look.
    fn look<'s>(&mut self, status: &'s Status) -> Vec<Came<'s>> {
        let Some(before) = self.before.replace(status.upstreams.clone()) else { return Vec::new() };
        let mut all = Vec::new();
        for upstream in &status.upstreams {
            let before = before.iter().find(|before| before.name == upstream.name);
            let came = |of: fn(&ServerStatus) -> u64| {
                upstream.servers.iter().enumerate().map(move |(at, server)| {
                    of(server).saturating_sub(before.and_then(|before| before.server(at, server)).map_or(0, of))
                })
            };
            let attempts_of_all = came(|server| server.requests).sum();
            let named = upstream.servers.iter().map(|server| server.name.as_str());
            all.extend(named.zip(came(|server| server.retries)).map(|(server, retries)| Came {
                upstream: &upstream.name,
                server,
                retries,
                attempts_of_all,
            }));
        }
        all
    }
}

impl Run {
    fn add(&mut self, retries: u64, attempts: u64, is_told: bool) {
        self.seconds += 1;
        self.quiet = if is_told { 0 } else { self.quiet + 1 };
        self.retries += retries;
        self.attempts += attempts;
    }

    fn why(&self) -> String {
        let Self { seconds, retries, attempts, .. } = self;
        format!("{retries} of {attempts} attempts in {seconds} s were at this server and were repeated")
    }
}

fn event(upstream: &str, server: &str, why: String, count: u64, at_ms: u64) -> Event {
    Event { at_ms, event: RETRIES, upstream: upstream.to_owned(), server: server.to_owned(), why, count }
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

    /// An address that is written twice has counts of each, and a server that has moved up keeps its own.
    #[test]
    fn what_came_is_each_servers_own() {
        let mut counts = RetryCounts::default();
        let status = |servers: &[(&str, u64)]| {
            let server = |(address, retries): &(&str, u64)| ServerStatus {
                address: (*address).into(),
                requests: *retries,
                retries: *retries,
                ..ServerStatus::default()
            };
            let servers = servers.iter().map(server).collect();
            let upstreams = vec![UpstreamStatus { name: "app".into(), servers, ..UpstreamStatus::default() }];
            Status { upstreams, ..Status::default() }
        };
        let twice = [("10.0.0.1:80", 50), ("10.0.0.1:80", 7)];
        assert!(counts.beyond_a_rate(&status(&twice), 1).is_empty());
        assert!(counts.beyond_a_rate(&status(&twice), 2).is_empty(), "nothing came");
        let moved = [("10.0.0.2:80", 6), ("10.0.0.1:80", 7)];
        let news = counts.beyond_a_rate(&status(&moved), 3);
        assert_eq!(news.iter().map(|event| event.count).collect::<Vec<_>>(), [6], "{news:?}");
    }

    #[test]
    fn a_run_of_retries_is_one_event_that_grows() {
        let mut counts = RetryCounts::default();
        let mut told = Vec::new();
        let mut all = (0, 0);
        // Five seconds of them, one apart from these, and others when that is long over.
        for second in 0..40_u64 {
            let retries = if matches!(second, 1..=5 | 8 | 30) { 10 } else { 1 };
            all = (all.0 + 100, all.1 + retries);
            told.extend(counts.beyond_a_rate(&status(all.0, all.1), second * 1_000));
        }
        let seen: Vec<_> = told.iter().map(|event| (event.at_ms, event.count)).collect();
        let first = [10, 20, 30, 40, 50, 62].map(|count| (1_000, count));
        assert_eq!(seen, [&first[..], &[(30_000, 10)]].concat());
        assert_eq!(told[5].why, "62 of 800 attempts in 8 s were at this server and were repeated");
    }
}
