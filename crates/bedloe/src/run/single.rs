//! One process that is all (`master_process off`): for debugging, and where nothing can be started. It keeps the user
//! that starts it, as in nginx.

use conf::tree::LogLevel;

use super::admin::AdminSocket;
use super::logs;
use super::notify::Notify;
use super::pid::PidFile;
use super::plan::{Plan, set_file_limit};
use super::service::Service;
use super::signals::{Asked, Signals};
use super::sockets::Sockets;
use super::voice::Voice;
use crate::files::Source;
use crate::hosts::AgentsArgs;

/// What it goes by.
struct Single {
    source: Source,
    plan: Plan,
    sockets: Sockets,
    voice: Voice,
    notify: Notify,
    number: u64,
    pid: PidFile,
}

/// Serves until a signal ends it.
pub(super) async fn run(
    source: Source,
    plan: Plan,
    sockets: Sockets,
    admin: Vec<AdminSocket>,
    hosts: &AgentsArgs,
    voice: Voice,
) -> anyhow::Result<()> {
    if let Some(warning) = set_file_limit(&plan.config) {
        voice.say(LogLevel::Warn, &warning);
    }
    // Taken before anybody can know that it serves: a signal must not find the process without them.
    let mut signals = Signals::take()?;
    let pid = PidFile::write(&plan.config.main.pid)?;
    let mut assignment = plan.assign(1, &sockets)?;
    assignment.admin = admin.iter().map(|admin| admin.listener.try_clone()).collect::<Result<_, _>>()?;
    let mut service = Service::start(assignment, hosts.sources()?)?;
    let notify = Notify::from_environment();
    let mut single = Single { source, plan, sockets, voice, notify, number: 1, pid };
    single.announce();
    loop {
        tokio::select! {
            asked = signals.next() => single.asked(asked, &mut service),
            () = service.look() => {}
        }
        if service.taken_up().is_some_and(|number| number > 1) {
            single.voice.say(LogLevel::Notice, "the new configuration is served");
        }
        if service.has_ended() {
            single.sockets.remove_files(&Sockets::default());
            return service.join();
        }
    }
}

impl Single {
    fn announce(&self) {
        let (path, threads) = (self.source.path.display(), self.plan.threads);
        let what = format!("serving {path} with {threads} threads, process {}", std::process::id());
        if self.voice.is_foreground {
            crate::say(format_args!("{what}"));
        }
        self.notify.ready(&what);
    }

    fn asked(&mut self, asked: Asked, service: &mut Service) {
        match asked {
            Asked::Quit => {
                self.notify.stopping("Finishing what is under way");
                self.sockets = Sockets::default();
                service.drain(true);
            }
            Asked::Stop => {
                self.notify.stopping("Ending");
                service.stop();
            }
            Asked::Reload => {
                self.notify.reloading();
                if let Err(error) = self.reload(service) {
                    self.voice.say(LogLevel::Emerg, &format!("{error:#}"));
                    service.note_refused(&format!("{error:#}"));
                    self.voice.say(LogLevel::Error, "the new configuration is refused; the old one is served on");
                }
                self.notify.ready("serving");
            }
            Asked::Reopen => {
                self.voice.follow(&self.plan.config.main.error_logs);
                let tell = |what: String| self.voice.say(LogLevel::Alert, &what);
                service.reopen(logs::reopen(&self.plan.logs, self.plan.account.as_ref(), tell));
            }
            // As in nginx, these are a master's.
            Asked::Upgrade | Asked::EndWorkers => {}
        }
    }

    fn reload(&mut self, service: &mut Service) -> anyhow::Result<()> {
        let (loaded, plan) = Plan::read(&self.source);
        self.voice.tell_errors(&loaded);
        let Some(plan) = plan? else { anyhow::bail!("the configuration has errors") };
        let sockets = self.sockets.follow(&plan.addresses)?;
        service.reload(plan.assign(self.number + 1, &sockets)?)?;
        self.number += 1;
        self.voice.follow(&plan.config.main.error_logs);
        self.pid.follow(&plan.config.main.pid)?;
        (self.plan, self.sockets) = (plan, sockets);
        Ok(())
    }
}
