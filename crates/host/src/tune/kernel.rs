//! What is changed besides files: values of the kernel, limits of running processes, systemd's knowledge of units.

use std::io;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::facts::chosen;
use super::limits::{self, Limits};
use super::root::Root;

/// The running host, as far as it is changed; tests put one in its place that refuses.
pub trait Machine {
    /// A value now.
    fn read(&self, path: &str) -> io::Result<String>;
    /// Sets one.
    fn write(&mut self, path: &str, value: &str) -> io::Result<()>;
    /// A process's limits; `None` where it has ended, or another has its id.
    fn limits(&self, pid: u32, start: u64) -> Option<Limits>;
    /// Sets them.
    fn set_limits(&mut self, pid: u32, limits: Limits) -> io::Result<()>;
    /// Tells systemd of changed units.
    fn reload_systemd(&mut self) -> io::Result<()>;
}

/// This host.
#[derive(Debug)]
pub struct Kernel<'a>(pub &'a Root);

impl Machine for Kernel<'_> {
    fn read(&self, path: &str) -> io::Result<String> {
        Ok(chosen(&String::from_utf8_lossy(&self.0.read(path)?)))
    }

    fn write(&mut self, path: &str, value: &str) -> io::Result<()> {
        // An empty write sets nothing; an empty line does.
        self.0.write_value(path, &format!("{value}\n"))
    }

    fn limits(&self, pid: u32, start: u64) -> Option<Limits> {
        limits::process(self.0, pid).filter(|process| process.start == start).map(|process| process.limits)
    }

    fn set_limits(&mut self, pid: u32, limits: Limits) -> io::Result<()> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let of = |limit: u64| (limit != u64::MAX).then_some(limit);
        let limits = Rlimit { current: of(limits.soft), maximum: of(limits.hard) };
        Ok(prlimit(Some(pid), Resource::Nofile, limits).map(drop)?)
    }

    fn reload_systemd(&mut self) -> io::Result<()> {
        let mut command = Command::new("systemctl");
        command.arg("daemon-reload").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        let done = command.output()?;
        if done.status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("{} ({})", String::from_utf8_lossy(&done.stderr).trim(), done.status)))
    }
}
