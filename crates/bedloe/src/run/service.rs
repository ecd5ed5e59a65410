//! The data plane of this process with its logs, started and given other configurations: the same in a worker and in
//! one process that is all (`master_process off`).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use conf::Loader;
use proxy::{LogWriter, Running, Snapshot};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::admin::{self, AdminListener, RetryCounts, Sources};
use super::logs::LogFiles;
use super::message::Assignment;
use super::plan::threads;
use crate::dashboard::Dashboard;
use crate::hosts::{QUARTER_OF_AN_HOUR, Sampler, Source};
use crate::pages::Pages;

/// How often a start or a drain looks whether it is over.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// A running data plane.
pub(super) struct Service {
    running: Running,
    logs: LogFiles,
    threads: usize,
    shutdown_timeout_ms: u64,
    /// When a drain that takes too long is ended.
    ends: Option<Instant>,
    /// The configuration that not all threads have taken up yet: number by the master, and by the data plane.
    pending: Option<(u64, u64)>,
    admin: Vec<tokio::task::JoinHandle<()>>,
    /// Looks at hosts for as long as it is there.
    _hosts: Option<Sampler>,
}

/// How often the dashboard remembers how the balancer is doing.
const REMEMBER: Duration = Duration::from_secs(1);

/// Answers at the admin addresses, and has the dashboard remember what is to be shown there.
fn answer_at(admin: Vec<AdminListener>, sources: &Sources) -> Vec<tokio::task::JoinHandle<()>> {
    let (dashboard, status) = (sources.dashboard.clone(), Arc::clone(&sources.status));
    let (mut events, has_admin) = (sources.events.subscribe(), !admin.is_empty());
    let remember = async move {
        let mut ticks = tokio::time::interval(REMEMBER);
        let mut retries = RetryCounts::default();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => dashboard.happened(event),
                    // What was missed shows in the state.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                // Where nobody can have asked for it yet there is nothing to remember.
                _ = ticks.tick() => if has_admin || dashboard.has_looked() {
                    let (status, unix_ms) = (status(), net::clock::unix_ms());
                    retries.beyond_a_rate(&status, unix_ms).into_iter().for_each(|event| dashboard.happened(event));
                    dashboard.look(status, net::clock::now_ms(), unix_ms);
                }
            }
        }
    };
    let serve = |admin| tokio::task::spawn_local(admin::serve(admin, sources.clone()));
    std::iter::once(tokio::spawn(remember)).chain(admin.into_iter().map(serve)).collect()
}

impl Service {
    /// Starts it; called within a `LocalSet`, which answers the admin socket.
    pub(super) fn start(assignment: Assignment, hosts: Vec<Source>) -> anyhow::Result<Self> {
        let Assignment { number, understood, listeners, logs: files, admin, respawned } = assignment;
        let config = understood.load().context("the configuration is not understood as it was by the master")?;
        let threads = threads(&config);
        let snapshot = Snapshot::build(&config, threads, &mut |path| understood.record.read(path))?;
        let mut logs = LogFiles::default();
        let writers = logs.take(files, snapshot.log_targets())?;
        logs.take_panics(&config.main.error_logs);
        let hosts = (!hosts.is_empty()).then(|| Sampler::start(hosts, QUARTER_OF_AN_HOUR)).transpose()?;
        let dashboard = Dashboard::new(hosts.as_ref().map(Sampler::hosts));
        let pages = Arc::new(Pages { dashboard: dashboard.clone() });
        let running = Running::start(Arc::new(snapshot), threads, listeners, LogWriter::start(writers)?, pages)?;
        running.set_respawned(respawned);
        let sources = Sources {
            status: Arc::new(running.status_source()),
            events: running.events(),
            api: Arc::new(running.api_source()),
            dashboard,
        };
        let admin = answer_at(admin, &sources);
        Ok(Self {
            running,
            logs,
            threads,
            shutdown_timeout_ms: config.main.worker_shutdown_timeout_ms,
            ends: None,
            pending: Some((number, 1)),
            admin,
            _hosts: hosts,
        })
    }

    /// Goes over to another configuration. An error leaves everything as it was.
    pub(super) fn reload(&mut self, assignment: Assignment) -> anyhow::Result<()> {
        let Assignment { number, understood, listeners, logs: files, .. } = assignment;
        let config = understood.load().context("the configuration is not understood as it was by the master")?;
        if threads(&config) != self.threads {
            bail!("a process cannot change the number of its threads");
        }
        let before = self.running.snapshot();
        let mut read = |path: &std::path::Path| understood.record.read(path);
        let snapshot = Snapshot::build_after(&config, self.threads, &mut read, Some(&before))?;
        let new = &snapshot.log_targets()[before.log_targets().len()..];
        let writers = self.logs.take(files, new)?;
        self.logs.take_panics(&config.main.error_logs);
        let generation = self.running.reload(Arc::new(snapshot), listeners, writers);
        self.shutdown_timeout_ms = config.main.worker_shutdown_timeout_ms;
        self.pending = Some((number, generation));
        Ok(())
    }

    /// Notes that the master has kept the old configuration.
    pub(super) fn note_refused(&self, why: &str) {
        self.running.refuse_reload(why);
    }

    /// The number of a configuration that all threads have taken up since this was last asked.
    pub(super) fn taken_up(&mut self) -> Option<u64> {
        let (number, generation) = self.pending.filter(|(_, generation)| self.running.serves(*generation))?;
        self.pending = None;
        debug_assert!(generation > 0, "generations count from 1");
        Some(number)
    }

    /// Writes to these files from now on.
    pub(super) fn reopen(&mut self, files: Vec<(std::path::PathBuf, std::fs::File)>) {
        // No target is new, so nothing can be missing.
        let _ = self.logs.take(files, &[]);
    }

    /// Accepts no more and ends with its last connection, or when `worker_shutdown_timeout` is over.
    pub(super) fn drain(&mut self, keep_admin: bool) {
        if !keep_admin {
            self.admin.drain(..).for_each(|admin| admin.abort());
        }
        if self.ends.is_none() && self.shutdown_timeout_ms > 0 {
            self.ends = Some(Instant::now() + Duration::from_millis(self.shutdown_timeout_ms));
        }
        self.running.drain();
    }

    /// Ends at once.
    pub(super) fn stop(&self) {
        self.running.stop();
    }

    /// Waits until it is worth looking again at [`Self::taken_up`] and [`Self::has_ended`]; for ever while nothing is
    /// under way.
    pub(super) async fn look(&self) {
        if self.pending.is_some() || self.running.is_ending() {
            tokio::time::sleep(LOOK).await;
        } else {
            std::future::pending::<()>().await;
        }
        if self.ends.is_some_and(|ends| Instant::now() >= ends) {
            self.running.stop();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.running.has_ended()
    }

    /// Waits for the threads and the logs.
    pub(super) fn join(self) -> anyhow::Result<()> {
        self.admin.iter().for_each(tokio::task::JoinHandle::abort);
        self.running.join().context("a thread of the data plane failed")
    }
}
