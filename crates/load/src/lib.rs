//! The load injector: an open model, in which iterations start when a schedule says so, whatever becomes of the
//! earlier ones.
//!
//! The way of an iteration: [`schedule`] (pure) says when; [`worker`] hands the start to an idle virtual user, the most
//! recently used first; the user does one iteration of its [`Source`] over a connection of its own; what it saw goes
//! into the thread's [`samples`]; threads merge once a second; [`threshold`]s are judged on the merge; the end is a
//! [`Report`].
//!
//! Deliberately absent: printing, the command line, signals (the caller has a [`StopHandle`]), and retries: whatever is
//! not a whole answer is a failure. Scripts will be one more [`Source`].

pub mod duration;
pub mod error;
mod exchange;
pub mod export;
mod failure;
mod live;
pub mod metric;
mod plan;
mod pool;
pub mod report;
mod run;
mod samples;
pub mod schedule;
pub mod threshold;
mod url;
mod user;
mod worker;

pub use error::Error;
pub use failure::{Failure, FailureCount};
pub use plan::{MOST_THREADS, MOST_USERS, ON_DEMAND_USERS, Plan, Request, RequestOptions, Source, Users};
pub use report::{Metric, Outcome, Report, Value, Verdict};
pub use run::{LastSecond, Progress, StopHandle, run};
pub use schedule::Schedule;
pub use threshold::Threshold;
