//! The command that restarts a server: run by the shell, in a process group of its own, for so long and no longer.

use std::os::fd::AsFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a command may take to end after it was told to.
const END: Duration = Duration::from_secs(5);

/// Runs a command to its end. What it prints goes to the standard error; dropped, it is told to end.
pub(super) async fn run(command: &str, variables: &[(&str, String)], until: Instant) -> anyhow::Result<()> {
    let stderr = std::io::stderr().as_fd().try_clone_to_owned().context("the standard error")?;
    let child = Command::new("/bin/sh")
        .args(["-c", command])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(stderr)
        // Ctrl-C is for the roll, which ends when the server is back.
        .process_group(0)
        .spawn()
        .context("cannot start /bin/sh for the command")?;
    let mut running = Running { child };
    match timeout_at(until, running.child.wait()).await {
        Ok(status) => judge(status.context("waiting for the command")?),
        Err(_) => {
            running.tell(Signal::TERM);
            if timeout(END, running.child.wait()).await.is_err() {
                running.tell(Signal::KILL);
            }
            bail!("the command has not ended within --ready-timeout, and was ended")
        }
    }
}

fn judge(status: ExitStatus) -> anyhow::Result<()> {
    if status.success() { Ok(()) } else { bail!("the command failed ({status})") }
}

struct Running {
    child: Child,
}

impl Running {
    /// Signals it and what it has started, if it has not ended.
    fn tell(&self, signal: Signal) {
        let group = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        // Ended a moment ago.
        let _ = group.map(|group| kill_process_group(group, signal));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell(Signal::TERM);
    }
}
