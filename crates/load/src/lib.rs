//! The load injector: iterations start when a schedule says so, whatever becomes of the earlier ones, or when their
//! user is done with the last one.
//!
//! The way of an iteration: [`schedule`] (pure) says when; [`drive`] hands the start to an idle virtual user, the most
//! recently used first; the user does one iteration of its [`Source`] over a connection of its own; what it saw goes
//! to the thread's [`metric::Recorder`]; threads merge once a second; [`threshold`]s are judged on the merge; the end
//! is a [`Report`].
//!
//! Deliberately absent: printing, the command line, signals (the caller has a [`StopHandle`]), and retries: whatever is
//! not a whole answer is a failure.

mod coding;
mod desk;
mod digest;
mod drive;
pub mod duration;
pub mod error;
mod exchange;
pub mod export;
mod failure;
mod fetch;
mod http2;
mod jar;
mod live;
pub mod metric;
mod names;
pub mod options;
mod origin;
mod pace;
mod plan;
mod pool;
mod progress;
mod record;
pub mod report;
mod request;
mod reserve;
mod routes;
mod run;
pub mod schedule;
pub mod script;
mod seat;
mod series;
mod sites;
mod stages;
pub mod stat;
pub mod threshold;
pub mod tls;
mod url;
mod user;
mod worker;

pub use error::Error;
pub use failure::{Failure, FailureCount};
pub use plan::{Executor, MOST_THREADS, MOST_USERS, ON_DEMAND_USERS, Plan, Scenario, Source, Users};
pub use progress::{LastSecond, Progress, ScenarioProgress};
pub use report::{Metric, MetricsSink, Outcome, Report, ScopeReport, Value, Verdict};
pub use request::{Request, RequestOptions};
pub use run::{StopHandle, run};
pub use schedule::Schedule;
pub use script::{Script, ScriptRun};
pub use series::{MOST_STEPS, Step};
pub use sites::HttpOptions;
pub use threshold::Threshold;
