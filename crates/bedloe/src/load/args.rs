//! The command line of `bedloe load`: k6's flags, and those for a URL without a script.

use std::path::PathBuf;

use clap::Args;
use load::duration;
use load::options::Layer;
use load::schedule::Stage;
use serde_json::{Value as Json, json};

use super::plan::is_script;
use crate::hosts::AgentsArgs;
use crate::summary::Mode;

/// Flags of k6's that scripts are started with and that mean nothing here, or that are not served and say so.
#[derive(Debug, Args)]
struct Others {
    /// Nobody is told who uses it
    #[arg(long, hide = true)]
    no_usage_report: bool,
    /// There is one mode
    #[arg(long, hide = true, value_name = "MODE", value_parser = ["base", "extended"])]
    compatibility_mode: Option<String>,
    /// There is no API
    #[arg(short, long, hide = true)]
    address: Option<String>,
    #[arg(short, long, hide = true)]
    paused: bool,
    #[arg(short, long, hide = true)]
    linger: bool,
    #[arg(long, hide = true)]
    local_ips: Option<String>,
    #[arg(long, hide = true)]
    traces_output: Option<String>,
    #[arg(long, hide = true)]
    secret_source: Vec<String>,
}

/// Run a k6 script, or send requests to one address, at a fixed or ramping rate or by users that go round, and measure
/// the answers.
///
/// Exit codes are k6's: 0, 99 a threshold was crossed, 100 and 101 setup and teardown took too long, 104 bad options,
/// 105 ended by a signal, 107 an exception in the script's init code, setup or teardown, 255 bad flags; and 1 where the
/// summary could not be written.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// A k6 script, or what to GET: http://... or https://...
    #[arg(value_name = "SCRIPT|URL")]
    pub(super) target: String,
    #[command(flatten)]
    others: Others,
    /// A variable of the script's `__ENV`; may be repeated
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parse_tag)]
    pub(super) env: Vec<(String, String)>,
    /// Whether `__ENV` has the variables of this process
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set)]
    pub(super) include_system_env_vars: bool,
    /// Do not run the script's setup
    #[arg(long)]
    no_setup: bool,
    /// Do not run the script's teardown
    #[arg(long)]
    no_teardown: bool,
    /// How many redirects of a script's request are followed [default: 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    max_redirects: Option<i64>,
    /// Requests of a script's http.batch that are under way at once [default: 20]
    #[arg(long, value_name = "N")]
    batch: Option<u32>,
    /// The same to one host; 0 is no limit [default: 6]
    #[arg(long, value_name = "N")]
    batch_per_host: Option<u32>,
    /// Drop bodies of answers unless a script's request asks for them
    #[arg(long)]
    discard_response_bodies: bool,
    /// Have failed requests throw in scripts
    #[arg(short = 'w', long)]
    throw: bool,
    /// Write each sample while the test runs: json=FILE, csv=FILE (packed where the name ends in .gz), or have
    /// Prometheus scrape prometheus=ADDRESS:PORT; may be repeated
    #[arg(short, long, value_name = "KIND=WHERE")]
    pub(super) out: Vec<String>,
    /// Write the script's console to a file
    #[arg(long, value_name = "FILE")]
    pub(super) console_output: Option<PathBuf>,
    /// Where lines about the test go: stderr, stdout, none, or file=FILE, which may have ,level=LEVEL behind it
    /// [default: stderr]
    #[arg(long, value_name = "WHERE")]
    pub(super) log_output: Option<String>,
    /// How they are written: json, or raw, which is their text alone [default: logfmt, or in colours on a terminal]
    #[arg(long, value_name = "HOW")]
    pub(super) log_format: Option<String>,
    /// Show debug lines
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Iterations to start each time unit
    #[arg(long, value_name = "N", conflicts_with_all = ["vus", "iterations"])]
    pub(super) rate: Option<u64>,
    /// The time unit of the rates
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    pub(super) time_unit: u64,
    /// How long iterations are started [default with --rate: 30s]
    #[arg(short, long, value_name = "DURATION", value_parser = duration::parse)]
    pub(super) duration: Option<u64>,
    /// The rate that the first stage begins with
    #[arg(long, value_name = "N", requires = "stage", conflicts_with = "vus")]
    pub(super) start_rate: Option<u64>,
    /// Change the rate to a target within a time, instead of --rate and --duration; with --vus, or of a script, the
    /// number of users; may be repeated
    #[arg(short, long, value_name = "DURATION:TARGET", value_delimiter = ',', value_parser = parse_stage)]
    pub(super) stage: Vec<Stage>,
    /// Virtual users that go round, instead of a rate
    #[arg(short = 'u', long, value_name = "N", allow_negative_numbers = true)]
    pub(super) vus: Option<i64>,
    /// Iterations that the users share
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    pub(super) iterations: Option<i64>,
    /// With a rate: virtual users there are from the beginning [default: as many as are needed, up to 10,000]
    #[arg(long, value_name = "N")]
    pub(super) pre_allocated_vus: Option<u32>,
    /// With a rate: the most virtual users; each iteration that finds none idle is dropped and adds one [default: those
    /// from the beginning]
    #[arg(long, value_name = "N")]
    pub(super) max_vus: Option<u32>,
    /// How long iterations under way may go on after the end [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(super) graceful_stop: Option<u64>,
    /// The least time that an iteration takes
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    min_iteration_duration: Option<u64>,
    /// Which part of the test to do, such as 0:1/3
    #[arg(long, value_name = "FROM:TO")]
    execution_segment: Option<String>,
    /// All parts of the test, such as 0,1/3,1
    #[arg(long, value_name = "CUTS")]
    execution_segment_sequence: Option<String>,
    /// How long the request of a URL may take; a script's requests have a param of their own [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(super) timeout: Option<u64>,
    /// The most requests a second that scripts send, all users together
    #[arg(long, value_name = "N")]
    rps: Option<i64>,
    /// How scripts look names up, such as ttl=5m,select=random,policy=preferIPv4
    #[arg(long, value_name = "HOW")]
    dns: Option<String>,
    /// A network that scripts do not reach, such as 10.0.0.0/8; may be repeated
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    blacklist_ip: Vec<String>,
    /// A name that scripts do not reach, such as *.example.com; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    block_hostnames: Vec<String>,
    /// Log a script's requests and answers: their heads, or with =full all of them
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "headers")]
    http_debug: Option<String>,
    /// Add a header field to each request; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub(super) header: Vec<String>,
    /// What requests say they come from
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,
    /// Take any certificate
    #[arg(short = 'k', long)]
    insecure_skip_tls_verify: bool,
    /// Make a new connection for each request
    #[arg(long)]
    no_connection_reuse: bool,
    /// Make new connections for each iteration
    #[arg(long)]
    no_vu_connection_reuse: bool,
    /// A condition on a metric, such as http_req_failed=rate<0.01; may be repeated
    #[arg(long, value_name = "METRIC=EXPRESSION")]
    pub(super) threshold: Vec<String>,
    /// Judge no thresholds
    #[arg(long)]
    pub(super) no_thresholds: bool,
    /// A tag for all samples; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_tag)]
    tag: Vec<(String, String)>,
    /// The system tags that samples get, with commas between them
    #[arg(long, value_name = "NAMES")]
    system_tags: Option<String>,
    /// Options under k6's names, as JSON
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Threads [default: as many as the rate needs]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// How much the summary shows [default: compact]
    #[arg(long, value_name = "MODE")]
    pub(super) summary_mode: Option<Mode>,
    /// Show and write no summary
    #[arg(long)]
    pub(super) no_summary: bool,
    /// Write the summary to a file, as k6's JSON
    #[arg(long, value_name = "FILE")]
    pub(super) summary_export: Option<PathBuf>,
    /// Write a page with all of it to a file: figures, charts over time, what was run
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
    /// Write all numbers of that page to a file; `bedloe report` reads it
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    #[command(flatten)]
    pub(super) agents: AgentsArgs,
    /// What the summary says of times, such as avg,p(99),count
    #[arg(long, value_name = "NAMES")]
    summary_trend_stats: Option<String>,
    /// The unit of times in the summary: s, ms or us
    #[arg(long, value_name = "UNIT")]
    summary_time_unit: Option<String>,
    /// Show no colours
    #[arg(long)]
    pub(super) no_color: bool,
    /// Show no progress
    #[arg(short, long)]
    pub(super) quiet: bool,
}

impl LoadArgs {
    /// Whether iterations arrive at a rate that the command line gives.
    pub(super) fn is_rate(&self) -> bool {
        let is_of_rates = self.start_rate.is_some() || self.pre_allocated_vus.is_some() || self.max_vus.is_some();
        let has_stages = !self.stage.is_empty() && self.vus.is_none();
        self.rate.is_some() || (has_stages && (is_of_rates || !is_script(&self.target)))
    }

    /// The value of k6's `--traces-output`, and the first of its `--secret-source`.
    pub(super) fn unserved(&self) -> (Option<&str>, Option<&str>) {
        (self.others.traces_output.as_deref(), self.others.secret_source.first().map(String::as_str))
    }

    /// The options among the flags, under k6's names.
    pub(super) fn layer(&self) -> Layer {
        let mut layer = Layer::new();
        let mut put = |name: &str, value: Option<Json>| {
            if let Some(value) = value {
                layer.insert(name.to_owned(), value);
            }
        };
        if !self.is_rate() {
            put("duration", self.duration.map(span));
            let stages =
                self.stage.iter().map(|stage| json!({"duration": span(stage.duration_ns), "target": stage.target}));
            put("stages", (!self.stage.is_empty()).then(|| stages.collect()));
            put("vus", self.vus.map(Json::from));
            put("iterations", self.iterations.map(Json::from));
        }
        put("minIterationDuration", self.min_iteration_duration.map(span));
        put("executionSegment", self.execution_segment.clone().map(Json::from));
        put("executionSegmentSequence", self.execution_segment_sequence.clone().map(Json::from));
        put("maxRedirects", self.max_redirects.map(Json::from));
        put("batch", self.batch.map(Json::from));
        put("batchPerHost", self.batch_per_host.map(Json::from));
        put("rps", self.rps.map(Json::from));
        put("dns", self.dns.clone().map(Json::from));
        put("blacklistIPs", (!self.blacklist_ip.is_empty()).then(|| Json::from(self.blacklist_ip.clone())));
        put("blockHostnames", (!self.block_hostnames.is_empty()).then(|| Json::from(self.block_hostnames.clone())));
        put("httpDebug", self.http_debug.clone().map(Json::from));
        put("userAgent", self.user_agent.clone().map(Json::from));
        put("systemTags", self.system_tags.clone().map(Json::from));
        put("summaryTrendStats", self.summary_trend_stats.clone().map(Json::from));
        put("summaryTimeUnit", self.summary_time_unit.clone().map(Json::from));
        let Others { paused, linger, local_ips, .. } = &self.others;
        put("localIPs", local_ips.clone().map(Json::from));
        let tags: Layer = self.tag.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect();
        put("tags", (!tags.is_empty()).then_some(Json::Object(tags)));
        for (name, is_on) in [
            ("noSetup", self.no_setup),
            ("noTeardown", self.no_teardown),
            ("discardResponseBodies", self.discard_response_bodies),
            ("throw", self.throw),
            ("insecureSkipTLSVerify", self.insecure_skip_tls_verify),
            ("noConnectionReuse", self.no_connection_reuse),
            ("noVUConnectionReuse", self.no_vu_connection_reuse),
            ("paused", *paused),
            ("linger", *linger),
        ] {
            put(name, is_on.then_some(Json::Bool(true)));
        }
        layer
    }
}

fn span(ns: u64) -> Json {
    Json::from(format!("{ns}ns"))
}

fn parse_stage(text: &str) -> Result<Stage, String> {
    let (time, target) = text.split_once(':').ok_or("want DURATION:TARGET, such as 30s:4000")?;
    let duration_ns = duration::parse(time).map_err(|error| error.to_string())?;
    let target = target.parse().map_err(|_| format!("`{target}` is no rate: want a whole number"))?;
    Ok(Stage { target, duration_ns })
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("want NAME=VALUE")?;
    if name.is_empty() {
        return Err("the tag has no name".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
