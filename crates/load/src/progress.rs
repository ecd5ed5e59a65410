//! How a test is getting on, for whoever shows it.

/// How a test is getting on.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Since the test's beginning.
    pub elapsed_ns: u64,
    /// How long iterations are begun at the most.
    pub duration_ns: u64,
    /// Users at work.
    pub active: u64,
    /// Users made, or promised beforehand.
    pub users: u64,
    /// Iterations done.
    pub iterations: u64,
    /// Iterations cut off.
    pub interrupted: u64,
    /// Starts dropped.
    pub dropped: u64,
    /// Requests done.
    pub requests: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Each scenario, in the order of the plan.
    pub scenarios: Vec<ScenarioProgress>,
    /// The last whole second, once there is one.
    pub last_second: Option<LastSecond>,
    /// Metrics with a threshold that is crossed as things stand.
    pub crossed: Vec<String>,
    /// What the user should know and has not been told yet.
    pub warnings: Vec<String>,
}

/// How a scenario is getting on.
#[derive(Debug, Clone, Default)]
pub struct ScenarioProgress {
    /// Since its beginning; `None` before.
    pub elapsed_ns: Option<u64>,
    /// When it ended, from its beginning, once it has.
    pub ended_ns: Option<u64>,
    /// Whether iterations of it were cut off.
    pub cut_off: bool,
    /// Starts a second that its schedule asks for now.
    pub target_per_s: f64,
    /// Users at work.
    pub active: u64,
    /// Users made, or promised beforehand.
    pub users: u64,
    /// Iterations done.
    pub iterations: u64,
}

/// One second of a test.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LastSecond {
    /// Requests answered, failed ones included.
    pub requests: u64,
    /// Of these, the failed ones.
    pub failed: u64,
    /// 95% of them took at most this long.
    pub p95_ms: f64,
}
