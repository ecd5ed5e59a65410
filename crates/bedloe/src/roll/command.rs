//! The command that restarts a server: run by the shell, in a process group of its own, for so long and no longer.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::fs::{FileType, fstat};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::notes::Notes;

/// How long a command, and what it has started, may take to end after it was told to.
const END: Duration = Duration::from_secs(5);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(20);
/// How long the last of a command's output may take to come.
const LAST: Duration = Duration::from_millis(200);

/// Runs a command to its end. What it prints goes to the standard error; dropped, it is ended.
pub(super) async fn run(
    command: &str,
    variables: &[(&str, String)],
    until: Instant,
    notes: &Notes,
) -> anyhow::Result<()> {
    let (output, passed_on) = Output::new(notes).context("the command's output")?;
    let mut child = Command::new("/bin/sh");
    child
        .args(["-c", command])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(output.0.try_clone().context("the command's output")?)
        .stderr(output.0)
        // Ctrl-C is for the roll, which ends when the server is back.
        .process_group(0);
    let mut running = Running::start(child)?;
    let ended = timeout_at(until, running.child.wait()).await;
    let Ok(status) = ended else {
        running.end().await;
        bail!("the command has not ended within --ready-timeout, and was ended");
    };
    running.is_over = true;
    if let Some(passed_on) = passed_on
        && timeout(LAST, passed_on).await.is_err()
    {
        notes.say("the command has left a process that writes to its output, which ends with the roll: redirect it");
    }
    judge(status.context("waiting for the command")?)
}

fn judge(status: ExitStatus) -> anyhow::Result<()> {
    if status.success() { Ok(()) } else { bail!("the command failed ({status})") }
}

/// Where a command writes.
struct Output(OwnedFd);

impl Output {
    /// The standard error itself, for what the command leaves running writes there too. Where that is a pipe, whose
    /// reader may go and take the command with it, one of our own, and what tells when all of it was passed on.
    fn new(notes: &Notes) -> io::Result<(Self, Option<oneshot::Receiver<()>>)> {
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        let kind = FileType::from_raw_mode(fstat(&stderr)?.st_mode);
        if matches!(kind, FileType::RegularFile | FileType::CharacterDevice) {
            return Ok((Self(stderr), None));
        }
        let (read, write) = io::pipe()?;
        let (done, passed_on) = oneshot::channel();
        let notes = notes.clone();
        std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            pass_on(read, &notes);
            let _ = done.send(());
        })?;
        Ok((Self(write.into()), Some(passed_on)))
    }
}

fn pass_on(mut from: PipeReader, notes: &Notes) {
    let mut piece = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        notes.pass(piece[..length].to_vec());
    }
}

struct Running {
    child: Child,
    /// Of the command and what it has started.
    group: Option<Pid>,
    is_over: bool,
}

impl Running {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let child = command.spawn().context("cannot start /bin/sh for the command")?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, group, is_over: false })
    }

    /// Tells all of it to end, and ends what does not.
    async fn end(&mut self) {
        self.tell(Signal::TERM);
        let until = Instant::now() + END;
        while Instant::now() < until && self.is_there() {
            sleep(LOOK).await;
        }
        self.kill();
    }

    fn kill(&mut self) {
        if self.is_there() {
            self.tell(Signal::KILL);
        }
        self.is_over = true;
    }

    fn tell(&self, signal: Signal) {
        // Ended a moment ago.
        let _ = self.group.map(|group| kill_process_group(group, signal));
    }

    /// Whether any process of the group is left. The number of a group is nobody else's as long as one is.
    fn is_there(&mut self) -> bool {
        // A shell that has ended is one until somebody has asked how.
        let _ = self.child.try_wait();
        self.group.is_some_and(|group| test_kill_process_group(group).is_ok())
    }
}

impl Drop for Running {
    /// Nobody waits any more but for this.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.tell(Signal::TERM);
        let until = Instant::now() + END;
        while Instant::now() < until && self.is_there() {
            #[expect(clippy::disallowed_methods, reason = "the roll is over: no task is left that would go on")]
            std::thread::sleep(LOOK);
        }
        self.kill();
    }
}
