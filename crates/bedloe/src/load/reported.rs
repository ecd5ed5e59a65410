//! A load test as a run: for its page and its file of numbers.

use host::tune::Role;
use lab::ProcessRow;
use lab::course::{Counts, Course};
use lab::processes::Usage;
use load::{Outcome, Plan, Progress, Report, Source};

use super::args::LoadArgs;
use crate::report::files::Files;
use crate::report::make::{self, fact, judgements, without_user};
use crate::report::run::{Fact, Host, Run, Setting, Text};
use crate::report::verdict;

/// The name of the one process that there is.
const INJECTOR: &str = "injector";

/// The files that a test's result goes to, and what is noted of it.
pub(super) struct Reported {
    files: Files,
    title: String,
    subject: Vec<Fact>,
    texts: Vec<Text>,
    settings: Vec<Setting>,
    before: Usage,
    course: Course,
    hosts: Vec<Host>,
}

impl Reported {
    /// Tries the files, and looks at this machine.
    pub(super) fn prepare(args: &LoadArgs, plan: &Plan) -> anyhow::Result<Self> {
        let files = Files::prepare(args.json.as_ref(), args.report.as_ref(), None)?.watch(&args.agents)?;
        let target = without_user(&args.target);
        let is_script = matches!(plan.source, Source::Script(_));
        let mut reported = Self {
            files,
            title: format!("Load of {target}"),
            subject: vec![fact(if is_script { "script" } else { "address" }, &target)],
            texts: Vec::new(),
            settings: Vec::new(),
            before: Usage::own(),
            course: Course::new([INJECTOR].into_iter()),
            hosts: Vec::new(),
        };
        if reported.files.is_wanted() {
            reported.look(plan, is_script.then_some(args.target.as_str()));
        }
        Ok(reported)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by what a schedule takes")]
    fn look(&mut self, plan: &Plan, script: Option<&str>) {
        self.subject.extend(make::of_plan(plan));
        self.subject.extend(make::this_machine());
        self.texts = script.and_then(|path| make::file("Script", path.as_ref())).into_iter().collect();
        let rate: f64 = plan.scenarios.iter().map(|scenario| scenario.executor.peak_per_s()).sum();
        self.settings = make::settings(&[Role::Injector], rate.ceil() as u64, u64::from(plan.max_users()));
        self.note(0);
    }

    /// Notes what the injector used until now.
    pub(super) fn watch(&mut self, progress: &Progress) {
        let at_ms = progress.elapsed_ns / 1_000_000;
        if self.files.is_wanted() && self.course.is_due(at_ms) {
            self.note(at_ms);
        }
    }

    fn note(&mut self, at_ms: u64) {
        let mut usage = Usage::own();
        // Of threads that have ended nothing is known any more.
        usage.switches = usage.switches.max(self.course.switches(0));
        self.course.note(at_ms, vec![Counts::new(&usage, 0)]);
    }

    /// Ends the look at hosts. Time lines begin where the steps of the load do, behind a script's setup.
    pub(super) fn over(&mut self, report: &Report) {
        let (elapsed_ms, setup_ms) = (report.elapsed_ns / 1_000_000, report.setup_ns / 1_000_000);
        self.hosts = self.files.hosts(elapsed_ms.saturating_sub(setup_ms));
        if self.files.is_wanted() {
            self.note(elapsed_ms);
        }
        self.course.at_ms.iter_mut().for_each(|at_ms| *at_ms = at_ms.saturating_sub(setup_ms));
    }

    /// Writes what is wanted; `words` is what the injector says of itself.
    pub(super) fn write(self, report: &Report, words: &[String]) -> anyhow::Result<()> {
        if !self.files.is_wanted() {
            return Ok(());
        }
        let elapsed_ms = report.elapsed_ns / 1_000_000;
        let usage = Usage { switches: self.course.switches(0), ..Usage::own() };
        let requests = report.count("http_reqs");
        let mut run = Run {
            title: self.title,
            subject: self.subject,
            processes: vec![ProcessRow::new(INJECTOR, &self.before, &usage, requests, requests, elapsed_ms)],
            course: self.course,
            hosts: self.hosts,
            settings: self.settings,
            texts: self.texts,
            ..self.files.begin.run(report)
        };
        run.verdict.notes = words.to_vec();
        let judgements = judgements(report);
        verdict::judge(&mut run, report.outcome == Outcome::Passed, judgements);
        self.files.write(&run, None)
    }
}
