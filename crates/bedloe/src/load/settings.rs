//! What k6 takes from flags and the environment, and from nowhere else: flags first.

use std::path::PathBuf;

use clap::ValueEnum;

use super::args::LoadArgs;
use super::lines::Lines;
use super::outputs::Wanted;
use crate::summary::Mode;

/// How a test is judged and told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) no_thresholds: bool,
    pub(super) mode: Mode,
    /// The file of the summary as JSON.
    pub(super) export: Option<PathBuf>,
    /// The file that scripts' consoles go to.
    pub(super) console: Option<PathBuf>,
    /// Where lines about the test go, and how.
    pub(super) lines: Lines,
    /// Where samples go.
    pub(super) outputs: Vec<Wanted>,
}

impl Settings {
    /// Reads the flags, and the variables that `find` gives.
    pub(super) fn of(args: &LoadArgs, find: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let find = |name: &str| find(name).filter(|text| !text.is_empty());
        let is_on = |name: &str| match find(name).as_deref() {
            None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some(text) => Err(anyhow::anyhow!("{name}: `{text}` is no true or false")),
        };
        let path = |flag: &Option<PathBuf>, name| flag.clone().or_else(|| find(name).map(PathBuf::from));
        let mode = match (args.summary_mode, find("K6_SUMMARY_MODE")) {
            (Some(mode), _) => mode,
            (None, None) => Mode::Compact,
            (None, Some(text)) => Mode::from_str(&text, true)
                .map_err(|_| anyhow::anyhow!("K6_SUMMARY_MODE: `{text}` is none of compact, full and disabled"))?,
        };
        let outputs = if args.out.is_empty() {
            let listed = find("K6_OUT").unwrap_or_default();
            listed.split(',').filter(|text| !text.is_empty()).map(Wanted::parse).collect::<Result<_, _>>()?
        } else {
            args.out.iter().map(|text| Wanted::parse(text)).collect::<Result<_, _>>()?
        };
        let text = |flag: &Option<String>, name| flag.clone().or_else(|| find(name)).unwrap_or_default();
        let (traces, secrets) = args.unserved();
        let traces = traces.map(str::to_owned).or_else(|| find("K6_TRACES_OUTPUT"));
        anyhow::ensure!(
            traces.is_none_or(|traces| traces == "none"),
            "the option `--traces-output` is not served: there are no traces of a test"
        );
        anyhow::ensure!(
            secrets.is_none() && find("K6_SECRET_SOURCE").is_none(),
            "the option `--secret-source` is not served: there is no module `k6/secrets`; `-e NAME=VALUE` and `__ENV` \
             hand over what is secret"
        );
        let is_silent = args.no_summary || is_on("K6_NO_SUMMARY")?;
        Ok(Self {
            no_thresholds: args.no_thresholds || is_on("K6_NO_THRESHOLDS")?,
            mode: if is_silent { Mode::Disabled } else { mode },
            export: path(&args.summary_export, "K6_SUMMARY_EXPORT"),
            console: path(&args.console_output, "K6_CONSOLE_OUTPUT"),
            lines: Lines::parse(&text(&args.log_format, "K6_LOG_FORMAT"), &text(&args.log_output, "K6_LOG_OUTPUT"))?,
            outputs,
        })
    }
}
