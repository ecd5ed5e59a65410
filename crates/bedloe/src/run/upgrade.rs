//! The binary upgrade, as nginx does it: the program is started anew beside this one, with the listening sockets by
//! their numbers in the environment; this one goes when it is told to, or takes everything back.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use tokio::process::{Child, Command};

use super::admin::AdminSocket;
use super::inherit;
use super::sockets::Sockets;

/// How this program was started, and so is started anew.
#[derive(Debug, Clone)]
pub(super) struct Start {
    program: PathBuf,
    name: OsString,
    arguments: Vec<OsString>,
}

impl Start {
    pub(super) fn of_this_process() -> anyhow::Result<Self> {
        let mut all = std::env::args_os();
        let name = all.next().unwrap_or_else(|| OsString::from("bedloe"));
        let path = Path::new(&name);
        // A name without a slash was looked for in PATH: by whom and with which PATH is not known.
        let program = if path.components().count() > 1 {
            std::path::absolute(path).context("the working directory")?
        } else {
            std::env::current_exe().context("the program's own file")?
        };
        Ok(Self { program, name, arguments: without_parent(all) })
    }

    /// Starts the program in the background of the one that calls, which waits for its word.
    pub(super) fn command(&self, program: &Path) -> std::process::Command {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new(program);
        command.arg0(&self.name).args(&self.arguments);
        command
    }

    /// Starts the new program with these sockets.
    pub(super) fn successor(&self, sockets: &Sockets, admin: &[AdminSocket]) -> anyhow::Result<Child> {
        let mut passed = Vec::new();
        for socket in sockets.iter() {
            passed.push(Passed::new(socket.try_clone()?)?);
        }
        let admin = admin.iter().map(|admin| Passed::new(admin.listener.try_clone()?));
        let admin = admin.collect::<anyhow::Result<Vec<_>>>()?;
        let list = |passed: &[Passed]| passed.iter().map(|passed| format!("{};", passed.number)).collect::<String>();
        let mut command = Command::from(self.command(&self.program));
        inherit::VARIABLES.iter().for_each(|variable| {
            command.env_remove(variable);
        });
        command.env_remove(super::daemon::VARIABLE).env(inherit::NGINX, list(&passed));
        if !admin.is_empty() {
            command.env(inherit::ADMIN, list(&admin));
        }
        let program = self.program.display();
        command.spawn().with_context(|| format!("cannot start the new program {program}"))
    }
}

/// The new program's parent is this one, not the process that this one is tied to.
fn without_parent(mut all: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = Vec::new();
    while let Some(argument) = all.next() {
        if argument == "--die-with-parent" {
            all.next();
        } else {
            arguments.push(argument);
        }
    }
    arguments
}

/// A descriptor that the next program started inherits. This process starts nothing else while it has one.
struct Passed {
    number: i32,
    _keeps: Box<dyn AsRawFd>,
}

impl Passed {
    fn new(file: impl AsFd + AsRawFd + 'static) -> anyhow::Result<Self> {
        let flags = fcntl_getfd(&file)?;
        fcntl_setfd(&file, flags - FdFlags::CLOEXEC)?;
        Ok(Self { number: file.as_raw_fd(), _keeps: Box::new(file) })
    }
}
