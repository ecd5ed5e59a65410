//! What came of each request of a drill, and what that adds up to. Pure; times are milliseconds from the load's
//! beginning.

use std::collections::HashMap;

use serde::Serialize;

use super::fault::Fault;

/// How soon a server that fails must get no more requests.
pub const NOTICED_MAX_MS: u64 = 2_200;
/// How soon a server that is back must get requests again, and clients answers.
pub const BACK_MAX_MS: u64 = 500;
/// Kinds of failures that a row keeps.
const FAILURES_MAX: usize = 20;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A page, or a page of a session: may be repeated.
    Get,
    /// An order: may not.
    Post,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// With the answer that it should have.
    Good,
    /// Without one; no byte of it had come.
    Failed(String),
    /// In the middle of an answer.
    CutOff,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) began_ms: u64,
    pub(super) ended_ms: u64,
    pub(super) end: End,
    /// The server that answered.
    pub(super) server: Option<usize>,
    /// The server of the session that is lost by it.
    pub(super) lost_session: Option<usize>,
    /// The id of an order.
    pub(super) order: Option<String>,
}

/// When the fault was, and whose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from_ms: u64,
    /// The servers that fail, each with the time of its return.
    pub(super) victims: Vec<(usize, u64)>,
}

/// What was seen besides the requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) window: Window,
    /// When the balancer stopped sending requests to a server.
    pub(super) noticed: Vec<(usize, u64)>,
    /// How often each order was carried out.
    pub(super) orders: HashMap<String, u32>,
    pub(super) retried: Option<u64>,
    pub(super) sessions: usize,
    /// Requests that were due and not sent.
    pub(super) unsent: u64,
}

/// One fault at one balancer: a row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The fault.
    pub fault: Fault,
    /// The balancer's name.
    pub balancer: &'static str,
    /// From the fault until the balancer sent no more requests to the last server that failed, by its own word.
    pub noticed_ms: Option<u64>,
    /// Requests sent.
    pub requests: u64,
    /// GETs without an answer, or with one that is an error.
    pub gets_failed: u64,
    /// Of them those for which there was no server.
    pub gets_without_server: u64,
    /// GETs whose answer had begun and did not end.
    pub gets_cut_off: u64,
    /// POSTs without a good answer.
    pub posts_failed: u64,
    /// POSTs that were done more than once.
    pub posts_twice: u64,
    /// POSTs that were answered as done and were not.
    pub posts_undone: u64,
    /// Attempts that were followed by another one, where the balancer says so.
    pub retried: Option<u64>,
    /// Sessions that were asked through.
    pub sessions: usize,
    /// Sessions that were lost.
    pub sessions_lost: u64,
    /// Of them those of servers that had not failed.
    pub sessions_lost_elsewhere: u64,
    /// From the return of a server to its first answer to a request that began later: the longest of them.
    pub back_after_ms: Option<u64>,
    /// Requests that were due and could not be sent.
    pub unsent: u64,
    /// How requests failed, the most frequent first.
    pub failures: Vec<(String, u64)>,
    /// Why there is no more to say than this.
    pub note: Option<String>,
}

impl Row {
    /// A row that only says why it is empty.
    pub(super) fn empty(fault: Fault, balancer: &'static str, note: &str) -> Self {
        Self { note: Some(note.to_owned()), ..Self::of(fault, balancer, &[], &Seen::default()) }
    }

    /// What requests and the rest add up to.
    pub(super) fn of(fault: Fault, balancer: &'static str, records: &[Record], seen: &Seen) -> Self {
        let count = |is: &dyn Fn(&Record) -> bool| records.iter().filter(|record| is(record)).count() as u64;
        let is_failed = |record: &Record| matches!(record.end, End::Failed(_));
        let is_victim = |server: usize| seen.window.victims.iter().any(|(victim, _)| *victim == server);
        Self {
            fault,
            balancer,
            noticed_ms: noticed(seen),
            requests: records.len() as u64,
            gets_failed: count(&|record| record.kind == Kind::Get && is_failed(record)),
            gets_without_server: count(&|record| {
                record.kind == Kind::Get && is_failed(record) && fault.takes_all() && is_while_down(record, seen)
            }),
            gets_cut_off: count(&|record| record.kind == Kind::Get && record.end == End::CutOff),
            posts_failed: count(&|record| record.kind == Kind::Post && record.end != End::Good),
            posts_twice: seen.orders.values().filter(|count| **count > 1).count() as u64,
            posts_undone: count(&|record| {
                record.end == End::Good && record.order.as_ref().is_some_and(|id| !seen.orders.contains_key(id))
            }),
            retried: seen.retried,
            sessions: seen.sessions,
            sessions_lost: count(&|record| record.lost_session.is_some()),
            sessions_lost_elsewhere: count(&|record| record.lost_session.is_some_and(|server| !is_victim(server))),
            back_after_ms: back_after(records, seen),
            unsent: seen.unsent,
            failures: failures(records),
            note: None,
        }
    }

    /// What does not hold of what must.
    pub fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                breaches.push(what);
            }
        };
        let failed = self.gets_failed - self.gets_without_server;
        must(failed == 0, format!("{failed} GETs failed"));
        must(self.posts_twice == 0, format!("{} POSTs were done twice", self.posts_twice));
        must(self.posts_undone == 0, format!("{} POSTs were answered and not done", self.posts_undone));
        let elsewhere = self.sessions_lost_elsewhere;
        must(elsewhere == 0, format!("{elsewhere} sessions of servers that had not failed were lost"));
        must(self.unsent == 0, format!("{} requests could not be sent: the machine is too slow", self.unsent));
        if self.fault.is_noticed() {
            must(
                self.noticed_ms.is_some_and(|ms| ms <= NOTICED_MAX_MS),
                late("noticed", self.noticed_ms, NOTICED_MAX_MS),
            );
            must(self.back_after_ms.is_some_and(|ms| ms <= BACK_MAX_MS), late("back", self.back_after_ms, BACK_MAX_MS));
        }
        breaches
    }
}

fn late(what: &str, seen_ms: Option<u64>, most_ms: u64) -> String {
    match seen_ms {
        None => format!("not {what}"),
        Some(seen_ms) => format!("{what} after {seen_ms} ms, {most_ms} ms at most"),
    }
}

/// The latest of the first words on each server that failed.
fn noticed(seen: &Seen) -> Option<u64> {
    let Window { from_ms, victims } = &seen.window;
    let first = |victim: usize| {
        let words = seen.noticed.iter().filter(|(server, at_ms)| *server == victim && at_ms >= from_ms);
        words.map(|(_, at_ms)| at_ms - from_ms).min()
    };
    let all: Option<Vec<u64>> = victims.iter().map(|(victim, _)| first(*victim)).collect();
    all?.into_iter().max()
}

/// The longest wait of a server that is back for a request that began later.
fn back_after(records: &[Record], seen: &Seen) -> Option<u64> {
    let first = |victim: usize, back_ms: u64| {
        let its =
            |record: &&Record| record.server == Some(victim) && record.began_ms >= back_ms && record.end == End::Good;
        records.iter().filter(its).map(|record| record.ended_ms - back_ms).min()
    };
    let all: Option<Vec<u64>> = seen.window.victims.iter().map(|(victim, back_ms)| first(*victim, *back_ms)).collect();
    all?.into_iter().max()
}

/// Whether a request was under way while there was no server, or within the time that they may take to be back.
fn is_while_down(record: &Record, seen: &Seen) -> bool {
    let back_ms = seen.window.victims.iter().map(|(_, back_ms)| *back_ms).min().unwrap_or(0);
    record.ended_ms >= seen.window.from_ms && record.began_ms <= back_ms + BACK_MAX_MS
}

fn failures(records: &[Record]) -> Vec<(String, u64)> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for record in records {
        let what = match &record.end {
            End::Good => continue,
            End::Failed(what) => what.as_str(),
            End::CutOff => "cut off",
        };
        *counts.entry(format!("{:?}: {what}", record.kind).to_lowercase()).or_default() += 1;
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(FAILURES_MAX);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(began_ms: u64, ended_ms: u64, end: End, server: Option<usize>) -> Record {
        Record { kind: Kind::Get, began_ms, ended_ms, end, server, lost_session: None, order: None }
    }

    fn post(id: &str, end: End) -> Record {
        Record { kind: Kind::Post, order: Some(id.to_owned()), ..get(2_000, 2_001, end, Some(0)) }
    }

    fn failed() -> End {
        End::Failed("502".to_owned())
    }

    fn seen(victims: &[(usize, u64)], noticed: &[(usize, u64)]) -> Seen {
        let window = Window { from_ms: 2_000, victims: victims.to_vec() };
        Seen { window, noticed: noticed.to_vec(), ..Seen::default() }
    }

    #[test]
    fn times_count_from_the_fault_and_from_the_return() {
        let records = [
            get(5_900, 6_010, End::Good, Some(1)),
            get(6_100, 6_103, failed(), None),
            get(6_150, 6_151, End::Good, Some(0)),
            get(6_200, 6_204, End::Good, Some(1)),
        ];
        let row = Row::of(Fault::Hang, "bedloe", &records, &seen(&[(1, 6_000)], &[(1, 1_900), (0, 2_100), (1, 3_900)]));
        assert_eq!((row.noticed_ms, row.back_after_ms), (Some(1_900), Some(204)));
        assert_eq!(row.breaches(), ["1 GETs failed"]);
        let row = Row::of(Fault::Hang, "bedloe", &records[..1], &seen(&[(1, 6_000)], &[]));
        assert_eq!(row.breaches(), ["not noticed", "not back"]);
    }

    #[test]
    fn with_all_servers_down_requests_may_fail_until_they_are_back() {
        let victims = [(0, 5_000), (1, 5_100)];
        let noticed = [(0, 2_001), (1, 2_002)];
        let good = [get(5_300, 5_301, End::Good, Some(0)), get(5_300, 5_301, End::Good, Some(1))];
        let table = [(1_990, 2_005, 0), (4_000, 4_001, 0), (5_400, 5_401, 0), (5_600, 5_601, 1), (1_000, 1_001, 1)];
        for (began_ms, ended_ms, breaches) in table {
            let records = [&good[..], &[get(began_ms, ended_ms, failed(), None)]].concat();
            let row = Row::of(Fault::AllDown, "bedloe", &records, &seen(&victims, &noticed));
            assert_eq!(row.breaches().len(), breaches, "{began_ms}: {:?}", row.breaches());
        }
        let late = [get(5_700, 5_701, End::Good, Some(0)), good[1].clone()];
        let row = Row::of(Fault::AllDown, "bedloe", &late, &seen(&victims, &noticed));
        assert_eq!(row.breaches(), ["back after 701 ms, 500 ms at most"]);
    }

    #[test]
    fn orders_are_done_once_or_not_at_all() {
        let records = [post("a", End::Good), post("b", End::Good), post("c", failed()), post("d", End::CutOff)];
        let orders = [("a", 2), ("c", 1)].map(|(id, count)| (id.to_owned(), count));
        let row = Row::of(Fault::Reload, "bedloe", &records, &Seen { orders: orders.into(), ..seen(&[], &[]) });
        assert_eq!((row.posts_failed, row.posts_twice, row.posts_undone), (2, 1, 1));
        assert_eq!(row.breaches(), ["1 POSTs were done twice", "1 POSTs were answered and not done"]);
        assert_eq!(row.failures, [("post: 502".to_owned(), 1), ("post: cut off".to_owned(), 1)]);
    }

    #[test]
    fn sessions_of_a_server_that_failed_may_be_lost() {
        let lost = |server| Record { lost_session: Some(server), ..get(3_000, 3_001, End::Good, Some(0)) };
        let row = Row::of(Fault::Race, "bedloe", &[lost(1), lost(1), lost(2)], &seen(&[(1, 6_000)], &[]));
        assert_eq!((row.sessions_lost, row.sessions_lost_elsewhere), (3, 1));
        assert_eq!(row.breaches(), ["1 sessions of servers that had not failed were lost"]);
    }
}
