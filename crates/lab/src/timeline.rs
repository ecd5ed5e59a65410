//! What happened when: the faults, what the balancer made of them, what it cost. Pure; times are milliseconds from the
//! start of the measured load.

use serde::Serialize;

use crate::faults::Action;
use crate::watch::{Event, ServerStatus};

/// Moments kept: a server that goes up and down all the time fills no memory.
const MOMENTS_MAX: usize = 1_000;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub at_ms: u64,
    /// To which server, by name.
    pub server: String,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A fault was done to it.
    Fault(Action),
    /// Its process has ended and nobody in the lab told it to.
    Ended {
        /// How.
        status: String,
    },
    /// Its process listens again.
    Listens,
    /// The balancer sends it no more requests.
    Down {
        /// What the balancer saw.
        why: String,
    },
    /// The balancer sends it requests again.
    Up,
}

/// A server that failed and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// The server's name.
    pub server: String,
    /// What was done to it first.
    pub action: Action,
    /// When.
    pub at_ms: u64,
    /// When the balancer stopped sending it requests; `at_ms` if it sent none already.
    pub noticed_ms: Option<u64>,
    /// When its process listened or ran again.
    pub back_ms: Option<u64>,
    /// When it first answered again.
    pub serving_ms: Option<u64>,
    /// Requests that failed at it and that the balancer gave to another, up to then.
    pub retried: u64,
    /// Requests of the load that failed meanwhile, wherever.
    pub lost: u64,
}

/// The time line of one run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// All that happened, in the order in which it became known.
    pub moments: Vec<Moment>,
    /// Every failure of a server.
    pub incidents: Vec<Incident>,
    /// What the counters said when each incident began; as many.
    #[serde(skip)]
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    retries: u64,
    lost: u64,
    /// Requests that the server had answered when it came back.
    answered: u64,
}

/// What is known of a server at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The server's name.
    pub server: &'a str,
    /// What the balancer says of it.
    pub status: &'a ServerStatus,
    /// Failed requests of the load until now.
    pub lost: u64,
}

impl Timeline {
    /// A fault was done.
    pub fn fault(&mut self, at_ms: u64, action: Action, seen: Seen<'_>) {
        self.push(at_ms, seen.server, What::Fault(action));
        let is_away = self.open(seen.server).is_some_and(|index| self.incidents[index].back_ms.is_none());
        match action {
            Action::Resume => self.back(at_ms, seen),
            // The restart that ends a failure is none of its own.
            Action::Restart if is_away => {}
            _ => self.begin(at_ms, action, seen),
        }
    }

    /// A server's process has ended by itself, or somebody else has ended it.
    pub fn ended(&mut self, at_ms: u64, status: String, seen: Seen<'_>) {
        self.push(at_ms, seen.server, What::Ended { status });
        self.begin(at_ms, Action::Exit, seen);
    }

    /// A server's process listens again.
    pub fn listens(&mut self, at_ms: u64, seen: Seen<'_>) {
        self.push(at_ms, seen.server, What::Listens);
        self.back(at_ms, seen);
    }

    /// The balancer told of an event of the server called `server`.
    pub fn event(&mut self, at_ms: u64, server: &str, event: &Event) {
        match event.event.as_str() {
            "down" | "unhealthy" => {
                self.push(at_ms, server, What::Down { why: event.why.clone() });
                self.change(server, |incident| incident.noticed_ms = incident.noticed_ms.or(Some(at_ms)));
            }
            "up" | "healthy" => {
                self.push(at_ms, server, What::Up);
                self.change(server, |incident| incident.serving_ms = incident.back_ms.map(|_| at_ms));
            }
            _ => {}
        }
    }

    /// The counters of a server, a few times a second.
    pub fn observe(&mut self, at_ms: u64, seen: Seen<'_>) {
        let Some(index) = self.open(seen.server) else { return };
        let (incident, mark) = (&mut self.incidents[index], self.marks[index]);
        incident.retried = seen.status.retries.saturating_sub(mark.retries);
        incident.lost = seen.lost.saturating_sub(mark.lost);
        if incident.back_ms.is_some() && seen.status.is_up() && answered(seen.status) > mark.answered {
            incident.serving_ms = Some(at_ms);
        }
    }

    /// The whole line by time: events arrive a little late.
    pub fn sorted(mut self) -> Self {
        self.moments.sort_by_key(|moment| moment.at_ms);
        self
    }

    fn begin(&mut self, at_ms: u64, action: Action, seen: Seen<'_>) {
        self.incidents.push(Incident {
            server: seen.server.to_owned(),
            action,
            at_ms,
            noticed_ms: (!seen.status.is_up()).then_some(at_ms),
            back_ms: None,
            serving_ms: None,
            retried: 0,
            lost: 0,
        });
        self.marks.push(Mark { retries: seen.status.retries, lost: seen.lost, answered: u64::MAX });
    }

    fn back(&mut self, at_ms: u64, seen: Seen<'_>) {
        if let Some(index) = self.open(seen.server) {
            self.incidents[index].back_ms = Some(at_ms);
            self.marks[index].answered = answered(seen.status);
        }
    }

    /// The incident of a server that is not over: its last, for a new one takes the place of those before.
    fn open(&self, server: &str) -> Option<usize> {
        let last = self.incidents.iter().rposition(|incident| incident.server == server)?;
        self.incidents[last].serving_ms.is_none().then_some(last)
    }

    fn change(&mut self, server: &str, change: impl FnOnce(&mut Incident)) {
        if let Some(index) = self.open(server) {
            change(&mut self.incidents[index]);
        }
    }

    fn push(&mut self, at_ms: u64, server: &str, what: What) {
        if self.moments.len() < MOMENTS_MAX {
            self.moments.push(Moment { at_ms, server: server.to_owned(), what });
        }
    }
}

fn answered(status: &ServerStatus) -> u64 {
    status.requests.saturating_sub(status.failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: &str, requests: u64, failures: u64, retries: u64) -> ServerStatus {
        ServerStatus { state: state.into(), requests, failures, retries, ..ServerStatus::default() }
    }

    fn seen(status: &ServerStatus, lost: u64) -> Seen<'_> {
        Seen { server: "liberty-2", status, lost }
    }

    fn event(event: &str) -> Event {
        Event { event: event.into(), why: "connection refused".into(), ..Event::default() }
    }

    #[test]
    fn a_kill_noticed_and_repaired() {
        let mut line = Timeline::default();
        line.fault(15_000, Action::Kill, seen(&status("up", 1000, 0, 2), 1));
        line.event(15_004, "liberty-2", &event("down"));
        line.observe(15_100, seen(&status("down", 1005, 5, 7), 1));
        line.fault(30_000, Action::Restart, seen(&status("down", 1005, 5, 7), 1));
        line.listens(30_012, seen(&status("down", 1005, 5, 7), 1));
        line.observe(44_000, seen(&status("down", 1006, 5, 7), 3));
        line.event(45_004, "liberty-2", &event("up"));
        line.observe(45_100, seen(&status("up", 1300, 5, 7), 4));
        let expected = Incident {
            server: "liberty-2".into(),
            action: Action::Kill,
            at_ms: 15_000,
            noticed_ms: Some(15_004),
            back_ms: Some(30_012),
            serving_ms: Some(45_004),
            retried: 5,
            lost: 2,
        };
        assert_eq!(line.incidents, [expected]);
        let moments: Vec<u64> = line.moments.iter().map(|moment| moment.at_ms).collect();
        assert_eq!(moments, [15_000, 15_004, 30_000, 30_012, 45_004]);
    }

    #[test]
    fn one_that_the_balancer_did_not_notice_is_over_with_the_first_answer() {
        let mut line = Timeline::default();
        line.fault(1_000, Action::Pause, seen(&status("up", 10, 0, 0), 0));
        line.observe(1_200, seen(&status("up", 14, 0, 0), 0));
        line.fault(2_000, Action::Resume, seen(&status("up", 14, 0, 0), 0));
        line.observe(2_200, seen(&status("up", 14, 0, 0), 0));
        line.observe(2_400, seen(&status("up", 15, 0, 0), 0));
        line.observe(2_600, seen(&status("up", 25, 9, 9), 9));
        let incident = &line.incidents[0];
        assert_eq!((incident.noticed_ms, incident.back_ms, incident.serving_ms), (None, Some(2_000), Some(2_400)));
        assert_eq!((incident.retried, incident.lost), (0, 0));
    }

    #[test]
    fn each_failure_is_an_incident_of_its_own() {
        let mut line = Timeline::default();
        let up = status("up", 10, 0, 0);
        line.fault(1_000, Action::Pause, seen(&up, 0));
        line.fault(2_000, Action::Kill, seen(&up, 0));
        line.fault(3_000, Action::Restart, seen(&up, 0));
        line.listens(3_010, seen(&up, 0));
        line.observe(3_100, seen(&status("up", 20, 0, 0), 0));
        line.fault(4_000, Action::Restart, seen(&status("up", 20, 0, 0), 0));
        let shown: Vec<(u64, Action)> = line.incidents.iter().map(|each| (each.at_ms, each.action)).collect();
        assert_eq!(shown, [(1_000, Action::Pause), (2_000, Action::Kill), (4_000, Action::Restart)]);
    }

    #[test]
    fn a_failure_of_a_server_that_counts_as_down_has_a_row() {
        let mut line = Timeline::default();
        line.fault(1_000, Action::Restart, seen(&status("up", 10, 0, 0), 0));
        line.event(1_002, "liberty-2", &event("down"));
        let down = status("down", 12, 2, 2);
        line.listens(1_020, seen(&down, 0));
        line.fault(2_000, Action::Kill, seen(&down, 0));
        line.fault(3_000, Action::Restart, seen(&down, 0));
        line.listens(3_020, seen(&down, 0));
        line.event(31_002, "liberty-2", &event("up"));
        let times = |each: &Incident| (each.action, each.noticed_ms, each.back_ms, each.serving_ms);
        let shown: Vec<_> = line.incidents.iter().map(times).collect();
        let expected =
            [(Action::Restart, Some(1_002), Some(1_020), None), (Action::Kill, Some(2_000), Some(3_020), Some(31_002))];
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_end_that_nobody_planned_is_a_failure_too() {
        let mut line = Timeline::default();
        let up = status("up", 10, 0, 0);
        line.ended(1_000, "signal: 9 (SIGKILL)".into(), seen(&up, 0));
        line.fault(2_000, Action::Restart, seen(&up, 0));
        line.listens(2_010, seen(&up, 0));
        let shown: Vec<_> = line.incidents.iter().map(|each| (each.at_ms, each.action, each.back_ms)).collect();
        assert_eq!(shown, [(1_000, Action::Exit, Some(2_010))]);
        assert_eq!(line.moments[0].what, What::Ended { status: "signal: 9 (SIGKILL)".into() });
    }

    #[test]
    fn late_events_go_to_their_place() {
        let mut line = Timeline::default();
        let up = status("up", 0, 0, 0);
        line.fault(1_000, Action::Kill, seen(&up, 0));
        line.fault(2_000, Action::Restart, seen(&up, 0));
        line.event(1_003, "liberty-2", &event("down"));
        let moments: Vec<u64> = line.sorted().moments.iter().map(|moment| moment.at_ms).collect();
        assert_eq!(moments, [1_000, 1_003, 2_000]);
    }
}
