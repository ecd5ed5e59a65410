//! What a lab shows while it runs: where it is and how it differs from the seed, one line of progress, what happens.
//!
//! The result goes to the standard output, progress to the standard error: on a terminal one line that changes, else a
//! line every few seconds.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab::config::Difference;
use lab::timeline::What;
use lab::{Action, Event, Plan};

use crate::report::clock;

/// Seconds between two lines of progress where no line can change.
const LINE_EVERY_S: u64 = 5;

/// The terminal, or what stands for it.
pub(super) struct Screen {
    bar: Option<ProgressBar>,
    colour: bool,
    /// The second in which the next line of progress is due.
    due_s: u64,
    /// Why the first part of the standard output that was not written was not.
    lost: Option<io::Error>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            bar.with_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { bar, colour, due_s: 0, lost: None }
    }

    /// Whether the result may have colours.
    pub(super) fn colour(&self) -> bool {
        self.colour
    }

    /// Writes to the standard output.
    pub(super) fn show(&mut self, text: &str) {
        let write = || {
            let mut out = io::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        };
        let written = match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        // It stops nothing: the lab still has to be taken down.
        if let Err(error) = written {
            self.lost.get_or_insert(error);
        }
    }

    /// Why not all of the result could be written. A reader that went away has seen enough.
    pub(super) fn lost(&mut self) -> Option<anyhow::Error> {
        self.lost.take().filter(|error| error.kind() != io::ErrorKind::BrokenPipe).map(Into::into)
    }

    /// Shows an event.
    pub(super) fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Prepared { plan, differences } => self.show(&prepared(plan, differences)),
            Event::Preparing(text) => self.note(&text),
            Event::Ready => self.note("the servers and the balancer are ready"),
            Event::WarmUp => self.note("warming up; not counted"),
            Event::Load => self.note("the load begins"),
            Event::Progress { progress, up, of } => self.progress(progress, up, of),
            Event::Moment(moment) => {
                self.note(&format!("{}  {} {}", clock(moment.at_ms), moment.server, what(&moment.what)));
            }
            Event::Roll(line) => self.note(&line),
            Event::Stopping => self.note("stopping the load; once more to end at once, without a result"),
            Event::Warning(text) => self.note(&format!("warning: {text}")),
            Event::Done { .. } => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
            Event::Kept { plan } => self.show(&kept(plan)),
        }
    }

    fn progress(&mut self, progress: &load::Progress, up: usize, of: usize) {
        let (elapsed_s, of_s) = (progress.elapsed_ns / 1_000_000_000, progress.duration_ns / 1_000_000_000);
        let last = progress.last_second.unwrap_or_default();
        let line = format!(
            "{} of {}  {}/s  p95 {:.2} ms  failed {}  dropped {}  servers up {up} of {of}",
            minutes(elapsed_s.min(of_s)),
            minutes(of_s),
            last.requests,
            last.p95_ms,
            progress.failed,
            progress.dropped,
        );
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None if elapsed_s >= self.due_s && progress.last_second.is_some() => {
                self.due_s = elapsed_s - elapsed_s % LINE_EVERY_S + LINE_EVERY_S;
                self.note(&line);
            }
            None => {}
        }
    }

    fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }
}

/// What happened to a server, as words that follow its name.
pub(super) fn what(what: &What) -> String {
    match what {
        What::Fault(Action::Kill) => "is killed (SIGKILL)".into(),
        What::Fault(Action::Restart) => "is started again".into(),
        What::Fault(Action::Pause) => "is paused (SIGSTOP)".into(),
        What::Fault(Action::Resume) => "goes on (SIGCONT)".into(),
        What::Fault(Action::Exit) => "has ended by itself".into(),
        What::Ended { status } => format!("has ended by itself ({status})"),
        What::Listens => "listens".into(),
        What::Down { why } => format!("gets no more requests from the balancer: {why}"),
        What::Up => "gets requests again".into(),
    }
}

/// How to reach what stays up.
fn kept(plan: &Plan) -> String {
    let mut text = format!("\nbalancer  {}\nbalancer  http://{} (redirects)\n", plan.url(), plan.http);
    for server in &plan.servers {
        text += &format!("{:<9} http://{}{}\n", server.name, server.address, lab::plan::PAGE);
    }
    let (admin, logs) = (plan.admin(), plan.options.folder.join("logs"));
    text += &format!(
        "state     curl --unix-socket {} http://admin/status\nlogs      {}\n\nIt all stays up until Ctrl-C.\n",
        admin.display(),
        logs.display(),
    );
    text
}

fn prepared(plan: &Plan, differences: &[Difference]) -> String {
    let folder = plan.options.folder.display();
    let servers: Vec<String> =
        plan.servers.iter().map(|server| format!("{} {}", server.name, server.address)).collect();
    let faults: Vec<String> = plan.faults.iter().map(ToString::to_string).collect();
    let load = match &plan.options.load {
        Some(load) => format!("the script, up to {} users for {:?}", load.max_users(), plan.options.duration),
        None => format!("{} at {}/s for {:?}", plan.url(), plan.options.rate, plan.options.duration),
    };
    let mut text = format!(
        "servers        {}\nbalancer       https://{} (http://{} redirects there)\nload           {load}\n\
         faults         {}\nlogs           {folder}/logs\nconfiguration  {}, the seed's but for\n",
        servers.join(", "),
        plan.https,
        plan.http,
        if faults.is_empty() { "none".into() } else { faults.join(", ") },
        plan.configuration().display(),
    );
    for difference in differences {
        text += &format!("  {}:{}\n    - {}\n", difference.file, difference.line, difference.seed.trim());
        difference.lab.iter().for_each(|line| text += &format!("    + {}\n", line.trim()));
    }
    text + "\n"
}

fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
