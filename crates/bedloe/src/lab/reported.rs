//! A lab's result as a run: for its page and its file of numbers.

use std::path::PathBuf;

use host::tune::Role;
use lab::timeline::Incident;
use lab::{Action, Options, Plan, Report};
use serde_json::Value;

use super::LabArgs;
use super::outcome::{self, span};
use super::screen::what;
use crate::report::files::Files;
use crate::report::make::{self, fact};
use crate::report::run::{Fact, Host, Judgement, Mark, Moment, Run, Setting, Sheet, Text};
use crate::report::verdict;
use crate::table::Table;

/// The files that a lab's result goes to, and what is noted before it begins.
pub(super) struct Reported {
    files: Files,
    settings: Vec<Setting>,
    script: Option<PathBuf>,
}

impl Reported {
    /// Tries the files, and looks at this machine, which has all three roles.
    pub(super) fn prepare(args: &LabArgs, options: &Options) -> anyhow::Result<Self> {
        let files =
            Files::prepare(args.json.as_ref(), args.report.as_ref(), Some(&options.folder))?.watch(&args.agents)?;
        let roles = [Role::Balancer, Role::Liberty, Role::Injector];
        let connections = u64::from(load::ON_DEMAND_USERS);
        let settings = if files.is_wanted() { make::settings(&roles, options.rate, connections) } else { Vec::new() };
        Ok(Self { files, settings, script: args.script.clone() })
    }

    /// Writes what is wanted.
    pub(super) fn write(mut self, plan: &Plan, report: &Report, max_lost: u64) -> anyhow::Result<()> {
        if !self.files.is_wanted() {
            return Ok(());
        }
        let hosts = self.files.hosts(report.elapsed_ms);
        let run = self.run(plan, report, max_lost, hosts);
        let mut numbers = report.to_json(plan);
        numbers["max_lost"] = max_lost.into();
        numbers["passed"] = run.verdict.passed.into();
        self.files.write(&run, Some(numbers))
    }

    fn run(&self, plan: &Plan, report: &Report, max_lost: u64, hosts: Vec<Host>) -> Run {
        let incidents = &report.timeline.incidents;
        let mut run = Run {
            title: title(plan),
            subject: subject(plan),
            processes: report.processes.clone(),
            course: report.course.clone(),
            hosts,
            marks: incidents.iter().flat_map(marks).collect(),
            moments: report.timeline.moments.iter().map(moment).collect(),
            sheets: sheets(report),
            settings: self.settings.clone(),
            texts: self.texts(plan),
            ..self.files.begin.run(&report.load)
        };
        run.verdict.notes = outcome::dropped(&report.load).into_iter().collect();
        verdict::judge(&mut run, super::passed(report, max_lost), judgements(report, max_lost));
        run
    }

    fn texts(&self, plan: &Plan) -> Vec<Text> {
        let script = self.script.as_deref().and_then(|path| make::file("Script", path));
        let (files, _) = lab::config::generate(plan);
        let file = |file: lab::config::File| Text { title: format!("Balancer: {}", file.path), text: file.text };
        script.into_iter().chain(files.into_iter().map(file)).collect()
    }
}

fn title(plan: &Plan) -> String {
    let (servers, rate) = (plan.servers.len(), plan.options.rate);
    let seconds = plan.options.duration.as_secs_f64();
    let kind = if plan.options.roll { "Lab with a rolling restart" } else { "Lab" };
    match &plan.options.load {
        Some(_) => format!("{kind}: a script, {servers} servers"),
        None => format!("{kind}: {servers} servers, {rate} requests a second for {seconds} s"),
    }
}

fn subject(plan: &Plan) -> Vec<Fact> {
    let of = match &plan.options.liberty {
        Some(lab::liberty::Wanted::Release { version, .. }) => format!("Open Liberty {version}"),
        Some(lab::liberty::Wanted::Home(home)) => format!("the Liberty of {}", home.display()),
        None => "stand-ins for Liberty".to_owned(),
    };
    let servers: Vec<String> = plan.servers.iter().map(|each| format!("{} at {}", each.name, each.address)).collect();
    let faults: Vec<String> = plan.faults.iter().map(ToString::to_string).collect();
    let warm_up = plan.options.warm_up.as_secs_f64();
    let mut facts = vec![
        fact("address", &plan.url()),
        fact("balancer", &format!("bedloe, by the configuration below, at {}", plan.https)),
        fact("servers", &format!("{of}: {}", servers.join(", "))),
    ];
    match &plan.options.load {
        Some(load) => facts.extend(make::of_plan(load)),
        None => facts.push(fact("load", &format!("{} requests a second", plan.options.rate))),
    }
    if warm_up > 0.0 {
        facts.push(fact("warm-up", &format!("{warm_up} s at a quarter of the rate, which is not counted")));
    }
    if !faults.is_empty() {
        facts.push(fact("faults", &faults.join(", ")));
    }
    facts.extend(make::this_machine());
    facts
}

fn judgements(report: &Report, max_lost: u64) -> Vec<Judgement> {
    let mut all = make::judgements(&report.load);
    all.push(Judgement {
        what: format!("no more than {max_lost} requests lost"),
        measured: report.lost.to_string(),
        holds: report.lost <= max_lost,
        decides: true,
    });
    if let Some(roll) = &report.roll {
        let measured = match roll.code {
            Some(0) => "done".to_owned(),
            None => "the load ended before".to_owned(),
            _ => roll.result["error"].as_str().unwrap_or("failed").to_owned(),
        };
        let holds = roll.code == Some(0);
        all.push(Judgement { what: "all servers restarted".to_owned(), measured, holds, decides: true });
    }
    all
}

/// A failure is marked for as long as the server was not there, and again where it came back.
fn marks(incident: &Incident) -> Vec<Mark> {
    let at = |ms: u64| ms as f64 / 1000.0;
    let name = &incident.server;
    let until = incident.serving_ms.or(incident.back_ms);
    let done = outcome::failure(incident.action);
    let mut marks = vec![Mark { at_s: at(incident.at_ms), until_s: until.map(at), label: format!("{name} {done}") }];
    if let Some(back_ms) = incident.back_ms {
        let does = if incident.action == Action::Pause { "goes on" } else { "is back" };
        marks.push(Mark { at_s: at(back_ms), until_s: None, label: format!("{name} {does}") });
    }
    marks
}

fn moment(moment: &lab::timeline::Moment) -> Moment {
    Moment { at_ms: moment.at_ms, who: moment.server.clone(), what: what(&moment.what) }
}

fn sheets(report: &Report) -> Vec<Sheet> {
    let mut sheets = Vec::new();
    if !report.timeline.incidents.is_empty() {
        sheets.push(sheet("Failures of servers", &outcome::incidents(&report.timeline.incidents)));
    }
    if let Some(roll) = report.roll.as_ref().filter(|roll| !matches!(roll.result, Value::Null)) {
        let mut rolled = sheet("Rolling restart", &outcome::restarts(roll));
        rolled.title += &roll.ended_ms.map(|ms| format!(", which took {}", span(ms))).unwrap_or_default();
        sheets.push(rolled);
    }
    sheets
}

/// A table of the terminal's as one of the page's.
pub(super) fn sheet(title: &str, table: &Table) -> Sheet {
    Sheet { title: title.to_owned(), columns: table.columns(), rows: table.rows().to_vec() }
}
