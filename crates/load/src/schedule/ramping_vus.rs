//! `ramping-vus`: the number of users moves in straight lines from stage to stage, and each user goes round while the
//! number says so: a user joins when the line reaches its number, and leaves when it falls below.
//!
//! One that leaves in the middle of an iteration has `gracefulRampDown` to finish it, and goes on if it joins again
//! meanwhile.

use super::looping::Next;
use super::ramping_arrival_rate::MOST_STAGES;
use super::{Impossible, LONGEST_NS, Segment, Stage};

/// A number of users that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampingVus {
    start: u32,
    /// Stages with the time they begin and the number they begin with.
    lines: Vec<Line>,
    graceful_ramp_down_ns: u64,
    segment: Segment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    begin_ns: u64,
    duration_ns: u64,
    from: u32,
    to: u32,
}

impl RampingVus {
    /// From `start` users through the targets of `stages`.
    pub fn new(start: u32, stages: &[Stage], graceful_ramp_down_ns: u64) -> Result<Self, Impossible> {
        if stages.is_empty() || stages.len() > MOST_STAGES {
            return Err(Impossible::Stages);
        }
        let (mut begin_ns, mut from, mut lines) = (0_u64, start, Vec::new());
        for stage in stages {
            let to = u32::try_from(stage.target).map_err(|_| Impossible::Users)?;
            lines.push(Line { begin_ns, duration_ns: stage.duration_ns, from, to });
            let end_ns = begin_ns.checked_add(stage.duration_ns).filter(|ns| *ns <= LONGEST_NS);
            (begin_ns, from) = (end_ns.ok_or(Impossible::Duration)?, to);
        }
        Ok(Self { start, lines, graceful_ramp_down_ns, segment: Segment::default() })
    }

    /// How long all stages take.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.begin_ns + line.duration_ns)
    }

    /// How many stages there are.
    #[must_use]
    pub fn stages(&self) -> usize {
        self.lines.len()
    }

    /// How long users that leave may go on.
    #[must_use]
    pub fn graceful_ramp_down_ns(&self) -> u64 {
        self.graceful_ramp_down_ns
    }

    /// The most users there are at any time.
    #[must_use]
    pub fn peak(&self) -> u32 {
        let peak = self.lines.iter().map(|line| line.to).max().unwrap_or(0).max(self.start);
        u32::try_from(self.segment.count(u64::from(peak))).unwrap_or(peak)
    }

    /// Leaves the users of other segments out.
    pub(super) fn take_part(&mut self, segment: &Segment) {
        self.segment = segment.clone();
    }

    /// How many users there should be at a time.
    #[must_use]
    pub fn users_at(&self, now_ns: u64) -> u32 {
        (0..self.peak()).take_while(|user| self.is_in(*user, now_ns).is_some()).count().try_into().unwrap_or(u32::MAX)
    }

    pub(super) fn next(&self, user: u32, now_ns: u64) -> Next {
        if now_ns >= self.duration_ns() {
            return Next::End;
        }
        match self.spells(user).find(|spell| now_ns < spell.until_ns) {
            Some(spell) if spell.from_ns <= now_ns => Next::Begin,
            Some(spell) => Next::Wait(spell.from_ns),
            None => Next::End,
        }
    }

    pub(super) fn cut_off_ns(&self, user: u32, now_ns: u64, graceful_stop_ns: u64) -> u64 {
        let (end_ns, last_ns) = (self.duration_ns(), self.duration_ns().saturating_add(graceful_stop_ns));
        let mut cut_off_ns = now_ns;
        for spell in self.spells(user) {
            // Where it joins again before it would have been cut off it never was.
            if spell.from_ns > cut_off_ns.max(now_ns) {
                break;
            }
            let graceful_ns = if spell.until_ns >= end_ns { graceful_stop_ns } else { self.graceful_ramp_down_ns };
            cut_off_ns = cut_off_ns.max(spell.until_ns.saturating_add(graceful_ns));
        }
        cut_off_ns.min(last_ns)
    }

    fn is_in(&self, user: u32, now_ns: u64) -> Option<Spell> {
        self.spells(user).find(|spell| (spell.from_ns..spell.until_ns).contains(&now_ns))
    }

    /// The times that a user goes round, in order.
    fn spells(&self, user: u32) -> impl Iterator<Item = Spell> {
        let user = u32::try_from(self.segment.nth(u64::from(user))).unwrap_or(u32::MAX - 1);
        let end_ns = self.duration_ns();
        let mut lines = self.lines.iter();
        let mut joined_ns = (user < self.start).then_some(0);
        std::iter::from_fn(move || {
            for line in lines.by_ref() {
                match joined_ns {
                    None => joined_ns = line.joins_ns(user),
                    Some(from_ns) => {
                        if let Some(until_ns) = line.leaves_ns(user) {
                            joined_ns = None;
                            return Some(Spell { from_ns, until_ns });
                        }
                    }
                }
            }
            joined_ns.take().filter(|from_ns| *from_ns < end_ns).map(|from_ns| Spell { from_ns, until_ns: end_ns })
        })
    }
}

/// A time that a user goes round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spell {
    from_ns: u64,
    until_ns: u64,
}

impl Line {
    /// When the line, which lies at or below the user's number, reaches it.
    fn joins_ns(&self, user: u32) -> Option<u64> {
        (self.to > user).then(|| self.begin_ns + self.part_ns(user + 1 - self.from.min(user + 1), self.to - self.from))
    }

    /// When the line falls to the user's number, which leaves.
    fn leaves_ns(&self, user: u32) -> Option<u64> {
        (self.to <= user).then(|| self.begin_ns + self.part_ns(self.from - user, self.from - self.to))
    }

    fn part_ns(&self, steps: u32, of: u32) -> u64 {
        let ns = u128::from(self.duration_ns) * u128::from(steps) / u128::from(of.max(1));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const S: u64 = 1_000_000_000;

    fn ramp(start: u32, stages: &[(u64, u64)], graceful_ramp_down_s: u64) -> RampingVus {
        let stages: Vec<Stage> =
            stages.iter().map(|(seconds, target)| Stage { duration_ns: seconds * S, target: *target }).collect();
        RampingVus::new(start, &stages, graceful_ramp_down_s * S).unwrap()
    }

    /// As seen of k6 1.8.1.
    #[test]
    fn users_join_and_leave_as_the_line_crosses_their_number() {
        let ramp = ramp(0, &[(2, 4), (2, 0)], 0);
        let spells = |user| ramp.spells(user).map(|spell| (spell.from_ns, spell.until_ns)).collect::<Vec<_>>();
        assert_eq!(spells(0), [(S / 2, 4 * S)]);
        assert_eq!(spells(3), [(2 * S, 2 * S + S / 2)]);
        assert_eq!(spells(4), []);
        let counts: Vec<u32> = (0..9).map(|half| ramp.users_at(half * S / 2)).collect();
        assert_eq!(counts, [0, 1, 2, 3, 4, 3, 2, 1, 0]);
        assert_eq!(ramp.peak(), 4);
    }

    #[test]
    fn jumps_and_plateaus() {
        let ramp = ramp(2, &[(1, 2), (0, 5), (1, 5), (0, 1), (1, 1)], 0);
        let counts: Vec<u32> = [0, S, 2 * S - 1, 2 * S, 3 * S - 1].iter().map(|at| ramp.users_at(*at)).collect();
        assert_eq!(counts, [2, 5, 5, 1, 1]);
    }

    #[test]
    fn who_leaves_may_finish_and_who_joins_again_goes_on() {
        let ramp = ramp(1, &[(10, 0), (1, 0), (10, 1), (5, 1)], 3);
        // Out at 10 s with three seconds to finish, in again at 21 s.
        assert_eq!(ramp.next(0, 5 * S), Next::Begin);
        assert_eq!(ramp.next(0, 12 * S), Next::Wait(21 * S));
        assert_eq!(ramp.cut_off_ns(0, 9 * S, 30 * S), 13 * S);
        assert_eq!(ramp.next(0, 26 * S), Next::End);
        assert_eq!(ramp.cut_off_ns(0, 25 * S, 30 * S), 56 * S);
        let long = RampingVus { graceful_ramp_down_ns: 20 * S, ..ramp };
        assert_eq!(long.cut_off_ns(0, 9 * S, 7 * S), 33 * S);
    }
}
