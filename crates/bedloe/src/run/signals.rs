//! nginx's signals. All are taken, for one that nobody takes would kill the process.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// QUIT: finish what is under way.
    Quit,
    /// TERM, INT: end now.
    Stop,
    /// HUP: read the configuration anew.
    Reload,
    /// USR1: open the logs anew.
    Reopen,
    /// USR2: start the program anew beside this one.
    Upgrade,
    /// WINCH: let the workers drain.
    EndWorkers,
}

/// The signals, from the moment on when they are taken.
pub(super) struct Signals {
    quit: Signal,
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
    reopen: Signal,
    upgrade: Signal,
    end_workers: Signal,
}

impl Signals {
    /// Takes them; called within a runtime.
    pub(super) fn take() -> std::io::Result<Self> {
        Ok(Self {
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            upgrade: signal(SignalKind::user_defined2())?,
            end_workers: signal(SignalKind::window_change())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.quit.recv() => Asked::Quit,
            _ = self.reload.recv() => Asked::Reload,
            _ = self.reopen.recv() => Asked::Reopen,
            _ = self.upgrade.recv() => Asked::Upgrade,
            _ = self.end_workers.recv() => Asked::EndWorkers,
        }
    }
}
