//! What active checks have found of a server: the state they give it, their counts, how many results in a row decide.
//!
//! Who makes the checks, and when, is the caller's business; several checks of one server are combined there too.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Whether checks decide that requests are sent to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checks {
    /// There are none.
    #[default]
    None,
    /// They do, once one has failed.
    Watched,
    /// They do, and until they have passed none is sent.
    Mandatory,
}

/// Counts of a server's checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckCounts {
    /// Checks made.
    pub checks: u64,
    /// Those that failed.
    pub fails: u64,
    /// How often they made the server unhealthy.
    pub unhealthy: u64,
    /// Whether the last one passed; `None` before the first.
    pub last_passed: Option<bool>,
}

/// What all threads see of a server's checks.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    found: Found,
    last: Found,
    checks: AtomicU64,
    fails: AtomicU64,
    unhealthy: AtomicU64,
}

/// Nothing yet, well or not well.
#[derive(Debug, Default)]
struct Found(AtomicU8);

const WELL: u8 = 1;
const NOT_WELL: u8 = 2;
/// Nothing yet, and no request before there is something.
const AWAITED: u8 = 3;

impl Found {
    fn of(number: u8) -> Option<bool> {
        matches!(number, WELL | NOT_WELL).then_some(number == WELL)
    }

    fn get(&self) -> Option<bool> {
        Self::of(self.0.load(Relaxed))
    }

    fn set(&self, is_well: bool) -> u8 {
        self.0.swap(if is_well { WELL } else { NOT_WELL }, Relaxed)
    }
}

/// A result that was noted.
pub(crate) struct Noted {
    pub(crate) is_new: bool,
    pub(crate) was_out: bool,
}

impl Checked {
    /// Whether requests may be sent to a server with such checks.
    pub(crate) fn allows(&self, checks: Checks) -> bool {
        match checks {
            Checks::None => true,
            Checks::Watched => !matches!(self.found.0.load(Relaxed), NOT_WELL | AWAITED),
            Checks::Mandatory => self.found.get() == Some(true),
        }
    }

    /// Whether it is well, as far as checks have found.
    pub(crate) fn found(&self) -> Option<bool> {
        self.found.get()
    }

    /// It was in service before anything was checked: that counts as well.
    pub(crate) fn take_for_well(&self) {
        for unknown in [0, AWAITED] {
            let _ = self.found.0.compare_exchange(unknown, WELL, Relaxed, Relaxed);
        }
    }

    /// Nothing is known of it any more, and it gets no request before something is.
    pub(crate) fn await_first(&self) {
        self.found.0.store(AWAITED, Relaxed);
    }

    /// Notes what they have found: whether that is new, and whether it was out of service for their sake before.
    pub(crate) fn set(&self, is_well: bool, checks: Checks) -> Noted {
        let before = self.found.set(is_well);
        let is_new = Found::of(before) != Some(is_well);
        if !is_well && is_new {
            self.unhealthy.fetch_add(1, Relaxed);
        }
        let was_out = matches!(before, NOT_WELL | AWAITED) || (before != WELL && checks == Checks::Mandatory);
        Noted { is_new, was_out }
    }

    pub(crate) fn count(&self, passed: bool) {
        self.checks.fetch_add(1, Relaxed);
        self.fails.fetch_add(u64::from(!passed), Relaxed);
        self.last.set(passed);
    }

    pub(crate) fn counts(&self) -> CheckCounts {
        CheckCounts {
            checks: self.checks.load(Relaxed),
            fails: self.fails.load(Relaxed),
            unhealthy: self.unhealthy.load(Relaxed),
            last_passed: self.last.get(),
        }
    }
}

/// How many results in a row change what a check says of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures that make it unhealthy.
    pub fails: u32,
    /// Passes that make it healthy again.
    pub passes: u32,
    /// The very first result decides, whichever it is.
    pub is_mandatory: bool,
}

/// One check's results of one server, as they come.
///
/// ```text
/// nothing -> well        one pass
/// nothing -> not well    `fails` failures in a row; one, where the check is mandatory
/// well -> not well       `fails` failures in a row
/// not well -> well       `passes` passes in a row
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    verdict: Option<bool>,
    /// Results in a row that speak against the verdict.
    against: u32,
}

impl Streak {
    /// One that begins with what is known already.
    pub fn of(known: Option<bool>) -> Self {
        Self { verdict: known, against: 0 }
    }

    /// Whether the server is well, by this check; `None` while that is open.
    pub fn verdict(&self) -> Option<bool> {
        self.verdict
    }

    /// Takes a result, and gives the verdict from now on.
    pub fn add(&mut self, passed: bool, thresholds: Thresholds) -> Option<bool> {
        let needed = match self.verdict {
            Some(verdict) if verdict == passed => u32::MAX,
            None if passed || thresholds.is_mandatory => 1,
            _ if passed => thresholds.passes,
            _ => thresholds.fails,
        };
        self.against = if needed == u32::MAX { 0 } else { self.against + 1 };
        if self.against >= needed {
            *self = Self::of(Some(passed));
        }
        self.verdict
    }
}

/// What several checks of a server say together: a single failure makes it unhealthy, and only all of them make it
/// healthy. `None` while neither is so.
pub fn together(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for verdict in verdicts {
        match verdict {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts after each of these results, `+` for a pass.
    fn verdicts(known: Option<bool>, thresholds: Thresholds, results: &str) -> String {
        let mut streak = Streak::of(known);
        let shown = |verdict: Option<bool>| verdict.map_or('?', |is_well| if is_well { 'u' } else { 'd' });
        results.chars().map(|result| shown(streak.add(result == '+', thresholds))).collect()
    }

    #[test]
    fn so_many_in_a_row_decide() {
        let of = |fails, passes, is_mandatory| Thresholds { fails, passes, is_mandatory };
        let table = [
            (None, of(1, 1, false), "+-+-", "udud"),
            (None, of(3, 2, false), "--+--+---+-++", "??uuuuuuddddu"),
            (None, of(3, 2, true), "-+-++---", "dddduuud"),
            (None, of(3, 2, true), "+---", "uuud"),
            (Some(false), of(1, 3, false), "++-+++", "dddddu"),
            (Some(true), of(2, 1, true), "-+--+", "uuudu"),
        ];
        for (known, thresholds, results, expected) in table {
            let found = verdicts(known, thresholds, results);
            assert_eq!(found, expected, "{known:?} {thresholds:?} {results}");
        }
    }

    #[test]
    fn one_of_several_is_enough_to_fail() {
        let (up, down, open) = (Some(true), Some(false), None);
        let table = [
            (vec![up, up], up),
            (vec![up, open], open),
            (vec![open, down], down),
            (vec![up, down], down),
            (vec![], up),
        ];
        for (verdicts, expected) in table {
            assert_eq!(together(verdicts.iter().copied()), expected, "{verdicts:?}");
        }
    }
}
