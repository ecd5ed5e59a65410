//! The tree of a script's groups and checks, in the order in which they were first met, with what came of the checks.

use std::collections::HashMap;

/// Checks and groups that are told apart; a script with more names them after data. Those beyond are only in totals.
pub(super) const MOST_CHECKS: usize = 10_000;

/// One check in one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckCount {
    /// The scenario it was met in.
    pub scenario: Box<str>,
    /// The group's path, `::a::b`; empty outside of groups.
    pub group: Box<str>,
    /// The check's name.
    pub name: Box<str>,
    /// How often it held.
    pub passes: u64,
    /// How often it did not.
    pub fails: u64,
}

type ByName<T> = HashMap<Box<str>, T>;

/// Groups and checks.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// Paths of groups.
    paths: Vec<Box<str>>,
    checks: Vec<CheckCount>,
    /// By scenario, group and name, each found without making a key.
    places: ByName<ByName<ByName<usize>>>,
}

impl Groups {
    /// A group was entered.
    pub(crate) fn enter(&mut self, path: &str) {
        if self.paths.len() < MOST_CHECKS && !self.paths.iter().any(|known| **known == *path) {
            self.paths.push(path.into());
        }
    }

    /// A check was made.
    pub(crate) fn check(&mut self, scenario: &str, group: &str, name: &str, passed: bool) {
        self.add(scenario, group, name, u64::from(passed), u64::from(!passed));
    }

    /// Adds what another thread saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        for path in &other.paths {
            self.enter(path);
        }
        for check in &other.checks {
            self.add(&check.scenario, &check.group, &check.name, check.passes, check.fails);
        }
    }

    /// Forgets the counts; names stay.
    pub(crate) fn clear(&mut self) {
        for check in &mut self.checks {
            (check.passes, check.fails) = (0, 0);
        }
    }

    /// Paths of all groups.
    #[must_use]
    pub fn paths(&self) -> &[Box<str>] {
        &self.paths
    }

    /// All checks.
    #[must_use]
    pub fn checks(&self) -> &[CheckCount] {
        &self.checks
    }

    fn add(&mut self, scenario: &str, group: &str, name: &str, passes: u64, fails: u64) {
        let place = self.places.get(scenario).and_then(|groups| groups.get(group)).and_then(|names| names.get(name));
        if let Some(check) = place.and_then(|at| self.checks.get_mut(*at)) {
            check.passes += passes;
            check.fails += fails;
            return;
        }
        if self.checks.len() >= MOST_CHECKS {
            return;
        }
        let by_group = self.places.entry(scenario.into()).or_default().entry(group.into()).or_default();
        by_group.insert(name.into(), self.checks.len());
        let (scenario, group, name) = (scenario.into(), group.into(), name.into());
        self.checks.push(CheckCount { scenario, group, name, passes, fails });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_counted_by_place() {
        let (mut left, mut right) = (Groups::default(), Groups::default());
        left.check("default", "", "is 200", true);
        left.check("default", "::a", "is 200", false);
        right.check("default", "", "is 200", false);
        right.enter("::a");
        right.check("other", "", "is 200", true);
        left.merge(&right);
        let counts: Vec<(u64, u64)> = left.checks().iter().map(|check| (check.passes, check.fails)).collect();
        assert_eq!(counts, [(1, 1), (0, 1), (1, 0)]);
        assert_eq!(left.paths(), ["::a".into()]);
        left.clear();
        assert!(left.checks().iter().all(|check| check.passes + check.fails == 0));
    }
}
