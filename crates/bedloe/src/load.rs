//! `bedloe load`: the injector's command line, with k6's flags and exit codes; the injector itself is in `load`.

mod args;
mod bottleneck;
mod console;
mod limits;
mod lines;
mod logger;
mod output;
mod outputs;
mod plan;
mod reported;
mod settings;
mod status;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use load::options::Options;
use load::script::{ScriptError, Summarized, Texts};
use load::{Outcome, Plan, Report, ScriptRun, Source, StopHandle};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use args::LoadArgs;
pub(crate) use status::scenarios;

use crate::summary::{Mode, Style, TimeUnit};
use bottleneck::Watch;
use console::Console;
use logger::Logger;
use output::Export;
use outputs::{BadOutput, Outputs};
use plan::BadFlag;
use reported::Reported;
use settings::Settings;

/// A threshold was crossed.
const CROSSED: u8 = 99;
/// A script's setup took too long.
const SETUP_TIMEOUT: u8 = 100;
/// A script's teardown took too long.
const TEARDOWN_TIMEOUT: u8 = 101;
/// Options that contradict each other or that cannot be.
const BAD_OPTIONS: u8 = 104;
/// Ended by a signal.
const SIGNAL: u8 = 105;
/// An exception in a script's init code, setup or teardown.
const SCRIPT: u8 = 107;
/// Ended by a script's test.abort.
const ABORTED: u8 = 108;
/// Marked as failed by a script.
const MARKED: u8 = 110;
/// No script, or none that could be run: as for a bad flag.
const NO_SCRIPT: u8 = 255;

/// Runs the load test that the arguments ask for.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let logger = Logger::new(args.verbose);
    let Prepared { plan, style, export, outputs, names, mut reported } = match prepare(&args, &logger) {
        Ok(prepared) => prepared,
        Err(error) => {
            say(&error);
            return Ok(ExitCode::from(refusal(&error)));
        }
    };
    let stop = StopHandle::new();
    watch_signals(stop.clone())?;
    let mut console = Console::new(&plan, (&args.target, &names), args.quiet, Arc::clone(&logger))?;
    let users = plan.max_users();
    let watch = Watch::begin(&plan);
    let script = match &plan.source {
        Source::Script(run) => Some(run.clone()),
        Source::Plain(_) => None,
    };
    let report = load::run(plan, stop, |progress| {
        console.show(progress);
        reported.watch(progress);
    })
    .with_context(|| format!("the load test with {users} users at most failed"))?;
    reported.over(&report);
    console.clear();
    let is_out = outputs.finish().map_err(|error| logger.error(&format!("{error:#}"))).is_ok();
    let texts = script.filter(|_| style.mode != Mode::Disabled).and_then(|run| handled(&run, &report, &style, &logger));
    let words = watch.end(&report);
    let is_reported = reported.write(&report, &words).inspect_err(say).is_ok();
    let is_written = write_results(&report, &style, export, (texts.as_deref(), &words), &console) && is_reported;
    Ok(match report.outcome {
        Outcome::Passed if !(is_written && is_out) => ExitCode::FAILURE,
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Crossed => ExitCode::from(CROSSED),
        Outcome::Interrupted => ExitCode::from(SIGNAL),
        Outcome::ScriptFailed => ExitCode::from(SCRIPT),
        Outcome::Aborted => ExitCode::from(ABORTED),
        Outcome::Failed => ExitCode::from(MARKED),
        Outcome::SetupTimedOut => ExitCode::from(SETUP_TIMEOUT),
        Outcome::TeardownTimedOut => ExitCode::from(TEARDOWN_TIMEOUT),
    })
}

/// The exit code where the test cannot begin.
fn refusal(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<ScriptError>() {
        Some(ScriptError::Init(_)) => SCRIPT,
        Some(ScriptError::Aborted) => ABORTED,
        Some(ScriptError::File(_) | ScriptError::NoFunction | ScriptError::Options) => NO_SCRIPT,
        Some(ScriptError::Engine(_)) => 1,
        None if error.is::<BadOutput>() || error.is::<BadFlag>() => NO_SCRIPT,
        None => BAD_OPTIONS,
    }
}

/// What the script's handleSummary makes of the report; `None` where there is none, or where it fails.
fn handled(run: &ScriptRun, report: &Report, style: &Style, logger: &Logger) -> Option<Texts> {
    let unit = style.time_unit.map_or("", TimeUnit::name);
    let stats: Vec<String> = style.stats.iter().map(|stat| stat.name()).collect();
    let options = json!({ "summaryTrendStats": stats, "summaryTimeUnit": unit, "noColor": !style.colour });
    let setup_data = report.setup_data.as_deref().and_then(|data| serde_json::from_str(data).ok());
    let on_terminal = [io::stdout().is_terminal(), io::stderr().is_terminal()];
    let data = load::export::summary_data(report, &style.stats, &options, setup_data.as_ref(), on_terminal);
    match run.summarize(&data)? {
        Summarized::Texts(texts) => Some(texts),
        // k6 shows nothing then.
        Summarized::Nothing(why) => {
            logger.error(&why);
            Some(Texts::new())
        }
        Summarized::Thrown(text) => {
            logger.error(&text);
            None
        }
    }
}

/// Whether the standard output shows colours.
pub(crate) fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Compares the test with what this host allows, and tells what there is to tell before it begins.
fn make_room(plan: &mut Plan, options: &Options, logger: &Logger) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut warnings: Vec<String> = limits::fit(plan, cores, host::files::raise())?.into_iter().collect();
    warnings.extend(limits::room(plan, &limits::Kernel::ask())?);
    warnings.iter().chain(&options.warnings).for_each(|warning| logger.warn(warning));
    Ok(())
}

/// A test that can begin.
struct Prepared {
    plan: Plan,
    style: Style,
    export: Option<Export>,
    outputs: Outputs,
    /// What the head of the test says of the outputs.
    names: String,
    reported: Reported,
}

/// The plan of a command line, for those who run the load themselves.
pub(crate) fn plan_of(line: &[&str]) -> anyhow::Result<Plan> {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }
    let args = <Line as clap::Parser>::try_parse_from(line)?.load;
    let logger = Logger::new(args.verbose);
    let settings = Settings::of(&args, |name| std::env::var(name).ok())?;
    let (mut plan, options) = plan::plan(&args, &settings, logger.sink())?;
    make_room(&mut plan, &options, &logger)?;
    Ok(plan)
}

/// All that can be refused before the test begins.
fn prepare(args: &LoadArgs, logger: &Arc<Logger>) -> anyhow::Result<Prepared> {
    let settings = Settings::of(args, |name| std::env::var(name).ok())?;
    logger.write_as(&settings.lines)?;
    if let Some(path) = &settings.console {
        logger.write_console_to(path)?;
    }
    let (mut plan, options) = plan::plan(args, &settings, logger.sink())?;
    make_room(&mut plan, &options, logger)?;
    let style = style(args, &settings, &options);
    let path = settings.export.as_deref().filter(|_| style.mode != Mode::Disabled);
    let export = path.map(Export::open).transpose()?;
    let names: Vec<String> = settings.outputs.iter().map(outputs::Wanted::describe).collect();
    let names = if names.is_empty() { "-".to_owned() } else { names.join(", ") };
    let outputs = Outputs::open(&settings.outputs, &mut plan)?;
    let reported = Reported::prepare(args, &plan)?;
    Ok(Prepared { plan, style, export, outputs, names, reported })
}

fn style(args: &LoadArgs, settings: &Settings, options: &Options) -> Style {
    let time_unit = match options.time_unit.as_deref() {
        Some("s") => Some(TimeUnit::S),
        Some("ms") => Some(TimeUnit::Ms),
        Some("us") => Some(TimeUnit::Us),
        _ => None,
    };
    Style { mode: settings.mode, colour: colour() && !args.no_color, stats: options.stats.clone(), time_unit }
}

/// A text of handleSummary's, by where it goes.
type Text = (String, Vec<u8>);

/// One line on the standard error. Nobody need be reading it.
fn say(what: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "bedloe load: {}", crate::without_passwords(&format!("{what:#}")));
}

/// Writes whatever can be written; `false` if something could not. `texts` are a script's own in place of the summary.
fn write_results(
    report: &Report,
    style: &Style,
    export: Option<Export>,
    (texts, words): (Option<&[Text]>, &[String]),
    console: &Console,
) -> bool {
    let printed = match texts {
        _ if style.mode == Mode::Disabled => Ok(()),
        Some(texts) => output::write_texts(texts),
        None => output::print_summary(report, style, words),
    };
    let exported = export.map_or(Ok(()), |export| export.write(report, &style.stats));
    let finished = console.finish();
    console.explain(report);
    if texts.is_some() {
        console.warn(words);
    }
    // On a full disk both have the same to say.
    let first = printed.and(finished);
    [first, exported].into_iter().filter_map(Result::err).inspect(say).count() == 0
}

/// The first signal stops the test, which is still reported; the second ends the program.
fn watch_signals(stop: StopHandle) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let wait = async move {
        for is_second in [false, true] {
            let name = tokio::select! {
                _ = interrupt.recv() => "interrupt",
                _ = terminate.recv() => "terminated",
            };
            if is_second {
                end_at_once();
            }
            let _ =
                writeln!(io::stderr(), "bedloe load: stopping ({name}); once more to end at once, without a summary");
            stop.stop();
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(wait))?;
    Ok(())
}

#[allow(clippy::exit, clippy::disallowed_methods, reason = "asked for by a second signal: nothing is left to clean up")]
fn end_at_once() -> ! {
    std::process::exit(i32::from(SIGNAL))
}

#[cfg(test)]
mod tests;
