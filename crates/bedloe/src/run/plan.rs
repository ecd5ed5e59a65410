//! A configuration read, looked through, and ready to be handed to whoever serves it.

use std::fs::File;

use anyhow::bail;
use conf::Loaded;
use conf::tree::{Config, ListenAddress, LogTarget};
use proxy::Snapshot;

use super::message::Assignment;
use super::record::{Recorder, Understood};
use super::sockets::Sockets;
use super::temporary;
use super::user::Account;
use crate::check::{self, Checked};
use crate::files::Source;

/// Standard streams, the runtime with its signals, the admin socket and a few of its readers.
const FILES_OF_THE_PROCESS: usize = 32;
/// A thread's own runtime, and some connections.
const FILES_OF_A_THREAD: usize = 8;

/// A configuration that can be served.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) understood: Understood,
    /// What to listen on, by the index of the listener.
    pub(super) addresses: Vec<Option<(ListenAddress, net::listen::Options)>>,
    pub(super) logs: Vec<LogTarget>,
    pub(super) threads: usize,
    /// Who the worker is to be.
    pub(super) account: Option<Account>,
    /// Logs that are pipes, held open: their readers go on whoever writes.
    _pipes: Vec<File>,
}

impl Plan {
    /// Reads a configuration with all that it names. What was found in it comes back too; with errors there is no plan.
    pub(super) fn read(source: &Source) -> (Loaded, anyhow::Result<Option<Self>>) {
        let recorder = Recorder::default();
        let Checked { mut loaded, served, pipes } = check::load(&recorder, source);
        let served = loaded.config.take().zip(served);
        let plan = served.map(|(config, snapshot)| Self::new(config, &snapshot, source, recorder));
        (loaded, plan.map(|plan| Ok(Self { _pipes: pipes, ..plan? })).transpose())
    }

    fn new(config: Config, snapshot: &Snapshot, source: &Source, recorder: Recorder) -> anyhow::Result<Self> {
        let threads = threads(&config);
        let account = Account::of_worker(&config.main)?;
        let record = recorder.into_record();
        Ok(Self {
            understood: Understood { path: source.path.clone(), options: source.options(), record },
            addresses: snapshot.addresses(),
            logs: snapshot.log_targets().to_vec(),
            threads,
            account,
            config,
            _pipes: Vec::new(),
        })
    }

    /// Whether a worker that serves this one can go over to the other: what a process is cannot be changed.
    pub(super) fn can_become(&self, other: &Self) -> bool {
        let limit = |plan: &Self| plan.config.main.worker_rlimit_nofile;
        self.threads == other.threads && self.account == other.account && limit(self) == limit(other)
    }

    /// What a worker needs to serve it. Opens logs and makes folders that are not there.
    pub(super) fn assign(&self, number: u64, sockets: &Sockets) -> anyhow::Result<Assignment> {
        temporary::make_folders(&self.config, self.account.as_ref())?;
        // The worker before may have changed its servers.
        let mut understood = self.understood.clone();
        let states = self.config.http.upstreams.iter().filter_map(|upstream| upstream.zone.state.as_ref());
        states.for_each(|path| understood.record.read_again(path));
        Ok(Assignment {
            number,
            understood,
            listeners: sockets.share(&self.addresses)?,
            logs: super::logs::open(&self.logs)?,
            admin: Vec::new(),
            respawned: 0,
        })
    }

    /// Refuses a limit of open files under which not even the start succeeds.
    pub(super) fn check_file_limit(&self) -> anyhow::Result<()> {
        let Some(limit) = host::files::limit() else { return Ok(()) };
        let files = self.addresses.len() + self.logs.len();
        let needed = FILES_OF_THE_PROCESS + files + self.threads * FILES_OF_A_THREAD;
        if limit < needed as u64 {
            let enough = needed.next_power_of_two().max(1024);
            bail!(
                "the limit of open files is {limit}, and {needed} are needed before any client comes: \
                 `ulimit -n {enough}`, and `bedloe tune apply --role balancer` for good"
            );
        }
        Ok(())
    }
}

/// Threads that serve a configuration.
pub(super) fn threads(config: &Config) -> usize {
    config.main.worker_processes.map_or_else(host::cores, |threads| threads as usize).max(1)
}

/// Sets the limit of open files of the process that serves: `worker_rlimit_nofile` for each thread, as far as it may.
/// Gives a warning where it may not.
pub(super) fn set_file_limit(config: &Config) -> Option<String> {
    let Some(each) = config.main.worker_rlimit_nofile else {
        host::files::raise();
        return None;
    };
    let threads = threads(config) as u64;
    let wanted = each.saturating_mul(threads);
    let limit = host::files::set(wanted).filter(|limit| *limit < wanted)?;
    let of_threads = if threads > 1 { format!(" for each of {threads} threads") } else { String::new() };
    Some(format!(
        "worker_rlimit_nofile {each}{of_threads} is above the hard limit of {limit} open files and stays there"
    ))
}
