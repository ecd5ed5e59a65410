//! Counters: cells that one thread writes and status reads.

use metrics::counter::Cell;

/// One thread's counts of its own, for all configurations it has served.
#[derive(Debug, Default)]
pub(crate) struct ThreadCounters {
    pub(crate) accepted: Cell,
    /// Client connections open now.
    pub(crate) active: Cell,
    pub(crate) requests: Cell,
    pub(crate) log_lines_lost: Cell,
}

/// One thread's counts of one upstream server.
#[derive(Debug, Default)]
pub(crate) struct PeerCounters {
    /// Attempts made at it.
    pub(crate) requests: Cell,
    /// Attempts that failed.
    pub(crate) failures: Cell,
    /// Requests that went elsewhere, or over a fresh connection, after an attempt at it.
    pub(crate) retries: Cell,
    pub(crate) in_flight: Cell,
}
