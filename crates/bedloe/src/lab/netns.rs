//! `bedloe lab --netns`: arguments, what is shown meanwhile, and the result.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use lab::liberty::Wanted;
use lab::netns::{Act, Event, Fault, Options, Report, Row};

use super::outcome::span;
use super::reported::sheet;
use super::{CROSSED, INTERRUPTED};
use crate::report::clock;
use crate::report::files::Files;
use crate::report::make::{self, fact};
use crate::report::run::{Judgement, Mark, Moment, Run};
use crate::report::verdict;
use crate::table::{Align, Table};
use crate::unless_closed;

/// Requests a second unless told otherwise.
const RATE: u64 = 500;
/// Seconds between two lines of progress.
const LINE_EVERY_S: u64 = 5;

/// Flags that only this lab has.
#[derive(Debug, Args)]
pub(super) struct NetnsArgs {
    /// Build hosts of their own (network namespaces; root only): an injector, two balancers with keepalived and a
    /// shared address, the servers. Faults name hosts: balancer-1, balancer-2, liberty-1 and so on, or master, the
    /// balancer that has the address; keepalived-master and so on is keepalived alone, to kill, restart, pause and
    /// resume. Without any, the master is cut off and connected again, by its link and then by lost packets
    #[arg(long, conflicts_with_all = ["script", "keep", "address", "warm_up", "roll", "max_lost"])]
    netns: bool,
    /// With --netns: cut a host off: its link is down
    #[arg(long, value_name = "HOST@TIME", requires = "netns")]
    cut: Vec<String>,
    /// With --netns: connect a host again, and lose no packet any more
    #[arg(long, value_name = "HOST@TIME", requires = "netns")]
    mend: Vec<String>,
    /// With --netns: lose a share of a host's packets, both ways, ARP too; 100 is all, with the link up
    #[arg(long, value_name = "HOST:PERCENT@TIME", requires = "netns")]
    drop: Vec<String>,
    /// With --netns: kill all that runs on a host, and cut it off
    #[arg(long, value_name = "HOST@TIME", requires = "netns")]
    stop_host: Vec<String>,
    /// With --netns: start a host that was stopped
    #[arg(long, value_name = "HOST@TIME", requires = "netns")]
    start_host: Vec<String>,
    /// With --netns: sessions that are visited all the time
    #[arg(long, value_name = "N", default_value_t = 50, requires = "netns")]
    sessions: usize,
}

/// What it takes of the other flags.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) servers: usize,
    pub(super) rate: Option<u64>,
    pub(super) duration: Duration,
    pub(super) liberty: Option<Wanted>,
    pub(super) json: Option<PathBuf>,
    pub(super) report: Option<PathBuf>,
    pub(super) no_faults: bool,
    /// `--kill`, `--restart`, `--pause`, `--resume`.
    pub(super) faults: Vec<(Act, Vec<String>)>,
}

impl NetnsArgs {
    pub(super) fn is_wanted(&self) -> bool {
        self.netns
    }

    /// Runs the lab and shows it.
    pub(super) fn run(&self, place: Place) -> anyhow::Result<ExitCode> {
        let faults = self.faults(&place)?;
        let options = Options {
            program: std::env::current_exe().context("cannot find the program itself")?,
            folder: place.folder,
            servers: place.servers,
            rate: place.rate.unwrap_or(RATE),
            duration: place.duration,
            sessions: self.sessions,
            faults,
            liberty: place.liberty,
        };
        let files = Files::prepare(place.json.as_ref(), place.report.as_ref(), Some(&options.folder))?;
        let mut due_s = 0;
        let report = match lab::netns::run(&options, &mut |event| tell(&event, &mut due_s)) {
            Ok(report) => report,
            Err(error) => {
                if !matches!(error, lab::netns::Error::Interrupted) {
                    return Err(error.into());
                }
                note("interrupted; everything is taken down");
                return Ok(ExitCode::from(INTERRUPTED));
            }
        };
        let complaints = report.complaints();
        let text = render(&report, &complaints);
        let shown = unless_closed(std::io::stdout().lock().write_all(text.as_bytes()));
        let run = as_run(files.begin.run(&report.load), &report, &complaints, &options);
        let mut numbers = report.to_json();
        numbers["passed"] = run.verdict.passed.into();
        files.write(&run, Some(numbers)).and(shown.context("cannot write the result"))?;
        Ok(match complaints.is_empty() {
            _ if is_interrupted(&report) => ExitCode::from(INTERRUPTED),
            true => ExitCode::SUCCESS,
            false => ExitCode::from(CROSSED),
        })
    }

    /// The faults asked for; `None` for the usual ones.
    fn faults(&self, place: &Place) -> anyhow::Result<Option<Vec<Fault>>> {
        let own = [
            (Act::Cut, &self.cut),
            (Act::Mend, &self.mend),
            (Act::Drop(0), &self.drop),
            (Act::StopHost, &self.stop_host),
            (Act::StartHost, &self.start_host),
        ];
        let written = place.faults.iter().map(|(act, texts)| (*act, texts)).chain(own);
        let faults = written.flat_map(|(act, texts)| texts.iter().map(move |text| Fault::parse(act, text)));
        let faults = faults.collect::<Result<Vec<_>, _>>()?;
        Ok((place.no_faults || !faults.is_empty()).then_some(faults))
    }
}

/// Whether a signal ended the load: what was seen until then passes nothing.
fn is_interrupted(report: &Report) -> bool {
    report.load.outcome == load::Outcome::Interrupted
}

/// Shows an event, on the standard error. Nobody need be reading it.
fn tell(event: &Event<'_>, due_s: &mut u64) {
    match event {
        Event::Preparing(text) => note(text),
        Event::Load => note("the load begins"),
        Event::Moment(at_ms, text) => note(&format!("{}  {text}", clock(*at_ms))),
        Event::Stopping => note("stopping the load; once more to end at once, without a result"),
        Event::Warning(text) => note(&format!("warning: {text}")),
        Event::Progress { progress, masters } => {
            let elapsed_s = progress.elapsed_ns / 1_000_000_000;
            if let Some(last) = progress.last_second.filter(|_| elapsed_s >= *due_s) {
                *due_s = elapsed_s - elapsed_s % LINE_EVERY_S + LINE_EVERY_S;
                let (requests, p95_ms, failed) = (last.requests, last.p95_ms, progress.failed);
                note(&format!(
                    "{elapsed_s} s  {requests}/s  p95 {p95_ms:.2} ms  failed {failed}  address at {masters}"
                ));
            }
        }
    }
}

fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn faults(report: &Report) -> Table {
    let right = |name| (name, Align::Right);
    let columns =
        [right("at"), ("host", Align::Left), ("what happened to it", Align::Left), right("service back after")];
    let more = [right("address settled after"), ("at", Align::Left)];
    let last = [right("failed"), right("probes"), right("unanswered"), right("sessions lost")];
    let mut table = Table::new(&[&columns[..], &more[..], &last[..]].concat());
    for row in &report.rows {
        table.row([
            clock(row.at_ms),
            row.host.clone(),
            row.act.what(),
            row.back_ms.map_or("-".to_owned(), span),
            span(row.settled_ms),
            if row.masters.is_empty() { "nobody".to_owned() } else { row.masters.join(" and ") },
            row.failed.to_string(),
            row.probes.to_string(),
            row.unanswered.to_string(),
            row.sessions_lost.to_string(),
        ]);
    }
    table
}

/// The result as a run, for its page.
fn as_run(begun: Run, report: &Report, complaints: &[String], options: &Options) -> Run {
    let mark = |row: &Row| {
        let at = |ms: u64| ms as f64 / 1000.0;
        let until_s = row.back_ms.filter(|ms| *ms > 0).map(|ms| at(row.at_ms + ms));
        Mark { at_s: at(row.at_ms), until_s, label: format!("{} {}", row.host, row.act.what()) }
    };
    let had = |(at_ms, masters): &(u64, Vec<String>)| {
        let who = if masters.is_empty() { "nobody".to_owned() } else { masters.join(" and ") };
        Moment { at_ms: *at_ms, who, what: "has the shared address".to_owned() }
    };
    let mut run = Run {
        title: format!("Lab on hosts of its own: two balancers, {} servers", options.servers),
        subject: [fact("load", &format!("{} requests a second", options.rate))]
            .into_iter()
            .chain([fact("sessions", &format!("{}, of which {} began anew", report.sessions, report.sessions_lost))])
            .chain(make::this_machine())
            .collect(),
        marks: report.rows.iter().map(mark).collect(),
        moments: report.masters.iter().map(had).collect(),
        sheets: if report.rows.is_empty() { Vec::new() } else { vec![sheet("Faults", &faults(report))] },
        ..begun
    };
    let complaint =
        |what: &String| Judgement { what: what.clone(), holds: false, decides: true, ..Judgement::default() };
    let holds = Judgement {
        what: "service and address are back in time".to_owned(),
        holds: true,
        decides: true,
        measured: "yes".to_owned(),
    };
    let judgements = if complaints.is_empty() { vec![holds] } else { complaints.iter().map(complaint).collect() };
    verdict::judge(&mut run, complaints.is_empty() && !is_interrupted(report), judgements);
    run
}

fn render(report: &Report, complaints: &[String]) -> String {
    let table = || format!("\n  FAULTS\n\n{}\n", faults(report).render(4));
    let mut text = if report.rows.is_empty() { String::new() } else { table() };
    let (requests, failed) = (report.load.count("http_reqs"), report.failed);
    let (sessions, lost) = (report.sessions, report.sessions_lost);
    let verdict = match complaints.is_empty() {
        _ if is_interrupted(report) => "INTERRUPTED",
        true => "PASSED",
        false => "FAILED",
    };
    text += &format!("{verdict}: {requests} requests, {failed} failed; {sessions} sessions, {lost} lost\n");
    complaints.iter().for_each(|complaint| text += &format!("  {complaint}\n"));
    text
}
