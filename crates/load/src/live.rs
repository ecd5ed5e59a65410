//! Counts of one thread that others may read at any moment, and their totals.

use metrics::Cell;

/// Counts of one thread; only that thread writes.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) iterations: Cell,
    pub(crate) interrupted: Cell,
    pub(crate) dropped: Cell,
    pub(crate) requests: Cell,
    pub(crate) failed: Cell,
    /// Users at work now.
    pub(crate) active: Cell,
    /// Users made beyond those that are there from the beginning.
    pub(crate) extra_users: Cell,
    pub(crate) scenarios: Box<[ScenarioLive]>,
}

/// What concerns one scenario.
#[derive(Debug, Default)]
pub(crate) struct ScenarioLive {
    /// Users at work now.
    pub(crate) active: Cell,
    /// Users made beyond those that are there from the beginning.
    pub(crate) extra_users: Cell,
    /// Iterations done.
    pub(crate) iterations: Cell,
    /// When this thread was done with it, from the test's beginning; 0 before.
    pub(crate) ended_ns: Cell,
    /// Whether something was cut off.
    pub(crate) cut_off: Cell,
}

/// The sum over all threads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) iterations: u64,
    pub(crate) interrupted: u64,
    pub(crate) dropped: u64,
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) active: u64,
    pub(crate) extra_users: u64,
    pub(crate) scenarios: Vec<ScenarioTotals>,
}

/// What concerns one scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScenarioTotals {
    pub(crate) active: u64,
    pub(crate) extra_users: u64,
    pub(crate) iterations: u64,
    /// Once all threads are done with it.
    pub(crate) ended_ns: Option<u64>,
    pub(crate) cut_off: bool,
}

impl Live {
    pub(crate) fn new(scenarios: usize) -> Self {
        let scenarios = std::iter::repeat_with(ScenarioLive::default).take(scenarios).collect();
        Self { scenarios, ..Self::default() }
    }
}

impl Totals {
    /// The counts as they are now.
    pub(crate) fn read<'a>(threads: &(impl Iterator<Item = &'a Live> + Clone), scenarios: usize) -> Self {
        let mut sum = Self::default();
        for live in threads.clone() {
            sum.iterations += live.iterations.get();
            sum.interrupted += live.interrupted.get();
            sum.dropped += live.dropped.get();
            sum.requests += live.requests.get();
            sum.failed += live.failed.get();
            sum.active += live.active.get();
            sum.extra_users += live.extra_users.get();
        }
        let scenario = |at: usize| {
            let each = threads.clone().filter_map(|live| live.scenarios.get(at));
            ScenarioTotals::read(each)
        };
        sum.scenarios = (0..scenarios).map(scenario).collect();
        sum
    }
}

impl ScenarioTotals {
    fn read<'a>(threads: impl Iterator<Item = &'a ScenarioLive>) -> Self {
        let mut sum = Self { ended_ns: Some(0), ..Self::default() };
        for live in threads {
            sum.active += live.active.get();
            sum.extra_users += live.extra_users.get();
            sum.iterations += live.iterations.get();
            sum.cut_off |= live.cut_off.get() > 0;
            let ended_ns = Some(live.ended_ns.get()).filter(|ns| *ns > 0);
            sum.ended_ns = sum.ended_ns.and_then(|latest| ended_ns.map(|ns| ns.max(latest)));
        }
        sum
    }
}
