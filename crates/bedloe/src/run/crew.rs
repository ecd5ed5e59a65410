//! The worker processes as their master sees them: started, given orders, heard, and buried.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::channel::{Frame, receive, send};
use super::message::{Order, Report};
use super::{inherit, notify};
use crate::hosts::AgentsArgs;

/// This program, also when its file has been replaced: a worker must understand its master.
const SELF: &str = "/proc/self/exe";
/// What a list of processes shows a worker as.
const WORKER: &str = "bedloe: worker process";
/// The same under nginx's name.
pub(crate) const NGINX_WORKER: &str = "nginx: worker process";
/// Orders that wait for a worker. One that has so many left does not listen any more.
const ORDERS: usize = 16;
/// How long a worker may take to end when it is told to end at once.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Something that happened to a worker.
#[derive(Debug)]
pub(super) enum Event {
    /// It says so.
    Reported(u64, Report),
    /// It is gone.
    Ended(u64, std::io::Result<ExitStatus>),
}

/// How far a worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Starting,
    Serving,
    /// It accepts no more, or is about to end.
    Leaving,
}

/// A worker process.
#[derive(Debug)]
pub(super) struct Worker {
    /// Counts the master's workers; a process id may come again.
    pub(super) id: u64,
    pub(super) pid: u32,
    pub(super) stage: Stage,
    pub(super) started: Instant,
    orders: mpsc::Sender<Order>,
}

impl Worker {
    /// Starts one and gives it its first order. What becomes of it comes as events. It has this process's standard
    /// error, or `stderr`.
    pub(super) fn start(
        id: u64,
        first: Order,
        stderr: Option<File>,
        hosts: &AgentsArgs,
        events: mpsc::Sender<Event>,
    ) -> anyhow::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().context("socketpair() failed")?;
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
        let mut command = Command::new(SELF);
        command.arg0(if crate::is_nginx() { NGINX_WORKER } else { WORKER });
        command.args(["worker", "--master", &std::process::id().to_string()]).stdin(OwnedFd::from(theirs));
        command.args(hosts.words());
        // Whoever waits for the end of a pipe must not wait for the worker.
        command.stdout(Stdio::null());
        if let Some(stderr) = stderr {
            command.stderr(stderr);
        }
        for variable in inherit::VARIABLES.iter().chain([&notify::VARIABLE]) {
            command.env_remove(variable);
        }
        let child = command.spawn().context("cannot start a worker process")?;
        let pid = child.id().unwrap_or(0);
        let (orders, queue) = mpsc::channel(ORDERS);
        orders.try_send(first).map_err(|_| anyhow::anyhow!("the worker takes no order"))?;
        tokio::spawn(accompany(id, child, stream, queue, events));
        Ok(Self { id, pid, stage: Stage::Starting, started: Instant::now(), orders })
    }

    /// Gives an order; false when it takes none.
    pub(super) fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Ends it whatever it does.
    pub(super) fn kill(&self) {
        if let Some(pid) = Pid::from_raw(self.pid.cast_signed()) {
            // It is not buried yet, so the number is its own.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Passes orders on and reports back until the worker has ended.
async fn accompany(
    id: u64,
    mut child: Child,
    stream: UnixStream,
    mut queue: mpsc::Receiver<Order>,
    events: mpsc::Sender<Event>,
) {
    let orders = async {
        while let Some(order) = queue.recv().await {
            if send(&stream, order.into_frame()).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let reports = async {
        while let Ok(Some(frame)) = receive(&stream).await {
            let Some(report) = understand(&frame) else { return };
            let _ = events.send(Event::Reported(id, report)).await;
        }
    };
    // The worker's end of the socket closes with its process.
    tokio::select! {
        () = orders => {}
        () = reports => {}
    }
    drop(stream);
    let _ = events.send(Event::Ended(id, child.wait().await)).await;
}

fn understand(frame: &Frame) -> Option<Report> {
    Report::from_frame(frame).ok()
}
