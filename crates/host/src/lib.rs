//! Facts of one Linux host, read from `/proc`: what it does and what a process uses, who holds a port, how many cores
//! there are.
//!
//! It only reads, but for this process's own limit of open files and for `tune`, which sets what a host must allow and
//! puts it back. What becomes of facts over time is the caller's business.

pub mod facts;
pub mod files;
pub mod ports;
pub mod process;
pub mod sysctl;
pub mod tune;

pub use ports::{Holder, holder};
pub use process::{ProcessFacts, family, process};

/// Why a fact cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process has ended, or there never was one of that id.
    #[error("there is no process {pid}")]
    NoProcess {
        /// The id asked for.
        pid: u32,
    },
    /// `/proc` is missing, closed to this user, or says what is not understood.
    #[error("cannot read {what}: {source}")]
    Proc {
        /// What was read.
        what: String,
        /// What went wrong.
        source: procfs::ProcError,
    },
}

/// The memory that this process may use at most: the machine's, or less where its group has less.
pub fn memory_mib() -> Option<u64> {
    use procfs::Current as _;
    let machine = procfs::Meminfo::current().ok()?.mem_total;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(group.map_or(machine, |group: u64| group.min(machine)) >> 20)
}

/// The cores that this process may use, at least one.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
