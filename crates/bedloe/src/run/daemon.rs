//! Going to the background. The program starts itself once more; the first process ends when the second one serves, so
//! that whoever started it knows what came of it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::Context;

use super::upgrade::Start;
use super::voice::Voice;

/// The variable that tells the second process what it is.
pub(super) const VARIABLE: &str = "BEDLOE_DAEMON";

/// Whether this is the process in the background.
pub(super) fn is_second() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Starts the second process and waits for its word.
pub(super) fn start_second(start: &Start) -> anyhow::Result<ExitCode> {
    let mut command = start.command(Path::new("/proc/self/exe"));
    command.env(VARIABLE, "1").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start the process in the background")?;
    let mut word = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut word).context("the process in the background")?;
    }
    if word == WORD {
        return Ok(ExitCode::SUCCESS);
    }
    // It has said why on the standard error that both have.
    let status = child.wait().context("the process in the background")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code > 0).unwrap_or(1)))
}

/// What the second process says when it serves.
const WORD: &[u8] = b"serving\n";

/// Leaves the terminal and the session of whoever started it.
pub(super) fn leave_session() -> anyhow::Result<()> {
    rustix::process::setsid().map(drop).context("setsid() failed")
}

/// Tells the first process that it may end, and lets go of its streams. Errors go to the log from now on.
pub(super) fn serves(voice: &mut Voice) -> anyhow::Result<()> {
    let nothing = File::options().write(true).open("/dev/null").context("/dev/null")?;
    // A first process that was killed is no reason to end.
    let _ = std::io::stdout().write_all(WORD).and_then(|()| std::io::stdout().flush());
    rustix::stdio::dup2_stdout(&nothing).context("the standard output")?;
    match voice.file() {
        Some(log) => rustix::stdio::dup2_stderr(log),
        None => Ok(()),
    }
    .context("the standard error")
}
