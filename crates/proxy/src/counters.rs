//! Counters: cells that one thread writes and status reads.

use metrics::counter::Cell;

/// One thread's counts of its own, for all configurations it has served.
#[derive(Debug, Default)]
pub(crate) struct ThreadCounters {
    pub(crate) accepted: Cell,
    /// Client connections open now.
    pub(crate) active: Cell,
    /// Those of them whose request's head has come in part.
    pub(crate) reading: Cell,
    /// Requests under way.
    pub(crate) writing: Cell,
    /// Those that share their connection with another one.
    pub(crate) shared: Cell,
    pub(crate) requests: Cell,
    pub(crate) log_lines_lost: Cell,
    /// Number of the configuration that it serves.
    pub(crate) generation: Cell,
}

/// One thread's counts of one upstream server. They are allocated one by one, and must not share a cache line with
/// those of another thread.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct PeerCounters {
    /// Attempts made at it.
    pub(crate) requests: Cell,
    /// Attempts that failed.
    pub(crate) failures: Cell,
    /// Requests that went elsewhere, or over a fresh connection, after an attempt at it.
    pub(crate) retries: Cell,
    pub(crate) in_flight: Cell,
}
