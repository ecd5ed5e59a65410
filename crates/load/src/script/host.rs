//! What a user's script can reach outside of itself: who it is, what it records to, and the way out of its coroutine.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use net::clock::now_ns;
use rquickjs::Ctx;

use super::fiber::{Answer, Ask, Begun};
use super::log::{Level, Log};
use super::program::Program;
use super::raw::{self, Hatch, Held};
use crate::fetch::Expected;
use crate::jar::Jar;
use crate::metric::{Pairs, Recorder, SystemTag, TagsId, Who};
use crate::sites::Sites;

/// How long a script runs before others get their turn. A start that is due may have to wait for a few of these: the
/// timer's, the scenario's and the user's own turn.
const TURN_NS: u64 = 1_000_000;

/// What is being done with the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its module runs, from top to bottom.
    Init,
    /// `setup`.
    Setup,
    /// A scenario's function.
    Iteration,
    /// `teardown`.
    Teardown,
    /// `handleSummary`.
    Summary,
}

/// The world of one user's script.
#[derive(Debug)]
pub(crate) struct Host {
    pub(super) program: Arc<Program>,
    pub(super) sites: Rc<Sites>,
    pub(super) recorder: Rc<Recorder>,
    pub(super) hatch: Hatch,
    pub(super) stage: Cell<Stage>,
    pub(super) who: Cell<Who>,
    /// The scenario's place in the plan, and its own environment.
    pub(super) scenario: Cell<usize>,
    pub(super) env: RefCell<Arc<[(String, String)]>>,
    /// Which of these `__ENV` was made of.
    pub(super) env_of: Cell<usize>,
    /// The tags of samples as of now, those of the group included.
    pub(super) tags: Cell<TagsId>,
    /// The tags of all samples of the scenario, by name; and the script's own on top of these, `exec.vu.tags`.
    base: RefCell<Pairs>,
    own: RefCell<Own>,
    /// The path of the group that the script is in: `::a::b`.
    pub(super) group: RefCell<String>,
    /// Which answers are no failure unless a request says so itself.
    pub(super) expected: RefCell<Expected>,
    /// When the first request of the iteration was over.
    pub(super) first_over_ns: Cell<Option<u64>>,
    /// The state of `Math.random` once it was given a seed.
    pub(super) random: Cell<u64>,
    /// What was begun since the user's task was last asked for something, by number.
    pub(super) begun: RefCell<Vec<(u64, Begun)>>,
    /// The numbers of all that was begun and is not over.
    pub(super) open: RefCell<BTreeSet<u64>>,
    pub(super) next_number: Cell<u64>,
    /// Promises that were rejected and that nobody looked at, with what they were rejected with.
    pub(super) unhandled: RefCell<Vec<(String, String)>>,
    /// What the scenario is called, and its executor.
    pub(super) scene_name: RefCell<Arc<str>>,
    pub(super) executor: Cell<&'static str>,
    /// The number of the iteration in its scenario.
    pub(super) number: Cell<u64>,
    /// When the scenario began, and how long it takes.
    pub(super) scene_start_ns: Cell<u64>,
    pub(super) scene_ns: Cell<u64>,
    /// Iterations that this user has done of each scenario.
    done: RefCell<Vec<u64>>,
    /// The user's cookies.
    pub(super) jar: Rc<RefCell<Jar>>,
    is_killed: Cell<bool>,
    has_aborted: Cell<bool>,
    turn_began_ns: Cell<u64>,
}

/// Tags of the script's own, by name; nothing in the place of one takes it away.
type Own = BTreeMap<Box<str>, Option<Box<str>>>;

/// What is done, by whom and for which scenario.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) who: Who,
    pub(crate) scenario: usize,
    pub(crate) env: Arc<[(String, String)]>,
    pub(crate) tags: TagsId,
    /// The same, by name.
    pub(crate) pairs: Pairs,
    /// The path of the group that samples count to.
    pub(crate) group: &'static str,
    /// What the scenario is called, and its executor.
    pub(crate) name: Arc<str>,
    pub(crate) executor: &'static str,
    /// The number of the iteration in its scenario.
    pub(crate) number: u64,
    /// When the scenario began, and how long it takes.
    pub(crate) start_ns: u64,
    pub(crate) length_ns: u64,
}

impl Host {
    pub(crate) fn new(program: Arc<Program>, sites: Rc<Sites>, recorder: Rc<Recorder>) -> Self {
        Self {
            program,
            sites,
            recorder,
            hatch: Hatch::default(),
            stage: Cell::new(Stage::Init),
            who: Cell::default(),
            scenario: Cell::new(0),
            env: RefCell::new(Arc::from([])),
            env_of: Cell::new(0),
            tags: Cell::new(TagsId::NONE),
            base: RefCell::new(Arc::from([])),
            own: RefCell::default(),
            group: RefCell::default(),
            expected: RefCell::new(Expected::Usual),
            first_over_ns: Cell::new(None),
            random: Cell::new(0),
            begun: RefCell::default(),
            open: RefCell::default(),
            next_number: Cell::new(1),
            unhandled: RefCell::default(),
            scene_name: RefCell::new(Arc::from("")),
            executor: Cell::new(""),
            number: Cell::new(0),
            scene_start_ns: Cell::new(0),
            scene_ns: Cell::new(0),
            done: RefCell::default(),
            jar: Rc::default(),
            is_killed: Cell::new(false),
            has_aborted: Cell::new(false),
            turn_began_ns: Cell::new(now_ns()),
        }
    }

    /// Gets ready for something to be done.
    pub(crate) fn enter(&self, scene: &Scene) {
        self.stage.set(scene.stage);
        self.who.set(scene.who);
        self.scenario.set(scene.scenario);
        if !Arc::ptr_eq(&self.env.borrow(), &scene.env) {
            self.env.replace(Arc::clone(&scene.env));
        }
        self.enter_group(scene.group);
        self.enter_tags(scene);
        self.first_over_ns.set(None);
        if !Arc::ptr_eq(&self.scene_name.borrow(), &scene.name) {
            self.scene_name.replace(Arc::clone(&scene.name));
        }
        self.executor.set(scene.executor);
        self.number.set(scene.number);
        self.scene_start_ns.set(scene.start_ns);
        self.scene_ns.set(scene.length_ns);
        if scene.stage == Stage::Iteration {
            self.count(scene.scenario);
        }
        if !self.sites.options.keeps_cookies {
            self.jar.borrow_mut().clear();
        }
        self.is_killed.set(false);
    }

    fn enter_group(&self, path: &str) {
        let mut group = self.group.borrow_mut();
        group.clear();
        group.push_str(path);
    }

    /// Tags of the script's own last as long as its user stays with a scenario.
    fn enter_tags(&self, scene: &Scene) {
        if !Arc::ptr_eq(&self.base.borrow(), &scene.pairs) {
            self.base.replace(Arc::clone(&scene.pairs));
            self.own.borrow_mut().clear();
        }
        self.tags.set(scene.tags);
        if !self.own.borrow().is_empty() {
            self.retag();
        }
    }

    /// The tags as of now, of all that there are by name.
    fn retag(&self) {
        let all = self.all_tags();
        let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.tags.set(self.recorder.tags(TagsId::NONE, &pairs));
    }

    /// The tags as of now, by name; metadata too.
    pub(super) fn all_tags(&self) -> BTreeMap<Box<str>, Box<str>> {
        let mut all: BTreeMap<Box<str>, Box<str>> = self.base.borrow().iter().cloned().collect();
        if let Some(group) = all.get_mut("group") {
            *group = self.group.borrow().as_str().into();
        }
        for (name, value) in &*self.own.borrow() {
            match value {
                Some(value) => drop(all.insert(name.clone(), value.clone())),
                None => drop(all.remove(name)),
            }
        }
        all
    }

    /// Gives samples a tag from here on, or takes it away.
    pub(super) fn set_tag(&self, name: &str, value: Option<Box<str>>) {
        self.own.borrow_mut().insert(name.into(), value);
        self.retag();
    }

    /// Goes into a group, or back into the one around it.
    pub(super) fn change_group(&self, change: impl FnOnce(&mut String)) {
        change(&mut self.group.borrow_mut());
        if !self.own.borrow().is_empty() {
            self.retag();
        } else if self.recorder.system_tags().has(SystemTag::Group) {
            self.tags.set(self.recorder.tags(self.tags.get(), &[("group", &self.group.borrow())]));
        }
    }

    /// The tags of samples as of now.
    pub(crate) fn tags(&self) -> TagsId {
        self.tags.get()
    }

    /// Whose script it is, before its init code runs.
    pub(crate) fn introduce(&self, number: u64) {
        self.who.set(Who { vu: number, iter: 0 });
    }

    /// When the first request since [`Host::enter`] was over.
    pub(crate) fn first_over_ns(&self) -> Option<u64> {
        self.first_over_ns.get()
    }

    /// Whether the script is being stopped.
    pub(super) fn is_killed(&self) -> bool {
        self.is_killed.get()
    }

    fn count(&self, scenario: usize) {
        let mut done = self.done.borrow_mut();
        if done.len() <= scenario {
            done.resize(scenario + 1, 0);
        }
        done[scenario] += 1;
    }

    /// The number of the user's iteration among those of its scenario, from 0.
    pub(super) fn iteration_in_scenario(&self) -> u64 {
        self.done.borrow().get(self.scenario.get()).map_or(0, |done| done.saturating_sub(1))
    }

    /// The script has ended the test, and so itself.
    pub(super) fn abort(&self) {
        self.is_killed.set(true);
        self.has_aborted.set(true);
    }

    /// Whether this user's script has ended the test.
    pub(crate) fn has_aborted(&self) -> bool {
        self.has_aborted.get()
    }

    /// Asks for something; `None` where the script is to stop instead.
    pub(super) fn ask(&self, ask: Ask) -> Option<Answer> {
        if self.is_killed.get() {
            return None;
        }
        let answer = self.hatch.suspend(ask);
        self.turn_began_ns.set(now_ns());
        if matches!(answer, Answer::Cut | Answer::Quit) {
            self.is_killed.set(true);
            return None;
        }
        Some(answer)
    }

    /// The engine asks now and then whether to stop: also where others get their turn.
    pub(super) fn interrupts(&self) -> bool {
        if !self.is_killed.get() && now_ns().saturating_sub(self.turn_began_ns.get()) > TURN_NS {
            self.ask(Ask::Turn);
        }
        self.is_killed.get()
    }

    /// The same, where a script takes much memory at once: whether it is to stop. That may be in the middle of one of
    /// our own functions: what it has in hand of these two the user's task would come upon, which takes up what was
    /// begun and goes on with requests. All else is the script's alone until it is resumed.
    pub(super) fn takes_memory(&self) -> bool {
        let is_free = self.begun.try_borrow_mut().is_ok() && self.jar.try_borrow_mut().is_ok();
        if is_free { self.interrupts() } else { self.is_killed.get() }
    }

    /// Begins something, and gives its number.
    pub(super) fn begin(&self, begun: Begun) -> u64 {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        self.begun.borrow_mut().push((number, begun));
        self.open.borrow_mut().insert(number);
        number
    }

    /// Forgets all that was begun.
    pub(super) fn forget(&self) {
        self.begun.borrow_mut().clear();
        self.open.borrow_mut().clear();
        self.unhandled.borrow_mut().clear();
    }

    /// Waits for the next thing to do, having done the last one.
    pub(super) fn rest(&self, done: Ask) -> Answer {
        let answer = self.hatch.suspend(done);
        self.turn_began_ns.set(now_ns());
        answer
    }

    /// Something for whoever reads the log.
    pub(crate) fn log(&self, level: Level, text: impl Into<String>, fields: Vec<(&'static str, String)>) {
        if self.stage.get() == Stage::Init {
            self.program.note_init_speaks();
        }
        (self.program.sink)(&Log { level, text: text.into(), fields });
    }
}

/// The host of a script that is running.
pub(super) fn host(ctx: &Ctx<'_>) -> Rc<Host> {
    let held = ctx.userdata::<Held<Rc<Host>>>().expect("put there before any script runs");
    Rc::clone(&held.0)
}

/// Stops the script where it stands.
pub(super) fn stop(ctx: &Ctx<'_>) -> rquickjs::Error {
    raw::throw_uncatchable(ctx, "the iteration was interrupted")
}
