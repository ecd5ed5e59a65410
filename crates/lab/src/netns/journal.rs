//! What was seen, as figures: for each fault how long new clients were not served, who had the address, what failed.
//! Pure; times are milliseconds from the start of the load.

use serde::Serialize;
use serde_json::{Value, json};

use super::plan::{Act, SHARED, is_balancer};
use super::probe::Probe;
use super::verdict::{Unexplained, Upset};
use crate::report::{self, lost};

/// How long new clients may be without service after a balancer's host is gone.
pub(super) const BACK_MS: u64 = 3_000;
/// How long two may have the address, or none, after a host is back.
pub(super) const ONE_MASTER_MS: u64 = 1_000;

/// All that such a lab measured.
#[derive(Debug)]
pub struct Report {
    /// A row a fault.
    pub rows: Vec<Row>,
    /// Who had the address from when on.
    pub masters: Vec<(u64, Vec<String>)>,
    /// What the injector measured.
    pub load: load::Report,
    /// Failed requests of the load.
    pub failed: u64,
    /// What of it, and of the probes, no take-over explains.
    pub unexplained: Unexplained,
    /// What lost packets, where any were to be lost: `netem` or `nftables`.
    pub loss: &'static str,
    /// Sessions that were visited all the time.
    pub sessions: usize,
    /// Those that began anew.
    pub sessions_lost: u64,
}

/// What a fault cost, until the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// When.
    pub at_ms: u64,
    /// What.
    pub act: Act,
    /// To which host.
    pub host: String,
    /// Probes by new clients, and those that were not answered.
    pub probes: usize,
    /// Those that were not answered.
    pub unanswered: usize,
    /// From the fault until the first answer after the last probe without; 0 where all were answered, `None` where the
    /// last one was not.
    pub back_ms: Option<u64>,
    /// From the fault until the address was where it then stayed; 0 where it did not move.
    pub settled_ms: u64,
    /// Who had the address then.
    pub masters: Vec<String>,
    /// Failed requests of the load.
    pub failed: u64,
    /// Sessions that began anew.
    pub sessions_lost: u64,
}

/// What was seen until now.
pub(super) struct Journal {
    rows: Vec<Row>,
    masters: Vec<(u64, Vec<String>)>,
    /// The counts at each row's beginning: failed requests, lost sessions.
    marks: Vec<(u64, u64)>,
    /// Failed requests until then.
    failed: Vec<(u64, u64)>,
    loss: &'static str,
    /// Requests a second.
    rate: u64,
}

impl Journal {
    pub(super) fn new(masters: Vec<String>, loss: &'static str, rate: u64) -> Self {
        let masters = vec![(0, masters)];
        Self { rows: Vec::new(), masters, marks: Vec::new(), failed: Vec::new(), loss, rate }
    }

    /// How many requests have failed until now.
    pub(super) fn failed(&mut self, at_ms: u64, count: u64) {
        if self.failed.last().map_or(0, |(_, last)| *last) < count {
            self.failed.push((at_ms, count));
        }
    }

    /// A fault is done; the counts are those of all the time before.
    pub(super) fn fault(&mut self, at_ms: u64, act: Act, host: &str, failed: u64, sessions_lost: u64) {
        self.rows.push(Row {
            at_ms,
            act,
            host: host.to_owned(),
            probes: 0,
            unanswered: 0,
            back_ms: None,
            settled_ms: 0,
            masters: Vec::new(),
            failed: 0,
            sessions_lost: 0,
        });
        self.marks.push((failed, sessions_lost));
    }

    /// Who has the address; words where that has changed.
    pub(super) fn masters(&mut self, at_ms: u64, now: Vec<String>) -> Option<String> {
        if self.masters.last().is_some_and(|(_, last)| *last == now) {
            return None;
        }
        let text = match now.as_slice() {
            [] => format!("nobody has {SHARED}"),
            [one] => format!("{one} has {SHARED}"),
            several => format!("{} have {SHARED}", several.join(" and ")),
        };
        self.masters.push((at_ms, now));
        Some(text)
    }

    /// The load is over, at that moment.
    pub(super) fn finish(
        mut self,
        end_ms: u64,
        load: load::Report,
        probes: &[Probe],
        (sessions, sessions_lost): (usize, u64),
    ) -> Report {
        let failed = lost(&load);
        // What was cut off at the end had waited until then.
        self.failed(end_ms, failed);
        let rows = self.filled(probes, failed, sessions_lost);
        let unexplained = Unexplained::of(&self.upsets(), &self.failed, probes, self.rate);
        Report { rows, masters: self.masters, load, failed, unexplained, loss: self.loss, sessions, sessions_lost }
    }

    /// When connections may break: something is done to a balancer, or the address moves. One that loses some of its
    /// packets does it all the time.
    fn upsets(&self) -> Vec<Upset> {
        let ended = |row: &Row| {
            let later = self.rows.iter().filter(|other| other.host == row.host && other.at_ms > row.at_ms);
            later.filter(|other| other.act == Act::Mend).map(|other| other.at_ms).next().unwrap_or(u64::MAX)
        };
        let of_row = |row: &Row| {
            let until_ms = if let Act::Drop(1..100) = row.act { ended(row) } else { row.at_ms };
            Upset { at_ms: row.at_ms, until_ms }
        };
        let faults = self.rows.iter().filter(|row| is_balancer(&row.host)).map(of_row);
        let moves = self.masters.iter().skip(1).map(|(at_ms, _)| Upset { at_ms: *at_ms, until_ms: *at_ms });
        let mut all: Vec<Upset> = faults.chain(moves).collect();
        all.sort_by_key(|upset| upset.at_ms);
        all
    }

    /// The rows with what was seen in their time.
    fn filled(&self, probes: &[Probe], failed: u64, sessions_lost: u64) -> Vec<Row> {
        let mut rows = self.rows.clone();
        for index in 0..rows.len() {
            let end_ms = rows.get(index + 1).map_or(u64::MAX, |next| next.at_ms);
            let (failed_then, lost_then) = self.marks.get(index + 1).copied().unwrap_or((failed, sessions_lost));
            let (failed_before, lost_before) = self.marks[index];
            let row = &mut rows[index];
            row.failed = failed_then.saturating_sub(failed_before);
            row.sessions_lost = lost_then.saturating_sub(lost_before);
            // One that was under way as something happened belongs to that.
            let is_own = |probe: &&Probe| (row.at_ms..end_ms).contains(&probe.end_ms);
            let own: Vec<&Probe> = probes.iter().filter(is_own).collect();
            row.probes = own.len();
            row.unanswered = own.iter().filter(|probe| !probe.answered).count();
            row.back_ms = match own.iter().rposition(|probe| !probe.answered) {
                None => Some(0),
                Some(last) => {
                    let later = own[last + 1..].iter().map(|probe| probe.end_ms).min();
                    later.map(|end_ms| end_ms.saturating_sub(row.at_ms))
                }
            };
            let until = |(at_ms, _): &&(u64, Vec<String>)| *at_ms < end_ms;
            if let Some((at_ms, masters)) = self.masters.iter().rfind(until) {
                row.settled_ms = at_ms.saturating_sub(row.at_ms);
                row.masters.clone_from(masters);
            }
        }
        rows
    }
}

impl Row {
    /// Whether clients may have nobody who serves them for a moment: a balancer is gone altogether.
    fn takes_a_balancer(&self) -> bool {
        is_balancer(&self.host)
            && matches!(self.act, Act::Cut | Act::Drop(100) | Act::Kill | Act::Pause | Act::StopHost)
    }

    /// What is worse than it may be.
    fn complaint(&self) -> Option<String> {
        let of = format!("{} {}", self.host, self.act.what());
        let back = self.back_ms.map_or("not within the time".to_owned(), |ms| format!("{ms} ms after"));
        if self.takes_a_balancer() && self.back_ms.is_none_or(|ms| ms > BACK_MS) {
            return Some(format!("{of}: service is back {back}, and {BACK_MS} ms are the most"));
        }
        if is_balancer(&self.host) && self.act.is_end() && (self.masters.len() != 1 || self.settled_ms > ONE_MASTER_MS)
        {
            let masters = self.masters.len();
            return Some(format!(
                "{of}: after {} ms {masters} balancers have the address, and it is to be one within {ONE_MASTER_MS} ms",
                self.settled_ms
            ));
        }
        None
    }
}

impl Report {
    /// All that is worse than it may be.
    pub fn complaints(&self) -> Vec<String> {
        let takes_sessions = |row: &Row| {
            row.host.starts_with("liberty-")
                && matches!(row.act, Act::Kill | Act::Restart | Act::StopHost | Act::StartHost)
        };
        let mut found: Vec<String> = self.rows.iter().filter_map(Row::complaint).collect();
        if self.sessions_lost > 0 && !self.rows.iter().any(takes_sessions) {
            found.push(format!("{} sessions are lost, and no server was", self.sessions_lost));
        }
        found.extend(self.unexplained.complaints());
        if self.sessions == 0 {
            found.push("no session could be begun".to_owned());
        }
        found
    }

    /// Everything as one document.
    pub fn to_json(&self) -> Value {
        let masters = |(at_ms, masters): &(u64, Vec<String>)| json!({"at_ms": at_ms, "masters": masters});
        json!({
            "faults": self.rows,
            "masters": self.masters.iter().map(masters).collect::<Vec<_>>(),
            "requests": self.load.count("http_reqs"),
            "failed": self.failed,
            "interrupted": self.load.interrupted,
            "failures": report::failures(&self.load),
            "unexplained": self.unexplained,
            "packets_lost_by": self.loss,
            "sessions": self.sessions,
            "sessions_lost": self.sessions_lost,
            "complaints": self.complaints(),
            "load": load::export::summary(&self.load, &load::stat::Stat::usual()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn probe(at_ms: u64, end_ms: u64, answered: bool) -> Probe {
        Probe { at_ms, end_ms, answered }
    }

    #[test]
    fn a_host_cut_off_and_back() {
        let mut journal = Journal::new(names(&["balancer-1"]), "nftables", 100);
        journal.fault(10_000, Act::Cut, "balancer-1", 3, 0);
        assert_eq!(journal.masters(10_020, names(&[])).as_deref(), Some("nobody has 10.0.0.10"));
        assert_eq!(journal.masters(11_100, names(&["balancer-2"])).as_deref(), Some("balancer-2 has 10.0.0.10"));
        assert_eq!(journal.masters(11_120, names(&["balancer-2"])), None);
        journal.fault(20_000, Act::Mend, "balancer-1", 13, 0);
        let probes = [
            probe(9_900, 9_901, false),
            probe(10_010, 10_510, false),
            probe(11_050, 11_550, false),
            probe(11_150, 11_152, true),
            probe(19_850, 19_999, true),
            probe(19_999, 20_020, false),
            probe(20_050, 20_051, true),
        ];
        let rows = journal.filled(&probes, 14, 0);
        let shown =
            |row: &Row| (row.probes, row.unanswered, row.back_ms, row.settled_ms, row.failed, row.masters.len());
        assert_eq!(
            rows.iter().map(shown).collect::<Vec<_>>(),
            [(4, 2, Some(1_152), 1_100, 10, 1), (2, 1, Some(51), 0, 1, 1)]
        );
        assert!(rows.iter().all(|row| row.complaint().is_none()));
    }

    #[test]
    fn what_is_too_slow_is_named() {
        let row = |act, host: &str, back_ms, settled_ms, masters: &[&str]| Row {
            at_ms: 0,
            act,
            host: host.into(),
            probes: 9,
            unanswered: 1,
            back_ms,
            settled_ms,
            masters: names(masters),
            failed: 0,
            sessions_lost: 0,
        };
        let table = [
            (row(Act::Cut, "balancer-1", Some(3_001), 0, &["a"]), "is cut off: service is back 3001 ms after"),
            (row(Act::Drop(100), "balancer-1", None, 0, &["a"]), "service is back not within the time"),
            (row(Act::Pause, "keepalived-balancer-1", None, 0, &["a"]), "service is back not within the time"),
            (row(Act::Restart, "keepalived-balancer-1", Some(0), 0, &[]), "after 0 ms 0 balancers have the address"),
            (row(Act::Mend, "balancer-1", Some(0), 1_001, &["a"]), "after 1001 ms 1 balancers have the address"),
            (row(Act::Mend, "balancer-1", Some(0), 0, &["a", "b"]), "2 balancers have the address"),
        ];
        for (row, part) in table {
            let said = row.complaint().unwrap_or_default();
            assert!(said.contains(part), "{part:?}: {said}");
        }
        for fine in [
            row(Act::Cut, "balancer-1", Some(3_000), 2_000, &["a"]),
            row(Act::Drop(10), "balancer-1", None, 0, &["a"]),
            row(Act::Kill, "liberty-1", None, 0, &["a"]),
            row(Act::Mend, "liberty-1", Some(5_000), 0, &["a"]),
            row(Act::Mend, "balancer-1", Some(0), 1_000, &["a"]),
        ] {
            assert_eq!(fine.complaint(), None, "{fine:?}");
        }
    }

    #[test]
    fn what_happens_to_balancers_and_the_address_is_when_connections_may_break() {
        let mut journal = Journal::new(names(&["balancer-1"]), "nftables", 100);
        journal.fault(1_000, Act::Kill, "liberty-1", 0, 0);
        journal.fault(2_000, Act::Drop(10), "balancer-2", 0, 0);
        journal.fault(3_000, Act::Pause, "keepalived-balancer-1", 0, 0);
        journal.masters(4_000, names(&["balancer-2"]));
        journal.fault(5_000, Act::Mend, "balancer-2", 0, 0);
        let shown: Vec<(u64, u64)> = journal.upsets().iter().map(|upset| (upset.at_ms, upset.until_ms)).collect();
        assert_eq!(shown, [(2_000, 5_000), (3_000, 3_000), (4_000, 4_000), (5_000, 5_000)]);
    }
}
