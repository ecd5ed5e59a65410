//! What a load test is to do, checked before it begins.

use std::sync::Arc;

use crate::error::Error;
use crate::metric::{Catalog, Definitions, EXPECTED, MOST_SUB_METRICS, PointSink, SubMetric, SystemTag, SystemTags};
use crate::report::MetricsSink;
use crate::request::Request;
use crate::schedule::{Looping, Schedule, Segment};
use crate::script::ScriptRun;
use crate::threshold::{Threshold, ThresholdError};

/// The most users that may be asked for: each has a connection, and a client address has 64,511 ports.
pub const MOST_USERS: u32 = 60_000;
/// The most users made where no number is given. At 8,000 iterations a second they are used up at 1.2 s each.
pub const ON_DEMAND_USERS: u32 = 10_000;
/// The most threads that may be asked for: more than the cores of the largest machines.
pub const MOST_THREADS: usize = 256;
/// Scenarios of one test: more than a person writes.
pub(crate) const MOST_SCENARIOS: usize = 1000;
/// Starts a second that one thread is trusted with; a thread more costs wake-ups.
const STARTS_PER_THREAD: f64 = 16_000.0;
/// A thread with fewer users than this of its own would drop starts while another thread's users idle.
const USERS_PER_THREAD: u32 = 32;

/// A whole load test.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What runs side by side, by the time of their beginning and then by name.
    pub scenarios: Vec<Scenario>,
    /// What an iteration is.
    pub source: Source,
    /// Judged every two seconds and at the end.
    pub thresholds: Vec<Threshold>,
    /// Threads; `None` takes as many as the rate needs and the machine has.
    pub threads: Option<usize>,
    /// Tags of every sample.
    pub tags: Vec<(String, String)>,
    /// Which tags requests get.
    pub system_tags: SystemTags,
    /// The least time between two beginnings of a user's iterations.
    pub min_iteration_ns: u64,
    /// Which part of the whole the scenarios are.
    pub segment: Segment,
    /// All metrics, those of the script included.
    pub definitions: Arc<Definitions>,
    /// Whether groups and scenarios are counted on their own, for the full summary.
    pub keeps_scopes: bool,
    /// Where samples go one by one; they have all their tags then.
    pub points: Option<PointSink>,
    /// Where all metrics go each second.
    pub watch: Option<MetricsSink>,
}

/// Iterations of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// When iterations begin, and who does them.
    pub executor: Executor,
    /// When it begins.
    pub start_ns: u64,
    /// How long iterations under way may go on after its end.
    pub graceful_stop_ns: u64,
    /// The script's function.
    pub exec: String,
    /// Environment variables of its own.
    pub env: Vec<(String, String)>,
    /// Tags of its samples.
    pub tags: Vec<(String, String)>,
}

/// When iterations begin, and who does them.
#[derive(Debug, Clone, PartialEq)]
pub enum Executor {
    /// When a schedule says so, whatever becomes of the earlier ones.
    Arrivals {
        /// When iterations start.
        schedule: Schedule,
        /// Who does them.
        users: Users,
    },
    /// When the user's last one is over.
    Looping(Looping),
}

/// How many virtual users there are where iterations arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Users {
    /// `pre_allocated` from the beginning; each start that finds none idle is dropped and adds one, up to `max`.
    Promised {
        /// `preAllocatedVUs`.
        pre_allocated: u32,
        /// `maxVUs`.
        max: u32,
    },
    /// As many as it takes, up to [`ON_DEMAND_USERS`].
    OnDemand,
}

/// Where iterations come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// One request.
    Plain(Request),
    /// A script.
    Script(ScriptRun),
}

impl Plan {
    /// A test of one scenario without a script.
    #[must_use]
    pub fn plain(executor: Executor, request: Request) -> Self {
        Self::new(vec![Scenario::new("default", executor)], Source::Plain(request))
    }

    /// A test of these scenarios.
    #[must_use]
    pub fn new(scenarios: Vec<Scenario>, source: Source) -> Self {
        Self {
            scenarios,
            source,
            thresholds: Vec::new(),
            threads: None,
            tags: Vec::new(),
            system_tags: SystemTags::default(),
            min_iteration_ns: 0,
            segment: Segment::default(),
            definitions: Arc::default(),
            keeps_scopes: false,
            points: None,
            watch: None,
        }
    }

    /// What is measured; fails where a threshold is on something that is not.
    pub fn catalog(&self) -> Result<Catalog, Error> {
        let mut subs = Vec::new();
        if self.system_tags.has(SystemTag::ExpectedResponse) {
            subs.extend(SubMetric::of(EXPECTED, &self.definitions).map_err(ThresholdError::from)?.1);
        }
        for threshold in &self.thresholds {
            let sub = threshold.check(&self.definitions)?;
            subs.extend(sub.filter(|sub| subs.iter().all(|known: &SubMetric| known.name != sub.name)));
        }
        if subs.len() > MOST_SUB_METRICS {
            return Err(Error::Users(format!("a test has at most {MOST_SUB_METRICS} sub-metrics")));
        }
        let definitions = Arc::clone(&self.definitions);
        Ok(Catalog {
            definitions,
            subs,
            tags: self.tags.clone(),
            system_tags: self.system_tags,
            keeps_all_tags: self.points.is_some(),
            points: self.points.clone(),
            keeps_scopes: self.keeps_scopes,
        })
    }

    /// How many threads it gets, `cores` being what the machine has.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "MOST_STARTS_PER_S bounds it")]
    pub fn threads(&self, cores: usize) -> usize {
        let most = usize::try_from((self.max_users() / USERS_PER_THREAD).max(1)).unwrap_or(1);
        let is_looping = self.scenarios.iter().any(|scenario| matches!(scenario.executor, Executor::Looping(_)));
        let rate: f64 = self.scenarios.iter().map(|scenario| scenario.executor.peak_per_s()).sum();
        let needed = if is_looping { cores } else { (rate / STARTS_PER_THREAD).ceil() as usize };
        self.threads.unwrap_or_else(|| needed.clamp(1, cores.max(1))).clamp(1, most)
    }

    /// The most users there can be at a time.
    #[must_use]
    pub fn max_users(&self) -> u32 {
        self.users_at_once(Executor::max_users)
    }

    /// The most users of those that are there without being asked for.
    #[must_use]
    pub fn initial_users(&self) -> u32 {
        self.users_at_once(Executor::initial_users)
    }

    /// How long the last scenario may take, with its graceful stop.
    #[must_use]
    pub fn longest_ns(&self) -> u64 {
        self.scenarios.iter().map(Scenario::last_ns).max().unwrap_or(0)
    }

    /// How long iterations are begun at the most.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        let ends = self.scenarios.iter().map(|each| each.start_ns.saturating_add(each.executor.duration_ns()));
        ends.max().unwrap_or(0)
    }

    /// Whether its parts fit together.
    pub fn check(&self) -> Result<(), Error> {
        match &self.source {
            Source::Plain(request) if request.timeout_ms == 0 => return Err(Error::Timeout),
            Source::Plain(_) => {}
            Source::Script(run) => {
                let missing = self.scenarios.iter().find(|scenario| !run.script.has(&scenario.exec));
                if let Some(Scenario { name, exec, .. }) = missing {
                    return Err(Error::Function { scenario: name.clone(), function: exec.clone() });
                }
            }
        }
        match self.threads {
            Some(threads) if threads == 0 || threads > MOST_THREADS => return Err(Error::Threads { threads }),
            _ => {}
        }
        if self.scenarios.is_empty() || self.scenarios.len() > MOST_SCENARIOS {
            return Err(Error::Users(format!("a test has between 1 and {MOST_SCENARIOS} scenarios")));
        }
        self.scenarios.iter().try_for_each(|scenario| scenario.executor.check())?;
        self.catalog().map(drop)
    }

    /// The most users at one time, each scenario having its own from its beginning to its end.
    pub(crate) fn users_at_once(&self, of: impl Fn(&Executor) -> u32) -> u32 {
        let at = |time_ns: u64| {
            let there = |scenario: &&Scenario| (scenario.start_ns..scenario.last_ns()).contains(&time_ns);
            self.scenarios.iter().filter(there).map(|scenario| of(&scenario.executor)).fold(0, u32::saturating_add)
        };
        self.scenarios.iter().map(|scenario| at(scenario.start_ns)).max().unwrap_or(0)
    }
}

impl Scenario {
    /// How long k6 lets iterations under way go on unless told otherwise.
    pub const GRACEFUL_STOP_NS: u64 = 30_000_000_000;

    /// A scenario that is as k6's are unless told otherwise.
    #[must_use]
    pub fn new(name: &str, executor: Executor) -> Self {
        Self {
            name: name.to_owned(),
            executor,
            start_ns: 0,
            graceful_stop_ns: Self::GRACEFUL_STOP_NS,
            exec: "default".to_owned(),
            env: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// When it is over at the latest.
    #[must_use]
    pub fn last_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.executor.duration_ns()).saturating_add(self.graceful_stop_ns)
    }
}

impl Executor {
    /// Its name in k6's options.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Arrivals { schedule: Schedule::Constant(_), .. } => "constant-arrival-rate",
            Self::Arrivals { schedule: Schedule::Ramping(_), .. } => "ramping-arrival-rate",
            Self::Looping(Looping::ConstantVus(_)) => "constant-vus",
            Self::Looping(Looping::RampingVus(_)) => "ramping-vus",
            Self::Looping(Looping::SharedIterations(_)) => "shared-iterations",
            Self::Looping(Looping::PerVuIterations(_)) => "per-vu-iterations",
        }
    }

    /// How long iterations are begun at the most.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        match self {
            Self::Arrivals { schedule, .. } => schedule.duration_ns(),
            Self::Looping(looping) => looping.duration_ns(),
        }
    }

    /// The most users there can be.
    #[must_use]
    pub fn max_users(&self) -> u32 {
        match self {
            Self::Arrivals { users, .. } => users.max(),
            Self::Looping(looping) => looping.users(),
        }
    }

    /// Users that are there from the beginning.
    #[must_use]
    pub fn initial_users(&self) -> u32 {
        match self {
            Self::Arrivals { users: Users::Promised { pre_allocated, .. }, .. } => *pre_allocated,
            Self::Arrivals { users: Users::OnDemand, .. } => 0,
            Self::Looping(looping) => looping.users(),
        }
    }

    /// The highest rate of arrivals; 0 where users go round.
    #[must_use]
    pub fn peak_per_s(&self) -> f64 {
        match self {
            Self::Arrivals { schedule, .. } => schedule.peak_per_s(),
            Self::Looping(_) => 0.0,
        }
    }

    /// Leaves what other segments do out.
    pub(crate) fn take_part(&mut self, segment: &Segment) {
        let part = |users: u32| u32::try_from(segment.count(u64::from(users))).unwrap_or(users);
        match self {
            Self::Arrivals { schedule, users } => {
                schedule.take_part(segment);
                if let Users::Promised { pre_allocated, max } = users {
                    (*pre_allocated, *max) = (part(*pre_allocated), part(*max));
                }
            }
            Self::Looping(looping) => looping.take_part(segment),
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Arrivals { users: Users::Promised { pre_allocated, max }, .. } if max < pre_allocated => {
                let text = format!("maxVUs ({max}) must not be less than preAllocatedVUs ({pre_allocated})");
                Err(Error::Users(text))
            }
            Self::Arrivals { users: Users::Promised { max, .. }, .. } if *max == 0 || *max > MOST_USERS => {
                Err(Error::Users(format!("maxVUs must be between 1 and {MOST_USERS}")))
            }
            Self::Looping(looping) if looping.users() > MOST_USERS => {
                Err(Error::Users(format!("there can be at most {MOST_USERS} users")))
            }
            _ => Ok(()),
        }
    }
}

impl Users {
    /// The most there can be.
    #[must_use]
    pub fn max(self) -> u32 {
        match self {
            Self::Promised { max, .. } => max,
            Self::OnDemand => ON_DEMAND_USERS,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::request::RequestOptions;
    use crate::schedule::{ConstantArrivalRate, ConstantVus};

    fn request() -> Request {
        Request::get("http://127.0.0.1/", &RequestOptions::default()).unwrap()
    }

    #[test]
    fn threads_follow_the_rate_and_the_users() {
        let plan = |rate, users, threads| {
            let schedule = ConstantArrivalRate::new(rate, 1_000_000_000, 1_000_000_000).unwrap();
            let executor = Executor::Arrivals { schedule: Schedule::Constant(schedule), users };
            Plan { threads, ..Plan::plain(executor, request()) }
        };
        assert_eq!(plan(8000, Users::OnDemand, None).threads(8), 1);
        assert_eq!(plan(40_000, Users::OnDemand, None).threads(8), 3);
        assert_eq!(plan(40_000, Users::OnDemand, None).threads(2), 2);
        let few = Users::Promised { pre_allocated: 5, max: 20 };
        assert_eq!(plan(40_000, few, Some(4)).threads(8), 1);
        assert!(plan(1, few, None).check().is_ok());
        assert!(plan(1, few, Some(MOST_THREADS)).check().is_ok());
        for threads in [0, MOST_THREADS + 1] {
            assert!(matches!(plan(1, few, Some(threads)).check(), Err(Error::Threads { .. })), "{threads}");
        }
        assert!(plan(1, Users::Promised { pre_allocated: 21, max: 20 }, None).check().is_err());
        assert!(plan(1, Users::Promised { pre_allocated: 0, max: MOST_USERS + 1 }, None).check().is_err());
    }

    #[test]
    fn scenarios_that_follow_each_other_share_their_users() {
        let users = |start_s: u64, users| {
            let executor = Executor::Looping(Looping::ConstantVus(ConstantVus { users, duration_ns: 1_000_000_000 }));
            Scenario { start_ns: start_s * 1_000_000_000, graceful_stop_ns: 0, ..Scenario::new("x", executor) }
        };
        let mut plan = Plan::plain(users(0, 3).executor, request());
        plan.scenarios = vec![users(0, 3), users(0, 2), users(1, 4)];
        assert_eq!((plan.max_users(), plan.initial_users()), (5, 5));
        assert_eq!(plan.threads(4), 1);
    }
}
