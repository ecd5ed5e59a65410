//! What all users of a thread share, and the users that have nothing to do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::live::Live;
use crate::metric::{Pairs, Recorder, SystemTag, SystemTags};
use crate::plan::{Executor, Plan, Scenario, Source, Users};
use crate::pool::Budget;
use crate::schedule::Looping;
use crate::script::ScriptHost;
use crate::sites::Sites;
use crate::user::User;

/// What the threads of a test share beside the plan.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Users made so far, for their numbers.
    users: AtomicU64,
    pub(crate) scenarios: Vec<SharedScenario>,
}

/// What the threads share of one scenario.
#[derive(Debug)]
pub(crate) struct SharedScenario {
    /// Users that may still be made, where iterations arrive.
    pub(crate) budget: Budget,
    /// Iterations that were not begun so far, where users share them.
    remaining: AtomicU64,
    /// Iterations begun, for their numbers.
    begun: AtomicU64,
}

impl Shared {
    pub(crate) fn new(plan: &Plan) -> Self {
        let scenarios = plan.scenarios.iter().map(|scenario| SharedScenario::new(&scenario.executor)).collect();
        Self { users: AtomicU64::new(0), scenarios }
    }
}

impl SharedScenario {
    fn new(executor: &Executor) -> Self {
        let (users, remaining) = match executor {
            Executor::Arrivals { users, .. } => (*users, 0),
            Executor::Looping(Looping::SharedIterations(shared)) => (Users::OnDemand, shared.iterations),
            Executor::Looping(_) => (Users::OnDemand, 0),
        };
        let (remaining, begun) = (AtomicU64::new(remaining), AtomicU64::new(0));
        Self { budget: Budget::new(users), remaining, begun }
    }

    /// Takes one of the iterations that users share. An atomic read-modify-write for each: that is what sharing means.
    pub(crate) fn take(&self) -> bool {
        self.remaining.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Takes all that are left.
    pub(crate) fn take_rest(&self) -> u64 {
        self.remaining.swap(0, Ordering::Relaxed)
    }

    /// The number of the next iteration. Only where users go round: one that arrives has a number already.
    pub(crate) fn next_number(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed)
    }
}

/// What all users of a thread share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) plan: Arc<Plan>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) live: Arc<Live>,
    pub(crate) recorder: Rc<Recorder>,
    /// Users that no scenario needs now; the most recently used last.
    crew: RefCell<Vec<User>>,
    /// What each scenario has a script do.
    roles: Vec<Role>,
    /// The addresses that scripts ask for.
    sites: Option<Rc<Sites>>,
}

/// What a scenario has a script do.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) function: Arc<str>,
    /// What the scenario is called.
    pub(crate) name: Arc<str>,
    pub(crate) env: Arc<[(String, String)]>,
    /// The tags of its samples.
    pub(crate) tags: Pairs,
}

/// The tags of a scenario's samples: the test's, its own before these, and those that say what it is.
fn tags(scenario: &Scenario, plan: &Plan, system: SystemTags) -> Pairs {
    let own = plan.tags.iter().chain(&scenario.tags).map(|(name, value)| (name.as_str(), value.as_str()));
    let group = system.has(SystemTag::Group).then_some(("group", ""));
    let name = system.has(SystemTag::Scenario).then_some(("scenario", scenario.name.as_str()));
    let mut all: BTreeMap<&str, &str> = BTreeMap::new();
    all.extend(own.chain(group).chain(name));
    all.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

impl Desk {
    pub(crate) fn new(plan: Arc<Plan>, shared: Arc<Shared>, live: Arc<Live>, recorder: Rc<Recorder>) -> Self {
        let role = |scenario: &Scenario| Role {
            function: Arc::from(scenario.exec.as_str()),
            name: Arc::from(scenario.name.as_str()),
            env: Arc::from(scenario.env.as_slice()),
            tags: tags(scenario, &plan, recorder.system_tags()),
        };
        let roles = plan.scenarios.iter().map(role).collect();
        let sites = match &plan.source {
            Source::Script(run) => Some(Rc::new(Sites::new(Arc::clone(&run.http)))),
            Source::Plain(_) => None,
        };
        Self { plan, shared, live, recorder, crew: RefCell::default(), roles, sites }
    }

    /// Whether a script has ended the test.
    pub(crate) fn is_aborted(&self) -> bool {
        matches!(&self.plan.source, Source::Script(run) if run.script.program.is_aborted())
    }

    /// What a scenario has a script do.
    pub(crate) fn role(&self, scenario: usize) -> &Role {
        &self.roles[scenario]
    }

    /// The world of a new user's script; none where there is no script.
    pub(crate) fn host(&self) -> Option<Rc<ScriptHost>> {
        let Source::Script(run) = &self.plan.source else { return None };
        let sites = self.sites.as_ref().map(Rc::clone)?;
        Some(Rc::new(ScriptHost::new(Arc::clone(&run.script.program), sites, Rc::clone(&self.recorder))))
    }

    /// A user that no scenario needs, or a new one.
    pub(crate) fn hire(self: &Rc<Self>) -> User {
        let idle = self.crew.borrow_mut().pop();
        idle.unwrap_or_else(|| User::new(self.shared.users.fetch_add(1, Ordering::Relaxed) + 1, self))
    }

    /// Takes back a user that a scenario needs no more.
    pub(crate) fn release(&self, user: User) {
        self.crew.borrow_mut().push(user);
    }
}
