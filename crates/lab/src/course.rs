//! What each process of a lab did over time: its counts a second apart, for charts. Counts and no rates, so that in a
//! long run every second of them can be left out and nothing is lost but detail.

use serde::{Deserialize, Serialize};

use crate::processes::Usage;
use crate::watch::ServerStatus;

/// Moments that are kept: in a longer run they are two seconds apart, four and so on.
pub const MOMENTS_MAX: usize = 3_600;
/// Between two moments of a run that is not longer.
const STEP_MS: u64 = 1_000;

/// The course of all processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// When the counts were taken, from the start of the measured load.
    pub at_ms: Vec<u64>,
    /// The injector, the balancer, the servers.
    pub processes: Vec<ProcessCourse>,
    /// How far apart they are, at least.
    #[serde(skip)]
    step_ms: u64,
}

/// The course of one process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessCourse {
    /// Its name.
    pub name: String,
    /// What was counted until each moment.
    pub counts: Vec<Counts>,
}

/// What was counted of a process until a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// CPU time, over all its lives.
    pub cpu_ms: u64,
    /// Memory in RAM at that moment; 0 where it did not run.
    pub resident_bytes: u64,
    /// Context switches.
    pub switches: u64,
    /// Requests that the balancer took, or that it sent to this server.
    pub requests: u64,
    /// Of a server: those that failed.
    pub failures: u64,
    /// Of a server: whether the balancer sends it requests.
    pub is_up: bool,
}

impl Counts {
    /// What a process used until a moment.
    pub fn new(usage: &Usage, requests: u64) -> Self {
        let Usage { cpu_ms, resident_bytes, switches, .. } = *usage;
        Self { cpu_ms, resident_bytes, switches, requests, failures: 0, is_up: true }
    }

    pub(crate) fn of_server(usage: &Usage, status: Option<&ServerStatus>) -> Self {
        let nothing = ServerStatus::default();
        let status = status.unwrap_or(&nothing);
        Self { failures: status.failures, is_up: status.is_up(), ..Self::new(usage, status.requests) }
    }
}

impl Course {
    /// One of these processes.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let process = |name: &str| ProcessCourse { name: name.to_owned(), counts: Vec::new() };
        Self { at_ms: Vec::new(), processes: names.map(process).collect(), step_ms: STEP_MS }
    }

    /// Context switches of a process until the last moment.
    pub fn switches(&self, process: usize) -> u64 {
        self.processes.get(process).and_then(|process| process.counts.last()).map_or(0, |counts| counts.switches)
    }

    /// Whether it is time for the counts of another moment.
    pub fn is_due(&self, at_ms: u64) -> bool {
        let step_ms = self.step_ms.max(STEP_MS);
        self.at_ms.last().is_none_or(|last| at_ms / step_ms > last / step_ms)
    }

    /// Takes the counts of a moment, one a process in their order.
    pub fn note(&mut self, at_ms: u64, counts: Vec<Counts>) {
        let last_ms = self.at_ms.last().copied();
        if last_ms.is_some_and(|last| at_ms <= last) {
            return;
        }
        // The last look of a run may follow the one before at once, and would say little of the time between.
        if self.at_ms.len() > 1 && last_ms.is_some_and(|last| at_ms - last < STEP_MS / 2) {
            self.at_ms.pop();
            for process in &mut self.processes {
                process.counts.pop();
            }
        }
        self.at_ms.push(at_ms);
        self.processes.iter_mut().zip(counts).for_each(|(process, counts)| process.counts.push(counts));
        if self.at_ms.len() > MOMENTS_MAX {
            self.step_ms *= 2;
            every_second(&mut self.at_ms);
            self.processes.iter_mut().for_each(|process| every_second(&mut process.counts));
        }
    }
}

/// Leaves every second one out; of an odd number the last one stays.
fn every_second<T>(list: &mut Vec<T>) {
    let mut at = 0;
    list.retain(|_| {
        at += 1;
        at % 2 == 1
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_fewer_moments_and_all_of_what_was_counted() {
        let mut course = Course::new(["balancer"].into_iter());
        let mut taken = 0;
        for look in 0..50_000_u64 {
            let at_ms = look * 200 + 7;
            if course.is_due(at_ms) {
                let usage = Usage { cpu_ms: at_ms, ..Usage::default() };
                course.note(at_ms, vec![Counts::new(&usage, at_ms)]);
                taken += 1;
            }
        }
        assert!(taken < 10_000 && course.at_ms.len() <= MOMENTS_MAX && course.at_ms.len() > MOMENTS_MAX / 2);
        let counts = &course.processes[0].counts;
        assert!(course.at_ms.iter().zip(counts).all(|(at_ms, counts)| counts.cpu_ms == *at_ms));
        let steps: Vec<u64> = course.at_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| *step == steps[0]), "{:?}", &steps[..9]);
        assert_eq!((course.at_ms[0], steps[0]), (7, 4_000));
    }

    #[test]
    fn the_first_look_counts_and_one_a_second_after_it() {
        let mut course = Course::new(["a", "b"].into_iter());
        for at_ms in [3, 205, 804, 1_001, 1_203, 2_200, 2_200] {
            if course.is_due(at_ms) {
                course.note(at_ms, vec![Counts::default(); 2]);
            }
        }
        assert_eq!(course.at_ms, [3, 1_001, 2_200]);
        course.note(2_400, vec![Counts::default(); 2]);
        assert_eq!(course.at_ms, [3, 1_001, 2_400]);
        assert!(course.processes.iter().all(|process| process.counts.len() == 3));
    }
}
