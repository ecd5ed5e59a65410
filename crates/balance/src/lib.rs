//! Choosing an upstream server: peers and their health as requests show it, one file an algorithm, the retry rule.
//!
//! There is no socket, clock or randomness here: `now` comes in as milliseconds of any monotonic count. What is shared
//! between threads ([`Group`]) is settings and a few relaxed atomics; what is one thread's own ([`Balancer`]) is the
//! weights of round robin; what is one request's ([`Attempts`]) is the set of peers it has been to.

mod attempts;
mod balancer;
mod budget;
mod checked;
mod group;
mod hash;
mod ip_hash;
mod latency;
mod least_conn;
mod load;
mod outlier;
mod peer;
mod random;
mod retry;
mod ring;
mod round_robin;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod speeds;
#[cfg(test)]
mod testing;

pub use attempts::Attempts;
pub use balancer::Balancer;
pub use budget::{BudgetCounts, RetryBudget, RetryShare};
pub use checked::{CheckCounts, Checks, Streak, Thresholds, together};
pub use group::{Group, Method, Two};
pub use latency::{Measure, Time};
pub use outlier::{Change, Outlier, OutlierRule};
pub use peer::{Outcome, Peer, PeerSettings, State, Transition};
pub use retry::{Exchange, Failure, RetryRule, StatusSet, Verdict};
