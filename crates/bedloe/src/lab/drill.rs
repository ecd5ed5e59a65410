//! `bedloe lab --drill`: the arguments, what is told while faults are drilled, the table and the verdict.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use lab::drill::{BACK_MAX_MS, Event, Fault, NOTICED_MAX_MS, Options, Program, Row};
use serde_json::{Value, json};

use super::reported::sheet;
use super::{CROSSED, INTERRUPTED};
use crate::report::files::Files;
use crate::report::make::{self, fact};
use crate::report::run::{Judgement, Run};
use crate::report::verdict;
use crate::table::{Align, Table};
use crate::unless_closed;

/// Requests a second unless told otherwise.
const RATE: u64 = 2000;
/// For how long a fault is there: longer than it takes to be noticed.
const LASTS: Duration = Duration::from_secs(4);

/// The flags of drills.
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    /// Drill faults instead, each for itself under load: `all`, or names with commas; `list` tells what there is. The
    /// table says what each cost, and the exit code whether bedloe held its bars
    #[arg(long, value_name = "FAULTS", conflicts_with_all = [
        "script", "duration", "warm_up", "liberty", "liberty_home", "kill", "restart", "pause", "resume", "no_faults",
        "keep", "max_lost", "roll", "netns",
    ])]
    drill: Option<String>,
    /// The same drills for other balancers, where they are installed: nginx, haproxy
    #[arg(long, value_name = "PROGRAMS", requires = "drill", value_delimiter = ',', value_parser = program)]
    against: Vec<Program>,
}

/// What a drill has in common with any lab.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) address: std::net::Ipv4Addr,
    pub(super) servers: usize,
    pub(super) rate: Option<u64>,
    pub(super) json: Option<PathBuf>,
    pub(super) report: Option<PathBuf>,
}

fn program(text: &str) -> Result<Program, String> {
    let known = Program::OTHERS.into_iter().find(|program| program.name() == text);
    known.ok_or_else(|| "want nginx or haproxy".to_owned())
}

impl DrillArgs {
    /// Whether drills are wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.drill.is_some()
    }

    /// Drills and shows what came of it.
    pub(super) fn run(&self, place: Place) -> anyhow::Result<ExitCode> {
        let wanted = self.drill.as_deref().unwrap_or_default();
        if wanted == "list" {
            show(&list())?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut against = self.against.clone();
        against.dedup();
        let options = Options {
            program: std::env::current_exe().context("cannot find the program itself")?,
            folder: place.folder,
            address: place.address,
            servers: place.servers,
            rate: place.rate.unwrap_or(RATE),
            lasts: LASTS,
            faults: Fault::list(wanted)?,
            against,
        };
        let files = Files::prepare(place.json.as_ref(), place.report.as_ref(), Some(&options.folder))?;
        let rows = match lab::drill::run(&options, &mut tell) {
            Ok(rows) => rows,
            Err(error) => {
                if !matches!(error, lab::drill::Error::Interrupted) {
                    return Err(error.into());
                }
                show("interrupted; everything is taken down\n")?;
                return Ok(ExitCode::from(INTERRUPTED));
            }
        };
        let shown = show(&render(&rows, &options));
        let run = as_run(files.begin.empty(), &rows, &options);
        files.write(&run, Some(numbers(&rows, &options))).and(shown)?;
        Ok(ExitCode::from(if breaches(&rows).is_empty() { 0 } else { CROSSED }))
    }
}

fn show(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush())).context("cannot write the result")
}

fn tell(event: &Event<'_>) {
    match event {
        Event::Begins { fault, balancer } => crate::say(format_args!("{fault} at {balancer}")),
        Event::Row(row) => {
            let of = |breach: String| crate::say(format_args!("{} at {}: {breach}", row.fault, row.balancer));
            row.breaches().into_iter().filter(|_| row.note.is_none()).for_each(of);
        }
    }
}

fn list() -> String {
    let mut table = Table::new(&[("drill", Align::Left), ("what happens", Align::Left)]);
    Fault::ALL.iter().for_each(|fault| table.row([fault.name().to_owned(), fault.what().to_owned()]));
    table.render(0)
}

/// What does not hold at bedloe; the others have promised nothing.
fn breaches(rows: &[Row]) -> Vec<String> {
    let ours = rows.iter().filter(|row| row.balancer == Program::Bedloe.name());
    ours.flat_map(|row| row.breaches().into_iter().map(|breach| format!("{}: {breach}", row.fault))).collect()
}

/// The whole result.
fn render(rows: &[Row], options: &Options) -> String {
    let mut text = format!("\n  DRILLS\n\n{}\n", table(rows).render(4));
    for row in rows.iter().filter(|row| !row.failures.is_empty() || row.note.is_some()) {
        let failures = row.failures.iter().map(|(what, count)| format!("{count} {what}"));
        let all: Vec<String> = failures.chain(row.note.clone()).collect();
        text += &format!("    {} at {}: {}\n", row.fault, row.balancer, all.join("; "));
    }
    let breaches = breaches(rows);
    let word = if breaches.is_empty() { "PASSED" } else { "FAILED" };
    text += &format!(
        "\n{word}: {} faults at {}/s; no GET fails while there is a server, no POST is done twice, a failure is\n\
         noticed within {NOTICED_MAX_MS} ms, a server that is back gets requests within {BACK_MAX_MS} ms\n",
        options.faults.len(),
        options.rate,
    );
    breaches.iter().for_each(|breach| text += &format!("  {breach}\n"));
    text + &format!("configurations and logs stay in {}\n", options.folder.display())
}

fn table(rows: &[Row]) -> Table {
    let right = |name| (name, Align::Right);
    let columns = [("fault", Align::Left), ("balancer", Align::Left), right("noticed"), right("GETs failed")];
    let more = [right("cut off"), right("POSTs failed"), right("twice"), right("retried"), right("sessions lost")];
    let mut table = Table::new(&[&columns[..], &more, &[right("back after")]].concat());
    for row in rows {
        let is_empty = row.requests == 0;
        let count = |count: u64| if is_empty { String::new() } else { count.to_string() };
        let time = |ms: Option<u64>| match ms {
            _ if is_empty => String::new(),
            Some(ms) if row.fault.is_noticed() => format!("{ms} ms"),
            None if row.fault.is_noticed() => "never".to_owned(),
            _ => "-".to_owned(),
        };
        table.row([
            row.fault.name().to_owned(),
            row.balancer.to_owned(),
            time(row.noticed_ms),
            count(row.gets_failed),
            count(row.gets_cut_off),
            count(row.posts_failed),
            count(row.posts_twice),
            row.retried.map(count).unwrap_or_default(),
            if is_empty { String::new() } else { format!("{} of {}", row.sessions_lost, row.sessions) },
            time(row.back_after_ms),
        ]);
    }
    table
}

/// The drills as a run, for its page.
fn as_run(begun: Run, rows: &[Row], options: &Options) -> Run {
    let ours = rows.iter().filter(|row| row.balancer == Program::Bedloe.name());
    let judgement = |row: &Row| {
        let breaches = row.breaches();
        let measured = if breaches.is_empty() { "held".to_owned() } else { breaches.join("; ") };
        let what = format!("{}: {}", row.fault, row.fault.what());
        Judgement { what, measured, holds: breaches.is_empty(), decides: true }
    };
    let judgements = ours.map(judgement).collect();
    let (faults, rate) = (options.faults.len(), options.rate);
    let mut run = Run {
        title: format!("Drills: {faults} faults at {rate} requests a second"),
        outcome: "finished".to_owned(),
        subject: [fact("servers", &format!("{} stand-ins for Liberty", options.servers))]
            .into_iter()
            .chain(make::this_machine())
            .collect(),
        sheets: vec![sheet("Drills", &table(rows))],
        ..begun
    };
    let notes =
        rows.iter().filter_map(|row| Some(format!("{} at {}: {}", row.fault, row.balancer, row.note.as_ref()?)));
    run.verdict.notes = notes.collect();
    verdict::judge(&mut run, breaches(rows).is_empty(), judgements);
    run
}

fn numbers(rows: &[Row], options: &Options) -> Value {
    let breaches = breaches(rows);
    json!({
        "rate": options.rate,
        "servers": options.servers,
        "passed": breaches.is_empty(),
        "breaches": breaches,
        "noticed_max_ms": NOTICED_MAX_MS,
        "back_max_ms": BACK_MAX_MS,
        "drills": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fault: Fault, balancer: &'static str) -> Row {
        Row {
            fault,
            balancer,
            noticed_ms: Some(1_204),
            requests: 18_000,
            gets_failed: 0,
            gets_without_server: 0,
            gets_cut_off: 0,
            posts_failed: 3,
            posts_twice: 0,
            posts_undone: 0,
            retried: Some(700),
            sessions: 200,
            sessions_lost: 66,
            sessions_lost_elsewhere: 0,
            back_after_ms: Some(250),
            unsent: 0,
            failures: vec![("post: 502".to_owned(), 3)],
            note: None,
        }
    }

    fn options() -> Options {
        Options {
            program: "bedloe".into(),
            folder: "/lab".into(),
            address: std::net::Ipv4Addr::LOCALHOST,
            servers: 3,
            rate: 2_000,
            lasts: LASTS,
            faults: vec![Fault::Hang, Fault::Reload],
            against: vec![Program::Nginx],
        }
    }

    #[test]
    fn a_table_that_holds() {
        let missing = Row {
            requests: 0,
            failures: Vec::new(),
            note: Some("not installed".to_owned()),
            ..row(Fault::Hang, "nginx")
        };
        let rows = [row(Fault::Hang, "bedloe"), missing, row(Fault::Reload, "bedloe")];
        let expected = "
  DRILLS

    fault   balancer  noticed  GETs failed  cut off  POSTs failed  twice  retried  sessions lost  back after
    hang    bedloe    1204 ms            0        0             3      0      700      66 of 200      250 ms
    hang    nginx
    reload  bedloe          -            0        0             3      0      700      66 of 200           -

    hang at bedloe: 3 post: 502
    hang at nginx: not installed
    reload at bedloe: 3 post: 502

PASSED: 2 faults at 2000/s; no GET fails while there is a server, no POST is done twice, a failure is
noticed within 2200 ms, a server that is back gets requests within 500 ms
configurations and logs stay in /lab
";
        assert_eq!(render(&rows, &options()), expected);
        assert_eq!(numbers(&rows, &options())["passed"], true);
    }

    #[test]
    fn what_does_not_hold_is_told_of_bedloe_alone() {
        let bad = |balancer| Row { gets_failed: 2, noticed_ms: None, ..row(Fault::Hang, balancer) };
        let text = render(&[bad("bedloe"), bad("nginx")], &options());
        assert!(text.contains("\nFAILED: 2 faults") && text.contains("    hang   nginx       never"), "{text}");
        let said: Vec<&str> = text.lines().filter(|line| line.starts_with("  hang: ")).collect();
        assert_eq!(said, ["  hang: 2 GETs failed", "  hang: not noticed"]);
        assert_eq!(numbers(&[bad("nginx")], &options())["passed"], true);
    }
}
