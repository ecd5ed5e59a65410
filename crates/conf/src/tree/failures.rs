//! What an upstream makes of failures beyond `max_fails`: `retry_budget`, `outlier_ejection`.

/// `retry_budget SHARE% [min=NUMBER]`: how many requests may go to another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// Retries to a hundred requests.
    pub percent: u32,
    /// Retries beyond that share.
    pub least: u32,
}

/// `outlier_ejection`: servers that fail, or answer late, far more than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutlierEjection {
    /// `errors`: so many of a hundred requests.
    pub errors_percent: Option<u32>,
    /// `latency`: so many times as long as the others.
    pub latency_times: Option<u32>,
    /// `min_requests`: what a server must have got in an interval.
    pub min_requests: u32,
    /// `interval`.
    pub interval_ms: u64,
    /// `time`: how long it is out at first.
    pub time_ms: u64,
    /// `max_time`: how long at the most.
    pub max_time_ms: u64,
}
