//! What a configuration says of how many requests and connections one key may have.

use crate::template::Template;
use crate::tree::LogLevel;

/// `limit_req_zone` or `limit_conn_zone`.
#[derive(Debug, Clone)]
pub struct LimitZone {
    /// Its name.
    pub name: String,
    /// What is counted; nothing is where it is empty.
    pub key: Template,
    /// Memory of its keys.
    pub bytes: u64,
    /// Thousandths of a request that leave in a second; 0 where connections are counted.
    pub rate: u64,
}

/// `limit_req` and `limit_conn` of a place.
#[derive(Debug, Clone)]
pub struct LimitSettings {
    /// `limit_req`s, in the order written.
    pub rates: Vec<RateLimit>,
    /// `limit_req_status` and its like.
    pub of_rates: Refusal,
    /// `limit_conn`s: the zone, and the most connections of a key.
    pub connections: Vec<(usize, u64)>,
    /// `limit_conn_status` and its like.
    pub of_connections: Refusal,
}

/// `limit_req`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The index of the zone among [`crate::tree::Http::rate_zones`].
    pub zone: usize,
    /// `burst`, in thousandths of a request.
    pub burst: u64,
    /// `delay`: an excess up to this goes at once; `nodelay` is all of it.
    pub delay: u64,
}

/// What becomes of what is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status of its answer.
    pub status: u16,
    /// How the error log tells of it.
    pub log_level: LogLevel,
    /// It is told, and served all the same.
    pub is_dry_run: bool,
}
