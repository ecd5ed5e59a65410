//! From what a load measured to the data of a run.

use std::path::Path;
use std::time::Instant;

use host::tune::{Ask, Role, Root, look};
use load::stat::Stat;
use load::{Metric, Outcome, Report, Value};

use super::run::{Check, Fact, Failure, Figure, Judgement, Run, Setting, Text};
use crate::shell;

/// Words of a command line that have something secret behind them, or in them behind `=`.
const SECRETS: [&str; 2] = ["--env", "--header"];
/// The same of one letter, and those that may stand before them in one word.
const SECRET_LETTERS: [char; 2] = ['e', 'H'];
const SWITCHES: [char; 6] = ['k', 'l', 'p', 'q', 'v', 'w'];

/// Of a script or a configuration a page shows so much.
const TEXT_MAX: usize = 256 << 10;

/// When a run began and by what command, noted at its beginning.
#[derive(Debug, Clone)]
pub(crate) struct Begin {
    at: Instant,
    began: String,
    command: String,
}

impl Begin {
    pub(crate) fn now() -> Self {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        let began = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        Self { at: Instant::now(), began, command: command(words) }
    }

    /// What a load measured; title, verdict and the rest are the caller's.
    pub(crate) fn run(&self, report: &Report) -> Run {
        Run {
            elapsed_s: report.elapsed_ns as f64 / 1e9,
            outcome: format!("{:?}", report.outcome).to_lowercase(),
            figures: report.metrics.iter().map(figure).collect(),
            checks: report.checks.iter().map(check).collect(),
            failures: report.failures.iter().map(failure).collect(),
            steps: report.steps.clone(),
            ..self.empty()
        }
    }

    /// A run that measured no load as a whole.
    pub(crate) fn empty(&self) -> Run {
        let elapsed_s = self.at.elapsed().as_secs_f64();
        Run { began: self.began.clone(), command: self.command.clone(), elapsed_s, ..Run::new() }
    }
}

/// A command line as one would type it again, but for what may be secret.
fn command(words: impl Iterator<Item = String>) -> String {
    // Where something secret follows: whether its name, in front of `=`, may be shown.
    let mut secret: Option<bool> = None;
    let mut shown = Vec::new();
    for (at, word) in words.enumerate() {
        let letters = letters_before_a_secret(&word);
        let hidden = match word.split_once('=') {
            Some((name, _)) if secret == Some(true) => format!("{name}=***"),
            _ if secret.is_some() => "***".to_owned(),
            Some((flag, _)) if SECRETS.contains(&flag) => format!("{flag}=***"),
            _ => match letters.filter(|letters| *letters < word.len()) {
                Some(letters) => format!("{}***", &word[..letters]),
                None => without_user(&word),
            },
        };
        let is_flag = SECRETS.contains(&word.as_str()) || letters == Some(word.len());
        secret = (secret.is_none() && is_flag).then(|| word != "--header" && !word.ends_with('H'));
        let name = hidden.rsplit('/').next().filter(|_| at == 0).unwrap_or(&hidden);
        shown.push(shell::word(name));
    }
    shown.join(" ")
}

/// How much of a word of flags is not secret, where one of them has something secret behind it.
fn letters_before_a_secret(word: &str) -> Option<usize> {
    let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
    let at = letters.find(|letter| !SWITCHES.contains(&letter))?;
    letters[at..].starts_with(SECRET_LETTERS).then_some(at + 2)
}

/// An address without the name and password in it.
pub(crate) fn without_user(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => word.to_owned(),
    }
}

fn figure(metric: &Metric) -> Figure {
    let pairs: Vec<(String, f64)> = match &metric.value {
        Value::Counter { count, per_s } => vec![("count".into(), *count), ("rate".into(), *per_s)],
        Value::Gauge { value, min, max } => {
            vec![("value".into(), *value), ("min".into(), *min), ("max".into(), *max)]
        }
        value @ Value::Rate { hits, total } => vec![
            ("rate".into(), value.part()),
            ("passes".into(), *hits as f64),
            ("fails".into(), (total - hits) as f64),
        ],
        Value::Trend(trend) => {
            let stats = Stat::usual().into_iter().chain(Stat::parse("p(99)")).chain(Stat::parse("count"));
            stats.map(|stat| (stat.name(), stat.of(trend))).collect()
        }
    };
    Figure {
        name: metric.name.clone(),
        kind: metric.value.kind().name().to_owned(),
        unit: metric.unit.name().to_owned(),
        compact: metric.compact,
        values: pairs.into_iter().filter(|(_, value)| value.is_finite()).collect(),
    }
}

fn check(check: &load::metric::CheckCount) -> Check {
    Check { name: check.name.to_string(), passes: check.passes, fails: check.fails }
}

fn failure(each: &load::FailureCount) -> Failure {
    Failure { code: each.failure.code, what: each.failure.text.clone(), count: each.count }
}

/// What a load is judged by: its thresholds, and its end.
pub(crate) fn judgements(report: &Report) -> Vec<Judgement> {
    let verdicts = report.metrics.iter().flat_map(|metric| metric.verdicts.iter().map(move |each| (metric, each)));
    let judgement = |(metric, verdict): (&Metric, &load::Verdict)| Judgement {
        what: format!("{} {}", metric.name, verdict.source),
        measured: ((verdict.measured * 10_000.0).round() / 10_000.0).to_string(),
        holds: verdict.holds,
        decides: true,
    };
    verdicts.map(judgement).chain(ended(&report.outcome)).collect()
}

/// How a test ended, where that is not told by its thresholds.
fn ended(outcome: &Outcome) -> Option<Judgement> {
    let measured = match outcome {
        Outcome::Passed | Outcome::Crossed | Outcome::Interrupted => return None,
        Outcome::ScriptFailed => "its setup or teardown threw an exception",
        Outcome::Aborted => "it called test.abort",
        Outcome::Failed => "it called test.fail",
        Outcome::SetupTimedOut => "its setup took too long",
        Outcome::TeardownTimedOut => "its teardown took too long",
    };
    let what = "the script comes to its end".to_owned();
    Some(Judgement { what, measured: measured.to_owned(), holds: false, decides: true })
}

/// What a plan has scenarios do.
pub(crate) fn of_plan(plan: &load::Plan) -> Vec<Fact> {
    crate::load::scenarios(plan).into_iter().map(|(name, does)| fact(&format!("scenario {name}"), &does)).collect()
}

/// A file that a run was made with, if it can still be read.
pub(crate) fn file(title: &str, path: &Path) -> Option<Text> {
    let bytes = std::fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_MAX)]).into_owned();
    let cut = if bytes.len() > TEXT_MAX { ", of which the rest is left out" } else { "" };
    Some(Text { title: format!("{title}: {}{cut}", path.display()), text })
}

/// What this machine is.
pub(crate) fn this_machine() -> Vec<Fact> {
    let uname = rustix::system::uname();
    let (name, kernel) = (uname.nodename().to_string_lossy(), uname.release().to_string_lossy());
    let memory = host::memory_mib().map(|mib| format!(", {mib} MiB of memory")).unwrap_or_default();
    let cores = host::cores();
    let plural = if cores == 1 { "" } else { "s" };
    vec![fact("this machine", &format!("{name}: {cores} core{plural}{memory}, Linux {kernel}"))]
}

pub(crate) fn fact(what: &str, value: &str) -> Fact {
    Fact { what: what.to_owned(), value: value.to_owned() }
}

/// What `bedloe tune check` says of this machine, for each role that it has in the run: what is not as it should be.
pub(crate) fn settings(roles: &[Role], rate: u64, connections: u64) -> Vec<Setting> {
    let Ok(root) = Root::open(std::path::Path::new("/")) else { return Vec::new() };
    let mut found: Vec<Setting> = Vec::new();
    for role in roles {
        let ask = Ask {
            role: *role,
            rate: rate.max(1),
            connections,
            services: Vec::new(),
            users: Vec::new(),
            ports: Vec::new(),
        };
        for row in look(&root, &ask).map(|look| look.rows).unwrap_or_default() {
            if !row.ok && !found.iter().any(|known| known.setting == row.setting) {
                let host::tune::Row { setting, now, wanted, why, .. } = row;
                found.push(Setting { role: role.to_string(), setting, now, wanted, why });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Args;

    use super::*;

    /// Of flags that could stand before one with a secret in one word, none is missing.
    #[test]
    fn all_switches_of_one_letter_are_known() {
        let load = crate::load::LoadArgs::augment_args(clap::Command::new("load"));
        let lab = crate::lab::LabArgs::augment_args(clap::Command::new("lab"));
        let arguments = load.get_arguments().chain(lab.get_arguments());
        let switches = arguments.filter(|argument| !argument.get_action().takes_values());
        let letters: BTreeSet<char> = switches.filter_map(clap::Arg::get_short).collect();
        assert_eq!(letters, SWITCHES.into());
    }

    #[test]
    fn a_command_line_is_shown_without_what_may_be_secret() {
        let table = [
            (vec!["/usr/bin/bedloe", "load", "a b.js"], "bedloe load 'a b.js'"),
            (
                vec!["bedloe", "load", "-e", "TOKEN=abc", "--env=KEY=abc", "-eA=b", "t.js"],
                "bedloe load -e 'TOKEN=***' '--env=***' '-e***' t.js",
            ),
            (
                vec!["bedloe", "load", "-H", "Authorization: Basic bWU6YWJj=", "http://h/"],
                "bedloe load -H '***' http://h/",
            ),
            (
                vec![
                    "bedloe",
                    "load",
                    "-kH",
                    "Authorization: Bearer abc",
                    "-qeA=b",
                    "-d",
                    "1s",
                    "-e",
                    "-H",
                    "http://h/",
                ],
                "bedloe load -kH '***' '-qe***' -d 1s -e '***' http://h/",
            ),
            (vec!["bedloe", "load", "https://me:abc@h/a@b"], "bedloe load https://h/a@b"),
            (vec!["bedloe", "load", "https://h?to=a@b"], "bedloe load 'https://h?to=a@b'"),
        ];
        for (words, expected) in table {
            assert_eq!(command(words.into_iter().map(str::to_owned)), expected);
        }
    }
}
