//! Checks in the simulated world: what they find, and the requests that move on because of it.

use balance::{Checks, Failure};

use super::servers::Health;
use super::world::{Event, World};

/// How often each server is checked.
const EACH_MS: u64 = 500;

impl World {
    /// Checks all servers that have checks.
    pub(super) fn check(&mut self) {
        for peer in 0..self.servers.len() {
            self.check_one(peer);
        }
        if self.goes_on() {
            self.after(EACH_MS, Event::Check);
        }
    }

    fn check_one(&mut self, peer: usize) {
        let (now_ms, known) = (self.now(), &self.group.peers()[peer]);
        if known.settings().checks == Checks::None {
            return;
        }
        let is_well = self.servers[peer].health == Health::Alive;
        known.count_check(is_well);
        if !known.set_well(is_well, now_ms) || is_well {
            return;
        }
        assert!(known.is_unhealthy(), "server {peer} is not well and taken for well");
        let mut waiting: Vec<u64> =
            self.requests.iter().filter(|(_, request)| request.peer == peer).map(|(number, _)| *number).collect();
        waiting.sort_unstable();
        for number in waiting {
            let request = &self.requests[&number];
            let leaves = request.course.leaves(request.known, self.budget.as_ref(), now_ms);
            if leaves && self.group.has_another(&request.attempts, now_ms) {
                self.tally.moved += 1;
                self.failed(number, Failure::Unhealthy);
            }
        }
    }
}
