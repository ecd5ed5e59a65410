//! What an upstream makes of failures beyond `max_fails`: `retry_budget`.

/// `retry_budget SHARE% [min=NUMBER]`: how many requests may go to another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// Retries to a hundred requests.
    pub percent: u32,
    /// Retries beyond that share.
    pub least: u32,
}
