//! Counters: cells that one thread writes and status reads. Those that only `api` shows are there where it is asked
//! for.

use std::sync::OnceLock;

use metrics::Buckets;
use metrics::counter::Cell;

use crate::facts::Attempt;

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
    /// TLS handshakes with clients.
    pub(crate) tls: TlsCounters,
    /// Answers by the hundreds of their statuses, 100 to 599.
    pub(crate) classes: [Cell; CLASSES],
    /// From a request's first bytes to the end of its answer.
    pub(crate) times: Buckets,
}

/// Classes of statuses: 1xx to 5xx.
pub(crate) const CLASSES: usize = 5;

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
    /// From the beginning of an attempt to the end of its answer.
    pub(crate) times: Buckets,
    /// What only `api` shows.
    pub(crate) detail: OnceLock<Box<PeerDetail>>,
}

/// More counts of an upstream server.
#[derive(Debug, Default)]
pub(crate) struct PeerDetail {
    pub(crate) responses: Responses,
    /// Bytes that went there and that came.
    pub(crate) sent: Cell,
    pub(crate) received: Cell,
    /// How often it became unavailable.
    pub(crate) unavailable: Cell,
    /// When it was last picked, on the scale of [`net::clock::coarse_ms`]; 0 when it never was.
    pub(crate) selected_ms: Cell,
    /// Sums over answers: of the times to their heads, and to their ends.
    pub(crate) header_ms: Cell,
    pub(crate) headers: Cell,
    pub(crate) response_ms: Cell,
    pub(crate) whole: Cell,
    /// TLS handshakes with it.
    pub(crate) tls: TlsCounters,
}

impl PeerDetail {
    /// Counts an attempt, as far as to the head of its answer.
    pub(crate) fn tried(&self, attempt: &Attempt, is_answered: bool) {
        self.sent.add(attempt.sent);
        self.received.add(attempt.received);
        if is_answered {
            self.responses.count(attempt.status);
            self.header_ms.add(attempt.head_ms.map_or(0, |ms| ms.saturating_sub(attempt.started_ms)));
            self.headers.add(1);
        }
    }
}

/// One thread's counts of a `status_zone`.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct ZoneCounters {
    pub(crate) processing: Cell,
    pub(crate) requests: Cell,
    pub(crate) responses: Responses,
    /// Requests that ended without an answer.
    pub(crate) discarded: Cell,
    pub(crate) received: Cell,
    pub(crate) sent: Cell,
    /// TLS handshakes, of a server's zone.
    pub(crate) tls: TlsCounters,
}

/// The least status that is counted, and how many there are.
pub(crate) const STATUS_LEAST: u16 = 100;
pub(crate) const STATUSES: usize = 500;

/// Answers by their statuses, 100 to 599.
#[derive(Debug)]
pub(crate) struct Responses([Cell; STATUSES]);

impl Default for Responses {
    fn default() -> Self {
        Self([const { Cell::new(0) }; STATUSES])
    }
}

impl Responses {
    /// Counts one.
    pub(crate) fn count(&self, status: u16) {
        if let Some(cell) = status.checked_sub(STATUS_LEAST).and_then(|index| self.0.get(usize::from(index))) {
            cell.add(1);
        }
    }

    /// The counts, the least status first.
    pub(crate) fn get(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(Cell::get)
    }
}

/// How TLS handshakes ended.
#[derive(Debug, Default)]
pub(crate) struct TlsCounters {
    pub(crate) handshakes: Cell,
    pub(crate) failed: Cell,
    pub(crate) resumed: Cell,
    /// What of the failed ones is known.
    pub(crate) why: [Cell; TLS_FAILURES],
}

/// What a handshake failed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsFailure {
    NoCommonProtocol,
    NoCommonCipher,
    Timeout,
    /// The other side refused our certificate.
    RejectedCertificate,
    NoCertificate,
    Expired,
    Revoked,
    OtherName,
    /// Its certificate is bad in another way.
    OtherCertificate,
}

/// How many of these there are.
pub(crate) const TLS_FAILURES: usize = 9;
