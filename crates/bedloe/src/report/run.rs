//! A run as data: all that a report shows, and nothing that it does not. The page is made of this alone, so that it can
//! be made again from the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use lab::ProcessRow;
use lab::course::Course;
use load::Step;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a file of a run says that it is.
const FORMAT: &str = "bedloe-run";
/// Changes when a file of today would be misread.
const VERSION: u32 = 1;
/// A larger file is none of ours: a run of hours on many hosts has some MiB.
const FILE_MAX: u64 = 256 << 20;

/// A run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub format: String,
    pub version: u32,
    /// The program's version.
    pub bedloe: String,
    /// What was run, in a line.
    pub title: String,
    /// When it began.
    pub began: String,
    /// The command line, without what may be secret.
    pub command: String,
    /// How long it took.
    pub elapsed_s: f64,
    /// `passed`, `crossed`, `interrupted` and so on.
    pub outcome: String,
    pub verdict: Verdict,
    /// What was run, by name: address, load, servers, this machine.
    pub subject: Vec<Fact>,
    /// k6's metrics.
    pub figures: Vec<Figure>,
    pub checks: Vec<Check>,
    /// What went wrong with requests.
    pub failures: Vec<Failure>,
    /// The load second by second.
    pub steps: Vec<Step>,
    /// Of a lab: what its processes used, and what each server got.
    pub processes: Vec<ProcessRow>,
    /// The same second by second.
    pub course: Course,
    /// Hosts that were watched.
    pub hosts: Vec<Host>,
    /// What is marked in charts.
    pub marks: Vec<Mark>,
    /// What happened when.
    pub moments: Vec<Moment>,
    /// What else came of it.
    pub sheets: Vec<Sheet>,
    /// Settings of this machine that are not as the load wants them.
    pub settings: Vec<Setting>,
    /// What was run, in full: the script, the balancer's configuration.
    pub texts: Vec<Text>,
}

/// Whether all is as it should be, and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// As the exit code has it.
    pub passed: bool,
    pub sentence: String,
    pub judgements: Vec<Judgement>,
    /// What else is to be known before the figures are believed.
    pub notes: Vec<String>,
}

/// One thing that was judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judgement {
    pub what: String,
    pub measured: String,
    pub holds: bool,
    /// Whether the exit code goes by it.
    pub decides: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fact {
    pub what: String,
    pub value: String,
}

/// One metric as k6 has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub name: String,
    /// `counter`, `gauge`, `rate` or `trend`.
    pub kind: String,
    /// `time` (milliseconds), `data` (bytes) or `default`.
    pub unit: String,
    /// Whether the compact summary shows it.
    pub compact: bool,
    /// By k6's names: `count` and `rate`, `p(95)`...
    pub values: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Check {
    pub name: String,
    pub passes: u64,
    pub fails: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// k6's code.
    pub code: u16,
    pub what: String,
    pub count: u64,
}

/// What is marked in charts, in seconds from the start of the load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub at_s: f64,
    pub until_s: Option<f64>,
    pub label: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub at_ms: u64,
    pub who: String,
    pub what: String,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sheet {
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub role: String,
    pub setting: String,
    pub now: String,
    pub wanted: String,
    pub why: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Text {
    pub title: String,
    pub text: String,
}

/// One host over time. Where something is not known of it, its list is empty; a gap is `null`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub name: String,
    /// Where its figures come from.
    pub source: String,
    pub cores: u64,
    pub memory_bytes: f64,
    /// From the start of the load.
    pub at_s: Vec<f64>,
    /// Parts of all its CPU time, by mode; what is idle is left out.
    pub cpu_percent: Vec<Curve>,
    /// The average over a minute of processes that run or wait to.
    pub load: Vec<Option<f64>>,
    pub switches_per_s: Vec<Option<f64>>,
    pub memory_used_bytes: Vec<Option<f64>>,
    /// Connections that are established.
    pub established: Vec<Option<f64>>,
    /// Segments, connections opened, a second.
    pub tcp_per_s: Vec<Curve>,
    /// What went wrong with connections and segments, a second.
    pub tcp_errors_per_s: Vec<Curve>,
    pub network_bytes_per_s: Vec<Curve>,
    /// Processes that its agent watches.
    pub watched: Vec<Watched>,
    /// Why it could not be asked, where it could not.
    pub trouble: Option<String>,
}

/// The processes of one name on a host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub name: String,
    /// Of one core.
    pub cpu_percent: Vec<Option<f64>>,
    pub resident_bytes: Vec<Option<f64>>,
}

/// One of several lines over the same time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    pub name: String,
    pub values: Vec<Option<f64>>,
}

impl Run {
    /// An empty run of this program.
    pub(crate) fn new() -> Self {
        let bedloe = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT.to_owned(), version: VERSION, bedloe, ..Self::default() }
    }

    /// Reads the file of a run: what `bedloe load --json` or `bedloe lab --json` wrote.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let meta = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?;
        ensure!(!meta.is_dir(), "{name} is a folder, not the file of a run");
        let mut text = Vec::new();
        // Of a pipe or a device nobody says how much there is.
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        file.take(FILE_MAX + 1).read_to_end(&mut text).with_context(|| format!("cannot read {name}"))?;
        ensure!(text.len() as u64 <= FILE_MAX, "{name} is larger than {} MiB: that is no run", FILE_MAX >> 20);
        let value = serde_json::from_slice(&text).with_context(|| format!("{name} is no JSON"))?;
        Self::parse(value).with_context(|| format!("{name} is no run that can be shown"))
    }

    /// A lab's document has the run beside what it always had.
    fn parse(mut value: Value) -> anyhow::Result<Self> {
        let run = match value.get_mut("run") {
            Some(run) => run.take(),
            None => value,
        };
        if run.get("format").and_then(Value::as_str) != Some(FORMAT) {
            bail!("want what `bedloe load --json FILE` or `bedloe lab --json FILE` writes");
        }
        match run.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => bail!("it has version {version}, and this bedloe reads version {VERSION}"),
            None => bail!("it does not say its version"),
        }
        let run: Self = serde_json::from_value(run).context("it is damaged")?;
        run.check()?;
        Ok(run)
    }

    /// Lists that belong together are as long as each other.
    fn check(&self) -> anyhow::Result<()> {
        let moments = self.course.at_ms.len();
        for process in &self.course.processes {
            ensure!(process.counts.len() == moments, "it is damaged: {} has not all its moments", process.name);
        }
        Ok(())
    }

    /// Everything, for a file.
    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// A value of a figure.
    pub(crate) fn value(&self, figure: &str, value: &str) -> Option<f64> {
        self.figures.iter().find(|known| known.name == figure)?.values.get(value).copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_read_alone_and_out_of_a_labs_document() {
        let run = Run { title: "a test".into(), ..Run::new() };
        let alone = serde_json::to_value(&run).unwrap();
        assert_eq!(Run::parse(alone.clone()).unwrap(), run);
        assert_eq!(Run::parse(json!({ "rate": 8000, "run": alone })).unwrap(), run);
    }

    /// The page of a run that was read is that of the run.
    #[test]
    fn a_number_that_is_read_back_is_the_one_that_was_written() {
        for number in [0.1 + 0.2, 4.114_999_999_999_999, 1.0 / 3.0, 123_456_789.123_456_79, 5e-324, f64::MAX] {
            let run = Run { elapsed_s: number, ..Run::new() };
            let text = run.to_json().unwrap();
            assert_eq!(Run::parse(serde_json::from_str(&text).unwrap()).unwrap(), run, "{number}");
        }
    }

    #[test]
    fn what_is_no_run_is_refused_with_a_reason() {
        let mut damaged = serde_json::to_value(Run::new()).unwrap();
        damaged["steps"] = json!("none");
        let table = [
            (json!({ "metrics": {} }), "bedloe load --json FILE"),
            (json!([1, 2]), "bedloe load --json FILE"),
            (json!({ "format": FORMAT }), "does not say its version"),
            (json!({ "format": FORMAT, "version": 2 }), "has version 2, and this bedloe reads version 1"),
            (json!({ "format": FORMAT, "version": 1 }), "damaged"),
            (damaged, "damaged"),
        ];
        for (value, part) in table {
            let said = format!("{:#}", Run::parse(value.clone()).unwrap_err());
            assert!(said.contains(part), "{value}: {said}");
        }
    }
}
